"""A model that reads an attribute of the people or things in a picture, as one of several groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class AttributeModel:
    """What a probe knows of such a model.

    Attributes
    ----------
    name : str
        For reports.
    groups : tuple of str
        What it can read.
    read : callable
        Pictures, (H, W, 3) uint8 each, of any size → the group of each, None for one that it could not read.
    identity : mapping of str to str
        What decides its readings.
    """

    name: str
    groups: tuple[str, ...]
    read: Callable[[Sequence[Any]], list[str | None]]
    identity: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LabelledPictures:
    """Pictures whose groups are known, to measure the error of an `AttributeModel` on.

    Attributes
    ----------
    pictures : sequence of ndarray
        (H, W, 3) uint8, read when they are looked at.
    groups : sequence of str
        The true group of each.
    """

    pictures: Sequence[Any]
    groups: Sequence[str]
