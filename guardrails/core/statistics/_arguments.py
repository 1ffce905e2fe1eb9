"""What the statistics accept: one clear `ValueError` for each wrong argument."""

from __future__ import annotations

from operator import index

import numpy as np
from numpy.typing import ArrayLike, NDArray


def counts(k: int, n: int) -> tuple[int, int]:
    """Return k and n as Python integers, where k of n ≥ 1 trials is possible."""
    k, n = index(k), index(n)
    if n < 1:
        raise ValueError(f"a rate needs at least one trial, got n = {n}; say 'too few' instead of a rate")
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is not a count: it must lie between 0 and n")
    return k, n


def not_negative(name: str, value: int) -> int:
    """Return the value as a Python integer ≥ 0."""
    value = index(value)
    if value < 0:
        raise ValueError(f"{name} must not be negative, got {value}")
    return value


def at_least_one(name: str, value: int) -> int:
    """Return the value as a Python integer ≥ 1."""
    value = index(value)
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
    return value


def inside(name: str, value: float) -> float:
    """Return the value, which lies strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie strictly between 0 and 1, got {value}")
    return float(value)


def share(name: str, value: float) -> float:
    """Return the value, which lies in [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {value}")
    return float(value)


def sample(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return the values as a (n,) array, n ≥ 1, all finite."""
    out = np.asarray(values, dtype=np.float64)
    if out.ndim != 1 or out.size == 0:
        raise ValueError(f"{name} must be a list of at least one number, got shape {out.shape}")
    if not np.isfinite(out).all():
        raise ValueError(f"{name} holds a value that is not finite; drop it and count it as an error")
    return out
