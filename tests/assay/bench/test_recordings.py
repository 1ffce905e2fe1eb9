"""Recordings in a benchmark: their manifest, what is compared, means by kind."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from guardrails.assay.bench import run as module
from guardrails.assay.bench.recordings import holds_recordings, recording_items
from guardrails.assay.bench.run import bench
from guardrails.core.detector import Detection
from guardrails.core.errors import ConfigurationError
from guardrails.core.results.bench import BenchResult
from guardrails.core.targets import Modality
from guardrails.kit.sound import RATE
from reports import bench as reports

COLUMNS = ("path", "label", "system", "kind", "speaker", "source")


class Loudness:
    """Stands for a detector of speech: what it scores is how loud a recording is."""

    modalities = frozenset({Modality.AUDIO})

    def score(self, items: Sequence[Any]) -> list[Detection]:
        return [self._one(*item) for item in items]

    def _one(self, sound: np.ndarray, rate: int) -> Detection:
        assert rate == RATE
        level = float(np.sqrt((sound**2).mean()))
        return Detection("", level, verdict="synthetic" if level > 0.3 else "abstain")


def write(folder: Path, rows: Sequence[tuple[str, ...]], columns: Sequence[str] = COLUMNS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two loud systems, a quiet one, real speech of four sources; rates differ by class."""
    levels = {"vits": ("tts", 0.5), "glow": ("tts", 0.6), "gan": ("vocoder", 0.01), "real": ("real", 0.1)}
    rows, rng = [], np.random.default_rng(0)
    (tmp_path / "speech").mkdir()
    for system, (kind, level) in levels.items():
        real = system == "real"
        for i in range(8):
            name = f"{system}{i}.wav"
            rate = 8000 if real else 22050
            soundfile.write(tmp_path / "speech" / name, level * rng.uniform(0.9, 1.1) * np.ones(rate), rate)
            rows.append((name, "real" if real else "neural", system, kind, f"s{i // 2}", f"place {i // 2}"))
    return write(tmp_path / "speech", rows)


@pytest.fixture
def loudness(monkeypatch: pytest.MonkeyPatch) -> None:
    known = module.known_detectors()
    monkeypatch.setattr(module, "known_detectors", lambda: {**known, "own.loudness": Loudness})
    monkeypatch.setattr(
        module, "load_detector", lambda name, load=module.load_detector: Loudness() if "loud" in name else load(name)
    )


@pytest.mark.usefixtures("loudness")
def test_each_system_is_compared_with_the_real_speech_and_means_are_by_kind(folder: Path) -> None:
    result = bench([folder], detectors=["own.loudness"])
    assert {row.family: row.auc for row in result.tables.shipped} == {"vits": 1, "glow": 1, "gan": 0}
    assert all((row.n_generated, row.n_real) == (8, 8) for row in result.tables.shipped)
    assert {row.kind: (row.families, row.mean_auc) for row in result.tables.means} == {
        "": (3, pytest.approx(2 / 3)), "tts": (2, 1), "vocoder": (1, 0),
    }  # fmt: skip
    assert {row.source: (row.n, row.fpr) for row in result.tables.false_alarms} == {
        f"speech: place {i}": (2, 0) for i in range(4)
    }
    assert result.left_out == []
    assert result.cost is not None
    assert result.cost.items == 32
    page = reports.to_markdown(result)
    assert "| own.loudness | none | all | vocoder | 1 | 8 | 8 | 0.000" in page
    assert "| own.loudness | none | all | tts | generated | 16 | 2 | 16 | 0 | 0 | 1.000" in page
    assert "| own.loudness | none | all | tts | real | 8 | 4 | 0 | 0 | 8 | 0.000" in page
    assert "at 16 kHz" in page
    assert BenchResult.from_json(result.to_json()) == result


@pytest.mark.usefixtures("loudness")
def test_what_cannot_be_read_is_left_out_with_its_reason(folder: Path) -> None:
    (folder / "vits0.wav").write_text("no sound")
    (folder / "real3.wav").unlink()
    result = bench([folder], detectors=["own.loudness"])
    assert [row.what for row in result.left_out] == ["speech/vits0.wav", "speech/real3.wav"]
    assert {row.family: (row.n_generated, row.n_real) for row in result.tables.shipped}["vits"] == (7, 7)
    for path in folder.glob("*.wav"):
        path.unlink()
    with pytest.raises(ConfigurationError, match="none of the 32 recordings could be read"):
        bench([folder], detectors=["own.loudness"])


@pytest.mark.usefixtures("loudness")
def test_pictures_and_recordings_in_one_command(folder: Path) -> None:
    result = bench([folder], detectors=["own.loudness", "deepfake.npr"], generators=["gan-art"], n=20)
    assert {(row.detector, row.family) for row in result.tables.shipped} == {
        ("deepfake.npr", "gan-art"), ("own.loudness", "vits"), ("own.loudness", "glow"), ("own.loudness", "gan"),
    }  # fmt: skip
    assert "pictures" in result.settings.encoded
    assert "recordings" in result.settings.encoded


@pytest.mark.parametrize("names", [["deepfake.npr"], ["deepfake.n*"], ["own.loudness", "deepfake.npr"]])
@pytest.mark.usefixtures("loudness")
def test_a_detector_of_something_else_is_a_mistake(folder: Path, names: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"no detector of recordings is called 'deepfake\.n"):
        bench([folder], detectors=names)


@pytest.mark.usefixtures("loudness")
def test_data_that_no_chosen_detector_reads_are_a_mistake(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none of deepfake\.npr reads recordings"):
        bench([folder], detectors=["deepfake.npr"], generators=["gan-art"])


@pytest.mark.parametrize(
    ("rows", "columns", "why"),
    [
        ([("a.wav", "fake", "x", "tts", "s", "p")], COLUMNS, "not 'fake'"),
        ([("a.wav", "real", "", "", "s", "p")], COLUMNS, "no neural recording"),
        ([("a.wav", "neural", "x", "tts", "s", "p")], COLUMNS, "no real recording"),
        ([], COLUMNS, "no real and no neural recording"),
        ([("../a.wav", "real", "", "", "s", "p")], COLUMNS, "outside"),
        ([("a.wav", "real", "x")], COLUMNS[:3], "kind, source, speaker are missing"),
    ],
)
def test_a_manifest_that_is_wrong_says_how(tmp_path: Path, rows: Any, columns: Any, why: str) -> None:
    write(tmp_path, rows, columns)
    assert holds_recordings(tmp_path)
    with pytest.raises(ConfigurationError, match=why):
        recording_items(tmp_path)


def test_a_folder_of_pictures_holds_no_recordings(tmp_path: Path) -> None:
    assert not holds_recordings(tmp_path)
    write(tmp_path, [], ("path", "label", "family", "source"))
    assert not holds_recordings(tmp_path)
    (tmp_path / "manifest.csv").write_bytes(b"\xff\xfe\x00")
    assert not holds_recordings(tmp_path)
    (tmp_path / "manifest.csv").write_bytes(b"")
    assert not holds_recordings(tmp_path)
