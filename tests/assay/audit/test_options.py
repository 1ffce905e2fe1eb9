"""Options of probes in an audit: given on a command line, in a plan or from Python; resumed, cached and reported."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from guardrails import cli
from guardrails.assay.audit.controls import options_sha256
from guardrails.assay.audit.journal import Journal
from guardrails.assay.audit.options import (
    changed_options,
    given_options,
    option_words,
    parse_assignments,
    read_given,
)
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.audit.plan import make_settings
from guardrails.core.batch import Batch, Row
from guardrails.core.errors import ConfigurationError, GuardrailsError, JournalError
from guardrails.core.options import ProbeOptions
from guardrails.core.results import AuditResult, Finding
from guardrails.core.subject import Subject
from guardrails.core.targets import Access

from .. import fakes

DESCRIPTOR = "memorization.copies.descriptor"


class OptionProbe(fakes.FakeProbe):
    """The share of yes, of a target that has none as its options say."""

    requires = frozenset({Access.OUTPUTS})

    class Options(ProbeOptions):
        share: float = Field(0.0, ge=0, le=1, description="of a target without an answer, the share of yes")
        size: int = Field(1, description="a number")
        strict: bool = Field(False, description="a switch")
        style: Literal["short", "long"] = Field("short", description="one of two")
        note: str = Field("none", description="a text")
        words: Path | None = Field(None, description="a file")

        def runs_code(self) -> dict[str, str]:
            return super().runs_code() | ({"note": "is an address"} if self.note.startswith("http") else {})

    options: Options

    def collect(self, subject: Subject, batch: Batch, *, seed: int) -> list[Row]:
        target: Any = subject.target
        if not hasattr(target, "answer"):
            target = fakes.FakeTarget(self.options.share)
        if self.options.note == "everything":
            target = fakes.FakeTarget(1.0)
        return [{"item": i.id, "yes": target.answer(i.fields["question"], seed)} for i in batch.items]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The probe above alone, in a folder with outputs, and a cache of its own."""
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fakes, "FakeProbe", OptionProbe)
    fakes.install(monkeypatch)
    monkeypatch.setattr("guardrails.assay.audit.options.probes", lambda: {OptionProbe.id: OptionProbe})
    monkeypatch.chdir(tmp_path)
    Path("out.jsonl").write_text('{"text": "a"}\n')
    Path("words.txt").write_text("yes\n")


def audited(*words: str, place: str = "run") -> tuple[int, Finding]:
    code = cli.run(["audit", "jsonl:out.jsonl", *words, "--out", place])
    (finding,) = AuditResult.from_json((Path(place) / "result.json").read_text()).findings
    return code, finding


def cut(step: Any) -> None:
    if step.done == 3:
        raise KeyboardInterrupt


def begun(**given: Any) -> Path:
    """Begin a run of the folder's outputs and cut it off."""
    with pytest.raises(KeyboardInterrupt):
        run_audit("jsonl:out.jsonl", **given, out="run", progress=cut)
    return Path("run")


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "share": st.floats(0, 1),
        "size": st.integers(-(2**63) + 1, 2**63 - 1),
        "strict": st.booleans(),
        "style": st.sampled_from(["short", "long"]),
        "note": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=50),
        "words": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=50),
    },
)


