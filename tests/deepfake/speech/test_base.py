"""Detectors of synthetic speech: formulas against literal ones, bad recordings, fit and calibrate, what ships."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from guardrails.core.errors import ConfigurationError, ContentError
from guardrails.core.registry import load_detector
from guardrails.deepfake.speech import spectra
from guardrails.deepfake.speech.base import smoothed, stands_out
from guardrails.deepfake.speech.speech_likeness import Manner
from guardrails.deepfake.speech.vocoders import VOCODERS, pitch
from guardrails.kit.sound import RATE
from guardrails.training.material.neural_vocoder import NeuralVocoder
from guardrails.training.material.speech_channel import CODECS, coded, passed
from guardrails.training.material.speech_sets import NETWORKS, SETS, SHARES, clips, cues, parts_of, versions
from guardrails.training.material.varied_vocoders import VARIED
from guardrails.training.speech import SCOPE, equal_error

NAME = "deepfake.spectro"


def vowel(seed: int, seconds: float = 1.5, f0: float = 120.0) -> np.ndarray:
    """A buzzing vowel with a melody and a little breath."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(f0 * (1 + 0.1 * np.sin(2 * np.pi * 2 * t + seed))) / RATE
    sound = sum(np.sin(k * phase) / k for k in range(1, 25)) + 0.05 * rng.standard_normal(len(t))
    return np.asarray(0.2 * sound, dtype=np.float64)


def literal_bands(sound: np.ndarray) -> np.ndarray:
    """Frame by frame and sum by sum, straight from the definition."""
    x = sound / np.abs(sound).max()
    x = np.array([x[0] * 0.03, *(x[i] - 0.97 * x[i - 1] for i in range(1, len(x)))])
    edges = [i * 8000 / 71 for i in range(72)]
    energies = []
    for start in range(0, len(x) - 480 + 1, 240):
        frame = [x[start + i] * (0.54 - 0.46 * np.cos(2 * np.pi * i / 479)) for i in range(480)]
        power = np.abs(np.fft.fft(np.array(frame + [0.0] * 544))[:513]) ** 2
        row = []
        for b in range(70):
            low, middle, high = edges[b : b + 3]
            row.append(
                sum(
                    power[k] * min((f - low) / (middle - low), (high - f) / (high - middle))
                    for k in range(513)
                    if low < (f := k * 16000 / 1024) < high
                )
            )
        energies.append(row)
    power = np.array(energies)
    total = power.mean(axis=1)
    level = total[total >= 0.1 * np.quantile(total, 0.95)].mean()
    return np.array(np.log(power / level + 1e-5))


def test_bands_are_those_of_the_definition() -> None:
    sound = vowel(0, 0.5)
    bands = spectra.spectra(sound).bands
    assert bands.shape == (32, 70)
    assert bands == pytest.approx(literal_bands(sound), abs=1e-8)


def test_neither_level_nor_digital_silence_changes_what_is_heard() -> None:
    sound = vowel(1)
    quiet = spectra.spectra(sound * 1e-3)
    assert quiet.bands == pytest.approx(spectra.spectra(sound).bands, abs=1e-6)
    assert np.isfinite(spectra.spectra(np.concatenate([sound, np.zeros(RATE)])).bands).all()


def test_the_pitch_of_a_vowel_is_found() -> None:
    f0, _ = pitch(vowel(0, f0=140.0))
    assert (f0 > 0).mean() > 0.9
    assert np.median(f0[f0 > 0]) == pytest.approx(140, rel=0.1)


@pytest.mark.parametrize("name", list(VOCODERS))
def test_a_vocoder_keeps_length_loudness_and_spectrum(name: str) -> None:
    sound = vowel(0)
    made = VOCODERS[name](sound, seed=0)
    assert made.shape == sound.shape
    assert (made**2).mean() == pytest.approx((sound**2).mean(), rel=0.01)
    real, again = (spectra.spectra(x).bands.mean(axis=0) for x in (sound, made))
    assert np.corrcoef(real, again)[0, 1] > 0.8
    assert np.array_equal(made, VOCODERS[name](sound, seed=0))


