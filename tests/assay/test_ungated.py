"""Probes without a threshold, limits for what was not measured, and the Python entry point around a run."""

import hashlib
import importlib.util
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import guardrails
from guardrails.assay.audit import controls, plan, scope
from guardrails.assay.audit.orchestrator import audit, run_audit
from guardrails.assay.policy import policy
from guardrails.cli._summary import print_summary
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult, Status, Threshold, fingerprint_of


def load_fakes():
    spec = importlib.util.spec_from_file_location("guardrails_test_fakes", Path(__file__).with_name("fakes.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fakes = load_fakes()
SHIPPED = policy.load_policy
ELSE = Threshold(metric="another_rate", limit=0.1, origin="a test's own choice")


@pytest.fixture
def gating(monkeypatch, tmp_path):
    """Return a function that installs the fake probe with the thresholds of the audit's policy and the default's."""
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    fakes.install(monkeypatch)

    def install(chosen, default):
        policies = {
            name: policy.Policy(name, {("fake.yes", t.metric): t for t in thresholds})
            for name, thresholds in (("own.toml", chosen), ("default", default))
        }
        for module in (policy, plan, scope, controls):
            monkeypatch.setattr(module, "load_policy", lambda name: policies.get(str(name)) or SHIPPED(name))

    return install


@pytest.mark.parametrize("rate", [0.0, 1.0])
@pytest.mark.parametrize("default", [(), (fakes.THRESHOLD,)])
def test_a_probe_without_a_threshold_is_reported_without_a_verdict(gating, tmp_path, rate, default):
    gating((), default)
    result, _ = run_audit(fakes.FakeTarget(rate), policy="own.toml", out=tmp_path / "run")
    (finding,) = result.findings
    assert finding.status is Status.NOT_ASSESSED
    assert finding.measurement.value == rate
    assert "reported without a verdict" in finding.reason
    assert len(finding.controls) == (2 if default else 0)
    assert (result.verdict, result.exit_code) == ("not-assessed", 3)  # nothing at all was gated: no pass


def test_what_is_not_gated_spoils_no_run(gating, tmp_path, monkeypatch):
    class Second(fakes.FakeProbe):
        id = "fake.second"

        def measure(self, rows, subject, *, seed):
            raise ValueError("broken")

    gating((fakes.THRESHOLD,), (fakes.THRESHOLD,))
    both = {"fake.yes": fakes.FakeProbe, "fake.second": Second}
    monkeypatch.setattr(plan, "probes", lambda: both)
    monkeypatch.setattr("guardrails.core.registry.probes", lambda: both)
    result, _ = run_audit(fakes.FakeTarget(0.0), policy="own.toml", out=tmp_path / "run")
    status = {f.probe: f.status for f in result.findings}
    assert status == {"fake.yes": Status.PASS, "fake.second": Status.NOT_ASSESSED}
    assert (result.verdict, result.exit_code) == ("pass", 0)
    check, _ = run_audit(policy="own.toml", out=tmp_path / "check")
    assert (check.verdict, check.exit_code) == ("pass", 0)
    second = next(f for f in check.findings if f.probe == "fake.second")
    assert "no threshold" in second.reason


def test_a_limit_for_what_was_not_measured_is_never_a_pass(gating, tmp_path):
    gating((fakes.THRESHOLD, ELSE), (fakes.THRESHOLD,))
    result, _ = run_audit(fakes.FakeTarget(0.0), policy="own.toml", out=tmp_path / "run")
    status = {f.id: f.status for f in result.findings}
    assert status == {"fake.yes/yes_rate": Status.PASS, "fake.yes/another_rate": Status.NOT_ASSESSED}
    assert (result.verdict, result.exit_code) == ("not-assessed", 3)
    reason = next(f.reason for f in result.findings if f.id == "fake.yes/another_rate")
    assert "another_rate, which the probe did not measure; it measured yes_rate" in reason


def test_only_a_limit_for_what_was_not_measured(gating, tmp_path):
    gating((ELSE,), (fakes.THRESHOLD,))
    result, _ = run_audit(fakes.FakeTarget(0.0), policy="own.toml", out=tmp_path / "run")
    assert [f.status for f in result.findings] == [Status.NOT_ASSESSED]
    assert result.exit_code == 3


@pytest.mark.parametrize(("rate", "status", "code"), [(0.0, "pass", 0), (1.0, "fail", 1)])
def test_without_a_default_limit_the_controls_are_judged_by_the_policy_and_not_cached(
    gating, tmp_path, rate, status, code
):
    gating((fakes.THRESHOLD,), ())
    for name in ("one", "two"):
        result, _ = run_audit(fakes.FakeTarget(rate), policy="own.toml", out=tmp_path / name)
        (finding,) = result.findings
        assert (finding.status, result.exit_code) == (status, code)
        assert [(c.observed, c.cached) for c in finding.controls] == [("found", False), ("clear", False)]


def test_a_run_is_not_resumed_under_another_policy(gating, tmp_path, monkeypatch):
    gating((fakes.THRESHOLD,), (fakes.THRESHOLD,))
    target = fakes.FakeTarget(0.0)
    run_audit(target, policy="own.toml", out=tmp_path / "run")
    assert run_audit(target, resume=tmp_path / "run")[0].exit_code == 0
    limit = fakes.THRESHOLD.model_copy(update={"limit": 2 * fakes.THRESHOLD.limit})
    laxer = policy.Policy("own.toml", {("fake.yes", "yes_rate"): limit})
    monkeypatch.setattr(scope, "load_policy", lambda name: laxer)
    with pytest.raises(ConfigurationError, match=r"policy own\.toml changed since the run in .* began"):
        run_audit(target, resume=tmp_path / "run")


@pytest.mark.parametrize("step", ["applicable", "missing", "plan", "spike", "recovery", "measure", "collect"])
def test_a_defect_in_any_step_of_a_probe_is_a_finding_that_says_so(gating, tmp_path, monkeypatch, step):
    def broken(self, *args, **kwargs):
        raise KeyError("a defect")

    gating((fakes.THRESHOLD,), (fakes.THRESHOLD,))
    monkeypatch.setattr(fakes.FakeProbe, step, broken)
    result, _ = run_audit(fakes.FakeTarget(0.0), policy="own.toml", out=tmp_path / "run")
    (finding,) = result.findings
    assert result.exit_code in (3, 4)
    assert "a defect" in (finding.reason or "") + str(finding.spike) + str(finding.controls)


def test_frameworks_that_are_not_known_are_left_out(gating, tmp_path, monkeypatch):
    gating((fakes.THRESHOLD,), (fakes.THRESHOLD,))
    monkeypatch.setattr(fakes.FakeProbe, "frameworks", ("a-framework-of-tomorrow", "nist-600-1-bias"))
    result, _ = run_audit(fakes.FakeTarget(0.0), policy="own.toml", out=tmp_path / "run")
    assert [ref.id for ref in result.findings[0].frameworks] == ["MS-2.11-002"]


def test_a_policy_that_names_an_unknown_probe_is_refused_before_anything_runs(gating, monkeypatch):
    gating((fakes.THRESHOLD,), (fakes.THRESHOLD,))
    monkeypatch.setattr(policy, "probes", lambda: {"fake.yess": fakes.FakeProbe})
    target = fakes.FakeTarget(0.0)
    with pytest.raises(ConfigurationError, match=r"policy: there is no probe 'fake\.yes'\. Did you mean 'fake\.yess'"):
        run_audit(target, policy="own.toml")
    assert target.asked == []


def test_one_glob_is_one_glob(gating, monkeypatch):
    gating((fakes.THRESHOLD,), (fakes.THRESHOLD,))
    result = audit(fakes.FakeTarget(0.0), policy="own.toml", probes="fake.*")
    assert [f.probe for f in result.findings] == ["fake.yes"]
    with pytest.raises(ConfigurationError) as error:
        audit(fakes.FakeTarget(0.0), policy="own.toml", probes="nothing")
    assert str(error.value).startswith("1 mistake in the options:\n  probes: no probe is called 'nothing'")


def test_audit_takes_what_run_audit_takes_and_returns_the_result_alone():
    whole, public = inspect.signature(run_audit), inspect.signature(guardrails.audit)
    assert public.parameters == whole.parameters
    assert public.return_annotation is AuditResult
    assert not [p for p in public.parameters.values() if p.kind is p.VAR_KEYWORD]
    documented = inspect.getdoc(guardrails.audit)
    assert all(name in documented for name in public.parameters)
    assert "AuditResult" in documented
    assert "folder : Path" not in documented
    with pytest.raises(TypeError, match="polcy"):
        guardrails.audit("reference:gpt-text", polcy="default")


@pytest.mark.slow
def test_a_type_checker_knows_the_options_of_audit(tmp_path):
    file = tmp_path / "uses.py"
    file.write_text(
        "import guardrails as gr\n"
        "result = gr.audit('reference:gpt-text', probes='memorization.*', budget='quick', seed=1)\n"
        "reveal_type(result)\n"
        "gr.audit('reference:gpt-text', sed=1)\n"
        "gr.audit('reference:gpt-text', seed='one')\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(file)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(guardrails.__file__).parents[1]
    )
    lines = [line for line in done.stdout.splitlines() if "uses.py" in line]
    assert "AuditResult" in lines[0]
    assert [line.rpartition("[")[2] for line in lines if " error: " in line] == ["call-arg]", "arg-type]"], done.stdout


def test_the_repr_of_a_result_is_a_screenful(gating):
    gating((fakes.THRESHOLD,), (fakes.THRESHOLD,))
    result = audit(fakes.FakeTarget(1.0), policy="own.toml")
    text = repr(result)
    assert text.splitlines()[0] == "audit of python object: FakeTarget: fail (exit code 1)"
    assert "  fail: fake.yes/yes_rate = 1 [0.981, 1], n 200, limit 0.1" in text
    assert str(result) == text
    many = result.model_copy(update={"findings": result.findings * 60})
    lines = repr(many).splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 120
    assert "… and 44 more" in repr(many)
    assert repr(result.findings[0]) == "<Finding fail: fake.yes/yes_rate = 1 [0.981, 1], n 200, limit 0.1>"
    assert json.loads(result.to_json())["verdict"] == "fail"
    nothing = result.model_copy(update={"findings": (), "targets": ()})
    assert "0 findings: none" in repr(nothing)


@pytest.mark.parametrize(("settled", "verdict", "code"), [(False, "not-assessed", 3), (True, "pass", 0)])
def test_an_audit_in_which_nothing_came_to_a_result_is_no_pass(gating, tmp_path, settled, verdict, code):
    optional = ELSE.model_copy(update={"required": False})
    gating((fakes.THRESHOLD, optional) if settled else (optional,), (fakes.THRESHOLD,))
    result, _ = run_audit(fakes.FakeTarget(0.0), policy="own.toml", out=tmp_path / "run")
    assert (result.verdict, result.exit_code) == (verdict, code)


def test_a_failure_below_the_severity_that_fails_is_said_beside_the_verdict(gating, tmp_path, capsys):
    gating((fakes.THRESHOLD,), (fakes.THRESHOLD,))
    result, folder = run_audit(fakes.FakeTarget(1.0), policy="own.toml", fail_on="critical", out=tmp_path / "run")
    print_summary(result, folder / "report.html")
    assert result.exit_code == 0
    assert "failed, but not so severely that the audit fails: 1" in capsys.readouterr().out


def test_waivers_and_a_baseline_decide_whether_a_failure_fails(gating, tmp_path, capsys):
    gating((fakes.THRESHOLD,), (fakes.THRESHOLD,))
    target, waivers = fakes.FakeTarget(1.0), tmp_path / "waivers.toml"
    failed, folder = run_audit(target, policy="own.toml", out=tmp_path / "run")
    assert failed.exit_code == 1
    row = f'fingerprint = "{fingerprint_of(failed.findings[0], failed)}"\nowner = "Ada"\nreason = "as planted here"\n'
    waivers.write_text(f"[[waiver]]\n{row}expires = 2999-01-01\n")
    waived, _ = run_audit(target, policy="own.toml", waivers=waivers, out=tmp_path / "waived")
    known, _ = run_audit(target, policy="own.toml", baseline=folder, out=tmp_path / "known")
    assert [(r.exit_code, r.findings[0].outcome) for r in (waived, known)] == [(0, "waived"), (0, "known")]
    assert f"--waivers {waivers}" in waived.command
    assert waived.waivers.sha256 == hashlib.sha256(waivers.read_bytes()).hexdigest()
    print_summary(waived, folder / "report.html")
    assert "fails: waived until 2999-01-01 by Ada: as planted here" in capsys.readouterr().out
    with pytest.raises(ConfigurationError, match="for findings of a target"):
        run_audit(policy="own.toml", waivers=waivers, out=tmp_path / "self-check")
