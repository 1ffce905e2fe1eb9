"""Traces: the same for the same pixels, there for what they are made for, and blind to what they must not see."""

import numpy as np
import pytest

from guardrails.deepfake.images.traces import BLOCKS, TILE, WIDTH, _recompressed, common_size, tiles, traces


def noise(shape=(64, 64, 3), seed=0):
    from scipy.ndimage import gaussian_filter

    raw = np.random.default_rng(seed).normal(size=shape)
    smooth = gaussian_filter(raw, (1, 1, 0) if len(shape) == 3 else 1)
    return np.clip(128 + 120 * smooth, 0, 255).astype(np.uint8)


def block(vector, name):
    ends = dict(zip(BLOCKS, np.cumsum(list(BLOCKS.values())), strict=True))
    return vector[ends[name] - BLOCKS[name] : ends[name]]


@pytest.mark.parametrize("shape", [(32, 32, 3), (64, 64), (20, 30, 3), (500, 300, 3)])
def test_pictures_of_any_size_have_traces(shape):
    vector = traces(noise(shape))
    assert vector.shape == (WIDTH,)
    assert np.isfinite(vector).all()


def test_flat_pictures_have_finite_traces():
    assert np.isfinite(traces(np.zeros((40, 40, 3), np.uint8))).all()


def test_uint8_float_and_grey_pictures_give_the_same_traces():
    picture = noise((64, 64))
    assert np.array_equal(traces(picture), traces(picture / 255.0))
    assert np.array_equal(traces(picture), traces(np.repeat(picture[..., None], 3, axis=2)))


def test_residual_neighbours_are_blind_to_the_sign_of_the_picture():
    """255 − x has the residuals of x with the other sign; recompression moves them a little."""
    picture = noise((64, 64))
    a, b = (block(traces(p), "residual neighbours") for p in (picture, 255 - picture))
    assert np.abs(a - b).max() < 0.05


def test_residual_neighbours_are_a_distribution_over_classes():
    squares = block(traces(noise()), "residual neighbours").reshape(3, 9) ** 2
    # Nine classes of 25 cells: of 4, 2 or 1 cell each.
    cells = np.array(
        [len({(a, b), (b, a), (4 - a, 4 - b), (4 - b, 4 - a)}) for a in range(5) for b in range(a, 5) if a + b <= 4]
    )
    assert cells.sum() == 25
    assert np.allclose((squares * cells).sum(axis=1), 1)


def test_upsampling_by_two_shows_at_one_phase_only():
    small = noise((32, 32, 3))
    doubled = np.repeat(np.repeat(small, 2, axis=0), 2, axis=1)
    plain, up = (block(traces(p), "upsampling").reshape(3, 4) for p in (noise(), doubled))
    low, high = 1, 2
    assert up[high, 0] > up[low, 0] + 0.1
    assert plain[high, 0] - plain[low, 0] < 0.02


def test_upsampling_is_found_wherever_the_grid_begins():
    small = noise((40, 40, 3))
    doubled = np.repeat(np.repeat(small, 2, axis=0), 2, axis=1)
    a, b = (block(traces(doubled[o : o + 64, o : o + 64]), "upsampling").reshape(3, 4) for o in (0, 1))
    assert np.abs(a[2, 0] - b[2, 0]) < 0.1


def test_tiles_come_from_the_middle_at_the_pictures_own_resolution():
    picture = np.arange(100 * 300 * 3).reshape(100, 300, 3).astype(np.uint8)
    cut = tiles(picture)
    assert len(cut) == 3 * 4
    assert np.array_equal(cut[0], picture[2 : 2 + TILE, 86 : 86 + TILE])


def test_the_pipeline_takes_most_of_the_trace_of_format_away(monkeypatch):
    """Saved as the pipeline saves, a picture has nearly the traces of the original; without the pipeline it has not."""
    pictures = [noise((32, 32, 3), seed=s) for s in range(10)]

    def moved():
        return np.mean([np.abs(traces(p) - traces(saved)).mean() for p, saved in zip(pictures, stored, strict=True)])

    stored = [_recompressed(p) for p in pictures]
    through = moved()
    monkeypatch.setattr("guardrails.deepfake.images.traces._recompressed", lambda tile: tile)
    assert through < 0.3 * moved()


def test_common_size_cuts_the_middle_and_leaves_pixels_alone_where_it_can():
    picture = noise((40, 60, 3))
    assert np.array_equal(common_size(picture, 40), picture[:, 10:50])
    assert common_size(picture, 32).shape == (32, 32, 3)
    assert common_size(noise((9, 9)), 32).shape == (32, 32)


@pytest.mark.parametrize("shape", [(5,), (8, 8, 4), (0, 8, 3)])
def test_arrays_that_are_no_pictures_are_refused(shape):
    with pytest.raises(ValueError, match="a picture is"):
        traces(np.zeros(shape, np.uint8))
