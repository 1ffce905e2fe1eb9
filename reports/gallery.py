"""A scan's gallery: one self-contained page that loads nothing, runs nothing, and shows names of files as text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from guardrails.core.results.scan import (
    SHOWN,
    FilePictures,
    ScanControl,
    ScanDetection,
    ScanResult,
    ScanRow,
    most_telling,
)

from .renderer import Renderer
from .text import clip, number, visible

TONES = {"synthetic": "bad", "manipulated": "bad", "nothing found": "none", "abstain": "unsure"}
SYMBOLS = {"synthetic": "●", "manipulated": "●", "nothing found": "○", "abstain": "?"}
BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
NAME, REASON = 300, 400
REASONS = 12
SEGMENTS = 200
ERRORS = 200
WIDE = 1000
"""Units of a timeline."""


@dataclass(frozen=True)
class Saying:
    """What one detector says of one file."""

    detector: str
    verdict: str
    tone: str
    symbol: str
    numbers: str
    reasons: tuple[str, ...]
    more: int
    segments: tuple[tuple[float, float], ...]
    timeline: str


SHOTS = {
    "heat": (
        "Evidence by place",
        "Evidence by place: where a detector sees it. Red speaks for synthetic, blue against it, grey for neither.",
    ),
    "error_levels": (
        "Error levels",
        "Error levels: how much a JPEG changes when it is saved once more. Edges and texture are bright anywhere.",
    ),
    "ghosts": (
        "JPEG ghosts",
        "JPEG ghosts: parts once saved at a quality of their own; flat black is bright too. No verdict rests on it.",
    ),
}
"""Pictures beside the thumbnail: their names, and what the page says of them."""


@dataclass(frozen=True)
class Card:
    """One file of the gallery."""

    name: str
    ratio: str
    facts: str
    notes: tuple[str, ...]
    thumbnail: str | None
    shots: tuple[tuple[str, str], ...]
    """What is shown beside the thumbnail, and its pixels."""
    sayings: tuple[Saying, ...]


class ScanHtml(Renderer[ScanResult]):
    """The page of a scan: the rows with the largest likelihood ratios.

    Pictures are made when the files are scanned, by ``guardrails scan --format html``: from a stored result the page
    has none, and says so.
    """

    format = "html"
    accepts = ScanResult
    title = "the files with the largest likelihood ratios; pictures where it is made while scanning"

    def render(self, result: ScanResult, *, run_folder: Path | None = None) -> bytes:
        return render_gallery(gallery_of(result)).encode()


@dataclass(frozen=True)
class Gallery:
    """What the page shows.

    Attributes
    ----------
    result : ScanResult
    shown : sequence of ScanRow
        See `most_telling`.
    more : int
        How many rows with detections are not shown.
    errors : sequence of ScanRow
        The first rows that could not be read.
    """

    result: ScanResult
    shown: Sequence[ScanRow]
    more: int
    errors: Sequence[ScanRow]


def gallery_of(result: ScanResult) -> Gallery:
    """Read the rows of a scan once, and keep those that the page shows."""
    scored = 0
    errors: list[ScanRow] = []

    def watched() -> Iterator[ScanRow]:
        nonlocal scored
        for row in result.rows():
            scored += bool(row.detections)
            if row.error is not None and len(errors) < ERRORS:
                errors.append(row)
            yield row

    shown = most_telling(watched(), result.believed, SHOWN)
    return Gallery(result, shown, scored - len(shown), errors)


def render_gallery(gallery: Gallery) -> str:
    """Return the page. All texts of a result are untrusted."""
    from .html import _environment, _markup, _style, csp_hash

    style, result = _style() + _own_style(), gallery.result
    pictures = result.pictures or (FilePictures(),) * len(gallery.shown)
    return (
        _environment()
        .get_template("gallery.html.j2")
        .render(
            style=_markup(style),
            style_hash=csp_hash(style),
            title=f"{result.files:,} file{'' if result.files == 1 else 's'} scanned",
            sentence=_sentence(gallery),
            tally=_tally(result),
            controls=[_control(control, result) for control in result.controls],
            left_out=[(_name(name), visible(why)) for name, why in result.left_out.items()],
            cards=[_card(row, p, result.believed) for row, p in zip(gallery.shown, pictures, strict=True)],
            more=gallery.more,
            pictureless=bool(gallery.shown) and not result.pictures,
            shots=[said for name, (_, said) in SHOTS.items() if any(getattr(p, name) for p in pictures)],
            errors=[(_name(row.path), clip(visible(row.error or ""), REASON)) for row in gallery.errors],
            errors_more=result.errors - len(gallery.errors),
        )
    )


@cache
def _own_style() -> str:
    return files("reports").joinpath("templates/gallery.css").read_text("utf-8")


def _sentence(gallery: Gallery) -> str:
    result = gallery.result
    kinds = ", ".join(f"{n:,} {visible(kind)} file{'' if n == 1 else 's'}" for kind, n in result.types.items())
    said = f"{kinds}. Duplicates: {result.duplicates:,}; errors: {result.errors:,}."
    if gallery.shown and not any(row.best(result.believed) for row in gallery.shown):
        return f"{said} No detector that behaved on its controls gives a likelihood ratio: the order is the scan’s."
    return f"{said} Sorted by the largest likelihood ratio that a detector gives which behaved on its controls."


def _tally(result: ScanResult) -> list[tuple[str, str, str]]:
    counts: Counter[str] = Counter()
    for verdicts in result.verdicts.values():
        counts.update({str(word): n for word, n in verdicts.items()})
    return [(TONES[word], SYMBOLS[word], f"{counts[word]:,} {word}") for word in TONES if word in counts]


def _control(control: ScanControl, result: ScanResult) -> dict[str, Any]:
    reading = "no reading"
    if control.auc is not None:
        n = f"{control.n[0]} + {control.n[1]} items"
        reading = f"AUC {control.auc:.2f} [{control.low:.2f}, {control.high:.2f}] on {n}"
    counts = result.verdicts.get(control.detector, {})
    return {
        "detector": _name(control.detector),
        "tone": "good" if control.behaved else "bad",
        "symbol": "✓" if control.behaved else "✗",
        "word": "behaved" if control.behaved else "failed: its verdicts are withheld",
        "reading": reading,
        "reason": visible(control.reason or ""),
        "measured_on": visible(control.measured_on or ", ".join(control.controls)),
        "verdicts": ", ".join(f"{n:,} {word}" for word, n in counts.items()) or "no file",
    }


def _card(row: ScanRow, pictures: FilePictures, believed: Set[str]) -> Card:
    best = row.best(believed)
    seconds = _measure(row, "seconds")
    return Card(
        name=_name(row.path),
        ratio="–" if best is None or best.likelihood_ratio is None else number(best.likelihood_ratio),
        facts=_facts(row),
        notes=tuple(visible(note) for note in row.notes),
        thumbnail=_jpeg(pictures.thumbnail),
        shots=tuple((what, shot) for name, (what, _) in SHOTS.items() if (shot := _jpeg(getattr(pictures, name)))),
        sayings=tuple(_saying(detection, seconds) for detection in row.detections),
    )


def _name(text: str) -> str:
    return clip(visible(text), NAME)


def _jpeg(base64: str | None) -> str | None:
    return f"data:image/jpeg;base64,{base64}" if base64 and BASE64.fullmatch(base64) else None


def _measure(row: ScanRow, name: str) -> float | None:
    """Return a number among the facts of a file; a stored result may hold anything there."""
    value = row.facts.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _facts(row: ScanRow) -> str:
    parts = [f"{visible(row.type)}, {visible(row.format)}"]
    width, height, seconds = (_measure(row, name) for name in ("width", "height", "seconds"))
    if width is not None and height is not None:
        parts.append(f"{width:.0f} × {height:.0f}")
    if seconds is not None:
        parts.append(f"{seconds:,.1f} s")
    return ", ".join(parts)


def _saying(detection: ScanDetection, seconds: float | None) -> Saying:
    numbers = []
    if detection.likelihood_ratio is not None:
        numbers.append(f"ratio {number(detection.likelihood_ratio)}")
    if detection.probability is not None:
        numbers.append(f"probability {detection.probability:.2f}")
    if detection.score is not None:
        numbers.append(f"score {number(detection.score)}")
    reasons = [clip(visible(reason), REASON) for reason in detection.reasons]
    segments = detection.segments[:SEGMENTS]
    return Saying(
        detector=_name(detection.detector),
        verdict=detection.verdict,
        tone=TONES[detection.verdict],
        symbol=SYMBOLS[detection.verdict],
        numbers=", ".join(numbers) or "no score",
        reasons=tuple(reasons[:REASONS]),
        more=max(0, len(reasons) - REASONS),
        segments=_places(segments, seconds),
        timeline="; ".join(f"{start:.1f} to {end:.1f} s" for start, end, _ in segments),
    )


def _places(segments: Sequence[Sequence[Any]], seconds: float | None) -> tuple[tuple[float, float], ...]:
    """Start and width of each segment, in units of the timeline."""
    whole = max([seconds or 0.0, *(end for _, end, _ in segments)], default=0.0)
    if not segments or whole <= 0:
        return ()
    return tuple(
        (round(WIDE * start / whole, 1), max(4.0, round(WIDE * (end - start) / whole, 1))) for start, end, _ in segments
    )
