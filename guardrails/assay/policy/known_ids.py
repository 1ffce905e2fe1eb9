"""Ids and titles of frameworks, to check those of a policy: maps with invented or renumbered ids are common."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ...core.errors import did_you_mean
from ...core.results import FrameworkControl
from ...kit.settings_file import parse_toml, read_bounded

FILE = Path(__file__).with_suffix(".toml")


class Framework(NamedTuple):
    """Ids and titles of one edition; `complete` says that there are no others, `retired` what replaced an id."""

    name: str
    edition: str
    ids: dict[str, str]
    complete: bool = False
    retired: dict[str, str] = {}


@cache
def known_frameworks() -> dict[str, Framework]:
    """Return the known frameworks by name."""
    rows = parse_toml(read_bounded(FILE), FILE.name)["framework"]
    return {row["name"]: Framework(**row) for row in rows}


def wrong_ids(controls: Iterable[FrameworkControl]) -> list[str]:
    """Return a line for each control whose id or title is not that of its framework, with the nearest that is."""
    return [wrong for control in controls if (wrong := _wrong(control))]


def unknown_ids(controls: Iterable[FrameworkControl]) -> list[str]:
    """Return a line for each control that cannot be checked: of another framework or edition, or not listed."""
    return [unknown for control in controls if (unknown := _unknown(control))]


def _wrong(control: FrameworkControl) -> str:
    framework = _checked(control)
    if framework is None:
        return ""
    name = f"{framework.name} {framework.edition}"
    if successor := framework.retired.get(control.id):
        return f"{name} has retired {control.id}; it is now {successor}."
    listed = _listed(control.id, framework)
    if not listed:
        return f"{name} has no '{control.id}'.{did_you_mean(control.id, framework.ids)}" if framework.complete else ""
    title = framework.ids[listed]
    if control.title == title or (listed != control.id and control.title.startswith(f"{title}: ")):
        return ""
    return f"{name}: {listed} is titled '{title}', not '{control.title}'."


def _unknown(control: FrameworkControl) -> str:
    known = known_frameworks().get(control.framework)
    if known is None:
        hint = did_you_mean(control.framework, known_frameworks())
        return f"{control.id}: ids of '{control.framework}' are not checked.{hint}"
    if known.edition != control.edition:
        return f"{control.id}: of {known.name}, the edition {known.edition} is known here, not '{control.edition}'."
    if _listed(control.id, known) or known.complete or control.id in known.retired:
        return ""
    hint = _near(control.id, known)
    return f"{known.name} {known.edition}: '{control.id}' is not listed here, so it is not checked.{hint}"


def _near(id: str, framework: Framework) -> str:
    hint = did_you_mean(id, framework.ids)
    return hint if hint.startswith(" Did you mean") else ""


def _checked(control: FrameworkControl) -> Framework | None:
    known = known_frameworks().get(control.framework)
    return known if known and known.edition == control.edition else None


def _listed(id: str, framework: Framework) -> str:
    """Return the listed id: the same or, of a paragraph, its article's."""
    return next((listed for listed in (id, id.partition("(")[0]) if listed in framework.ids), "")
