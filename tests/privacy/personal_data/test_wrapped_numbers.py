"""Numbers that a line break or a tab parts, and lines and columns of numbers that are none."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.privacy.personal_data.same_datum import Known, known_numbers
from guardrails.privacy.personal_data.scanner import Span, canonical, redact_text, scan

BREAKS = ("\n", "\r\n", "\t", "\n  ", " \n", "\n> ", "\n# ", "\n\t// ", "\\n", "\u2028", "&#10;", "=\r\n", "\r")
GROUPS = {
    "card": ("card ", "4111", "1111", "1111", "1111"),
    "iban": ("IBAN ", "GB82", "WEST", "1234", "5698", "7654", "32"),
    "ssn": ("SSN ", "460", "89", "9847"),
    "phone": ("Tel. ", "+44", "20", "7946", "0123"),
    "national-id": ("Steuer-ID: ", "86", "095", "742", "719"),
}


def detections(text: str) -> list[tuple[str, str]]:
    return [(s.kind, s.value) for s in scan(text) if s.valid]


@settings(max_examples=300)
@given(st.sampled_from(sorted(GROUPS)), st.sampled_from(BREAKS), st.sampled_from(" -"), st.data())
def test_a_number_that_is_named_or_has_a_checksum_goes_on_behind_a_break(
    kind: str, parting: str, separator: str, data: st.DataObject
) -> None:
    word, *groups = GROUPS[kind]
    at = data.draw(st.integers(1, len(groups) - 1))
    left, right = separator.join(groups[:at]), separator.join(groups[at:])
    text = f"Ann, {word}{left}{parting}{right}, and so on"
    assert detections(text) == [(kind, f"{left}{parting}{right}")]


@pytest.mark.parametrize("kind", ["card", "iban", "national-id"])
@given(st.sampled_from(BREAKS), st.integers(2, 10))
def test_a_break_may_stand_within_a_group(kind: str, parting: str, at: int) -> None:
    word, *groups = GROUPS[kind]
    number = "".join(groups)
    assert detections(f"{word}{number[:at]}{parting}{number[at:]}.") == [(kind, f"{number[:at]}{parting}{number[at:]}")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We charged 4111 1111\n1111 1111 at noon.", [("card", "4111 1111\n1111 1111")]),
        ("We charged 4111-1111-\n1111-1111 at noon.", [("card", "4111-1111-\n1111-1111")]),
        ("tarjeta 4111\n1111\n1111\n1111", [("card", "4111\n1111\n1111\n1111")]),
        ("write to +44 20\n7946 0123 now", [("phone", "+44 20\n7946 0123")]),
        ("phone: (212)\n555-0187", [("phone", "(212)\n555-0187")]),
        ("call me at 415-555-\n2671 now", [("phone", "415-555-\n2671")]),
        ("DE89 3704 0044\n0532 0130 00", [("iban", "DE89 3704 0044\n0532 0130 00")]),
        ("Call 0171 1234567\n2 people came", [("phone", "0171 1234567")]),
        ("card 4111 1111 1111 1111\n123", [("card", "4111 1111 1111 1111")]),
        ("tel 212-555-0187\n303-555-0111", [("phone", "212-555-0187"), ("phone", "303-555-0111")]),
        ("4111 1111\n1111 1111", []),
        ("4111\t1111\t1111\t1111", []),
        ("order 4111 1111\n1111 1111 was paid", []),
        ("460-89\n9847 ships", []),
        ("In 1990\n2012345 ships came", []),
        ("SSN 666-12\n3456", []),
        ("card 4111 1111\n\n1111 1111", []),
    ],
)
def test_what_goes_on_in_the_next_line_and_what_does_not(text: str, expected: list[tuple[str, str]]) -> None:
    assert detections(text) == expected


@pytest.mark.parametrize("parting", BREAKS)
def test_the_datum_is_that_of_one_line(parting: str) -> None:
    for word, *groups in GROUPS.values():
        (whole,) = scan(word + " ".join(groups))
        (parted,) = scan(f"{word}{' '.join(groups[:2])}{parting}{' '.join(groups[2:])}")
        assert canonical(parted) == canonical(whole)


def test_redaction_covers_both_lines() -> None:
    text = "> my card is 4111 1111\n> 1111 1111, thanks"
    assert redact_text(text, scan(text)) == "> my card is [card …11], thanks"


def test_a_number_of_the_corpus_is_known_over_a_break() -> None:
    key = canonical(Span("phone", 0, 12, "212-555-0187", True))
    assert set(known_numbers("take 212\n555\t0187 with you", Known([(key, 0)]))) == {key}


def test_columns_of_figures_are_nobodys() -> None:
    rng = Random(0)

    def rows(width: int, columns: int, separator: str) -> str:
        return "\n".join(
            separator.join("".join(rng.choices("0123456789", k=width)) for _ in range(columns)) for _ in range(200)
        )

    for width, columns, separator in ((4, 2, " "), (4, 4, "\t"), (8, 1, ""), (4, 1, ""), (3, 3, "-"), (6, 2, ",")):
        wrong = [s for s in scan(rows(width, columns, separator)) if s.valid and len(s.value.split()) > columns]
        assert not wrong
    for _ in range(500):
        number = "".join(rng.choices("0123456789", k=16))
        assert ("card", f"{number[:8]}\n{number[8:]}") not in detections(f"order={number[:8]}\n{number[8:]} shipped")
