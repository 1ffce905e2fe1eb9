"""The folded text and its map back to the original."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.privacy.personal_data.normalise import folded, views
from guardrails.privacy.personal_data.scanner import redact_text, scan


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("1\u00a02\u20093\u202f4\u205f5\u30006\u20007", "1 2 3 4 5 6 7"),
        ("1\u20102\u20113\u22124\ufe635\uff0d6", "1-2-3-4-5-6"),
        ("1\u20122\u20133\ufe584\u20145", "1-2-3-4-5"),
        ("tel\u2014212 and \u2013 so", "tel 212 and   so"),
        ("a\u00adb\u200bc\u200dd\u2060e\ufefff", "abcdef"),
        ("\uff14\uff11\uff11\uff11\uff20\uff21", "4111@A"),
        ("\u0664\u0661 \u06f4\u06f1 \u0967", "41 41 1"),
        ("e\u0301te\u0301", "été"),
        ("\u2018o\u2019brien\u02bc", "'o'brien'"),
        (r"a\nb\tc\u00a0d\u00ade", "a\nb\tc de"),
        ("a&nbsp;b&#64;c&#x2011;d&shy;e&lt;", "a b@c-de<"),
        ("a%40b%20c%2Bd", "a@b c+d"),
        (r"\ud800 & 5% \x &unknown;", r"\ud800 & 5% \x &unknown;"),
        ("m² 2º ①", "m² 2º ①"),
    ],
)
def test_typography_is_folded(text: str, expected: str) -> None:
    assert folded(text) == expected


ALPHABET = "a1é2 -\u00a0\u00ad\u200b\u2011\u2013\u2014\uff11\u0661\u0301&;#@x%40\\un\ufeff\U0001d7d8\u2029"


@given(st.text(alphabet=ALPHABET, max_size=60) | st.text(max_size=60))
def test_every_stretch_comes_from_the_stretch_that_the_map_names(text: str) -> None:
    """Character by character, the original places are in order, do not overlap, and fold to what is read there."""
    for view in views(text):
        at = 0
        for i in range(len(view.text)):
            start, end = view.original(i, i + 1)
            assert at <= start < end <= len(text)
            at = end
        if view.text:
            assert view.original(0, len(view.text)) == (view.original(0, 1)[0], at)


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="\\&%"), max_size=60))
def test_plain_ascii_is_left_alone(text: str) -> None:
    (view,) = views(text)
    assert view.text is text
    assert not view.pieces


def test_redaction_removes_the_original_characters() -> None:
    text = "Tel\u200b\uff10711\u00a0123\u00ad456, card 4111\u202f1111\u202f1111\u202f1111\u200b."
    spans = scan(text)
    assert [s.value for s in spans] == ["\uff10711\u00a0123\u00ad456", "4111\u202f1111\u202f1111\u202f1111"]
    clean = redact_text(text, spans)
    assert clean == "Tel\u200b[phone …56], card [card …11]\u200b."
