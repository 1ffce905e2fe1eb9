"""What every renderer must keep to, for every kind of result that it accepts."""

from __future__ import annotations

import importlib
import json
import re
import sys
import unicodedata
from collections import Counter
from html.parser import HTMLParser
from importlib import resources
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import junitparser
import pytest
from huggingface_hub import ModelCard

import reports
from guardrails.core import plug_ins
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult, Cost, InputRecord, ProbeCost, Requests, Status
from guardrails.core.results.bench import BenchResult
from guardrails.core.results.comparison import Comparison
from guardrails.core.results.scan import FilePictures, ScanResult
from guardrails.core.results.trend import Trend
from guardrails.core.visible import is_hidden
from reports import registry
from reports.outcomes import one_line, outcome_of
from reports.renderer import Renderer

sys.path.append(str(Path(__file__).parents[1] / "reports"))
kinds = importlib.import_module("result_kinds")
factory = importlib.import_module("report_factory")

EVERY = pytest.mark.parametrize(
    ("format", "kind"), [pytest.param(*key, id=f"{key[0]}-{key[1].__name__}") for key in registry.renderers()]
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[type, list[Any]]:
    folder = tmp_path_factory.mktemp("scan")
    scan = kinds.scan(folder)
    shown = sum(bool(row.detections) for row in scan.rows())
    return {
        AuditResult: [
            factory.audit(),
            factory.self_check(broken=True),
            kinds.hostile_audit(),
            kinds.excused_audit(),
        ],
        ScanResult: [scan, scan.model_copy(update={"pictures": (FilePictures(thumbnail="AAAA"),) * shown})],
        BenchResult: [kinds.bench()],
        Comparison: [kinds.comparison()],
        Trend: [kinds.trend()],
    }


@EVERY
def test_it_returns_the_same_bytes_again(format: str, kind: type, results: dict[type, list[Any]]) -> None:
    for result in results[kind]:
        first = reports.render(result, format)
        assert isinstance(first, bytes)
        assert first
        assert reports.render(result, format) == first


@pytest.mark.parametrize("format", reports.formats())
def test_a_result_gives_the_same_bytes_after_it_was_stored(format: str) -> None:
    audit = factory.audit()
    names = ("target", "corpus", "holdout")  # stored, they are sorted
    target = audit.targets[0].model_copy(
        update={
            "data": dict.fromkeys(names, "x.jsonl"),
            "read_as": dict.fromkeys(names, "as lines"),
            "identity": dict.fromkeys(names, "9f2c"),
            "inputs": {name: InputRecord(name=name, sha256="ab12") for name in names},
        }
    )
    requests = Requests(sent=3, failed=dict.fromkeys(names, 1))
    cost = Cost(total=ProbeCost(), per_probe=dict.fromkeys(("privacy.pii", "bias.counterfactual"), ProbeCost()))
    timing = audit.timing.model_copy(update={"cost": cost.model_copy(update={"requests": requests})})
    options = {"z": 1, "a": 2}
    findings = tuple(finding.model_copy(update={"options": options}) for finding in audit.findings)
    environment = {"torch": "2", "python": "3"}
    result = factory.audit(targets=(target,), findings=findings, timing=timing, environment=environment)
    assert reports.render(AuditResult.from_json(result.to_json()), format) == reports.render(result, format)


@EVERY
def test_hostile_strings_stay_text(format: str, kind: type, results: dict[type, list[Any]]) -> None:
    for result in results[kind]:
        content = reports.render(result, format)
        text = content.decode("utf-8")  # a half of a surrogate pair would not be
        if format != "json":  # which must hold the strings as they are; its escapes are JSON's own
            assert [c for c in set(text) if unicodedata.category(c) == "Cc" and c not in "\n\t"] == []
            assert not re.search("[\u202a-\u202e\u2066-\u2069]", text)
        HARMLESS[format](content)


SORT = resources.files("reports").joinpath("templates/sort.js").read_text("utf-8")
"""The one script that a page may hold."""


def harmless_html(content: bytes) -> None:
    tags: list[tuple[str, dict[str, str | None]]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.append((tag, dict(attributes)))  # type: ignore[method-assign]
    parser.feed(content.decode().replace(f"<script>{SORT}</script>\n</body>", "</body>"))  # at its own place alone
    assert {"script", "iframe", "object", "embed", "form", "base"}.isdisjoint(tag for tag, _ in tags)
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    assert {attributes["href"] for tag, attributes in tags if tag == "link"} <= {"data:,"}


def harmless_junit(content: bytes) -> None:
    assert b"<!" not in content
    assert kinds.junit_cases(content)
    assert sum(suite.tests for suite in junitparser.JUnitXml.fromstring(content)) == len(kinds.junit_cases(content))


def harmless_sarif(content: bytes) -> None:
    run = kinds.sarif_run(content)
    notes = run["invocations"][0]["toolExecutionNotifications"]
    for message in [item["message"]["text"] for item in (*run["results"], *notes)]:
        assert not re.search(r"(?<!\\)\[[^\[\]]*\]\(", message), message  # no link
        assert not re.search(r"(?<!\{)\{(\{\{)*\d", message.replace("{{", "")), message  # no placeholder


def harmless_csv(content: bytes) -> None:
    assert kinds.formulas(content) == []


def harmless_markdown(content: bytes) -> None:
    assert b"<script" not in content
    assert b"<img" not in content


def harmless_json(content: bytes) -> None:
    assert json.loads(content)


def harmless_texts(document: Any) -> None:
    """Whoever shows a text of a document that other tools read shows all of it, on one line, and opens no address."""
    for key, text in kinds.texts(document):
        if key == "description" and document.get("data_type") == "AVID":
            text = text.replace("\n", "")
        assert [c for c in text if is_hidden(c)] == []
        if key in ("href", "url"):
            assert re.match(r"https://|#|media/", text), text


def harmless_document(content: bytes) -> None:
    harmless_texts(json.loads(content))


def harmless_model_card(content: bytes) -> None:
    card = ModelCard(content.decode())
    assert set(card.data.to_dict()) <= {"model-index"}
    harmless_texts(card.data.to_dict())
    assert "<" not in content.decode()
    assert card.text.count("\n## ") + card.text.startswith("## ") == 1


HARMLESS = {
    "avid": harmless_document, "controls": harmless_document, "csv": harmless_csv, "cyclonedx": harmless_document,
    "every-eval-ever": harmless_document, "html": harmless_html, "json": harmless_json, "junit": harmless_junit,
    "markdown": harmless_markdown, "model-card": harmless_model_card, "oscal": harmless_document,
    "sarif": harmless_sarif, "summary": harmless_markdown,
}  # fmt: skip


@pytest.mark.parametrize("format", reports.formats())
def test_a_hostile_string_in_every_field_of_an_audit_stays_text(format: str) -> None:
    for text in kinds.EVERYWHERE:
        result = kinds.filled(factory.audit(), text)
        content = reports.render(result, format)
        assert reports.render(result, format) == content
        HARMLESS[format](content)


@EVERY
def test_no_outcome_is_lost(format: str, kind: type, results: dict[type, list[Any]]) -> None:
    for result in results[kind]:
        COUNTS[kind](format, result, reports.render(result, format))


def audit_counts(format: str, result: AuditResult, content: bytes) -> None:
    counts = Counter(finding.outcome for finding in result.findings)
    match format:
        case "csv":
            assert Counter(row["outcome"] for row in kinds.csv_rows(content)) == counts | Counter(
                {"not-tested": len(result.not_tested)}
            )
        case "sarif":
            run = kinds.sarif_run(content)
            assert Counter(one["properties"]["outcome"] for one in run["results"]) == counts
            notes = run["invocations"][0]["toolExecutionNotifications"]
            assert sum(n["message"]["text"].startswith("Not tested: ") for n in notes) == len(result.not_tested)
        case "junit" if result.kind == "audit":
            words = Counter(map(kinds.junit_word, kinds.junit_cases(content)))
            assert words.pop("not-tested") == len(result.not_tested)
            broken = words.pop("control-failed", 0) + words.pop("items-failed", 0)
            assert words + Counter({"not-assessed": broken}) == counts
        case "junit":
            cases = [case for case in kinds.junit_cases(content) if kinds.junit_word(case) != "not-tested"]
            assert len(cases) == len(result.findings)
            passed = sum(kinds.junit_word(case) == "pass" for case in cases)
            assert passed == sum(finding.behaved for finding in result.findings)
        case "json":
            findings = json.loads(content)["findings"]
            assert Counter(f["status"] for f in findings) == Counter(f.status.value for f in result.findings)
            assert sum(f["waiver"] is not None for f in findings) == counts["waived"]
        case "oscal" | "cyclonedx" | "avid" | "every-eval-ever" | "model-card":
            assert kinds.stated_outcomes(format, content) == Counter(outcome_of(f).word for f in result.findings)
        case "controls":
            assert result.policy_record is not None
            named = {probe for control in result.policy_record.controls for probe in control.probes if control.testable}
            shown = {(e["finding"], e["status"]) for c in json.loads(content)["controls"] for e in c["evidence"]}
            assert shown == {(one_line(f.id), f.status.value) for f in result.findings if f.probe in named}
        case _:
            text = re.sub(r"<[^>]*>|\\", " ", content.decode()) if format == "html" else content.decode()
            text = re.sub(r"(\d) \S (?=\w)", r"\1 ", text) if format == "summary" else text
            shown = {"not-assessed": "not assessed"}
            for status in ("fail", "pass", "waived", "known", "not-assessed"):
                words = shown.get(status, status)
                if counts[status] and result.kind == "audit":
                    assert re.search(rf"\b{counts[status]}\s+{words}\b", text), (status, format)


def scan_counts(format: str, result: ScanResult, content: bytes) -> None:
    said = Counter({(name, verdict): n for name, counts in result.verdicts.items() for verdict, n in counts.items()})
    verdicts = Counter(verdict for (_, verdict), n in said.items() for _ in range(n))
    match format:
        case "csv":
            words = Counter(row["outcome"] for row in kinds.csv_rows(content))
            assert (words.pop("error"), words.pop("duplicate")) == (result.errors, result.duplicates)
            del words["no-detector"]
            assert words == verdicts
        case "junit":
            cases = [case for case in kinds.junit_cases(content) if case.attrib["classname"] != "controls"]
            words = Counter(map(kinds.junit_word, cases))
            assert (words.pop("not-read"), words.pop("duplicate")) == (result.errors, result.duplicates)
            del words["no-detector"]
            words["nothing found"] = words.pop("pass")
            assert words == verdicts
        case "sarif":
            run = kinds.sarif_run(content)
            assert Counter(one["properties"]["outcome"] for one in run["results"]) == verdicts
            notes = Counter(n["level"] for n in run["invocations"][0]["toolExecutionNotifications"])
            assert notes["error"] == result.errors + sum(not c.behaved for c in result.controls)
        case _:
            assert f"{result.files:,} files scanned".encode() in content
            for verdict, n in verdicts.items():
                assert f"{n:,} {verdict}".encode() in content


def bench_counts(format: str, result: BenchResult, content: bytes) -> None:
    tables = result.tables.model_dump()
    match format:
        case "csv":
            assert Counter(row["table"] for row in kinds.csv_rows(content)) == Counter(
                {k: len(v) for k, v in tables.items() if v}
            )
        case "json":
            assert json.loads(content) == result.model_dump()
        case _:
            assert content.count(b"0.500 [0.40, 0.60]") >= len(tables["shipped"])


def comparison_counts(format: str, result: Comparison, content: bytes) -> None:
    changes = Counter(finding.change for finding in result.findings)
    if format == "json":
        assert Counter(finding["change"] for finding in json.loads(content)["findings"]) == changes
        return
    for change, n in changes.items():
        words = {"not-comparable": "Not comparable"}
        word = words.get(change, change.capitalize())
        assert len(re.findall(rf"(?:\| \S+ |>\s*){word}(?: \||</span>)", content.decode())) >= n, change


def trend_counts(format: str, result: Trend, content: bytes) -> None:
    steps = [step for finding in result.findings for step in finding.steps if step]
    for change, word in (("worse", "Worse"), ("better", "Better")):
        n = sum(step.change == change for step in steps)
        said = f'"{change}"' if format == "json" else word
        assert content.decode().count(said) >= n


COUNTS: dict[type, Any] = {
    AuditResult: audit_counts, ScanResult: scan_counts, BenchResult: bench_counts, Comparison: comparison_counts,
    Trend: trend_counts,
}  # fmt: skip


def test_every_kind_and_the_formats_of_this_page_are_covered() -> None:
    assert {kind for _, kind in registry.renderers()} == set(COUNTS)
    assert {format for format, _ in registry.renderers()} == set(HARMLESS)
    assert {finding.status for finding in kinds.hostile_audit().findings} == set(Status)


class Complete(Renderer[AuditResult]):
    format = "verdict"
    accepts = AuditResult
    title = "one word"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        return result.verdict.encode()


class Taken(Complete):
    format = "html"


class Named(Complete):
    format = "Two words"


class Wrong(Complete):
    accepts = dict  # type: ignore[assignment]
    title = ""


class Partial(Renderer[AuditResult]):
    format = "partial"
    accepts = AuditResult
    title = "nothing"


class Textual(Complete):
    format = "textual"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        return "text"  # type: ignore[return-value]


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(cls: Any) -> None:
        point = EntryPoint("mine", "mine:cls", registry.GROUP)
        monkeypatch.setattr(EntryPoint, "load", lambda self: cls)
        monkeypatch.setattr(plug_ins, "entry_points", lambda group: [point])
        registry.renderers.cache_clear()

    yield install
    monkeypatch.undo()
    registry.renderers.cache_clear()


def test_a_plug_in_is_one_format_among_the_others(plug_in: Any) -> None:
    plug_in(Complete)
    assert "verdict" in reports.formats()
    assert reports.render(factory.audit(), "verdict") == b"fail"
    assert "verdict" not in reports.formats(BenchResult)


@pytest.mark.parametrize(
    ("cls", "why"),
    [
        (Taken, "another renderer has the format 'html' for results of audit"),
        (Named, "no word of lower-case letters"),
        (Wrong, "none of AuditResult, ScanResult, BenchResult, Comparison, Trend; it has no title"),
        (Partial, r"it has no render\(\)"),
        (dict, "it is no Renderer class"),
    ],
)
def test_a_plug_in_that_is_not_complete_is_left_out_with_a_warning(cls: Any, why: str, plug_in: Any) -> None:
    known = reports.formats()
    plug_in(cls)
    with pytest.warns(UserWarning, match=f"plug-in mine .* is left out: .*{why}"):
        assert reports.formats() == known


def test_a_renderer_that_returns_no_bytes_is_a_mistake(plug_in: Any) -> None:
    plug_in(Textual)
    with pytest.raises(ConfigurationError, match="'textual' returned str, not bytes"):
        reports.render(factory.audit(), "textual")


def test_a_format_of_another_kind_of_result_is_answered_with_those_of_this_kind() -> None:
    with pytest.raises(ConfigurationError, match=r"for results of audit, scan, not of bench"):
        reports.render(kinds.bench(), "sarif")
