"""Stored results of other schema versions: each that was written is read; later ones as far as they are known."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult, json_schema
from guardrails.core.results.bench import BenchResult
from guardrails.core.results.migrate import STEPS, VERSIONS, migrated
from reports import render

sys.path.append(str(Path(__file__).parents[2] / "reports"))
factory = importlib.import_module("report_factory")
kinds = importlib.import_module("result_kinds")


def without(values: Any, *names: str) -> Any:
    """Return JSON without the fields of these names, wherever they stand."""
    if isinstance(values, dict):
        return {key: without(value, *names) for key, value in values.items() if key not in names}
    return [without(value, *names) for value in values] if isinstance(values, list) else values


def stored(values: dict[str, Any], **changes: Any) -> str:
    """Return a document as an audit is stored, with the checksum that fits."""
    unsigned = values | changes | {"sha256": None}
    text = json.dumps(unsigned, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    return json.dumps(unsigned | {"sha256": hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()})


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    """A result of this version."""
    values: dict[str, Any] = json.loads(factory.audit().to_json())
    return values


def earlier(written: dict[str, Any], version: str) -> str:
    """Return the same result as a version of the schema had it."""
    since = {
        "1.0": ("exact", "read_as", "first_error", "inputs", "sha256", "cost"), "1.1": ("inputs", "sha256", "cost"),
        "1.2": ("cost",), "1.3": ("requests",), "1.4": ("policy_record",),
        "1.5": ("waiver", "known", "waivers", "remarks", "fail_on", "rescored", "readings", "measured_by"),
        "1.6": ("repeated",),
    }[version]  # fmt: skip
    values = without(written, *since) | {"schema_version": version}
    return json.dumps(values) if "sha256" in since else stored(values)


@pytest.mark.parametrize("version", [before for before, _ in STEPS["audit"]])
def test_a_result_of_each_earlier_version_is_read(written: dict[str, Any], version: str) -> None:
    result = AuditResult.from_json(earlier(written, version))
    assert result.schema_version == VERSIONS["audit"]
    assert [f.id for f in result.findings] == [f["id"] for f in written["findings"]]
    assert [f.status for f in result.findings] == [f["status"] for f in written["findings"]]
    assert AuditResult.from_json(result.to_json()) == result
    jsonschema.validate(json.loads(result.to_json()), json_schema())


def test_unknown_fields_of_a_later_minor_version_are_ignored_with_a_warning(written: dict[str, Any]) -> None:
    values = json.loads(json.dumps(written)) | {"later": {"deep": [1]}, "schema_version": "1.99"}
    values["findings"][0]["later"] = "x"
    values["targets"][0]["later"] = None
    with pytest.warns(UserWarning, match=r"written by a later version of guardrails \(schema 1\.99"):
        result = AuditResult.from_json(stored(values))
    assert result == AuditResult.from_json(stored(written))


def test_unknown_fields_of_this_version_are_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        AuditResult.from_json(stored(written, later=1))


@pytest.mark.parametrize("version", ["2.0", "17.3"])
def test_a_later_major_version_is_one_clear_line(written: dict[str, Any], version: str) -> None:
    with pytest.raises(ConfigurationError, match="Upgrade guardrails") as error:
        AuditResult.from_json(stored(written, schema_version=version, verdict="something new"))
    assert len(error.value.lines) == 1


@pytest.mark.parametrize("version", ["", "1", "1.2.3", "one", "1.0\n", "٣.٠", "0.9", "99999.0", "-1.0"])
def test_what_is_no_version_is_one_line(written: dict[str, Any], version: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        AuditResult.from_json(stored(written, schema_version=version))
    assert len(error.value.lines) == 1


def test_a_later_version_that_was_changed_is_refused(written: dict[str, Any]) -> None:
    text = stored(written, schema_version="1.99").replace('"seed": ', '"seed": 1')
    with (
        pytest.warns(UserWarning, match="later version"),
        pytest.raises(ValidationError, match="do not fit its sha256"),
    ):
        AuditResult.from_json(text)


@pytest.mark.parametrize("format", ["markdown", "csv", "html", "json"])
def test_a_benchmark_from_before_abstentions_on_real_pictures_were_counted(format: str) -> None:
    old = json.loads(kinds.bench().to_json())
    del old["schema_version"], old["cost"]
    for row in old["tables"]["false_alarms"]:
        del row["abstains"]
    result = BenchResult.from_json(json.dumps(old | {"schema": "guardrails-bench/1"}))
    assert result.schema_version == VERSIONS["bench"]
    assert [row.abstains for row in result.tables.false_alarms] == [[] for _ in result.tables.false_alarms]
    assert len(render(result, format)) > 100


@pytest.mark.parametrize("version", ["١.٣", "1", "1.3.0", " 1.3", "-1.3", ""])
def test_what_is_no_version_is_refused(written: dict[str, Any], version: str) -> None:
    with pytest.raises(ConfigurationError, match="its schema_version is no version"):
        AuditResult.from_json(stored(written, schema_version=version))


@pytest.mark.parametrize("kind", list(STEPS))
def test_the_steps_lead_to_the_present_version(kind: Any) -> None:
    for version, _ in STEPS[kind]:
        assert migrated(kind, {"schema_version": version})["schema_version"] == VERSIONS[kind]
    assert migrated(kind, {"schema_version": VERSIONS[kind]}) == {"schema_version": VERSIONS[kind]}
    names = [*(version for version, _ in STEPS[kind]), VERSIONS[kind]]
    assert names == sorted(set(names))


@pytest.mark.parametrize("kind", list(STEPS))
def test_each_schema_is_one(kind: Any) -> None:
    schema = json_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == {"audit": "AuditResult", "scan": "ScanResult", "bench": "BenchResult"}[kind]
