"""The generator of electrocardiograms: what is read of its weights, and the picture of a median beat."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrails.core.errors import TargetError
from guardrails.targets import ecg, load_target

torch = pytest.importorskip("torch")

INSTALLED = pytest.mark.skipif(find_spec("deepfakeecg") is None, reason="deepfake-ecg is not installed: make models")


def weights(**more: Any) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    made = {key: torch.randn(shape, generator=generator) / 20 for key, shape in ecg._shapes().items()}
    return {"stat_dict": made | more}


def save(thing: Any, folder: Path) -> Path:
    torch.save(thing, folder / "g.pt")
    return folder / "g.pt"


def heart(at: list[int], *, height: float = 1000.0) -> np.ndarray:
    """Return an ECG with a spike and a slow wave at each place, of another height in each lead."""
    t = np.arange(ecg.SAMPLES)
    beats = sum(np.exp(-(((t - b) / 8) ** 2)) + 0.3 * np.exp(-(((t - b - 120) / 30) ** 2)) for b in at)
    return height * beats * np.linspace(-0.5, 1, len(ecg.LEADS))[:, None]


def test_it_makes_what_its_weights_say(tmp_path: Path) -> None:
    target = ecg.EcgTarget("ecg", save(weights(), tmp_path))
    two = target.signals(2, seed=3)
    assert two.shape == (2, 8, 5000)
    assert (np.abs(two) <= ecg.SCALE).all()
    assert (two[0] != two[1]).any()
    assert np.abs(target.signals(1, seed=3)[0] - two[0]).max() < 1  # microvolt: batches are rounded differently
    assert (target.signals(1, seed=4)[0] != two[0]).any()
    assert target.signals(0, seed=0).shape == (0, 8, 5000)
    (made,) = target.sample_images(1, seed=3)
    assert made.shape == (64, 64, 3)
    assert made.dtype == np.uint8
    assert len(target.identity()["sha256"]) == 64


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("exploded").touch, ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (weights(**{"conv_3.weight": torch.zeros(3)}), "another network: conv_3.weight"),
        ({"stat_dict": {"conv_1.weight": torch.zeros(3)}}, "KeyError"),
        ([1, 2], "TypeError"),
        (weights(**{"conv_1.bias": "text"}), "another network: conv_1.bias"),
        ({"stat_dict": Bomb()}, "UnpicklingError"),
    ],
)
def test_a_file_of_anything_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TargetError, match=message):
        ecg.EcgTarget("ecg", save(content, tmp_path))
    assert not (tmp_path / "exploded").exists()


def test_a_file_that_is_damaged_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = save(weights(), tmp_path)
    whole.write_bytes(whole.read_bytes()[:1000])
    with pytest.raises(TargetError, match="cannot be read"):
        ecg.EcgTarget("ecg", whole)
    monkeypatch.setattr(ecg, "MAX_FILE", 10)
    with pytest.raises(TargetError, match="more than 10 bytes"):
        ecg.EcgTarget("ecg", whole)


def test_one_heart_has_one_picture_wherever_its_beats_fall() -> None:
    first = ecg.picture(heart([300, 800, 1300, 1800, 2300, 2800, 3300, 3800, 4300]))
    later = ecg.picture(heart([450, 930, 1450, 1930, 2410, 2950, 3430, 3950, 4400]))
    other = ecg.picture(-heart([450, 930, 1450, 1930, 2410, 2950, 3430, 3950, 4400]))
    assert np.abs(first.astype(int) - later).max() <= 2
    assert np.abs(first.astype(int) - other).max() > 50


def test_one_odd_beat_does_not_show() -> None:
    usual = heart([300, 800, 1300, 1800, 2300, 2800, 3300, 3800, 4300])
    odd = usual + heart([2550], height=-2000.0)
    assert np.abs(ecg.picture(usual).astype(int) - ecg.picture(odd)).max() <= 2


@pytest.mark.parametrize("flat", [np.zeros((8, 5000)), heart([20]), heart([4990])])
def test_an_ecg_without_a_whole_beat_still_has_a_picture(flat: np.ndarray) -> None:
    assert ecg.median_beat(flat).shape == (8, 320)
    assert ecg.picture(flat).shape == (64, 64, 3)


@pytest.mark.models
@INSTALLED
def test_the_real_generator_makes_hearts_that_beat() -> None:
    target: Any = load_target("package:deepfake-ecg")
    assert target.identity()["package"].startswith("deepfake-ecg ")
    assert target.identity()["parameters"] == "6617728"
    signals = target.signals(8, seed=0)
    # What the package's own code makes of the same noise, its first and its largest value.
    assert int(signals[0, 0, 0]) == 182
    assert int(signals[0].max()) == 1570
    for signal in signals:
        beat = ecg.median_beat(signal)
        assert 300 < np.abs(beat).max() < 5000
        assert ecg.BEFORE - 25 < np.abs(beat[1:]).max(axis=0).argmax() < ecg.BEFORE + 60
    assert not any(name.startswith("deepfakeecg") for name in sys.modules)
