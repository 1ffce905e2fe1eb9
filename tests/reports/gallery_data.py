"""A gallery with everything in it, all names hostile."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image as Pillow

from guardrails.core.results.scan import ScanResult, ScanRow
from reports.gallery import Gallery

HOSTILE = "a\u202egnp.exe\n\x1b[31m<script>alert(1)</script>\"'{{ 7 * 7 }}<img src=x onerror=alert(1)>.png"


def _jpeg(colour: str) -> str:
    buffer = io.BytesIO()
    Pillow.new("RGB", (120, 80), colour).save(buffer, "JPEG")
    return base64.b64encode(buffer.getvalue()).decode()


def _said(verdict: str, ratio: float | None, **more: Any) -> dict[str, Any]:
    return {
        "detector": f"own.{HOSTILE}", "score": 1.5, "probability": 0.9, "likelihood_ratio": ratio, "verdict": verdict,
        "reasons": [HOSTILE, "edges: +1.2"], "calibration": "x", "segments": [],
    } | more  # fmt: skip


def _row(name: str, kind: str, *said: dict[str, Any], **facts: Any) -> dict[str, Any]:
    return {
        "path": name, "sha256": "0" * 64, "size": 1, "type": kind, "format": "PNG", "facts": facts, "notes": [HOSTILE],
        "duplicate_of": None, "detections": list(said), "error": None,
    }  # fmt: skip


def gallery() -> Gallery:
    """Return what a scan's page is made from."""
    film = _said("manipulated", 12.0, segments=[[1.0, 2.5, 3.0], [4.0, 4.2, 1.0]])
    detector = f"own.{HOSTILE}"
    silent = _said("abstain", None, score=None, probability=None)
    entries = [
        (_row(HOSTILE, "image", _said("synthetic", 1234.5), width=640, height=480), "orange", "gray"),
        (_row("film.mp4", "video", film, seconds=6.0, width=64, height=64), "navy", None),
        (_row("silence.wav", "audio", silent, seconds=1.0), None, None),
        (_row("b/" * 400 + "long.png", "image", _said("nothing found", 0.002)), "green", None),
    ]  # fmt: skip
    outcome = {"behaved": True, "auc": 0.9, "low": 0.8, "high": 0.95, "n": [100, 90], "controls": [HOSTILE],
               "missing": False, "reason": None}  # fmt: skip
    summary = {
        "folder": "run", "paths": [HOSTILE], "files": 4000, "duplicates": 2, "errors": 1233,
        "types": {"audio": 1, "image": 3998, "video": 1},
        "verdicts": {detector: {"synthetic": 1, "nothing found": 1, "manipulated": 1, "abstain": 3000}},
        "controls": [
            outcome | {"detector": detector},
            outcome | {"detector": "own.b", "behaved": False, "auc": None, "reason": HOSTILE},
        ],
        "left_out": {"own.c": HOSTILE},
        "pictures": [
            {"thumbnail": t and _jpeg(t), "heat": h and _jpeg(h), "error_levels": h and _jpeg("black")}
            for _, t, h in entries
        ],
    }  # fmt: skip
    errors = [_row(name, "image") | {"error": error}
              for name, error in ((HOSTILE, "cut short " + HOSTILE), ("b", "cut short"))]  # fmt: skip
    return Gallery(
        ScanResult.model_validate(summary),
        [ScanRow.model_validate(row) for row, *_ in entries],
        3498,
        [ScanRow.model_validate(row) for row in errors],
    )
