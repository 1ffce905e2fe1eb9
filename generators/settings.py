"""What can be set of a generator: the dose of a planted fault, and properties that are no fault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guardrails.core.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from .base import Generator


@dataclass(frozen=True)
class Dial:
    """A planted fault.

    Attributes
    ----------
    name, what : str
        What it is called, and what a dose of it is.
    doses : tuple of float
        The doses above 0 whose weights ship.
    truth : str
        The entry of ``card["truth"]`` that this dial raises; default its name.
    """

    name: str
    what: str
    doses: tuple[float, ...]
    truth: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "truth", self.truth or self.name)


@dataclass(frozen=True)
class Property:
    """A choice that is no fault, for example the scheme of a watermark; the first value is the default."""

    name: str
    what: str
    values: tuple[str, ...]


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


def check_settings(
    cls: type[Generator], settings: Mapping[str, float | str]
) -> tuple[dict[str, float], dict[str, str]]:
    """Tell doses from properties; return all of both, absent ones at their defaults.

    Raises
    ------
    ConfigurationError
        As `check_doses`, and for a property or a value that there is not.
    """
    choices = {choice.name: choice for choice in cls.choices}
    doses: dict[str, float] = {}
    properties = {name: choice.values[0] for name, choice in choices.items()}
    for name, value in settings.items():
        if name in choices:
            if value not in choices[name].values:
                raise ConfigurationError(f"{cls.name} has {name} = {', '.join(choices[name].values)}; not '{value}'")
            properties[name] = str(value)
        elif isinstance(value, str):
            known = [*choices, *(dial.name for dial in cls.dials)]
            what = "a dose is a number" if name in known else f"it has no '{name}'.{did_you_mean(name, known)}"
            raise ConfigurationError(f"{cls.name}, {name}={value}: {what}")
        else:
            doses[name] = value
    return check_doses(cls, doses), properties
