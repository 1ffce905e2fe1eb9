"""Finds renderers: in this package's own modules and by the entry point ``guardrails.renderers``. No list to edit."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from guardrails.core.errors import ConfigurationError
from guardrails.core.plug_ins import add_plug_ins

from .renderer import KINDS, Renderer, Result

GROUP = "guardrails.renderers"
Key = tuple[str, type[Result]]
"""A format, and the kind of result that it is made from."""


@cache
def renderers() -> dict[Key, type[Renderer[Any]]]:
    """Return every renderer by format and kind; a plug-in that cannot be used is left out with a warning."""
    known: dict[Key, type[Renderer[Any]]] = {(cls.format, cls.accepts): cls for cls in _shipped()}

    def add(cls: Any) -> None:
        _check(cls)
        if (cls.format, cls.accepts) in known:
            kind = KINDS[cls.accepts]
            raise ConfigurationError(f"another renderer has the format '{cls.format}' for results of {kind}")
        known[cls.format, cls.accepts] = cls

    add_plug_ins(GROUP, add)
    return dict(sorted(known.items(), key=lambda item: (item[0][0], KINDS[item[0][1]])))


def _shipped() -> Iterator[type[Renderer[Any]]]:
    package = importlib.import_module(__package__)
    for info in pkgutil.walk_packages(package.__path__, f"{__package__}."):
        module = importlib.import_module(info.name)
        for value in vars(module).values():
            ours = isinstance(value, type) and issubclass(value, Renderer) and value.__module__ == module.__name__
            if ours and not getattr(value, "__abstractmethods__", None):
                yield value


def _check(cls: Any) -> None:
    """Refuse what is no complete renderer, with every mistake at once."""
    if not isinstance(cls, type) or not issubclass(cls, Renderer):
        raise ConfigurationError("it is no Renderer class")
    wrong = [f"it has no {name}()" for name in sorted(getattr(cls, "__abstractmethods__", ()))]
    format, kind, title = (getattr(cls, name, None) for name in ("format", "accepts", "title"))
    if not isinstance(format, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", format):
        wrong.append(f"its format {format!r} is no word of lower-case letters, digits and hyphens")
    if not isinstance(kind, type) or kind not in KINDS:
        wrong.append(f"it accepts {kind!r}, which is none of {', '.join(known.__name__ for known in KINDS)}")
    if not isinstance(title, str) or not title:
        wrong.append("it has no title")
    if wrong:
        raise ConfigurationError("; ".join(wrong))
