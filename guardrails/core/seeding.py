"""One seed per (run seed, name, …): independent streams that do not depend on the order of work."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *names: str | int) -> int:
    """Derive a 63-bit seed from a run seed and the names of a unit of work.

    Parameters
    ----------
    seed : int
        The run's seed.
    *names : str or int
        What the seed is for, for example the probe's id and the batch's number.

    Returns
    -------
    int
        In [0, 2**63): fits every library's seed.

    Examples
    --------
    >>> derive_seed(0, "a", 1) == derive_seed(0, "a", 1) != derive_seed(0, "a", 2)
    True
    """
    digest = hashlib.sha256("\x1f".join([str(seed), *map(str, names)]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def derive_seed32(seed: int, *names: str | int) -> int:
    """As `derive_seed`, for libraries that take 32 bits only."""
    return derive_seed(seed, *names) & 0xFFFFFFFF
