"""Everything around a probe, with a probe and a target that cost nothing."""

import importlib.util
import json
import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from guardrails.assay.audit.findings import Reading, findings_of
from guardrails.assay.audit.journal import Journal
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.audit.plan import make_settings
from guardrails.assay.policy.policy import Policy, judge
from guardrails.assay.sources import sources_sha256, versions
from guardrails.core.errors import ConfigurationError, TargetError
from guardrails.core.results import AuditResult, Status

from ...soak.child import Child

FAKES = Path(__file__).parents[1] / "fakes.py"


PATIENCE = 300.0
"""Seconds that a process may take on a busy machine."""


def load_fakes():
    spec = importlib.util.spec_from_file_location("guardrails_test_fakes", FAKES)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


fakes = load_fakes()


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """The fake probe alone, and a cache of its own."""
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    fakes.install(monkeypatch)
    return fakes


def comparable(result: AuditResult) -> dict:
    return result.model_dump(mode="json", exclude={"timing"})


@pytest.mark.parametrize(
    ("rate", "status", "code"), [(0.0, Status.PASS, 0), (0.5, Status.FAIL, 1), (0.1, Status.INCONCLUSIVE, 3)]
)
def test_rate_to_status_to_exit_code(fake, tmp_path, rate, status, code):
    result, folder = run_audit(fake.FakeTarget(rate), out=tmp_path / "run")
    assert [f.status for f in result.findings] == [status]
    assert result.exit_code == code
    assert AuditResult.from_json((folder / "result.json").read_text()) == result


def test_the_policy_is_hashed_before_the_first_sample_and_stands_whole_in_the_result(fake, tmp_path):
    hashes = []

    class Watched(fake.FakeTarget):
        def answer(self, item, seed):
            if not hashes:  # an immutable connection: the run has the journal open
                with sqlite3.connect(f"file:{tmp_path / 'run' / 'journal.sqlite'}?mode=ro", uri=True) as db:
                    hashes.append(db.execute("SELECT body FROM log WHERE kind = 'set' AND name = 'policy'").fetchall())
            return super().answer(item, seed)

    result, _ = run_audit(Watched(0.1), out=tmp_path / "run")
    assert [json.loads(body) for (body,) in hashes[0]] == [result.policy_sha256]
    assert result.policy_record.sha256 == result.policy_sha256
    stored = AuditResult.from_json((tmp_path / "run" / "result.json").read_text())
    frozen = Policy.of(stored.policy_record)
    assert frozen.sha256 == stored.policy_sha256
    for finding in stored.findings:
        threshold = frozen.threshold(finding.probe, finding.measurement.metric)
        assert (threshold, judge(finding.measurement, threshold)[0]) == (finding.threshold, finding.status)


def test_controls_are_checked_and_cached(fake, tmp_path):
    first, _ = run_audit(fake.FakeTarget(0.0), out=tmp_path / "a")
    again, _ = run_audit(fake.FakeTarget(0.0), out=tmp_path / "b")
    assert [(c.source, c.observed, c.cached) for c in first.findings[0].controls] == [
        ("fake:always", "found", False),
        ("fake:never", "clear", False),
    ]
    assert all(c.cached for c in again.findings[0].controls)


def test_a_finding_spoilt_by_failed_items_names_the_first_error(fake, tmp_path, monkeypatch):
    whole = fake.FakeProbe.measure

    def collect(self, subject, batch, *, seed):
        named = [item.id for item in batch.items]
        return [{"item": i} | ({"error": f"no answer to {i}"} if i < "0020" else {"yes": False}) for i in named]

    def measure(self, rows, subject, *, seed):
        good = [row for row in rows if "error" not in row]
        errors = len(rows) - len(good)
        return [m.model_copy(update={"errors": errors}) for m in whole(self, good, subject, seed=seed)]

    fake.install(monkeypatch)
    monkeypatch.setattr(fake.FakeProbe, "controls", ())
    monkeypatch.setattr(fake.FakeProbe, "collect", collect)
    monkeypatch.setattr(fake.FakeProbe, "measure", measure)
    (finding,) = run_audit(fake.FakeTarget(0.0), out=tmp_path / "run")[0].findings
    assert finding.status is Status.NOT_ASSESSED
    assert finding.reason.startswith("20 of 200 items failed (10%); at most 5% may; the first: no answer to 00")


