import numpy as np
import pytest
from scipy.signal import lfilter

from guardrails.training.material.speech_traces import RATES, traces

RATE, LENGTH = 16_000, 24_000


@pytest.fixture
def noise():
    return np.random.default_rng(1).standard_normal(LENGTH)


@pytest.fixture
def vowel():
    """Pulses at 120 Hz that drift a little, through a formant, with breath."""
    rng = np.random.default_rng(2)
    cycles = np.cumsum(120 * (1 + 0.05 * np.sin(np.arange(LENGTH) / 2000)) / RATE)
    pulses = np.diff(np.floor(cycles), prepend=0.0)
    return lfilter([1.0], [1.0, -1.6, 0.8], pulses) + 0.01 * rng.standard_normal(LENGTH)


def test_blocks_are_finite_and_of_one_length_whatever_the_sound(noise, vowel):
    tone, click = np.sin(np.arange(LENGTH) / 3), np.zeros(LENGTH)
    click[5000] = 1.0
    lengths = []
    for sound in (noise, vowel, tone, click, vowel[:12_800]):
        blocks = traces(sound)
        assert all(np.isfinite(block).all() for block in blocks.values())
        lengths.append({name: len(block) for name, block in blocks.items()})
    assert all(one == lengths[0] for one in lengths)


def test_the_level_tells_nothing(vowel):
    once, louder = traces(vowel), traces(vowel * 37.0)
    assert all(np.allclose(once[name], louder[name], atol=1e-6) for name in once)


def test_power_that_repeats_itself_stands_out_at_its_rate(noise):
    rate = 86.13
    beating = noise * (1 + 0.5 * np.sin(2 * np.pi * rate * np.arange(LENGTH) / RATE))
    gain = (traces(beating)["repeats"] - traces(noise)["repeats"]).reshape(3, len(RATES))
    assert (gain.argmax(axis=1) == RATES.index(rate)).all()


def test_a_line_stands_out_in_its_band(noise):
    line = noise + 0.2 * np.sin(2 * np.pi * 3200 * np.arange(LENGTH) / RATE)
    gain = (traces(line)["lines"] - traces(noise)["lines"])[:16:2]
    assert gain.argmax() == 3


def test_pulses_are_alike_a_period_later_and_noise_is_not(vowel, noise):
    buzz = traces(vowel)["harmonics"].reshape(2, 8, 3)[0, :4, 0]
    breath = traces(vowel + noise * vowel.std())["harmonics"].reshape(2, 8, 3)[0, :4, 0]
    assert buzz[0] > 0.9
    assert (buzz > breath).all()


def test_the_residual_of_pulses_is_peaked(vowel, noise):
    peaked = traces(vowel)["prediction"][2]
    gaussian = traces(noise)["prediction"][10]
    assert gaussian == pytest.approx(np.log(3), abs=0.1)
    assert peaked > gaussian + 0.5
