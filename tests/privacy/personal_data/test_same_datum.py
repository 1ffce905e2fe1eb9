"""A known datum in other words around it: counted by comparing, neither more nor less than in whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.privacy.personal_data.origins import personal_data
from guardrails.privacy.personal_data.same_datum import Known, completes, known_numbers
from guardrails.privacy.personal_data.scanner import Span, scan


def completed(record: str, written: str) -> bool:
    (datum,) = scan(record)
    return completes(datum, record, written, slack=16)


PHONE = "Ward 3. Please call 808 5842 before noon."
BIRTH = "File 4. Date of birth: 19/02/1941, seen by the desk."
KEY = "File 5. api_key = dg4re9jq6igv5cbbcrzbsah9 for the desk."
MAIL = "File 6. Mail: jo.fitch2064@example.org for news."
CARD = "File 7. Card: 4111 1111 1111 1111, valid."


@pytest.mark.parametrize(
    ("record", "written", "right"),
    [
        (PHONE, " 808 5842 before noon.", True),
        (PHONE, "808-5842", True),
        (PHONE, "8085842before", True),
        (PHONE, " the number 808.5842", True),
        (PHONE, " 808 5843", False),
        (PHONE, " 808 584", False),
        (PHONE, " 808 58421", False),
        (PHONE, " 1808 5842", False),
        (PHONE, " 808 5842 17", False),
        (PHONE, " and a good many words before 808 5842", False),
        (BIRTH, " 19/02/1941and", True),
        (BIRTH, " 19.2.1941", True),
        (BIRTH, " 19 February 1941", True),
        (BIRTH, " 1941-02-19", True),
        (BIRTH, " 19/02/1942", False),
        (BIRTH, " 19/02/19411", False),
        (BIRTH, " 19/02/194", False),
        (KEY, " dg4re9jq6igv5cbbcrzbsah9 for", True),
        (KEY, " dg4re9jq6igv5cbbcrzbsah9for the", True),
        (KEY, " dg4re9jq6igv5cbbcrzbsah9x7", False),
        (KEY, " DG4RE9JQ6IGV5CBBCRZBSAH9 for", False),
        (KEY, " dg4re9jq6igv5cbbcrzbsah", False),
        (MAIL, " Jo.Fitch2064@example.org", True),
        (MAIL, " jo.fitch2064@example.orgfor news", True),
        (MAIL, " jo.fitch2064@example.org.uk", False),
        (MAIL, " xjo.fitch2064@example.org", False),
        (MAIL, " jo.fitch2064@example", False),
        (CARD, " 4111-1111\u00a01111\u20111111", True),
        (CARD, " 4111111111111111", True),
        (CARD, " 4111 1111 1111 1112", False),
        (PHONE, "", False),
    ],
)
def test_a_datum_counts_in_whole_and_by_itself(record: str, written: str, right: bool) -> None:
    assert completed(record, written) is right


def test_a_country_code_makes_no_other_number() -> None:
    record = "Reach Ann: 020 7946 0123 by day."
    assert completed(record, " +44 20 7946 0123")
    assert completed(record, " 0044 20 7946 0123")
    assert not completed(record, " +44 20 7946 0124")
    assert not completed(record, " 99920 7946 0123")


@given(st.text(max_size=60), st.sampled_from([PHONE, BIRTH, KEY, MAIL, CARD]))
def test_any_text_is_compared(written: str, record: str) -> None:
    (datum,) = scan(record)
    result = completes(datum, record, written, slack=16)
    assert not result or len(written) >= 7


@given(st.text(alphabet="0123456789", min_size=1, max_size=12))
def test_no_other_figures_complete_a_number(written: str) -> None:
    (datum,) = scan(PHONE)
    assert completes(datum, PHONE, written, slack=16) is (written in ("8085842", "08085842"))


@pytest.mark.parametrize("between", ["", " ", "-", ".", "\u00a0", "\u2011", "\u00ad", "/", " - "])
def test_a_known_number_is_seen_without_its_word_and_with_other_separators(between: str) -> None:
    known = personal_data(["Please call 934 555 0187.", "SSN 460-89-9847", "Ann: ann@example.org"])
    number = between.join(("934", "555", "0187"))
    assert list(known_numbers(f"It was {number}, they say.", known)) == ["phone:9345550187"]
    assert list(known_numbers(f"It was 1{number}2", known)) == []


def test_a_part_of_a_known_number_is_none() -> None:
    known = personal_data(["Please call 808 5842."])
    assert list(known_numbers("808 5842", known)) == ["phone:8085842"]
    assert not known_numbers("12 808 5842", known)
    assert not known_numbers("808 58421", known)


def test_an_unknown_span_is_no_match() -> None:
    datum = Span("address", 0, 31, "12 Larch Street, Ford, OH 83080", True)
    assert completes(datum, datum.value, "12 Larch Street\nFord OH 83080", slack=16)
    assert not completes(datum, datum.value, "12 Larch Street, Ford", slack=16)


DATA = st.tuples(
    st.sampled_from(["phone", "card", "ssn", "national-id", "email", "my:kind"]),
    st.text("0123é", max_size=2).map(lambda end: f"1234567{end}"),
).map(":".join)


@given(st.lists(st.tuples(DATA, st.integers(0, 99))), st.lists(st.tuples(DATA, st.integers(0, 99))), DATA)
def test_known_data_are_what_a_dictionary_of_them_is(
    first: list[tuple[str, int]], second: list[tuple[str, int]], key: str
) -> None:
    one, two = dict(reversed(first)), dict(reversed([*first, *second]))
    known = Known(first)
    more = known.copy()
    more.add(second)
    for ours, expected in ((known, one), (more, two)):
        assert (len(ours), ours.get(key), key in ours) == (len(expected), expected.get(key), key in expected)
        in_order = dict.fromkeys(name for name, _ in (first if ours is known else [*first, *second]))
        numbers = [name for name in in_order if name.split(":")[0] in ("phone", "card", "ssn", "national-id")]
        alike = [name for name in numbers if name.split(":")[1] == "12345670"]
        assert ours.number("12345670") == (alike[-1] if alike else None)
    assert known.shared_with(more) == more.shared_with(known) == len(one)
    assert known.shared_with(Known(second)) == len(one.keys() & dict(second).keys())


def test_half_of_a_surrogate_pair_is_looked_up_too() -> None:
    assert Known([("secret:\ud83d", 3)]).get("secret:\ud83d") == 3


def test_a_full_disk_ends_what_adds_data() -> None:
    known = Known([("email:a@example.org", 0)])
    known._data.execute("PRAGMA max_page_count = 4")
    with pytest.raises(OSError, match="full"):
        known.add((f"email:{i}@example.org", i) for i in range(10_000))
    assert known.get("email:a@example.org") == 0