@pytest.mark.parametrize("name", list(VARIED))
def test_a_varied_vocoder_draws_its_settings(name: str) -> None:
    sound = vowel(0, 1.0)
    real = spectra.spectra(sound).bands.mean(axis=0)
    made = [VARIED[name](sound, seed=seed) for seed in range(3)]
    for one in made:
        assert one.shape == sound.shape
        assert (one**2).mean() == pytest.approx((sound**2).mean(), rel=0.01)
        assert np.corrcoef(real, spectra.spectra(one).bands.mean(axis=0))[0, 1] > 0.4
    assert np.array_equal(made[1], VARIED[name](sound, seed=1))
    assert not np.allclose(made[0], made[1])


def test_an_utterance_is_real_once_and_vocoded_as_the_set_says() -> None:
    sound = vowel(0, 1.0)
    learnt = versions(sound, ("formant", "varied"), seed=5)
    assert np.array_equal(learnt[""], sound)
    assert set(learnt) == {"", *VARIED}
    assert set(versions(sound, ("hts", "lpc"), seed=5)) == {"", "lpc"}


def test_a_neural_vocoder_keeps_length_and_loudness_and_can_be_sent() -> None:
    speech = [vowel(i, 1.0) for i in range(3)]
    vocoder = NeuralVocoder.train(speech, seed=3, steps=3)
    made = vocoder(speech[0], seed=0)
    assert made.shape == speech[0].shape
    assert (made**2).mean() == pytest.approx((speech[0] ** 2).mean(), rel=0.01)
    again: NeuralVocoder = pickle.loads(pickle.dumps(vocoder))
    assert again.shape == vocoder.shape
    assert np.array_equal(again(speech[0], seed=0), made)
    assert set(versions(speech[0], ("neural",), [vocoder], seed=0)) == {"", "neural"}


@pytest.mark.slow
def test_a_neural_vocoder_learns() -> None:
    speech = [vowel(i, 1.0) for i in range(4)]
    real = spectra.spectra(speech[0]).bands

    def distance(steps: int) -> float:
        made = spectra.spectra(NeuralVocoder.train(speech, seed=1, steps=steps)(speech[0], seed=0)).bands
        return float(np.abs(made - real).mean())

    assert distance(40) < 0.8 * distance(1)


@pytest.mark.slow
def test_the_sets_share_no_speaker_and_a_real_clip_has_all_its_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = []
    for i in range(10):
        path = tmp_path / f"speaker{i}-00.flac"
        soundfile.write(path, vowel(i, 1.5), RATE)
        corpus.append({"file": path.name, "path": str(path), "label": "0", "speaker": f"s{i}", "package": "p",
                       "family": ""})  # fmt: skip
    corpus.append(corpus[0] | {"label": "1", "speaker": "espeak-ng-de", "package": "espeak-ng", "family": "formant"})
    places = parts_of(corpus)
    assert set(places.values()) == set(SHARES)
    fit_clips = clips(corpus, "fit", seed=0)
    real = [clip for clip in fit_clips if not clip.label]
    assert {places[clip.source] for clip in real} == {"fit"}
    assert {clip.source for clip in fit_clips if clip.label} == {"formant", *VARIED}
    for clip in real:
        of = [other for other in fit_clips if other.pair == clip.pair and other.cluster == clip.cluster]
        assert len(of) == 1 + len(VARIED)
        assert {other.channel for other in of} == {clip.channel}


def test_no_synthesizer_of_the_test_is_learnt_from() -> None:
    assert not set(SETS["test"]) - {"neural"} & (set(SETS["fit"]) | set(SETS["calibrate"]))
    assert set(NETWORKS) == set(SETS)


