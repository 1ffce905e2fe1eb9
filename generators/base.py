"""What every reference generator is: a small generative model with dials for planted faults.

A generator knows nothing of auditing. Dial 0 means that the fault is absent, 1 that it is full; only shipped doses
exist. The fault is in the weights (`fit` learns it), never a wrapper that returns a training item now and then.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from guardrails.core.errors import ConfigurationError, did_you_mean

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Dial:
    """A planted fault: its name, what it does, and the doses whose weights ship (0 is always among them)."""

    name: str
    what: str
    doses: tuple[float, ...]


class Generator(ABC):
    """A reference generative model.

    Class attributes describe it without importing torch; `load` reads the weights.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    domain: ClassVar[str]
    modality: ClassVar[str]
    dials: ClassVar[tuple[Dial, ...]]
    citation: ClassVar[str]
    reserved: ClassVar[bool] = False
    """True: no detector ever trains on its outputs, they are controls."""

    @classmethod
    @abstractmethod
    def fit(cls, doses: Mapping[str, float], *, seed: int, base: Generator | None = None) -> Generator:
        """Learn from scratch (all doses 0) or, from the clean `base`, a further dose."""

    @abstractmethod
    def save(self, folder: Path) -> list[Path]:
        """Write safetensors and the card for this dose; return the files."""

    @classmethod
    @abstractmethod
    def load(cls, **doses: float) -> Generator:
        """Read the shipped weights of one dose. Combinations of doses exist only where they ship."""

    @abstractmethod
    def sample(self, n: int, *, seed: int) -> Sequence[Any]:
        """Return n outputs: str for text, (H, W, 3) uint8 arrays for pictures."""

    @abstractmethod
    def training_items(self) -> Sequence[Any]:
        """Return the fixed training items that memorization would copy (the auditor's ``corpus``)."""

    @abstractmethod
    def holdout_items(self) -> Sequence[Any]:
        """Return as many items of the same law that it never saw (the auditor's ``holdout``)."""

    @abstractmethod
    def reference_items(self, n: int, *, seed: int) -> Sequence[Any]:
        """Return n fresh items of the law that it should have learnt (the auditor's ``reference``)."""

    @property
    @abstractmethod
    def card(self) -> Mapping[str, Any]:
        """Data, seed, command, sha256 of the weights, how often each item was seen, true values with errors."""


def check_doses(cls: type[Generator], doses: Mapping[str, float]) -> dict[str, float]:
    """Return all dials with their doses, absent ones at 0.

    Raises
    ------
    ConfigurationError
        For an unknown dial, a dose outside 0–1 or not shipped, or more than one fault at a time.
    """
    known = {dial.name: dial for dial in cls.dials}
    for name, dose in doses.items():
        if name not in known:
            raise ConfigurationError(f"{cls.name} has no dial '{name}'.{did_you_mean(name, known)}")
        shipped = (0.0, *[d for d in known[name].doses if d])
        if dose not in shipped:
            raise ConfigurationError(
                f"{cls.name} ships {name} at {', '.join(f'{d:g}' for d in shipped)}; {dose:g} is not among them."
            )
    if sum(dose > 0 for dose in doses.values()) > 1:
        raise ConfigurationError(f"{cls.name} ships one fault at a time; asked for {dict(doses)}.")
    return {name: float(doses.get(name, 0.0)) for name in known}


@cache
def generators() -> dict[str, type[Generator]]:
    """Return every reference generator by name: one file each in this package, plus entry points."""
    from importlib.metadata import entry_points

    found: dict[str, type[Generator]] = {}
    package = importlib.import_module("generators")
    modules = [
        importlib.import_module(f"generators.{i.name}")
        for i in pkgutil.iter_modules(package.__path__)
        if not i.name.startswith("_")
    ]
    for module in modules:
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, Generator)
                and value.__module__ == module.__name__
                and not value.__abstractmethods__
            ):
                found[value.name] = value
    for point in entry_points(group="guardrails.generators"):
        cls = point.load()
        found.setdefault(cls.name, cls)
    return dict(sorted(found.items()))


def find_generator(name: str) -> type[Generator]:
    """Return the class of a generator.

    Raises
    ------
    ConfigurationError
        For an unknown name, with the nearest known one.
    """
    known = generators()
    if name not in known:
        raise ConfigurationError(f"unknown reference generator '{name}'.{did_you_mean(name, known)}")
    return known[name]


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def stem(name: str, doses: Mapping[str, float]) -> str:
    """Return the file stem for one dose: ``gpt-text`` or ``gpt-text,memorize=0.5``."""
    return ",".join([name, *[f"{k}={v:g}" for k, v in sorted(doses.items()) if v]])


def read_card(path: Path, weights: Path) -> dict[str, Any]:
    """Read a card and hold the weights against the hash in it.

    Raises
    ------
    ConfigurationError
        Where a file is missing or the hash differs.
    """
    if not path.exists() or not weights.exists():
        raise ConfigurationError(
            f"no shipped weights at {weights.name}; make them: guardrails train generator {path.stem.split(',')[0]}"
        )
    card: dict[str, Any] = json.loads(path.read_text())
    if card["sha256"] != sha256(weights):
        raise ConfigurationError(
            f"{weights.name} does not have the hash that its card states: the file was altered or cut short"
        )
    return card
