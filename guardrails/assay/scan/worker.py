"""The process that decodes: it reads tasks and writes answers, a line of JSON each, until its input ends.

Decoders are written in C and read hostile files. Whatever they do to this process, the scan goes on.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, get_args

from ...core.detector import Detection, Detector, Verdict
from ...core.errors import STOPS, ContentError, GuardrailsError
from ...core.registry import load_detector
from ...core.targets import Modality
from ...kit.content import Content, facts_of
from ...kit.io import shown
from ...kit.progress import listening, step

if TYPE_CHECKING:
    Answer = dict[str, Any]

BEAT = 1.0
"""Seconds from one sign of life to the next."""


class Examiner:
    """Detectors that are loaded once and shown one file after the other.

    Parameters
    ----------
    names : sequence of str
        As `load_detector` takes them.
    told : callable, optional
        Told how many items of a detector's controls were shown, after each.
    """

    def __init__(self, names: Sequence[str], told: Callable[[int], None] | None = None) -> None:
        self._told = told
        self.detectors: dict[str, Detector] = {name: load_detector(name) for name in names}

    def answer(self, task: dict[str, Any]) -> Answer:
        """Do one task: what ``do`` names, with the other keys as its arguments."""
        doable: dict[str, Callable[..., Answer]] = {
            "examine": self.examine, "control": self.control, "show": self.show,
        }  # fmt: skip
        return doable[task.pop("do")](**task)

    def examine(self, path: str, modality: str | None, format: str) -> Answer:
        """Return ``facts``, ``notes``, ``detections`` and ``error`` of a file."""
        kind = Modality(modality) if modality else None
        answer: Answer = {"facts": {}, "notes": [], "detections": [], "error": None}
        try:
            answer["facts"] = facts = facts_of(Path(path), Content(kind, format))
            if facts.get("animated"):
                answer["notes"].append("animated: the first frame stands for it")
            chosen = {name: d for name, d in self.detectors.items() if kind in d.modalities}
            if not chosen:
                answer["notes"].append(unheard(kind))
            items: dict[Any, Any] = {}
            for name, detector in chosen.items():
                answer["detections"].append(detection_row(name, _attempt(detector, Path(path), items)))
                step()
        except ContentError as error:
            answer["error"] = str(error).removeprefix(f"{path}: ").removeprefix(f"{shown(path)}: ")
        except MemoryError:
            answer["error"] = "it needs more memory than there is"
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            answer["error"] = f"what reads it broke ({type(error).__name__}: {error})"
        return answer

    def control(self, name: str) -> Answer:
        """Return what a detector makes of its controls."""
        from .detector_controls import control_of

        return control_of(name, self.detectors[name], self._told).model_dump()

    def show(self, path: str, modality: str, detector: str | None) -> Answer:
        """Return what the gallery shows of a file: a thumbnail and, where a detector is named, its heat map."""
        from .pictures import pictures_of

        return pictures_of(Path(path), Modality(modality), self.detectors[detector] if detector else None)


def unheard(kind: Modality | None) -> str:
    """Return the note of a file that no detector was shown."""
    return f"no detector for {kind.value} was asked for" if kind else "no known kind of content"


def _attempt(detector: Detector, path: Path, items: dict[Any, Any]) -> Detection:
    """Score a file. Detectors that open it by the same method share what that returns: it is decoded once."""
    way = getattr(detector.open, "__func__", detector.open)
    if way not in items:
        items[way] = detector.open(path)
    try:
        return detector.score([items[way]])[0]
    except GuardrailsError as error:
        return Detection(str(path), None, reasons=(str(error).removeprefix(f"{path}: "),))
    except STOPS:
        raise
    except BaseException as error:  # a defect in one detector must not take the other readings with it
        return Detection(str(path), None, reasons=(f"the detector broke ({type(error).__name__}: {error})",))


def detection_row(name: str, detection: Detection) -> Answer:
    """Return a detection as JSON has it, under the name that the detector was asked for by.

    >>> detection_row("a.b", Detection("x.png", None, reasons=("x.png: cut short",)))["reasons"]
    ['cut short']
    """
    if detection.score is not None and not math.isfinite(detection.score):
        detection = replace(detection, score=None, probability=None, likelihood_ratio=None, verdict="abstain",
                            reasons=("its score is not a number", *detection.reasons))  # fmt: skip
    if detection.verdict not in get_args(Verdict):  # a detector of another distribution may say more than it can know
        detection = replace(
            detection, verdict="abstain", reasons=(f"'{detection.verdict}' is no verdict", *detection.reasons)
        )
    return {
        "detector": name,
        "score": detection.score,
        "probability": detection.probability,
        "likelihood_ratio": _finite(detection.likelihood_ratio),
        "verdict": detection.verdict,
        "reasons": [reason.removeprefix(f"{detection.item}: ") for reason in detection.reasons],
        "calibration": detection.calibration,
        "segments": [[float(s.start), float(s.end), _finite(s.score)] for s in detection.segments],
    }


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: the largest double stands for it."""
    if value is None or math.isnan(value):
        return None
    return max(-sys.float_info.max, min(sys.float_info.max, float(value)))


def main() -> None:
    """Answer tasks from stdin to the end of it; what libraries print goes to stderr."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends this process
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    tasks = os.fdopen(os.dup(0), encoding="ascii")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # no decoder can read the tasks
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a whole terminal: the scan ends its workers itself
    Thread(target=_outlive_nobody, args=[os.getppid()], daemon=True).start()
    _one_thread()

    def told(shown: int) -> None:
        print(json.dumps({"shown": shown}), file=answers, flush=True)

    try:
        examiner = Examiner(json.loads(sys.argv[1]), told)
    except GuardrailsError as error:  # a wrong argument of a detector
        print(json.dumps({"problem": str(error)}), file=answers, flush=True)
        return
    print("{}", file=answers, flush=True)  # ready
    last = 0.0

    def live() -> None:
        nonlocal last
        if time.monotonic() - last > BEAT:
            last = time.monotonic()
            print(json.dumps({"live": True}), file=answers, flush=True)

    with listening(live):
        for line in tasks:
            print(json.dumps(examiner.answer(json.loads(line)), allow_nan=False), file=answers, flush=True)


def _outlive_nobody(parent: int) -> None:
    """End this process, whatever a decoder does, once the one that started it is gone."""
    while os.getppid() == parent:
        time.sleep(BEAT)
    os._exit(1)


def _one_thread() -> None:
    """The scan has a process a core; more threads would only get into each other's way."""
    from ...kit.video import opencv

    with suppress(GuardrailsError):  # without OpenCV pictures can still be scanned
        opencv().setNumThreads(1)


if __name__ == "__main__":
    main()
