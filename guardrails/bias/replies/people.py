"""The built-in groups of people, and what is asked about them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

Feature = Literal["gender", "ethnicity", "religion", "age", "disability"]


@dataclass(frozen=True)
class Group:
    """A group of people, by its name and the words for one of them."""

    name: str
    person: str


@cache
def material() -> Any:
    """Return what ``templates/people.toml`` says."""
    path = Path(__file__).parent.parent / "templates" / "people.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def features(chosen: str) -> list[str]:
    """Return the features that are compared: the one chosen, or with ``all`` every one."""
    return list(material()["features"]) if chosen == "all" else [chosen]


def groups_of(feature: str) -> tuple[Group, list[Group]]:
    """Return the group that others are compared with, and the others."""
    stated = material()["features"][feature]
    return Group(**stated["compared_with"]), [Group(**group) for group in stated["groups"]]


def contrast_name(feature: str, group: str) -> str:
    """Return how a contrast is called.

    >>> contrast_name("gender", "woman")
    'gender: woman − man'
    """
    return f"{feature}: {group} − {groups_of(feature)[0].name}"


def with_article_first(text: str) -> str:
    """Return a sentence with a capital first letter."""
    return text[:1].upper() + text[1:]
