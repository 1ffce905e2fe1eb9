"""Data copying: crowding around training pictures is found, fresh pictures are at one half, too few data say so."""

import json
import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.asking import ask
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject
from guardrails.memorization.data_copying import IN_CELL, DataCopying, Space, compare
from guardrails.memorization.pictures.fingerprints import distances, fingerprints

from .scenes import Images, scene, scenes


@dataclass
class FakeImages(Images):
    """Gives fresh scenes, or training pictures mixed with a fresh scene: near to them, and no near-copies."""

    corpus: list
    mixed: float = 0.0

    def sample_images(self, n, *, seed):
        rng = np.random.default_rng(seed)
        near = (self.corpus[int(i)] for i in rng.integers(len(self.corpus), size=n))
        return [np.round(self.mixed * a + (1 - self.mixed) * scene(rng)).astype(np.uint8) for a in near]


@pytest.fixture(scope="module")
def clean():
    corpus = scenes(200, 1)
    return Subject(target=FakeImages(corpus), corpus=corpus, holdout=scenes(150, 2))


def measured(subject, probe=None):
    probe = probe or DataCopying()
    rows = [r for b in probe.plan(subject, Budget.CONTROL, seed=0) for r in ask(probe, subject, b, seed=b.index)]
    rows = json.loads(json.dumps(rows, allow_nan=False))
    return {m.metric: m for m in probe.measure(rows, subject, seed=0)}


def test_fresh_pictures_are_at_one_half(clean):
    readings = measured(clean)
    assert readings["closer_rate"].low < 0.5 < readings["closer_rate"].high
    wrong = readings["inauthentic_rate"]
    assert wrong.low < wrong.baseline.high
    assert wrong.high > wrong.baseline.low


def test_crowding_around_training_pictures_is_found(clean):
    readings = measured(replace(clean, target=FakeImages(clean.corpus, mixed=0.7)))
    assert readings["closer_rate"].low > 0.65
    assert readings["inauthentic_rate"].low > readings["inauthentic_rate"].baseline.high
    assert "C_T is -" in readings["closer_rate"].explanation


def test_distances_and_authenticity_are_those_of_a_naive_search(clean):
    space = Space.build(clean.corpus, clean.holdout)
    new = fingerprints(scenes(20, 9))
    distance, _, inauthentic, _ = space.look_up(new)
    for i, vector in enumerate(new.astype(float)):
        to_all = np.sqrt(((space.corpus - vector) ** 2).sum(axis=1))
        place = int(to_all.argmin())
        others = np.delete(np.sqrt(((space.corpus - space.corpus[place].astype(float)) ** 2).sum(axis=1)), place)
        assert distance[i] == pytest.approx(to_all[place], abs=1e-3)
        if abs(to_all[place] - others.min()) > 1e-3:
            assert inauthentic[i] == (to_all[place] < others.min())


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 4), st.floats(-1, 1))
def test_c_t_is_the_weighted_z_of_each_cell(seed, k, shift):
    """Against scipy's Mann–Whitney statistic, cell by cell; cells with too few are left out, empty ones among them."""
    from scipy.stats import mannwhitneyu

    rng = np.random.default_rng(seed)
    q, p = rng.normal(shift, 1, 150), rng.normal(0, 1, 150)
    in_q, in_p = rng.integers(0, k, 150), rng.integers(0, k + 1, 150)  # no output in the last cell
    z, weights, closer = [], [], []
    for cell in range(k + 1):
        a, b = q[in_q == cell], p[in_p == cell]
        if min(len(a), len(b)) < IN_CELL:
            continue
        u, m, n = mannwhitneyu(a, b).statistic, len(a), len(b)
        z.append((u - m * n / 2) / np.sqrt(m * n * (m + n + 1) / 12))
        weights.append(n)
        closer.append(1 - u / (m * n))
    comparison = compare(q, in_q, p, in_p)
    if not z:
        assert comparison is None
        return
    assert comparison.ct == pytest.approx(np.average(z, weights=weights))
    assert comparison.closer.value == pytest.approx(np.average(closer, weights=weights))
    assert 0 <= comparison.closer.low <= comparison.closer.value <= comparison.closer.high <= 1


