"""Resuming: of the same inputs only, and nothing that runs code or reaches a network unless it is named again."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from guardrails import cli
from guardrails.assay.audit.inputs import Inputs
from guardrails.assay.audit.journal import Journal
from guardrails.assay.audit.orchestrator import how_to_resume, run_audit
from guardrails.assay.audit.plan import Settings
from guardrails.assay.resume import check_named, resume_command, to_be_named
from guardrails.core.errors import ConfigurationError, JournalError

from .. import fakes
from .audit_inputs import given, texts

MODULE = """
from pathlib import Path
Path({mark!r}).write_text("imported")
def model(prompts):
    return ["yes"] * len(prompts)
"""


class CutError(Exception):
    """Ends a run after its first batch."""


def cut(step: Any) -> None:
    raise CutError


@pytest.mark.parametrize("name", ["target", "corpus", "holdout", "reference"])
def test_an_input_that_changed_since_is_named(tmp_path: Path, name: str) -> None:
    inputs = given(tmp_path)
    with pytest.raises(CutError):
        run_audit(**inputs, out=tmp_path / "run", progress=cut)
    file = Path(str(inputs[name]).removeprefix("jsonl:"))
    before, times = file.read_bytes(), (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    file.write_bytes(before.replace(b"e", b"a"))  # as long as before, and with the same times
    os.utime(file, ns=times)
    label = "target jsonl:" if name == "target" else f"--{name} "
    with pytest.raises(ConfigurationError, match=rf"^{label}{file}: changed since the run in .* began; put it back"):
        run_audit(resume=tmp_path / "run")
    assert not (tmp_path / "run" / "result.json").exists()
    file.write_bytes(before)
    result, _ = run_audit(resume=tmp_path / "run")
    record = result.targets[0].inputs[name]
    assert record.sha256 == hashlib.sha256(before).hexdigest()
    assert (record.files, record.bytes) == (1, len(before))


def test_a_file_that_is_gone_or_was_added_is_a_change(tmp_path: Path) -> None:
    inputs = given(tmp_path) | {"corpus": tmp_path / "corpus"}
    run_audit(**inputs, out=tmp_path / "run")
    more = texts(tmp_path / "corpus" / "more.jsonl", "more", 1)
    with pytest.raises(ConfigurationError, match=r"--corpus .*1 file of \d+ bytes then, 2 files of \d+ bytes now"):
        run_audit(resume=tmp_path / "run")
    more.rename(tmp_path / "holdout" / "texts.jsonl")
    with pytest.raises(ConfigurationError, match=r"^--holdout "):
        run_audit(resume=tmp_path / "run")
    (tmp_path / "holdout" / "texts.jsonl").unlink()
    with pytest.raises(ConfigurationError, match=r"--holdout .*it is not there now"):
        run_audit(resume=tmp_path / "run")


def test_the_exchanged_file_of_the_command_line_exits_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CutError):
        run_audit(**given(tmp_path), out=tmp_path / "run", progress=cut)
    texts(tmp_path / "out.jsonl", "no")
    assert cli.run(["audit", "--resume", str(tmp_path / "run")]) == 2
    assert "changed since the run in" in capsys.readouterr().err


@pytest.mark.parametrize("resumed", [False, True])
def test_an_input_that_changes_while_the_run_is_under_way_leaves_no_result(tmp_path: Path, resumed: bool) -> None:
    inputs, run = given(tmp_path), tmp_path / "run"

    def change(step: Any) -> None:
        texts(tmp_path / "corpus" / "texts.jsonl", "another", 3)

    place: dict[str, Any] = {**inputs, "out": run}
    if resumed:
        with pytest.raises(CutError):
            run_audit(**inputs, out=run, progress=cut)
        place = {"resume": run}
    before = (tmp_path / "corpus" / "texts.jsonl").read_bytes()
    with pytest.raises(JournalError, match=r"--corpus .*: changed while the run in .* was under way.*no result"):
        run_audit(**place, progress=change)
    assert not (run / "result.json").exists()
    (tmp_path / "corpus" / "texts.jsonl").write_bytes(before)
    with pytest.raises(ConfigurationError, match=r"was under way .*; the run cannot be resumed"):
        run_audit(resume=run)


def test_objects_have_to_be_the_same(tmp_path: Path) -> None:
    target = fakes.FakeTarget(0.3)
    with pytest.raises(CutError):
        run_audit(target, corpus=["a", "b"], out=tmp_path / "run", progress=cut)
    with pytest.raises(ConfigurationError, match=r"--corpus python object: list: changed since"):
        run_audit(target, corpus=["a", "c"], resume=tmp_path / "run")
    with pytest.raises(ConfigurationError, match=r"target python object: FakeTarget: changed since"):
        run_audit(fakes.FakeTarget(0.4), corpus=["a", "b"], resume=tmp_path / "run")
    with pytest.raises(ConfigurationError, match=r"begun with --corpus python object: list, not other"):
        run_audit(target, corpus="other", resume=tmp_path / "run")
    with pytest.raises(ConfigurationError, match=r"was given corpus as a python object: list; give the same object"):
        run_audit(target, resume=tmp_path / "run")
    with pytest.raises(ConfigurationError, match=r"was given target as a python object: FakeTarget; give the same"):
        run_audit(corpus=["a", "b"], resume=tmp_path / "run")
    result, _ = run_audit(target, corpus=["a", "b"], resume=tmp_path / "run")
    assert result.targets[0].inputs["corpus"].bytes == 2


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (["ab", "c"], ["a", "bc"]),
        ([np.zeros((2, 3), np.uint8)], [np.zeros((3, 2), np.uint8)]),
        (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [2, 1]})),
        (np.zeros((2, 4)), np.ones((2, 4))),
        (pd.Series(["a", "b"]), pd.Series(["a", "c"])),
        (dict.fromkeys(["a", "b"]), dict.fromkeys(["a", "c"])),
        (np.array([["a", 1]], object), np.array([["a", 2]], object)),
        ([{"text": "a"}], [{"text": "b"}]),
        (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": ["1", "2"]})),
        (pd.DataFrame({"a": [None, "x"]}, dtype=object), pd.DataFrame({"a": ["None", "x"]}, dtype=object)),
    ],
)
def test_objects_are_told_by_their_content(tmp_path: Path, one: Any, two: Any) -> None:
    settings = Settings(corpus="python object: x")
    first, second, again = (
        Inputs(settings, {"corpus": value}, tmp_path).records()["corpus"].sha256 for value in (one, two, one)
    )
    assert first == again != second


def test_another_current_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts(tmp_path / "corpus.jsonl", "a", 3)
    run = (tmp_path / "run").resolve()
    run_audit(f"jsonl:{texts(tmp_path / 'out.jsonl', 'yes')}", corpus="corpus.jsonl", out=run)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    with pytest.raises(ConfigurationError, match=r"not there now\); put it back \(relative paths begin at .*/other\)"):
        run_audit(resume=run)
    monkeypatch.chdir(tmp_path)
    assert run_audit(resume=run)[0].exit_code in (0, 1, 3)


def test_an_object_without_a_hash_is_not_taken_for_the_one_before(tmp_path: Path) -> None:
    def words() -> Any:
        return (word for word in ("a", "b"))

    with pytest.raises(CutError):
        run_audit(fakes.FakeTarget(0.3), corpus=words(), out=tmp_path / "run", progress=cut)
    with pytest.raises(ConfigurationError, match=r"--corpus python object: generator: whether it is .* cannot be told"):
        run_audit(fakes.FakeTarget(0.3), corpus=words(), resume=tmp_path / "run")


@pytest.mark.parametrize(
    "changed", [{"seed": 5}, {"budget": "thorough"}, {"probes": "other.*"}, {"policy": "strict"},
                {"fail_on": "critical"}, {"columns": "a,b"},
                {"roles": {"id": "a"}}, {"text_field": "body"}, {"recognizers": "own.toml"}]
)  # fmt: skip
def test_options_of_a_resumed_run_are_those_that_it_began_with(tmp_path: Path, changed: dict[str, Any]) -> None:
    target, begun = fakes.FakeTarget(0.3), {"seed": 3, "budget": "quick", "probes": "fake.*"}
    with pytest.raises(CutError):
        run_audit(target, **begun, out=tmp_path / "run", progress=cut)
    name = next(iter(changed))
    with pytest.raises(ConfigurationError, match=f"was begun with {name} = .*; leave it out to resume"):
        run_audit(target, **begun | changed, resume=tmp_path / "run")
    (tmp_path / "plan.toml").write_text("seed = 4\n")
    with pytest.raises(ConfigurationError, match="was begun with seed = 3, not 4"):
        run_audit(target, plan=tmp_path / "plan.toml", resume=tmp_path / "run")
    with pytest.raises(ConfigurationError, match=r"is resumed there; leave out=.*other' out"):
        run_audit(target, out=tmp_path / "other", resume=tmp_path / "run")
    result, _ = run_audit(target, **begun, out=tmp_path / "run", resume=tmp_path / "run")
    assert result.seed == 3


def test_a_stranger_s_module_is_not_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mark = tmp_path / "mark"
    (tmp_path / "strange_model.py").write_text(MODULE.format(mark=str(mark)))
    named = "python:strange_model:model"
    with pytest.raises(CutError):
        run_audit(named, out=tmp_path / "run", progress=cut)
    mark.unlink()
    del sys.modules["strange_model"]
    words = ["audit", "--resume", str(tmp_path / "run")]
    assert cli.run(words) == 2
    message = capsys.readouterr().err
    assert f"guardrails audit {named} --resume {tmp_path / 'run'}" in message
    assert len(message.splitlines()) == 1
    assert cli.run([words[0], "python:other:model", *words[1:]]) == 2
    assert "was begun with the target python:strange_model:model, not python:other:model" in capsys.readouterr().err
    assert not mark.exists()
    assert how_to_resume(tmp_path / "run") == f"guardrails audit {named} --resume {tmp_path / 'run'}"
    (tmp_path / "strange_model.py").write_text(MODULE.format(mark=str(mark)).replace("yes", "no"))
    assert cli.run([words[0], named, *words[1:]]) == 2
    assert "target python:strange_model:model: changed since" in capsys.readouterr().err
    assert not mark.exists()
    (tmp_path / "strange_model.py").write_text(MODULE.format(mark=str(mark)))
    assert cli.run([words[0], named, *words[1:]]) in (1, 3, 4)
    assert mark.exists()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"target": "python:a:b"}, ["target"]),
        ({"target": "hf:somebody/model"}, ["target"]),
        ({"target": "hf:."}, []),
        ({"target": "chat:hf:."}, []),
        ({"target": "chat:python:module:function"}, ["target"]),
        ({"target": "elsewhere:http://127.0.0.1/"}, ["target"]),
        ({"target": "jsonl:a"}, []),
        ({"target": "reference:gpt-text"}, []),
        ({"target": "python object: Model"}, []),
        ({}, []),
        ({"options": {"memorization.copies.descriptor": "net.pt"}}, ["descriptor"]),
        ({"options": {"memorization.copies.descriptor": "net.onnx"}}, []),
        ({"options": {"privacy.pii.recognizers": "mine.toml"}}, []),
    ],
)
def test_what_runs_code_or_reaches_a_network_is_named_again(settings: dict[str, Any], named: list[str]) -> None:
    given = Settings(**settings)
    assert list(to_be_named(given)) == named
    values = settings | {name.rpartition(".")[2]: value for name, value in given.options.items()}
    assert all(str(values[name]) in resume_command(given, Path("run")) for name in named)
    if named:
        with pytest.raises(ConfigurationError, match="If you trust it, name it again"):
            check_named(given, {}, Path("run"))
    check_named(given, {name: values[name] for name in named}, Path("run"))


@pytest.mark.parametrize(
    "settings", [[], {"seed": "x"}, {"unknown": 1}, {"target": 3}, "text", {"roles": {"x": ["y"]}}, {"budget": "huge"}]
)
def test_settings_that_are_none_are_one_message(tmp_path: Path, settings: Any) -> None:
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.put("settings", settings)
    with pytest.raises(JournalError, match="not the settings of an audit"):
        run_audit(resume=tmp_path)


@pytest.mark.parametrize("inputs", [None, 3, "text", {"corpus": {}}, {"corpus": {"name": "a", "sha256": 3}}])
def test_a_journal_that_does_not_say_what_was_given_is_refused(tmp_path: Path, inputs: Any) -> None:
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.add_plan([], {"settings": {}, "sources": "the code", "inputs": inputs})
    with pytest.raises(JournalError, match="does not say what the run was given"):
        run_audit(resume=tmp_path)
