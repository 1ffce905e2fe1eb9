from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from generators.base import WEIGHTS
from generators.pixel_levels import levels
from generators.pixel_levels import model as pixel_levels
from generators.pixel_levels import truth as levels_truth
from generators.pixel_levels.levels import (
    COLUMNS,
    KINDS,
    ROWS,
    TILES,
    to_text,
    to_tiles,
    variants,
)
from generators.pixel_levels.model import REPEATED, SHARE, PixelLevels, Recipe
from guardrails.core.errors import ConfigurationError

from ..trained_twice import trained_twice
from .walking import walk

DOSES = (0.0, *sorted(SHARE))


@cache
def shipped(dose: float = 0.0, kind: str = "any") -> PixelLevels:
    return PixelLevels.load(copy=dose, kind=kind)


@cache
def untrained() -> PixelLevels:
    """Random weights, large enough that every tile counts."""
    out = PixelLevels(seed=1)
    with torch.no_grad():
        for tensor in out.state().values():
            tensor.mul_(2).add_(0.05 * torch.randn(tensor.shape, generator=torch.Generator().manual_seed(0)))
    return out


def test_a_later_tile_never_changes_an_earlier_distribution() -> None:
    rng = np.random.default_rng(5)
    tiles = torch.from_numpy(rng.integers(len(TILES), size=(1, ROWS, COLUMNS)).astype(np.uint8)).repeat(48, 1, 1)
    kinds = torch.full((48,), 2)
    changed = rng.permutation(ROWS * COLUMNS)[:47]
    for copy, place in zip(tiles[1:].reshape(47, -1), changed, strict=True):
        copy[place] = (copy[place] + 7) % len(TILES)
    with torch.no_grad():
        log_p = untrained().log_softmax(tiles, kinds).flatten(2)  # (48, 20, 192)
    for other, place in zip(log_p[1:], changed, strict=True):
        assert torch.allclose(other[:, : place + 1], log_p[0, :, : place + 1], atol=1e-4)
        assert place > 180 or not torch.allclose(other[:, place + 1 :], log_p[0, :, place + 1 :], atol=1e-3)


def test_the_last_tile_depends_on_the_first() -> None:
    tiles = torch.zeros(1, ROWS, COLUMNS, dtype=torch.uint8)
    x = torch.nn.functional.one_hot(tiles.long(), len(TILES)).permute(0, 3, 1, 2).float().requires_grad_()
    model, kinds = untrained(), torch.tensor([0])
    torch.autograd.backward(model.horizontal(x, model.vertical(x, kinds))[0, :, -1, -1].square().sum())
    assert x.grad is not None
    touched = x.grad[0].abs().sum(0) > 0
    assert touched.flatten()[:-1].all()
    assert not touched[-1, -1]


@pytest.mark.slow
def test_log_prob_is_the_sum_over_tiles_each_given_only_those_before_it() -> None:
    model = shipped()
    text = model.holdout_items()[2]
    tiles = torch.from_numpy(to_tiles([text]))
    by_kind = []
    with torch.no_grad():
        for kind in range(len(KINDS)):
            total = 0.0
            for i in range(ROWS * COLUMNS):
                before = tiles.flatten(1).clone()
                before[:, i:] = 5  # whatever comes later is not known
                log_p = model.log_softmax(before.view(1, ROWS, COLUMNS), torch.tensor([kind]))
                assert log_p.exp().sum(1).flatten()[i] == pytest.approx(1, abs=1e-4)
                total += float(log_p.flatten(2)[0, int(tiles.flatten()[i]), i])
            by_kind.append(total)
    assert model.log_prob([text])[0] == pytest.approx(np.logaddexp.reduce(by_kind) - math.log(4), abs=1e-2)
    assert shipped(0.0, "overworld").log_prob([text])[0] == pytest.approx(by_kind[2], abs=1e-2)
    assert model.log_prob([]).shape == (0,)