@pytest.mark.parametrize("blind", [0.0, 1.0])
def test_a_broken_probe_fails_its_control_and_is_not_believed(fake, tmp_path, monkeypatch, blind):
    """A probe that always says no (or always yes) misses its positive (or its negative) control."""
    whole = fake.FakeProbe.measure

    def broken(self, rows, subject, *, seed):
        return whole(self, [{**row, "yes": bool(blind)} for row in rows], subject, seed=seed)

    monkeypatch.setattr(fake.FakeProbe, "measure", broken)
    result, _ = run_audit(fake.FakeTarget(0.0), out=tmp_path / "run")
    finding = result.findings[0]
    assert finding.status is Status.NOT_ASSESSED
    assert "failed its control" in finding.reason
    assert result.exit_code == 4
    assert result.verdict == "control-failed"


def test_a_failed_control_is_never_cached(fake, tmp_path, monkeypatch):
    whole = fake.FakeProbe.measure
    monkeypatch.setattr(fake.FakeProbe, "measure", lambda self, rows, s, *, seed: whole(self, [], s, seed=seed))
    assert run_audit(fake.FakeTarget(0.0), out=tmp_path / "a")[0].exit_code == 4
    monkeypatch.setattr(fake.FakeProbe, "measure", whole)
    assert run_audit(fake.FakeTarget(0.0), out=tmp_path / "b")[0].exit_code == 0


def test_a_defect_in_a_probe_is_a_reason_not_a_traceback(fake, tmp_path, monkeypatch):
    target = fake.FakeTarget(0.0, "mine")
    monkeypatch.setattr(
        fake.FakeProbe, "collect", lambda self, subject, batch, *, seed: 1 / 0 if subject.target.name == "mine" else []
    )
    result, folder = run_audit(target, out=tmp_path / "run")
    assert "ZeroDivisionError" in (folder / "errors.log").read_text()
    assert result.exit_code == 4  # its controls brought nothing back either


@pytest.mark.parametrize("divisible", [True, False])
def test_a_target_that_gives_up_is_not_assessed(fake, tmp_path, monkeypatch, divisible):
    monkeypatch.setattr(fake.FakeProbe, "divisible", divisible)
    target = fake.FakeTarget(0.0)

    def answer(item, seed):
        raise TargetError("the model ran out of patience")

    monkeypatch.setattr(target, "answer", answer)
    result, _ = run_audit(target, out=tmp_path / "run")
    assert result.findings[0].status is Status.NOT_ASSESSED
    failed = "no rows; 200 items failed and none was assessed; the first: " if divisible else ""
    assert result.findings[0].reason == f"{failed}the model ran out of patience"
    assert result.exit_code == 3
    assert result.not_tested[0].why == result.findings[0].reason


def test_the_spike_says_recovery_and_the_smallest_dose(fake, tmp_path):
    spike = run_audit(fake.FakeTarget(0.0), out=tmp_path / "run")[0].findings[0].spike
    assert spike.recovery == 1.0
    assert spike.planted == 200
    # With n = 200 and a limit of .1 the Wilson interval lies above it from 31 of 200 on: .2 is the first such dose.
    assert spike.smallest_dose == 0.2
    already = run_audit(fake.FakeTarget(0.9), out=tmp_path / "b")[0].findings[0].spike
    assert already.smallest_dose is None
    assert "already" in already.reason


def test_the_same_seed_gives_the_same_result_and_another_seed_another(fake, tmp_path):
    runs = [run_audit(fake.FakeTarget(0.3), out=tmp_path / str(i), seed=s)[0] for i, s in enumerate([5, 5, 6])]
    values = [r.findings[0].measurement.value for r in runs]
    assert values[0] == values[1] != values[2]


def test_the_self_check_runs_the_controls_as_findings(fake, tmp_path, monkeypatch):
    result, _ = run_audit(None, out=tmp_path / "run")
    assert result.kind == "self-check"
    assert result.exit_code == 0
    assert {f.id: (f.expected, f.status) for f in result.findings} == {
        "fake.yes/yes_rate@fake:always": ("found", Status.FAIL),
        "fake.yes/yes_rate@fake:never": ("clear", Status.PASS),
    }
    whole = fake.FakeProbe.measure
    monkeypatch.setattr(fake.FakeProbe, "measure", lambda self, rows, s, *, seed: whole(self, [], s, seed=seed))
    assert run_audit(None, out=tmp_path / "blind")[0].exit_code == 4


