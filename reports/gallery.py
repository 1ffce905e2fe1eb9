"""A scan's gallery: one self-contained page that loads nothing, runs nothing, and shows names of files as text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from guardrails.core.errors import ConfigurationError
from guardrails.core.results.scan import ScanResult

from .renderer import Renderer
from .text import clip, number, visible

Row = Mapping[str, Any]

TONES = {"synthetic": "bad", "manipulated": "bad", "nothing found": "none", "abstain": "unsure"}
SYMBOLS = {"synthetic": "●", "manipulated": "●", "nothing found": "○", "abstain": "?"}
BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
NAME, REASON = 300, 400
REASONS = 12
SEGMENTS = 200
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
    """The page with pictures of ``guardrails scan --format html``.

    Its pictures are made when the files are scanned: a stored result has none.
    """

    format = "html"
    accepts = ScanResult
    title = "a gallery of the largest likelihood ratios, made while scanning"

    def render(self, result: ScanResult, *, run_folder: Path | None = None) -> bytes:
        if result.gallery is None:
            raise ConfigurationError(
                "the pictures of a gallery are made while scanning; give the scan's own command again with "
                "--resume and --format html"
            )
        return render_gallery(result.gallery).encode()


def render_gallery(gallery: Mapping[str, Any]) -> str:
    """Return the page of ``guardrails scan --format html``.

    Parameters
    ----------
    gallery : mapping
        ``summary``, ``shown``, ``more`` and ``errors``, as the scan has them. All texts in it are untrusted.
    """
    from .html import _environment, _markup, _style, csp_hash

    style = _style() + _own_style()
    summary = gallery["summary"]
    return (
        _environment()
        .get_template("gallery.html.j2")
        .render(
            style=_markup(style),
            style_hash=csp_hash(style),
            title=_title(summary),
            sentence=_sentence(summary, gallery),
            tally=_tally(summary),
            controls=[_control(outcome, summary) for outcome in summary["controls"]],
            left_out=[(_name(name), visible(why)) for name, why in summary["left_out"].items()],
            cards=[_card(entry) for entry in gallery["shown"]],
            more=gallery["more"],
            shots=[said for name, (_, said) in SHOTS.items() if any(e[name] for e in gallery["shown"])],
            errors=[(_name(row["path"]), clip(visible(row["error"]), REASON)) for row in gallery["errors"]],
            errors_more=summary["errors"] - len(gallery["errors"]),
        )
    )


@cache
def _own_style() -> str:
    return files("reports").joinpath("templates/gallery.css").read_text("utf-8")


def _title(summary: Row) -> str:
    n = summary["files"]
    return f"{n:,} file{'' if n == 1 else 's'} scanned"


def _sentence(summary: Row, gallery: Mapping[str, Any]) -> str:
    kinds = ", ".join(f"{n:,} {visible(kind)}" for kind, n in summary["types"].items())
    rated = sum(entry["ratio"] is not None for entry in gallery["shown"])
    said = f"{kinds}. Duplicates: {summary['duplicates']:,}; errors: {summary['errors']:,}."
    if rated == 0 and gallery["shown"]:
        return f"{said} No detector that behaved on its controls gives a likelihood ratio: the order is the scan’s."
    return f"{said} Sorted by the largest likelihood ratio that a detector gives which behaved on its controls."


def _tally(summary: Row) -> list[tuple[str, str, str]]:
    counts: dict[str, int] = {}
    for verdicts in summary["verdicts"].values():
        for word, n in verdicts.items():
            counts[word] = counts.get(word, 0) + n
    return [(TONES[word], SYMBOLS[word], f"{counts[word]:,} {word}") for word in TONES if word in counts]


def _control(outcome: Row, summary: Row) -> dict[str, Any]:
    reading = "no reading"
    if outcome["auc"] is not None:
        low, high = outcome["low"], outcome["high"]
        reading = f"AUC {outcome['auc']:.2f} [{low:.2f}, {high:.2f}] on {outcome['n'][0]} + {outcome['n'][1]} items"
    counts = summary["verdicts"].get(outcome["detector"], {})
    return {
        "detector": _name(outcome["detector"]),
        "tone": "good" if outcome["behaved"] else "bad",
        "symbol": "✓" if outcome["behaved"] else "✗",
        "word": "behaved" if outcome["behaved"] else "failed: its verdicts are withheld",
        "reading": reading,
        "reason": visible(outcome["reason"] or ""),
        "measured_on": visible(outcome.get("measured_on") or ", ".join(outcome["controls"])),
        "verdicts": ", ".join(f"{n:,} {word}" for word, n in counts.items()) or "no file",
    }


def _card(entry: Mapping[str, Any]) -> Card:
    row = entry["row"]
    seconds = row["facts"].get("seconds")
    return Card(
        name=_name(row["path"]),
        ratio="–" if entry["ratio"] is None else number(entry["ratio"]),
        facts=_facts(row),
        notes=tuple(visible(note) for note in row["notes"]),
        thumbnail=_jpeg(entry["thumbnail"]),
        shots=tuple((what, found) for name, (what, _) in SHOTS.items() if (found := _jpeg(entry[name]))),
        sayings=tuple(_saying(detection, seconds) for detection in row["detections"]),
    )


def _name(text: str) -> str:
    return clip(visible(text), NAME)


def _jpeg(base64: str | None) -> str | None:
    return f"data:image/jpeg;base64,{base64}" if base64 and BASE64.fullmatch(base64) else None


def _facts(row: Row) -> str:
    facts = row["facts"]
    parts = [f"{visible(row['type'])}, {visible(row['format'])}"]
    if "width" in facts:
        parts.append(f"{facts['width']} × {facts['height']}")
    if "seconds" in facts:
        parts.append(f"{facts['seconds']:,.1f} s")
    return ", ".join(parts)


def _saying(detection: Row, seconds: float | None) -> Saying:
    numbers = []
    if detection["likelihood_ratio"] is not None:
        numbers.append(f"ratio {number(detection['likelihood_ratio'])}")
    if detection["probability"] is not None:
        numbers.append(f"probability {detection['probability']:.2f}")
    if detection["score"] is not None:
        numbers.append(f"score {number(detection['score'])}")
    reasons = [clip(visible(reason), REASON) for reason in detection["reasons"]]
    segments = detection["segments"][:SEGMENTS]
    return Saying(
        detector=_name(detection["detector"]),
        verdict=detection["verdict"],
        tone=TONES[detection["verdict"]],
        symbol=SYMBOLS[detection["verdict"]],
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
