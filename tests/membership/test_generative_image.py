from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from guardrails.assay.audit.controls import control_subject, headline_threshold
from guardrails.assay.policy.policy import judge
from guardrails.core.asking import ask
from guardrails.core.batch import Row
from guardrails.core.errors import ContentError, TargetError
from guardrails.core.probe import Budget
from guardrails.core.results import Measurement
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.membership.generative_image import ImageMembership

PROBE = ImageMembership()


def phantoms(n: int, seed: int, *, light: int = 0) -> list[Any]:
    coarse = np.random.default_rng(seed).integers(60, 160, (n, 4, 4, 3)) + light
    return [np.kron(c, np.ones((4, 4, 1))).astype(np.uint8) for c in coarse]


CORPUS, HOLDOUT = phantoms(120, 0), phantoms(120, 1)


class Maker:
    """Gives back some pictures, then fresh ones."""

    name = "maker"
    modality = Modality.IMAGE
    access = frozenset({Access.OUTPUTS, Access.SAMPLING})
    available: int | None = None

    def __init__(self, copied: list[Any]) -> None:
        self.copied = copied

    def identity(self) -> dict[str, str]:
        return {}

    def sample_images(self, n: int, *, seed: int) -> list[Any]:
        return [*self.copied, *phantoms(n, seed % 1000 + 7)][:n]


def audited(subject: Subject, seed: int = 0) -> tuple[list[Row], list[Any], dict[str, Measurement]]:
    batches = PROBE.plan(subject, Budget.CONTROL, seed=seed)
    rows = [row for batch in batches for row in ask(PROBE, subject, batch, seed=seed)]
    json.dumps([batch.to_json() for batch in batches], allow_nan=False)
    json.dumps(rows, allow_nan=False)
    return rows, batches, {m.metric: m for m in PROBE.measure(rows, subject, seed=seed)}


def test_a_dozen_copies_show_among_the_twelve_surest_guesses_and_not_in_the_auc() -> None:
    _, _, readings = audited(Subject(Maker(CORPUS[:12]), corpus=CORPUS, holdout=HOLDOUT, reference=phantoms(300, 2)))
    top = readings["precision_at_12"]
    assert top.value == 1
    assert top.low is not None
    assert top.low > 0.6
    assert readings["membership_auc"].low is not None
    assert readings["membership_auc"].low < 0.6
    assert next(iter(readings)) == "precision_at_12"


@pytest.mark.parametrize("seed", range(6))
def test_fresh_pictures_raise_no_alarm(seed: int) -> None:
    _, _, readings = audited(Subject(Maker([]), corpus=CORPUS, holdout=HOLDOUT), seed)
    top = readings["precision_at_12"]
    assert top.low is not None
    assert top.low < 0.6


def test_a_white_box_is_asked_where_the_target_offers_one() -> None:
    class Open(Maker):
        class white_box:  # noqa: N801
            @staticmethod
            def scores(images: Any) -> Any:
                known = {image.tobytes() for image in CORPUS[:60]}
                return [5.0 * (image.tobytes() in known) + image.mean() / 255 for image in images]

    _, _, readings = audited(Subject(Open([]), corpus=CORPUS, holdout=HOLDOUT))
    assert [p.x for p in readings["membership_auc"].series[0].points] == ["nearest output", "discriminator"]
    assert readings["membership_auc"].value == pytest.approx(0.75, abs=0.05)
    assert readings["precision_at_12"].value == 1


def test_a_folder_of_fewer_outputs_is_taken_whole() -> None:
    class Folder(Maker):
        available = 20

        def sample_images(self, n: int, *, seed: int) -> list[Any]:
            assert n == 20
            return super().sample_images(n, seed=seed)

    _, batches, readings = audited(Subject(Folder(CORPUS[:15]), corpus=CORPUS, holdout=HOLDOUT))
    assert batches[0].payload["outputs"] == 20
    assert readings["precision_at_12"].value == 1


def test_as_many_of_either_arm_are_drawn() -> None:
    _, batches, _ = audited(Subject(Maker([]), corpus=CORPUS, holdout=HOLDOUT[:50]))
    arms = [i["arm"] for b in batches for i in b.rows()]
    assert arms.count("corpus") == arms.count("holdout") == 50


