"""Stored results of other schema versions: older ones are taken on step by step, newer minor ones as far as possible.

To change a schema, raise its version in `VERSIONS` and add the step from the version before to `STEPS`: a minor version
adds fields that have defaults, a major one does more.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

from ..errors import ConfigurationError

Kind = Literal["audit", "scan", "bench"]
Values = dict[str, Any]
Step = Callable[[Values], Values]

VERSIONS: Mapping[Kind, str] = {"audit": "1.7", "scan": "1.1", "bench": "2.2"}
FIRST = "1.0"
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")


def _as_it_is(values: Values) -> Values:
    """Fields were added that have defaults."""
    return values


def _schema_is_a_version(values: Values) -> Values:
    """A benchmark called its schema ``guardrails-bench/1``."""
    return {key: value for key, value in values.items() if key != "schema"}


STEPS: Mapping[Kind, tuple[tuple[str, Step], ...]] = {
    "audit": tuple((f"1.{minor}", _as_it_is) for minor in range(7)),
    "scan": (("1.0", _as_it_is),),
    "bench": (("1.0", _schema_is_a_version), ("2.0", _as_it_is), ("2.1", _as_it_is)),
}
"""Of each kind: the versions that were, the oldest first, and how a document of each becomes one of the next."""


def extra_of(kind: Kind, version: str) -> Literal["ignore"] | None:
    """Return how fields are read that the schema does not name: ``ignore`` in a newer minor version, with a warning.

    Raises
    ------
    ConfigurationError
        For a newer major version, or what is no version.
    """
    stated, current = _parsed(kind, version), _parsed(kind, VERSIONS[kind])
    if stated[0] > current[0]:
        raise ConfigurationError(
            f"this result was written by a later version of guardrails: its schema is {version}; here {kind} "
            f"results are read up to {VERSIONS[kind]}. Upgrade guardrails"
        )
    if stated > current:
        warnings.warn(
            f"this result was written by a later version of guardrails (schema {version}; here {VERSIONS[kind]}): what "
            "only that version knows is not shown",
            stacklevel=3,
        )
        return "ignore"
    return None


def migrated(kind: Kind, values: Values) -> Values:
    """Return a document of an earlier version as one of the present version; others are returned with that version.

    Raises
    ------
    ConfigurationError
        As `extra_of`, and for a version that never was.
    """
    version = values.get("schema_version", FIRST)
    steps = STEPS[kind]
    names = [before for before, _ in steps]
    if version in names:
        for _, step in steps[names.index(version) :]:
            values = step(values)
    elif _parsed(kind, version) < _parsed(kind, VERSIONS[kind]):
        raise ConfigurationError(f"there is no schema {version} of {kind} results; {', '.join(names)} are read")
    return values | {"schema_version": VERSIONS[kind]}


def _parsed(kind: Kind, version: Any) -> tuple[int, int]:
    parts = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if parts is None:
        raise ConfigurationError(f"this is not a result of guardrails {kind}: its schema_version is no version")
    return int(parts[1]), int(parts[2])
