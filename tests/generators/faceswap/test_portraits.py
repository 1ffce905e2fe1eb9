"""Portraits of people who do not exist, and the blending of a face into a picture."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.faceswap import face_blending, portraits
from generators.faceswap.face_sources import PERSONS, face_of, person
from generators.faceswap.learning import fixed_portraits
from guardrails.kit.pictures.faces import Face


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


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


@pytest.mark.slow
def test_the_fixed_people_are_two(tmp_path: Path) -> None:
    assert len({person(name) for name in PERSONS}) == 2
    shots = fixed_portraits("training")
    assert face_of(shots[0]).roll == pytest.approx(Face(shots[0].box, shots[0].eyes).roll)
    assert person("17") == person("17") != person("18")
