"""The smaller commands: generate, train, report, list, schema, doctor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import numpy as np
import pytest

from generators.base import find_generator
from guardrails import cli
from guardrails.cli import doctor, generate
from guardrails.core.errors import ConfigurationError
from guardrails.kit.io import read_image


class Texts:
    """Stands for a generator of texts."""

    modality = "text"
    asked: list[tuple[int, int]] = []

    @classmethod
    def load(cls, **doses: float) -> Texts:
        return cls()

    def sample(self, n: int, *, seed: int) -> list[Any]:
        print("a library that prints")
        self.asked.append((n, seed))
        return [f"<{seed % 97}.{i}>" for i in range(n)]


class Pictures(Texts):
    """Stands for a generator of pictures."""

    modality = "image"

    def sample(self, n: int, *, seed: int) -> list[Any]:
        return list(np.random.default_rng(seed).integers(0, 256, (n, 5, 4, 3), dtype=np.uint8))


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> type[Texts]:
    cls: type[Texts] = request.param
    cls.asked = []
    monkeypatch.setattr("generators.base.find_generator", lambda name: cls)
    return cls


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("generator", [Texts], indirect=True)
def test_generate_writes_texts_in_chunks(
    generator: type[Texts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "CHUNK", 4)
    assert cli.run(["generate", "some,pii=0.5", "-n", "10", "--seed", "3", "--out", str(tmp_path / "out")]) == 0
    assert [n for n, _ in generator.asked] == [4, 4, 2]
    assert len({seed for _, seed in generator.asked}) == 3
    rows = [json.loads(line) for line in (tmp_path / "out" / "outputs.jsonl").read_text().splitlines()]
    assert [row["item"] for row in rows] == list(range(10))
    assert len({row["text"] for row in rows}) == 10
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest == {"generator": "some", "doses": {"pii": 0.5}, "modality": "text", "n": 10, "seed": 3, "chunk": 4}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("generator", [Pictures], indirect=True)
def test_generate_writes_the_same_pictures_for_the_same_seed(generator: type[Texts], tmp_path: Path) -> None:
    for name, seed in [("a", 0), ("b", 0), ("c", 1)]:
        assert cli.run(["generate", "some", "-n", "3", "--seed", str(seed), "--out", str(tmp_path / name)]) == 0
    a, b, c = (files(tmp_path / name) for name in "abc")
    assert sorted(a) == ["000000.png", "000001.png", "000002.png", "manifest.json"]
    assert a == b != c
    assert read_image(tmp_path / "a" / "000000.png").shape == (5, 4, 3)


@pytest.mark.parametrize("generator", [Texts], indirect=True)
def test_generate_mixes_nothing_into_a_folder_in_use(
    generator: type[Texts], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    before = files(tmp_path)
    for out in (tmp_path, tmp_path / "mine.txt"):
        assert cli.run(["generate", "some", "--out", str(out)]) == 2
        assert "is not an empty folder" in capsys.readouterr().err
    assert files(tmp_path) == before


def test_train_calls_the_generator_s_own_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def train_all(folder: Path, *, seed: int) -> list[Path]:
        (folder / "some.safetensors").write_text(str(seed))
        return [folder / "some.safetensors"]

    module = SimpleNamespace(train_all=train_all)
    monkeypatch.setattr("generators.base.find_generator", lambda name: SimpleNamespace(__module__="some_module"))
    monkeypatch.setitem(sys.modules, "some_module", module)
    assert cli.run(["train", "generator", "some", "--out", str(tmp_path / "new"), "--seed", "5"]) == 0
    assert (tmp_path / "new" / "some.safetensors").read_text() == "5"
    assert capsys.readouterr().out == f"{tmp_path / 'new' / 'some.safetensors'}\n"


def test_train_says_where_there_is_nothing_to_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("generators.base.find_generator", lambda name: SimpleNamespace(__module__="json"))
    assert cli.run(["train", "generator", "some", "--out", str(tmp_path)]) == 2
    assert "nothing to train" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["probes", "detectors", "generators", "targets", "policies", "formats"])
def test_lists_are_the_same_for_people_and_machines(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["list", kind, "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert entries
    assert cli.run(["list", kind]) == 0
    table = capsys.readouterr().out
    for entry in entries:
        assert str(next(iter(entry.values()))) in table


def test_every_kind_of_target_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    from guardrails.targets import SCHEMES

    cli.run(["list", "targets", "--json"])
    listed = {entry["target"].partition(":")[0] for entry in json.loads(capsys.readouterr().out)}
    assert listed == set(SCHEMES)


def test_schema_is_a_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["schema"]) == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


def test_report_of_an_unfinished_run_says_how_to_finish_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"")
    assert cli.run(["report", str(tmp_path), "--format", "html"]) == 2
    assert f"guardrails audit --resume {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"{", b"{}", b"\xff\xfe", b'{"schema_version": "1.0", "value": NaN}'])
def test_report_of_something_else_is_one_message(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "result.json").write_bytes(content)
    assert cli.run(["report", str(tmp_path), "--format", "json"]) == 2
    captured = capsys.readouterr()
    assert "is not a result of this version" in captured.err
    assert captured.out == ""


def test_doctor_reports_what_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["doctor", "--json"]) == 0
    checks = {check["what"]: check for check in json.loads(capsys.readouterr().out)}
    for name in ("python", "torch", "numpy", "opencv-python", "OpenCV loads", "processor cores", "cache folder"):
        assert checks[name]["works"] is True, name
    assert cli.run(["doctor"]) == 0
    assert "transformers" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("message", "fix"),
    [
        ("ImportError: libGL.so.1: cannot open shared object file", "apt-get install libgl1"),
        ("ImportError: libgthread-2.0.so.0: cannot open shared object file", "apt-get install libglib2.0-0"),
        ("ModuleNotFoundError: No module named 'cv2'", "pip install --force-reinstall opencv-python"),
        ("", "pip install --force-reinstall opencv-python"),
    ],
)
def test_doctor_says_what_opencv_lacks(message: str, fix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, stdout="", stderr=f"Traceback …\n{message}\n" if message else "")
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: failed)
    check = doctor.opencv()
    assert (check.works, check.fix) == (False, fix)


def test_doctor_exits_2_where_something_required_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = doctor.Check("OpenCV loads", False, "libGL is missing", "apt-get install libgl1")
    monkeypatch.setattr(doctor, "opencv", lambda: broken)
    assert cli.run(["doctor"]) == 2
    assert "apt-get install libgl1" in capsys.readouterr().out


def test_the_generator_of_a_wrong_name_is_not_loaded() -> None:
    with pytest.raises(ConfigurationError, match="unknown reference generator"):
        find_generator("no-such")