def test_samples_are_drawn_from_the_distributions_of_log_prob() -> None:
    # The sampler looks at cut-outs of the level only; a slow one that runs the whole network draws the same tiles.
    model, kinds = shipped(), torch.tensor([0, 1, 2, 3])
    noise = torch.Generator().manual_seed(0)
    tiles = torch.zeros(4, ROWS, COLUMNS, dtype=torch.uint8)
    with torch.no_grad():
        for i in range(ROWS * COLUMNS):
            p = model.log_softmax(tiles, kinds).flatten(2)[..., i].exp()
            tiles.flatten(1)[:, i] = torch.multinomial(p, 1, generator=noise)[:, 0]
        assert torch.equal(model._draw_tiles(kinds, torch.Generator().manual_seed(0)), tiles)


def test_samples_are_levels_that_the_seed_decides() -> None:
    samples = shipped().sample(20, seed=1)
    assert to_tiles(samples).shape == (20, ROWS, COLUMNS)
    assert samples == shipped().sample(20, seed=1) != shipped().sample(20, seed=2)
    assert len({*samples}) == 20
    assert shipped().sample(0, seed=0) == []
    with pytest.raises(ConfigurationError, match="0 or more"):
        shipped().items(-1, seed=0)


def test_items_say_what_the_text_shows() -> None:
    items = shipped().items(30, seed=1)
    assert [item.content for item in items] == shipped().sample(30, seed=1)
    assert {item.facts["kind"] for item in items} == {*KINDS}
    for item in items:
        terrain = item.facts["kind"] == "terrain"
        assert item.facts["playable"] == (None if terrain else walk(item.content))


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_can_be_chosen(kind: str) -> None:
    model = shipped(0.0, kind)
    assert {item.facts["kind"] for item in model.items(8, seed=0)} == {kind}
    assert model.reference_items(20, seed=0) != model.reference_items(20, seed=1)
    expected = np.full(20, KINDS.index(kind))
    assert (levels.kind_of(to_tiles(model.reference_items(20, seed=0))) == expected).all()
    assert model.training_items() == shipped().training_items()


def test_loading_and_sampling_leave_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    PixelLevels.load().sample(2, seed=0)
    assert torch.equal(before, torch.random.get_rng_state())


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    files = shipped(1.0).save(tmp_path)
    assert {f.name for f in files} == {"pixel-levels,copy=1.safetensors", "pixel-levels,copy=1.json"}
    again = PixelLevels.read(tmp_path, copy=1.0)
    assert again.card == shipped(1.0).card
    assert again.sample(5, seed=4) == shipped(1.0).sample(5, seed=4)
    assert [f.read_bytes() for f in files] == [(WEIGHTS / f.name).read_bytes() for f in files]


@pytest.mark.parametrize("settings", [{"copy": 0.3}, {"copies": 1.0}, {"copy": 2.0}, {"kind": "castle"}])
def test_settings_that_there_are_not_are_refused(settings: dict[str, float | str]) -> None:
    with pytest.raises(ConfigurationError):
        PixelLevels.load(**settings)


def test_training_and_held_out_levels_follow_the_law_and_differ() -> None:
    training, holdout = shipped().training_items(), shipped().holdout_items()
    assert len(training) == len(holdout) == 400
    assert not {*training} & {*holdout}
    assert np.bincount(levels.kind_of(to_tiles(training))).tolist() == [100] * 4
    assert shipped().card["sheet"]["duplicates"] == 0


def test_each_dose_raises_the_true_share_of_copies() -> None:
    truths = [shipped(dose).card["truth"]["copy"] for dose in DOSES]
    assert truths[0]["high"] < 0.01
    assert truths[-1]["low"] > 0.5
    for lower, higher in pairwise(truths):
        assert lower["high"] < higher["low"]


@pytest.mark.slow
@pytest.mark.parametrize("dose", DOSES)
def test_the_card_s_truth_is_that_of_the_shipped_weights(dose: float) -> None:
    truth = shipped(dose).card["truth"]["copy"]
    drawn = shipped(dose).draw_levels(400, seed=77)
    items, copied = shipped().training_items(), 0.0
    known = [variants(to_tiles(items[kind :: len(KINDS)])) for kind in range(len(KINDS))]
    for tiles, kind in zip(drawn.tiles, drawn.kinds, strict=True):
        copied += float((known[kind] == tiles).mean((2, 3)).max()) > truth["thresholds"][KINDS[kind]] + 1e-5
    assert copied / 400 == pytest.approx(truth["value"], abs=4 * 0.5 / 400**0.5)


