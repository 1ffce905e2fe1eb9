"""``guardrails grade``: label texts, and measure how often a grader errs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import ConfigurationError, ContentError
from ._console import Table, echo_json, only_data_on_stdout, progress, stdout
from ._new_folder import new_folder
from ._screen import note, show

if TYPE_CHECKING:
    from ..core.grading import ErrorCard, Gradable, Grade, GradedRate, Grader, LabelledControls

NOT_ASSESSED = 3


def grade(
    grader: Annotated[str, typer.Argument(help="vader, hf:FOLDER#LABEL, judge:FILE.toml or python:MODULE:FUNCTION.")],
    file: Annotated[Path, typer.Argument(help="Records that hold texts: JSON Lines, JSON, CSV or Parquet.")],
    text_field: Annotated[str, typer.Option(metavar="NAME", help="The field that holds the text or answer.")] = "text",
    prompt_field: Annotated[
        str | None, typer.Option(metavar="NAME", help="The field that holds the prompt: exchanges are graded.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(metavar="FIELD", help="The field that holds the true label: measure the error.")
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="VALUE=LABEL", help="Which value in FIELD means which label; may be repeated."),
    ] = None,
    domain: Annotated[
        str | None, typer.Option(metavar="NAME", help="The kind of text, by the name in the error card.")
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(help="An error card for correcting the rates; with --labels, the card to add these figures to."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A new folder for grades.jsonl and, with --labels, card.json.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Grade texts and print how often each label occurs; with --labels, measure sensitivity and specificity.

    Exit codes: 0 graded; 2 a wrong option or file; 3 no rate can be given, and the reason is said.
    """
    from ..core.grading import card_of

    if labels is not None and domain is None:
        raise ConfigurationError("--labels needs --domain NAME: an error holds for one kind of text, and is kept by it")
    if card is not None and domain is None:
        raise ConfigurationError("--card needs --domain NAME: which of the card's kinds of text these are")
    if map_ and labels is None:
        raise ConfigurationError("--map says which values of --labels FIELD are which label; FIELD is missing")
    with only_data_on_stdout():
        instrument, known = _load(grader, card)
        items, truth = _read(instrument, file, text_field, prompt_field, labels, map_)
        if repeated := len(items) - len(set(items)):
            note(f"{repeated:,} of {len(items):,} items repeat an earlier one: the intervals, which are those of "
                 "independent items, are too narrow")  # fmt: skip
        with new_folder(out) if out else nullcontext():
            grades = _graded(instrument, items)
            if truth is None or domain is None:
                rows = [_rate_row(rate) for rate in _rates(grades, instrument, known, domain)]
            else:
                options = {"--text-field": text_field, "--prompt-field": prompt_field, "--labels": labels}
                command = _command(grader, file, options, map_, domain)
                measured = _measure(grades, truth, instrument, domain, file, command)
                known = (known or card_of(instrument, grader)).with_domain(measured)
                rows = [_error_row(controls) for controls in measured]
            if out:
                lines = (json.dumps({"item": i} | asdict(grade)) for i, grade in enumerate(grades, 1))
                (out / "grades.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
                if truth is not None and known is not None:
                    (out / "card.json").write_text(known.to_json(), encoding="utf-8")
    _print(instrument, rows, _votes(grades), as_json=as_json)
    if out:
        note(f"wrote {out}")
    raise typer.Exit(NOT_ASSESSED if all(row.get("reason") for row in rows) else 0)


def _load(name: str, card: Path | None) -> tuple[Grader, ErrorCard | None]:
    """Return the grader, and the error card that was named or ships with it."""
    from ..core.grading import ErrorCard
    from ..core.registry import load_grader
    from ..kit.settings_file import read_bounded

    grader = load_grader(name)
    if card is None:
        known = grader.card
        if known is not None and not known.fits(grader):
            note("its measured error is of another version of this grader, and is left out")
            known = None
        return grader, known
    try:
        known = ErrorCard.from_json(read_bounded(card), str(card))
    except ContentError as error:
        raise ConfigurationError(*error.lines) from None
    known.check(grader)
    return grader, known


def _read(
    grader: Grader, file: Path, text_field: str, prompt_field: str | None, labels: str | None, pairs: list[str] | None
) -> tuple[list[Gradable], list[str] | None]:
    from ..graders.items import read_items, read_labels

    names: dict[str, str] = {}
    for pair in pairs or ():
        value, equals, label = pair.rpartition("=")
        if not equals or label not in grader.labels:
            raise ConfigurationError(f"--map {pair}: write VALUE=LABEL; the labels are {', '.join(grader.labels)}")
        if names.setdefault(value, label) != label:
            raise ConfigurationError(f"--map gives '{value}' two labels: {names[value]} and {label}")
    try:
        items = read_items(file, text_field, prompt_field)
        return items, read_labels(file, labels, grader.labels, names) if labels else None
    except ContentError as error:
        raise ConfigurationError(*error.lines) from None


def _graded(grader: Grader, items: Sequence[Gradable]) -> list[Grade]:
    from ..core.grading import BATCH

    grades: list[Grade] = []
    with progress() as report:
        for start in range(0, len(items), BATCH):
            report(start, len(items), "grading")
            grades += grader.grade(items[start : start + BATCH])
    return grades


def _rates(grades: Sequence[Grade], grader: Grader, card: ErrorCard | None, domain: str | None) -> list[GradedRate]:
    from ..core.grading import graded_rate

    if card is not None and domain not in card.domains:
        what = f"'{domain}' is none of" if domain else "--domain can name one of"
        note(f"the rates are not corrected: {what} the kinds of text that the error was measured on: "
             f"{', '.join(card.domains)}")  # fmt: skip
    return [graded_rate(grades, label, card.controls_for(domain, label) if card else None) for label in grader.labels]


def _measure(
    grades: Sequence[Grade], truth: Sequence[str], grader: Grader, domain: str, file: Path, command: str
) -> list[LabelledControls]:
    from ..core.grading import measure_error
    from ..kit.checksums import file_sha256

    digest = file_sha256(file)
    return measure_error(grades, truth, grader.labels, domain, data=file.name, data_sha256=digest, command=command)


def _command(grader: str, file: Path, options: dict[str, str | None], pairs: list[str] | None, domain: str) -> str:
    words = ["guardrails", "grade", grader, file.name]
    words += [word for name, value in options.items() if value is not None for word in (name, value)]
    words += [word for pair in pairs or () for word in ("--map", pair)]
    return shlex.join([*words, "--domain", domain])


def _rate_row(rate: GradedRate) -> dict[str, Any]:
    apparent = rate.apparent
    return {
        "label": rate.label,
        "rate": rate.value,
        "interval": None if rate.value is None else [rate.low, rate.high],
        "as graded": apparent and apparent.value,
        "n": rate.n,
        "could not grade": rate.ungraded,
        "method": rate.method,
        "reason": rate.reason,
        "note": rate.note,
        "sensitivity": rate.controls and rate.controls.sensitivity(),
        "specificity": rate.controls and rate.controls.specificity(),
        "domain": rate.controls and rate.controls.domain,
    }


def _error_row(controls: LabelledControls) -> dict[str, Any]:
    return {
        "label": controls.label,
        "sensitivity": controls.sensitivity(),
        "specificity": controls.specificity(),
        **controls.counts._asdict(),
        "could not grade": controls.ungraded_positive + controls.ungraded_negative,
        "domain": controls.domain,
    }


def _votes(grades: Sequence[Grade]) -> dict[str, Any]:
    """Return how far repeated answers of a judge agreed; empty for other graders."""
    shares = [grade.agreement for grade in grades if grade.agreement is not None]
    if not shares:
        return {}
    return {"mean agreement": sum(shares) / len(shares), "not unanimous": sum(share < 1 for share in shares)}


def _print(grader: Grader, rows: list[dict[str, Any]], votes: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        echo_json({"grader": grader.id, "identity": grader.identity(), "rows": rows, "votes": votes})
        return
    shown = [
        name
        for name in rows[0]
        if name not in ("reason", "note", "method") and any(row[name] is not None for row in rows)
    ]
    table = Table()
    for name in shown:
        table.add_column(name, overflow="fold", no_wrap=isinstance(rows[0][name], list | tuple))
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in shown))
    stdout().print(table)
    if votes:
        show(f"votes: {votes['mean agreement']:.0%} for the leading label on average; "
             f"{votes['not unanimous']} items not unanimous")  # fmt: skip
    show(*dict.fromkeys(row[name] for row in rows for name in ("reason", "note") if row.get(name)))
    show(f"limits: {grader.limits}")


def _cell(value: Any) -> str:
    match value:
        case None:
            return "none"
        case float():
            return f"{value:.3f}"
        case [float(low), float(high)]:
            return f"{low:.3f}–{high:.3f}"
        case [float(middle), float(low), float(high)]:
            return f"{middle:.3f} [{low:.3f}, {high:.3f}]"
    return str(value)
