"""Batches of pictures: nothing twice, nothing lost, errors as rows."""

from dataclasses import dataclass

import numpy as np
import pytest

from guardrails.core.errors import ContentError
from guardrails.core.probe import Budget
from guardrails.core.targets import Access, Modality
from guardrails.kit.io import thumbnail
from guardrails.kit.pictures.batches import SAMPLES, contact_sheet, fetch_pictures, open_thumbnail, plan_pictures


@dataclass
class Fake:
    """Picture i of a folder is all i; a maker's pictures are all its seed."""

    available: int | None = None
    name: str = "fake"
    modality = Modality.IMAGE
    access = frozenset({Access.OUTPUTS})

    def identity(self):
        return {}

    def sample_images(self, n, *, seed):
        if self.available is None:
            return [np.full((2, 2, 3), seed, np.uint8)] * n
        assert n <= self.available
        return [np.full((2, 2, 3), i, np.uint8) for i in np.random.default_rng(seed).permutation(self.available)[:n]]


def value(picture):
    return {"value": int(picture[0, 0, 0])}


@pytest.mark.parametrize("budget", list(Budget))
def test_the_budget_says_how_many(budget):
    batches = plan_pictures(Fake(), budget, seed=0)
    items = [item.id for b in batches for item in b.items]
    assert len(items) == len(set(items)) == SAMPLES[budget]
    assert [b.index for b in batches] == list(range(len(batches)))


def test_a_folder_gives_each_picture_once_over_all_batches():
    target = Fake(available=130)
    rows = [
        row
        for batch in plan_pictures(target, Budget.QUICK, seed=3)
        for row in fetch_pictures(target, batch, value, seed=batch.index)
    ]
    assert sorted(row["value"] for row in rows) == list(range(130))


def test_a_maker_samples_with_the_seed_of_the_batch():
    batch = plan_pictures(Fake(), Budget.QUICK, seed=3)[1]
    assert {row["value"] for row in fetch_pictures(Fake(), batch, value, seed=9)} == {9}


@pytest.mark.parametrize("error", [ContentError("damaged"), ValueError("damaged")])
def test_a_picture_that_cannot_be_read_is_a_row_with_its_reason(error):
    def read(picture):
        raise error

    batch = plan_pictures(Fake(available=3), Budget.QUICK, seed=0)[0]
    rows = fetch_pictures(Fake(available=3), batch, read, seed=0)
    assert rows == [{"item": f"{i:05d}", "error": "damaged"} for i in range(3)]


def test_a_thumbnail_opens_as_it_was():
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    assert np.array_equal(open_thumbnail(thumbnail(picture)), picture)


def test_a_sheet_holds_grey_and_coloured_pictures_of_any_size():
    grey, wide = np.zeros((10, 10), np.uint8), np.full((8, 80, 3), 100, np.uint8)
    sheet = contact_sheet([grey, wide, grey], side=20, columns=2)
    assert sheet.shape == (48, 48, 3)
    assert (sheet[12, 12] == 0).all()
    assert (sheet[12, 36] == 100).all()
    assert (sheet[4, 36] == 255).all()
