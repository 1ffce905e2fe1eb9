"""Stored results of scans and benchmarks: read whole or refused in one line, whoever wrote them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from guardrails.core.detector import Verdict
from guardrails.core.errors import ConfigurationError
from guardrails.core.json_object import json_object
from guardrails.core.results import Use, json_schema
from guardrails.core.results import scan as scan_result
from guardrails.core.results.bench import BenchResult
from guardrails.core.results.scan import ScanResult

sys.path.append(str(Path(__file__).parents[1] / "reports"))
import result_kinds as kinds

ROW = {
    "path": "a.png", "sha256": None, "size": None, "type": "image", "format": "PNG", "notes": [], "duplicate_of": None,
    "detections": [], "error": "cut short", "later": {"version": 2},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    kinds.scan(tmp_path)
    return tmp_path


def change(folder: Path, **values: Any) -> None:
    summary = json.loads((folder / "summary.json").read_text()) | values
    (folder / "summary.json").write_text(json.dumps(summary))


def refused(folder: Path) -> str:
    with pytest.raises(ConfigurationError) as error:
        list(ScanResult.read(folder).rows())
    assert len(error.value.lines) == 1
    return str(error.value)


def test_the_verdicts_are_those_of_detectors() -> None:
    assert get_args(scan_result.Verdict) == get_args(Verdict)


def test_rows_are_read_as_they_were_written(folder: Path) -> None:
    stored = [json.loads(line) for line in (folder / "scan.jsonl").read_text().splitlines()]
    for row, written in zip(ScanResult.read(folder).rows(), stored, strict=True):
        assert (row.path, row.error, row.duplicate_of) == (written["path"], written["error"], written["duplicate_of"])
        assert [d.verdict for d in row.detections] == [d["verdict"] for d in written["detections"]]


def test_fields_of_a_later_version_are_not_read(folder: Path) -> None:
    change(folder, later=1, files=1, duplicates=0, errors=1, verdicts={})
    (folder / "scan.jsonl").write_text(json.dumps(ROW) + "\n")
    (row,) = ScanResult.read(folder).rows()
    assert row.error == "cut short"


def test_a_scan_of_a_later_version_is_read_as_far_as_it_is_known_or_refused(folder: Path) -> None:
    known = ScanResult.read(folder)
    assert known.schema_version == "1.1"  # the summary has none, as the first version had none
    change(folder, schema_version="1.7", later={"a": 1})
    with pytest.warns(UserWarning, match="later version of guardrails"):
        assert ScanResult.read(folder) == known
    change(folder, schema_version="2.0")
    assert "Upgrade guardrails" in refused(folder)
    change(folder, schema_version=[1])
    assert "its schema_version is no version" in refused(folder)


@pytest.mark.slow
def test_what_a_scan_writes_fits_its_schema(folder: Path) -> None:
    result = ScanResult.read(folder)
    result = result.model_copy(update={"cost": Use(seconds=1.5, items=4), "top": tuple(list(result.rows())[:2])})
    schema = json_schema("scan")
    jsonschema.validate(json.loads(result.to_json()), schema)
    for row in result.rows():
        jsonschema.validate(json.loads(row.line()), schema["$defs"]["ScanRow"] | {"$defs": schema["$defs"]})
    jsonschema.validate(json.loads(kinds.bench().to_json()), json_schema("bench"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(result.to_json()) | {"files": -1}, schema)


@pytest.mark.parametrize("values", [{"files": 3}, {"errors": 0}, {"duplicates": 99}, {"verdicts": {}}])
def test_rows_that_the_summary_does_not_count_are_refused(folder: Path, values: dict[str, Any]) -> None:
    change(folder, **values)
    assert "does not hold the rows that" in refused(folder)


@pytest.mark.parametrize(
    "values",
    [
        {"files": -1},
        {"files": "many"},
        {"types": []},
        {"controls": [{}]},
        {"verdicts": {"a": {"real": 1}}},
        {"paths": 1},
    ],
)
def test_a_summary_of_another_schema_is_refused(folder: Path, values: dict[str, Any]) -> None:
    change(folder, **values)
    assert "is not the summary of a scan" in refused(folder)


@pytest.mark.parametrize(
    "line",
    [
        b"{", b"[]\n", b"\xff\n", b'{"path": NaN}\n', b"[" * 100_000 + b"\n", b"\x00" * 40,
        json.dumps(ROW | {"path_bytes": "xy"}).encode(),
        json.dumps(ROW | {"detections": [{"detector": "a", "verdict": "real"}]}).encode(),
    ],
    ids=range(8),
)  # fmt: skip
def test_a_damaged_row_is_refused_by_its_number(folder: Path, line: bytes) -> None:
    rows = (folder / "scan.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "scan.jsonl").write_bytes(rows[0] + line)
    assert "scan.jsonl, row 2 is not a row of a scan" in refused(folder)


def test_rows_and_summaries_have_a_bound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_result, "MAX_ROW_BYTES", 64)
    assert "row 1 is longer than" in refused(folder)
    monkeypatch.setattr(scan_result, "MAX_SUMMARY_BYTES", 64)
    assert "is larger than" in refused(folder)


def test_a_scan_without_its_files_is_one_message(folder: Path) -> None:
    (folder / "scan.jsonl").unlink()
    assert "scan.jsonl cannot be read: No such file" in refused(folder)
    (folder / "summary.json").unlink()
    assert "summary.json cannot be read: No such file" in refused(folder)


def test_a_benchmark_comes_back_as_it_was_written() -> None:
    result = kinds.bench()
    assert BenchResult.from_json(result.to_json()) == result
    assert BenchResult.from_json(result.to_json()).to_json() == result.to_json()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema_version",), None), (("tables",), []), (("tables", "shipped", 0, "auc"), "0.5"),
        (("tables", "shipped", 0, "called_synthetic"), ["a"]), (("tables", "means", 0, "perturbation"), "jpeg=high"),
        (("tables", "means", 0, "mean_auc"), None), (("tables", "more"), [1]), (("settings", "seed"), None),
        (("left_out", 0), {}), (("data",), None), (("hashes",), {"data": "x"}), (("versions",), {"a": 1}),
        (("tables", "calibration", 0, "n"), float("inf")), (("tables", "shipped", 0, "called_synthetic"), [0.1, 0.2]),
    ],
)  # fmt: skip
def test_a_benchmark_of_another_schema_is_refused(path: tuple[Any, ...], value: Any) -> None:
    document = json.loads(kinds.bench().to_json())
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ConfigurationError, match="not a result of guardrails bench") as error:
        BenchResult.from_json(json.dumps(document))
    assert len(error.value.lines) == 1


def earlier() -> dict[str, Any]:
    """Return a benchmark as the first version of the schema had it."""
    document = json.loads(kinds.bench().to_json()) | {"schema": "guardrails-bench/1"}
    del document["schema_version"], document["cost"]
    for name in ("left_out", "left_out_means", "verdicts"):
        del document["tables"][name]
    for rows in document["tables"].values():
        for row in rows:
            for key in ("reason", "abstains_on_real"):
                row.pop(key, None)
    return document


def test_a_benchmark_of_the_first_version_is_read() -> None:
    result = BenchResult.from_json(json.dumps(earlier()))
    assert result.schema_version == "2.2"
    assert [row.auc for row in result.tables.shipped] == [row.auc for row in kinds.bench().tables.shipped]
    assert result.settings == kinds.bench().settings
    with pytest.raises(ConfigurationError, match="it has no schema_version"):
        BenchResult.from_json(json.dumps(earlier() | {"schema": "guardrails-bench/9"}))


def test_a_benchmark_before_there_were_kinds_is_read() -> None:
    document = json.loads(kinds.bench().to_json()) | {"schema_version": "2.0"}
    for row in document["tables"]["means"]:
        del row["kind"]
    assert BenchResult.from_json(json.dumps(document)) == kinds.bench()


def test_a_benchmark_before_verdicts_were_counted_is_read() -> None:
    document = json.loads(kinds.bench().to_json()) | {"schema_version": "2.1"}
    del document["tables"]["verdicts"]
    for name, keys in (("means", ("data", "n_generated", "n_real")), ("calibration", ("data", "kind"))):
        for row in document["tables"][name]:
            for key in keys:
                del row[key]
    whole = kinds.bench()
    expected = whole.model_copy(update={"tables": whole.tables.model_copy(update={"verdicts": []})})
    assert BenchResult.from_json(json.dumps(document)) == expected


def test_a_later_benchmark_is_read_as_far_as_it_is_known_or_refused() -> None:
    document = json.loads(kinds.bench().to_json()) | {"later": 1}
    document["tables"]["later"] = [1]
    with pytest.warns(UserWarning, match="later version of guardrails"):
        result = BenchResult.from_json(json.dumps(document | {"schema_version": "2.9"}))
    assert result == kinds.bench()
    with pytest.raises(ConfigurationError, match="Upgrade guardrails") as error:
        BenchResult.from_json(json.dumps(document | {"schema_version": "3.0"}))
    assert len(error.value.lines) == 1


@pytest.mark.parametrize("text", ["", "[]", "null", '{"a": NaN}', '{"a": -Infinity}', '{"a":' * 100_000, "\ufeff{}"])
def test_only_an_object_of_json_is_read(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        json_object(text)
    assert not isinstance(error.value, UnicodeError)
