"""Which rows are attacked with which synthetic rows, and a table that gives its training rows away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.batch import Arm, Batch, Item, Row, in_batches
from ...core.probe import Budget
from ...core.seeding import derive_seed
from ...core.statistics import Interval
from ...core.subject import Subject
from ...core.targets import TableTarget
from ...kit.blind import blind_table
from .arrays import Rows, Tables, check_frame, read

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

ATTACKS = {Budget.CONTROL: 400, Budget.QUICK: 500, Budget.STANDARD: 1000, Budget.THOROUGH: 2000}
ROWS = {Budget.CONTROL: 1000, Budget.QUICK: 20_000, Budget.STANDARD: 50_000, Budget.THOROUGH: 200_000}
"""At most so many synthetic rows: those of a larger table are drawn at random."""
BATCH = 64
MINIMUM = 30
"""Attacked rows of each arm below which no risk is said."""
WITHOUT = "the synthetic table"
"""What the blind baseline does not see."""


def order(n: int, seed: int) -> Ints:
    """Return in which order the rows of the corpus are attacked."""
    return np.random.default_rng(derive_seed(seed, "records")).permutation(n)


def shuffled(honest: Ints, seed: int) -> Ints:
    """Return the rows of the holdout that were not trained on, in the order in which they are attacked."""
    return honest[np.random.default_rng(derive_seed(seed, "control")).permutation(len(honest))]


def plan(
    subject: Subject[TableTarget], budget: Budget, *, attacks: int, seed: int, rows: int = ROWS[Budget.CONTROL]
) -> list[Batch]:
    """Return batches of attacks 0, 1, … on one synthetic table; with fewer rows than attacks, each row once.

    A target that makes rows without end makes as many as the corpus has, and `rows` at least.

    Raises
    ------
    ConfigurationError
        Where the corpus or the holdout is no table.
    """
    trained, unseen = (len(check_frame(name, getattr(subject, name))) for name in ("corpus", "holdout"))
    target = subject.target
    wanted = max(trained, rows) if target.available is None else target.available
    shared = {"rows": min(wanted, max(rows, ROWS[budget])), "seed": seed}
    return of_one_table("attack", min(attacks, max(trained, unseen)), BATCH, shared)


def of_one_table(name: str, n: int, size: int, payload: Mapping[str, Any], arm: Arm | None = None) -> list[Batch]:
    """Return batches of items 0 to n − 1, each with its ``place``.

    All are read off one synthetic table, so that no item fails by itself: without the table there is no reading.
    """
    items = [Item(f"{name}-{i}", arm, {"place": i}) for i in range(n)]
    return in_batches(items, size, payload, divisible=False)


def places_of(batch: Batch) -> list[int]:
    """Return the places of a batch's items."""
    return [item.fields["place"] for item in batch.items]


def of_role(subject: Subject, role: str) -> list[str]:
    """Return the columns that have a role."""
    return [name for name, given in subject.roles.items() if given == role]


