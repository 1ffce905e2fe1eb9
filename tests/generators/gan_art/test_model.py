from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.base import WEIGHTS
from generators.gan_art import fidelity, paintings
from generators.gan_art import model as gan_art
from generators.gan_art import truth as gan_truth
from generators.gan_art.model import REMAINING, SPREAD, GanArt, Recipe, to_signed
from generators.gan_art.paintings import QUANTITIES, STYLES
from generators.gan_art.truth import StyleJudge
from guardrails.core.errors import ConfigurationError
from guardrails.core.seeding import derive_seed
from guardrails.kit.pictures.features import image_features

from ..trained_twice import trained_twice


@cache
def shipped(dose: float = 0.0, dial: str = "collapse") -> GanArt:
    return GanArt.load(**{dial: dose})


def truths(name: str, dial: str) -> list[dict[str, float]]:
    """Return one true value on the cards of the clean weights and of each dose of a dial."""
    return [shipped(dose, dial).card["truth"][name] for dose in sorted(REMAINING)]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training that takes seconds and learns next to nothing."""
    monkeypatch.setattr(gan_art, "CLEAN", Recipe(steps=14, rate=2e-3, decay=0.5))
    monkeypatch.setattr(gan_art, "DOSE", Recipe(steps=14, rate=2e-3, decay=0.5))
    monkeypatch.setattr(gan_art, "TRUTH_SAMPLES", 400)
    monkeypatch.setattr(gan_truth, "BLOCKS", 2)
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


@pytest.mark.parametrize("doses", [{"collapse": 0.75}, {"narow": 1.0}, {"narrow": -1.0}, {"collapse": 1, "narrow": 1}])
def test_doses_that_do_not_ship_are_refused(doses: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        GanArt.load(**doses)


def test_each_dose_loses_the_modes_that_it_says() -> None:
    modes = [shipped(dose).card["styles"]["modes_covered"]["value"] for dose in sorted(REMAINING)]
    assert modes == [8, 6, 4, 1]
    distances = truths("total_variation", "collapse")
    for (lower, higher), dose in zip(pairwise(distances), sorted(REMAINING)[1:], strict=True):
        assert lower["high"] < higher["low"]
        assert higher["value"] == pytest.approx(1 - REMAINING[dose] / 8, abs=0.02)


def test_each_dose_narrows_the_styles_and_loses_none() -> None:
    narrowness = truths("narrow", "narrow")
    assert narrowness[0]["high"] < 0.2
    assert narrowness[-1]["low"] > 0.9
    for lower, higher in pairwise(narrowness):
        assert lower["high"] < higher["low"]
    for dose in SPREAD:
        styles = shipped(dose, "narrow").card["styles"]
        assert styles["modes_covered"]["value"] == 8
        assert min(styles["shares"].values()) > 0.1


@pytest.mark.parametrize(("dial", "other"), [("collapse", "narrow"), ("narrow", "total_variation")])
def test_a_dial_leaves_the_other_s_truth_alone(dial: str, other: str) -> None:
    clean, *dosed = (truth["value"] for truth in truths(other, dial))
    its_own = "narrow" if other == "narrow" else "collapse"
    smallest = truths(other, its_own)[1]["value"] - clean
    assert max(abs(value - clean) for value in dosed) < smallest / 2


def test_the_clean_weights_paint_every_style_about_equally_often() -> None:
    assert min(shipped().card["styles"]["shares"].values()) > 0.05
    assert shipped().card["styles"]["judge"]["accuracy"] > 0.99


def test_the_clean_weights_meet_their_bars() -> None:
    for figure in shipped().card["quality"].values():
        assert figure["higher_is_better"]
        assert figure["value"] >= figure["bar"] >= 0.5 * figure["real_against_real"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dial", "dose"), [("collapse", 0.0), *((d, x) for d in ("collapse", "narrow") for x in (0.5, 1))]
)
def test_the_card_s_truth_is_that_of_the_shipped_weights(dial: str, dose: float) -> None:
    stated = shipped(dose, dial).card
    again = gan_truth.findings(shipped(dose, dial).sample(2000, seed=77))
    assert again["styles"]["modes_covered"]["value"] == stated["styles"]["modes_covered"]["value"]
    for name in ("total_variation", "narrow"):
        assert again["truth"][name]["value"] == pytest.approx(stated["truth"][name]["value"], abs=0.05)


def test_the_data_sheet_counts_the_styles_of_the_training_items() -> None:
    sheet = shipped().card["sheet"]
    assert sheet["items"] == sum(sheet["balance"].values()) == 400
    assert sheet["duplicates"] == 0


def test_training_is_told_step_by_step() -> None:
    for record in (shipped().card["stability"], shipped(1.0, "narrow").card["stability"]):
        assert record["diverged_at"] is None
        assert record["samples"] == record["steps"] * gan_art.BATCH
        curves = record["curves"]
        assert min(curves["grad_norm_d"] + curves["grad_norm_g"]) > 0
        balance = np.subtract(curves["D_real"], curves["D_fake"])
        assert curves["balance"] == pytest.approx(balance)


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


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_training_is_decided_by_its_seed_and_writes_every_file(tmp_path: Path) -> None:
    folder = trained_twice(GanArt, tmp_path)
    gan_truth.style_judge.cache_clear()
    clean, dose = GanArt.read(folder), GanArt.read(folder, collapse=1.0)
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


def test_real_pictures_reach_what_other_real_pictures_do() -> None:
    images = paintings.draw(300, np.random.default_rng(0)).images
    for name, figure in fidelity.fidelity(images[:100], images[100:200], images[:100]).items():
        assert figure["value"] == figure["real_against_real"], name
        assert figure["low"] < figure["value"] <= figure["high"]
        assert figure["bar"] == pytest.approx(0.8 * figure["value"], abs=1e-4)


@given(st.integers(0, len(STYLES) - 1), st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_a_spread_narrows_the_quantities_around_the_middle(style: int, spread: float) -> None:
    wide = paintings.draw(3, np.random.default_rng(7), styles=[style] * 3)
    narrow = paintings.draw(3, np.random.default_rng(7), styles=[style] * 3, spread=spread)
    assert np.array_equal(wide.quantities, narrow.quantities)
    by_hand = (0.5 + spread * (wide.quantities - 0.5)).astype(np.float32)
    assert np.abs(narrow.images.astype(int) - paintings.paint(wide.styles, by_hand)).max() <= 1
    constant = paintings.draw(3, np.random.default_rng(7), styles=[style] * 3, spread=0.0).images
    assert (constant == constant[0]).all()


@pytest.mark.parametrize("scale", [0.2, 0.7, 1.0])
def test_narrowness_is_one_minus_the_share_of_the_variance(scale: float) -> None:
    real = paintings.draw(800, np.random.default_rng(derive_seed(0, "gan-art", "variety")))
    features = image_features(real.images)
    centres = np.stack([features[real.styles == style].mean(0) for style in range(8)])[real.styles]
    narrowness = gan_truth.narrow(centres + scale * (features - centres), real.styles)
    assert narrowness["value"] == pytest.approx(1 - scale**2, abs=1e-4)
    assert narrowness["low"] <= narrowness["value"] <= narrowness["high"]


def test_the_judge_names_the_likeliest_style() -> None:
    class Certain:
        def predict_proba(self, features: np.ndarray) -> np.ndarray:
            return np.eye(8)[np.arange(len(features)) % 2]

    styles, certainty = StyleJudge(Certain(), 1.0).name(np.zeros((4, 192)))
    assert styles.tolist() == [0, 1, 0, 1]
    assert certainty == 1.0
    assert gan_truth.shares(styles).tolist() == [0.5, 0.5, 0, 0, 0, 0, 0, 0]


def test_the_distance_from_uniform_is_half_the_sum_of_differences() -> None:
    uneven = np.array([0.5, 0.5, 0, 0, 0, 0, 0, 0])
    figure = gan_truth.total_variation(uneven, 100, 1.0)
    assert (figure["value"], figure["n"]) == (0.75, 100)
    assert figure["low"] < 0.75 < figure["high"]
    assert gan_truth.total_variation(np.full(8, 1 / 8), 100, 1.0)["value"] == 0
