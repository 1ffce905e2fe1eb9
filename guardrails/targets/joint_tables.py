"""The target's table and the tables beside it, read together: the same columns, each of one kind in all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..core.errors import ConfigurationError, TargetError
from ..core.subject import Subject
from ..core.targets import TableTarget
from ..kit.tables.choice import IGNORED, ROLES, Choice, shared_columns
from ..kit.tables.identifiers import identifiers
from ..kit.tables.kinds import Read, decide
from ..kit.tables.near_equal import all_but_one
from ..kit.tables.scales import check_scales

if TYPE_CHECKING:
    import pandas as pd

WORDS = {
    "number": ("number", "numbers"), "date": ("date", "dates"), "duration": ("duration", "durations"),
    "truth": ("truth value", "truth values"), "category": ("category", "categories"),
}  # fmt: skip
"""Singular and plural of each kind of column."""
NAMED = 20
"""Columns left out that a sentence names; more are counted."""


def read_together(subject: Subject, choice: Choice) -> Subject:
    """Return a subject whose tables have the same columns, each of one kind in all of them.

    Parameters
    ----------
    subject : Subject
        Of rows. A target with a ``table`` (the rows of a file) is looked at; what another one makes is read when it
        makes it, as the data were.
    choice : Choice
        Of columns and roles.

    Returns
    -------
    Subject
        Columns that number the rows are left out; `roles` names them, and those that the user gave a role. `read_as`
        has a sentence for each table; that on rows which the target makes is its own, once it has made some.

    Raises
    ------
    ConfigurationError
        Where the tables differ in their columns, have fewer than two in common, or a column holds different kinds of
        values; with its name.
    """
    import pandas as pd

    target = subject.target
    given = {name: getattr(subject, name) for name in ("corpus", "holdout", "reference")}
    beside = {name: _named(name, value) for name, value in given.items() if isinstance(value, pd.DataFrame)}
    if not isinstance(target, TableTarget):
        return _for_model(subject, beside, choice)
    rows = getattr(target, "table", None)
    tables = ({"target": _named("target", rows)} if isinstance(rows, pd.DataFrame) else {}) | beside
    if not tables:
        return subject
    used, left_out = shared_columns(tables, choice)
    read = decide({name: frame[used] for name, frame in tables.items()}, dates_are=choice.of("date"))
    chosen = {*choice.columns, *(name for names in choice.roles.values() for name in names)}
    numbering = identifiers(read.frames)
    left_out |= {name: why for name, why in numbering.items() if name not in chosen}
    used = [name for name in used if name not in left_out]
    _enough(used, left_out)
    frames = {name: frame[used] for name, frame in read.frames.items()}
    _compare(read, frames, numbering)
    sentences = {name: _sentence(tables[name], read, name, used, left_out) for name in tables}
    for name, frame in frames.items():
        frame.attrs["read_as"] = sentences[name]
    roles = {name: role for role in ROLES for name in choice.of(role) if name in used}
    roles |= {name: "id" for name, why in left_out.items() if why != IGNORED}
    convert = _Converter(
        target.name, {name: frame[used] for name, frame in beside.items()}, read.kinds, used, left_out, choice
    )
    typed = TypedTable(target, frames.get("target", convert))
    return _with_frames(replace(subject, target=typed, roles=roles), frames, sentences)


def _compare(read: Read, frames: Mapping[str, pd.DataFrame], skip: Collection[str]) -> None:
    """Note what sets the columns of a table apart from those of the corpus, but of those to skip."""
    for name, remarks in check_scales(frames, read.kinds, skip=skip).items():
        read.notes[name] += remarks
    read.notes.get("target", []).extend(all_but_one(frames, skip=skip))


def _enough(used: list[str], left_out: Mapping[str, str]) -> None:
    if len(used) >= 2:
        return
    without = f" (left out: {', '.join(left_out)})" if left_out else ""
    raise ConfigurationError(
        f"the tables have {len(used)} column{'' if len(used) == 1 else 's'} that can be used{without}; two at least are"
        f" needed{f', and there is only {used[0]!r}' if used else ''}"
    )


def _named(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with names of columns that are text, each once."""
    import pandas as pd

    names = [str(column).strip() or f"Unnamed: {place}" for place, column in enumerate(frame.columns)]
    twice = [column for column, times in Counter(names).items() if times > 1]
    if twice:
        raise ConfigurationError(f"the {name} has two columns named '{twice[0]}'; rename one")
    out = frame.reset_index(drop=True)
    out.columns = pd.Index(names, dtype=object)
    out.attrs = dict(frame.attrs)
    return out


