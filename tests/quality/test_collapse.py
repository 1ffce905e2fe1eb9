"""Mode collapse: lost kinds and crowding are seen, a clean target is not accused, too few pictures say so."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from guardrails.core.asking import ask
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.quality.collapse import METRICS, Collapse
from guardrails.quality.variety import GATED, Halves

KINDS = 6


GROUND = np.array([[8, 2, 2], [2, 8, 2], [2, 2, 8], [8, 8, 2], [2, 8, 8], [8, 2, 8]]) / 10


def painting(kind, rng, size=24, jitter=1.0):
    """Stripes on the ground of a kind, at a random phase, period, contrast and tint."""
    angle = np.pi * kind / KINDS
    y, x = np.mgrid[0:size, 0:size] / size
    frequency, phase = 1.5 + jitter * rng.uniform(-0.7, 0.7), jitter * rng.uniform(0, 1)
    wave = np.sin(2 * np.pi * (frequency * (x * np.cos(angle) + y * np.sin(angle)) + phase))
    picture = GROUND[kind] + (0.15 + jitter * rng.uniform(-0.1, 0.1)) * wave[..., None]
    picture = picture + jitter * rng.uniform(-0.1, 0.1, 3) + rng.normal(0, 0.02, (size, size, 3))
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def paintings(n, seed, kinds=KINDS, jitter=1.0):
    rng = np.random.default_rng(seed)
    return [painting(int(rng.integers(kinds)), rng, jitter=jitter) for _ in range(n)]


@dataclass
class Painter:
    kinds: int = KINDS
    jitter: float = 1.0
    name: str = "painter"
    available: int | None = None
    modality = Modality.IMAGE
    access = frozenset({Access.OUTPUTS})

    def identity(self):
        return {}

    def sample_images(self, n, *, seed):
        return paintings(n, seed + 1000, self.kinds, self.jitter)


@pytest.fixture(scope="module")
def clean():
    return Subject(target=Painter(), reference=paintings(500, 1))


def rows_of(probe, subject):
    rows = [row for b in probe.plan(subject, Budget.CONTROL, seed=0) for row in ask(probe, subject, b, seed=b.index)]
    return json.loads(json.dumps(rows))


def measured(subject):
    probe = Collapse()
    return {m.metric: m for m in probe.measure(rows_of(probe, subject), subject, seed=0)}


def test_a_clean_target_is_like_the_reference(clean):
    readings = measured(clean)
    assert list(readings) == list(METRICS)
    for name in GATED:
        assert readings[name].low <= 0.05
        assert readings[name].high < 0.25
        assert 0 < readings[name].detectable < 0.25
    for name in ("coverage", "recall", "precision"):
        assert abs(readings[name].value - readings[name].baseline.value) < 0.1


@pytest.mark.parametrize("kinds", [1, 3])
def test_lost_kinds_cost_their_share_of_coverage(clean, kinds):
    readings = measured(replace(clean, target=Painter(kinds=kinds)))
    lost = 1 - kinds / KINDS
    assert readings["coverage_loss"].low <= lost <= readings["coverage_loss"].high
    assert readings["coverage_loss"].low > 0.3
    assert readings["precision"].value > 0.7


def test_crowding_within_the_kinds_is_seen_by_the_spread(clean):
    readings = measured(replace(clean, target=Painter(jitter=0.1)))
    assert readings["spread_loss"].low > 0.4


def test_variations_of_one_picture_are_recovered(clean):
    probe = Collapse()
    rows = rows_of(probe, clean)
    spiked = rows_of(probe, probe.spike(clean, [], seed=0))
    recovery, low, high = probe.recovery(rows, spiked, clean)
    assert 0.8 < low <= recovery <= high <= 1
    assert probe.measure(spiked, clean, seed=0)[0].low > 0.8


def test_no_interval_has_width_zero():
    halves = Halves.of([np.zeros((16, 16, 3), np.uint8)] * 200)
    for figure in halves.compare(halves.first).values():
        assert figure.low < figure.high


@pytest.mark.parametrize(("outputs", "reference"), [(59, 500), (250, 118)])
def test_too_few_pictures_say_how_many_are_needed(clean, outputs, reference):
    subject = replace(clean, reference=clean.reference[:reference])
    probe = Collapse()
    rows = rows_of(probe, clean)[:outputs]
    for m in probe.measure(rows, subject, seed=0):
        assert m.value is None
        assert m.reason == f"{outputs} outputs and {reference} reference pictures; at least 60 and 120 are needed"
    assert probe.measure([], clean, seed=0)[0].value is None


def test_failed_items_are_counted_apart(clean):
    probe = Collapse()
    rows = rows_of(probe, clean)
    rows[0] = {"item": rows[0]["item"], "error": "refused"}
    m = probe.measure(rows, clean, seed=0)[0]
    assert (m.n, m.errors) == (249, 1)


def test_evidence_shows_outputs_and_what_they_leave_out(clean, tmp_path):
    subject = replace(clean, target=Painter(kinds=1))
    probe = Collapse()
    rows = rows_of(probe, subject)
    m = probe.measure(rows, subject, seed=0)[0]
    for folder in ("a", "b"):
        probe.save_media(rows, subject, tmp_path / folder)
    named = sorted(name for e in m.evidence for name in e.media)
    assert named == ["media/collapse-1.png", "media/collapse-2.png"]
    for name in named:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_copycat_passes_as_the_limits_say(clean):
    class Copycat(Painter):
        def sample_images(self, n, *, seed):
            return [clean.reference[i] for i in np.random.default_rng(seed).integers(0, 500, n)]

    assert measured(replace(clean, target=Copycat()))["coverage_loss"].high < 0.2
    assert "copies its training data" in Collapse.limits


@pytest.mark.slow
@pytest.mark.parametrize("m", [100, 250])
def test_intervals_hold_the_expected_figure_as_often_as_they_say(m):
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 4, (6, 12))

    def draw(kinds):
        return centres[rng.integers(0, kinds, m)] + rng.normal(size=(m, 12))

    comparisons = [Halves(draw(6), draw(6), np.arange(m)).compare(draw(3)) for _ in range(60)]
    for name in METRICS:
        expected = np.mean([c[name].value for c in comparisons])
        assert np.mean([c[name].low <= expected <= c[name].high for c in comparisons]) >= 0.93
