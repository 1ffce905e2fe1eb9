"""The distribution that generated pictures are compared with: it is always stated, and never looked up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ...core.errors import ConfigurationError

MOST_GROUPS = 50
LONGEST_NAME = 60
TOLERANCE = 0.005
"""Of the sum of shares: they may be rounded to two digits."""


@dataclass(frozen=True)
class ReferenceShares:
    """The groups that are compared, and the share that each is expected to have.

    Attributes
    ----------
    shares : mapping of str to float
        At least two, above 0, summing to 1.
    uniform : bool
        Whether no shares were stated, so that each group is expected equally often.
    """

    shares: Mapping[str, float]
    uniform: bool

    @property
    def groups(self) -> tuple[str, ...]:
        """The names, in the order in which they were stated."""
        return tuple(self.shares)

    @property
    def words(self) -> str:
        """The reference in words, for reports."""
        if self.uniform:
            return f"equal shares of {', '.join(self.groups)} (uniform: no other reference was stated)"
        return "stated: " + ", ".join(f"{group} {share:.3g}" for group, share in self.shares.items())


def reference_shares(text: str) -> ReferenceShares:
    """Read ``woman=0.5,man=0.5``; or ``woman,man``, which stands for equal shares.

    Raises
    ------
    ConfigurationError
        For fewer than two groups, one stated twice, shares for some groups only, and shares that do not sum to 1.

    Examples
    --------
    >>> dict(reference_shares("woman=0.52, man=0.48").shares)
    {'woman': 0.52, 'man': 0.48}
    >>> reference_shares("woman,man").uniform
    True
    """
    parts = [part.strip() for part in text.split(",")]
    names = [part.partition("=")[0].strip() for part in parts]
    if not all(names) or any(len(name) > LONGEST_NAME for name in names):
        raise ConfigurationError(f"a group has a name of 1 to {LONGEST_NAME} characters, as in woman=0.5,man=0.5")
    if len(set(names)) < len(names):
        raise ConfigurationError("a group is stated twice")
    if not 2 <= len(names) <= MOST_GROUPS:
        raise ConfigurationError(f"2 to {MOST_GROUPS} groups are compared, not {len(names)}")
    stated = [part.partition("=")[2].strip() for part in parts if "=" in part]
    if not stated:
        return ReferenceShares(MappingProxyType(dict.fromkeys(names, 1 / len(names))), uniform=True)
    if len(stated) < len(names):
        raise ConfigurationError("some groups have a share and others none; give all of them one, or none")
    shares = [_share(value) for value in stated]
    if abs(sum(shares) - 1) > TOLERANCE:
        raise ConfigurationError(f"the shares sum to {sum(shares):.4g}, not to 1")
    total = sum(shares)
    return ReferenceShares(
        MappingProxyType({name: share / total for name, share in zip(names, shares, strict=True)}), uniform=False
    )


def _share(value: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = math.nan
    if not 0 < share < 1:
        raise ConfigurationError(f"a share is a number between 0 and 1, not '{value[:40]}'")
    return share
