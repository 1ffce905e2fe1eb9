"""The descriptors: each against a literal computation, what they ignore and what they see."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.deepfake.images.descriptors import (
    BLOCK,
    DESCRIPTORS,
    MAX_TILES,
    RINGS,
    TILE,
    blocks,
    colour,
    described,
    radial,
    residuals,
    tiles_of,
    upsampling,
)


def noise(seed, height=TILE, width=TILE):
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    coarse = gaussian_filter(rng.normal(size=(height, width, 3)), (4, 4, 0)) * 300
    return np.clip(128 + coarse + rng.normal(0, 3, coarse.shape), 0, 255).astype(np.uint8)


@given(st.integers(1, 400), st.integers(1, 400))
def test_tiles_have_one_size_and_are_few(height, width):
    tiles = tiles_of(np.zeros((height, width, 3), np.uint8))
    assert tiles.shape[1:] == (TILE, TILE, 3)
    assert 1 <= len(tiles) <= MAX_TILES


def test_tiles_are_cut_from_the_picture_as_it_is_and_reach_its_corners():
    picture = noise(0, 300, 500)
    tiles = tiles_of(picture)
    assert len(tiles) == MAX_TILES
    assert np.array_equal(tiles[0], picture[:TILE, :TILE])
    assert np.array_equal(tiles[-1], picture[-TILE:, -TILE:])


def test_a_picture_smaller_than_a_tile_is_mirrored_and_not_enlarged():
    picture = noise(0, 40, 40)
    tile = tiles_of(picture)[0]
    assert np.array_equal(tile[:40, :40], picture)
    assert np.array_equal(tile[40:, :40], picture[:15:-1])


@pytest.mark.parametrize("picture", [np.zeros((1, 1, 3), np.uint8), np.full((70, 64, 3), 255, np.uint8), noise(1)])
def test_every_number_is_finite_and_lengths_never_change(picture):
    lengths = {name: len(vector) for name, vector in described(noise(0, 200, 130)).items()}
    for name, vector in described(picture).items():
        assert vector.dtype == np.float32
        assert np.isfinite(vector).all()
        assert len(vector) == lengths[name]


def test_the_spectrum_shows_a_wave_in_its_ring():
    wave = 128 + 40 * np.sin(2 * np.pi * 0.25 * np.arange(TILE))
    tiles = np.broadcast_to(wave[None, None, :, None], (1, TILE, TILE, 3)).astype(np.float32)
    assert abs(int(np.argmax(radial(tiles))) - RINGS // 2) <= 1


def test_blocks_agree_with_a_literal_transform():
    tiles = tiles_of(noise(2))
    k = np.arange(BLOCK)
    basis = np.sqrt(2 / BLOCK) * np.cos(np.pi * (k[None] + 0.5) * k[:, None] / BLOCK)
    basis[0] /= np.sqrt(2)
    light, total = tiles.mean(axis=3)[0], np.zeros((BLOCK, BLOCK))
    for r in range(0, TILE, BLOCK):
        for c in range(0, TILE, BLOCK):
            total += np.log1p(np.abs(basis @ light[r : r + BLOCK, c : c + BLOCK] @ basis.T))
    expected = (total / (TILE // BLOCK) ** 2).ravel()
    assert np.allclose(blocks(tiles), expected - expected.mean(), atol=1e-4)


def test_residuals_agree_with_patterns_counted_one_by_one():
    tiles = tiles_of(noise(3))
    light = tiles.mean(axis=3, dtype=np.float32)[0]  # as weights were learnt: thirds decide how halves are rounded
    counts = Counter()
    for grid in (light, light.T):
        for row in np.clip(np.rint(np.diff(grid, axis=1) / 2), -2, 2).astype(int):
            for i in range(len(row) - 3):
                pattern = tuple(int(x) for x in row[i : i + 4])
                negative = tuple(-x for x in pattern)
                counts[min(pattern, pattern[::-1], negative, negative[::-1])] += 1
    bins = sorted({min(p, p[::-1], n, n[::-1]) for p in np.ndindex(5, 5, 5, 5) for n in [tuple(4 - x for x in p)]})
    expected = [np.sqrt(counts[tuple(x - 2 for x in key)] / counts.total()) for key in bins]
    descriptor = residuals(tiles)
    assert len(descriptor) == 4 * len(bins) == 4 * 169
    assert np.allclose(descriptor[:169], expected, atol=1e-6)


def test_residuals_ignore_a_negative_and_a_turn():
    tiles = tiles_of(np.repeat(noise(4)[..., :1], 3, axis=2))  # grey: halves are rounded alike on both sides
    for other in (255 - tiles, tiles[:, ::-1, ::-1], tiles.transpose(0, 2, 1, 3)):
        assert np.allclose(residuals(tiles), residuals(np.ascontiguousarray(other)), atol=1e-6)


def test_upsampling_is_seen_at_any_phase():
    picture = noise(5, TILE + 2, TILE + 2)
    twice = np.repeat(np.repeat(picture[::2, ::2], 2, axis=0), 2, axis=1)
    plain, here, shifted = (
        upsampling(tiles_of(p)) for p in (picture, twice[:TILE, :TILE], twice[1:, 1:][:TILE, :TILE])
    )
    assert np.abs(here - plain).max() > 1
    assert np.abs(here - shifted).max() < 0.2 * np.abs(here - plain).max()


def test_colour_sees_channels_that_vary_together():
    grey = np.repeat(noise(6)[..., :1], 3, axis=2)
    off_diagonal = [1, 2, 3, 4, 5, 7, 8, 9, 10, 11]
    assert colour(tiles_of(grey))[off_diagonal].max() == 0
    assert colour(tiles_of(noise(6)))[off_diagonal].max() > 0.05


def test_they_tell_a_blurred_picture_from_itself():
    from scipy.ndimage import gaussian_filter

    for name, describe in DESCRIPTORS.items():
        pairs = [(noise(s), gaussian_filter(noise(s), (0.7, 0.7, 0))) for s in range(12)]
        x = np.array([[describe(tiles_of(p)) for p in pair] for pair in pairs], dtype=float)
        fit, unseen = x[:6], x[6:]
        direction = (fit[:, 1] - fit[:, 0]).mean(axis=0)
        assert ((unseen[:, 1] - unseen[:, 0]) @ direction > 0).all(), name


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 9))
def test_tiles_of_small_pictures_are_those_of_the_picture_mirrored_out(height: int, width: int, seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    beyond = [(0, max(0, TILE - height)), (0, max(0, TILE - width)), (0, 0)]
    mirrored = np.pad(picture, beyond, mode="symmetric")
    assert np.array_equal(tiles_of(picture), tiles_of(mirrored))


def test_a_narrow_picture_is_not_mirrored_out_as_a_whole() -> None:
    """Ten million pixels a side have 30 MB; mirrored out to 64 they would have two gigabytes."""
    import tracemalloc

    picture = np.zeros((1, 10_000_000, 3), np.uint8)
    tracemalloc.start()
    tiles = tiles_of(picture)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert tiles.shape == (4, TILE, TILE, 3)
    assert peak < 10_000_000
