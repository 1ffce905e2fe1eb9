"""Controls of frameworks in policies: the shipped rows, their ids, what the probes evidence of them, and bad rows."""

import json
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from guardrails.assay.policy.check import mistakes_in, notes_on
from guardrails.assay.policy.coverage import coverage
from guardrails.assay.policy.known_ids import known_frameworks
from guardrails.assay.policy.policy import POLICIES, Policy, frameworks, load_policy, policy_names
from guardrails.cli import policy as policy_command
from guardrails.core.errors import ConfigurationError, GuardrailsError
from guardrails.core.registry import probes

FRAMEWORKS = [name for name in policy_names() if name != "default"]
HEAD = """name = "mine"
description = "a test's own"
extends = "default"
[framework]
framework = "House rules"
edition = "1"
source_url = "https://example.org/rules"
retrieved = 2026-11-30
confidence = "low"
"""
ATLAS = 'framework = "MITRE ATLAS"\nedition = "v2026.09"'


def control(id="R1", title="A rule", **keys):
    values = {"probes": ["privacy.pii"]} | keys
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None]
    return "\n".join(["[[control]]", f"id = {json.dumps(id)}", f"title = {json.dumps(title)}", *lines]) + "\n"


def written(folder: Path, *rows: str, head: str = HEAD, name: str = "mine") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(head + "".join(rows), encoding="utf-8")
    return path


def refused(path: Path) -> str:
    with pytest.raises(ConfigurationError) as error:
        load_policy(path)
    assert "mine.toml" in str(error.value)
    return str(error.value)


def test_these_policies_ship() -> None:
    assert set(policy_names()) == {
        "default", "eu-ai-act", "eu-code-of-practice-marking", "iso-42001", "mitre-atlas", "nist-ai-600-1",
        "owasp-llm-2026",
    }  # fmt: skip


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_the_rows_of_a_shipped_policy_are_complete_and_their_ids_and_titles_are_listed(name: str) -> None:
    policy = load_policy(name)
    assert policy.description
    assert policy.extends == ("default",)
    assert mistakes_in(policy) == []
    assert [note for note in notes_on(policy) if "is installed: a gap" not in note] == []
    assert len(policy.controls) >= 10
    for row in policy.controls:
        assert row.gap.endswith("."), row.id
        assert row.source_url.startswith("https://")
        assert re.fullmatch(r"2026-\d\d-\d\d", row.retrieved)
    assert any(not row.testable for row in policy.controls), "each says what no technical test can evidence"
    assert any(row.probes for row in policy.controls)


def test_every_probe_is_evidence_for_some_control() -> None:
    named = {probe for name in FRAMEWORKS for row in load_policy(name).controls for probe in row.probes}
    assert named == {id for id, cls in probes().items() if cls.__module__.startswith("guardrails.")}


def test_what_a_probe_cites_is_a_row_of_a_shipped_policy() -> None:
    rows = {row.reference for name in FRAMEWORKS for row in load_policy(name).controls}
    assert set(frameworks().values()) <= rows
    assert frameworks()["nist-600-1-homogenization"].id == "MS-2.11-005"


def test_the_list_of_ids_has_no_id_twice_and_the_sizes_that_are_published() -> None:
    known = known_frameworks()
    assert len(known["OWASP Top 10 for LLM Applications"].ids) == 10
    annex = [id for id in known["ISO/IEC 42001"].ids if id.count(".") >= 2]
    assert len(annex) == 38
    for framework in known.values():
        assert not framework.ids.keys() & framework.retired.keys()


def test_probes_that_are_not_installed_are_a_gap_and_no_mistake(tmp_path: Path) -> None:
    path = written(tmp_path, control(probes=["privacy.*", "nosuch.*", "memorization.extractoin"]))
    policy = load_policy(path)
    (row,) = policy.controls
    assert row.probes == tuple(sorted(id for id in probes() if id.startswith("privacy.")))
    assert row.absent == ("memorization.extractoin", "nosuch.*")
    assert mistakes_in(policy) == []
    assert any("Did you mean 'memorization.extraction'" in note for note in notes_on(policy))
    assert any("'House rules' are not checked" in note for note in notes_on(policy))
    assert coverage(policy)[0]["absent"] == ["memorization.extractoin", "nosuch.*"]
    assert row.retrieved == "2026-11-30"


def test_a_policy_that_extends_another_adds_to_its_controls_and_replaces_those_of_its_ids(tmp_path: Path) -> None:
    written(tmp_path, control("R1"), control("R2"), name="base")
    head = HEAD.replace('"default"', '"base.toml"')
    controls = load_policy(written(tmp_path, control("R2", probes=["bias.bbq"]), control("R3"), head=head)).controls
    assert [(row.id, row.probes) for row in controls] == [
        ("R1", ("privacy.pii",)), ("R2", ("bias.bbq",)), ("R3", ("privacy.pii",))
    ]  # fmt: skip
    stricter = load_policy(written(tmp_path, head=HEAD.replace('"default"', '"eu-ai-act"')))
    assert stricter.controls == load_policy("eu-ai-act").controls