def test_the_interval_covers():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        q, p = rng.normal(-0.5, 1, 120), rng.normal(0, 1, 150)
        comparison = compare(q, rng.integers(0, 3, 120), p, rng.integers(0, 3, 150))
        covered += comparison.closer.low <= 0.6382 <= comparison.closer.high  # Φ(.5 / √2)
    assert covered >= 183  # 95% of 200, less four standard errors at most


def test_constant_distances_are_a_tie():
    comparison = compare(np.zeros(50), np.zeros(50, int), np.zeros(50), np.zeros(50, int))
    assert comparison.closer.value == 0.5
    assert comparison.ct == 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"corpus": scenes(10, 1)}, "10 pictures; at least 60"),
        ({"corpus": scenes(1, 1) * 80}, "1 distinct pictures; at least 60"),
        ({"holdout": scenes(20, 2)}, "20 pictures; at least 40"),
        ({"holdout": scenes(200, 1)}, r"0 pictures that are not in the corpus \(200 are\)"),
    ],
)
def test_too_few_say_so(clean, data, reason):
    for measurement in measured(replace(clean, **data)).values():
        assert measurement.value is None
        assert re.search(reason, measurement.reason)


def test_outputs_of_another_world_are_no_number(clean):
    """All in one cell that the holdout hardly has."""
    probe = DataCopying()
    rows = [{"item": str(i), "distance": 0.5, "cell": 99, "inauthentic": False} for i in range(60)]
    closer, inauthentic = probe.measure(rows, clean, seed=0)
    assert closer.value is None
    assert "lie apart" in closer.reason
    assert inauthentic.value == 0


def test_the_spike_is_recovered(clean):
    probe = DataCopying()
    spiked = probe.spike(clean, [], seed=0)
    batch = probe.plan(spiked, Budget.CONTROL, seed=0)[0]
    assert probe.recovery([], ask(probe, spiked, batch, seed=0), clean)[0] > 0.9


def test_duplicates_do_not_make_a_training_picture_its_own_neighbour(clean):
    space = Space.build([*clean.corpus, *clean.corpus[:50]], clean.holdout)
    assert len(space.corpus) == len(clean.corpus)
    assert space.gaps.min() > 0
    assert distances(space.corpus, space.corpus).shape == (200, 200)


def test_the_pairs_shown_are_the_nearest_of_their_cell(clean, tmp_path):
    subject, probe = replace(clean, target=FakeImages(clean.corpus, mixed=0.7)), DataCopying()
    rows = [r for b in probe.plan(subject, Budget.CONTROL, seed=0) for r in ask(probe, subject, b, seed=b.index)]
    space, shown = probe.space(subject), probe.measure(rows, subject, seed=0)[0].evidence
    near = [r["distance"] / np.median(space.held[space.held_cell == r["cell"]]) for r in rows]
    first = rows[int(np.argmin(near))]
    assert f"output {first['item']} (left) and training picture {first['nearest']} (right)" in shown[0].caption
    assert len({e.caption.split("training picture ")[1].split()[0] for e in shown}) == len(shown) == 6
    probe.save_media(rows, subject, tmp_path)
    assert {f"media/{p.name}" for p in (tmp_path / "media").iterdir()} == {m for e in shown for m in e.media}


def test_pairs_name_training_pictures_as_they_were_given(clean):
    """Also where duplicates before them were left out."""
    subject = replace(clean, corpus=[clean.corpus[0]] * 30 + clean.corpus[:])
    subject = replace(subject, target=FakeImages(clean.corpus[5:6], mixed=1.0))
    probe = DataCopying()
    rows = ask(probe, subject, probe.plan(subject, Budget.CONTROL, seed=0)[0], seed=0)
    assert {row["nearest"] for row in rows} == {35}
    assert all("thumb" in row for row in rows)


def test_without_a_space_no_pairs_are_drawn(clean, tmp_path):
    DataCopying().save_media([], replace(clean, corpus=clean.corpus[:5]), tmp_path)
    assert not list(tmp_path.iterdir())
