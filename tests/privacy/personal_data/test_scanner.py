from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.privacy.personal_data import phones
from guardrails.privacy.personal_data.scanner import KINDS, Span, canonical, redact, redact_text, scan

RANDOM = "q7Zt1LmX9vR4kB2nW8yD"


def detections(text: str) -> list[tuple[str, str]]:
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
        ("Zap +55 11 91234-5678", [("phone", "+55 11 91234-5678")]),
        ("Celular: 11 98765-4321", [("phone", "11 98765-4321")]),
        ("(21) 99876-5432", [("phone", "(21) 99876-5432")]),
        ("parts 11 91234-5678 and 91234-5678", []),
        ("Phone 415-555-2671 94103-1234", [("phone", "415-555-2671")]),
        ("call 650-253-0000 x123", [("phone", "650-253-0000 x123")]),
        ("My number is 416 60 039", [("phone", "416 60 039")]),
        ("416 60 039 office", [("phone", "416 60 039")]),
        ("416 60 039 apples", []),
        ("01.84.17.61.18", [("phone", "01.84.17.61.18")]),
        ("the order number 650-253-0000", []),
        ("2020-01-02, 12.05.1999, 1990-1995, 12345-6789, 3.14159265, 1,234,567.89, $1 000 000", []),
        ("1234567 12345678 123456789 1234567890", []),
        ("0.43573951721191, 0x100000, 0.333333333", []),
        ("Office, 07700 063 966-Fax", [("phone", "07700 063 966")]),
        ("She was born on 2/8/1935.", [("birth-date", "2/8/1935")]),
        ("DOB: 1970-05-12, geb. 12. Mai 1970", [("birth-date", "1970-05-12"), ("birth-date", "12. Mai 1970")]),
        (
            "née le 3 février 1961; nacido el 3 de febrero de 1961",
            [("birth-date", "3 février 1961"), ("birth-date", "3 de febrero de 1961")],
        ),
        ("born May 12, 1970", [("birth-date", "May 12, 1970")]),
        ("born on 31/2/1970, born 12 May 1450, since 12/1/1981, stubborn 1/1/1980", []),
        ("12 Larch Street, Ford, OH 83080 and on", [("address", "12 Larch Street, Ford, OH 83080")]),
        ("12 Larch Street\nApt. 4\nFord, OH 83080", [("address", "12 Larch Street\nApt. 4\nFord, OH 83080")]),
        ("10 Quarry Lane, Elmbridge, ZZ1 2ZZ", [("address", "10 Quarry Lane, Elmbridge, ZZ1 2ZZ")]),
        ("Lindenstraße 12a, 10969 Berlin", [("address", "Lindenstraße 12a, 10969 Berlin")]),
        ("in der Berliner Straße 5, 10115 Berlin", [("address", "Berliner Straße 5, 10115 Berlin")]),
        ("12 bis, rue de la Paix, 75002 Paris", [("address", "12 bis, rue de la Paix, 75002 Paris")]),
        ("Calle de Toledo 7, 28005 Madrid", [("address", "Calle de Toledo 7, 28005 Madrid")]),
        ("P.O. Box 123, Ford, OH 83080", [("address", "P.O. Box 123, Ford, OH 83080")]),
        ("In 1970 Main Street burnt down; Wall Street fell by 3 per cent; a 5 minute drive", []),
        ("AKIAIOSFODNN7EXAMPLE", [("secret", "AKIAIOSFODNN7EXAMPLE")]),
        (f"ghp_{'a1B2' * 9}", [("secret", f"ghp_{'a1B2' * 9}")]),
        (f"x_ghp_{'a1B2' * 9} AKIA1234 sk-learn-is-a-library-of-python", []),
        (f'api_key = "{RANDOM}"', [("secret", RANDOM)]),
        (f"DB_PASSWORD={RANDOM}", [("secret", RANDOM)]),
        (f"Authorization: Bearer {RANDOM}", [("secret", RANDOM)]),
        ('key = "the_value_of_another_name"; token = get_token(request); secret: aaaaaaaaaaaaaaaa1', []),
        (f"name = {RANDOM}", []),
        ("postgres://ann:S3cret-pw@db.example.org/x", [("secret", "S3cret-pw")]),
        ("ftp://user:password@host/", []),
        ("", []),
    ],
)
def test_what_is_personal_data_and_what_only_looks_like_it(text: str, expected: list[tuple[str, str]]) -> None:
    assert detections(text) == expected


