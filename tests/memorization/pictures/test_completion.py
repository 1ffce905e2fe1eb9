"""Ways to complete a picture: each against its literal definition, and none sees what is hidden."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.memorization.pictures.completion import (
    Completion,
    best,
    by_autoencoder,
    by_diffusion,
    by_nearest,
    by_outputs,
    errors,
    hidden,
)

from ..hidden_halves import CORPUS_SEED, BestDenoiser, ByHeart, scenes


def test_the_error_is_that_of_the_literal_definition():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 4, 6, 3)), rng.random((2, 4, 6, 3))
    where = rng.random((2, 4, 6)) < 0.5
    for error, x, y, mask in zip(errors(a, b, where), a, b, where, strict=True):
        squares = [(x[i, j, c] - y[i, j, c]) ** 2 for i in range(4) for j in range(6) for c in range(3) if mask[i, j]]
        assert error == pytest.approx(np.sqrt(np.mean(squares)))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10_000))
def test_the_nearest_on_the_visible_part_are_those_of_a_slow_search(k, seed):
    rng = np.random.default_rng(seed)
    pictures, others = rng.random((3, 4, 4, 3)), rng.random((5, 4, 4, 3))
    masks = np.stack([hidden((4, 4), half) for half in ("left", "right", "left")])
    completions = by_nearest(pictures, masks, others, k, left_out=[-1, 2, -1])
    for i, (picture, mask) in enumerate(zip(pictures, masks, strict=True)):
        free = [j for j in range(5) if not (i == 1 and j == 2 and k < 5)]
        order = sorted(free, key=lambda j: ((others[j] - picture)[~mask] ** 2).sum())
        assert completions[i] == pytest.approx(others[order[:k]].mean(axis=0))


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 40), st.integers(2, 40))
def test_the_halves_are_equal_and_do_not_meet(height, width):
    left, right = hidden((height, width), "left"), hidden((height, width), "right")
    assert left.sum() == right.sum() == height * (width // 2)
    assert not (left & right).any()
    assert (left == right[:, ::-1]).all()


def test_the_completion_that_fits_the_visible_part_is_kept_whatever_the_hidden_one_is():
    pictures = np.stack(scenes(4, CORPUS_SEED)) / 255
    tried = [Completion(pictures * 0, np.array([0, 9, 0, 9])), Completion(pictures, np.array([1, 1, 1, 1]))]
    assert np.array_equal(best(tried), np.stack([pictures[0] * 0, pictures[1], pictures[2] * 0, pictures[3]]))


def test_what_is_hidden_is_never_shown_to_the_model():
    """Whatever the hidden half holds, every way completes the same."""
    pictures = np.stack(scenes(6, CORPUS_SEED)) / 255
    masks = np.stack([hidden((16, 16), "left" if i % 2 else "right") for i in range(6)])
    blank = np.where(masks[..., None], 0.5, pictures)
    known = np.stack(scenes(20, 5)) / 255
    box, noises = ByHeart(scenes(20, 5)), BestDenoiser(scenes(20, 5))

    def ways(x):
        return [
            *by_outputs(x, masks, known),
            *by_autoencoder(box, x, masks, best(by_outputs(x, masks, known)), seed=3),
            *by_diffusion(noises, x, masks, seed=3),
        ]

    for one, other in zip(ways(pictures), ways(blank), strict=True):
        assert np.allclose(one.pictures, other.pictures)
        assert np.allclose(one.misfit, other.misfit)
