"""Finds probes, detectors and graders in the folders of the library and by entry points.

Walking imports every module of a family, so family modules import heavy packages inside functions only
(a test holds that).
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any, TypeVar

from .control import Control
from .detector import Detector
from .errors import ConfigurationError, did_you_mean
from .grading import Grader
from .options import read_options
from .plug_ins import add_plug_ins
from .probe import Probe
from .results import Threshold

T = TypeVar("T")
D = TypeVar("D", Detector, Grader)

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
    "graders",
)
"""The folders of this package that are walked."""


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
            if not info.ispkg and not info.name.startswith("_"):
                yield importlib.import_module(f"{name}.{info.name}")


def _concrete(module: ModuleType, kind: type[T]) -> Iterator[type[T]]:
    for value in vars(module).values():
        defined_here = isinstance(value, type) and issubclass(value, kind) and value.__module__ == module.__name__
        if defined_here and not getattr(value, "__abstractmethods__", None):
            yield value


def _discover(kind: type[T], group: str) -> dict[str, type[T]]:
    classes: dict[str, type[T]] = {}
    for module in _family_modules():
        for cls in _concrete(module, kind):
            classes[cls.id] = cls  # type: ignore[attr-defined]

    def add(cls: Any) -> None:
        _check(cls, kind)
        if cls.id in classes:
            raise ConfigurationError(f"another one has the id {cls.id}")
        classes[cls.id] = cls

    add_plug_ins(group, add)
    return dict(sorted(classes.items()))


NEEDED: dict[type, dict[str, type]] = {
    Probe: {
        "title": str, "question": str, "limits": str, "risk": str, "headline": str,
        "modalities": frozenset, "requires": frozenset, "controls": tuple, "thresholds": tuple,
    },
    Detector: {"title": str, "limits": str, "modalities": frozenset, "controls": tuple},
    Grader: {"title": str, "question": str, "limits": str, "examples": tuple},
}  # fmt: skip
"""The class attributes that a plug-in must have, and of which type."""


def _check(cls: Any, kind: type) -> None:
    """Refuse what is no complete probe, detector or grader.

    Raises
    ------
    ConfigurationError
        With every mistake at once.
    """
    if not isinstance(cls, type) or not issubclass(cls, kind):
        raise ConfigurationError(f"it is no {kind.__name__} class")
    wrong = [f"it has no {name}()" for name in sorted(getattr(cls, "__abstractmethods__", ()))]
    id = getattr(cls, "id", None)
    pattern, form = (r"[\w-]+", "name") if kind is Grader else (r"[\w-]+\.[\w-]+", "family.name")
    if not isinstance(id, str) or not re.fullmatch(pattern, id):
        wrong.append(f"its id {id!r} is not of the form {form}")
    for name, wanted in NEEDED[kind].items():
        if not hasattr(cls, name):
            wrong.append(f"it has no {name}")
        elif not isinstance(getattr(cls, name), wanted):
            wrong.append(f"its {name} is of type {type(getattr(cls, name)).__name__}")
    for name, wanted in (("controls", Control), ("thresholds", Threshold)):
        entries = getattr(cls, name, ())
        entries = entries if isinstance(entries, tuple) else ()
        wrong += [f"{entry!r} in {name} is no {wanted.__name__}" for entry in entries if not isinstance(entry, wanted)]
    if wrong:
        raise ConfigurationError("; ".join(wrong))


@cache
def probes() -> dict[str, type[Probe]]:
    """Return every known probe by id."""
    return _discover(Probe, "guardrails.probes")  # type: ignore[type-abstract]


@cache
def detectors() -> dict[str, type[Detector]]:
    """Return every known detector by id."""
    return _discover(Detector, "guardrails.detectors")  # type: ignore[type-abstract]


@cache
def graders() -> dict[str, type[Grader]]:
    """Return every known grader by id."""
    return _discover(Grader, "guardrails.graders")  # type: ignore[type-abstract]


def load_probe(name: str, options: Mapping[str, Any] | None = None) -> Probe:
    """Return the probe with this id.

    Parameters
    ----------
    name : str
        Its id.
    options : mapping, optional
        Options of the probe that differ from the defaults, by name.

    Raises
    ------
    ConfigurationError
        For an unknown id, with the nearest known one; for an option that the probe does not have, or a wrong value.
    """
    known = probes()
    if name not in known:
        raise ConfigurationError(f"unknown probe '{name}'.{did_you_mean(name, known)}")
    probe = known[name]()
    if options:
        probe.options = read_options(probe.Options, options, probe=name)
    return probe


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
    return _made("detector", name, detectors())


def load_grader(name: str) -> Grader:
    """Return a grader.

    Parameters
    ----------
    name : str
        An id, or ``ID:ARGUMENT`` for a grader that takes one: ``vader``, ``judge:refusals.toml``.

    Raises
    ------
    ConfigurationError
        As `load_detector`; also for what the argument names, where that cannot be used.
    TargetError
        For a model or module that cannot be read.
    """
    known = graders()
    if name in known and known[name].takes:
        raise ConfigurationError(f"{name}: after the name come a colon and {known[name].takes}")
    return _made("grader", name, known)


def _made(what: str, name: str, known: Mapping[str, type[D]]) -> D:
    """Return the detector or grader of a name ``ID`` or ``ID:ARGUMENT``."""
    id, colon, argument = name.partition(":")
    if id not in known:
        raise ConfigurationError(f"unknown {what} '{id}'.{did_you_mean(id, known)}")
    cls = known[id]
    if colon and not cls.takes:
        raise ConfigurationError(f"{id} takes no argument; '{argument}' was given")
    if colon and not argument:
        raise ConfigurationError(f"{name}: after the colon comes {cls.takes}")
    if not colon:
        return cls()
    try:
        return cls(argument)  # type: ignore[call-arg]
    except (OSError, UnicodeError) as error:  # a name that no file can have, or a file that cannot be read
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"{id}: what '{argument}' names cannot be read: {why}") from None
