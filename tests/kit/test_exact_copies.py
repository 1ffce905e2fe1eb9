"""Outputs that are training items whole, in any modality."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardrails.kit.exact_copies import ExactIndex, exact_copies, matches, text_key

KEYS = st.lists(st.integers(0, 9), min_size=1, max_size=30)


@given(corpus=KEYS, holdout=KEYS, outputs=KEYS)
def test_the_index_counts_as_a_loop_does(corpus: list[int], holdout: list[int], outputs: list[int]) -> None:
    index = ExactIndex(corpus, holdout)
    rows = index.look_up_all(outputs)
    assert [row["equal"][1:] for row in rows] == [[corpus.count(o), holdout.count(o)] for o in outputs]
    twins = [corpus.count(v) > 1 for v in corpus] + [v in corpus for v in holdout]
    assert all(row["real"] == [len(corpus), len(holdout), sum(twins)] for row in rows)
    shared = {o for o in outputs if o in corpus or o in holdout}
    assert sorted(matches(rows)) == sorted((outputs.count(o), corpus.count(o), holdout.count(o)) for o in shared)


def test_too_few_items_are_a_reason_that_names_them() -> None:
    rows = ExactIndex(range(40), range(5)).look_up_all(range(100))
    few = exact_copies(rows, probe="p", errors=2, equal="letter by letter")
    assert few.value is None
    assert few.errors == 2
    assert "100 outputs, 40 items of the corpus and 5 of the holdout" in (few.reason or "")
    assert exact_copies([], probe="p", errors=0, equal="letter by letter").value is None
    one = exact_copies(ExactIndex(range(1), range(5)).look_up_all(range(1)), probe="p", errors=0, equal="bytewise")
    assert (one.reason or "").startswith("1 output, 1 item of the corpus and 5 of the holdout; ")


def test_copies_stand_in_the_explanation() -> None:
    rows = ExactIndex(range(1000), range(2000, 3000)).look_up_all([*range(25), *range(-475, 0)])
    reading = exact_copies(rows, probe="p", errors=0, equal="letter by letter")
    assert reading.value == 0.05
    assert reading.low > 0.02
    assert reading.explanation.startswith("25 of 500 outputs equal a training item and 0 an item of the holdout.")


def test_the_largest_of_several_readings_has_a_wider_interval() -> None:
    rows = ExactIndex(range(1000), range(2000, 3000)).look_up_all([*range(25), *range(-475, 0)])
    one, two = (exact_copies(rows, probe="p", errors=0, equal="letter by letter", readings=k) for k in (1, 2))
    assert one.value == two.value
    assert two.low < one.low < one.high < two.high
    assert two.baseline.high > one.baseline.high


def test_texts_are_equal_but_for_line_ends_and_the_space_around() -> None:
    assert text_key("\ufeffa \r\nb\n") == text_key("a\nb")
    assert text_key("cafe\u0301") == text_key("caf\u00e9")
    assert text_key("a  b") != text_key("a b")
    assert text_key(" #\n# ") == text_key("#\n#")