def test_fine_views_are_spectra_at_their_places() -> None:
    item = spectra.spectra(vowel(3, 0.8))
    views = spectra.fine(item)
    assert views.shape == (len(item.bands), spectra.FINE)
    assert np.array_equal(spectra.fine(item, np.array([7, 9])), views[[7, 9]])
    # Frame 10 speaks for the samples round 2640: its middle short window begins 48 samples before, the first of its
    # two long ones 60 + 320 samples before.
    for begin, length, points, at, rows in ((2592, 96, 128, 2 * 65, 65), (2260, 640, 1024, 5 * 65, 256)):
        part = item.sound[begin : begin + length].astype(float) * np.hanning(length)
        power = np.array(
            [abs(sum(part * np.exp(-2j * np.pi * k * np.arange(length) / points))) ** 2 for k in range(rows)]
        )
        assert views[10, at : at + rows] == pytest.approx(
            np.log(power / (np.hanning(length) ** 2).sum() + 1e-5), abs=1e-3
        )


def test_a_linear_channel_is_not_seen_in_what_is_unusual() -> None:
    sound = vowel(2)
    item, duller = spectra.spectra(sound), spectra.spectra(np.convolve(sound, [1.0, 0.5])[: len(sound)])
    before, after = (spectra.fine(x)[10:60] - spectra.usual(x) for x in (item, duller))
    rows = slice(5 * 65, 5 * 65 + 100)
    assert (
        np.abs(before - after)[:, rows].mean() < 0.1 * np.abs(spectra.fine(item) - spectra.fine(duller))[:, rows].mean()
    )


def test_what_holds_a_note_or_hisses_does_not_move_as_speech_does() -> None:
    rng = np.random.default_rng(0)

    def syllables(seed: int) -> np.ndarray:
        draw = np.random.default_rng(seed)
        edges = np.sort(draw.integers(0, 2 * RATE, 12))
        return vowel(seed, 2.0, float(draw.uniform(90, 220))) * (np.searchsorted(edges, np.arange(2 * RATE)) % 2 + 0.02)

    items = [spectra.spectra(syllables(i)) for i in range(30)]
    manner = Manner.fit(items)
    usual = [manner.distance(item) for item in items]
    t = np.arange(2 * RATE) / RATE
    for other in (np.sin(2 * np.pi * 440 * t), rng.standard_normal(2 * RATE)):
        assert manner.distance(spectra.spectra(other)) > max(usual)


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_gives_a_recording_back(codec: str) -> None:
    sound = vowel(0)
    made = coded(sound, 8000, codec)
    assert len(made) == pytest.approx(len(sound), rel=0.06)
    assert np.isfinite(made).all()


def test_a_channel_is_the_same_for_the_same_seed() -> None:
    sound = vowel(0)
    assert np.array_equal(passed(sound, seed=3)[0], passed(sound, seed=3)[0])
    assert np.isfinite(cues(passed(sound, seed=4)[0])).all()
    assert {passed(sound, seed=seed)[1] for seed in range(60)} == set(CODECS)


def test_equal_error_of_known_scores() -> None:
    rng = np.random.default_rng(0)
    assert equal_error(np.arange(10.0) + 20, np.arange(10.0)) == 0
    assert equal_error(np.arange(10.0), np.arange(10.0) + 20) == 1
    # Two normal distributions two standard deviations apart meet at Φ(−1).
    assert equal_error(rng.normal(2, 1, 20_000), rng.normal(0, 1, 20_000)) == pytest.approx(0.1587, abs=0.01)


def test_what_stands_out_is_where_it_was_put() -> None:
    frames = np.full(400, -1.0)
    frames[100:200] = 2.0
    frames[300:] = np.nan
    (segment,) = stands_out(smoothed(frames), 0.5)
    assert segment.start == pytest.approx(1.5, abs=0.15)
    assert segment.end == pytest.approx(3.0, abs=0.15)
    assert stands_out(smoothed(np.full(50, np.nan)), 0.0) == ()


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ((np.zeros(RATE), RATE), "silence"),
        ((np.zeros(0), RATE), "no samples"),
        ((np.ones(1), RATE), "too short"),
        ((np.array([0.1, np.nan] * RATE), RATE), "not finite"),
        ((np.array([0.1, np.inf] * RATE), RATE), "not finite"),
        ((np.zeros((4, 4, 4)), RATE), "samples are"),
        ((np.zeros(RATE), -1), "a rate is"),
        (7, "path or"),
        (([["a"]], RATE), "samples are"),
    ],
)
def test_a_bad_recording_is_a_row_with_a_reason(item: Any, why: str) -> None:
    (row,) = load_detector(NAME).score([item])
    assert row.score is None
    assert row.verdict == "abstain"
    assert why in row.reasons[0]


