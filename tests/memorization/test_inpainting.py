"""Hidden halves: pictures known by heart are recovered, unknown ones are not, and whatever is amiss says so."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.asking import ask
from guardrails.core.batch import Arm, Item
from guardrails.core.errors import ContentError
from guardrails.core.probe import Budget
from guardrails.core.statistics import Interval
from guardrails.core.subject import Subject
from guardrails.kit.blind import blind_pictures
from guardrails.memorization import inpainting
from guardrails.memorization.inpainting import FINE, MARGIN, Inpainting, _calibrated, _ratio
from guardrails.memorization.pictures import comparable_pictures
from guardrails.memorization.pictures.comparable_pictures import Arms
from guardrails.memorization.pictures.completion import best, by_white_box
from guardrails.targets.white_box import Autoencoder, NoisePredictor

from .hidden_halves import (
    CORPUS_SEED,
    HOLDOUT_SEED,
    REFERENCE_SEED,
    BestDenoiser,
    ByHeart,
    Maker,
    N,
    scenes,
)


@pytest.fixture(scope="module")
def clean():
    return Subject(
        target=Maker(),
        corpus=scenes(N, CORPUS_SEED),
        holdout=scenes(N, HOLDOUT_SEED),
        reference=scenes(N, REFERENCE_SEED),
    )


@pytest.fixture(autouse=True)
def split(monkeypatch):
    """Let the arms be alike, as they are, without a classifier for each test; return the function that fits one."""
    monkeypatch.setattr(comparable_pictures, "blind_pictures", lambda members, others: Interval(0.5, 0.45, 0.55))
    return blind_pictures


def rows_of(probe, subject, budget=Budget.CONTROL):
    rows = [row for b in probe.plan(subject, budget, seed=0) for row in ask(probe, subject, b, seed=b.index)]
    return json.loads(json.dumps(rows, allow_nan=False))


def measured(subject):
    probe = Inpainting()
    return probe.measure(rows_of(probe, subject), subject, seed=0)


# Oracles


def test_the_fakes_are_white_boxes(clean):
    assert isinstance(ByHeart(clean.corpus), Autoencoder)
    assert isinstance(BestDenoiser(clean.corpus), NoisePredictor)


def test_an_autoencoder_that_has_its_pictures_by_heart_gives_all_of_them_away(clean):
    rate, excess, area, blind = measured(replace(clean, target=Maker(white_box=ByHeart(clean.corpus))))
    assert rate.metric == Inpainting.headline
    assert rate.value == 1
    assert rate.baseline.value == 0
    assert excess.low > 0.8
    assert area.value > 0.98
    assert blind.metric == "blind_auc"


def test_a_diffusion_model_that_has_its_pictures_by_heart_gives_most_of_them_away(clean):
    """A walk that took the wrong picture for the right one at first, from noise, does not find back."""
    rate, _, area, _ = measured(replace(clean, target=Maker(white_box=BestDenoiser(clean.corpus))))
    assert rate.low > 0.4
    assert rate.baseline.value == 0
    assert area.low > 0.7


@pytest.mark.parametrize("box", [None, ByHeart, BestDenoiser])
def test_a_model_that_knows_none_of_them_recovers_at_the_rate_of_chance(clean, box):
    other = scenes(N, 77)
    rate, excess, area, _ = measured(replace(clean, target=Maker(white_box=box and box(other))))
    assert rate.n == N
    assert rate.value <= 0.02
    assert excess.low <= 0 <= excess.high
    assert area.low <= 0.5 <= area.high


def test_outputs_alone_give_away_what_they_copy(clean):
    rate, *_ = measured(replace(clean, target=Maker(copies=clean.corpus[:30])))
    assert 0.25 <= rate.value <= 0.29
    assert rate.detectable < 0.1


def test_a_folder_of_outputs_is_read_as_far_as_it_goes(clean):
    subject = replace(clean, target=Maker(copies=clean.corpus[:30], available=150))
    assert {b.payload["outputs"] for b in Inpainting().plan(subject, Budget.QUICK, seed=0)} == {150}
    assert measured(subject)[0].value > 0.25


def test_without_a_reference_the_holdout_stands_in_each_picture_left_out_of_its_own_guess(clean):
    subject = replace(clean, reference=None, target=Maker(copies=clean.corpus[:30]))
    rows = rows_of(Inpainting(), subject)
    assert min(row["guess"] for row in rows) > 0.01
    assert 0.25 <= measured(subject)[0].value <= 0.29


# The threshold


def test_the_threshold_is_two_thirds_of_the_lowest_hundredth_of_one_half():
    rows = [{"index": i, "rms": 0.1 + i / 1000, "guess": 0.2} for i in range(400)]
    limit, check = _calibrated(rows)
    sets = sorted(_ratio(row) for row in rows if row not in check)
    assert len(check) == len(sets) == 200
    assert limit == pytest.approx(MARGIN * sets[1])  # the second of 200: 1%
    assert _calibrated(rows[::-1]) == (limit, check)


def test_a_model_that_is_worse_than_a_guess_does_not_make_the_threshold_lax():
    assert _calibrated([{"index": i, "rms": 0.5, "guess": 0.1} for i in range(200)])[0] == MARGIN


def test_a_flat_picture_that_anybody_completes_is_not_recovered():
    assert _ratio({"rms": 0.0, "guess": 0.0}) == 1
    assert _ratio({"rms": 0.0, "guess": FINE / 3}) > MARGIN


# Data that are not as they should be


def test_repeated_and_shared_pictures_are_left_out_and_named(clean):
    subject = replace(clean, corpus=[*clean.corpus, *clean.corpus[:5]], holdout=[*clean.corpus[:2], *clean.holdout])
    rate, *_ = measured(subject)
    assert rate.n == N
    assert "5 near-duplicates within the corpus were left out" in rate.explanation
    assert "2 held-out pictures are in the corpus too and were left out: number 0, 1." in rate.explanation


def test_both_arms_are_equally_large(clean):
    rows = rows_of(Inpainting(), replace(clean, corpus=[*clean.corpus, *scenes(30, 20)]))
    assert [sum(row["arm"] == arm for row in rows) for arm in ("corpus", "holdout")] == [N, N]
    assert {row["hidden"] for row in rows} == {"left", "right"}


@pytest.mark.parametrize(
    ("corpus", "holdout", "said"),
    [
        (1, N, "1 pictures of the corpus and 1 of the holdout; at least 100 of each"),
        (0, 0, "0 pictures of the corpus and 0 of the holdout"),
        (N, 99, "99 pictures of the corpus and 99 of the holdout"),
    ],
)
def test_too_few_pictures_say_how_many_are_needed(clean, corpus, holdout, said):
    readings = measured(replace(clean, corpus=clean.corpus[:corpus], holdout=clean.holdout[:holdout]))
    assert [m.value for m in readings] == [None] * 3
    assert said in readings[0].reason
    assert readings[0].needed == 100


def test_one_black_picture_many_times_is_one_picture(clean):
    black = [np.zeros((16, 16, 3), np.uint8)] * N
    readings = measured(Subject(target=Maker(), corpus=black, holdout=black))
    assert "0 pictures of the corpus and 0 of the holdout" in readings[0].reason
    assert f"{N - 1} near-duplicates" in readings[0].reason
    assert "1 held-out pictures are in the corpus too" in readings[0].reason


def test_a_holdout_that_is_the_corpus_leaves_nothing(clean):
    readings = measured(replace(clean, holdout=clean.corpus))
    assert readings[0].value is None
    assert f"{N} held-out pictures are in the corpus too" in readings[0].reason


def test_pictures_of_one_pixel_say_that_they_have_no_half():
    colours = [np.full((1, 1, 3), c, np.uint8) for c in range(N)]
    readings = measured(Subject(target=Maker(), corpus=colours, holdout=colours))
    assert readings[0].value is None
    probe = Inpainting()
    subject = Subject(target=Maker(), corpus=colours, holdout=colours)
    item = Item("corpus:0", Arm.CORPUS, {"index": 0, "hidden": "left"})
    (batch, *_) = probe.plan(subject, Budget.QUICK, seed=0)
    batch = replace(batch, items=(item,))
    (row,) = ask(probe, subject, batch, seed=0)
    assert "a picture of 1 × 1 pixels" in row["error"]


def test_a_picture_that_cannot_be_read_is_an_error_row_and_no_more(clean):
    class Broken(list):
        def __getitem__(self, i):
            if i == 3:
                raise ContentError("picture 3 is cut off")
            return super().__getitem__(i)

    subject = replace(clean, corpus=Broken(clean.corpus))
    probe = Inpainting()
    assert len([r for r in rows_of(probe, subject) if r["arm"] == "corpus"]) == N - 1
    (batch, *_) = probe.plan(clean, Budget.QUICK, seed=0)
    rows = ask(probe, subject, batch, seed=0)
    assert [row["error"] for row in rows if "error" in row] == ["picture 3 is cut off"]


def test_grey_pictures_are_read_as_colour_ones_are(clean):
    grey = {arm: [p[..., 0] for p in getattr(clean, arm)] for arm in ("corpus", "holdout", "reference")}
    same = {arm: [np.repeat(p[..., None], 3, 2) for p in pictures] for arm, pictures in grey.items()}
    one, other = (rows_of(Inpainting(), replace(clean, **data)) for data in (grey, same))
    assert one == other
    box = ByHeart(same["corpus"])
    assert measured(replace(clean, **grey, target=Maker(white_box=box)))[0].value == 1


@pytest.mark.slow
def test_pictures_of_several_sizes_are_compared_by_outputs_but_no_white_box_takes_them(clean):
    large = [np.kron(p, np.ones((2, 2, 1), np.uint8)) for p in clean.corpus[N // 2 :]]
    mixed = [x for pair in zip(clean.corpus[: N // 2], large, strict=True) for x in pair]
    held = [p if i % 2 else np.kron(p, np.ones((2, 2, 1), np.uint8)) for i, p in enumerate(clean.holdout)]
    subject = replace(clean, corpus=mixed, holdout=held, target=Maker(copies=clean.corpus[:30]))
    assert 0.25 <= measured(subject)[0].value <= 0.29
    readings = measured(replace(subject, target=Maker(white_box=ByHeart(clean.corpus))))
    assert readings[0].value is None
    assert "the first: the white box failed" in readings[0].reason  # those of its size it takes


class Raises(ByHeart):
    def reconstruct(self, images, *, seed):
        raise RuntimeError("out of luck")


class GivesNaN(ByHeart):
    def reconstruct(self, images, *, seed):
        return super().reconstruct(images, seed=seed) * np.nan


class OfAnotherSize(ByHeart):
    def reconstruct(self, images, *, seed):
        return np.zeros((len(images), 3, 3, 3))


class NoisesNaN(BestDenoiser):
    def predict_noise(self, x_t, t):
        return x_t * np.nan


@pytest.mark.parametrize(
    ("box", "said"),
    [
        (Raises, "the white box failed (RuntimeError: out of luck)"),
        (GivesNaN, "values that are not finite"),
        (OfAnotherSize, "the white box failed (ValueError"),
        (NoisesNaN, "values that are not finite"),
    ],
)
def test_a_white_box_that_fails_is_a_reason(clean, box, said):
    readings = measured(replace(clean, target=Maker(white_box=box(clean.corpus))))
    assert readings[0].value is None
    assert readings[0].errors == N
    assert said in readings[0].reason


def test_too_few_outputs_are_a_reason(clean):
    readings = measured(replace(clean, target=Maker(available=40)))
    assert "40 outputs; at least 100 are needed" in readings[0].reason


def test_arms_that_differ_without_the_model_are_not_assessed(clean, split, monkeypatch):
    monkeypatch.setattr(comparable_pictures, "blind_pictures", split)
    bright = [np.clip(p.astype(int) + 90, 0, 255).astype(np.uint8) for p in clean.holdout]
    readings = measured(replace(clean, holdout=bright))
    assert [m.value for m in readings[:3]] == [None] * 3
    assert all("the split is confounded" in m.reason for m in readings[:3])
    assert readings[3].low > 0.55


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_any_multiset_of_rows_is_measured(clean, data):
    probe = Inpainting()
    rows = data.draw(st.lists(st.sampled_from(ROWS), max_size=30))
    for m in probe.measure(rows, clean, seed=0):
        assert m.value is None
        assert m.reason


ROWS = [
    {"item": "corpus:1", "arm": "corpus", "index": 1, "hidden": "left", "rms": 0.1, "guess": 0.1},
    {"item": "holdout:1", "arm": "holdout", "index": 1, "hidden": "left", "rms": 0.0, "guess": 0.0},
    {"item": "corpus:2", "arm": "corpus", "index": 2, "hidden": "left", "error": "x"},
]


def test_failed_items_are_counted_apart(clean):
    probe = Inpainting()
    rows = rows_of(probe, clean)
    rows[3] = {key: rows[3][key] for key in ("item", "arm", "index", "hidden")} | {"error": "refused"}
    rate = probe.measure(rows, clean, seed=0)[0]
    assert (rate.n, rate.errors) == (N - 1, 1)


# What is shown, and the spike


def test_evidence_shows_what_was_given_made_and_true(clean, tmp_path):
    from PIL import Image

    subject = replace(clean, target=Maker(copies=clean.corpus[:30]))
    probe = Inpainting()
    rows = rows_of(probe, subject)
    rate = probe.measure(rows, subject, seed=0)[0]
    named = [name for e in rate.evidence for name in e.media]
    assert len(named) == 6
    for folder in ("a", "b"):
        probe.save_media(rows, subject, tmp_path / folder)
    assert sorted(named) == sorted(f"media/{p.name}" for p in (tmp_path / "a" / "media").iterdir())
    for name in named:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert np.asarray(Image.open(tmp_path / "a" / named[0])).shape == (68, 204, 3)
    assert all(("thumb" in row) <= (row["arm"] == "corpus" and _ratio(row) < MARGIN) for row in rows)


def test_nothing_is_shown_of_a_model_that_recovers_nothing(clean, tmp_path):
    probe = Inpainting()
    rows = rows_of(probe, clean)
    assert probe.measure(rows, clean, seed=0)[0].evidence == ()
    probe.save_media(rows[:3], clean, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_planted_copies_are_recovered_and_a_twentieth_of_them_seen(clean):
    from guardrails.assay.audit.spikes import batches_to_spike, mix

    probe = Inpainting()
    rows = rows_of(probe, clean)
    batches = batches_to_spike(probe.plan(clean, Budget.CONTROL, seed=0))
    planted = probe.spike(clean, batches, seed=0)
    spiked = [row for b in batches for row in ask(probe, planted, b, seed=b.index)]
    assert {row["arm"] for row in spiked} == {"corpus"}
    recovery, low, high = probe.recovery(rows, spiked, clean)
    assert 0.8 < recovery <= 1
    assert low < recovery <= high
    assert probe.measure(mix(rows, spiked, 6, seed=0), clean, seed=0)[0].low > 0.01
    assert probe.recovery(rows[:5], spiked, clean) is None


def test_a_model_with_a_white_box_of_its_own_has_no_spike(clean):
    opaque = replace(clean, target=Maker(white_box=ByHeart(clean.corpus)))
    probe = Inpainting()
    assert probe.spike(opaque, probe.plan(opaque, Budget.CONTROL, seed=0), seed=0) is None


def test_outputs_are_drawn_once_for_all_batches(clean, monkeypatch):
    calls = []
    target = Maker()
    monkeypatch.setattr(target, "sample_images", lambda n, *, seed: calls.append(n) or scenes(n, 4), raising=False)
    rows_of(Inpainting(), replace(clean, target=target))
    assert calls == [inpainting.OUTPUTS[Budget.CONTROL]]


def test_the_arms_know_whose_they_are(clean):
    arms = Arms(clean)
    assert arms.serves(clean)
    assert not arms.serves(replace(clean, reference=None))


def test_a_white_box_of_another_size_than_the_comparison(clean):
    images = [p[:, :15] for p in clean.corpus[:3]]
    start = np.full((3, 32, 32, 3), 0.5)
    completions = by_white_box(ByHeart(images), images, ["left", "right", "left"], start, seed=0)
    assert {one.pictures.shape for one in completions} == {(3, 16, 15, 3)}
    assert np.allclose(best(completions), np.stack(images) / 255)
