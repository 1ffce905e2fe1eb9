"""The content descriptor: what it must ignore and what it must see."""

import numpy as np
import pytest

from guardrails.kit.pictures.features import image_features, to_square


def stripes(angle, colour, seed, size=48):
    """A picture in a 'style': stripes of one direction and colour at a random phase and period."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    wave = np.sin(2 * np.pi * (rng.uniform(4, 5) * (x * np.cos(angle) + y * np.sin(angle)) + rng.random()))
    picture = 0.5 + 0.4 * wave[..., None] * np.asarray(colour) + rng.normal(0, 0.02, (size, size, 3))
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def test_uint8_and_float_pictures_are_described_alike():
    picture = stripes(0.3, (1, 0, 0), 0)
    assert np.array_equal(image_features([picture]), image_features([picture / 255.0]))
    assert np.array_equal(image_features([picture]), image_features([(picture / 255).astype(np.float32)]))


def test_grey_pictures_are_described_as_their_rgb_copies():
    grey = stripes(0.3, (1, 1, 1), 0)[..., 0]
    assert np.array_equal(image_features([grey]), image_features([np.repeat(grey[..., None], 3, axis=2)]))


def test_each_row_depends_on_its_picture_alone():
    pictures = [stripes(0.1 * i, (1, 0.2, 0), i) for i in range(5)]
    together = image_features(pictures)
    alone = np.concatenate([image_features([p]) for p in pictures])
    assert np.allclose(together, alone, atol=1e-12)
    assert together.dtype == np.float64
    assert np.isfinite(together).all()


def test_resolution_matters_little():
    small, large = stripes(0.3, (1, 1, 1), 0, size=64), stripes(0.3, (1, 1, 1), 0, size=192)
    other = stripes(1.2, (1, 1, 1), 0, size=64)
    a, b, c = image_features([small, large, other])
    assert np.linalg.norm(a - b) < 0.5 * np.linalg.norm(a - c)


def test_grain_and_blur_move_a_picture_less_than_another_phase_of_its_style():
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    picture, other = stripes(0.3, (1, 0.5, 0), 0), stripes(0.3, (1, 0.5, 0), 1)
    grainy = np.clip(picture + rng.normal(0, 20, picture.shape), 0, 255).astype(np.uint8)
    blurred = gaussian_filter(picture.astype(float), (1, 1, 0)).astype(np.uint8)
    a, b, c, d = image_features([picture, other, grainy, blurred])
    assert np.linalg.norm(a - c) < 0.5 * np.linalg.norm(a - b)
    assert np.linalg.norm(a - d) < 0.5 * np.linalg.norm(a - b)


def test_no_pictures_give_no_rows():
    assert image_features([]).shape == image_features([np.zeros((8, 8), np.uint8)])[:0].shape


def test_arrays_that_are_no_pictures_are_refused():
    with pytest.raises(ValueError, match="a picture is"):
        to_square(np.zeros((8, 8, 7), np.uint8), 16)