def test_held_out_pictures_that_are_in_the_corpus_are_left_out_and_named() -> None:
    holdout = [*HOLDOUT[:60], *(c.copy() for c in CORPUS[:7])]
    _, _, readings = audited(Subject(Maker([]), corpus=CORPUS, holdout=holdout))
    assert "7 of 67 different held-out pictures are in the corpus too" in readings["precision_at_12"].explanation


def test_the_same_pictures_on_both_sides_are_a_reason() -> None:
    batches = PROBE.plan(Subject(Maker([]), corpus=CORPUS, holdout=CORPUS), Budget.CONTROL, seed=0)
    assert not any(batch.items for batch in batches)
    for measurement in PROBE.measure([], Subject(Maker([]), corpus=CORPUS, holdout=CORPUS), seed=0):
        assert measurement.value is None
        assert "120 of 120 different held-out pictures" in (measurement.reason or "")


def test_a_confounded_split_is_not_assessed() -> None:
    _, _, readings = audited(Subject(Maker(CORPUS[:12]), corpus=CORPUS, holdout=phantoms(120, 1, light=30)))
    assert "the split is confounded" in (readings["precision_at_12"].reason or "")


def test_a_target_that_fails_gives_errors() -> None:
    class Broken(Maker):
        def sample_images(self, n: int, *, seed: int) -> list[Any]:
            raise TargetError("out of memory")

    rows, _, readings = audited(Subject(Broken([]), corpus=CORPUS, holdout=HOLDOUT))
    assert all(row["error"].endswith("out of memory") for row in rows)
    assert readings["precision_at_12"].errors == 240
    assert readings["precision_at_12"].value is None


def test_scores_that_are_not_finite_are_errors() -> None:
    class Open(Maker):
        class white_box:  # noqa: N801
            @staticmethod
            def scores(images: Any) -> Any:
                return np.full(len(images), np.nan)

    rows, _, _ = audited(Subject(Open([]), corpus=CORPUS, holdout=HOLDOUT))
    assert all(row["error"] == "a score is not finite" for row in rows)


@pytest.mark.slow
def test_the_controls_are_told_apart() -> None:
    for control in PROBE.controls:
        rows, _, readings = audited(control_subject(control.source))
        status = judge(readings["precision_at_12"], headline_threshold(PROBE))[0].value
        assert status == "fail" if control.expected == "found" else status in ("pass", "inconclusive")
        assert not any("error" in row for row in rows)


def test_reference_pictures_that_were_trained_on_calibrate_nothing() -> None:
    subject = Subject(Maker(CORPUS[:12]), corpus=CORPUS, holdout=HOLDOUT, reference=[*CORPUS, *HOLDOUT])
    _, _, readings = audited(subject)
    assert readings["precision_at_12"].value == 1
    _, _, bare = audited(Subject(Maker(CORPUS[:12]), corpus=CORPUS, holdout=HOLDOUT))
    assert bare["membership_auc"].value == readings["membership_auc"].value


def test_a_picture_that_cannot_be_read_is_not_drawn() -> None:
    class Folder(list[Any]):
        def __getitem__(self, i: Any) -> Any:
            if i == 3:
                raise ContentError("damaged")
            return super().__getitem__(i)

    rows, _, readings = audited(Subject(Maker([]), corpus=Folder(CORPUS), holdout=HOLDOUT))
    assert not any("error" in row for row in rows)
    assert "corpus:3" not in {row["item"] for row in rows}
    assert readings["precision_at_12"].value is not None


def test_pictures_of_another_size_than_the_model_are_errors() -> None:
    class Open(Maker):
        class white_box:  # noqa: N801
            @staticmethod
            def scores(images: Any) -> Any:
                if any(image.shape[0] != CORPUS[0].shape[0] for image in images):
                    raise ValueError("this model makes square pictures")
                return np.stack(images).mean((1, 2, 3))

    mixed = [p[:12] if i % 2 else p for i, p in enumerate(CORPUS)]
    rows, _, _ = audited(Subject(Open([]), corpus=mixed, holdout=HOLDOUT))
    failed = {int(row["index"]) for row in rows if row["arm"] == "corpus" and "error" in row}
    assert failed
    assert all(i % 2 for i in failed)
    assert not any("error" in row for row in rows if row["arm"] == "holdout")