def jwt(head: str) -> str:
    return f"{b64encode(head.encode()).decode().rstrip('=')}.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLW9mLXRoaXM"


def test_a_web_token_has_a_header_that_says_how_it_is_signed() -> None:
    good, other = jwt('{"alg":"HS256"}'), jwt('{"some":"thing"}')
    assert detections(good) == [("secret", good)]
    assert detections(other) == []


def test_a_private_key_is_one_secret_over_many_lines() -> None:
    body = "\n".join("MIIEpAIBAAKCAQEA7bq1" * 3 for _ in range(20))
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"
    assert detections(f"{key}\nand more") == [("secret", key)]
    assert detections(key.replace("PRIVATE", "PUBLIC")) == []


def weighted(digits: str, weights: Sequence[int]) -> int:
    return sum(w * int(d) for w, d in zip(weights, digits, strict=True))


def pesel(rng: Random) -> str:
    body = f"{rng.randrange(40, 99):02d}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}{rng.randrange(10**4):04d}"
    return body + str(-weighted(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10)


def bsn(rng: Random) -> str:
    while True:
        body = f"{rng.randrange(10**7, 10**8)}"
        if (check := weighted(body, range(9, 1, -1)) % 11) < 10:
            return body + str(check)


def nhs(rng: Random) -> str:
    while True:
        body = f"{rng.randrange(4 * 10**8, 5 * 10**8)}"
        if (check := -weighted(body, range(10, 1, -1)) % 11) < 10:
            return body + str(check)


def cpf(rng: Random) -> str:
    digits = f"{rng.randrange(10**9):09d}"
    for _ in range(2):
        digits += str(weighted(digits, range(len(digits) + 1, 1, -1)) * 10 % 11 % 10)
    return digits


def dni(rng: Random) -> str:
    number = rng.randrange(10**7, 10**8)
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def nir(rng: Random) -> str:
    body = f"{rng.randrange(1, 3)}{rng.randrange(30, 99)}{rng.randrange(1, 13):02d}75{rng.randrange(10**5, 10**6)}"
    return f"{body}{97 - int(body) % 97:02d}"


MADE = {"PESEL": pesel, "BSN": bsn, "NHS number": nhs, "CPF": cpf, "DNI": dni, "numéro INSEE": nir}


@pytest.mark.parametrize("name", MADE)
@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_a_national_number_is_valid_by_its_published_rule_and_beside_its_word(name: str, seed: int) -> None:
    number = MADE[name](Random(seed))
    wrong = number[:-1] + chr(ord(number[-1]) ^ 1)
    assert detections(f"{name}: {number}.") == [("national-id", number)]
    assert ("national-id", wrong) not in detections(f"{name}: {wrong}.")
    assert "national-id" not in dict(detections(f"Part {number} is sold out."))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NI number AB 12 34 56 C", [("national-id", "AB 12 34 56 C")]),
        ("QQ123456C is a part; NI number BG123456C", []),
        ("CPF 111.444.777-35; 111.444.777-36", [("national-id", "111.444.777-35")]),
        ("RSSMRA85T10A562S and RSSMRA85T10A562T", [("national-id", "RSSMRA85T10A562S")]),
    ],
)
def test_a_way_of_writing_may_vouch_for_a_national_number(text: str, expected: list[tuple[str, str]]) -> None:
    assert detections(text) == expected


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
        ("born on 8 February 1935", "DOB 2/8/1935"),
        ("born on February 8th, 1935", "DOB 1935-02-08"),
        ("12 Larch Street\nFord, OH 83080", "12 LARCH Street, Ford, OH 83080"),
        ("PESEL 44051401359", "pesel:44051401359"),
    ],
)
def test_two_spellings_of_one_datum_are_equal(one: str, other: str) -> None:
    (a,), (b,) = scan(one), scan(other)
    assert canonical(a) == canonical(b)


