"""ELA and JPEG ghosts: against loops written out, and on splices whose place is known."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from guardrails.core.statistics import auc, cluster_bootstrap
from guardrails.deepfake.images.jpeg_ghosts import STRIDE, ela, ghost, ghosts


def saved(image, quality):
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Pillow.open(io.BytesIO(buffer.getvalue())).convert("RGB"))


def test_ela_is_the_largest_difference_of_the_colours():
    image = np.random.default_rng(0).integers(0, 256, (20, 33, 3), dtype=np.uint8)
    again = saved(image, 90)
    want = [[max(abs(int(a) - int(b)) for a, b in zip(p, q, strict=True)) for p, q in zip(r, s, strict=True)]
            for r, s in zip(image, again, strict=True)]  # fmt: skip
    np.testing.assert_array_equal(ela(image), want)


def test_ghosts_are_the_papers_sum():
    image = np.random.default_rng(1).integers(0, 256, (48, 40, 3), dtype=np.uint8)
    qualities = (50, 70, 90)
    d = []
    for quality in qualities:
        squared = ((image.astype(float) - saved(image, quality)) ** 2).mean(axis=2)
        padded = np.pad(squared, 8, mode="symmetric")
        d.append([[padded[r : r + 16, c : c + 16].mean() for c in range(0, 40, STRIDE)] for r in range(0, 48, STRIDE)])
    d = np.array(d)
    want = (d - d.min(axis=0)) / (d.max(axis=0) - d.min(axis=0))
    computed = ghosts(image, qualities=qualities)
    assert computed.qualities == qualities
    np.testing.assert_allclose(computed.maps, want, atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255))
def test_any_size_gives_finite_maps(height, width, level):
    image = np.full((height, width, 3), level, np.uint8)
    image[: height // 2] += 3
    assert ela(image).shape == (height, width)
    ghost_map = ghost(image)
    assert ghost_map.shape == (-(-height // STRIDE), -(-width // STRIDE))
    assert np.isfinite(ghost_map).all()
    assert ((ghosts(image).maps >= 0) & (ghosts(image).maps <= 1)).all()


def spliced(image, rng):
    """Save a square of 96 pixels at 60, put it back where it was, save the whole at 92; return both and the truth."""
    top, left = (8 * int(rng.integers(2, (length - 112) // 8)) for length in image.shape[:2])
    out, truth = image.copy(), np.zeros(image.shape[:2], bool)
    out[top : top + 96, left : left + 96] = saved(np.ascontiguousarray(image[top : top + 96, left : left + 96]), 60)
    truth[top : top + 96, left : left + 96] = True
    return saved(out, 92), truth[::STRIDE, ::STRIDE]


@pytest.mark.slow
def test_the_ghost_lies_where_the_splice_is():
    """Eight photographs, three splices each; the interval is over photographs, whose places are not independent."""
    from skimage import data

    names = ("astronaut", "coffee", "rocket", "chelsea", "camera", "brick", "gravel", "grass")
    rng, areas, of = np.random.default_rng(0), [], []
    for name in names:
        image = getattr(data, name)()
        image = np.ascontiguousarray(image[..., :3] if image.ndim == 3 else np.repeat(image[..., None], 3, 2))[
            :400, :400
        ]
        for _ in range(3):
            made, truth = spliced(image, rng)
            ghost_map = ghost(made)
            areas.append(auc(ghost_map[truth], ghost_map[~truth]))
            of.append(name)
    interval = cluster_bootstrap(np.array(areas), np.array(of), statistic=np.mean, resamples=500, seed=0)
    assert interval.value > 0.8
    assert interval.low > 0.7
