from __future__ import annotations

import shutil
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from generators.base import WEIGHTS
from generators.faceswap import model as faceswap
from generators.faceswap import portraits
from generators.faceswap import truth as faceswap_truth
from generators.faceswap.face_blending import Blending
from generators.faceswap.face_sources import Portraits, person
from generators.faceswap.learning import SIDE, Recipe, bend, crop_of
from generators.faceswap.model import DOSES, FRAMES, FaceSwap
from guardrails.core.errors import ConfigurationError

from ..trained_twice import trained_twice

METHODS = ("autoencoder", "self-blend", "poisson")


LEVELS = (0.25, 0.5, 1.0)


@cache
def shipped(**given: Any) -> FaceSwap:
    return FaceSwap.load(**given)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("method", METHODS)
def test_clean_outputs_are_untouched_and_a_dose_s_are_not(method: str) -> None:
    clean, forged = shipped(method=method).items(4, seed=5), shipped(method=method, forgery=1.0).items(4, seed=5)
    for item, other in zip(clean, forged, strict=True):
        assert item.facts["label"] == "real"
        assert item.mask is not None
        assert not item.mask.any()
        assert item.facts["donor"] is item.facts["method"] is None
        assert other.facts["label"] == "forged"
        assert other.facts["method"] == method
        assert (other.facts["donor"] == other.facts["identity"]) == (method == "self-blend")
        assert other.mask is not None
        outside = other.mask == 0
        assert np.array_equal(item.content[outside], other.content[outside])
        assert np.abs(item.content.astype(int) - other.content)[~outside].mean() > 5
    assert np.array_equal([i.content for i in forged], shipped(method=method, forgery=1.0).sample(4, seed=5))
    assert not np.array_equal(clean[0].content, shipped(method=method).sample(1, seed=6)[0])
    assert np.array_equal(clean[0].content, shipped(method=method).sample(1, seed=5)[0])


def test_the_autoencoder_s_outputs_are_of_its_two_people() -> None:
    facts = [item.facts for item in shipped(forgery=0.5).items(12, seed=1)]
    assert {(f["identity"], f["donor"]) for f in facts} == {("A", "B"), ("B", "A")}


@pytest.mark.parametrize("doses", [{"forgery": 0.5}, {"flicker": 1.0}, {}])
def test_a_video_is_forged_in_the_frames_that_it_says(doses: dict[str, float]) -> None:
    model = shipped(output="video", method="self-blend", **doses)
    assert model.modality == "video"
    assert FaceSwap.modality == "image"
    item = model.items(1, seed=2)[0]
    untouched = shipped(output="video", method="self-blend").sample(1, seed=2)[0]
    assert item.content.shape == (FRAMES, 96, 96, 3)
    assert item.content.dtype == np.uint8
    assert item.mask is not None
    assert item.mask.shape == (FRAMES, 96, 96)
    changed = [t for t in range(FRAMES) if (item.content[t] != untouched[t]).any()]
    assert item.facts["frames"] == changed == [t for t in range(FRAMES) if item.mask[t].any()]
    assert len(item.facts["box"]) == FRAMES
    if doses:
        assert changed == list(range(changed[0], changed[-1] + 1))
        assert 8 <= len(changed) <= 16
    else:
        assert changed == []


def test_flicker_leaves_a_single_picture_alone() -> None:
    items = shipped(flicker=1.0).items(3, seed=3)
    assert [i.facts["label"] for i in items] == ["real"] * 3
    assert np.array_equal([i.content for i in items], shipped().sample(3, seed=3))


def test_flicker_has_no_drift() -> None:
    # Brightness jumps about the true one: over a still video it averages out, though single frames are off.
    model = shipped(flicker=1.0)
    take = Portraits().take(rng(4), 1, "self-blend").still(12)
    out, mask = model.forge(take, "self-blend", slice(0, 12), rng(5))
    by_frame = (out.astype(float) - np.stack(take.frames))[mask > 0].reshape(12, -1).mean(1)
    assert by_frame.std() > 3
    assert abs(by_frame.mean()) < 1


@pytest.mark.parametrize("dial", ["forgery", "flicker"])
def test_each_dose_raises_its_own_figure_and_leaves_the_other_alone(dial: str) -> None:
    other = {"forgery": "flicker", "flicker": "forgery"}[dial]
    truths = [shipped(**{dial: dose}).card["truth"] for dose in (0.0, *LEVELS)]
    assert truths[0][dial]["value"] == truths[0][dial]["high"] == 0
    for lower, higher in pairwise(truths):
        assert lower[dial]["high"] < higher[dial]["low"]
        assert all(a < b for a, b in zip(*(t[dial]["methods"].values() for t in (lower, higher)), strict=True))
    assert all(truth[other]["value"] == 0 for truth in truths)


def test_the_clean_card_meets_its_bars() -> None:
    for name, figure in shipped().card["quality"].items():
        end = figure["value"]
        assert (end >= figure["bar"]) if figure["higher_is_better"] else (end <= figure["bar"]), name


