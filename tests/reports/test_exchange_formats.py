"""OSCAL, CycloneDX, model cards, AVID and Every Eval Ever: what they state, and readers that are not ours."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
import result_kinds as kinds
import yaml
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st

import reports
from guardrails.assay.foreign.every_eval_ever import is_every_eval_ever, read
from guardrails.core.results import AuditResult, Evidence, OtherTool, Status, WaiverRecord
from reports.exchange.facts import NAMESPACE, token
from reports.exchange.junit import xml_text
from reports.exchange.model_card import _scalar, _yaml
from reports.outcomes import one_line

ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=40)  # half surrogate pairs too
DOCUMENTS = ("avid", "cyclonedx", "every-eval-ever", "oscal")
UUID5 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
PEERS = Path(__file__).parents[2] / "benchmarks" / "report_formats.py"


def document(result: AuditResult, format: str, **more: Any) -> Any:
    return json.loads(reports.render(result, format, **more))


def oscal(result: AuditResult, **more: Any) -> dict[str, Any]:
    return document(result, "oscal", **more)["assessment-results"]


def one(factory, **more) -> AuditResult:
    return factory.audit(findings=(factory.extraction(**more),), not_tested=())


def every(factory) -> list[AuditResult]:
    broken = factory.self_check(broken=True)
    return [factory.audit(), broken, kinds.hostile_audit(), factory.audit(findings=(), targets=(), not_tested=())]


def props(part: dict[str, Any]) -> dict[str, str]:
    return {p["name"]: p["value"] for p in part["props"]}


def test_oscal_calls_satisfied_what_passed_and_nothing_else(factory):
    result = oscal(factory.audit())["results"][0]
    states = {props(f)["finding"]: f["target"]["status"]["state"] for f in result["findings"]}
    assert states == {
        "memorization.extraction/verbatim_rate": "not-satisfied",
        "privacy.pii/3": "satisfied",
        "quality.diversity/5": "satisfied",
    }
    outcomes = [props(o)["outcome"] for o in result["observations"]]
    assert outcomes == ["fail", "inconclusive", "pass", "not-assessed", "pass", "not-applicable", *["not-tested"] * 4]


@pytest.mark.parametrize("status", [s for s in Status if s not in (Status.PASS, Status.FAIL)])
def test_what_was_not_settled_is_an_oscal_observation_alone(factory, status):
    result = oscal(one(factory, status=status))["results"][0]
    assert "findings" not in result
    assert [props(o)["outcome"] for o in result["observations"]] == [status.value]
    assert "satisfied" not in json.dumps(result)


def test_a_pass_whose_control_failed_is_not_satisfied_and_has_no_number(factory):
    broken = one(factory, status="pass", controls=factory.controls(good=False))
    assert "findings" not in oscal(broken)["results"][0]
    assert document(broken, "every-eval-ever")["evaluation_results"] == []
    assert "estimate" not in document(broken, "avid")["metrics"][0]["results"]
    (model,) = document(broken, "cyclonedx")["components"]
    assert model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"] == []
    assert "model-index" not in reports.render(broken, "model-card").decode()


def test_a_waived_failure_is_not_satisfied_and_says_who_waived_it(factory):
    waiver = WaiverRecord(owner="Ada", reason="accepted for the pilot", expires="2027-01-31")
    result = one(factory, waiver=waiver)
    (finding,) = oscal(result)["results"][0]["findings"]
    assert finding["target"]["status"]["state"] == "not-satisfied"
    (metric,) = document(result, "avid")["metrics"]
    assert (metric["results"]["outcome"], metric["results"]["status"]) == ("waived", "fail")
    assert metric["results"]["waived"] == "until 2027-01-31 by Ada: accepted for the pilot"


def test_a_figure_of_another_tool_names_the_tool(factory):
    other = OtherTool(tool="garak", version="0.17.1", file="a.jsonl", sha256="0", target="x", corrected=False)
    (metric,) = document(one(factory, measured_by=other), "avid")["metrics"]
    assert metric["results"]["measured-by"] == "garak 0.17.1, not corrected for the error of its detector: a.jsonl"


def test_what_an_oscal_document_refers_to_is_in_it(factory):
    for result in every(factory):
        ar = oscal(result)
        assert ar["import-ap"]["href"] == f"#{ar['back-matter']['resources'][0]['uuid']}"
        assert "no OSCAL assessment plan" in ar["import-ap"]["remarks"]
        uuids = [text for key, text in kinds.texts(ar) if key == "uuid"]
        assert len(set(uuids)) == len(uuids)
        assert all(UUID5.fullmatch(text) for text in uuids)
        refers = [text for key, text in kinds.texts(ar) if key in ("subject-uuid", "observation-uuid")]
        assert set(refers) <= set(uuids)
        tokens = [text for key, text in kinds.texts(ar) if key in ("target-id", "control-id")]
        assert all(re.fullmatch(r"[A-Za-z_][\w.-]*", text) for text in tokens)
        assert not re.search(r": (\[\]|\{\})", json.dumps(ar))  # OSCAL has no empty lists


def test_oscal_needs_a_time_and_says_where_it_has_none(factory):
    timing = factory.audit().timing
    stated = oscal(factory.audit())
    assert stated["metadata"]["last-modified"] == "2026-11-23T09:14:05+00:00"
    for started in ("", "yesterday", "2026-11-23T09:14:05"):  # the last has no zone
        ar = oscal(factory.audit(timing=timing.model_copy(update={"started": started})))
        assert ar["results"][0]["start"] == "1970-01-01T00:00:00+00:00"
        assert "placeholder" in ar["metadata"]["remarks"]


def test_pictures_that_are_gone_or_lie_elsewhere_are_left_out_with_the_reason(factory, tmp_path):
    (tmp_path / "media").mkdir()
    factory.png(tmp_path / "media" / "a b.png")
    factory.png(tmp_path / "outside.png")
    (tmp_path / "media" / "link.png").symlink_to(tmp_path / "outside.png")
    media = (
        "media/a b.png",
        "media/gone.png",
        "../outside.png",
        "media/../outside.png",
        "media/link.png",
        "/etc/passwd",
        "media",
    )
    m = factory.measurement(0.5, 0.4, 0.6, evidence=(Evidence(kind="images", caption="pairs", media=media),))
    result = one(factory, measurement=m)
    (observation,) = oscal(result, run_folder=tmp_path)["results"][0]["observations"]
    evidence = observation["relevant-evidence"]
    assert [e.get("href") for e in evidence] == ["media/a%20b.png", *[None] * 6]
    assert evidence[1]["remarks"] == "Left out: media/gone.png: the file is missing"
    assert all("outside the run’s media folder" in e["remarks"] for e in evidence[2:6])
    assert evidence[6]["remarks"] == "Left out: media: the file is missing"
    (observation,) = oscal(result)["results"][0]["observations"]
    named = [e["href"] for e in observation["relevant-evidence"] if "href" in e]
    assert named == ["media/a%20b.png", "media/gone.png", "media/link.png"]  # without a folder, nothing is looked at


@pytest.mark.parametrize("format", [*DOCUMENTS, "model-card"])
def test_excerpts_of_outputs_stay_in_the_run(factory, format):
    assert b"lamplighter" not in reports.render(factory.audit(), format)


def test_cyclonedx_is_valid_by_the_official_schema(factory):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_7)
    for result in every(factory):
        assert validator.validate_str(reports.render(result, "cyclonedx").decode()) is None
    wrong = document(factory.audit(), "cyclonedx")
    wrong["components"][0]["modelCard"]["verdict"] = "pass"
    assert validator.validate_str(json.dumps(wrong)) is not None


def test_a_cyclonedx_metric_has_its_interval_and_its_outcome(factory):
    (model,) = document(factory.audit(), "cyclonedx")["components"]
    first, *_ = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert first == {
        "type": "memorization.extraction/verbatim_rate (share)", "value": "0.1094",
        "confidenceInterval": {"lowerBound": "0.0801", "upperBound": "0.1478"},
    }  # fmt: skip
    outcomes = {p["name"]: p["value"] for p in model["modelCard"]["properties"]}
    assert outcomes["guardrails:outcome:memorization.extraction/verbatim_rate"] == "fail"
    assert outcomes["guardrails:outcome:privacy.membership/4"] == "not-assessed"
    assert "guardrails:estimate:privacy.membership/4" not in outcomes
    assert (
        "Not tested: Misuse and refusals: left out by --probes"
        in (model["modelCard"]["considerations"]["technicalLimitations"])
    )


def test_a_model_card_is_what_the_library_of_the_hub_reads(factory):
    card = ModelCard(reports.render(factory.audit(), "model-card").decode())
    assert card.data.model_name == "hf:models/storyteller"
    first, second, *_ = card.data.eval_results
    assert (first.metric_type, first.metric_value) == ("memorization.extraction.verbatim_rate", 0.1094)
    assert (first.metric_args["low"], first.metric_args["high"], first.metric_args["n"]) == (0.0801, 0.1478, 512)
    assert [result.metric_args["outcome"] for result in (first, second)] == ["fail", "inconclusive"]
    assert len(card.data.eval_results) == 4  # two have no number: they stand in the table alone
    assert "| not-assessed | no reading that counts |" in card.text
    again = ModelCard(str(card))  # as a user who adds to the card writes it
    assert again.data.to_dict() == card.data.to_dict()


def test_a_hostile_target_is_one_name_in_a_model_card():
    result = kinds.hostile_audit()
    card = ModelCard(reports.render(result, "model-card").decode())
    assert card.data.model_name == one_line(result.targets[0].name)


@given(ANY_TEXT)
def test_any_text_of_a_report_is_the_same_text_in_yaml(text):
    text = one_line(text)
    assert yaml.safe_load(_scalar(text)) == xml_text(text)
    lines = "\n".join(_yaml([{"a": {"b": text}, "c": [text, {"d": text}]}], 0))
    assert yaml.safe_load(lines) == [{"a": {"b": xml_text(text)}, "c": [xml_text(text), {"d": xml_text(text)}]}]


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20) | st.booleans())
def test_a_number_is_the_same_number_in_yaml(value):
    again = yaml.safe_load(_scalar(value))
    assert (type(again), again) == (type(value), value)


@given(ANY_TEXT, ANY_TEXT)
def test_texts_that_differ_have_tokens_that_differ(one, other):
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9._-]*", token(one))
    if one.encode("utf-8", "replace") != other.encode("utf-8", "replace"):
        assert token(one) != token(other)


@pytest.mark.parametrize("format", DOCUMENTS)
def test_the_same_result_has_the_same_uuid_and_another_result_another(factory, format):
    def uuids(result: AuditResult) -> set[str]:
        return set(re.findall(UUID5, reports.render(result, format).decode())) - {str(NAMESPACE)}

    stored = AuditResult.from_json(factory.audit().to_json())
    assert uuids(stored) == uuids(factory.audit()) != set()
    assert uuids(factory.audit(seed=1)).isdisjoint(uuids(stored))


def test_avid_names_the_categories_of_what_failed(factory):
    report = document(factory.audit(), "avid")
    assert report["impact"]["avid"]["sep_view"] == ["P0300: Privacy"]
    assert report["affects"]["artifacts"] == [{"type": "Model", "name": "hf:models/storyteller"}]
    assert report["reported_date"] == "2026-11-23"
    passed = document(one(factory, status="pass", measurement=factory.measurement(0.0, 0.0, 0.001)), "avid")
    assert (passed["impact"]["avid"]["sep_view"], passed["references"]) == ([], [])
    assert passed["description"]["value"].startswith("No issue found by the 1 checks")


def test_every_eval_ever_names_what_has_no_score(factory):
    record = document(factory.audit(), "every-eval-ever")
    first, *_ = record["evaluation_results"]
    assert first["score_details"]["uncertainty"] == {
        "confidence_interval": {
            "lower": 0.0801, "upper": 0.1478, "confidence_level": 0.95,
            "method": "Wilson interval over prompts, Bonferroni over 3 measurements",
        },
        "num_samples": 512,
    }  # fmt: skip
    assert first["metric_config"]["lower_is_better"] is True
    details = record["source_metadata"]["additional_details"]
    assert len(record["evaluation_results"]) == 4
    assert details["finding without a score 1"].startswith("privacy.membership/4: not-assessed: no reading that counts")
    assert details["not tested 4"] == "Not tested: Misuse and refusals: left out by --probes"


def test_the_import_reads_the_scores_of_a_record(factory):
    record = document(factory.audit(), "every-eval-ever")
    assert is_every_eval_ever(record)
    again = read(record)
    values = [f.measurement.value for f in factory.findings() if f.measurement and f.measurement.value is not None]
    assert [reading.value for reading in again.readings] == values
    assert [reading.n for reading in again.readings] == [512, 480, 1024, 600]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the packages
@pytest.mark.parametrize("peer", ["oscal", "avid", "every-eval-ever"])
def test_not_validated_here_by_the_tools_of_the_format_unless_they_are_installed(factory, peer):
    spec = importlib.util.spec_from_file_location("report_formats", PEERS)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    package = script.PACKAGES[peer]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed; benchmarks/report_formats.py validates in an environment with it")
    for result in every(factory):
        assert script.mistake(peer, reports.render(result, peer)) is None
    assert script.mistake(peer, b'{"assessment-results": {}, "metrics": [{}]}') is not None
