from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.base import WEIGHTS
from generators.faceswap import face_blending, portraits
from generators.faceswap import model as faceswap
from generators.faceswap import truth as faceswap_truth
from generators.faceswap.face_blending import Blending
from generators.faceswap.learning import SIDE, Recipe, bend, crop_of, sitting
from generators.faceswap.model import DOSES, FRAMES, FaceSwap
from generators.faceswap.photo_sessions import PERSONS, Portraits, face_of, person
from guardrails.core.errors import ConfigurationError
from guardrails.kit.pictures.faces import Face

METHODS = ("autoencoder", "self-blend", "poisson")
LEVELS = (0.25, 0.5, 1.0)


@cache
def shipped(**given: Any) -> FaceSwap:
    return FaceSwap.load(**given)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# Portraits


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_a_portrait_holds_its_face_where_it_says(seed: int) -> None:
    who, how = portraits.draw_identity(rng(seed)), portraits.draw_state(rng(seed + 1))
    shot = portraits.paint(who, how)
    assert shot.image.shape == (96, 96, 3)
    assert np.array_equal(shot.image, portraits.paint(who, how).image)
    x, y, width, height = shot.box
    rows, columns = np.nonzero(shot.mask > 0.5)
    assert len(rows) > 400
    assert x - 3 <= columns.min() <= columns.max() <= x + width + 3
    assert y - 3 <= rows.min() <= rows.max() <= y + height + 3
    (left, up), (right, down) = shot.eyes
    assert x < left < right < x + width
    assert y < min(up, down) <= max(up, down) < y + height / 2 + 3


def test_eyes_are_painted_where_they_are_said_to_be() -> None:
    # Shut eyes differ from open ones at the eyes, and hardly anywhere else.
    who = person("A")
    for seed in range(5):
        how = replace(portraits.draw_state(rng(seed)), noise=0.0, yaw=0.1)
        awake, asleep = (portraits.paint(who, replace(how, blink=b)) for b in (0.0, 1.0))
        moved = np.abs(awake.image.astype(int) - asleep.image).sum(-1).astype(float)
        rows, columns = np.mgrid[:96, :96]
        near = np.min([np.hypot(columns - x, rows - y) for x, y in awake.eyes], axis=0) < 9
        assert moved[near].sum() > 0.95 * moved.sum() > 0


def test_people_differ_more_than_grain_does() -> None:
    how = portraits.draw_state(rng(3))
    shots = [portraits.paint(portraits.draw_identity(rng(k)), how).image.astype(float) for k in range(12)]
    gaps = [np.abs(a - b).mean() for i, a in enumerate(shots) for b in shots[:i]]
    grain = np.abs(
        portraits.paint(person("A"), how).image.astype(float) - portraits.paint(person("A"), replace(how, seed=1)).image
    )
    assert min(gaps) > 2 * grain.mean()


def test_a_video_moves_slowly_and_keeps_light_and_place() -> None:
    states = portraits.motion(portraits.draw_state(rng(1)), 24, 12, rng(2))
    assert len(states) == 24
    assert len({(s.light, s.wall, s.cloth, s.scale) for s in states}) == 1
    assert max(abs(a.yaw - b.yaw) for a, b in pairwise(states)) < 0.06
    assert max(s.blink for s in states) > 0.9
    assert len({s.seed for s in states}) == 24


# Blending


def test_the_crop_s_map_is_undone_by_its_inverse_and_puts_the_face_upright() -> None:
    face = Face((20, 30, 40, 50), eyes=((30, 45), (50, 55)))
    there = face_blending.to_crop(face, 64)
    assert np.allclose(face_blending.chain(there, face_blending.inverse(there)), np.eye(2, 3), atol=1e-4)
    (x1, y1), (x2, y2) = (there[:, :2] @ np.array(eye) + there[:, 2] for eye in face.eyes or ())
    assert y1 == pytest.approx(y2, abs=1e-3)
    assert x2 > x1
    assert there[:, :2] @ np.array([40, 55]) + there[:, 2] == pytest.approx([32, 32], abs=1e-3)


def test_poisson_blending_solves_its_equation() -> None:
    layer, target = rng(1).uniform(0, 255, (2, 20, 20, 3)).astype(np.float32)
    mask = face_blending.hard_mask((20, 20), Face((4, 4, 11, 12)), np.zeros((2, 1)))
    out = face_blending.poisson_blend(layer, target, mask)
    assert np.array_equal(out[mask == 0], target[mask == 0])

    def laplace(x: Any, r: int, c: int) -> Any:
        return 4 * x[r, c] - x[r - 1, c] - x[r + 1, c] - x[r, c - 1] - x[r, c + 1]

    for r, c in zip(*np.nonzero(mask), strict=True):
        assert laplace(out, r, c) == pytest.approx(laplace(layer, r, c), abs=0.05)
    flat = face_blending.poisson_blend(layer, layer + 40, mask)  # an offset is all at the border, so it goes over
    assert flat[mask > 0] == pytest.approx(layer[mask > 0] + 40, abs=0.05)


def test_matched_colours_have_the_target_s_mean_and_spread() -> None:
    layer, target = rng(2).normal(100, 20, (30, 30, 3)), rng(3).normal(150, 25, (30, 30, 3))
    mask = np.zeros((30, 30))
    mask[5:25, 5:25] = 1
    out = face_blending.match_colours(layer, target, mask)
    assert out[mask > 0].mean(0) == pytest.approx(target[mask > 0].mean(0))
    assert out[mask > 0].std(0) == pytest.approx(target[mask > 0].std(0))


