"""What other distributions bring, by entry points. One that cannot be used takes no other with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from .errors import STOPS, ConfigurationError


def add_plug_ins(group: str, add: Callable[[Any], None]) -> None:
    """Hand what each entry point of a group names to `add`; one that it refuses is left out with a warning.

    Parameters
    ----------
    group : str
        Such as ``guardrails.probes``.
    add : callable
        Takes a plug-in in, or raises ConfigurationError with what is wrong with it.
    """
    for point in entry_points(group=group):
        try:
            add(point.load())
        except STOPS:
            raise
        except BaseException as error:  # a broken plug-in must not take the library down with it
            why = " ".join(str(error).split())
            if not isinstance(error, ConfigurationError):
                why = f"{type(error).__name__}: {why}"
            warnings.warn(f"plug-in {point.name} ({point.value}) is left out: {why}", stacklevel=3)