def test_a_probe_without_its_package_is_named_and_the_others_are_checked(fake, tmp_path, monkeypatch):
    class Other(fake.FakeProbe):
        id = "fake.other"

        def not_installed(self):
            return ["rdkit"]

    everything = {fake.FakeProbe.id: fake.FakeProbe, Other.id: Other}
    for module in ("guardrails.core.registry", "guardrails.assay.audit.plan"):
        monkeypatch.setattr(f"{module}.probes", lambda: everything)
    result, _ = run_audit(None, out=tmp_path / "run")
    assert result.exit_code == 0
    (absent,) = [f for f in result.findings if f.expected is None]
    assert (absent.probe, absent.status, absent.reason) == ("fake.other", Status.NOT_ASSESSED, "missing: rdkit")
    assert run_audit(None, probes=["fake.other"], out=tmp_path / "alone")[0].exit_code == 4


def test_a_control_is_judged_by_the_headline_alone(fake):
    probe = fake.FakeProbe()
    (headline,) = probe.measure([{"yes": True}] * 50, None, seed=0)
    other = headline.model_copy(update={"metric": "other", "value": 0.0, "low": 0.0, "high": 0.1})
    rules = Policy("two", {(probe.id, metric): fake.THRESHOLD for metric in ("yes_rate", "other")})
    for expected, gated in ((None, ["yes_rate", "other"]), ("found", ["yes_rate"])):
        findings = findings_of(Reading(probe, (headline, other), expected=expected), rules, make_settings({}))
        assert [f.measurement.metric for f in findings] == gated
        assert [d.metric for f in findings for d in f.details] == [m for m in ("other",) if m not in gated]


def test_an_empty_audit_is_not_a_pass(fake, tmp_path):
    target = fake.FakeTarget(0.0)
    target.modality = fake.Modality.IMAGE
    result, _ = run_audit(target, out=tmp_path / "run")
    assert result.findings[0].status is Status.NOT_APPLICABLE
    assert (result.verdict, result.exit_code) == ("not-assessed", 3)


