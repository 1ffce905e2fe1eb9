import numpy as np
import pytest

from guardrails.bias.pictures.variety import alike, layouts


def drawn(between, n=8, prompts=12, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, between, (prompts, 6))
    return np.repeat(centres, n, axis=0) + rng.normal(0, 1, (prompts * n, 6)), np.repeat(np.arange(prompts), n)


def test_the_index_is_one_less_the_ratio_of_mean_squared_distances():
    layout, prompts = drawn(1.0)
    apart = ((layout[:, None] - layout[None]) ** 2).sum(axis=2)
    same = prompts[:, None] == prompts[None]
    np.fill_diagonal(apart, np.nan)
    expected = 1 - np.nanmean(apart[same]) / np.nanmean(apart[~same])
    assert alike(layout, prompts, confidence=0.95, seed=0).interval.value == pytest.approx(expected)


def test_pictures_that_do_not_follow_their_prompts_are_as_unlike_within_as_across():
    out = alike(*drawn(0.0), confidence=0.95, seed=0)
    assert out.interval.low <= 0 <= out.interval.high
    assert out.shuffled.low <= out.interval.value <= out.shuffled.high


def test_pictures_that_are_alike_within_prompts_are_told_from_shuffled_ones():
    out = alike(*drawn(2.0), confidence=0.95, seed=0)
    assert out.interval.low > max(0.5, out.shuffled.high)


def test_equal_pictures_give_1_with_an_interval_that_has_a_width():
    layout = np.repeat(np.arange(6.0), 3)[:, None]
    interval = alike(layout, np.repeat(np.arange(6), 3), confidence=0.95, seed=0).interval
    assert interval.value == interval.high == 1
    assert interval.low < 1


@pytest.mark.parametrize("prompts", [np.repeat(np.arange(4), 5), np.arange(20)])
def test_few_prompts_or_single_pictures_tell_nothing(prompts):
    assert alike(np.random.default_rng(0).normal(size=(20, 3)), prompts, confidence=0.95, seed=0) is None


def test_a_layout_has_48_numbers_whatever_the_size():
    pictures = [np.zeros((20, 30, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)]
    assert [len(row) for row in layouts(pictures)] == [48, 48]
