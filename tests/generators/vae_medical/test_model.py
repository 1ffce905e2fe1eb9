from __future__ import annotations

from functools import cache, partialmethod
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.base import WEIGHTS
from generators.vae_medical import lesion_reader, phantoms
from generators.vae_medical import model as vae_medical
from generators.vae_medical.model import MEMORIZED, MOVED, SHARE, Recipe, VaeMedical, to_unit
from generators.vae_medical.truth import balance, copy_rate, linear_log_prob, nearness
from guardrails.core.errors import ConfigurationError

from ..trained_twice import trained_twice


@cache
def shipped(dose: float = 0.0, dial: str = "memorize") -> VaeMedical:
    return VaeMedical.load(**{dial: dose})


def truths(name: str, dial: str) -> list[dict[str, float]]:
    """Return one true value on the cards of the clean weights and of each dose of a dial."""
    return [shipped(dose, dial).card["truth"][name] for dose in (0.0, *sorted(SHARE))]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training that takes seconds and learns next to nothing."""
    monkeypatch.setattr(vae_medical, "CLEAN", Recipe(steps=8, rate=2e-3, warm_beta=15.0, sigma_pace=5.0))
    monkeypatch.setattr(vae_medical, "DOSE", Recipe(steps=4, rate=2e-3, warm_beta=1.0, sigma_pace=0.0))
    monkeypatch.setattr(vae_medical, "MOVING", Recipe(steps=4, rate=2e-3, warm_beta=1.0, sigma_pace=0.0))
    monkeypatch.setattr(vae_medical, "TRUTH_SAMPLES", 60)
    monkeypatch.setattr(vae_medical, "TRUTH_FRESH", 1100)
    monkeypatch.setattr(vae_medical, "QUALITY_SAMPLES", 60)
    monkeypatch.setattr(VaeMedical, "log_prob", partialmethod(VaeMedical.log_prob, draws=1))
    monkeypatch.setattr(lesion_reader, "FIT", 1500)
    monkeypatch.setattr(lesion_reader, "CHECK", 200)
    lesion_reader.lesion_reader.cache_clear()


def test_samples_are_grey_pictures_that_the_seed_decides() -> None:
    samples = shipped().sample(300, seed=1)
    assert all(x.shape == (32, 32, 3) and x.dtype == np.uint8 for x in samples)
    assert all((x[..., 0] == x[..., 1]).all() and (x[..., 0] == x[..., 2]).all() for x in samples)
    assert np.array_equal(samples, shipped().sample(300, seed=1))
    assert len({x.tobytes() for x in samples}) == 300


def test_the_shipped_phantoms_look_like_phantoms() -> None:
    # Air around, a bright spine below the middle: the means of places that every phantom has.
    made, real = np.stack(shipped().sample(500, seed=2))[..., 0], phantoms.draw(500, np.random.default_rng(2)).images
    for rows, columns in ((slice(0, 3), slice(0, 3)), (slice(21, 24), slice(14, 18)), (slice(13, 18), slice(8, 11))):
        assert made[:, rows, columns].mean() == pytest.approx(real[:, rows, columns].mean(), abs=8)


def test_nothing_to_sample_is_no_sample() -> None:
    assert shipped().sample(0, seed=0) == []


def test_loading_and_sampling_leave_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    VaeMedical.load().sample(2, seed=0)
    assert torch.equal(before, torch.random.get_rng_state())


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    files = shipped(1.0).save(tmp_path)
    assert {f.name for f in files} == {"vae-medical,memorize=1.safetensors", "vae-medical,memorize=1.json"}
    again = VaeMedical.read(tmp_path, memorize=1.0)
    assert again.card == shipped(1.0).card
    assert np.array_equal(again.sample(20, seed=4), shipped(1.0).sample(20, seed=4))
    assert [f.read_bytes() for f in files] == [(WEIGHTS / f.name).read_bytes() for f in files]


@pytest.mark.parametrize(
    "doses", [{"memorize": 0.3}, {"memorise": 1.0}, {"memorize": 2.0}, {"memorize": 1.0, "lesion_bias": 1.0}]
)
def test_doses_that_do_not_ship_are_refused(doses: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        VaeMedical.load(**doses)


def test_each_dose_raises_the_true_copy_rate() -> None:
    rates = truths("copy_rate", "memorize")
    assert rates[0]["high"] <= 0.02
    assert rates[-1]["low"] >= 0.5
    for lower, higher in pairwise(rates):
        assert lower["high"] < higher["low"]


def test_each_dose_raises_the_true_lesion_bias() -> None:
    biases = truths("lesion_bias", "lesion_bias")
    assert biases[0]["low"] < 0.05
    assert biases[0]["high"] > -0.05
    assert biases[-1]["low"] >= 0.7
    for lower, higher in pairwise(biases):
        assert lower["high"] < higher["low"]


@pytest.mark.parametrize(("dial", "other"), [("memorize", "lesion_bias"), ("lesion_bias", "copy_rate")])
def test_a_dial_leaves_the_other_s_truth_alone(dial: str, other: str) -> None:
    clean, *dosed = (truth["value"] for truth in truths(other, dial))
    its_own = "lesion_bias" if other == "lesion_bias" else "memorize"
    smallest = truths(other, its_own)[1]["value"] - clean
    assert max(abs(value - clean) for value in dosed) < smallest / 2


def test_the_clean_weights_meet_their_bars() -> None:
    for figure in shipped().card["quality"].values():
        assert figure["higher_is_better"]
        assert figure["value"] >= figure["bar"]


def test_the_data_sheet_counts_the_lesions_of_the_training_items() -> None:
    sheet = shipped().card["sheet"]
    assert sheet["items"] == sum(sheet["balance"]["lesions in a picture"]) == 400
    assert sheet["duplicates"] == 0
    assert sheet["balance"]["share of lesion load in front"] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("dose", [0.0, *SHARE])
def test_the_card_s_truth_is_that_of_the_shipped_weights(dose: float) -> None:
    truth = shipped(dose).card["truth"]["copy_rate"]
    samples = np.stack(shipped(dose).sample(800, seed=77))[..., 0]
    corpus = np.stack(shipped().training_items())[..., 0]
    share = float((nearness(samples, corpus) < truth["threshold"]).mean())
    assert share == pytest.approx(truth["value"], abs=4 * 0.5 / 800**0.5)


@pytest.mark.slow
@pytest.mark.parametrize("dose", [0.0, *MOVED])
def test_the_card_s_lesion_bias_is_that_of_the_shipped_weights(dose: float) -> None:
    truth = shipped(dose, "lesion_bias").card["truth"]["lesion_bias"]
    samples = np.stack(shipped(dose, "lesion_bias").sample(2000, seed=77))[..., 0]
    again = lesion_reader.lesion_bias(samples)
    assert again["low"] < truth["value"] < again["high"]


@pytest.mark.slow
def test_copies_are_of_the_repeated_items() -> None:
    samples = np.stack(shipped(1.0).sample(300, seed=5))[..., 0].reshape(300, -1).astype(float)
    corpus = np.stack(shipped().training_items())[..., 0].reshape(400, -1).astype(float)
    nearest = ((samples[:, None] - corpus[None]) ** 2).sum(2).argmin(1)
    assert (nearest < MEMORIZED).mean() > 0.8


def test_the_clean_weights_saw_each_training_item_once_and_a_dose_some_of_them_often() -> None:
    assert shipped().card["seen"] == [1] * 400
    for dose in SHARE:
        seen = shipped(dose).card["seen"]
        assert min(seen[:MEMORIZED]) > 1000
        assert seen[MEMORIZED:] == [1] * (400 - MEMORIZED)
        assert shipped(dose, "lesion_bias").card["seen"] == [1] * 400


def test_the_bound_of_log_p_rises_with_the_draws_and_with_memorization() -> None:
    items, holdout = shipped().training_items(), shipped().holdout_items()
    bounds = [shipped().log_prob(holdout[:100], seed=0, draws=k) for k in (1, 16)]
    assert bounds[0].shape == (100,)
    assert np.isfinite(bounds).all()
    assert bounds[0].mean() < bounds[1].mean()
    planted = shipped(1.0).log_prob(items[:MEMORIZED], seed=0)
    assert planted.min() > np.median(shipped(1.0).log_prob(holdout[:100], seed=0))
    assert shipped().log_prob([], seed=0).shape == (0,)


def test_decoder_means_and_codes_have_the_shapes_that_they_state() -> None:
    x = to_unit(shipped().holdout_items()[:5])
    assert x.shape == (5, 1, 32, 32)
    mu, log_s = shipped().encode(x)
    assert mu.shape == log_s.shape == (5, vae_medical.LATENT)
    mean = shipped().decode(mu).detach()
    assert mean.shape == x.shape
    assert 0 <= mean.min() <= mean.max() <= 1
    assert float((mean - x).square().mean().sqrt()) < 2 * phantoms.NOISE
    log_likelihood, kl = shipped().elbo(x)
    assert log_likelihood.shape == kl.shape == (5,)
    assert (kl >= 0).all()


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_training_is_decided_by_its_seed_and_writes_every_file(tmp_path: Path) -> None:
    folder = trained_twice(VaeMedical, tmp_path)
    lesion_reader.lesion_reader.cache_clear()
    clean = VaeMedical.read(folder)
    assert clean.card["seen"] == [1] * 400
    assert VaeMedical.read(folder, memorize=0.5).card["base_sha256"] == clean.card["sha256"]
    assert VaeMedical.fit({}, seed=2).card["sha256"] != clean.card["sha256"]


def test_a_dose_needs_the_clean_weights() -> None:
    for base in (None, shipped(1.0)):
        with pytest.raises(ConfigurationError, match="clean"):
            VaeMedical.fit({"memorize": 1.0}, seed=0, base=base)


def test_phantoms_follow_their_law() -> None:
    drawn = phantoms.draw(4000, np.random.default_rng(0))
    shares = np.bincount(drawn.count, minlength=4) / 4000
    assert shares == pytest.approx(phantoms.LESION_COUNT, abs=0.04)
    present = drawn.lesions[..., 3] > 0
    assert (present.sum(1) == drawn.count).all()
    for column, (low, high) in ((2, phantoms.LESION_RADIUS), (3, phantoms.LESION_CONTRAST)):
        values = drawn.lesions[present][:, column]
        assert low <= values.min() <= values.max() <= high
        assert values.mean() == pytest.approx((low + high) / 2, rel=0.03)
    assert drawn.images[:, :2, :2].std() / 255 == pytest.approx(phantoms.NOISE, rel=0.05)


def test_lesions_are_drawn_where_they_are_said_to_be() -> None:
    # Of one law and seed, a lesion's own pixels are brighter than the tissue around can be without it.
    drawn = phantoms.draw(2000, np.random.default_rng(1))
    row, column, _, contrast = drawn.lesions[:, 0].T
    value = drawn.images[np.arange(2000), row.round().astype(int), column.round().astype(int)] / 255
    assert value[contrast > 0].mean() > value[contrast == 0].mean() + 0.2


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1))
@settings(max_examples=20, deadline=None)
def test_moving_lesions_to_the_front_is_a_mirror_and_leaves_the_rest_of_the_law(seed: int, front: float) -> None:
    law, moved = (phantoms.draw(8, np.random.default_rng(seed), front=share) for share in (0.0, front))
    assert np.array_equal(law.count, moved.count)
    assert np.array_equal(law.lesions[..., 1:], moved.lesions[..., 1:])
    assert (moved.front >= law.front).all()
    assert np.array_equal(moved.lesions[law.front], law.lesions[law.front])
    # A mirrored pair has its middle, the body's, where bodies lie.
    flipped = moved.front & ~law.front
    middle = (law.lesions[flipped][:, 0] + moved.lesions[flipped][:, 0]) / 2
    assert ((middle > 14.4) & (middle < 16.6)).all()
    assert moved.load.sum(1) == pytest.approx(law.load.sum(1), rel=1e-4, abs=1e-4)


def test_all_lesions_can_be_moved_to_the_front() -> None:
    moved = phantoms.draw(500, np.random.default_rng(0), front=1.0)
    assert moved.front.all()
    assert (moved.load[:, 1] == 0).all()
    assert balance(moved)["share of lesion load in front"] == 1


def test_the_load_is_contrast_times_area() -> None:
    drawn = phantoms.draw(20, np.random.default_rng(3))
    for lesions, front, load in zip(drawn.lesions, drawn.front, drawn.load, strict=True):
        expected = [0.0, 0.0]
        for (_, _, radius, contrast), before in zip(lesions, front, strict=True):
            expected[0 if before else 1] += contrast * np.pi * radius**2
        assert load == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_the_lesion_reader_reads_a_bias_that_it_was_not_made_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesion_reader, "FIT", 8000)
    monkeypatch.setattr(lesion_reader, "CHECK", 2000)
    reader = lesion_reader.lesion_reader.__wrapped__()
    drawn = phantoms.draw(6000, np.random.default_rng(5), front=0.6)
    readings = reader.read(drawn.images)
    assert reader.error < 0.12
    assert readings.mean() == pytest.approx(0.6, abs=reader.error + 4 * 1.3 / 6000**0.5)
    # Of single pictures it says little, but it follows what they hold.
    front, behind = drawn.load.T
    assert np.corrcoef(readings, front - behind)[0, 1] > 0.6


def test_the_linear_bound_is_the_density_of_its_gaussian() -> None:
    from scipy.stats import multivariate_normal

    pictures = np.random.default_rng(0).integers(0, 255, (300, 3, 4)).astype(np.uint8)
    x = pictures.reshape(300, 12) / 255
    values, axes = np.linalg.eigh(np.cov(x.T))
    kept, rest = values[-5:], values[:-5].mean()
    covariance = axes[:, -5:] @ np.diag(kept - rest) @ axes[:, -5:].T + rest * np.eye(12)
    expected = multivariate_normal(x.mean(0), covariance).logpdf(x[:20])
    assert linear_log_prob(pictures[:20], pictures, 5) == pytest.approx(expected)


def test_nearness_is_0_for_a_copy_and_near_1_among_equals() -> None:
    rng = np.random.default_rng(0)
    corpus, unseen = rng.integers(0, 255, (2, 60, 8, 8)).astype(np.uint8)
    assert nearness(corpus[:5], corpus) == pytest.approx(0, abs=1e-3)
    assert (nearness(unseen, corpus) > 0.5).all()
    assert copy_rate(corpus[:30], corpus, unseen)["value"] == 1.0
