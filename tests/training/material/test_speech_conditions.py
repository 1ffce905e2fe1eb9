import numpy as np
import pytest
from scipy.signal import lfilter

from guardrails.training.material.speech_conditions import CODECS, PLAIN_NOISE, Condition

RATE = 16_000


@pytest.fixture
def sound():
    noise = np.random.default_rng(3).standard_normal(RATE)
    return lfilter([1.0], [1.0, -0.9], noise) * (0.3 + np.sin(np.arange(RATE) / 800) ** 2)


def applied(condition, sound, seed=0):
    return condition.applied(sound, np.random.default_rng(seed))


def power(sound, low, high):
    at = np.fft.rfftfreq(len(sound), 1 / RATE)
    return float((np.abs(np.fft.rfft(sound))[(at >= low) & (at < high)] ** 2).sum())


def test_the_plain_condition_adds_noise_of_its_level_alone(sound):
    centred = sound - sound.mean()
    rest = applied(Condition(), sound) - centred / centred.std()
    assert 20 * np.log10(rest.std()) == pytest.approx(PLAIN_NOISE, abs=0.1)


@pytest.mark.parametrize("codec", CODECS)
def test_a_codec_keeps_length_and_place_and_changes_something(sound, codec):
    out, plain = applied(Condition((codec,)), sound), applied(Condition(), sound)
    assert out.shape == sound.shape
    assert np.isfinite(out).all()
    assert not np.array_equal(out, plain)
    lag = np.correlate(out, plain, "full").argmax() - (len(sound) - 1)
    assert abs(lag) <= RATE // 1000
    assert np.corrcoef(out, plain)[0, 1] > 0.8


@pytest.mark.parametrize("condition", [Condition(narrow=True), Condition(("ULAW",)), Condition(("GSM",))])
def test_a_telephone_leaves_nothing_above_four_kilohertz(sound, condition):
    out = applied(condition, sound)
    assert power(out, 4500, 8000) < 1e-3 * power(out, 0, 4000)


def test_a_room_lets_a_click_fall_by_sixty_decibels_in_its_time():
    click = np.zeros(RATE)
    click[100] = 1.0
    out = applied(Condition(noise=-200.0, room=(0.4, 0.0)), click)
    early, late = (out[start : start + 800] for start in (400, 400 + int(0.2 * RATE)))
    assert 10 * np.log10((late**2).mean() / (early**2).mean()) == pytest.approx(-30, abs=3)


def test_what_is_drawn_depends_on_the_seed_alone():
    drawn = [Condition.drawn(np.random.default_rng(i)) for i in range(400)]
    assert drawn == [Condition.drawn(np.random.default_rng(i)) for i in range(400)]
    assert {name for one in drawn for name in one.codecs} == set(CODECS)
    assert 0.2 < np.mean([len(one.codecs) == 2 for one in drawn]) < 0.4
    assert 0.15 < np.mean([one.room is not None for one in drawn]) < 0.35
    assert Condition().name == "plain"
    assert Condition(("MP3", "GSM")).name == "GSM"