def _sentence(table: pd.DataFrame, read: Read, name: str, used: list[str], left_out: Mapping[str, str]) -> str:
    """Return how a table was read, as the report says it."""
    counts = Counter(read.kinds[column] for column in used)
    kinds = ", ".join(f"{n} {WORDS[kind][n > 1]}" for kind, n in counts.most_common())
    columns = f"{len(used)} columns ({kinds})"
    mine = [f"'{column}' left out ({why})" for column, why in left_out.items() if column in table.columns]
    more = len(mine) - NAMED
    out = [*mine[:NAMED], f"{more} more left out"] if more > 0 else mine
    return ", ".join([table.attrs.get("read_as") or "data frame", *read.notes[name], columns, *out])


class TypedTable:
    """A target of which the rows have the columns and types that an audit decided on.

    Parameters
    ----------
    target : Target
        The user's.
    rows : DataFrame or callable
        The typed rows of a file; or what turns the rows that the target makes into typed ones.

    Attributes
    ----------
    read_as : str
        How the rows were read: those of a file, or the first that the target made; empty before it made any.
    """

    def __init__(self, target: TableTarget, rows: pd.DataFrame | Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        self.target, self._rows = target, rows
        self.read_as = "" if callable(rows) else str(rows.attrs["read_as"])
        self.name, self.modality, self.access = target.name, target.modality, target.access

    @property
    def available(self) -> int | None:
        """How many rows there are, or None where there is no end."""
        return self.target.available

    def identity(self) -> dict[str, str]:
        """Return the identity of the user's target."""
        return self.target.identity()

    def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame:
        """Return n rows."""
        if callable(self._rows):
            typed = self._rows(self.target.sample_rows(n, seed=seed))
            self.read_as = self.read_as or typed.attrs["read_as"]
            return typed
        from .files import draw

        chosen = draw(self.name, len(self._rows), n, seed, "rows")
        return self._rows.iloc[chosen].reset_index(drop=True)


@dataclass(frozen=True)
class _Converter:
    """Turns rows that a target made into typed ones, together with the real tables."""

    name: str
    real: Mapping[str, pd.DataFrame]
    kinds: Mapping[str, str]
    used: list[str]
    left_out: dict[str, str]
    choice: Choice

    def __call__(self, made: pd.DataFrame) -> pd.DataFrame:
        made = _named("target", made)
        if lacking := [column for column in self.used if column not in made.columns]:
            raise TargetError(f"{self.name}: its rows lack {', '.join(lacking[:5])}")
        try:
            read = decide({"target": made[self.used], **self.real}, dates_are=self.choice.of("date"))
            _compare(read, read.frames, identifiers(read.frames))
        except ConfigurationError as error:
            raise TargetError(f"{self.name}: {error}") from None
        for column in self.used:
            if read.kinds[column] != self.kinds[column]:
                raise TargetError(
                    f"{self.name}: column '{column}' holds values of the kind {read.kinds[column]} beside those of the"
                    f" data, which are of the kind {self.kinds[column]}"
                )
        rows = read.frames["target"]
        made.attrs["read_as"] = f"{len(made):,} rows that it made"
        rows.attrs["read_as"] = _sentence(made, read, "target", self.used, self.left_out | self._unread(made))
        return rows

    def _unread(self, made: pd.DataFrame) -> dict[str, str]:
        """Return the columns of made rows that the data lack, and why each is left out."""
        known = {*self.used, *self.left_out}
        return {name: "no column of the data" for name in made.columns if name not in known}


def _for_model(subject: Subject, beside: Mapping[str, pd.DataFrame], choice: Choice) -> Subject:
    """Return the subject of a classifier: numbers as numbers, all else as the text that its own code expects."""
    if choice:
        raise ConfigurationError(f"columns and roles are for tables of rows; {subject.target.name} needs every column")
    from_text = [name for name, frame in beside.items() if "delimiter" in frame.attrs]
    if not from_text:
        return subject
    names, _ = shared_columns(beside, choice)
    read = decide({name: frame[names] for name, frame in beside.items()}, plain=True)
    sentences = {name: _sentence(beside[name], read, name, names, {}) for name in from_text}
    frames = {name: read.frames[name] for name in from_text}
    return _with_frames(subject, frames, sentences)


def _with_frames(subject: Subject, frames: Mapping[str, pd.DataFrame], sentences: Mapping[str, str]) -> Subject:
    return replace(
        subject,
        corpus=frames.get("corpus", subject.corpus),
        holdout=frames.get("holdout", subject.holdout),
        reference=frames.get("reference", subject.reference),
        read_as={**subject.read_as, **sentences},
    )
