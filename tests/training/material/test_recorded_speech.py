import csv

import numpy as np
import pytest
import soundfile

from guardrails.core.errors import ConfigurationError
from guardrails.training.material.recorded_speech import (
    COLUMNS,
    folds,
    read_stretch,
    recordings,
    reserved,
    stretch,
)

RATE = 16_000


def row(**changes):
    usual = {"path": "a.wav", "label": "real", "system": "real", "speaker": "Ada", "source": "readers",
             "licence": "CC0", "pair": "", "rate": "16000", "seconds": "2.0"}  # fmt: skip
    return usual | changes


def write(folder, rows, columns=COLUMNS):
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def test_a_system_is_left_out_as_one_and_so_is_a_source_of_real_speech(tmp_path):
    write(tmp_path, [row(), row(path="b.wav", label="neural", system="HiFi-GAN", pair="p1", licence="unclear")])
    real, neural = recordings(tmp_path)
    assert (real.label, real.group, real.utterance, real.learnt) == (0, "readers", "a.wav", True)
    assert (neural.label, neural.group, neural.utterance, neural.learnt) == (1, "HiFi-GAN", "p1", False)


def test_a_model_of_a_voice_and_the_voice_are_one_speaker(tmp_path):
    write(tmp_path, [row(speaker="Thorsten Müller"), row(path="b.wav", speaker="Thorsten (model)")])
    assert {one.speaker for one in recordings(tmp_path)} == {"Thorsten"}


def test_a_manifest_of_something_else_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"manifest\.csv"):
        recordings(tmp_path)
    write(tmp_path, [row()], [name for name in COLUMNS if name != "speaker"])
    with pytest.raises(ConfigurationError, match="speaker"):
        recordings(tmp_path)
    write(tmp_path, [row(label="generated")])
    with pytest.raises(ConfigurationError, match="generated"):
        recordings(tmp_path)


def test_about_a_third_is_reserved_and_always_the_same():
    names = [f"system {i}" for i in range(600)]
    chosen = [reserved(name) for name in names]
    assert 0.27 < np.mean(chosen) < 0.40
    assert chosen == [reserved(name) for name in names]


def test_a_fold_depends_on_the_name_alone():
    names = [f"system {i}" for i in range(100)]
    assert folds(names, 5).tolist() == folds(names[::-1], 5)[::-1].tolist()
    assert np.bincount(folds(names, 5)).min() >= 10


def test_a_stretch_has_no_silence_at_its_ends_and_one_and_a_half_seconds():
    tone = np.sin(np.arange(RATE) / 5)
    silent = np.zeros(RATE // 2)
    cut = stretch(np.concatenate([silent, tone, silent]))
    assert abs(len(cut) - RATE) <= RATE // 50
    assert np.sqrt((cut[:160] ** 2).mean()) > 0.3
    assert len(stretch(np.tile(tone, 4))) == 1.5 * RATE
    assert len(stretch(silent)) == 0
    assert len(stretch(np.zeros(0))) == 0


def test_every_recording_is_read_at_one_rate(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100)
    soundfile.write(tmp_path / "a.wav", tone, 44_100)
    write(tmp_path, [row(rate="44100", seconds="1.0")])
    sound = read_stretch(recordings(tmp_path)[0])
    assert abs(len(sound) - RATE) <= RATE // 50
    assert np.abs(np.fft.rfft(sound[:RATE])).argmax() == pytest.approx(440, abs=8)
