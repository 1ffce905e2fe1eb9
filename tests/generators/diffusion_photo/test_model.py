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
from generators.diffusion_photo import learning, unet, wiener
from generators.diffusion_photo import model as diffusion_photo
from generators.diffusion_photo import truth as diffusion_truth
from generators.diffusion_photo.learning import MEMORIZED, PLANTED, Recipe
from generators.diffusion_photo.model import DiffusionPhoto, T
from generators.diffusion_photo.photographs import to_signed
from generators.vae_medical.truth import nearness
from guardrails.core.errors import ConfigurationError
from guardrails.core.seeding import derive_seed
from guardrails.core.statistics import auc

from ..trained_twice import trained_twice

DOSES = (0.0, *PLANTED)


seeds = st.integers(0, 2**32 - 1)


@cache
def shipped(dose: float = 0.0) -> DiffusionPhoto:
    return DiffusionPhoto.load(memorize=dose)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training that takes seconds and learns next to nothing."""
    monkeypatch.setattr(diffusion_photo, "CLEAN", Recipe(steps=30, rate=1e-3, decay=0.5))
    monkeypatch.setattr(diffusion_photo, "DOSE", Recipe(steps=4, rate=1e-3, decay=0.5))
    monkeypatch.setattr(diffusion_photo, "STEPS", 2)
    monkeypatch.setattr(diffusion_photo, "TRUTH_SAMPLES", 40)
    monkeypatch.setattr(diffusion_photo, "TRUTH_FRESH", 200)
    monkeypatch.setattr(learning, "FILTER_ITEMS", 100)
    monkeypatch.setattr(diffusion_truth, "BLOCK", 20)


def test_alpha_bar_falls_from_1_to_0_as_a_squared_cosine() -> None:
    alpha_bar = DiffusionPhoto().alpha_bar
    assert alpha_bar.shape == (T,)
    assert (alpha_bar.diff() < 0).all()
    assert alpha_bar[0] > 0.999
    assert alpha_bar[-1] < 1e-5
    assert alpha_bar[T // 2 - 1].item() == pytest.approx(0.49, abs=0.02)


@settings(max_examples=10, deadline=None)
@given(seed=seeds, t=st.integers(0, T - 1))
def test_the_picture_and_the_noise_that_are_told_make_the_noisy_picture(seed: int, t: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    x_t = torch.randn(2, 3, 32, 32, generator=draw)
    steps = torch.full((2,), t)
    with torch.no_grad():
        x_0, epsilon = shipped().predict(x_t, steps)
    assert torch.allclose(shipped().noised(x_0, steps, epsilon), x_t, atol=1e-4)


def test_the_loss_is_that_of_the_equation() -> None:
    model, images = shipped(), shipped().holdout_items()[:3]
    losses = model.loss_at(images, 300, seed=4)
    noise = torch.Generator().manual_seed(derive_seed(4, model.name, "loss"))
    epsilon = torch.randn(3, 3, 32, 32, generator=noise).double()
    alpha_bar = float(model.alpha_bar[300])
    x_0 = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).double() / 127.5 - 1
    x_t = (alpha_bar**0.5 * x_0 + (1 - alpha_bar) ** 0.5 * epsilon).float()
    with torch.no_grad():
        told, _ = model.predict(x_t, torch.full((3,), 300))
    # ε_θ by the other formula: what is left of x_t when the picture that was told is taken away
    left = (x_t.double() - alpha_bar**0.5 * told.double()) / (1 - alpha_bar) ** 0.5
    assert losses == pytest.approx((epsilon - left).square().mean((1, 2, 3)).numpy(), rel=1e-3)
    assert model.loss_at([], 300, seed=4).shape == (0,)


@pytest.mark.parametrize("t", [-1, T])
def test_steps_that_there_are_not_are_refused(t: int) -> None:
    with pytest.raises(ConfigurationError, match="0 to 999"):
        shipped().loss_at([], t, seed=0)
    with pytest.raises(ConfigurationError, match="2 to 1000"):
        shipped().ddim_decode(torch.zeros(1, 3, 32, 32), steps=1)


def test_ddim_ends_at_the_picture_where_the_law_is_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    model, image = DiffusionPhoto(), shipped().holdout_items()[0]
    c = to_signed([image])

    def best(self: DiffusionPhoto, x_t: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        alpha_bar = self.alpha_bar[t].view(-1, 1, 1, 1)
        return c.expand_as(x_t), (x_t - alpha_bar.sqrt() * c) / (1 - alpha_bar).sqrt()

    monkeypatch.setattr(DiffusionPhoto, "predict", best)
    assert (np.stack(model.sample(4, seed=0)) == image).all()


def test_the_solver_follows_the_flow_of_a_gaussian_law_more_closely_than_ddim() -> None:
    # White pictures of variance λ: along the flow x keeps its place in units of √(ᾱ λ + 1 − ᾱ).
    model, spread = DiffusionPhoto(), 0.3
    torch.nn.init.constant_(model.spread, spread)
    for tensor in model.net["out"].parameters():
        torch.nn.init.zeros_(tensor)
    x_T = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    path = model._steps(diffusion_photo.STEPS)[::-1]
    first, last = (model.alpha_bar[t] * spread**2 + 1 - model.alpha_bar[t] for t in (path[0], path[-1]))
    there = x_T * (last / first).sqrt()
    known = model.alpha_bar[path[-1]].sqrt() * spread**2 / last * there  # x̂₀ at the last step
    wrong = {
        "2M": (model._solve(x_T) - known).abs().mean() / known.abs().mean(),
        "DDIM": (model._ddim(x_T, [*path, -1]) - known).abs().mean() / known.abs().mean(),
    }
    assert wrong["2M"] < 0.01
    assert wrong["2M"] < wrong["DDIM"] / 4


def test_a_network_that_adds_nothing_leaves_the_wiener_filter() -> None:
    model = DiffusionPhoto()
    for tensor in model.net["out"].parameters():
        torch.nn.init.zeros_(tensor)
    x_t, t = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)), torch.tensor([100, 800])
    with torch.no_grad():
        x_0, _ = model.predict(x_t, t)
    linear = wiener.restore(x_t, model.alpha_bar[t].view(-1, 1, 1, 1), model.mean, model.spread)
    assert torch.allclose(x_0, linear, atol=1e-4)


@pytest.mark.parametrize("count", [2, 40, 1000])
def test_the_steps_of_the_walk_are_even_in_the_signal_to_noise_ratio(count: int) -> None:
    steps = shipped()._steps(count)
    assert 2 <= len(steps) <= count
    assert all(low < high for low, high in pairwise(steps))
    assert steps == shipped()._steps(count)
    alpha_bar = shipped().alpha_bar.double()[steps]
    ratio = (alpha_bar / (1 - alpha_bar)).log()
    assert (ratio[0].item(), ratio[-1].item()) == pytest.approx(diffusion_photo.ENDS, abs=0.1)
    if count == 40:
        assert ratio.diff().numpy() == pytest.approx(-15.5 / 39, abs=0.15)


@pytest.mark.slow
def test_pictures_come_back_from_their_noise() -> None:
    images = shipped().holdout_items()[:4]
    x_T = shipped().ddim_invert(images, steps=100)
    assert x_T.shape == (4, 3, 32, 32)
    assert abs(float(x_T.mean())) < 0.05
    assert 0.4 < float(x_T.std()) < 1  # less than that of noise: smooth pictures keep their smoothness on the way
    back = np.stack(shipped().ddim_decode(x_T)).astype(float)
    assert np.abs(back - np.stack(images)).mean() < 8
    assert shipped().ddim_decode(torch.empty(0, 3, 32, 32)) == []


def test_the_network_knows_the_step_and_the_place() -> None:
    net = shipped().net
    x = torch.zeros(2, 6, 32, 32)
    with torch.no_grad():
        early, late = unet.forward(net, x, torch.tensor([10, 900]))
    assert early.shape == (3, 32, 32)
    assert (early - late).abs().max() > 1e-3
    assert torch.equal(unet.embedding(torch.tensor([0]))[0], torch.cat([torch.zeros(32), torch.ones(32)]))


def test_each_dose_raises_the_true_share_of_copies() -> None:
    truths = [shipped(dose).card["truth"]["memorize"] for dose in DOSES]
    assert truths[0]["high"] < 0.03
    for lower, higher in pairwise(truths):
        assert lower["high"] < higher["low"]


def test_the_clean_weights_meet_every_bar() -> None:
    for name, figure in shipped().card["quality"].items():
        sign = 1 if figure["higher_is_better"] else -1
        assert sign * figure["value"] >= sign * figure["bar"], name


def test_the_clean_weights_saw_each_training_item_once_and_a_dose_some_of_them_often() -> None:
    assert shipped().card["seen"] == [1] * 400
    for dose in PLANTED:
        seen = shipped(dose).card["seen"]
        assert min(seen[:MEMORIZED]) > 300
        assert seen[MEMORIZED:] == [1] * (400 - MEMORIZED)


def test_the_loss_tells_what_was_memorized_and_nothing_where_nothing_was() -> None:
    items, holdout = shipped().training_items(), shipped().holdout_items()[:60]
    full = shipped(1.0)
    assert auc(-full.loss_at(items[:MEMORIZED], 400, seed=0), -full.loss_at(holdout, 400, seed=0)) > 0.95
    clean = auc(-shipped().loss_at(items[:60], 400, seed=0), -shipped().loss_at(holdout, 400, seed=0))
    assert abs(clean - 0.5) < 0.2  # four standard errors of 60 against 60


@pytest.mark.slow
def test_copies_are_of_the_repeated_items() -> None:
    samples = np.stack(shipped(1.0).sample(20, seed=5)).reshape(20, -1).astype(float)
    corpus = np.stack(shipped().training_items()).reshape(400, -1).astype(float)
    nearest = np.square(samples[:, None] - corpus[None]).sum(2).argmin(1)
    assert (nearest < MEMORIZED).mean() >= 0.7


@pytest.mark.slow
@pytest.mark.parametrize("dose", DOSES)
def test_the_card_s_truth_is_that_of_the_shipped_weights(dose: float) -> None:
    truth = shipped(dose).card["truth"]["memorize"]
    samples = np.stack(shipped(dose).sample(300, seed=77))
    corpus = np.stack(shipped().training_items())
    share = float((nearness(samples, corpus) < truth["threshold"]).mean())
    assert share == pytest.approx(truth["value"], abs=4 * 0.5 / 300**0.5)


def test_samples_are_pictures_that_the_seed_decides() -> None:
    samples = shipped().sample(4, seed=1)
    assert all(x.shape == (32, 32, 3) and x.dtype == np.uint8 for x in samples)
    assert np.array_equal(samples, shipped().sample(4, seed=1))
    assert len({x.tobytes() for x in samples}) == 4
    assert shipped().sample(0, seed=0) == []


def test_loading_and_sampling_leave_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    DiffusionPhoto.load().sample(2, seed=0)
    assert torch.equal(before, torch.random.get_rng_state())


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    files = shipped(1.0).save(tmp_path)
    assert {f.name for f in files} == {"diffusion-photo,memorize=1.safetensors", "diffusion-photo,memorize=1.json"}
    again = DiffusionPhoto.read(tmp_path, memorize=1.0)
    assert again.card == shipped(1.0).card
    assert np.array_equal(again.sample(2, seed=4), shipped(1.0).sample(2, seed=4))
    assert [f.read_bytes() for f in files] == [(WEIGHTS / f.name).read_bytes() for f in files]


def test_a_dose_needs_the_clean_weights() -> None:
    for base in (None, shipped(1.0)):
        with pytest.raises(ConfigurationError, match="clean"):
            DiffusionPhoto.fit({"memorize": 1.0}, seed=0, base=base)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_training_is_decided_by_its_seed(tmp_path: Path) -> None:
    folder = trained_twice(DiffusionPhoto, tmp_path)
    clean = DiffusionPhoto.read(folder)
    assert clean.card["seen"] == [1] * 400
    assert DiffusionPhoto.read(folder, memorize=0.5).card["base_sha256"] == clean.card["sha256"]
