"""What all spiked targets have in common."""

from __future__ import annotations

import hashlib
from typing import Any, Generic, TypeVar

from ...core.results import SpikeKind
from ...core.targets import Target

T = TypeVar("T", bound=Target)


class Spiked(Generic[T]):
    """A target with a spike: all that is not overridden is the target's own.

    Parameters
    ----------
    target : Target
        The user's.
    planted : str
        What tells this spike from others, for the identity.
    """

    spike_kind: SpikeKind = "spike"

    def __init__(self, target: T, planted: str) -> None:
        self.target = target
        self.name = f"{target.name} (spiked)"
        self.modality = target.modality
        self.access = target.access
        self._planted = planted

    def __getattr__(self, name: str) -> Any:
        if name == "target":  # not set yet, as while it is copied
            raise AttributeError(name)
        return getattr(self.target, name)

    @property
    def available(self) -> int | None:
        """As many as the target has."""
        available: int | None = getattr(self.target, "available", None)
        return available

    def identity(self) -> dict[str, str]:
        """Return the identity of the target, with a hash of what was planted."""
        return self.target.identity() | {"spiked": hashlib.sha256(self._planted.encode("utf-8", "replace")).hexdigest()}


class SpikedOutputs(Spiked[T]):
    """Outputs with a spike: stored ones are the target, those of a generator are overwritten after they are made."""

    @property
    def spike_kind(self) -> SpikeKind:  # type: ignore[override]
        """A spike of stored outputs, an instrument check of a generator."""
        return "instrument-check" if self.available is None else "spike"