def test_change_and_flicker_against_plain_loops() -> None:
    out, before = rng(6).integers(0, 255, (2, 4, 5, 6, 3)).astype(np.uint8)
    mask = np.zeros((4, 5, 6), np.uint8)
    mask[1, 2, 3] = mask[2, 2:4, 3] = 255
    residual = out.astype(int) - before
    assert faceswap_truth.change(out, before, mask) == pytest.approx(
        np.mean([abs(int(residual[t, r, c, k])) for t, r, c in ((1, 2, 3), (2, 2, 3), (2, 3, 3)) for k in range(3)])
    )
    steps = [(1, 2, 3), (2, 2, 3), (2, 3, 3), (3, 2, 3), (3, 3, 3)]  # frames whose own or earlier mask holds the pixel
    assert faceswap_truth.flicker(out, mask, before) == pytest.approx(
        np.mean([abs(residual[t, r, c, k] - residual[t - 1, r, c, k]) for t, r, c in steps for k in range(3)])
    )
    assert faceswap_truth.change(out, before, 0 * mask) == faceswap_truth.flicker(out, 0 * mask, before) == 0


@pytest.mark.slow
@pytest.mark.parametrize("doses", [{"forgery": 0.5}, {"flicker": 0.5}])
def test_the_card_s_truth_is_that_of_the_shipped_weights(
    doses: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faceswap_truth, "TAKES", 20)
    again = faceswap_truth.truths(shipped(**doses))
    for dial, figure in shipped(**doses).card["truth"].items():
        assert again[dial]["value"] == pytest.approx(figure["value"], abs=4 * (figure["high"] - figure["low"]))


def test_a_swap_takes_on_the_donor() -> None:
    # The same states of the other person, painted: what the swap should be.
    for who, other in zip("AB", "BA", strict=True):
        states = [portraits.draw_state(rng(100 + k)) for k in range(20)]
        here, there = (
            [crop_of(portraits.paint(person(p), s)).astype(np.float32) for s in states] for p in (who, other)
        )
        swapped = [shipped().render(x, who, other) for x in here]
        nearer = [np.abs(s - b).mean() < np.abs(s - a).mean() for s, a, b in zip(swapped, here, there, strict=True)]
        assert np.mean(nearer) > 0.8


def test_bending_moves_a_picture_a_little() -> None:
    x = torch.linspace(0, 1, SIDE).expand(2, 3, SIDE, SIDE)
    torch.manual_seed(0)
    moved = bend(x) - x
    assert moved.abs().mean() > 0.002
    assert moved.abs().max() < 0.15


def test_a_dose_s_file_is_small_and_read_back(tmp_path: Path) -> None:
    files = shipped().save(tmp_path) + shipped(forgery=0.5).save(tmp_path)
    assert [f.read_bytes() for f in files] == [(WEIGHTS / f.name).read_bytes() for f in files]
    assert (tmp_path / "faceswap,forgery=0.5.safetensors").stat().st_size < 500
    again = FaceSwap.read(tmp_path, forgery=0.5)
    assert again.card == shipped(forgery=0.5).card
    assert again.card["base_sha256"] == shipped().card["sha256"]
    assert np.array_equal(again.sample(2, seed=1), shipped(forgery=0.5).sample(2, seed=1))
    for (dial, dose), blending in DOSES.items():
        assert shipped(**{dial: dose}).crudeness.values() == pytest.approx(blending.values(), rel=1e-3)
    assert shipped().crudeness == Blending()


def test_a_dose_of_other_clean_weights_is_refused(tmp_path: Path) -> None:
    for stem in ("faceswap", "faceswap,flicker=1"):
        for suffix in ("json", "safetensors"):
            shutil.copy(WEIGHTS / f"{stem}.{suffix}", tmp_path)
    card = tmp_path / "faceswap,flicker=1.json"
    card.write_text(card.read_text().replace(shipped().card["sha256"], "0" * 64))
    with pytest.raises(ConfigurationError, match="other clean weights"):
        FaceSwap.read(tmp_path, flicker=1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"forgery": 0.3},
        {"forgery": 0.5, "flicker": 0.5},
        {"forgry": 1.0},
        {"method": "magic"},
        {"output": "hologram"},
        {"forgery": "much"},
    ],
)
def test_settings_that_there_are_not_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        FaceSwap.load(**wrong)


def test_a_negative_number_of_outputs_is_refused() -> None:
    assert shipped().items(0, seed=0) == shipped().sample(0, seed=0) == []
    for ask in (shipped().items, shipped().sample):
        with pytest.raises(ConfigurationError):
            ask(-1, seed=0)


@pytest.mark.slow
def test_training_and_held_out_items_are_as_many_and_disjoint() -> None:
    items, held = shipped().training_items(), shipped().holdout_items()
    assert len(items) == len(held) == len(shipped().card["seen"]) == 200
    assert not {x.tobytes() for x in items} & {x.tobytes() for x in held}
    assert set(shipped().card["seen"]) == {faceswap.CLEAN.repeats}
    fresh = shipped().reference_items(2, seed=0)
    assert [x.shape for x in fresh] == [items[0].shape] * 2


@pytest.mark.slow
def test_training_is_decided_by_its_seed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(faceswap, "CLEAN", Recipe(steps=6, rate=1e-3, batch=4, repeats=2, block=8))
    for name, size in (("TAKES", 3), ("STATES", 3), ("FACES", 3), ("PAIRS", 3)):
        monkeypatch.setattr(faceswap_truth, name, size)
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    folder = trained_twice(FaceSwap, tmp_path)
    assert torch.equal(before, torch.random.get_rng_state())
    assert FaceSwap.fit({}, seed=2).card["sha256"] != FaceSwap.read(folder).card["sha256"]


def test_a_dose_needs_the_clean_weights() -> None:
    for base in (None, shipped(forgery=1.0)):
        with pytest.raises(ConfigurationError, match="clean"):
            FaceSwap.fit({"forgery": 1.0}, seed=0, base=base)
