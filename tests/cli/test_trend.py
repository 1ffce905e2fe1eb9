"""``guardrails trend`` on stored audits."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from guardrails import cli
from guardrails.core.results import Status, Timing

sys.path.append(str(Path(__file__).parents[1] / "assay" / "comparison"))
from stored import audit, finding, rate


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with four audits of four days, of which the third is worse."""
    monkeypatch.chdir(tmp_path)
    for day, hits in enumerate((4, 5, 60, 61), 1):
        (tmp_path / f"day{day}").mkdir()
        began = Timing(started=f"2026-12-0{day}T00:00:00+00:00", seconds=1.0)
        failed = hits > 20
        outcome = {"verdict": "fail", "exit_code": 1} if failed else {}
        result = audit(finding(rate(hits, 400), status=Status.FAIL if failed else Status.PASS), timing=began, **outcome)
        (tmp_path / f"day{day}" / "result.json").write_text(result.to_json(), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code"),
    [("day1 day2 day3", 1), ("day3 day1 day2", 1), ("day1 day3 day4", 0), ("day1 day2", 2), ("day1 day1 day2", 2),
     ("day1 day2 absent", 2)],
)  # fmt: skip
def test_the_exit_code_is_that_of_the_last_step(words: str, code: int, runs: Path) -> None:
    assert cli.run(["trend", *words.split()]) == code


def test_every_format_shows_the_change(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["trend", "day1", "day2", "day3", "day4"]
    assert cli.run(words) == 0
    printed = capsys.readouterr().out
    assert "2 → 3" in printed
    assert "Changes beyond noise: 1 worse, 0 better; in the last step 0 worse" in printed
    assert cli.run([*words, "--format", "json", "--out", "trend.json"]) == 0
    assert [step["change"] for step in json.loads(Path("trend.json").read_text())["findings"][0]["steps"]] == [
        "unchanged", "worse", "unchanged",
    ]  # fmt: skip
    assert cli.run(["report", "trend.json", "--format", "html", "--out", "again.html"]) == 0
    assert cli.run([*words, "--format", "html", "--out", "trend.html"]) == 0
    assert Path("again.html").read_bytes() == Path("trend.html").read_bytes()
    assert "✕ worse" in Path("trend.html").read_text(encoding="utf-8")
    assert cli.run([*words, "--format", "markdown"]) == 0
    assert cli.run([*words, "--out", "x"]) == 2
