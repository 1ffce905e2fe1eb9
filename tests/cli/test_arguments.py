"""Arguments that are empty, very long, of the wrong kind or not readable end in one line and exit code 2."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from guardrails import cli
from guardrails.assay.audit.dry_run import dry_run
from guardrails.assay.run_folder import locked
from guardrails.cli._endings import MAX_LINE
from guardrails.cli.train import LOCK, _train
from guardrails.core.errors import ConfigurationError

LONG = "n" * 5000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, which holds a file of texts."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.jsonl").write_text('{"text": "some words that a model wrote"}\n' * 3)
    return tmp_path


WRITERS = [
    "audit jsonl:texts.jsonl --probes quality.collapse --budget quick",
    "scan texts.jsonl --detectors deepfake.metadata",
    "index texts.jsonl",
    "generate ar-molecules -n 1",
    "bench --detectors deepfake.metadata --generators gan-art",
    "train descriptor",
]


@pytest.mark.parametrize("place", [("--out", ""), ("--out=",)], ids=str)
@pytest.mark.parametrize("command", [*WRITERS, "report run --format json"])
def test_an_empty_out_is_not_the_current_folder(
    command: str, place: tuple[str, ...], folder: Path, capsys: Any
) -> None:
    assert cli.run([*command.split(), *place]) == 2
    assert "--out is empty" in capsys.readouterr().err
    assert [file.name for file in folder.iterdir()] == ["texts.jsonl"]


@pytest.mark.parametrize("words", [["audit", ""], ["index", "", "--out", "x"], ["report", "", "--format", "json"]])
def test_an_empty_argument_is_refused(words: list[str], folder: Path, capsys: Any) -> None:
    assert cli.run(words) == 2
    assert f"the argument after {words[0]} is empty" in capsys.readouterr().err
    assert [file.name for file in folder.iterdir()] == ["texts.jsonl"]


@pytest.mark.parametrize("key", ["target", "corpus", "prompts"])
def test_an_empty_name_in_a_plan_is_a_mistake(key: str, folder: Path) -> None:
    (folder / "plan.toml").write_text(f'{key} = ""\n')
    with pytest.raises(ConfigurationError, match=f"1 mistake in plan plan.toml:\n  {key}: "):
        dry_run(plan=Path("plan.toml"))


@pytest.mark.skipif(sys.platform == "win32", reason="other names and codes there")
@pytest.mark.parametrize("out", ["texts.jsonl", "texts.jsonl/below", "/dev/null/below", LONG, "a/" + LONG], ids=len)
@pytest.mark.parametrize("command", WRITERS)
def test_a_folder_that_cannot_be_made_is_a_mistake(
    command: str, out: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("it was begun")

    monkeypatch.setattr("guardrails.training.copy_descriptor.train_shipped", never)
    assert cli.run([*command.split(), "--out", out]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ")
    assert "start again" not in err
    assert len(err) < MAX_LINE + 50
    if out.endswith("below"):
        assert f"cannot make this folder: {out}: Not a directory" in err


@pytest.mark.parametrize("name", [LONG, "w " * 2500, "d/" * 2500])
def test_a_very_long_name_is_clipped(name: str, capsys: Any) -> None:
    for words in (
        ["audit", name], ["audit", f"jsonl:{name}"], ["audit", "jsonl:texts.jsonl", "--corpus", name],
        ["audit", "--plan", name], ["audit", "--resume", name], ["scan", name, "--out", "x"],
        ["index", name, "--out", "x"], ["bench", name, "--out", "x"], ["generate", name, "--out", "x"],
        ["report", name, "--format", "json"], ["policy", "check", name], ["train", "detector", name], ["list", name],
    ):  # fmt: skip
        assert cli.run(words) == 2, words[:2]
        err = capsys.readouterr().err
        assert err.startswith("error: ")
        assert max(map(len, err.splitlines())) < MAX_LINE + 50, words[:2]


def test_an_index_leaves_no_lock_in_a_folder_that_is_none(folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other" / "notes").write_text("mine")
    assert cli.run(["index", "texts.jsonl", "--out", "other"]) == 2
    assert [file.name for file in (folder / "other").iterdir()] == ["notes"]
    assert cli.run(["index", "texts.jsonl", "--out", "made"]) == 0
    assert cli.run(["index", "texts.jsonl", "--out", "made"]) == 0


def test_two_trainings_do_not_meet(folder: Path, capsys: Any) -> None:
    def train(out: Path, *, seed: int) -> list[Path]:
        with pytest.raises(ConfigurationError, match="a run is under way in weights"):
            _train(train, out, seed, "twice")
        (out / "made").write_text("a")
        return [out / "made"]

    _train(train, Path("weights"), 0, "once")
    assert [file.name for file in (folder / "weights").iterdir()] == ["made"]
    lock = locked(folder / "weights" / LOCK)
    assert cli.run(["train", "descriptor", "--out", "weights"]) == 2
    assert "a run is under way in weights" in capsys.readouterr().err
    lock.close()


def test_a_self_check_is_announced_before_its_data_are_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []

    def assays(_: Any) -> Any:
        assert heard[0].startswith("no target is named: this is the self-check")
        return [], []

    monkeypatch.setattr("guardrails.assay.audit.dry_run.Scope.assays", assays)
    (folder / "plan.toml").write_text('budget = "quick"\n')
    dry_run(plan=Path("plan.toml"), tell=heard.append)
    assert len(heard) == 1


def test_a_dry_self_check_runs_no_control_and_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrails.core.registry import load_probe

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("it was run")

    probe = type(load_probe("quality.collapse"))
    for method in ("collect", "measure"):
        monkeypatch.setattr(probe, method, never)
    forecasts = dry_run(probes="quality.collapse").forecasts
    assert len(forecasts) == len(probe.controls)
    assert all(forecast.runs and forecast.samples for forecast in forecasts)


def reads_badly() -> bool:
    """Whether the system has a regular file that opens and cannot be read."""
    return os.path.isfile("/proc/self/mem")


@pytest.mark.skipif(not reads_badly(), reason="there is no file that opens and cannot be read")
def test_a_file_that_opens_and_cannot_be_read(folder: Path, capsys: Any) -> None:
    for words in (
        ["index", "/proc/self/mem", "--out", "x"], ["audit", "jsonl:/proc/self/mem", "--dry-run"],
        ["audit", "jsonl:texts.jsonl", "--corpus", "/proc/self/mem", "--dry-run"],
        ["report", "/proc/self/mem", "--format", "json"],
    ):  # fmt: skip
        assert cli.run(words) == 2
        err = capsys.readouterr().err
        assert "mem" in err
        assert "cannot be read" in err
    assert cli.run(["scan", "/proc/self/mem", "--detectors", "deepfake.metadata", "--out", "scan"]) == 0
    (row,) = map(json.loads, (folder / "scan" / "scan.jsonl").read_text().splitlines())
    assert (row["error"], row["detections"]) == ("cannot be read: Input/output error", [])
    assert "not read: /proc/self/mem: cannot be read: Input/output error" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_policy_whose_link_leads_to_itself(folder: Path, capsys: Any) -> None:
    (folder / "loop.toml").symlink_to("loop.toml")
    assert cli.run(["policy", "check", "loop.toml"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: policy loop.toml")
    assert "defect" not in err