def test_redaction_leaves_nothing_to_use() -> None:
    text = "Ann <ann.lee@example.org>, 212-555-0187, card 4111 1111 1111 1111, from 41.173.96.26"
    clean = redact_text(text, scan(text))
    assert clean == "Ann <a***@example.org>, [phone …87], card [card …11], from [ip …26]"
    assert detections(clean) == []
    assert redact(Span("iban", 0, 4, "GB82WEST12345698765432", True)) == "[iban …32]"


DATA = {
    "email": "ann.lee@example.org",
    "iban": "DE89 3704 0044 0532 0130 00",
    "card": "4111 1111 1111 1111",
    "ssn": "460-89-9847",
    "national-id": "PESEL 44051401359",
    "ip": "41.173.96.26",
    "phone": "(212) 555-0187",
    "birth-date": "born on 2/8/1935",
    "address": "12 Larch Street, Ford, OH 83080",
    "secret": f"ghp_{'a1B2' * 9}",
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_redacted_form_of_every_kind_is_no_datum(kind: str) -> None:
    (span,) = scan(DATA[kind])
    assert (span.kind, span.valid) == (kind, True)
    hidden = redact(span)
    assert scan(hidden) == [] or kind == "email"
    shown = sum(a.isalnum() for a in hidden.replace(kind, "").partition("@")[0])
    assert shown <= 2 < sum(c.isalnum() for c in span.value)


@given(st.sampled_from([*KINDS, "staff-number", "person"]), st.text(min_size=1, max_size=80))
def test_a_redacted_form_does_not_hold_the_datum(kind: str, value: str) -> None:
    value = f"{value}@example.org" if kind == "email" else value
    hidden = redact(Span(kind, 0, len(value), value, True))
    bare = "".join(c for c in value if c.isalnum())
    assert value not in hidden.replace(f"[{kind}", "") or len(value) == 1
    assert len(bare) < 3 or bare not in hidden.replace(f"[{kind}", "")


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
    valid = [d for d in "0123456789" if detections(digits + d) == [("card", digits + d)]]
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
    "1 Main St ",
    "a Apt 1\n",
    "A A 1 Suite 1 ",
    "://a:b",
    "key: aB1",
    "born 1/1/",
    "Jan 1 ",
    "1 rue Aa ",
    "lives at 1 A ",
    "Aweg 1 ",
    "-----BEGIN PRIVATE KEY-----AAAA ",
    "eyJaaaaaaaa.",
    "sk-a-",
    "nhs 12 ",
    "1A",
    "1\t",
    "4111 1111\n",
)


@pytest.mark.slow
@pytest.mark.parametrize("piece", REPEATS)
def test_no_pattern_backtracks_without_bound(piece: str) -> None:
    """A pattern that backtracks over the whole text would not come back from this in a lifetime."""
    assert len(scan(piece * (60_000 // len(piece)))) < 60_000


@pytest.mark.slow
@pytest.mark.parametrize("piece", REPEATS)
def test_much_of_anything_is_read_to_its_end(piece: str) -> None:
    assert len(scan(piece * (400_000 // len(piece)))) < 400_000


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
    "address": ("STREET_ADDRESS", 0.95, 0.6),
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
    assert detections(years) == []


def test_a_number_with_its_country_code_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing takes most of the time that a log with another number in every line needs."""
    import phonenumbers

    def parse(*_: object) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr(phonenumbers, "parse", parse)
    for i in range(20):
        assert detections(f"leg=9 caller=+1212555{1900 + i} lost=3") == [("phone", f"+1212555{1900 + i}")]


def test_what_is_not_parsed_is_valid_as_if_it_were() -> None:
    import phonenumbers

    random, known = Random(0), 0
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        example = phonenumbers.example_number(region)
        assert example is not None
        for _ in range(4):
            digits = list(str(example.national_number))
            for _ in range(random.randrange(4)):
                digits[random.randrange(len(digits))] = str(random.randrange(10))
            number = f"+{example.country_code}{''.join(digits)}"
            if phones._in_main_plan(number):
                known += 1
                assert phonenumbers.is_valid_number(phonenumbers.parse(number, None)), number
    assert known > 300
    for number in ("+", "+1", "+999123456", "+49", "+4901512345678", "1 212 555 0187", "+1²125550187", f"+1{'2' * 40}"):
        assert not phones._in_main_plan(number)
