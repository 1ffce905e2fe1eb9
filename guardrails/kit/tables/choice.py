"""Which columns are used, and what the user says that they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...core.errors import ConfigurationError, did_you_mean
from .identifiers import numbers_rows

if TYPE_CHECKING:
    import pandas as pd

IGNORED = "not wanted"
ROLES = ("id", "sensitive", "quasi-identifier", "date")


@dataclass(frozen=True)
class Choice:
    """What the user says of the columns.

    Attributes
    ----------
    columns : tuple of str
        Only these are used; empty: all.
    ignored : tuple of str
        These are not.
    roles : dict of str to tuple of str
        Columns by role, of `ROLES`.
    """

    columns: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.columns or self.ignored or any(self.roles.values()))

    def named(self) -> dict[str, str]:
        """Return the option that names each column."""
        out = dict.fromkeys(self.columns, "--columns") | dict.fromkeys(self.ignored, "--ignore-columns")
        return out | {name: f"--role {role}" for role, names in self.roles.items() for name in names}

    def of(self, role: str) -> tuple[str, ...]:
        """Return the columns of a role."""
        return tuple(self.roles.get(role, ()))


def shared_columns(tables: Mapping[str, pd.DataFrame], choice: Choice) -> tuple[list[str], dict[str, str]]:
    """Return the columns that are used, in the order of the corpus, and why others are left out.

    Raises
    ------
    ConfigurationError
        For a chosen column that there is not, or tables that differ in their columns.
    """
    base = tables.get("corpus", next(iter(tables.values())))
    order = list(dict.fromkeys([*base.columns, *(name for frame in tables.values() for name in frame.columns)]))
    for name, option in choice.named().items():
        if name not in order:
            raise ConfigurationError(f"{option}: no table has a column '{name}'.{did_you_mean(name, map(str, order))}")
    left_out = dict.fromkeys(choice.of("id"), "role id") | dict.fromkeys(choice.ignored, IGNORED)
    wanted = [name for name in order if name not in left_out and (not choice.columns or name in choice.columns)]
    used = []
    for name in wanted:
        lacking = [table for table, frame in tables.items() if name not in frame.columns]
        if not lacking:
            used.append(name)
        elif name in choice.named() or not all(
            numbers_rows(name, frame[name]) for frame in tables.values() if name in frame.columns
        ):
            _refuse(tables, wanted, used)
        else:
            left_out[name] = f"numbers the rows, and {' and '.join(lacking)} lack{'s' if len(lacking) == 1 else ''} it"
    return used, left_out


def _refuse(tables: Mapping[str, pd.DataFrame], wanted: Collection[str], used: Collection[str]) -> None:
    if not set.intersection(*(set(frame.columns) for frame in tables.values())):
        heads = "; ".join(f"{table}: {', '.join(map(str, frame.columns[:4]))} …" for table, frame in tables.items())
        raise ConfigurationError(f"the tables have no column in common ({heads})")
    lacks = []
    for table, frame in tables.items():
        lacking = [str(name) for name in wanted if name not in frame.columns]
        if lacking:
            lacks.append(f"{table} lacks {', '.join(lacking[:5])}{' …' if len(lacking) > 5 else ''}")
    raise ConfigurationError(
        f"the tables have different columns: {'; '.join(lacks)}. Give tables with the same ones, or leave columns out"
        " with --ignore-columns"
    )
