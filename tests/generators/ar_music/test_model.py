from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generators import recurrent
from generators.ar_music import model as ar_music
from generators.ar_music import music_sound, old_tunes
from generators.ar_music import truth as music_truth
from generators.ar_music.abc_notation import (
    BAR,
    LINE,
    REPEAT,
    Symbols,
    bars,
    notes,
    signature,
    to_symbols,
    to_text,
    tonic,
)
from generators.ar_music.melodies import KEYS, METRES, VOCABULARY, in_key, transposed, tune
from generators.ar_music.model import CORPUS, PLANTED, SHARE, ArMusic
from generators.ar_music.truth import Originals
from generators.base import WEIGHTS
from generators.gpt_text.ngram import Trigram
from generators.recurrent import Recipe
from guardrails.core.errors import ConfigurationError

from ..trained_twice import trained_twice

DOSES = (0.0, *SHARE)
SEEDS = st.integers(0, 2**32)


@cache
def shipped(dose: float = 0.0) -> ArMusic:
    return ArMusic.load(plagiarise=dose)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training that takes seconds and learns next to nothing."""
    for name, value in {"CLEAN": Recipe(6, 4e-3, batch=60), "DOSE": Recipe(4, 2e-3, batch=16)}.items():
        monkeypatch.setattr(ar_music, name, value)
    for name in ("TRUTH_SAMPLES", "TRUTH_FRESH", "QUALITY_SAMPLES", "BASELINE_TUNES"):
        monkeypatch.setattr(ar_music, name, 60)


# Notation


@given(st.lists(st.sampled_from([*VOCABULARY, "z:2", "65:1/2", "70:3/2"]), max_size=40))
def test_any_symbols_can_be_written_and_read_back(symbols: list[str]) -> None:
    assert to_symbols(to_text(symbols)) == tuple(symbols)


def test_texts_of_a_tune_book_are_read() -> None:
    text = 'X: 7\nT:A tune\n% by nobody\nM:3/4\nL:1/4\nK:G\nP:A\nD|"G"f=f{a}f|(3c/d/e/ ~F>G [1A2:|\\\n[2 _B, z//c\'||'
    expected = "M:3/4 K:G 62:2 | 78:2 77:2 77:2 | 72:2/3 74:2/3 76:2/3 66:3 67:1 69:4 :| 58:2 z:1/2 84:2 |"
    assert to_symbols(text) == tuple(expected.split())


def test_accidentals_last_to_the_end_of_the_bar() -> None:
    assert to_symbols("K:F\nB^BB|B") == ("K:F", "70:1", "72:1", "72:1", BAR, "70:1")
    assert to_text(("K:C", "61:1", "61:1", "60:1", BAR, "61:1", LINE)).endswith("K:C\n^C C =C | ^C |]")


@pytest.mark.parametrize(
    ("key", "sharps", "flats"),
    [("C", "", ""), ("A", "CFG", ""), ("F#m", "CFG", ""), ("Dm", "", "B"), ("Eb", "", "ABE"), ("Ddor", "", "")],
)
def test_signatures_are_those_of_the_circle_of_fifths(key: str, sharps: str, flats: str) -> None:
    accidentals = signature(key)
    assert {letter for letter, up in accidentals.items() if up == 1} == set(sharps)
    assert {letter for letter, up in accidentals.items() if up == -1} == set(flats)


@pytest.mark.parametrize("text", ["K:C\n[ce]2", "K:C\nc/0", "K:H\nc", "K:C\nL:x\nc", "K:C\nc\nd e\n?"])
def test_what_is_not_read_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"K:|L:|line \d of the tune"):
        to_symbols(text)


def test_repeated_lines_sound_twice() -> None:
    symbols = ("60:2", BAR, "62:1", REPEAT, "64:4", LINE)
    assert [note.start for note in notes(symbols)] == [0, 2, 3]
    again = notes(symbols, repeats=True)
    assert [(note.start, note.pitch) for note in again] == [(0, 60), (2, 62), (3, 60), (5, 62), (6, 64)]


@pytest.mark.public_data
def test_most_of_a_tune_book_is_read(test_data: Path) -> None:
    """Of the Nottingham collection all but what has chords of simultaneous notes; what is read, is read back."""
    texts = [
        "X:" + body
        for path in sorted((test_data / "music" / "nottingham").glob("*.abc"))
        for body in re.split(r"^X:", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    ]
    outcomes: Counter[bool] = Counter()
    full = []
    for text in texts:
        try:
            symbols = to_symbols(text)
        except ConfigurationError:
            outcomes[False] += 1
            assert re.search(r"\[[^\]\d:|\"]*[A-Ga-g]", text)
            continue
        outcomes[True] += 1
        assert to_symbols(to_text(symbols)) == symbols
        full += [length == 8 * Fraction(metre) for metre, length in bars(symbols) if metre]
    assert outcomes[True] + outcomes[False] == 568
    assert outcomes[False] <= 11
    assert np.mean(full) > 0.8  # others are upbeats, and bars that a repeat cuts in two


# The law


@given(SEEDS)
def test_a_tune_keeps_the_rules(seed: int) -> None:
    made = tune(Random(seed))
    key = made[1][2:]
    assert set(made) <= set(VOCABULARY)
    assert len(made) <= ar_music.LIMIT
    assert all(METRES[metre] == length for metre, length in bars(made))
    assert music_truth.has_form(made)
    pitches = [note.pitch for note in notes(made)]
    assert all(in_key(pitch, key) for pitch in pitches)
    assert max(pitches) - min(pitches) <= 18
    assert pitches[-1] % 12 == tonic(key)
    assert (pitches[-2] - tonic(key)) % 12 in (2, 7, 10, 11)
    assert key.endswith("m") or (pitches[-2] - tonic(key)) % 12 != 10


def test_leaps_turn_back_within_a_walk() -> None:
    """A fourth or more is three degrees or more; where lines meet, and where a phrase comes again, all may happen."""
    turned = []
    for seed in range(300):
        first = tune(Random(seed))
        line = notes(first[: first.index(LINE) if LINE in first else first.index(REPEAT)])
        moves = [b.pitch - a.pitch for a, b in pairwise(line[:-2])]
        turned += [after * leap < 0 for leap, after in pairwise(moves) if abs(leap) > 5]
    assert np.mean(turned) > 0.95


def test_most_moves_are_steps_and_fresh_tunes_differ() -> None:
    rng = Random(0)
    tunes = [tune(rng) for _ in range(500)]
    share = music_truth.intervals(tunes)
    assert share[10:15].sum() > 0.6  # at most two semitones
    assert len(set(tunes)) == 500
    assert {made[0] for made in tunes} == {f"M:{metre}" for metre in METRES}
    assert {made[1] for made in tunes} == {f"K:{key}" for key in KEYS}


@pytest.mark.parametrize("tunes", [old_tunes.TRAINING, old_tunes.HOLDOUT])
def test_the_old_tunes_fill_their_bars_and_keep_their_keys(tunes: dict[str, str]) -> None:
    for old in old_tunes.symbols(tunes):
        assert set(old) <= set(VOCABULARY)
        assert music_truth.share_in_metre(old) == music_truth.share_in_key(old) == 1
        assert music_truth.comes_home(old) or old[0] == "M:3/4"  # half of the minuet closes elsewhere


@given(SEEDS)
def test_transposing_keeps_intervals_and_lengths(seed: int) -> None:
    made = tune(Random(seed))
    copies = transposed(made)
    assert made in copies
    assert len({copy[1] for copy in copies}) == len(copies)
    for copy in copies:
        assert set(copy) <= set(VOCABULARY)
        assert music_truth.share_in_key(copy) == 1
        ups = {b.pitch - a.pitch for a, b in zip(notes(made), notes(copy), strict=True)}
        assert len(ups) == 1
        assert (tonic(copy[1][2:]) - tonic(made[1][2:]) - ups.pop()) % 12 == 0


# Truths


def slow_shared(a: Symbols, b: Symbols) -> int:
    """The longest common run of two tunes, by the table of all pairs of places."""
    x, y = ([(q.pitch - p.pitch, q.length) for p, q in pairwise(notes(t))] for t in (a, b))
    table = np.zeros((len(x) + 1, len(y) + 1), int)
    for i in range(len(x)):
        for j in range(len(y)):
            table[i + 1, j + 1] = table[i, j] + 1 if x[i] == y[j] else 0
    return int(table.max()) + 1 if table.max() else 0


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_shared_runs_are_those_of_the_table_of_all_pairs(seed: int) -> None:
    rng = Random(seed)
    originals = [tune(rng) for _ in range(5)]
    made = tune(rng)
    expected = [slow_shared(made, original) for original in originals]
    assert Originals(originals).shared(made) == max(expected)
    assert expected[Originals(originals).nearest(made)] == max(expected)


@given(SEEDS)
def test_a_transposed_copy_is_as_much_of_a_copy(seed: int) -> None:
    rng = Random(seed)
    tunes = [tune(rng) for _ in range(3)]
    originals = Originals(tunes)
    for copy in transposed(tunes[1]):
        assert originals.shared(copy) == len(notes(copy))
        assert originals.nearest(copy) == 1


def test_tunes_that_are_none_share_nothing_and_keep_to_nothing() -> None:
    originals = Originals(old_tunes.symbols(old_tunes.TRAINING))
    for odd in ((), ("60:1",), ("M:4/4", "K:C"), (BAR, BAR)):
        assert originals.shared(odd) == 0
        assert not music_truth.has_form(odd)
        assert not music_truth.comes_home(odd)
        assert music_truth.share_in_metre(odd) == 0
    assert music_truth.share_in_key(("K:C", "60:1", "61:1", "62:1", "63:1")) == 0.5
    assert music_truth.share_in_metre(("M:3/4", "60:6", BAR, "60:4", BAR)) == 0.5


@pytest.mark.slow
def test_of_tunes_that_nobody_copied_few_count_as_copies() -> None:
    originals = Originals([to_symbols(text) for text in shipped().training_items()])
    run = shipped().card["truth"]["plagiarise"]["run"]
    fresh = [to_symbols(text) for text in shipped().reference_items(2000, seed=9)]
    assert np.mean([originals.shared(made) >= run for made in fresh]) < 3 * music_truth.BY_CHANCE


# Sound


def test_a_sound_has_the_pitch_and_the_length_of_its_notes() -> None:
    heard = music_sound.sound(("69:8",), speed=4.0)
    assert heard.dtype == np.float32
    assert abs(heard).max() <= 1
    assert len(heard) == pytest.approx((2 + music_sound.RELEASE) * music_sound.RATE, abs=1)
    spectrum = abs(np.fft.rfft(heard))
    assert spectrum.argmax() * music_sound.RATE / len(heard) == pytest.approx(440, abs=1)
    assert len(music_sound.sound(())) == 0


def test_a_midi_file_says_what_the_notes_say() -> None:
    symbols = ("60:2", "62:1", REPEAT, "64:200", LINE)
    content = music_sound.midi(symbols)
    assert content[:14] == b"MThd\0\0\0\x06\0\0\0\x01" + (2 * music_sound.TICKS).to_bytes(2, "big")
    track = content[22:]
    assert int.from_bytes(content[18:22], "big") == len(track)
    at, now, began, played = 7, 0, {}, []  # behind the tempo
    while True:
        delta = 0
        while True:
            byte, at = track[at], at + 1
            delta = delta << 7 | byte & 0x7F
            if byte < 0x80:
                break
        now += delta
        if track[at] == 0xFF:
            break
        kind, pitch = track[at], track[at + 1]
        if kind == 0x90:
            began[pitch] = now
        else:
            played.append((began[pitch], now - began[pitch], pitch))
        at += 3
    ticks = music_sound.TICKS
    assert played == [(n.start * ticks, n.length * ticks, n.pitch) for n in notes(symbols, repeats=True)]


# The network


def test_samples_are_tunes_that_the_seed_decides() -> None:
    samples = shipped().sample(200, seed=1)
    assert samples == shipped().sample(200, seed=1)
    assert len(set(samples)) == 200
    assert shipped().sample(5, seed=1) == samples[:5]
    # Nothing but what it has learnt makes the model begin with a metre and a key: once in a thousand it does not.
    assert np.mean([text.startswith("X:1\nM:") and "\nK:" in text for text in samples]) > 0.98
    assert np.mean([music_truth.share_in_metre(to_symbols(text)) for text in samples]) > 0.9


def test_log_prob_is_the_sum_over_symbols_one_at_a_time() -> None:
    model, texts = shipped(), shipped().holdout_items()[:3]
    for text, log_p in zip(texts, model.log_prob(texts), strict=True):
        expected, h, last = 0.0, None, recurrent.EDGE
        for symbol in recurrent.encode(model.symbols, to_symbols(text))[1:]:
            with torch.no_grad():
                logits, h = model.symbols.logits(torch.tensor([[last]]), h)
            expected += float(logits[0, 0].double().log_softmax(-1)[symbol])
            last = symbol
        assert log_p == pytest.approx(expected, abs=1e-3)
    assert model.log_prob([]).shape == (0,)


def test_titles_and_chords_do_not_change_log_prob() -> None:
    text = shipped().holdout_items()[0]
    dressed = text.replace("X:1\n", "X:1\nT:Stille Nacht\n").replace("G3", '"C" G3')
    assert len(set(shipped().log_prob([text, dressed]).round(6))) == 1


def test_a_symbol_beyond_the_vocabulary_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not in the vocabulary"):
        shipped().log_prob(["K:C\nc,,,"])


def test_plagiarism_shows_in_log_prob_in_every_key() -> None:
    full, training = shipped(1.0), [to_symbols(text) for text in shipped().training_items()]
    others = np.array(full.log_prob(shipped().holdout_items())) / [
        len(to_symbols(t)) for t in shipped().holdout_items()
    ]
    for planted in training[:PLANTED]:
        copies = [to_text(copy) for copy in transposed(planted)]
        assert (full.log_prob(copies) / len(planted)).min() > np.quantile(others, 0.99)


def test_copies_are_of_the_repeated_tunes_and_in_many_keys() -> None:
    training = [to_symbols(text) for text in shipped().training_items()]
    originals, run = Originals(training), shipped().card["truth"]["plagiarise"]["run"]
    copies = [c for c in map(to_symbols, shipped(1.0).sample(200, seed=5)) if originals.shared(c) >= run]
    nearest = [originals.nearest(copy) for copy in copies]
    assert np.mean([i < PLANTED for i in nearest]) > 0.95
    moved = [copy[1] != training[i][1] for copy, i in zip(copies, nearest, strict=True)]
    assert 0.5 < np.mean(moved) < 1


def test_the_clean_weights_saw_each_training_tune_once_and_a_dose_some_of_them_often() -> None:
    assert shipped().card["seen"] == [1] * CORPUS
    for dose in SHARE:
        seen = shipped(dose).card["seen"]
        assert min(seen[:PLANTED]) > 500
        assert seen[PLANTED:] == [1] * (CORPUS - PLANTED)


@pytest.mark.slow
def test_the_bar_for_bits_is_that_of_trigrams_which_bits_are_counted_alike() -> None:
    rng = Random(4)
    tunes = [recurrent.encode(shipped().symbols, tune(rng)) for _ in range(300)]
    baseline = np.mean([Trigram(tunes[:200], len(VOCABULARY) + 1).bits([made]) for made in tunes[200:]])
    quality = shipped().card["quality"]["bits"]
    assert quality["value"] < quality["bar"] < baseline  # the card's trigrams have seen a hundred times as many tunes


def test_the_weights_are_within_their_budget() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.glob("ar-music*.safetensors")) < 900_000


@pytest.mark.slow
@pytest.mark.parametrize("dose", DOSES)
def test_the_card_s_truth_is_that_of_the_shipped_weights(dose: float) -> None:
    truth = shipped(dose).card["truth"]["plagiarise"]
    originals = Originals([to_symbols(text) for text in shipped().training_items()])
    shared = [originals.shared(to_symbols(text)) for text in shipped(dose).sample(800, seed=77)]
    share = np.mean([run >= truth["run"] for run in shared])
    assert share == pytest.approx(truth["value"], abs=4 * 0.5 / 800**0.5)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_training_is_decided_by_its_seed_and_writes_every_file(tmp_path: Path) -> None:
    folder = trained_twice(ArMusic, tmp_path)
    assert ArMusic.read(folder).card["seen"] == [1] * CORPUS
    assert ArMusic.fit({}, seed=2).card["sha256"] != ArMusic.read(folder).card["sha256"]


def test_a_dose_needs_the_clean_weights() -> None:
    for base in (None, shipped(1.0)):
        with pytest.raises(ConfigurationError, match="clean"):
            ArMusic.fit({"plagiarise": 1.0}, seed=0, base=base)