def test_good_and_bad_recordings_in_one_go(tmp_path: Path) -> None:
    paths = [tmp_path / file for file in ("eight.wav", "high.flac", "text.wav", "silence.wav")]
    soundfile.write(paths[0], np.repeat(vowel(0)[:, None], 8, axis=1), RATE)
    soundfile.write(paths[1], np.repeat(vowel(1), 12), 12 * RATE)
    paths[2].write_text("this is a text")
    soundfile.write(paths[3], np.zeros(RATE), RATE)
    detector = load_detector(NAME)
    rows = detector.score([*paths, (vowel(0), RATE)])
    assert [row.score is None for row in rows] == [False, False, True, True, False]
    assert rows[4].score == pytest.approx(detector.score([(vowel(0), RATE)])[0].score, abs=1e-4)
    for row in (rows[0], rows[4]):
        assert row.probability is None or 0 <= row.probability <= 1
        assert all(0 <= s.start < s.end <= 1.6 for s in row.segments)
    # Two channels of the same are the same as one, but for the 16 bits of the file.
    assert rows[0].score == pytest.approx(rows[4].score, abs=0.3)


@pytest.mark.slow
def test_fit_and_calibrate(monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrails.deepfake.speech import network

    monkeypatch.setattr(network, "STEPS", 10)
    rng = np.random.default_rng(0)
    real = [(vowel(i, 1.0, float(rng.uniform(90, 220))), RATE) for i in range(16)]
    made = [(VOCODERS["lpc"](x, seed=i), rate) for i, (x, rate) in enumerate(real)]
    labels = [0] * 16 + [1] * 16
    sources = [f"speaker {i % 8}" for i in range(16)] * 2
    detector = load_detector(NAME).fit([*real, *made], labels, sources=sources)
    rows = detector.score([*real, *made])
    scores = np.array([row.score for row in rows], dtype=float)
    assert scores[16:].mean() > scores[:16].mean()
    again = load_detector(NAME).calibrate([*real, *made], labels, sources=sources)
    assert again.score([real[0]])[0].calibration in ("calibrated on its own set", None)
    with pytest.raises(ContentError):
        detector.fit([*real[:-1], (np.zeros(RATE), RATE), *made], labels)


def test_the_card_says_what_was_learnt_and_what_it_is_worth() -> None:
    weights = Path(spectra.__file__).parents[1] / "weights"
    card = json.loads((weights / f"{NAME.removeprefix('deepfake.')}.json").read_text(encoding="utf-8"))
    assert card["command"] == f"guardrails train detector {NAME}"
    assert all(row["licence"] for row in card["data"]["real"].values())
    assert "voice" not in card["data"]["sets"]["fit"]["synthetic"]
    for figures in card["test"]["synthesizers"].values():
        for one in (figures, figures["blind"]):
            assert one["eer"]["low"] <= one["eer"]["value"] <= one["eer"]["high"]
    spoken = {part: set(about["speakers"]) for part, about in card["data"]["sets"].items()}
    assert not spoken["fit"] & (spoken["calibrate"] | spoken["test"])
    assert not spoken["calibrate"] & spoken["test"]


def test_weights_that_are_trained_again_have_the_scope_of_those_that_ship() -> None:
    assert load_detector(NAME).heard.scope == SCOPE  # type: ignore[attr-defined]
    assert not SCOPE.kinds


def test_training_without_its_speech_is_a_mistake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from guardrails.training.speech import train_spectro

    monkeypatch.delenv("GUARDRAILS_SPEECH", raising=False)
    with pytest.raises(ConfigurationError, match="fetch_speech"):
        train_spectro(tmp_path)
