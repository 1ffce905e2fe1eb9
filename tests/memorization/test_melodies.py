"""Melodies: copies are found in any key and at any speed, other tunes are not, and what is no tune is said so."""

import re
from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.errors import NotApplicable
from guardrails.core.subject import Subject
from guardrails.memorization.melodies import Melodies, Runs, steps, written
from guardrails.memorization.symbols.abc_reader import Note, signature, tunes
from guardrails.targets.files import JsonlTarget

from .symbolic import Writer, measured, rows_of

SCALE = (0, 2, 4, 5, 7, 9, 11, 12, 14, 16)
NOTES = st.lists(st.builds(Note, st.integers(40, 90), st.fractions(Fraction(1, 8), 8, max_denominator=8)), min_size=8)


def melody(seed, length=30):
    rng = Random(seed)
    return [Note(60 + rng.choice(SCALE), Fraction(rng.choice((1, 1, 2, 3)))) for _ in range(length)]


def book(first, n):
    return [written(melody(first + i)) for i in range(n)]


@pytest.fixture(scope="module")
def clean():
    return Subject(target=Writer(book(9000, 100)), corpus=book(0, 60), holdout=book(1000, 200))


def naive(known, tune):
    """The longest common run of steps of two tunes, by looking at every pair of places."""
    return max(
        (
            k
            for a in range(len(known))
            for b in range(len(tune))
            for k in range(1, min(len(known) - a, len(tune) - b) + 1)
            if known[a : a + k] == tune[b : b + k]
        ),
        default=0,
    )


@pytest.mark.parametrize(
    ("body", "pitches", "lengths"),
    [
        ("K:G\nFGAB cdef|^f=f f_e|e", [66, 67, 69, 71, 72, 74, 76, 78, 78, 77, 77, 75, 76], None),
        ("K:C\nC D, E' c'' CDEF", [60, 50, 76, 96, 60, 62, 64, 65], None),
        ("K:C\nA2 B/2 c3/2 d// A B c d", None, ["2", "1/2", "3/2", "1/4", "1", "1", "1", "1"]),
        ("K:C\n(3ABc d>e f<<g ab", None, ["2/3"] * 3 + ["3/2", "1/2", "1/4", "7/4", "1", "1"]),
        ("K:C\nA2-A2 B2z2 cdefga", None, ["4", "2", "1", "1", "1", "1", "1", "1"]),
        ("L:1/16\nK:C\nA4 [K:G] F4 [CEG]4 CDEFG\n", [69, 66, 60, 60, 62, 64, 66, 67], None),
        ('T:K:G in a title\nK:Dm\n"Am"A{gg}B !trill!c w|: d2 :| [1 efg [2 a\nw: la la',
         [69, 70, 72, 74, 76, 77, 79, 81], None),
        ("K:HP\nFCGDAEBf", [65, 60, 67, 62, 69, 64, 71, 77], None),
        ("K:C\nA0 A99999 CDEFGAB", None, ["999", "1", "1", "1", "1", "1", "1", "1"]),
    ],
)  # fmt: skip
def test_the_reader_reads(body, pitches, lengths):
    (notes,) = tunes("X:1\n" + body)
    if pitches:
        assert [note.pitch for note in notes] == pitches
    if lengths:
        assert [str(note.length) for note in notes] == lengths


@pytest.mark.parametrize(
    ("key", "sharps"),
    [("C", 0), ("G", 1), ("Bb", -2), ("F#", 6), ("Am", 0), ("F#m", 3), ("Ddor", 0), ("A Mix", 2), ("HP", None)],
)  # fmt: skip
def test_keys_raise_as_many_letters_as_they_have_sharps(key, sharps):
    raised = signature(key)
    assert (raised and sum(raised.values())) == sharps


@pytest.mark.parametrize("text", ["", "ABCDEFGABC", "X:1\nK:C\nABC", "K" * 60_000, "X:1\nK:C\n" + "A" * 60_000])
def test_what_is_no_tune_is_none(text):
    assert list(tunes(text)) == []


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(NOTES)
def test_what_is_written_is_read(notes):
    (read,) = tunes(written(notes))
    assert read == notes


@settings(deadline=None, max_examples=60)
@given(NOTES, st.integers(-12, 12), st.sampled_from([Fraction(1, 2), Fraction(3), Fraction(2, 3)]))
def test_key_and_speed_do_not_matter(notes, up, slower):
    assert steps([Note(n.pitch + up, n.length * slower) for n in notes]) == steps(notes)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(-1, 1), st.just(Fraction(1))), max_size=12).map(tuple), st.data())
def test_the_longest_run_is_that_of_a_naive_search(tune, data):
    step = st.tuples(st.integers(-1, 1), st.just(Fraction(1)))
    known = data.draw(st.lists(st.lists(step, min_size=1, max_size=12).map(tuple), min_size=1, max_size=4))
    (match,) = Runs(known).look_up([tune])
    longest = max(naive(one, tune) for one in known)
    assert match.score == (longest + 1 if longest else 0)
    assert naive(known[match.place], tune) == longest