@pytest.mark.parametrize(
    ("id", "title", "message"),
    [
        ("AML.T0019", "Publish Poisoned Datasets", "has retired AML.T0019; it is now AML.T0115.000"),
        ("AML.T0057", "LLM Meta Prompt Extraction", "AML.T0057 is titled 'LLM Data Leakage'"),
        ("AML.T0024.000", "Infer Training Data Membership", None),
    ],
)
def test_ids_and_titles_of_a_known_framework_are_checked(tmp_path: Path, id: str, title: str, message: str) -> None:
    head = HEAD.replace('framework = "House rules"\nedition = "1"', ATLAS)
    wrong = mistakes_in(load_policy(written(tmp_path, control(id, title), head=head)))
    assert wrong == [] if message is None else message in wrong[0]


def test_an_id_that_a_complete_list_lacks_is_a_mistake_and_one_that_an_open_list_lacks_a_note(tmp_path: Path) -> None:
    own = {"framework": "OWASP Top 10 for LLM Applications", "edition": "2026"}
    policy = load_policy(written(tmp_path, control("LLM11", "Model Theft", **own)))
    assert "has no 'LLM11'. Did you mean 'LLM1" in mistakes_in(policy)[0]
    policy = load_policy(written(tmp_path, control("LLM06", "Excessive Agency", **own | {"edition": "2025"})))
    assert mistakes_in(policy) == []
    assert "the edition 2026 is known here, not '2025'" in notes_on(policy)[0]
    policy = load_policy(written(tmp_path, control("AML.T0099", "x", framework="MITRE ATLAS", edition="v2026.09")))
    assert mistakes_in(policy) == []
    assert "'AML.T0099' is not listed here" in notes_on(policy)[0]


def test_a_paragraph_has_the_title_of_its_article(tmp_path: Path) -> None:
    act = known_frameworks()["EU AI Act"]
    own = {"framework": act.name, "edition": act.edition}
    good = control("Art. 15(4)", "Accuracy, robustness and cybersecurity: resilience", **own)
    bad = control("Art. 10(2)(h)", "Accuracy, robustness and cybersecurity: gaps", **own)
    (wrong,) = mistakes_in(load_policy(written(tmp_path, good, bad)))
    assert "Art. 10 is titled 'Data and data governance'" in wrong


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([control(), control()], "control R1: stands twice"),
        ([control(probes=[])], "control R1: probes: name those that give evidence for it, or say in gap why no probe"),
        ([control(probes=None, testable=False)], "or say in gap why no technical test can"),
        ([control(testable=False, gap="About people alone.")], "control R1: testable = false takes no probes"),
        ([control(probes="privacy.pii")], "control.0.probes: Input should be a valid tuple"),
        ([control(probes=["../../etc"])], "control.0.probes.0: String should match"),
        ([control(probes=["privacy.pii"] * 201)], "control.0.probes: Tuple should have at most 200"),
        ([control(source_url="javascript:alert(1)")], "control.0.source_url: String should match"),
        ([control(retrieved="yesterday")], "control.0.retrieved: String should match"),
        ([control(confidence="certain")], "control.0.confidence: Input should be 'high', 'medium' or 'low'"),
        ([control(satisfied=True)], "control.0.satisfied: Extra inputs are not permitted"),
        ([control(id="R\u001b[2J")], "control.0.id: String should match"),
        ([control(title="a\u202eb")], "control.0.title: String should match"),
        ([control(gap="x" * 1001)], "control.0.gap: String should have at most 1000"),
        (["[control]\nid = 'R1'"], "control: Input should be a valid list"),
        (["[[control]]\nid = 3\ntitle = ['a']"], "control.0.title"),
    ],
)
def test_a_mistaken_control_is_one_clear_message(tmp_path: Path, rows: list[str], message: str) -> None:
    assert message in refused(written(tmp_path, *rows))


