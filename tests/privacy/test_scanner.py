from __future__ import annotations

import json
import os
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.privacy.scanner import KINDS, Span, canonical, redact, redact_text, scan


def found(text: str) -> list[tuple[str, str]]:
    return [(s.kind, s.value) for s in scan(text) if s.valid]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to jo.wil+x@mail.example.org.", [("email", "jo.wil+x@mail.example.org")]),
        ("<ÅSA@exämple.org>", [("email", "ÅSA@exämple.org")]),
        ("a@b, x@localhost, @handle, me@.org, a..b@example.org", []),
        ("card 4111 1111 1111 1111 12/29", [("card", "4111 1111 1111 1111")]),
        ("378282246310005", [("card", "378282246310005")]),
        ("3782-822463-10005", [("card", "3782-822463-10005")]),
        ("4111 1111 1111 1112, 0000000000000000, 9111111111111111", []),
        ("IBAN DE89 3704 0044 0532 0130 00 and more", [("iban", "DE89 3704 0044 0532 0130 00")]),
        ("gb82west12345698765432", [("iban", "gb82west12345698765432")]),
        ("GB82WEST12345698765431", []),
        ("SSN 460-89-9847", [("ssn", "460-89-9847")]),
        ("000-12-3456 666-12-3456 900-12-3456 460-00-9847 460-89-0000", []),
        ("from 41.173.96.26.", [("ip", "41.173.96.26")]),
        ("300.1.1.1, 1.2.3.4.5, v1.2.3.4, 127.0.0.1", []),
        ("2001:db8::8a2e:370:7334", [("ip", "2001:db8::8a2e:370:7334")]),
        ("at 12:30:45, a[1:2:3], std::vector, ::1, 4:3", []),
        ("(212) 555-0187", [("phone", "(212) 555-0187")]),
        ("+44 20 7946 0123", [("phone", "+44 20 7946 0123")]),
        ("call 650-253-0000 x123", [("phone", "650-253-0000 x123")]),
        ("My number is 416 60 039", [("phone", "416 60 039")]),
        ("416 60 039 office", [("phone", "416 60 039")]),
        ("416 60 039 apples", []),
        ("01.84.17.61.18", [("phone", "01.84.17.61.18")]),
        ("the order number 650-253-0000", []),
        ("2020-01-02, 12.05.1999, 1990-1995, 12345-6789, 3.14159265, 1,234,567.89, $1 000 000", []),
        ("1234567 12345678 123456789 1234567890", []),
        ("", []),
    ],
)
def test_what_is_personal_data_and_what_only_looks_like_it(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


def test_a_broken_checksum_is_found_and_marked() -> None:
    spans = scan("4111 1111 1111 1112 and 666-12-3456 and GB82WEST12345698765431")
    assert [(s.kind, s.valid) for s in spans] == [("card", False), ("ssn", False), ("iban", False)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann@Example.org", "ann@example.org"),
        ("4111-1111-1111-1111", "4111111111111111"),
        ("DE89 3704 0044 0532 0130 00", "de89370400440532013000"),
        ("2001:0db8:0::8a2e:370:7334", "2001:db8::8a2e:370:7334"),
        ("+44 20 7946 0123", "020 7946 0123"),
        ("+1 (212) 555-0187", "212-555-0187"),
        ("call 212-555-0187 ext 12", "call 212.555.0187"),
    ],
)
def test_two_spellings_of_one_datum_are_equal(one: str, other: str) -> None:
    (a,), (b,) = scan(one), scan(other)
    assert canonical(a) == canonical(b)


def test_redaction_leaves_nothing_to_use() -> None:
    text = "Ann <ann.lee@example.org>, 212-555-0187, card 4111 1111 1111 1111, from 41.173.96.26"
    clean = redact_text(text, scan(text))
    assert clean == "Ann <a***@example.org>, [phone …87], card [card …11], from [ip …26]"
    assert found(clean) == []
    assert redact(Span("iban", 0, 4, "GB82WEST12345698765432", True)) == "[iban …32]"


ALPHABET = st.text(alphabet="0123456789abfGBx@.:-+() /\n'é", max_size=300)


@settings(max_examples=300)
@given(ALPHABET)
def test_spans_are_ordered_apart_and_what_they_say(text: str) -> None:
    spans = scan(text)
    at = 0
    for span in spans:
        assert at <= span.start < span.end
        assert text[span.start : span.end] == span.value
        assert span.kind in KINDS
        assert canonical(span) == canonical(span)
        assert redact(span)
        at = span.end if span.valid else at


@given(st.integers(0, 10**15 - 1))
def test_a_card_is_valid_with_one_last_digit_of_ten(number: int) -> None:
    digits = f"4{number:014d}"[:15]
    valid = [d for d in "0123456789" if found(digits + d) == [("card", digits + d)]]
    assert len(valid) == 1


REPEATS = (
    "a",
    "1",
    "1 ",
    "1-",
    "12 34 ",
    "a@",
    "a.",
    "A",
    "GB12 ",
    ":",
    "a:",
    "(",
    "(1)",
    "4111 ",
    "+1 ",
    "1.",
    "é@é.",
)


@pytest.mark.parametrize("piece", REPEATS)
def test_no_pattern_backtracks_without_bound(piece: str) -> None:
    """A pattern that backtracks over the whole text would not come back from this in a lifetime."""
    assert len(scan(piece * (60_000 // len(piece)))) < 60_000


def labelled() -> list[dict[str, object]]:
    folder = os.environ.get("GUARDRAILS_TEST_DATA")
    if not folder:
        pytest.skip("GUARDRAILS_TEST_DATA names no folder")
    path = Path(folder) / "pii" / "synth_dataset_v2_first500.json"
    rows: list[dict[str, object]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


LABELS = {
    "email": ("EMAIL_ADDRESS", 1.0, 1.0),
    "card": ("CREDIT_CARD", 1.0, 1.0),
    "iban": ("IBAN_CODE", 1.0, 1.0),
    "ssn": ("US_SSN", 1.0, 1.0),
    "ip": ("IP_ADDRESS", 1.0, 1.0),
    "phone": ("PHONE_NUMBER", 0.95, 0.85),
}


@pytest.mark.public_data
@pytest.mark.parametrize("kind", LABELS)
def test_precision_and_recall_on_public_data_beat_other_tools(kind: str) -> None:
    label, precision, recall = LABELS[kind]
    hits = {"found": 0, "right": 0, "labelled": 0, "seen": 0}
    for row in labelled():
        wanted = [(s["start_position"], s["end_position"]) for s in row["spans"] if s["entity_type"] == label]
        got = [(s.start, s.end) for s in scan(str(row["full_text"])) if s.valid and s.kind == kind]
        hits["found"] += len(got)
        hits["right"] += sum(any(a < d and c < b for c, d in wanted) for a, b in got)
        hits["labelled"] += len(wanted)
        hits["seen"] += sum(any(a < d and c < b for c, d in got) for a, b in wanted)
    assert hits["right"] >= precision * hits["found"] > 0
    assert hits["seen"] >= recall * hits["labelled"] > 0


def test_prose_without_personal_data_is_left_alone() -> None:
    from pydoc_data.topics import topics

    text = "\n".join(topics.values())
    spans = [s for s in scan(text) if s.valid]
    assert len(spans) <= 2, spans
    rng = Random(0)
    years = " ".join(f"In {rng.randrange(1200, 2030)} the {rng.randrange(99)} ships of {i} came." for i in range(2000))
    assert found(years) == []