class Drawn:
    """The tables of a subject, drawn and read once for all batches of a series.

    Parameters
    ----------
    known : bool
        Whether an attacker knows the quasi-identifiers only, where there are any: two columns at least.
    """

    def __init__(self, *, known: bool = False) -> None:
        self._known = known
        self._key: tuple[Any, ...] = ()
        self._tables: Tables | None = None

    def tables(self, subject: Subject[TableTarget], payload: Mapping[str, Any]) -> Tables:
        """Return the tables of a batch.

        Raises
        ------
        ConfigurationError
            Where the tables cannot be compared.
        TargetError
            Where the target gives no rows.
        """
        target = subject.target
        key = (target, subject.corpus, subject.holdout, payload["rows"], payload["seed"])
        same = self._tables is not None and all(a is b for a, b in zip(key[:3], self._key[:3], strict=True))
        if self._tables is None or not same or key[3:] != self._key[3:]:
            synthetic = target.sample_rows(payload["rows"], seed=payload["seed"])
            self._tables, self._key = read(synthetic, subject.corpus, subject.holdout), key
            if self._known and (names := of_role(subject, "quasi-identifier")):
                self._tables = self._tables.select(names)
        return self._tables

    def arms(self, subject: Subject[TableTarget], batch: Batch) -> list[tuple[str, Ints, Rows]]:
        """Return the attacked rows of a batch: the arm's name, their places in its table, and the rows themselves."""
        tables, attacks = self.tables(subject, batch.payload), places_of(batch)
        trained = order(len(tables.corpus), batch.payload["seed"])
        unseen = shuffled(tables.honest(), batch.payload["seed"])
        arms = []
        for arm, table, places in (("corpus", tables.corpus, trained), ("holdout", tables.holdout, unseen)):
            chosen = places[[i for i in attacks if i < len(places)]]
            arms.append((arm, chosen, table[chosen]))
        return arms

    def row(self, subject: Subject[TableTarget], batch: Batch, arm: str, i: int, record: int) -> Row:
        """Return what every row of the journal says: the i-th of a batch, on this record of an arm."""
        tables, place = self.tables(subject, batch.payload), batch.items[i].fields["place"]
        out = {"item": f"{arm}-{place}", "arm": arm, "record": record, "rows": len(tables.synthetic)}
        if arm == "holdout" and tables.overlap:
            out["left_out"] = [len(tables.overlap), sorted(tables.overlap)[:10]]
        if arm == "holdout" and tables.twins:
            out["twins"] = round(tables.twins, 4)
        return out


def of_arm(rows: Sequence[Row], arm: str) -> list[Row]:
    """Return the finished rows of an arm."""
    return [row for row in rows if row.get("arm") == arm and "error" not in row]


def too_few(trained: int, unseen: int) -> str | None:
    """Return why so few attacks say nothing, or None."""
    if min(trained, unseen) >= MINIMUM:
        return None
    return (
        f"{trained} attacked rows of the corpus and {unseen} of the holdout; at least {MINIMUM} of each are needed, and"
        " some hundreds for a narrow interval"
    )


def remarks(rows: Sequence[Row], subject: Subject) -> str:
    """Return what a reader must know of the tables: columns and rows left out, rows drawn."""
    said = []
    if numbering := of_role(subject, "id"):
        said.append(f"Left out, since they number or name the rows: {', '.join(numbering)}.")
    left_out = next((row["left_out"] for row in rows if "left_out" in row), None)
    if left_out:
        count, first = left_out
        named = ", ".join(map(str, first)) + (" …" if count > len(first) else "")
        said.append(f"{count} rows of the holdout also occur in the corpus and were left out: number {named}.")
    twins = next((row["twins"] for row in rows if "twins" in row), None)
    if twins:
        said.append(f"{twins:.1%} of the holdout equal a row of the corpus, which chance explains.")
    used, there = (
        max((row["rows"] for row in rows if "rows" in row), default=0),
        getattr(subject.target, "available", 0),
    )
    if there and used < there:
        said.append(
            f"{used:,} of the {there:,} synthetic rows were used, drawn at random: all of them may give away more."
        )
    return "".join(f" {sentence}" for sentence in said)


def spiked(subject: Subject[TableTarget]) -> Subject[TableTarget]:
    """Return the subject with a table whose first rows are those training rows that an attack tries first."""
    from ...targets.spikes import SpikedTable

    corpus = check_frame("corpus", subject.corpus)
    target = SpikedTable(subject.target, corpus, lambda seed: order(len(corpus), seed).tolist())
    return replace(subject, target=target)


def blind(members: Rows, others: Rows) -> Interval:
    """Return how well rows of the corpus are told from those of the holdout without the synthetic table."""
    import pandas as pd

    both = [np.concatenate([getattr(rows, part) for rows in (members, others)]) for part in ("numbers", "codes")]
    columns = [pd.DataFrame(both[0]), pd.DataFrame(both[1]).astype(str)]
    return blind_table(pd.concat(columns, axis=1, ignore_index=True), len(members))


def side_by_side(subject: Subject, members: Sequence[int] | Ints, others: Sequence[int] | Ints) -> pd.DataFrame:
    """Return rows of the corpus, then rows of the holdout, with the columns of the corpus."""
    import pandas as pd

    names = list(subject.corpus.columns)
    return pd.concat([subject.corpus.iloc[members], subject.holdout[names].iloc[others]])  # type: ignore