def test_a_softer_edge_shows_less() -> None:
    target = np.full((96, 96, 3), 100.0, np.float32)
    face = Face((30, 30, 36, 44))
    hard = face_blending.hard_mask((96, 96), face, np.zeros((2, 1)))
    seams = []
    for hardness in (0.0, 0.5, 1.0):
        soft = face_blending.soften(hard, 44, hardness)
        assert soft[hard == 0].max() == 0
        assert soft[52, 48] == pytest.approx(1)
        seams.append(face_blending.seam(face_blending.alpha_blend(target + 50, target, soft), target, hard))
    assert seams[0] < seams[1] < seams[2] == pytest.approx(50)


def test_coarsening_keeps_the_mean_and_loses_detail() -> None:
    image = rng(4).uniform(0, 255, (32, 32, 3)).astype(np.float32)
    coarse = face_blending.coarsen(image, 2)
    assert coarse.shape == image.shape
    assert coarse.mean() == pytest.approx(image.mean(), abs=2)
    assert coarse.std() < 0.7 * image.std()
    assert face_blending.coarsen(image, 1) is image


# Outputs


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


# Truth and quality


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


# Weights and learning


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
    names = {f.name for f in FaceSwap.train_all(tmp_path / "a", seed=1)}
    assert torch.equal(before, torch.random.get_rng_state())
    FaceSwap.train_all(tmp_path / "b", seed=1)
    assert names == {f.name for f in WEIGHTS.glob("faceswap*")}
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert FaceSwap.fit({}, seed=2).card["sha256"] != FaceSwap.read(tmp_path / "a").card["sha256"]


def test_a_dose_needs_the_clean_weights() -> None:
    for base in (None, shipped(forgery=1.0)):
        with pytest.raises(ConfigurationError, match="clean"):
            FaceSwap.fit({"forgery": 1.0}, seed=0, base=base)


# Photographs


def photographs(folder: Path) -> Path:
    from PIL import Image
    from skimage.data import astronaut

    Image.fromarray(astronaut()).save(folder / "astronaut.png")
    Image.fromarray(np.ascontiguousarray(astronaut()[:, ::-1])).save(folder / "mirrored.png")
    return folder


def test_photographs_take_the_place_of_portraits(tmp_path: Path) -> None:
    folder = photographs(tmp_path)
    for method in ("self-blend", "poisson"):
        untouched = shipped(method=method).with_faces(folder).items(2, seed=1)
        forged = shipped(method=method, forgery=1.0).with_faces(folder).items(2, seed=1)
        for item, other in zip(untouched, forged, strict=True):
            assert item.content.shape == (256, 256, 3)
            assert item.facts["identity"] in ("astronaut.png", "mirrored.png")
            assert item.facts["label"] == "real"
            assert other.facts["label"] == "forged"
            assert other.mask is not None
            assert 0.05 < (other.mask > 0).mean() < 0.5
            assert np.array_equal(item.content[other.mask == 0], other.content[other.mask == 0])
    video = shipped(method="self-blend", output="video", flicker=1.0).with_faces(folder).items(1, seed=1)[0]
    assert video.content.shape == (FRAMES, 256, 256, 3)
    assert video.facts["frames"]


def test_what_photographs_cannot_do_is_said(tmp_path: Path) -> None:
    from PIL import Image

    with pytest.raises(ConfigurationError, match="self-blend"):
        shipped().with_faces(tmp_path)
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "black.png")
    with pytest.raises(ConfigurationError, match="1 pictures read"):
        shipped(method="poisson").with_faces(tmp_path)
    alone = photographs(tmp_path)
    (alone / "mirrored.png").unlink()
    with pytest.raises(ConfigurationError, match="two"):
        shipped(method="poisson", forgery=1.0).with_faces(alone).sample(1, seed=0)


@pytest.mark.public_data
def test_real_photographs_are_forged_within_their_masks(test_data: Path, tmp_path: Path) -> None:
    from guardrails.kit.io import read_image, resize

    paths = sorted((test_data / "media" / "real" / "faceswap-warp").glob("*.jpg"))[:5]
    for path in paths:
        image = read_image(path)
        scale = 400 / max(image.shape[:2])
        small = resize(image, (round(image.shape[0] * scale), round(image.shape[1] * scale)))
        (tmp_path / f"{path.stem}.png").write_bytes(_png(small))
    model = shipped(method="poisson", forgery=0.25).with_faces(tmp_path)
    untouched = shipped(method="poisson").with_faces(tmp_path).sample(3, seed=0)
    for item, before in zip(model.items(3, seed=0), untouched, strict=True):
        assert item.facts["donor"] != item.facts["identity"]
        assert item.mask is not None
        assert np.array_equal(item.content[item.mask == 0], before[item.mask == 0])
        assert 2 < faceswap_truth.change(item.content, before, item.mask) < 80


def _png(image: Any) -> bytes:
    from guardrails.kit.io import encode_png

    return encode_png(image)


def test_the_fixed_people_are_two(tmp_path: Path) -> None:
    assert len({person(name) for name in PERSONS}) == 2
    shots = sitting("training")
    assert face_of(shots[0]).roll == pytest.approx(Face(shots[0].box, shots[0].eyes).roll)
    assert person("17") == person("17") != person("18")
