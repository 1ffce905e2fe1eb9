"""Finds probes, detectors and generators: by walking our own folders and by entry points. No list to edit.

Walking imports every module of a family, so family modules import heavy packages inside functions only
(a test holds that).
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import TypeVar

from .base import Detector, Probe
from .errors import ConfigurationError, did_you_mean

T = TypeVar("T")

FAMILIES = (
    "memorization",
    "membership",
    "privacy",
    "bias",
    "fairness",
    "deepfake",
    "authorship",
    "marking",
    "quality",
    "cost",
    "misuse",
)


def _family_modules() -> Iterator[ModuleType]:
    for family in FAMILIES:
        name = f"guardrails.{family}"
        try:
            package = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            continue
        for info in pkgutil.iter_modules(package.__path__):
            if not info.name.startswith("_"):
                yield importlib.import_module(f"{name}.{info.name}")


def _concrete(module: ModuleType, kind: type[T]) -> Iterator[type[T]]:
    for value in vars(module).values():
        own = isinstance(value, type) and issubclass(value, kind) and value.__module__ == module.__name__
        if own and not getattr(value, "__abstractmethods__", None):
            yield value


def _discover(kind: type[T], group: str) -> dict[str, type[T]]:
    found: dict[str, type[T]] = {}
    for module in _family_modules():
        for cls in _concrete(module, kind):
            found[cls.id] = cls  # type: ignore[attr-defined]
    for point in entry_points(group=group):
        try:
            cls = point.load()
            if not issubclass(cls, kind) or not isinstance(cls.id, str):
                raise TypeError(f"it is no {kind.__name__} with an id")
        except Exception as error:  # a broken plug-in must not take the library down with it
            warnings.warn(f"plug-in {point.name} ({point.value}) cannot be used: {error}", stacklevel=2)
            continue
        if cls.id in found:
            raise ConfigurationError(f"plug-in {point.value} reuses the id {cls.id}; rename it")
        found[cls.id] = cls
    return dict(sorted(found.items()))


@cache
def probes() -> dict[str, type[Probe]]:
    """Return every known probe by id."""
    return _discover(Probe, "guardrails.probes")  # type: ignore[type-abstract]


@cache
def detectors() -> dict[str, type[Detector]]:
    """Return every known detector by id."""
    return _discover(Detector, "guardrails.detectors")  # type: ignore[type-abstract]


def load_probe(name: str) -> Probe:
    """Return the probe with this id.

    Raises
    ------
    ConfigurationError
        For an unknown id, with the nearest known one.
    """
    known = probes()
    if name not in known:
        raise ConfigurationError(f"unknown probe '{name}'.{did_you_mean(name, known)}")
    return known[name]()


def load_detector(name: str) -> Detector:
    """Return a detector with its shipped weights.

    Parameters
    ----------
    name : str
        An id, or ``ID:ARGUMENT`` for a detector that takes one: ``deepfake.network:model.onnx``.

    Raises
    ------
    ConfigurationError
        For an unknown id, with the nearest known one; for an argument that the detector does not take, or needs.
    """
    id, colon, argument = name.partition(":")
    known = detectors()
    if id not in known:
        raise ConfigurationError(f"unknown detector '{id}'.{did_you_mean(id, known)}")
    cls = known[id]
    if colon and not cls.takes:
        raise ConfigurationError(f"{id} takes no argument; '{argument}' was given")
    if colon and not argument:
        raise ConfigurationError(f"{name}: after the colon comes {cls.takes}")
    return cls(argument) if colon else cls()  # type: ignore[call-arg]
