"""Options for the columns of tables: from the command line and plans to the settings, the dry run and back."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import guardrails as gr
from guardrails import cli
from guardrails.assay.audit import run
from guardrails.assay.audit.dry_run import dry_run
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.audit.plan import make_settings
from guardrails.cli._summary import print_summary
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult, ControlOutcome


def people(seed: int, n: int = 150) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "row": np.arange(n) + 1000 * seed,
            "age": rng.integers(18, 90, n),
            "city": rng.choice(["Köln", "Bonn", "Ulm"], n),
            "income": rng.normal(30_000, 9_000, n).round(2),
            "height": rng.normal(170, 9, n).round(1),
        }
    )


def test_a_command_has_the_options_that_it_was_made_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    def run_audit(target: str, **options: Any) -> Any:
        seen.append(options)
        raise ConfigurationError("stop")

    monkeypatch.setattr("guardrails.assay.audit.orchestrator.run_audit", run_audit)
    words = ["--columns", 'age,"last, first"', "--columns", "zip", "--ignore-columns", "note"]
    words += ["--role", "id=row", "--role", "sensitive=age,zip", "--role", "sensitive=zap"]
    cli.run(["audit", "table:t.csv", *words, "--out", str(tmp_path / "run")])
    given = {name: seen[0][name] for name in ("columns", "ignore_columns", "roles")}
    assert given == {
        "columns": ("age", "last, first", "zip"),
        "ignore_columns": ("note",),
        "roles": {"id": ("row",), "sensitive": ("age", "zip", "zap")},
    }
    settings = make_settings({"target": "table:t.csv", **given})
    cli.run([*shlex.split(settings.command())[1:], "--out", str(tmp_path / "again")])
    assert {name: seen[1][name] for name in given} == given


def test_a_plan_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(
        'target = "table:t.csv"\ncolumns = ["age", "zip"]\nignore_columns = "note"\n'
        '[roles]\nid = ["row"]\ndate = "born"\n'
    )
    choice = make_settings({}, tmp_path / "plan.toml").choice
    assert (choice.columns, choice.ignored) == (("age", "zip"), ("note",))
    assert choice.roles == {"id": ("row",), "date": ("born",)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target": "table:t.csv", "roles": {"secret": ["age"]}}, "'secret' is no role. Known: date, id"),
        ({"target": "table:t.csv", "roles": {"sensitiv": ["age"]}}, "Did you mean 'sensitive'"),
        ({"roles": {"id": ["age"]}}, "for a target that is a table"),
    ],
)
def test_mistakes_in_roles(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_settings(given)


def test_a_role_without_columns_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["audit", "table:t.csv", "--role", "row"]) == 2
    assert "as in id=ROWNUM" in capsys.readouterr().err


def saved(folder: Path) -> dict[str, str]:
    """Write a table of training rows with semicolons and decimal commas, the data beside it with neither."""
    people(1).drop(columns="row").to_csv(folder / "made.csv", sep=";", decimal=",", index=False, encoding="cp1252")
    people(1).to_csv(folder / "train.csv", index=False)
    people(2).to_csv(folder / "control.csv", index=False)
    names = {"target": "table:made.csv", "corpus": "train.csv", "holdout": "control.csv"}
    return {
        name: value.replace(":", f":{folder}/") if ":" in value else str(folder / value)
        for name, value in names.items()
    }


def test_the_dry_run_refuses_what_the_run_would(tmp_path: Path) -> None:
    given: dict[str, Any] = saved(tmp_path)
    assert any(forecast.runs for forecast in dry_run(**given, probes=("privacy.linkability",)).forecasts)
    (tmp_path / "control.csv").write_text((tmp_path / "control.csv").read_text() + "1,2\n")
    for audit in (dry_run, gr.audit):
        with pytest.raises(ConfigurationError, match="line 152: 2 fields where other rows have 5"):
            audit(**given, probes=("privacy.linkability",))


def known(probe: Any, control: Any) -> ControlOutcome:
    return ControlOutcome(source=control.source, expected=control.expected, observed=control.expected, n=1)


def test_a_leak_is_found_however_the_files_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "cached_outcome", known)
    given: dict[str, Any] = saved(tmp_path)
    probes = ["privacy.linkability", "privacy.inference"]
    files: AuditResult = gr.audit(**given, probes=probes, budget="quick")
    frames = gr.audit(people(1), corpus=people(1), holdout=people(2), probes=probes, budget="quick")
    assert [finding.status for finding in files.findings] == ["fail", "fail"]
    for finding, other in zip(files.findings, frames.findings, strict=True):
        assert finding.measurement is not None
        assert other.measurement is not None
        assert finding.measurement.value == other.measurement.value
        assert "Left out, since they number or name the rows: row." in finding.measurement.explanation
    assert files.targets[0].read_as["target"] == (
        "`;`-separated, cp1252, decimal comma, 4 columns (3 numbers, 1 category)"
    )
    assert files.targets[0].read_as["corpus"].endswith("'row' left out (numbers the rows, and target lacks it)")


def test_rows_that_a_generator_makes_are_told_as_those_of_a_file_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "cached_outcome", known)
    rows = people(3).drop(columns="row").astype(str).assign(note="made")
    rows["city"] = np.resize(["Berlin", "Bonn", "n/a"], len(rows))
    rows["height"] = people(3)["height"] + 300
    asked = []

    class Maker:
        def sample(self, n: int, seed: int = 0) -> pd.DataFrame:
            asked.append(n)
            return rows.sample(n, replace=True, random_state=seed % 2**32, ignore_index=True)

    maker = Maker()
    given: dict[str, Any] = {"target": maker, "corpus": people(1), "holdout": people(2)}
    _, folder = run_audit(**given, probes=("privacy.linkability",), budget="quick", out=tmp_path / "run")
    result, _ = run_audit(target=maker, corpus=given["corpus"], holdout=given["holdout"], resume=folder)
    said = result.targets[0].read_as["target"]
    assert said.startswith("1,000 rows that it made, ")
    assert "'height' lies apart from corpus" in said
    assert "missing values written as n/a" in said
    assert "of 'city' are values that corpus lacks, such as 'Berlin'" in said
    assert said.endswith("4 columns (3 numbers, 1 category), 'note' left out (no column of the data)")
    print_summary(result, folder / "index.html")
    assert f"target read as: {said}" in " ".join(capsys.readouterr().out.split())
    made = len(asked)
    run_audit(target=maker, corpus=given["corpus"], holdout=given["holdout"], resume=folder)
    assert len(asked) <= made + 1  # what was read is known without the rows
