"""Markdown (CommonMark with GitHub's tables): the same tree as HTML, without charts and pictures.

No ``<`` ever reaches the page and no character of a model's output keeps a meaning in Markdown.
"""

from __future__ import annotations

import re
from pathlib import Path

from guardrails.core.results import AuditResult

from .glossary import GLOSSARY
from .renderer import Renderer
from .sections import page
from .text import visible
from .tree import Block, Cell, Command, Excerpt, Facts, Figure, Item, Mark, Page, Part, Pictures, Prose, Table
from .trim import fitted

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SPECIAL = re.compile(r"[\\`*_{}\[\]|~!$^#@]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_START = re.compile(r"^(\d*)((?<=\d)[.)](?=\s|$)|(?<!\d)[-+=:])")


class AuditMarkdown(Renderer[AuditResult]):
    """The report as Markdown; pictures are named by their path in the run's folder."""

    format = "markdown"
    accepts = AuditResult
    title = "the report as CommonMark with tables, for a pull request or a wiki"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        return fitted(lambda caps: _write(page(result, caps))).encode()


def _write(tree: Page) -> str:
    out = [f"# {tree.mark.symbol} {escape(tree.verdict)}", escape(f"{tree.kicker}. {tree.sentence}")]
    out.append(" · ".join(escape(_mark(m)) for m in tree.tally))
    out += [_table(t) for t in tree.matrices]
    if tree.headlines:
        lines = [f"- **{escape(h.title)}**: {escape(_mark(h.mark))}, {escape(h.text)}" for h in tree.headlines]
        out += [f"## {tree.headlines_title}", "\n".join(lines + ([f"- {tree.more}"] if tree.more else []))]
    out.append("## What was audited")
    for name, blocks in tree.audited:
        out += [f"**{escape(name)}**", *(block_text(block) for block in blocks)]
    out.append(_facts(tree.scope))
    out += ["## What was not tested", _table(tree.not_tested) if tree.not_tested else "Nothing was named."]
    if tree.glance:
        out += ["## All checks at a glance", _table(tree.glance)]
    if tree.controls:
        out += ["## Controls of frameworks", *(block_text(block) for block in tree.controls)]
    out.append("## Findings")
    for item in tree.items:
        out += _item(item)
    out.append("## Identity of this run")
    for part in tree.identity:
        out += _part(part, "###")
    out += ["## Terms", _facts(Facts(GLOSSARY))]
    if tree.cut:
        out += ["## Left out of this page", "\n".join(f"- {escape(note)}" for note in tree.cut)]
    out.append("This report is evidence about the checks that ran, not legal advice.")
    return "\n\n".join(filter(None, out)) + "\n"


def escape(text: str) -> str:
    r"""Return text that Markdown shows as it is, on one line.

    Examples
    --------
    >>> escape("a|b <script> `x` *y* https://z")
    'a\\|b &lt;script&gt; \\`x\\` \\*y\\* https\\://z'
    """
    text = re.sub(r"\s+", " ", text).strip()
    text = _SPECIAL.sub(lambda m: "\\" + m.group(), text)
    text = re.sub(r"[&<>]", lambda m: _ENTITIES[m.group()], text)
    return _START.sub(r"\1\\\2", text)


def _mark(mark: Mark) -> str:
    return f"{mark.symbol} {mark.word}".strip()


def _item(item: Item) -> list[str]:
    out = [f"### {item.mark.symbol} {escape(item.title)}", f"{escape(item.about)}"]
    out.append(f"**{escape(item.mark.word)}: {escape(item.reading)}.** {escape(item.sentence)}")
    out += [block_text(block) for block in item.lead]
    for part in item.parts:
        out += _part(part, "####")
    return out


def _part(part: Part, heading: str) -> list[str]:
    return [f"{heading} {escape(part.title)}", *(block_text(block) for block in part.blocks)]


def block_text(block: Block) -> str:
    """Return a block as Markdown."""
    match block:
        case Prose(text=text):
            return escape(text)
        case Facts():
            return _facts(block)
        case Table():
            return _table(block)
        case Figure(table=table):
            return _table(table)
        case Excerpt(caption=caption, text=text, redacted=redacted):
            return f"{escape(caption)}{' (redacted)' if redacted else ''}:\n\n{_quote(text)}"
        case Pictures(caption=caption, paths=paths):
            return f"{escape(caption)}, pictures: {', '.join(escape(visible(p)) for p in paths)}"
        case Command(text=text):
            return _command(text)


def _facts(facts: Facts) -> str:
    return "\n".join(f"- {escape(name)}: {escape(value)}" for name, value in facts.pairs)


def _table(table: Table) -> str:
    width = max([len(table.columns), *(len(row) for row in table.rows)])
    lines = [[escape(c) for c in table.columns], ["---"] * width, *([_cell(c) for c in row] for row in table.rows)]
    lines = [line + [""] * (width - len(line)) for line in lines]
    return f"{escape(table.caption)}:\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: str | Cell) -> str:
    if isinstance(cell, str):
        return escape(cell)
    parts = [_mark(cell.mark) if cell.mark else "", cell.text, f"({cell.below})" if cell.below else ""]
    lines = [escape(" ".join(p for p in parts if p)), *(_cell(line) for line in cell.lines)]
    return "; ".join(line for line in lines if line)


def _quote(text: str) -> str:
    lines = []
    for line in text.strip("\n").split("\n"):
        body = line.lstrip(" \t")
        indent = "\u00a0" * min(len(line.expandtabs(4)) - len(body.expandtabs(4)), 40)
        lines.append(f"> {indent}{escape(body)}".rstrip(" "))
    return "\\\n".join(lines)


def _command(text: str) -> str:
    if re.search(r"[<>&]", text):
        return f"> {escape(text)}"
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 3)
    return f"{fence}sh\n{text}\n{fence}"
