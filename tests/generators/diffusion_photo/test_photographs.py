"""The pictures that `diffusion-photo` learns from: patches of photographs, and textures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from generators.diffusion_photo import photographs
from generators.diffusion_photo import truth as diffusion_truth
from generators.diffusion_photo.photographs import to_bytes, to_signed

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=8, deadline=None)
@given(seed=seeds, n=st.integers(0, 12))
def test_the_law_gives_colour_pictures_that_are_not_flat(seed: int, n: int) -> None:
    images = photographs.draw(n, np.random.default_rng(seed))
    assert images.shape == (n, 32, 32, 3)
    assert images.dtype == np.uint8
    assert not photographs.is_flat(images).any()
    assert np.array_equal(images, photographs.draw(n, np.random.default_rng(seed)))
    assert len({x.tobytes() for x in images}) == n


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_a_patch_is_a_part_of_a_photograph_under_one_light(seed: int) -> None:
    # Whatever the gain, the red of a patch is in proportion to the averaged red of some square of some photograph.
    red = photographs.patches(1, np.random.default_rng(seed))[0][..., 0]
    assume(red.max() < 255 and red.std() > 5)  # what is clipped is in no proportion, and flat ones are like any other
    assert any(_fits(red, name, scale) for name in photographs.PHOTOGRAPHS for scale in photographs.SCALES)


def _fits(red: np.ndarray, name: str, scale: int) -> bool:
    """Search every square of a photograph by the correlation of its red."""
    import cv2

    pixels = np.ascontiguousarray(photographs.photograph(name)[..., 0]).astype(np.float32)
    averaged = cv2.blur(pixels, (scale, scale), anchor=(0, 0), borderType=cv2.BORDER_REFLECT)
    phases = [np.ascontiguousarray(averaged[y::scale, x::scale]) for y in range(scale) for x in range(scale)]
    templates = [np.ascontiguousarray(side).astype(np.float32) for side in (red, red[:, ::-1])]
    return any(cv2.matchTemplate(p, t, cv2.TM_CCOEFF_NORMED).max() > 0.995 for p in phases for t in templates)


def test_photographs_that_are_reserved_or_show_somebody_are_not_learnt_from() -> None:
    assert set(photographs.PHOTOGRAPHS).isdisjoint({*photographs.RESERVED, "astronaut", "camera"})
    for name in photographs.PHOTOGRAPHS:
        pixels = photographs.photograph(name)
        assert pixels.shape[2] == 3
        assert min(pixels.shape[:2]) >= photographs.SIDE * max(photographs.SCALES)


def test_textures_have_about_the_slope_and_the_sparse_edges_of_the_photographs() -> None:
    images = photographs.textures(400, np.random.default_rng(0))
    photographed = photographs.patches(400, np.random.default_rng(0))
    assert abs(diffusion_truth.spectral_slope(images) - diffusion_truth.spectral_slope(photographed)) < 0.8
    assert diffusion_truth.edges(images) < 0.7  # √(2/π) = 0.8 where the law is Gaussian
    assert 0.2 < images.mean() / 255 < 0.7


def test_half_of_the_pictures_are_photographs_and_passes_say_how_often_a_pixel_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = np.tile(np.arange(32, dtype=np.uint8)[:, None] * 8, (32, 1, 3))
    monkeypatch.setattr(photographs, "patches", lambda n, rng: np.tile(known, (n, 1, 1, 1)))
    images = photographs.draw(600, np.random.default_rng(0))
    assert np.mean([np.array_equal(x, known) for x in images]) == pytest.approx(photographs.SHARE, abs=0.09)
    pixels = sum(np.prod(photographs.photograph(name).shape[:2]) for name in photographs.PHOTOGRAPHS)
    assert photographs.passes(1000) == pytest.approx(500 * 1024 * (1 + 4 + 9) / 3 / pixels)


def test_bytes_and_signed_values_are_each_other_s_inverse() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    assert np.array_equal(to_bytes(to_signed(images)), images)
    assert to_signed(list(images)).shape == (2, 3, 32, 32)
    assert to_signed([]).shape == (0, 3, 32, 32)
