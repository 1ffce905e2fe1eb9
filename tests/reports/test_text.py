from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.text import clip, number, reading, visible
from reports.trim import FULL, LEAST, SHORT, Trim


@settings(deadline=None)
@given(st.text())
def test_visible_text_hides_nothing_and_stays_as_it_is(text):
    once = visible(text)
    assert visible(once) == once
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in once)
    once.encode("utf-8")


def test_lone_surrogates_can_be_written():
    assert visible("a\ud800b") == "a⟨U+D800⟩b"


def test_joiners_stay():
    assert visible("می\u200cخواهم 👩\u200d🚀") == "می\u200cخواهم 👩\u200d🚀"


def test_lines_are_kept_where_asked():
    assert visible("a\r\n\tb\r", lines=True) == "a\n\tb⟨U+000D⟩"
    assert visible(" a\r\n\tb ") == "a b"


@settings(deadline=None)
@given(st.floats(0, 1))
def test_a_share_rounds_but_never_to_none_or_all(p):
    shown = number(p, "share")
    value = float(shown.removesuffix("%")) / 100
    assert value == pytest.approx(p, abs=6e-4)
    if 1e-10 < p < 1 - 1e-10:
        assert 0 < value < 1


@settings(deadline=None)
@given(st.floats(-1e300, 1e300))
def test_a_number_keeps_three_digits(x):
    shown = float(number(x).replace(",", ""))
    assert shown == pytest.approx(x, rel=6e-3, abs=1e-300)
    assert len(number(x)) < 12
    assert len(number(x, "share")) < 16


def test_readings():
    assert reading(None, None, None) == "no number"
    assert reading(0.0, 0.0, 0.0037, "share") == "0% [0%, 0.37%]"
    assert reading(12.0, None, None, "tokens") == "12 tokens"
    assert reading(0.871, 0.84, 0.902, "coverage") == "0.871 [0.84, 0.902] coverage"


@settings(deadline=None)
@given(st.text(), st.integers(0, 50))
def test_clipping_keeps_the_start_and_counts_the_rest(text, limit):
    cut = clip(text, limit)
    assert cut == text if len(text) <= limit else cut.startswith(text[:limit])


def test_trim_says_what_it_cut():
    trim = Trim(SHORT)
    assert trim.notes() == ()
    trim.text("x" * 401)
    trim.take([1, 2, 3], 1, "rows")
    assert trim.notes() == ("1 long texts, shortened", "2 rows")
    for wide, narrow in ((FULL, SHORT), (SHORT, LEAST)):
        assert all(getattr(wide, name) >= getattr(narrow, name) for name in wide.__dataclass_fields__)
