from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.base import WEIGHTS
from generators.voice import model as voice
from generators.voice import speech
from generators.voice import truth as voice_truth
from generators.voice.model import CORPUS, FAULTS, FRAME, Fault, Utterance, Voice, facts, glottal_cycles, resonate
from generators.voice.speech import CONSONANTS, HOP, RATE, VOWELS, articulate, draw_phrase, draw_speaker, formants_of
from guardrails.core.errors import ConfigurationError

from ..trained_twice import trained_twice

DOSES = (0.25, 0.5, 1.0)


@cache
def shipped(dose: float = 0.0) -> Voice:
    return Voice.load(artefact=dose)


@cache
def said(dose: float = 0.0) -> list[Utterance]:
    return shipped(dose).utterances(25, seed=11)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards from a few outputs."""
    monkeypatch.setattr(voice, "CORPUS", 4)
    for name, value in (("TRUTH_SAMPLES", 3), ("QUALITY_SAMPLES", 4), ("GROUPS", 2)):
        monkeypatch.setattr(voice_truth, name, value)


# ---- what is said ----


@given(st.integers(0, 2**63))
@settings(max_examples=50)
def test_phrases_are_syllables_that_take_one_to_two_seconds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    speaker, phrase = draw_speaker(rng), draw_phrase(rng)
    tracks = articulate(phrase, speaker, rng)
    assert 4 <= len(phrase) <= 7
    assert all(consonant in CONSONANTS and vowel in VOWELS for consonant, vowel in phrase)
    assert 1 <= len(tracks.f0) * HOP / RATE <= 2
    assert [name for name, _, _ in tracks.vowels] == [vowel for _, vowel in phrase]
    assert (np.diff(tracks.formants, axis=1) > 0).all()
    assert tracks.formants.max() < RATE / 2
    for track in (tracks.voice, tracks.breath, tracks.noise):
        assert track.shape == tracks.f0.shape
        assert (track >= 0).all()
    for name, first, last in tracks.vowels:
        middle = tracks.formants[(first + last) // 2]
        assert middle == pytest.approx(formants_of(name, speaker.tract), rel=0.25)
        assert tracks.voice[(first + last) // 2] > 0.2


def test_the_averages_of_peterson_and_barney_are_at_both_ends_of_the_line() -> None:
    for vowel, (man, woman) in VOWELS.items():
        assert formants_of(vowel, 0.0)[:3] == pytest.approx(man)
        assert formants_of(vowel, 1.0)[:3] == pytest.approx(woman)
        between = formants_of(vowel, 0.5)[:3]
        assert between == pytest.approx(np.sqrt(np.multiply(man, woman)))


# ---- source and filter ----


def test_resonators_follow_the_difference_equation_while_they_change() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(3 * HOP)
    frequencies, bandwidths = rng.uniform(300, 6000, (3, 2)), rng.uniform(60, 300, (3, 2))
    expected = x.copy()
    for k in range(2):
        y1 = y2 = 0.0
        for n in range(len(x)):
            t = n // HOP
            C = -np.exp(-2 * np.pi * bandwidths[t, k] / RATE)
            B = 2 * np.exp(-np.pi * bandwidths[t, k] / RATE) * np.cos(2 * np.pi * frequencies[t, k] / RATE)
            expected[n], y1, y2 = (y := (1 - B - C) * expected[n] + B * y1 + C * y2), y, y1
    assert resonate(x, frequencies, bandwidths) == pytest.approx(expected)


def test_a_voice_without_variation_has_cycles_of_one_length_and_strength() -> None:
    speaker = draw_speaker(np.random.default_rng(0))
    f0 = np.full(100, 160.0)
    still, strength = glottal_cycles(f0, speaker, np.ones(100), np.random.default_rng(1))
    assert still == pytest.approx(160 * np.arange(100 * HOP * voice.OVER) / (RATE * voice.OVER), abs=1e-6)
    assert set(strength) == {1.0}
    varied, strength = glottal_cycles(f0, speaker, np.zeros(100), np.random.default_rng(1))
    starts = np.searchsorted(varied, np.arange(1, int(varied[-1])))
    assert np.std(np.diff(starts)) / np.mean(np.diff(starts)) == pytest.approx(speaker.jitter, rel=0.35)
    assert strength.std() == pytest.approx(speaker.shimmer, rel=0.35)


# ---- the shipped doses ----


def test_outputs_are_sound_that_the_seed_decides() -> None:
    sounds = shipped().sample(3, seed=1)
    for sound, again in zip(sounds, shipped().sample(3, seed=1), strict=True):
        assert sound.dtype == np.float32
        assert sound.ndim == 1
        assert 0.3 < np.abs(sound).max() <= 0.9
        assert RATE <= len(sound) <= 2 * RATE
        assert np.array_equal(sound, again)
    assert not np.array_equal(sounds[0], shipped().sample(1, seed=2)[0])
    assert shipped().sample(0, seed=0) == []


@pytest.mark.slow
def test_facts_are_json_and_segments_lie_in_the_sound() -> None:
    for dose in (0.0, 1.0):
        for item, utterance in zip(shipped(dose).items(4, seed=11), said(dose), strict=False):
            assert json.loads(json.dumps(item.facts)) == facts(utterance)
            assert np.array_equal(item.content, utterance.sound)
            assert item.facts["label"] == ("artefact" if dose else "clean")
            assert bool(item.facts["segments"]) == bool(dose)
            ends = [
                0.0,
                *(second for segment in item.facts["segments"] for second in segment),
                len(item.content) / RATE,
            ]
            assert ends == sorted(ends)
            assert all(start % FRAME == end % FRAME == 0 for start, end in utterance.segments)
            assert all(0.2 <= end - start <= 0.75 for start, end in item.facts["segments"])


def test_all_doses_of_a_seed_say_the_same_and_sound_the_same_before_the_first_segment() -> None:
    for clean, spoilt in zip(said(), said(1.0), strict=True):
        assert clean.phrase == spoilt.phrase
        assert clean.speaker == spoilt.speaker
        first = spoilt.segments[0][0] - RATE // 50
        a, b = clean.sound[:first], spoilt.sound[:first]
        if np.abs(a).max() > 0.1:
            assert np.corrcoef(a, b)[0, 1] > 0.99


def test_edges_of_frames_click_within_the_segments_alone() -> None:
    clean, within, without = [], [], []
    for utterance in said(1.0):
        start, end = utterance.segments[0]
        within.append(voice_truth.edge_clicks(utterance.sound[start:end]))
        without.append(voice_truth.edge_clicks(utterance.sound[: start // FRAME * FRAME]))
        clean.append(voice_truth.edge_clicks(next(u.sound for u in said() if u.phrase == utterance.phrase)))
    assert np.mean(within) > 6
    assert abs(np.nanmean(without)) < 2
    assert abs(np.mean(clean)) < 2


def test_pitch_stands_still_in_the_segments_of_the_full_dose() -> None:
    variation = {0.0: [], 1.0: []}  # type: dict[float, list[float]]
    for clean, spoilt in zip(said(), said(1.0), strict=True):
        for dose, utterance in ((0.0, clean), (1.0, spoilt)):
            pitch = [
                voice_truth.measure_pitch(utterance.sound[at * HOP - 400 : at * HOP + 400])
                for _, first, last in clean.tracks.vowels
                for at in [(first + last) // 2]
                if any(start + 400 < at * HOP < end - 400 for start, end in spoilt.segments)
            ]
            if len(pitch) > 1:
                variation[dose].append(float(np.std(np.log(pitch))))
    assert np.median(variation[1.0]) < 0.2 * np.median(variation[0.0])


def test_each_dose_raises_the_truth() -> None:
    truths = [shipped(dose).card["truth"]["artefact"] for dose in (0.0, *DOSES)]
    assert truths[0]["value"] == pytest.approx(0, abs=0.3)
    for lower, higher in pairwise(truths):
        assert lower["high"] < higher["low"]


@pytest.mark.slow
@pytest.mark.parametrize("dose", [0.0, *DOSES])
def test_the_card_s_truth_is_that_of_other_outputs(dose: float) -> None:
    truth = shipped(dose).card["truth"]["artefact"]
    clicks = [voice_truth.edge_clicks(utterance.sound) for utterance in said(dose)]
    error = 2 * (truth["high"] - truth["value"]) * (truth["n"] / len(clicks)) ** 0.5
    assert np.mean(clicks) == pytest.approx(truth["value"], abs=error)


def test_clean_outputs_meet_the_bars_of_their_card() -> None:
    for figure in shipped().card["quality"].values():
        good = figure["value"] >= figure["bar"] if figure["higher_is_better"] else figure["value"] <= figure["bar"]
        assert good


def test_nothing_was_learnt_and_the_card_says_so() -> None:
    card = shipped().card
    assert card["seen"] == [0] * CORPUS
    assert card["stability"] is None
    assert not Voice.reserved
    for dose, fault in FAULTS.items():
        strengths = shipped(dose).fault
        assert [strengths.constant, strengths.steps] == pytest.approx([fault.constant, fault.steps], abs=1e-3)


def test_training_holdout_and_reference_items_are_different_clean_phrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "CORPUS", 3)
    model = shipped(1.0)
    lists = [model.training_items(), model.holdout_items(), model.reference_items(3, seed=0)]
    assert [len(items) for items in lists] == [3, 3, 3]
    assert len({sound.tobytes() for items in lists for sound in items}) == 9
    assert np.array_equal(model.training_items()[0], shipped().training_items()[0])


# ---- the instruments of the card ----


def test_clicks_are_those_at_frame_edges() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE) * 0.01
    assert voice_truth.edge_clicks(noise) == pytest.approx(0, abs=2.5)
    steps = np.repeat(np.random.default_rng(1).standard_normal(RATE // 320), 320)
    assert voice_truth.edge_clicks(noise + steps) > 20
    assert voice_truth.edge_clicks(np.roll(noise + steps, 160)) < -20


@pytest.mark.parametrize("f0", [80.0, 133.3, 210.0, 333.0])
def test_measured_pitch_is_that_of_a_pulse_train(f0: float) -> None:
    time = np.arange(800) / RATE
    tone = sum(np.sin(2 * np.pi * f0 * k * time) / k for k in range(1, 12))
    assert voice_truth.measure_pitch(np.asarray(tone)) == pytest.approx(f0, rel=0.01)
    assert voice_truth.measure_pitch(np.zeros(800)) == 0


@pytest.mark.parametrize("vowel", ["er", "ah", "e"])
def test_measured_formants_are_those_of_a_filter(vowel: str) -> None:
    # Pulses that fall off over frequency as a voice does, which the measure undoes before its prediction.
    pulses = np.zeros(40 * HOP)
    pulses[::131] = 1
    source = np.convolve(pulses, 0.97 ** np.arange(400))[: len(pulses)]
    formants = formants_of(vowel, 0.0)
    sound = resonate(source, np.tile(formants, (40, 1)), np.tile(speech.BANDWIDTHS, (40, 1)))
    assert voice_truth.measure_formants(sound[800:1600])[:2] == pytest.approx(formants[:2], rel=0.06)


# ---- files ----


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    files = shipped(1.0).save(tmp_path)
    again = Voice.read(tmp_path, artefact=1.0)
    assert again.card == shipped(1.0).card
    assert np.array_equal(again.sample(1, seed=4)[0], shipped(1.0).sample(1, seed=4)[0])
    assert [f.read_bytes() for f in files] == [(WEIGHTS / f.name).read_bytes() for f in files]


def test_doses_that_do_not_ship_and_doses_without_a_base_are_refused() -> None:
    for doses in ({"artefact": 0.3}, {"artifact": 1.0}):
        with pytest.raises(ConfigurationError):
            Voice.load(**doses)
    for base in (None, shipped(1.0)):
        with pytest.raises(ConfigurationError, match="clean"):
            Voice.fit({"artefact": 1.0}, seed=0, base=base)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_making_the_files_is_decided_by_the_seed(tmp_path: Path) -> None:
    trained_twice(Voice, tmp_path)


def test_no_fault_is_the_clean_voice() -> None:
    assert FAULTS[0.0] == Fault()
    assert voice.utter(3, Fault()).segments == ()
