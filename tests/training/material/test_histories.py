"""Draws of what happens to pictures: alike for both classes, never larger than asked, and the same for a seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.training.material import histories


def picture(height, width, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), dtype=np.uint8))[:height, :width]


@pytest.mark.parametrize("draw", ["once", "again", "varied"])
@settings(max_examples=10, deadline=None)
@given(height=st.integers(1, 400), width=st.integers(1, 400), seed=st.integers(0, 2**32 - 1))
def test_a_draw_is_square_and_the_same_for_a_seed(draw, height, width, seed):
    image = picture(height, width)
    first, second = (histories.DRAWS[draw](image, np.random.default_rng(seed)) for _ in range(2))
    assert first.dtype == np.uint8
    assert first.shape[0] == first.shape[1]
    assert first.shape[2] == 3
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("draw", ["once", "again"])
def test_nothing_is_enlarged(draw):
    for seed in range(20):
        assert len(histories.DRAWS[draw](picture(100, 150), np.random.default_rng(seed))) <= 100


@pytest.mark.slow
def test_sizes_of_large_pictures_come_from_one_range_whatever_theirs():
    sides = [
        {len(histories.once(picture(side, side), np.random.default_rng(seed))) for seed in range(25)}
        for side in (900, 1800)
    ]
    assert sides[0] == sides[1]
    assert min(sides[0]) >= 160
    assert max(sides[0]) <= 640


def test_again_is_smaller_than_once():
    image = picture(500, 500)
    once, again = (
        [len(histories.DRAWS[draw](image, np.random.default_rng(seed))) for seed in range(20)]
        for draw in ("once", "again")
    )
    ratio = np.array(again) / np.array(once)
    assert (ratio <= 0.91).all()
    assert (ratio >= 0.49).all()


def test_untouched_is_the_file_as_it_is():
    image = picture(30, 50)
    np.testing.assert_array_equal(histories.untouched(image, np.random.default_rng(0)), image)


@pytest.mark.parametrize("kind", histories.FORMATS)
def test_every_format_can_be_saved(kind):
    image = picture(64, 64)
    after = histories.saved(image, kind, 80)
    assert after.shape == image.shape
    assert (np.array_equal(after, image)) == (kind == "PNG")