@given(VALUES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_command_sets_the_same_again(fake: None, values: dict[str, Any]) -> None:
    options = changed_options(read_given({f"fake.yes.{name}": value for name, value in values.items()}))
    words = shlex.split(shlex.join(option_words(options)))
    assert words[::2] == ["--set"] * len(options)
    assert changed_options(read_given(parse_assignments(words[1::2]))) == options
    assert json.loads(json.dumps(options)) == options


def test_the_command_line_sets_an_option_and_the_result_says_so(fake: None) -> None:
    assert audited()[0] == 0
    code, finding = audited("--set", "fake.yes.share=0.5", "--set", "fake.yes.style=short", place="set")
    assert code == 1
    assert finding.options == {"share": 0.5}
    assert "--set fake.yes.share=0.5 " in finding.command
    page = Path("set/report.html").read_text()
    assert "How it was set" in page
    assert "share = 0.5" in page
    assert "How it was set" not in Path("run/report.html").read_text()


def test_a_plan_sets_options_beneath_the_command_line(fake: None) -> None:
    plan = Path("plan.toml")
    plan.write_text('[probes."fake.yes"]\nshare = 0.5\nstrict = true\n')
    assert make_settings({}, plan).options == {"fake.yes.share": 0.5, "fake.yes.strict": True}
    assert audited("--plan", "plan.toml")[0] == 1
    code, finding = audited("--plan", "plan.toml", "--set", "fake.yes.share=0", place="other")
    assert (code, finding.options) == (0, {"strict": True})
    plan.write_text('[probes]\nonly = ["fake.*"]\nfake.yes.size = 7\n')
    made = make_settings({}, plan)
    assert (made.probes, made.options) == (("fake.*",), {"fake.yes.size": 7})
    assert make_settings({"probes": "fake.y*"}, plan).probes == ("fake.y*",)
    plan.write_text('probes = "fake.*"\n')
    assert make_settings({}, plan).probes == ("fake.*",)


def test_an_option_of_a_probe_that_is_left_out_is_a_mistake(fake: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrails.assay.audit import plan as module

    monkeypatch.setattr(module, "probes", lambda: {"fake.yes": OptionProbe, "fake.other": OptionProbe})
    given = {"options": {"fake.yes.share": 0.5}}
    with pytest.raises(ConfigurationError, match=r"fake\.yes\.share: the probe fake\.yes is not among those chosen"):
        make_settings(given | {"probes": "fake.o*"})
    for probes in ((), "fake.*", ("fake.other", "fake.yes")):
        assert make_settings(given | {"probes": probes}).options == {"fake.yes.share": 0.5}
    plan = Path("plan.toml")
    plan.write_text('[probes."fake.yes"]\nshare = 0.5\n')
    assert make_settings({"probes": "fake.o*"}, plan).options == {"fake.yes.share": 0.5}


def test_python_sets_an_option(fake: None) -> None:
    for options in ({"fake.yes.share": 0.5}, {"fake.yes": {"share": 0.5}}):
        result, _ = run_audit("jsonl:out.jsonl", options=options, out=f"run{len(str(options))}")
        assert (result.exit_code, result.findings[0].options) == (1, {"share": 0.5})
    with pytest.raises(ConfigurationError, match="write them by name"):
        run_audit("jsonl:out.jsonl", options=["fake.yes.share=0.5"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [b"x", ["a"], 3.5, float("nan"), pytest.param(10**5000, id="huge"), True, object(), "a\0b", Path("none"), {"x": 1}],
)
def test_a_value_of_another_kind_is_one_message(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=DESCRIPTOR) as raised:
        read_given(given_options({"options": {DESCRIPTOR: value}}), open_files=True)
    (line,) = raised.value.lines
    assert len(line) < 300


def test_options_that_hold_themselves_are_one_message() -> None:
    circle: dict[str, Any] = {}
    circle["memorization"] = circle
    with pytest.raises(ConfigurationError, match=r"^memorization\.memorization\.memorization: there is no such option"):
        read_given(given_options({"options": circle}))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "fake.yes.shar=1"], "fake.yes.shar: fake.yes has no such option. Did you mean 'share'?"),
        (["--set", "fake.yess.share=1"], "fake.yess.share: there is no such option. Did you mean 'fake.yes.share'?"),
        (["--set", "fake.yes=1"], "fake.yes: is a probe; write PROBE.OPTION. Its options: share, size"),
        (["--set", "fake.yes.share"], "write an option and its value, as in"),
        (["--set", "=1"], "write an option and its value, as in"),
        (["--set", "fake.yes.share=2"], "fake.yes.share: Input should be less than or equal to 1 (given: '2')"),
        (["--set", "fake.yes.share="], "fake.yes.share: is empty; give it a value, or leave it out"),
        (["--set", "fake.yes.words=none.txt"], "fake.yes.words: there is no 'none.txt'"),
        (["--set", "fake.yes.size=1", "--set", "fake.yes.size=2"], "fake.yes.size is given two values: 1 and 2"),
        (["--set", "fake.yes.note=a\udcffb"], "fake.yes.note: is no text that can be stored"),
        (["--resume", "run", "--set", "fake.yes.size=x", "--seed", "1"], "only TARGET, --set"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(
    fake: None, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["audit", "jsonl:out.jsonl", *words]) == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert message in printed
    assert "Traceback" not in printed
    assert not Path("guardrails-runs").exists()


@pytest.mark.parametrize(
    "text", [
        "[probes]" + "a = {" * 40 + "b = 1" + "}" * 40,
        "[probes." + ".".join("abcdefgh") + "]\nx = 1",
        '[probes."fake.yes"]\nshare = {a = 1}',
        '[probes."fake.yes"]\nshare = [[[[1]]]]',
        '[probes."fake.yes".share.deep]\nx = 1',
        '[probes."fake.yes"]\nsize = 2020-01-01',
        '[probes."fake.yes"]\nsize = true\nsizes = 3',
        '[probes."fake.yes"]\n"' + "x" * 900 + '" = 1',
        '[probes."fake.yes"]\nnote = "' + "x" * 500_000 + '"',
        '[probes."fake.yes"]\nnote = "a\\u0000b"',
        '[probes."fake.yes"]\n"" = 1',
        '[probes."fake.yes"]\nonly = 1',
        "[probes]\nonly = 3",
        "[probes]\nonly = {a = 1}",
        "[[probes]]\na = 1",
        "probes = 3",
        "[options]\na = 1",
        'descriptor = ["a"]',
    ],
)  # fmt: skip
def test_a_hostile_plan_is_one_short_message(fake: None, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("plan.toml").write_text(text)
    assert cli.run(["audit", "jsonl:out.jsonl", "--plan", "plan.toml", "--dry-run"]) == 2
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    assert len(printed) < 1500


def test_a_resumed_run_has_the_options_that_it_began_with(fake: None) -> None:
    folder = begun(options={"fake.yes.share": 0.5, "fake.yes.words": "words.txt"})
    for changed in ({"share": 0.4}, {"share": 0}, {"size": 2}, {"words": "other.txt"}, {"style": "long"}):
        (name,) = changed
        with pytest.raises(ConfigurationError, match=rf"was begun with fake\.yes\.{name} = .*, not .*; leave it out"):
            run_audit("jsonl:out.jsonl", options={"fake.yes": changed}, resume=folder)
    with pytest.raises(ConfigurationError, match=r"fake\.yes\.shar: "):
        run_audit(options={"fake.yes.shar": 0.4}, resume=folder)
    with Journal(folder / "journal.sqlite") as journal:
        assert journal.get("settings")["options"] == {"fake.yes.share": 0.5, "fake.yes.words": "words.txt"}
    again = {"fake.yes": {"share": "0.5", "size": 1, "words": "./words.txt"}}  # one of them is the default
    result, _ = run_audit(options=again, resume=folder)
    assert result.findings[0].options == {"share": 0.5, "words": "words.txt"}
    assert result.targets[0].inputs["fake.yes.words"].bytes == 4


def test_the_result_of_a_resumed_run_is_that_of_one_that_was_not_cut_off(fake: None) -> None:
    given: dict[str, Any] = {"fake.yes.share": 0.3}
    folder = begun(options=given)
    resumed, _ = run_audit(resume=folder)
    whole, _ = run_audit("jsonl:out.jsonl", options=given, out="whole")
    assert [f.measurement for f in resumed.findings] == [f.measurement for f in whole.findings]
    assert resumed.findings[0].measurement.value == pytest.approx(0.3, abs=0.1)  # type: ignore[union-attr]


def test_a_file_that_an_option_names_is_an_input(fake: None) -> None:
    folder = begun(options={"fake.yes.words": "words.txt"})
    Path("words.txt").write_text("no\n")
    with pytest.raises(ConfigurationError, match=r"--set fake\.yes\.words words\.txt: changed since the run"):
        run_audit(resume=folder)
    Path("words.txt").unlink()
    with pytest.raises(ConfigurationError, match="it is not there now"):
        run_audit(resume=folder)
    Path("words.txt").write_text("yes\n")
    assert run_audit(resume=folder)[0].exit_code == 0


def test_a_run_is_not_written_into_a_folder_that_an_option_names(fake: None) -> None:
    Path("folder").mkdir()
    with pytest.raises(ConfigurationError, match=r"lies in --set fake\.yes\.words folder"):
        run_audit("jsonl:out.jsonl", options={"fake.yes.words": "folder"}, out="folder/run")
    assert not list(Path("folder").iterdir())


@pytest.mark.parametrize("option", ["words=words.py", "note=http://127.0.0.1/judge"])
def test_what_runs_code_or_reaches_a_network_is_named_again(
    fake: None, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run's folder may come from a stranger."""
    Path("words.py").write_text("print()\n")
    name, _, value = option.partition("=")
    begun(options={f"fake.yes.{name}": value})
    assert cli.run(["audit", "--resume", "run"]) == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert f"If you trust it, name it again: guardrails audit --set fake.yes.{option} --resume run" in printed
    assert cli.run(["audit", "--set", f"fake.yes.{name}=else.py", "--resume", "run"]) == 2
    assert cli.run(["audit", "--set", f"fake.yes.{option}", "--resume", "run"]) == 0


@pytest.mark.parametrize(
    "options",
    [{"fake.yes.none": 1}, {"none.none.none": 1}, {"fake": 1}, {"": 1}, {"fake.yes.share": "x"}, {"a.b.c": {}}, 3],
)
def test_a_journal_with_options_that_are_none_is_one_message(fake: None, options: Any) -> None:
    folder = begun()
    with Journal(folder / "journal.sqlite") as journal:
        journal.put("settings", journal.get("settings") | {"options": options})
    with pytest.raises(JournalError, match="not the settings of an audit"):
        run_audit(resume=folder)


def test_the_settings_of_another_version_are_other_code(fake: None) -> None:
    folder = begun()
    with Journal(folder / "journal.sqlite") as journal:
        journal.put("settings", journal.get("settings") | {"descriptor": None})
        journal.put("sources", "other")
    with pytest.raises(ConfigurationError, match="guardrails or a library changed since"):
        run_audit(resume=folder)


@pytest.mark.slow
def test_controls_are_cached_by_the_options_that_they_were_run_with(fake: None) -> None:
    def cached(place: str, **options: Any) -> list[bool]:
        result, _ = run_audit("jsonl:out.jsonl", options={"fake.yes": options}, out=place)
        return [control.cached for control in result.findings[0].controls]

    assert cached("a") == cached("b", size=2) == cached("c", words="words.txt") == [False, False]
    assert cached("d") == cached("e", size=2) == cached("f", words="words.txt") == [True, True]
    Path("same.txt").write_text("yes\n")
    assert cached("g", words="same.txt") == [True, True]
    Path("same.txt").write_text("no\n")
    assert cached("h", words="same.txt") == [False, False]
    Path("folder").mkdir()
    assert cached("i", words="folder") == [False, False]
    assert cached("j", words="folder") == [True, True]
    Path("folder/a").touch()
    assert cached("k", words="folder") == [False, False]


def test_an_outcome_is_not_kept_where_the_file_changed_while_the_control_ran(fake: None) -> None:
    def change(step: Any) -> None:
        Path("words.txt").write_text(f"{step.done}\n")

    with pytest.raises(GuardrailsError, match="changed while"):
        run_audit("jsonl:out.jsonl", options={"fake.yes.words": "words.txt"}, out="a", progress=change)
    result, _ = run_audit("jsonl:out.jsonl", options={"fake.yes.words": "words.txt"}, out="b")
    assert [control.cached for control in result.findings[0].controls] == [False, False]


def test_a_control_that_fails_by_an_option_names_it(fake: None) -> None:
    """A recognizer that matches ordinary words: what is measured with it is not believed."""
    code, finding = audited("--set", "fake.yes.note=everything", "--set", "fake.yes.strict=true")
    assert (code, finding.status) == (4, "not-assessed")
    assert str(finding.reason).endswith("was found where clear was expected, with strict = True, note = everything")


def test_the_hash_is_of_contents_and_values() -> None:
    probe = OptionProbe()
    assert options_sha256(probe) == ""
    hashes: Sequence[str] = []
    for values in ({"size": 2}, {"size": 3}, {"share": 1}, {"strict": True}):
        probe.options = OptionProbe.Options(**values)  # type: ignore[arg-type]
        hashes = [*hashes, options_sha256(probe)]
    assert len(set(hashes)) == 4


def test_a_dry_run_takes_options_too(fake: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["audit", "jsonl:out.jsonl", "--set", "fake.yes.note=a b", "--dry-run"]) == 0
    assert "--set 'fake.yes.note=a b'" in capsys.readouterr().out


def test_the_self_check_takes_options_too(fake: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["audit", "--set", "fake.yes.size=2", "--out", "run"]) == 0
    findings = AuditResult.from_json(Path("run/result.json").read_text()).findings
    assert [f.options for f in findings] == [{"size": 2}] * 2


def test_the_list_of_probes_has_their_options(fake: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["list", "probes", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["options"]["share"]["description"] == "of a target without an answer, the share of yes"
    assert entry["options"]["size"]["default"] == 1
    assert cli.run(["list", "probes"]) == 0
    assert "share" in capsys.readouterr().out
