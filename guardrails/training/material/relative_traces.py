"""Traces of a generator read against the picture's own resampling and saves: two ways, both without labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Blocks = Mapping[str, Array]
    Draws = Mapping[str, Blocks]

PENALTY = 10.0
PARTS = 6
"""Directions of the history that traces are multiplied with."""
FLAT = 1e-3


def less_expected(draws: Draws, names: Sequence[str], learnt: NDArray[np.intp], taught: Sequence[str]) -> Draws:
    """Return blocks less what a ridge regression on the history, its squares and products of its parts expects.

    Parameters
    ----------
    draws : mapping of str to mapping of str to array
        By draw, then by block, (N, D); among them ``history``.
    names : sequence of str
        Blocks of traces; the new ones are called ``NAME relative``.
    learnt : array of int
        Rows that the regression is fitted to.
    taught : sequence of str
        Draws after which it is fitted to them.
    """
    known, design = _history(draws, learnt, taught)
    inverse = np.linalg.inv(known.T @ known + PENALTY * np.eye(known.shape[1]))
    out: dict[str, dict[str, Array]] = {draw: {} for draw in draws}
    for name in names:
        y = np.concatenate([draws[draw][name][learnt] for draw in taught]).astype(np.float64)
        beta = inverse @ (known.T @ (y - y.mean(axis=0)))
        for draw in draws:
            rest = draws[draw][name] - y.mean(axis=0) - design[draw] @ beta
            out[draw][f"{name} relative"] = rest.astype(np.float32)
    return out


def times_history(draws: Draws, names: Sequence[str], learnt: NDArray[np.intp], taught: Sequence[str]) -> Draws:
    """Return blocks multiplied with the first `PARTS` directions of the history: a head that differs with the history.

    The new blocks are called ``NAME by history``; see `less_expected` for the rest.
    """
    _, parts = _directions(draws, learnt, taught)
    out: dict[str, dict[str, Array]] = {draw: {} for draw in draws}
    for name in names:
        y = np.concatenate([draws[draw][name][learnt] for draw in taught])
        mean, scale = y.mean(axis=0), np.maximum(y.std(axis=0), FLAT)
        for draw in draws:
            z = (draws[draw][name] - mean) / scale
            product = z[:, :, None] * parts[draw][:, None, :]
            out[draw][f"{name} by history"] = product.reshape(len(z), -1).astype(np.float32)
    return out


def _history(
    draws: Draws, learnt: NDArray[np.intp], taught: Sequence[str]
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Standardised history with squares and products of its directions: of what is learnt, and of all rows by draw."""
    standard, parts = _directions(draws, learnt, taught)
    pairs = np.triu_indices(PARTS)
    design = {
        draw: np.concatenate([standard[draw], parts[draw][:, pairs[0]] * parts[draw][:, pairs[1]]], axis=1)
        for draw in draws
    }
    mean = np.concatenate([design[draw][learnt] for draw in taught]).mean(axis=0)
    design = {draw: x - mean for draw, x in design.items()}
    return np.concatenate([design[draw][learnt] for draw in taught]), design


def _directions(
    draws: Draws, learnt: NDArray[np.intp], taught: Sequence[str]
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    known = np.concatenate([draws[draw]["history"][learnt] for draw in taught]).astype(np.float64)
    mean, scale = known.mean(axis=0), np.maximum(known.std(axis=0), FLAT)
    turn = np.linalg.svd((known - mean) / scale, full_matrices=False)[2][:PARTS].T
    standard = {draw: np.clip((blocks["history"] - mean) / scale, -4, 4) for draw, blocks in draws.items()}
    spread = np.concatenate([standard[draw][learnt] @ turn for draw in taught]).std(axis=0)
    return standard, {draw: x @ turn / spread for draw, x in standard.items()}
