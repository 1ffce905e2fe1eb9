"""A target together with the data of an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from typing_extensions import TypeVar

from .targets import Modality, Target

T_co = TypeVar("T_co", bound=Target, covariant=True, default=Target)


@dataclass(frozen=True)
class Subject(Generic[T_co]):
    """A target with the data of an audit.

    ``Subject[LanguageModelTarget]`` has a target of that protocol, ``Subject`` alone any `Target`.

    Text data are sequences of documents (str); pictures are sequences of (H, W, 3) uint8 arrays, read lazily;
    tables are data frames. None: not given.
    """

    target: T_co
    corpus: Any = None
    holdout: Any = None
    reference: Any = None
    prompts: Sequence[str] | None = None
    data_names: Mapping[str, str] = field(default_factory=dict)
    read_as: Mapping[str, str] = field(default_factory=dict)
    """How the target and each of the data was read, where that could be told in more than one way: for the report."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Of a table's columns: ``sensitive``, ``quasi-identifier`` or ``date``; ``id`` for those that were left out."""

    @property
    def modality(self) -> Modality:
        return self.target.modality

    def has(self, data: str) -> bool:
        """Whether ``corpus``, ``holdout``, ``reference`` or ``prompts`` was given."""
        return getattr(self, data) is not None