def test_a_clean_writer_is_at_the_level_of_held_out_tunes(clean):
    readings = measured(Melodies(), clean)
    assert readings["copy_rate"].n == 100
    assert readings["copy_rate"].high < 0.1
    assert readings["copy_rate"].baseline.n == 100
    assert readings["whole_rate"].value == 0


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_transposed_and_slower_copies_are_found(clean, share):
    probe = Melodies()
    copies = [probe.altered(text, seed=0) for text in clean.corpus[: int(100 * share)]]
    copies = (copies * 10)[: int(100 * share)]
    readings = measured(probe, replace(clean, target=Writer(copies + book(9000, 100 - len(copies)))))
    assert readings["copy_rate"].value == pytest.approx(share, abs=0.05)
    assert readings["copy_rate"].low > 0.1
    assert readings["copy_excess"].low > 0
    assert "document 0" in {row[2] for row in readings["copy_rate"].evidence[0].rows} or share < 1


def test_a_long_quotation_in_a_new_tune_is_a_copy_and_a_short_one_is_none(clean):
    probe = Melodies()
    quoting = {
        k: [written([*melody(9000 + i)[:10], *melody(i)[:k], *melody(7000 + i)[:10]]) for i in range(60)]
        for k in (4, 15)
    }
    assert measured(probe, replace(clean, target=Writer(quoting[15])))["copy_rate"].value == 1
    assert measured(probe, replace(clean, target=Writer(quoting[4])))["copy_rate"].high < 0.1


def test_rows_hold_nothing_of_a_tune(clean):
    rows = rows_of(Melodies(), replace(clean, target=Writer(clean.corpus)))
    assert set().union(*rows) == {"item", "score", "whole", "place", "said", "equal", "real"}


def test_the_spike_is_recovered(clean):
    probe = Melodies()
    spiked = probe.spike(clean, [], seed=0)
    rows = rows_of(probe, spiked)
    assert probe.recovery(rows_of(probe, clean), rows, clean)[0] == 1
    assert probe.measure(rows, clean, seed=0)[0].low > 0.9


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"corpus": book(0, 5)}, "5 tunes in ABC notation can be read in the corpus; at least 10"),
        ({"holdout": book(0, 60) * 2}, "0 tunes .* that are not in the corpus .120 are. .* at least 100"),
        ({"holdout": ["prose"] * 200}, "0 tunes in ABC notation can be read in the holdout"),
        ({"target": Writer(["prose"])}, "0 of 100 outputs are tunes in ABC notation; at least 40"),
        ({"target": Writer([""])}, "0 of 100 outputs"),
    ],
)
def test_too_few_say_so(clean, data, reason):
    for measurement in measured(Melodies(), replace(clean, **data)).values():
        assert measurement.value is None
        assert re.search(reason, measurement.reason)


@pytest.mark.slow
def test_a_holdout_that_overlaps_is_named(clean):
    rate = measured(Melodies(), replace(clean, holdout=[*clean.corpus[:3], *clean.holdout]))["copy_rate"]
    assert "3 held-out documents also occur in the corpus" in rate.explanation
    assert "number 0, 1, 2." in rate.explanation


def test_unreadable_outputs_are_left_out_and_counted(clean):
    rate = measured(Melodies(), replace(clean, target=Writer(book(9000, 50) + ["no tune"] * 50)))["copy_rate"]
    assert rate.n == 50
    assert rate.errors == 0
    assert "50 outputs are no tunes in ABC notation" in rate.explanation


@pytest.mark.parametrize("corpus", [["A chapter of prose.\n\nAnother one."] * 20, ["CCO"] * 20, ["#####\n" * 8] * 20])
def test_other_texts_are_not_its_matter(corpus):
    with pytest.raises(NotApplicable, match="looks at tunes in ABC notation; 0 of the 20 documents of the corpus"):
        Melodies().applicable(Subject(Writer(["x"]), corpus=corpus))


def test_without_a_corpus_the_outputs_tell(tmp_path):
    (tmp_path / "prose.jsonl").write_text('"once upon a time"\n' * 5)
    with pytest.raises(NotApplicable, match="file of outputs"):
        Melodies().applicable(Subject(JsonlTarget(tmp_path / "prose.jsonl")))
    Melodies().applicable(Subject(Writer(["prose"])))
    assert Melodies().missing(Subject(Writer(["prose"]))) == ["--corpus", "--holdout"]


@pytest.mark.public_data
def test_transposed_tunes_of_the_nottingham_collection_are_found(test_data):
    folder = test_data / "music" / "nottingham"
    every = [text for name in ("jigs", "reelsd-g", "waltzes") for text in _book(folder / f"{name}.abc")]
    assert len(every) == 340 + 84 + 52
    Random(0).shuffle(every)
    corpus, holdout, fresh = every[:180], every[180:380], every[380:470]
    probe = Melodies()
    subject = Subject(Writer(fresh), corpus=corpus, holdout=holdout)
    probe.applicable(subject)
    rate = measured(probe, subject)["copy_rate"]
    assert rate.low < 0.05  # variants of one tune stand in both parts
    assert abs(rate.value - rate.baseline.value) < 0.1
    copying = measured(probe, replace(subject, target=Writer([probe.altered(text, seed=0) for text in corpus[:90]])))
    assert copying["copy_rate"].value > 0.95


def _book(path):
    """The tunes of a tune book, as one file that an auditor gives would be read: one document, split at X:."""
    text = path.read_text()
    parts = ["X:" + part for part in ("\n" + text).split("\nX:")[1:]]
    assert len(list(tunes(text))) == len(parts)
    return parts