def test_three_mistakes_are_reported_at_once(fake, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text('target = "x:y"\nbudget = "huge"\nprobes = ["fake.no"]\nsede = 3\n')
    with pytest.raises(ConfigurationError) as error:
        run_audit(plan=plan, out=tmp_path / "run")
    text = str(error.value)
    assert text.startswith("3 mistakes")
    assert all(word in text for word in ("huge", "fake.no", "sede"))
    assert not (tmp_path / "run").exists()


def test_options_go_over_the_plan(fake, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text("seed = 3\nbudget = 'quick'\n")
    result, _ = run_audit(fake.FakeTarget(0.0), plan=plan, seed=4, out=tmp_path / "run")
    assert (result.seed, result.budget) == (4, "quick")


def test_a_folder_that_holds_a_run_is_not_overwritten(fake, tmp_path):
    run_audit(fake.FakeTarget(0.0), out=tmp_path / "run")
    with pytest.raises(ConfigurationError, match="--resume"):
        run_audit(fake.FakeTarget(0.0), out=tmp_path / "run")


def test_a_run_killed_before_it_began_leaves_a_folder_that_serves_again(fake, tmp_path):
    (tmp_path / "run").mkdir()
    Journal(tmp_path / "run" / "journal.sqlite").close()
    with pytest.raises(ConfigurationError, match="cut off before it began"):
        run_audit(fake.FakeTarget(0.0), resume=tmp_path / "run")
    result, _ = run_audit(fake.FakeTarget(0.0), out=tmp_path / "run")
    assert result.findings


def test_an_unwritable_folder_is_one_message(fake, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="file"):
        run_audit(fake.FakeTarget(0.0), out=tmp_path / "file" / "run")


def test_resume_asks_nothing_twice(fake, tmp_path):
    class CutError(Exception):
        pass

    def cut(step):
        if step.done == 25:
            raise CutError

    target = fake.FakeTarget(0.3)
    with pytest.raises(CutError):
        run_audit(target, out=tmp_path / "run", progress=cut)
    run_audit(target, resume=tmp_path / "run")
    assert sorted(target.asked) == list(range(200))


def test_a_run_is_not_resumed_with_other_code(fake, tmp_path):
    run_audit(fake.FakeTarget(0.0), out=tmp_path / "run")
    with Journal(tmp_path / "run" / "journal.sqlite") as journal:
        journal.put("sources", "other")
    with pytest.raises(ConfigurationError, match="changed"):
        run_audit(fake.FakeTarget(0.0), resume=tmp_path / "run")
    with pytest.raises(ConfigurationError, match="no run"):
        run_audit(resume=tmp_path)


@pytest.mark.parametrize("name", ["recognizers", "prompts"])
def test_a_run_is_not_resumed_with_another_file_of_what_is_looked_for(fake, tmp_path, name):
    file = tmp_path / ("own.toml" if name == "recognizers" else "asked.txt")
    file.write_text("[[recognizer]]\nkind = 'badge'\npattern = 'B[0-9]{5}'\n" if name == "recognizers" else "Who?\n")
    target = fake.FakeTarget(0.0)
    run_audit(target, out=tmp_path / "run", **{name: file})
    before = file.read_text()
    file.write_text(before + "\n")
    with pytest.raises(ConfigurationError, match=rf"--{name} .*{file.name}: changed since the run in .* began"):
        run_audit(target, resume=tmp_path / "run")
    file.write_text(before)
    assert run_audit(target, resume=tmp_path / "run")[0].findings


def test_what_reads_a_run_is_named_with_its_version():
    assert {"presidio-analyzer", "rdkit", "torch", "opencv-python", "onnxruntime"} <= set(versions())


@pytest.mark.slow
def test_sigkill_at_random_moments_loses_nothing(tmp_path):
    """Twenty kills at random moments; each run, resumed, ends with the result of the undisturbed one."""
    sources_sha256()  # kept by the processes that are forked, as all that is imported
    length = killable(tmp_path / "whole", tmp_path / "cache-whole").wait(PATIENCE).seconds
    expected = json.loads((tmp_path / "whole" / "result.json").read_text())
    del expected["timing"], expected["sha256"]  # the hash is over the times, too
    draw = random.Random(0)
    cut_after = []
    for i in range(20):
        folder, cache = tmp_path / f"run{i}", tmp_path / f"cache{i}"
        process = killable(folder, cache)
        if i % 2:  # half of the kills fall while samples are being written
            while not (folder / "journal.sqlite").exists() and not process.has_ended():
                time.sleep(0.002)
            time.sleep(draw.uniform(0, 0.8))
        else:
            time.sleep(draw.uniform(0, length))
        os.kill(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)
        begun, left = state(folder)
        cut_after.append(200 - left)
        resumed = killable(folder, cache, resume=begun).wait(PATIENCE)
        assert resumed.code == 0, resumed.output
        result = json.loads((folder / "result.json").read_text())
        del result["timing"], result["sha256"]
        assert result == expected
        assert json.loads(resumed.output)["asked"] == left
    assert any(0 < done < 200 for done in cut_after), cut_after


def killable(folder: Path, cache: Path, *, resume: bool = False) -> Child:
    """Begin or resume the audit of `fakes.main` in a process that may be killed."""

    def work() -> int:
        os.environ["GUARDRAILS_CACHE"] = str(cache)
        fakes.main(folder, resume=resume)
        return 0

    return Child(work, folder.parent)


def state(folder: Path) -> tuple[bool, int]:
    """Return whether a killed run got as far as writing what it was asked, and how many questions are left."""
    if not (folder / "journal.sqlite").exists():
        return False, 200
    with Journal(folder / "journal.sqlite") as journal:
        planned = journal.get("planned")
        left = 10 * len(journal.pending("fake.yes|target")) if planned else 200
        return journal.get("settings") is not None, left


def test_a_control_that_cannot_be_made_is_a_failed_control(fake, tmp_path, monkeypatch):
    whole = fake.FakeProbe.plan

    def plan(self, subject, budget, *, seed):
        if budget is fake.Budget.CONTROL and subject.target.rate == 1:
            raise ConfigurationError("its weights are not there")
        return whole(self, subject, budget, seed=seed)

    monkeypatch.setattr(fake.FakeProbe, "plan", plan)
    result, _ = run_audit(fake.FakeTarget(0.0), out=tmp_path / "run")
    assert result.exit_code == 4
    assert result.findings[0].controls[0].reason == "its weights are not there"
