"""Which files count as inputs of a run, and how they are hashed."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from guardrails import cli
from guardrails.assay.audit.inputs import Inputs, check_apart
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.audit.plan import Settings
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult, InputRecord

from .. import fakes
from .audit_inputs import given, texts


@pytest.mark.parametrize("place", [".", "run", "../linked/run", "link"])
@pytest.mark.parametrize("of", ["target", "corpus"])
def test_a_run_is_not_written_into_what_it_reads(tmp_path: Path, place: str, of: str) -> None:
    """Its files would be read as outputs or documents, and be a change of the input."""
    folder = tmp_path / "data"
    texts(folder / "texts.jsonl", "a", 3)
    (tmp_path / "linked").symlink_to(folder)
    (tmp_path / "elsewhere").mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    given = {"target": f"dir:{folder}"} if of == "target" else {"target": fakes.FakeTarget(0.3), "corpus": folder}
    with pytest.raises(ConfigurationError, match=r"the run's folder .* lies in (target|--corpus) .*another --out"):
        run_audit(**given, out=folder / place)
    assert not (folder / "run").exists()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_run_may_lie_in_the_folder_of_a_model(tmp_path: Path) -> None:
    """Of a model's folder only its own files are read."""
    (tmp_path / "model").mkdir()
    settings = Settings(target=f"hf:{tmp_path / 'model'}")
    check_apart(settings, tmp_path / "model" / "runs" / "one")
    with pytest.raises(ConfigurationError, match="lies in target hf:"):
        check_apart(settings, tmp_path / "model")


@pytest.mark.parametrize("form", ["", "chat:"])
def test_the_files_of_a_model_are_inputs_however_it_is_asked(tmp_path: Path, form: str) -> None:
    texts(tmp_path / "model" / "config.json", "a", 3)
    (record,) = Inputs(Settings(target=f"{form}hf:{tmp_path / 'model'}"), {}, tmp_path / "run").records().values()
    assert (record.name, record.files) == (f"{form}hf:{tmp_path / 'model'}", 1)
    with pytest.raises(ConfigurationError, match="lies in target"):
        check_apart(Settings(target=f"{form}hf:{tmp_path / 'model'}"), tmp_path / "model")


def test_what_cannot_be_hashed_is_left_out(tmp_path: Path) -> None:
    settings = Settings(corpus="python object: x", target="hf:somebody/model")
    assert Inputs(settings, {"corpus": iter("ab")}, tmp_path).records() == {}
    assert Inputs(settings, {"corpus": [object()]}, tmp_path).records() == {}


def test_the_run_s_own_folder_is_no_part_of_what_it_audits(tmp_path: Path) -> None:
    texts(tmp_path / "model" / "config.json", "a", 3)
    inputs = Inputs(Settings(target=f"hf:{tmp_path / 'model'}"), {}, tmp_path / "model" / "run")
    before = inputs.records()
    texts(tmp_path / "model" / "run" / "journal.sqlite", "b", 3)
    assert inputs.records() == before
    texts(tmp_path / "model" / "run2", "c", 3)
    assert inputs.records()["target"].files == before["target"].files + 1


def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    inputs = given(tmp_path)
    run_audit(**inputs, out=tmp_path / "run")
    inputs["corpus"].unlink()
    os.mkfifo(inputs["corpus"])
    with pytest.raises(ConfigurationError, match=r"--corpus .*changed since"):
        run_audit(resume=tmp_path / "run")


def test_the_result_and_the_report_state_the_inputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs = given(tmp_path)
    run_audit(**inputs, out=tmp_path / "run")
    result = AuditResult.from_json((tmp_path / "run" / "result.json").read_text())
    assert set(result.targets[0].inputs) == {"target", "corpus", "holdout", "reference"}
    assert cli.run(["report", str(tmp_path / "run"), "--format", "markdown"]) == 0
    out = capsys.readouterr().out
    assert all(
        hashlib.sha256(path.read_bytes()).hexdigest() in out for name, path in inputs.items() if name != "target"
    )


@pytest.mark.parametrize(
    ("edited", "seen"),
    [
        ("mine_of_tests.py", True),
        ("beside_of_tests.py", True),  # imported by the module
        ("deep_of_tests/inner/part.py", True),  # of a package that beside_of_tests imports
        ("parts_of_tests/data.py", True),  # of a package without __init__.py
        ("other_of_tests.py", False),  # imported by none
        ("deep_of_tests/notes.txt", False),
    ],
)
def test_an_edit_of_what_a_module_imports_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edited: str, seen: bool
) -> None:
    files = {
        "mine_of_tests.py": "import os, numpy\nimport beside_of_tests\n\ndef model(n): raise SystemExit\n",
        "beside_of_tests.py": "def later():\n from deep_of_tests.inner import part\n import parts_of_tests.data\n",
        "deep_of_tests/__init__.py": "import mine_of_tests\n",
        "deep_of_tests/inner/__init__.py": "",
        "deep_of_tests/inner/part.py": "broken(\n",
        "parts_of_tests/data.py": "",
        "other_of_tests.py": "",
        "deep_of_tests/notes.txt": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)

    def record() -> InputRecord:
        return Inputs(Settings(target="python:mine_of_tests:model"), {}, tmp_path / "run").records()["target"]

    before = record()
    assert before.files == 6
    assert record() == before
    (tmp_path / edited).write_text("edited = 1\n")
    assert (record() != before) is seen
    assert not {"mine_of_tests", "beside_of_tests"} & set(sys.modules)


def test_the_whole_package_of_a_module_is_hashed_and_of_an_installed_one_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "site-packages"
    for folder in (tmp_path, installed):
        (folder / "pack_of_tests" / "sub").mkdir(parents=True)
        (folder / "pack_of_tests" / "__init__.py").write_text("")
        (folder / "pack_of_tests" / "sub" / "mine.py").write_text(
            "from pack_of_tests import shared\nimport near_of_tests\n"
        )
        (folder / "pack_of_tests" / "shared.py").write_text("")
        (folder / "near_of_tests.py").write_text("")
    monkeypatch.chdir(tmp_path)
    settings = Settings(target="python:pack_of_tests.sub.mine:f")
    assert Inputs(settings, {}, tmp_path / "run").records()["target"].files == 4
    monkeypatch.syspath_prepend(installed)
    assert Inputs(settings, {}, tmp_path / "run").records()["target"].files == 3
    assert Inputs(Settings(target="python:absent_of_tests:f"), {}, tmp_path / "run").records() == {}
    monkeypatch.setattr("guardrails.assay.audit.inputs.MAX_SOURCES", 2)
    with pytest.raises(ConfigurationError, match="more than 2 Python files"):
        Inputs(settings, {}, tmp_path / "run").records()
