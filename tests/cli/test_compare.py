"""``guardrails compare``, ``rescore`` and ``waivers`` on stored audits."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from guardrails import cli
from guardrails.core.results import AuditResult, Status

sys.path.append(str(Path(__file__).parents[1] / "assay" / "comparison"))
from stored import audit, finding, rate

WAIVER = """[[waiver]]
probe = "memorization.extraction"
metric = "extraction_rate"
target = "hf:models/mine"
owner = "Ada"
reason = "public corpus"
expires = {}
"""


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with an audit that passes, one that fails, one that is empty, waivers and a policy."""
    monkeypatch.chdir(tmp_path)
    failed = audit(finding(rate(40, 200), status=Status.FAIL), verdict="fail", exit_code=1)
    empty = audit(verdict="not-assessed", exit_code=3)
    for name, result in (("good", audit(finding(rate(0, 200)))), ("bad", failed), ("empty", empty)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(result.to_json(), encoding="utf-8")
    (tmp_path / "waivers.toml").write_text(WAIVER.format("2999-01-01"))
    (tmp_path / "expired.toml").write_text(WAIVER.format("1999-01-01"))
    (tmp_path / "lax.toml").write_text(
        'name = "lax"\ndescription = ""\n[[threshold]]\nprobe = "memorization.extraction"\n'
        'metric = "extraction_rate"\nlimit = 0.5\norigin = "by hand, for this test"\n'
    )
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code"),
    [("good bad", 1), ("bad good", 0), ("good good", 0), ("good empty", 3), ("good absent", 2), ("good", 2)],
)
def test_the_exit_code_says_whether_anything_is_worse(words: str, code: int, runs: Path) -> None:
    assert cli.run(["compare", *words.split()]) == code


def test_a_table_a_report_and_a_stored_comparison(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["compare", "good", "bad"]) == 1
    printed = capsys.readouterr().out
    assert "worse" in printed
    assert "1 of 1 findings could be compared: 1 worse beyond noise" in printed
    assert cli.run(["compare", "good", "bad", "--format", "json", "--out", "comparison.json"]) == 1
    assert cli.run(["report", "comparison.json", "--format", "html", "--out", "page.html"]) == 0
    assert "Worse" in Path("page.html").read_text(encoding="utf-8")
    capsys.readouterr()
    assert cli.run(["compare", "good", "bad", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "worse"
    assert cli.run(["compare", "good", "bad", "--out", "x"]) == 2


def test_rescored_waived_and_known(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["rescore", "bad", "--policy", "lax.toml"]) == 0
    result = AuditResult.from_json(Path("bad-rescored-lax/result.json").read_text(encoding="utf-8"))
    assert (result.policy, result.rescored.policy if result.rescored else "") == ("lax", "default")
    assert Path("bad-rescored-lax/report.html").is_file()
    assert cli.run(["rescore", "bad", "--policy", "lax.toml"]) == 2  # the folder is there
    for option, name in (("--waivers", "waivers.toml"), ("--baseline", "bad")):
        words = ["rescore", "bad", "--policy", "default", "--out", f"out{option}", option, name]
        assert cli.run(words) == 0
        assert (
            f"guardrails rescore bad --policy default {option} {name}" in Path(f"out{option}/result.json").read_text()
        )
        assert cli.run(["report", f"out{option}", "--format", "summary"]) == 0
    capsys.readouterr()
    assert cli.run(["rescore", "bad", "--policy", "default", "--out", "new", "--waivers", "expired.toml"]) == 2
    assert "expired on 1999-01-01: renew it, or remove it" in capsys.readouterr().err
    assert not Path("new").exists()


def test_waivers_are_checked_without_an_audit(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["waivers", "check", "waivers.toml"]) == 0
    assert (
        "memorization.extraction/extraction_rate of hf:models/mine, owner Ada, until 2999-01-01"
        in capsys.readouterr().out
    )
    assert cli.run(["waivers", "check", "waivers.toml", "expired.toml", "absent.toml"]) == 2
    errors = capsys.readouterr().err
    assert "expired on 1999-01-01" in errors
    assert "absent.toml" in errors


@pytest.mark.parametrize("option", ["--waivers", "--baseline"])
def test_an_audit_reads_them_before_it_samples(option: str, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, message in (("expired.toml", "expired"), ("absent", "absent")):
        if option == "--baseline" and name == "expired.toml":
            message = "is not the result of an audit"
        assert cli.run(["audit", "reference:gpt-text", option, name, "--out", "run"]) == 2
        assert message in capsys.readouterr().err
    assert not Path("run").exists()
