"""The plain tree that every readable format is written from: no markup, no escaping, no computing.

`Page` ▸ `Item` (one finding) ▸ `Part` ▸ blocks. HTML and Markdown each know how to write the seven kinds of block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .charts import Chart
from .trend_chart import TrendChart


@dataclass(frozen=True)
class Mark:
    """A status: said by a word and a symbol; `tone` only adds colour (good, bad, unsure, none)."""

    symbol: str
    word: str
    tone: str


@dataclass(frozen=True)
class Cell:
    """A cell that is more than text: with a mark before it, a smaller line or more lines below it, or a link."""

    text: str
    mark: Mark | None = None
    below: str = ""
    anchor: str = ""
    strong: bool = False
    lines: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class Prose:
    """One paragraph."""

    kind: ClassVar[str] = "prose"
    text: str


@dataclass(frozen=True)
class Facts:
    """Names with their values."""

    kind: ClassVar[str] = "facts"
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """A table; `caption` says what it shows, `links` maps a cell's text to an https address."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Figure:
    """A chart with the table behind it."""

    kind: ClassVar[str] = "figure"
    chart: Chart | TrendChart
    table: Table


@dataclass(frozen=True)
class Excerpt:
    """Untrusted text, line by line."""

    kind: ClassVar[str] = "excerpt"
    caption: str
    text: str
    redacted: bool = False


@dataclass(frozen=True)
class Pictures:
    """Pictures by their path in the run's folder; blurred ones are sharp while they are pointed at."""

    kind: ClassVar[str] = "pictures"
    caption: str
    paths: tuple[str, ...]
    blurred: bool = False


@dataclass(frozen=True)
class Command:
    """What to type."""

    kind: ClassVar[str] = "command"
    text: str


Block = Prose | Facts | Table | Figure | Excerpt | Pictures | Command


@dataclass(frozen=True)
class Part:
    """A titled run of blocks; `folded` where a first reader can do without it."""

    title: str
    blocks: tuple[Block, ...]
    folded: bool = True


@dataclass(frozen=True)
class Item:
    """One finding."""

    anchor: str
    title: str
    about: str
    mark: Mark
    reading: str
    sentence: str
    lead: tuple[Block, ...]
    parts: tuple[Part, ...]
    open: bool


@dataclass(frozen=True)
class Headline:
    """One line of the first screen's list of what matters most."""

    anchor: str
    title: str
    mark: Mark
    text: str
    question: str


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    kicker: str
    mark: Mark
    verdict: str
    sentence: str
    tally: tuple[Mark, ...]
    headlines_title: str
    headlines: tuple[Headline, ...]
    more: str
    matrices: tuple[Table, ...]
    audited: tuple[tuple[str, tuple[Block, ...]], ...]
    scope: Facts
    not_tested: Table | None
    glance: Table | None
    controls: tuple[Block, ...]
    items: tuple[Item, ...]
    filters: tuple[tuple[str, str], ...]
    identity: tuple[Part, ...]
    cut: tuple[str, ...]
