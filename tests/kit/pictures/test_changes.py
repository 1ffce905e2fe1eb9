"""Changes to pictures, and how strong they were."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from scipy.ndimage import gaussian_filter
from skimage import data

from guardrails.core.errors import ConfigurationError
from guardrails.kit.pictures.changes import RANGES, STANDARD, Perturbation, jpeg_quality


@pytest.mark.parametrize("name", [*STANDARD, "jpeg=100", "jpeg=10", "blur=5", "noise=0.25", "crop=0.5", "resize=0.25"])
@pytest.mark.parametrize("picture", ["astronaut", "coffee", "chelsea"])
def test_the_strength_that_was_asked_for_is_the_one_that_is_measured(name, picture):
    change = Perturbation.parse(name)
    changed, measured = change.apply(getattr(data, picture)()[:256, 40:360])
    assert changed.dtype == np.uint8
    if change.kind != "none":
        assert measured == pytest.approx(change.strength, rel=0.25 if change.kind == "blur" else 0.1)


def test_a_script_that_saves_at_another_quality_is_found(monkeypatch):
    save = Pillow.Image.save
    monkeypatch.setattr(Pillow.Image, "save", lambda self, fp, kind, **_: save(self, fp, kind, quality=75))
    with pytest.raises(RuntimeError, match="jpeg=50 came out as 75"):
        Perturbation.parse("jpeg=50").apply(data.astronaut()[:64, :64])


def test_blur_is_a_gaussian():
    dot = np.zeros((65, 65, 3), np.uint8)
    dot[32, 32] = 255
    changed, _ = Perturbation("blur", 1.0).apply(dot)
    ideal = gaussian_filter(dot[..., 0].astype(float), 1)
    assert np.abs(changed[..., 0] - ideal).max() <= 0.5


@given(st.integers(5, 100))
def test_quality_is_read_from_the_table(quality):
    buffer = io.BytesIO()
    Pillow.new("RGB", (8, 8)).save(buffer, "JPEG", quality=quality)
    assert jpeg_quality(Pillow.open(buffer).quantization[0]) == pytest.approx(quality, abs=0.5)


def test_noise_is_drawn_from_its_seed():
    grey, change = np.full((64, 64, 3), 128, np.uint8), Perturbation("noise", 0.05)
    one, two, other = (change.apply(grey, seed=seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", ["blur=2", "noise=0.05", "jpeg=50", "crop=0.7", "resize=0.5"])
@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 200, 3), (64, 64, 3)])
def test_flat_and_tiny_pictures_pass_through(name, shape):
    changed, measured = Perturbation.parse(name).apply(np.zeros(shape, np.uint8))
    assert min(changed.shape) >= 1
    assert math.isnan(measured) or measured > 0


@pytest.mark.parametrize("name", ["jpge=70", "jpeg", "jpeg=0", "jpeg=x", "blur=nan", "crop=1.5", "resize=-1", ""])
def test_a_name_that_is_none_is_a_mistake(name):
    with pytest.raises(ConfigurationError, match=r"perturbation|takes a strength"):
        Perturbation.parse(name)


@given(st.sampled_from(sorted(RANGES)), st.floats(0, 1))
def test_a_name_reads_as_what_it_was_written_from(kind, place):
    low, high = RANGES[kind]
    change = Perturbation(kind, float(f"{low + place * (high - low):g}"))
    assert Perturbation.parse(change.name) == change
