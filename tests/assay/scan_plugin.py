"""Detectors of another distribution, for tests of everything around a detector: installed by a folder on the path."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrails.core.control import Control
from guardrails.core.detector import Detection, Detector
from guardrails.core.registry import detectors
from guardrails.core.results.scan import ScanControl
from guardrails.core.targets import Modality
from guardrails.kit.io import encode_png, read_image
from guardrails.kit.progress import step

NAMES = {
    "bright": "Bright", "deadly": "Deadly", "slow": "Slow", "orphan": "Orphan", "named": "Named", "greedy": "Greedy",
    "steady": "Steady",
}  # fmt: skip


class Bright(Detector):
    """Calls bright pictures synthetic."""

    id = "own.bright"
    title = "Brightness"
    limits = "Everything."
    modalities = frozenset({Modality.IMAGE})
    controls = (Control("reference:vae-medical", "found"), Control("real:vae-medical", "clear"))

    @classmethod
    def open(cls, path: Path) -> Any:
        return read_image(path)

    def fit(self, items: Any, labels: Any, *, sources: Any = None) -> Bright:
        return self

    calibrate = fit

    def score(self, items: Sequence[Any]) -> list[Detection]:
        print("a library that prints")
        return [self.one(float(item.mean()) / 255, item) for item in items]

    def one(self, score: float, item: Any) -> Detection:
        if score > 0.99:
            raise ZeroDivisionError("too bright")
        verdict = "synthetic" if score > 0.5 else "nothing found"
        return Detection("", score, score, verdict, ("brightness",), "own", likelihood_ratio=score / (1 - score))


class Deadly(Bright):
    """Dies of black pictures, as a decoder might, and hangs on white ones."""

    id = "own.deadly"

    def one(self, score: float, item: Any) -> Detection:
        if score == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if score == 1:
            time.sleep(60)
        return super().one(score, item)


class Slow(Bright):
    """Takes its time."""

    id = "own.slow"

    def one(self, score: float, item: Any) -> Detection:
        time.sleep(0.02)
        return super().one(score, item)


class Greedy(Bright):
    """Takes ever more memory for black pictures."""

    id = "own.greedy"

    def one(self, score: float, item: Any) -> Detection:
        taken = []
        while score == 0:
            taken.append(np.ones(2_000_000))
            time.sleep(0.005)
        return super().one(score, item)


class Steady(Bright):
    """Takes long and says all the while that it gets on."""

    id = "own.steady"

    def one(self, score: float, item: Any) -> Detection:
        for _ in range(60):
            time.sleep(0.05)
            step()
        return super().one(score, item)


class Named(Bright):
    """Has an argument."""

    id = "own.named"
    takes = "a file or a folder"

    def __init__(self, argument: str) -> None:
        self.argument = argument


class Orphan(Bright):
    """Kills the process that started its own, once."""

    id = "own.orphan"

    def one(self, score: float, item: Any) -> Detection:
        mark = Path(os.environ["ORPHAN_MARK"])
        if 0.3 < score < 0.7 and not mark.exists():
            mark.write_text(str(os.getppid()))
            os.kill(os.getppid(), signal.SIGKILL)
        return super().one(score, item)


def install(folder: Path) -> Path:
    """Install this module as a distribution in a folder; return the folder, to be put on the path."""
    about = folder / "own_scan-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: own-scan\nVersion: 1.0\n")
    lines = [f"{name} = own_scan:{cls}" for name, cls in NAMES.items()]
    (about / "entry_points.txt").write_text("\n".join(["[guardrails.detectors]", *lines, ""]))
    (folder / "own_scan.py").write_text(Path(__file__).read_text())
    return folder


@contextmanager
def installed(folder: Path) -> Iterator[Path]:
    """As `install`, for this process and the ones that it starts."""
    install(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(folder), *sys.path])
        patch.setenv("PYTHONPATH", str(folder))
        patch.setattr("guardrails.assay.scan.run.kept_outcome", known_outcome)
        importlib.invalidate_caches()
        detectors.cache_clear()
        detectors()  # loads the plugin, which patches `kept_outcome` too, before a test patches it otherwise
        yield folder
    importlib.invalidate_caches()
    detectors.cache_clear()
    sys.modules.pop("own_scan", None)


def outcome(name: str, **changes: Any) -> dict[str, Any]:
    """Return what a detector that behaves makes of its controls."""
    return {
        "detector": name, "behaved": True, "auc": 0.9, "low": 0.8, "high": 0.95, "n": [100, 100],
        "controls": ["reference:a", "real:a"], "missing": False, "reason": None,
    } | changes  # fmt: skip


def control(name: str, **changes: Any) -> ScanControl:
    """Return the same as an outcome of a scan."""
    return ScanControl.model_validate(outcome(name, **changes))


def known_outcome(name: str) -> ScanControl | None:
    """Take the controls of these detectors as shown: they behave."""
    from guardrails.assay.scan.detector_controls import kept_outcome

    return control(name) if name.startswith("own.") else kept_outcome(name)


def summary(run: Path) -> dict[str, Any]:
    """Return the summary of a run without what it used, which differs from run to run."""
    values: dict[str, Any] = json.loads((run / "summary.json").read_text())
    assert values.pop("cost")["items"] == values["files"]
    return values


def picture(value: int, side: int = 16) -> bytes:
    """Return a PNG of one grey."""
    pixels = np.full((side, side, 3), value, np.uint8)
    return encode_png(pixels)


def rows(run: Path) -> list[dict[str, Any]]:
    """Return the rows of a run."""
    return [json.loads(line) for line in (run / "scan.jsonl").read_text().splitlines()]


if __name__ == "own_scan" and "guardrails.assay.scan.run" in sys.modules:  # in a process of its own that scans
    sys.modules["guardrails.assay.scan.run"].kept_outcome = known_outcome  # type: ignore[attr-defined]
