from __future__ import annotations

import shutil
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generators import gan_art, gan_truth, paintings
from generators.base import WEIGHTS
from generators.gan_art import REMAINING, GanArt, Recipe, to_signed, train_all
from generators.gan_truth import StyleJudge, prdc
from generators.paintings import QUANTITIES, STYLES
from guardrails.core.errors import ConfigurationError


@cache
def shipped(dose: float = 0.0) -> GanArt:
    return GanArt.load(collapse=dose)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training that takes seconds and learns next to nothing."""
    monkeypatch.setattr(gan_art, "CLEAN", Recipe(steps=14, rate=2e-3, decay=0.5))
    monkeypatch.setattr(gan_art, "DOSE", Recipe(steps=14, rate=2e-3, decay=0.5))
    monkeypatch.setattr(gan_art, "TRUTH_SAMPLES", 60)
    monkeypatch.setattr(gan_art, "QUALITY_SAMPLES", 60)
    monkeypatch.setattr(gan_truth, "JUDGE_ITEMS", 200)
    gan_truth.style_judge.cache_clear()


def test_samples_are_pictures_that_the_seed_decides() -> None:
    samples = shipped().sample(300, seed=1)
    assert all(x.shape == (32, 32, 3) and x.dtype == np.uint8 for x in samples)
    assert np.array_equal(samples, shipped().sample(300, seed=1))
    assert len({x.tobytes() for x in samples}) == 300
    assert shipped().sample(0, seed=0) == []


def test_loading_and_sampling_leave_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    GanArt.load().sample(2, seed=0)
    assert torch.equal(before, torch.random.get_rng_state())


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    files = shipped(0.5).save(tmp_path)
    assert {f.name for f in files} == {"gan-art,collapse=0.5.safetensors", "gan-art,collapse=0.5.json"}
    again = GanArt.read(tmp_path, collapse=0.5)
    assert again.card == shipped(0.5).card
    assert np.array_equal(again.sample(20, seed=4), shipped(0.5).sample(20, seed=4))
    assert [f.read_bytes() for f in files] == [(WEIGHTS / f.name).read_bytes() for f in files]


@pytest.mark.parametrize("doses", [{"collapse": 0.75}, {"colapse": 1.0}, {"collapse": -1.0}])
def test_doses_that_do_not_ship_are_refused(doses: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        GanArt.load(**doses)


def test_weights_that_are_not_those_of_the_card_are_refused(tmp_path: Path) -> None:
    for suffix in ("json", "safetensors"):
        shutil.copy(WEIGHTS / f"gan-art.{suffix}", tmp_path)
    weights = tmp_path / "gan-art.safetensors"
    altered = bytearray(weights.read_bytes())
    altered[-1] ^= 1
    weights.write_bytes(altered)
    with pytest.raises(ConfigurationError, match="hash"):
        GanArt.read(tmp_path)
    weights.unlink()
    with pytest.raises(ConfigurationError, match="guardrails train generator gan-art"):
        GanArt.read(tmp_path)


def test_each_dose_loses_the_modes_that_it_says() -> None:
    truths = [shipped(dose).card["truth"] for dose in sorted(REMAINING)]
    assert [truth["modes_covered"]["value"] for truth in truths] == [8, 6, 4, 1]
    distances = [truth["total_variation"] for truth in truths]
    for (lower, higher), dose in zip(pairwise(distances), sorted(REMAINING)[1:], strict=True):
        assert lower["high"] < higher["low"]
        assert higher["value"] == pytest.approx(1 - REMAINING[dose] / 8, abs=0.02)


def test_the_clean_weights_paint_every_style_about_equally_often() -> None:
    assert min(shipped().card["truth"]["shares"].values()) > 0.05
    assert shipped().card["truth"]["judge"]["accuracy"] > 0.99


def test_the_clean_paintings_cover_the_real_ones() -> None:
    quality = shipped().card["quality"]
    assert quality["samples"]["coverage"] >= 0.5 * quality["real against real"]["coverage"]


@pytest.mark.slow
def test_the_card_s_truth_is_that_of_the_shipped_weights() -> None:
    for dose in REMAINING:
        truth = shipped(dose).card["truth"]
        again = gan_truth.modes(shipped(dose).sample(2000, seed=77))
        assert again["modes_covered"]["value"] == truth["modes_covered"]["value"]
        assert again["total_variation"]["value"] == pytest.approx(truth["total_variation"]["value"], abs=0.05)


def test_the_discriminator_tells_paintings_from_samples() -> None:
    real, made = shipped().scores(shipped().holdout_items()), shipped().scores(shipped().sample(400, seed=0))
    assert real.shape == made.shape == (400,)
    assert np.median(made) < np.median(real)
    assert shipped().scores([]).shape == (0,)


def test_pictures_and_logits_have_the_shapes_that_they_state() -> None:
    z, c = torch.rand(5, QUANTITIES), torch.arange(5)
    x = shipped().generate(z, c)
    assert x.shape == (5, 3, 32, 32)
    assert x.abs().max() <= 1
    assert shipped().logit(x, c).shape == (5,)
    assert to_signed(shipped().sample(2, seed=0)).shape == (2, 3, 32, 32)


@pytest.mark.usefixtures("hasty")
def test_training_is_decided_by_its_seed_and_writes_every_file(tmp_path: Path) -> None:
    names = {f.name for f in train_all(tmp_path / "a", seed=1)}
    train_all(tmp_path / "b", seed=1)
    gan_truth.style_judge.cache_clear()
    assert names == {f.name for f in WEIGHTS.glob("gan-art*")}
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    clean, dose = GanArt.read(tmp_path / "a"), GanArt.read(tmp_path / "a", collapse=1.0)
    assert clean.card["seen"] == dose.card["seen"] == [1] * 400
    assert dose.card["base_sha256"] == clean.card["sha256"]
    assert dose.card["sha256"] != clean.card["sha256"]


def test_a_dose_needs_the_clean_weights() -> None:
    for base in (None, shipped(1.0)):
        with pytest.raises(ConfigurationError, match="clean"):
            GanArt.fit({"collapse": 1.0}, seed=0, base=base)


@pytest.mark.parametrize("style", range(len(STYLES)))
def test_each_style_varies_and_stays_in_range(style: int) -> None:
    images, styles, quantities = paintings.draw(50, np.random.default_rng(0), styles=[style] * 50)
    assert images.shape == (50, 32, 32, 3)
    assert (styles == style).all()
    assert len({x.tobytes() for x in images}) == 50
    assert np.array_equal(images, paintings.paint(styles, quantities))


@given(st.integers(0, len(STYLES) - 1), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_a_painting_is_a_function_of_its_style_and_quantities(style: int, seed: int) -> None:
    quantities = np.random.default_rng(seed).random((2, QUANTITIES), np.float32)
    both = paintings.paint(np.array([style, (style + 1) % len(STYLES)]), quantities)
    alone = paintings.paint(np.array([style]), quantities[:1])
    assert np.array_equal(both[0], alone[0])


def test_styles_are_equally_likely() -> None:
    styles = paintings.draw(4000, np.random.default_rng(0)).styles
    assert np.bincount(styles, minlength=8) / 4000 == pytest.approx(1 / 8, abs=0.025)


def test_prdc_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(0)
    real, made, k = rng.normal(size=(30, 3)), rng.normal(0.5, 1, size=(25, 3)), 5

    def d(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.linalg.norm(a - b))

    def radius(points: np.ndarray, i: int) -> float:
        return sorted(d(points[i], p) for p in points)[k]

    inside = [[d(r, m) < radius(real, i) for m in made] for i, r in enumerate(real)]
    expected = {
        "precision": np.mean([any(row[j] for row in inside) for j in range(25)]),
        "recall": np.mean([any(d(r, m) < radius(made, j) for j, m in enumerate(made)) for r in real]),
        "density": np.sum(inside) / (k * 25),
        "coverage": np.mean([any(row) for row in inside]),
    }
    assert prdc(real, made) == pytest.approx(expected, abs=1e-4)


def test_the_judge_counts_shares() -> None:
    class Certain:
        def predict_proba(self, features: np.ndarray) -> np.ndarray:
            return np.eye(8)[np.arange(len(features)) % 2]

    shares, certainty = StyleJudge(Certain(), 1.0).shares(shipped().sample(4, seed=0))
    assert shares.tolist() == [0.5, 0.5, 0, 0, 0, 0, 0, 0]
    assert certainty == 1.0
