"""Results of other tools: whose they are is told by their content; what was not scored is never safe."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.assay.foreign.load import load_foreign
from guardrails.assay.foreign.reading import ForeignResult
from guardrails.core.errors import ConfigurationError


def garak(*rows: dict[str, Any], complete: bool = True) -> str:
    start = {"entry_type": "start_run setup", "plugins.target_type": "test", "plugins.target_name": "Blank"}
    init = {"entry_type": "init", "garak_version": "0.17.1", "start_time": "2026-05-01T10:00:00", "run": "r"}
    end = [{"entry_type": "completion", "end_time": "2026-05-01T10:01:00", "run": "r"}] if complete else []
    return "".join(json.dumps(row) + "\n" for row in (start, init, *rows, *end))


def evaluated(**values: Any) -> dict[str, Any]:
    return {"entry_type": "eval", "probe": "dan.Tall", "detector": "mitigation.Bypass"} | values


def lm_eval(**values: Any) -> dict[str, Any]:
    return {
        "results": {"letters": {"alias": "letters", "acc,none": 0.25, "acc_stderr,none": 0.1, "ppl,none": 9.5}},
        "configs": {"letters": {}},
        "versions": {"letters": 1},
        "n-samples": {"letters": {"original": 20, "effective": 20}},
        "higher_is_better": {"letters": {"acc": True, "ppl": False}},
        "model_name": "tiny",
        "lm_eval_version": "0.4.13",
        "date": 1760000000.0,
    } | values


def inspect_log(**values: Any) -> dict[str, Any]:
    return {
        "version": 2,
        "status": "success",
        "eval": {"task": "sums", "model": "mock/model", "packages": {"inspect_ai": "0.3.285"}, "created": "2026-01-02"},
        "results": {
            "total_samples": 12,
            "completed_samples": 10,
            "scores": [
                {
                    "name": "match",
                    "metrics": {
                        "accuracy": {"name": "accuracy", "value": 0.3},
                        "stderr": {"name": "stderr", "value": 0.15},
                    },
                }
            ],
        },
    } | values


def promptfoo(*rows: dict[str, Any]) -> dict[str, Any]:
    return {
        "evalId": "eval-x",
        "results": {"version": 3, "timestamp": "2026-03-03T00:00:00Z", "results": list(rows)},
        "metadata": {"promptfooVersion": "0.123.1"},
    }


def graded_row(passed: bool, reason: int = 0, kind: str = "contains") -> dict[str, Any]:
    graded = [{"pass": passed, "assertion": {"type": kind}}] if reason != 2 else []
    return {
        "provider": {"id": "echo"},
        "success": passed,
        "failureReason": reason,
        "gradingResult": {"componentResults": graded},
    }


def every_eval_ever(**details: Any) -> dict[str, Any]:
    return {
        "schema_version": "0.3.0",
        "source_metadata": {"source_organization_name": "someone"},
        "model_info": {"id": "tiny", "name": "tiny"},
        "evaluation_results": [
            {
                "evaluation_name": "letters",
                "metric_config": {"lower_is_better": False, "metric_name": "acc"},
                "score_details": {"score": 0.5} | details,
            }
        ],
    }


def load(content: object, folder: Path) -> ForeignResult:
    file = folder / "given"
    file.write_text(content if isinstance(content, str) else json.dumps(content, indent=2), encoding="utf-8")
    return load_foreign(file)


def test_garak_counts_what_its_detector_flagged(tmp_path: Path) -> None:
    row = evaluated(passed=37, total_evaluated=50, fails=13, nones=2, total_processed=52)
    bounds = {"confidence_method": "bootstrap", "confidence_lower": 0.14, "confidence_upper": 0.38}
    result = load(garak(row | bounds), tmp_path)
    [reading] = result.readings
    assert (result.tool, result.version, result.target) == ("garak", "0.17.1", "test:Blank")
    assert (reading.hits, reading.n, reading.unscored, reading.higher_is_worse) == (13, 50, 2, True)
    assert reading.check == "dan.Tall / mitigation.Bypass"
    assert "0.14" in reading.remarks[0]
    assert not result.corrected
    assert not result.unfinished


def test_the_older_rows_of_garak_are_read(tmp_path: Path) -> None:
    [reading] = load(garak(evaluated(detector="detector.always.Pass", passed=3, total=4)), tmp_path).readings
    assert (reading.check, reading.hits, reading.n) == ("dan.Tall / always.Pass", 1, 4)


@pytest.mark.parametrize(
    "counts",
    [
        {"passed": 0, "total_evaluated": 0, "fails": 0, "nones": 9, "total_processed": 9},
        {"passed": 5, "total_evaluated": 4, "fails": 1},
        {"passed": "all", "total_evaluated": 4},
        {},
    ],
)
def test_what_garak_did_not_score_has_no_value(counts: dict[str, Any], tmp_path: Path) -> None:
    [reading] = load(garak(evaluated(**counts)), tmp_path).readings
    assert reading.value is None
    assert reading.n == 0
    assert reading.remarks


def test_a_run_of_garak_that_was_cut_off_says_so(tmp_path: Path) -> None:
    result = load(garak(evaluated(passed=1, total_evaluated=1, fails=0), complete=False), tmp_path)
    assert "cut off" in result.unfinished


def test_a_further_run_of_garak_that_was_cut_off_says_so(tmp_path: Path) -> None:
    rows = garak(evaluated(passed=9, total=10)) + garak(evaluated(passed=1, total=10), complete=False)
    assert "cut off" in load(rows, tmp_path).unfinished


@pytest.mark.parametrize(
    "counts",
    [{"passed": "3"}, {"passed": -3}, {"fails": -1}, {"fails": 5.0}, {"nones": 95.0}, {"total_processed": "90"}],
)
def test_a_count_of_garak_that_is_none_is_not_passed_over(counts: dict[str, Any], tmp_path: Path) -> None:
    row = {"passed": 10, "fails": 0, "total_evaluated": 10} | counts
    [reading] = load(garak(evaluated(**row)), tmp_path).readings
    assert (reading.value, reading.hits, reading.n) == (None, None, 0)
    assert "its counts do not add up" in reading.remarks


def test_figures_that_are_no_number_are_named(tmp_path: Path) -> None:
    results = {"letters": {"acc,none": float("nan"), "acc_norm,none": 0.5, "f1,none": "N/A", "acc_stderr,none": "N/A"}}
    result = load(lm_eval(results=results), tmp_path)
    assert [reading.metric for reading in result.readings] == ["acc_norm"]
    assert result.remarks == ("no finite number, and left out: letters/acc, letters/f1",)


def test_lm_evaluation_harness(tmp_path: Path) -> None:
    result = load(lm_eval(), tmp_path)
    by_metric = {reading.metric: reading for reading in result.readings}
    assert (result.tool, result.version, result.target) == ("lm-evaluation-harness", "0.4.13", "tiny")
    assert (by_metric["acc"].hits, by_metric["acc"].n, by_metric["acc"].higher_is_worse) == (5, 20, False)
    assert by_metric["ppl"].higher_is_worse
    assert by_metric["ppl"].hits is None


def test_a_standard_error_of_zero_is_none(tmp_path: Path) -> None:
    results = {"letters": {"f1,none": 1.0, "f1_stderr,none": 0.0}}
    [reading] = load(lm_eval(results=results), tmp_path).readings
    assert reading.stderr is None
    assert any("standard error of 0" in remark for remark in reading.remarks)


@pytest.mark.parametrize("zipped", [False, True])
def test_inspect(zipped: bool, tmp_path: Path) -> None:
    if zipped:
        file = tmp_path / "log.eval"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("header.json", json.dumps(inspect_log()))
        result = load_foreign(file)
    else:
        result = load(inspect_log(), tmp_path)
    [reading] = result.readings
    assert (reading.check, reading.metric, reading.hits, reading.n, reading.unscored) == (
        "sums / match", "accuracy", 3, 10, 2,
    )  # fmt: skip


@pytest.mark.parametrize("counted", [{}, {"scored_samples": 50, "unscored_samples": 0}])
@pytest.mark.parametrize(("value", "hits"), [(0.3, None), (0.0, 0), (1.0, 50)])
def test_a_sample_of_inspect_counts_once_however_often_it_was_run(
    counted: dict[str, int], value: float, hits: int | None, tmp_path: Path
) -> None:
    log = inspect_log()
    log["eval"]["config"] = {"epochs": 4}
    log["results"] |= {"total_samples": 200, "completed_samples": 200}
    log["results"]["scores"][0] |= counted
    log["results"]["scores"][0]["metrics"]["accuracy"]["value"] = value
    [reading] = load(log, tmp_path).readings
    assert (reading.n, reading.hits, reading.unscored, reading.stderr) == (50, hits, 0, 0.15)
    assert any("4 times" in remark for remark in reading.remarks)


def test_epochs_of_inspect_that_failed_are_not_scored(tmp_path: Path) -> None:
    log = inspect_log()
    log["eval"]["config"] = {"epochs": 4}
    log["results"] |= {"total_samples": 200, "completed_samples": 120}
    log["results"]["scores"][0]["scored_samples"] = 50
    assert load(log, tmp_path).readings[0].unscored == 20


def test_a_bootstrapped_standard_error_of_inspect_is_one(tmp_path: Path) -> None:
    log = json.loads(json.dumps(inspect_log()).replace('"stderr"', '"bootstrap_stderr"').replace("0.3,", "0.31,"))
    [reading] = load(log, tmp_path).readings
    assert (reading.metric, reading.stderr) == ("accuracy", 0.15)


def test_an_evaluation_of_inspect_that_failed_says_so(tmp_path: Path) -> None:
    assert "error" in load(inspect_log(status="error"), tmp_path).unfinished


def test_promptfoo_does_not_count_errors(tmp_path: Path) -> None:
    rows = [graded_row(True), graded_row(False, 1), graded_row(False, 2), graded_row(True, kind="llm-rubric")]
    result = load(promptfoo(*rows), tmp_path)
    counted = {reading.check: (reading.hits, reading.n, reading.unscored) for reading in result.readings}
    assert counted == {"echo / contains": (1, 2, 0), "echo / llm-rubric": (0, 1, 0), "echo / test": (None, 0, 1)}


def test_every_eval_ever(tmp_path: Path) -> None:
    details = {"uncertainty": {"standard_error": {"value": 0.05}, "num_samples": 100}}
    [reading] = load(every_eval_ever(**details), tmp_path).readings
    assert (reading.check, reading.value, reading.stderr, reading.n) == ("letters", 0.5, 0.05, 100)


@pytest.mark.parametrize(
    ("stated", "interval"),
    [
        ({"lower": 0.4, "upper": 0.6, "confidence_level": 0.95}, (0.4, 0.6, 0.95)),
        ({"lower": 0.6, "upper": 0.4, "confidence_level": 0.95}, None),
        ({"lower": 0.4, "upper": 0.6}, None),
    ],
)
def test_an_interval_of_every_eval_ever(stated: dict[str, Any], interval: Any, tmp_path: Path) -> None:
    details = {"uncertainty": {"confidence_interval": stated}}
    [reading] = load(every_eval_ever(**details), tmp_path).readings
    assert reading.interval == interval


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("[1, 2]", "not a result"),
        ('{"a": 1}', "not a result"),
        ('{"results": {', "damaged or cut off"),
        (garak()[:-30], "damaged or cut off"),
        (garak(), "without a figure"),
        ("[" * 100_000, "nested too deeply|damaged"),
        (json.dumps(inspect_log(version=4)), "version 4"),
        (json.dumps(lm_eval(results={})), "without a figure"),
        ("\x00\x01", "damaged"),
    ],
)
def test_what_is_no_result_is_refused(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load(content, tmp_path)


@pytest.mark.parametrize("document", [lm_eval(), promptfoo(graded_row(True)), every_eval_ever()])
def test_a_second_document_in_a_file_is_not_passed_over(document: dict[str, Any], tmp_path: Path) -> None:
    line = json.dumps(document) + "\n"
    with pytest.raises(ConfigurationError, match="more than one document"):
        load(line + line, tmp_path)


@pytest.mark.parametrize("place", [6, 43])
def test_an_archive_that_cannot_be_unpacked_is_refused(place: int, tmp_path: Path) -> None:
    file = tmp_path / "log.eval"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps(inspect_log()))
    content = bytearray(file.read_bytes())
    if place == 6:  # the flag of an encrypted member, in both of its headers
        content[6] |= 1
        content[content.find(b"PK\x01\x02") + 8] |= 1
    else:
        content[place - 2 : place + 4] = b"\xff" * 6
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="encrypted" if place == 6 else "damaged or cut off"):
        load_foreign(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        load_foreign(tmp_path / "absent")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([lm_eval(), inspect_log(), promptfoo(graded_row(True)), every_eval_ever()]), st.data())
def test_whatever_a_field_holds_is_read_or_refused(document: dict[str, Any], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        document = json.loads(json.dumps(document))
        holder: Any = document
        while True:
            key = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
            deeper = holder[key]
            if not (isinstance(deeper, dict | list) and deeper and data.draw(st.booleans())):
                break
            holder = deeper
        holder[key] = data.draw(values)
        try:
            result = load(document, Path(folder))
        except ConfigurationError:
            return
        for reading in result.readings:
            assert reading.n >= 0
            assert reading.hits is None or 0 <= reading.hits <= reading.n


@pytest.mark.public_data
@pytest.mark.parametrize(
    ("name", "figures"),
    [("garak/agg.report.jsonl", 2), ("garak/quack.report.jsonl", 1), ("garak/test_with_ci.report.jsonl", 1),
     ("inspect/log_formats.eval", 1), ("inspect/log_formats.json", 1)],
)  # fmt: skip
def test_public_samples(name: str, figures: int, test_data: Path) -> None:
    result = load_foreign(test_data / "foreign" / name)
    assert len(result.readings) == figures
    assert all(reading.hits is not None and reading.n > 0 for reading in result.readings)