def test_what_a_control_does_not_say_must_stand_in_the_header(tmp_path: Path) -> None:
    head = 'name = "mine"\ndescription = "d"\nextends = "default"\n'
    text = refused(written(tmp_path, control(framework="House rules"), head=head))
    assert "control R1: edition, source_url, retrieved, confidence: give it here, or for all" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEAD.encode("utf-16"), "is not TOML"),
        (HEAD.encode() + b"x = " + b"[" * 20_000 + b"]" * 20_000, "nested too deeply"),
        (HEAD.encode() + b".".join([b"a"] * 50_000) + b" = 1\n", "a name of more than 32 parts"),
        (HEAD.encode() + b"# " + b"x" * 1_000_000, "is larger than 1,000 kB"),
        (b"\xff\xfe\x00", "is not TOML"),
        (HEAD.replace('"default"', '"a\\u0000b.toml"').encode(), "extends: String should match"),
        (HEAD.replace('"default"', f'"{"a" * 600}.toml"').encode(), "extends: String should have at most 500"),
        (HEAD.replace("a test's own", "d" * 3000).encode(), "description: String should have at most 2000"),
        (b"".join(b"k%d = 1\n" % i for i in range(5000)), "and 4,902 more"),
        (HEAD.encode() + b"[[control]]\n" * 1001, "control: List should have at most 1000"),
    ],
    ids=["utf-16", "nested", "dotted", "huge", "bytes", "nul", "path", "text", "keys", "controls"],
)
def test_a_hostile_file_is_refused_at_once(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "mine.toml").write_bytes(content)
    assert message in refused(tmp_path / "mine.toml")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
FIELDS = ["framework", "edition", "id", "title", "source_url", "retrieved", "confidence", "probes", "gap", "testable"]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(FIELDS), VALUES)
def test_no_value_of_a_field_raises_anything_but_a_message(tmp_path: Path, field: str, value: object) -> None:
    def toml(part: object) -> str:
        if isinstance(part, dict):
            return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in part.items()) + "}"
        if isinstance(part, list):
            return "[" + ", ".join(map(toml, part)) + "]"
        return '""' if part is None else json.dumps(part)

    fields = {"id": '"R1"', "title": '"A rule"', "probes": '["privacy.pii"]'} | {field: toml(value)}
    row = "\n".join(["[[control]]", *(f"{key} = {text}" for key, text in fields.items())])
    path = written(tmp_path, row + "\n")
    try:
        policy = load_policy(path)
    except GuardrailsError:
        refused(path)
    else:
        assert Policy.of(policy.record).sha256 == policy.sha256


def lines(command: str, name: str, *more: str) -> list[str]:
    result = CliRunner().invoke(policy_command.app, [command, name, *more])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_coverage_names_what_probes_can_show_and_what_is_missing(tmp_path: Path) -> None:
    gap = "About people alone."
    rows = [
        control("R1", probes=["privacy.pii", "nosuch.*"]),
        control("R2", probes=["nosuch.*"]),
        control("R3", probes=None, testable=False, gap=gap),
    ]
    path = str(written(tmp_path, *rows))
    text = "\n".join(lines("coverage", path))
    for part in ("probes: privacy.pii\n    not installed: nosuch.*", "no technical test can evidence: 1 of 3", gap):
        assert part in text
    assert text.endswith("Evidence, not legal advice.")
    values = json.loads("\n".join(lines("coverage", path, "--json")))
    assert values["sha256"] == load_policy(path).sha256
    assert [row["evidence"] for row in values["controls"]] == ["probes", "no probe", "not by a test"]
    assert "names no controls" in lines("coverage", "default")[0]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_no_shipped_policy_calls_anything_compliant(name: str) -> None:
    text = "\n".join(lines("coverage", name)).lower()
    assert not re.search(r"satisfied|compliant|certified|\bsafe\b", text)


def test_check_prints_notes_and_refuses_mistakes(tmp_path: Path) -> None:
    values = json.loads("\n".join(lines("check", "mitre-atlas", "--json")))
    assert values["controls"] == len(load_policy("mitre-atlas").controls)
    assert values["notes"]
    own = {"framework": "OWASP Top 10 for LLM Applications", "edition": "2026"}
    path = written(tmp_path, control("LLM11", "Model Theft", **own))
    for command in ("check", "coverage"):
        result = CliRunner().invoke(policy_command.app, [command, str(path)])
        assert isinstance(result.exception, ConfigurationError)
        assert "LLM11" in str(result.exception)


def test_a_limit_that_no_share_can_reach_is_a_note(tmp_path: Path) -> None:
    rows = '[[threshold]]\nprobe = "privacy.pii"\nmetric = "pii_leak_rate"\nlimit = 5\norigin = "five per cent"\n'
    notes = notes_on(load_policy(written(tmp_path, rows)))
    assert notes == ["privacy.pii/pii_leak_rate: the limit 5 lies outside of 0 to 1; 5% is 0.05"]
    assert notes_on(load_policy("default")) == []


def test_shipped_policies_are_small_enough_to_be_read() -> None:
    assert all(os.path.getsize(path) < 100_000 for path in POLICIES.glob("*.toml"))
    assert sys.getsizeof(load_policy("iso-42001").record.model_dump_json()) < 60_000