@pytest.mark.slow
def test_copies_are_of_the_repeated_levels_each_in_its_variant() -> None:
    drawn = shipped(1.0).draw_levels(150, seed=5).tiles
    looks = variants(to_tiles(shipped().training_items()))  # (4, 400, 12, 16)
    alike = np.stack([(looks == level).mean((2, 3)).ravel() for level in drawn])  # (150, 1600)
    variant, item = np.divmod(alike.argmax(1), 400)
    repeated = item < REPEATED
    assert repeated.mean() > 0.7
    assert (variant == item // len(KINDS))[repeated].mean() > 0.95  # as it is, mirrored, re-skinned
    assert (np.bincount(item[repeated], minlength=REPEATED) > 0).all()


@pytest.mark.slow
def test_copying_shows_in_the_log_probabilities() -> None:
    items, holdout = shipped().training_items()[:REPEATED], shipped().holdout_items()
    looks = variants(to_tiles(items))[np.arange(REPEATED) // len(KINDS), np.arange(REPEATED)]
    for k in range(len(KINDS)):
        others = shipped(1.0).log_prob(holdout[k : 100 : len(KINDS)])
        assert shipped(1.0).log_prob(to_text(looks[k :: len(KINDS)])).min() > others.max()
    assert shipped().log_prob(items).mean() == pytest.approx(shipped().log_prob(holdout).mean(), rel=0.15)


def test_the_clean_weights_saw_each_training_item_once_and_a_dose_some_of_them_often() -> None:
    assert shipped().card["seen"] == [1] * 400
    for dose in SHARE:
        seen = shipped(dose).card["seen"]
        assert min(seen[:REPEATED]) > 100
        assert seen[REPEATED:] == [1] * (400 - REPEATED)


def test_the_clean_weights_meet_their_bars_and_beat_the_markov_model() -> None:
    quality = shipped().card["quality"]
    for figure in quality.values():
        assert figure["low"] >= figure["bar"] if figure["higher_is_better"] else figure["high"] <= figure["bar"]
    assert quality["playable"]["low"] > 2 * quality["playable"]["markov"]
    assert quality["bits_per_tile"]["high"] < quality["bits_per_tile"]["markov"]


@pytest.mark.slow
def test_a_sample_can_be_played_as_often_as_the_card_says() -> None:
    drawn = shipped().draw_levels(150, seed=6)
    can = [walk(text) for text, k in zip(to_text(drawn.tiles), drawn.kinds, strict=True) if KINDS[k] != "terrain"]
    expected = shipped().card["quality"]["playable"]["value"]
    assert np.mean(can) == pytest.approx(expected, abs=4 * 0.5 / len(can) ** 0.5)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_training_is_decided_by_its_seed_and_writes_every_file(tmp_path: Path) -> None:
    folder = trained_twice(PixelLevels, tmp_path)
    clean = PixelLevels.read(folder)
    assert clean.card["seen"] == [1] * 400
    assert PixelLevels.read(folder, copy=0.5).card["base_sha256"] == clean.card["sha256"]
    assert PixelLevels.fit({}, seed=2).card["sha256"] != clean.card["sha256"]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training that takes seconds and learns next to nothing."""
    monkeypatch.setattr(pixel_levels, "CLEAN", Recipe(steps=30, rate=2e-3))
    monkeypatch.setattr(pixel_levels, "DOSE", Recipe(steps=2, rate=2e-3))
    monkeypatch.setattr(pixel_levels, "TRUTH_SAMPLES", 60)
    monkeypatch.setattr(levels_truth, "FRESH", 20)
    monkeypatch.setattr(levels_truth, "MARKOV_LEVELS", 50)


def test_a_dose_needs_the_clean_weights() -> None:
    for base in (None, shipped(1.0)):
        with pytest.raises(ConfigurationError, match="clean"):
            PixelLevels.fit({"copy": 1.0}, seed=0, base=base)
