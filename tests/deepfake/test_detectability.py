"""Detectability: a trace is found, real against real is not, too few pictures say so."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from guardrails.core.asking import ask
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.deepfake.detectability import Detectability, _blocks


def scene(rng, size=32):
    from scipy.ndimage import gaussian_filter

    coarse = gaussian_filter(rng.normal(size=(size, size, 3)), (3, 3, 0)) * 300
    return np.clip(128 + coarse + rng.normal(0, 6, (size, size, 3)), 0, 255).astype(np.uint8)


def scenes(n, seed):
    rng = np.random.default_rng(seed)
    return [scene(rng) for _ in range(n)]


def smoothed(picture, sigma):
    from scipy.ndimage import gaussian_filter

    return np.round(gaussian_filter(picture.astype(float), (sigma, sigma, 0))).astype(np.uint8)


@dataclass
class Maker:
    """Makes real scenes, smoothed by sigma: 0 leaves no trace."""

    sigma: float = 0.0
    available: int | None = None
    name: str = "maker"
    modality = Modality.IMAGE
    access = frozenset({Access.OUTPUTS})

    def identity(self):
        return {}

    def sample_images(self, n, *, seed):
        pictures = scenes(n, seed + 10_000)
        return [smoothed(p, self.sigma) for p in pictures] if self.sigma else pictures


@pytest.fixture(scope="module")
def real():
    return Subject(target=Maker(), reference=scenes(400, 2))


def rows_of(probe, subject):
    rows = [row for b in probe.plan(subject, Budget.CONTROL, seed=0) for row in ask(probe, subject, b, seed=b.index)]
    return json.loads(json.dumps(rows))


def measured(subject):
    probe = Detectability()
    return probe.measure(rows_of(probe, subject), subject, seed=0)[0]


def test_real_pictures_cannot_be_told_from_real_pictures(real):
    m = measured(real)
    assert m.metric == Detectability.headline
    assert m.low < 0.5 < m.high
    assert m.high < 0.7
    assert m.baseline.low < 0.5 < m.baseline.high
    assert not m.higher_is_worse
    assert 0.5 < m.detectable < 0.65


@pytest.mark.slow
def test_smoothed_pictures_are_told_apart(real):
    m = measured(replace(real, target=Maker(sigma=0.6)))
    assert m.low > 0.8
    assert max(m.series[0].points, key=lambda p: p.y).y > 0


@pytest.mark.slow
def test_the_answer_is_the_same_again(real):
    probe = Detectability()
    rows = rows_of(probe, real)
    assert probe.measure(rows, real, seed=0) == Detectability().measure(rows, real, seed=1)


@pytest.mark.parametrize(("outputs", "reference"), [(79, 400), (250, 79)])
def test_too_few_pictures_say_how_many_are_needed(real, outputs, reference):
    probe = Detectability()
    subject = replace(real, reference=real.reference[:reference])
    m = probe.measure(rows_of(probe, real)[:outputs], subject, seed=0)[0]
    assert m.value is None
    assert m.reason == f"{outputs} outputs and {reference} reference pictures; at least 80 of each are needed"
    assert probe.measure([], real, seed=0)[0].value is None


@pytest.mark.slow
def test_failed_items_are_counted_apart(real):
    probe = Detectability()
    rows = rows_of(probe, real)
    rows[0] = {"item": rows[0]["item"], "error": "refused"}
    m = probe.measure(rows, real, seed=0)[0]
    assert m.errors == 1


@pytest.mark.slow
def test_evidence_shows_the_surest_and_the_least_sure(real, tmp_path):
    subject = replace(real, target=Maker(sigma=0.6))
    probe = Detectability()
    rows = rows_of(probe, subject)
    m = probe.measure(rows, subject, seed=0)[0]
    for folder in ("a", "b"):
        probe.save_media(rows, subject, tmp_path / folder)
    named = [name for e in m.evidence for name in e.media]
    assert named == ["media/detectability-1.png", "media/detectability-2.png"]
    for name in named:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_pictures_of_various_sizes_are_brought_to_one():
    reference = [p for size in (48, 64, 96) for p in (scene(np.random.default_rng(size + i), size) for i in range(30))]
    subject = Subject(target=Maker(), reference=reference)
    probe = Detectability()
    batches = probe.plan(subject, Budget.CONTROL, seed=0)
    assert {b.payload["side"] for b in batches} == {48}
    assert measured(subject).value is not None


def test_crops_of_one_photograph_stay_on_one_side():
    photograph = np.repeat(np.arange(20), 13)
    side = _blocks(len(photograph)) % 2
    assert all(len(set(side[photograph == p])) == 1 for p in range(20))
    assert side.mean() == 0.5
