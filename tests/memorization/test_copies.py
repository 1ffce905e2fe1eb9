"""Near-copies: planted ones are found, fresh pictures are not, and too few data say so."""

import copy
import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.asking import ask
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject
from guardrails.memorization.copies import Copies
from guardrails.memorization.pictures.copy_search import WAYS
from guardrails.memorization.pictures.fingerprints import (
    CopyIndex,
    distances,
    distinct,
    fingerprint,
    fingerprints,
    nearest,
    orientations,
)

from .scenes import Images, scene, scenes


def blurred(picture):
    from scipy.ndimage import gaussian_filter

    return np.round(gaussian_filter(picture.astype(float), (1, 1, 0)) * 0.9 + 5).astype(np.uint8)


@dataclass
class FakeImages(Images):
    """Gives fresh scenes, but a share of them are blurred training pictures."""

    corpus: list
    share: float = 0.0

    def sample_images(self, n, *, seed):
        rng = np.random.default_rng(seed)
        return [
            blurred(self.corpus[rng.integers(len(self.corpus))]) if rng.random() < self.share else scene(rng)
            for _ in range(n)
        ]


SHARED = Copies()
"""One probe for all: it keeps what it has built as long as the data are the same."""


@pytest.fixture(scope="module")
def clean():
    corpus = scenes(200, 1)
    return Subject(target=FakeImages(corpus), corpus=corpus, holdout=scenes(200, 2))


@pytest.fixture(scope="module")
def fresh(clean):
    return rows_of(SHARED, clean)


def copying(subject, share):
    return replace(subject, target=FakeImages(subject.corpus, share))


def rows_of(probe, subject, budget=Budget.CONTROL):
    rows = [row for b in probe.plan(subject, budget, seed=0) for row in ask(probe, subject, b, seed=b.index)]
    return json.loads(json.dumps(rows))


@pytest.mark.slow
def test_a_clean_target_is_at_the_level_of_held_out_pictures(clean, fresh):
    probe = SHARED
    rate, excess, *_ = probe.measure(copy.deepcopy(fresh), clean, seed=0)
    assert rate.metric == probe.headline
    assert rate.n == 250
    assert rate.high < 0.1
    assert rate.baseline is not None
    assert rate.baseline.n == 100
    assert excess.low <= 0 <= excess.high
    assert rate.baseline.value < rate.detectable < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_copies_are_counted_though_they_are_blurred_and_darker(clean, share):
    subject = copying(clean, share)
    probe = SHARED
    rate, excess, *_ = probe.measure(rows_of(probe, subject), subject, seed=0)
    assert rate.low - 0.05 < share <= rate.high + 0.05
    assert excess.low > 0.3


@pytest.mark.slow
def test_a_spike_is_recovered_and_a_tenth_of_it_seen(clean, fresh):
    probe = SHARED
    rows = copy.deepcopy(fresh)
    planted = probe.spike(clean, [], seed=0)
    spiked = rows_of(probe, planted)
    recovery, low, high = probe.recovery(rows, spiked, clean)
    assert recovery > 0.95
    assert low < recovery <= high
    mixed = [s if i % 10 == 0 else r for i, (r, s) in enumerate(zip(rows, spiked, strict=True))]
    assert probe.measure(mixed, clean, seed=0)[0].low > 0.05


@pytest.mark.slow
def test_evidence_shows_each_copied_picture_once_and_its_files_are_written(clean, tmp_path):
    from PIL import Image

    subject = copying(clean, 0.5)
    probe = SHARED
    rows = rows_of(probe, subject)
    rate = probe.measure(rows, subject, seed=0)[0]
    probe.save_media(rows, subject, tmp_path)
    named = [name for e in rate.evidence for name in e.media]
    assert len(named) == 6
    beside = [name for m in probe.measure(rows, subject, seed=0)[1:] for e in m.evidence for name in e.media]
    assert sorted(named + beside) == sorted(f"media/{p.name}" for p in (tmp_path / "media").iterdir())
    assert np.asarray(Image.open(tmp_path / named[0])).shape == (68, 136, 3)


@pytest.mark.slow
def test_media_are_the_same_bytes_again(clean, tmp_path):
    subject = copying(clean, 0.5)
    probe = SHARED
    rows = rows_of(probe, subject)
    for name in ("a", "b"):
        probe.save_media(rows, subject, tmp_path / name)
    for one in (tmp_path / "a" / "media").iterdir():
        assert one.read_bytes() == (tmp_path / "b" / "media" / one.name).read_bytes()


def test_fresh_pictures_leave_no_thumbnail_in_the_journal(clean, fresh):
    probe = SHARED
    rows = copy.deepcopy(fresh)
    search = probe.search(clean)
    assert all(("thumb" in row) == any(search.is_copy(row, way) for way in WAYS) for row in rows)
    assert sum("thumb" in row for row in rows) < 25


@pytest.mark.parametrize(
    ("corpus", "holdout", "said"),
    [
        (59, 200, "corpus holds 59 pictures; at least 60"),
        (200, 99, "holdout holds 99 pictures; at least 100"),
    ],
)
def test_too_few_data_say_how_many_are_needed(clean, corpus, holdout, said):
    subject = Subject(target=clean.target, corpus=clean.corpus[:corpus], holdout=clean.holdout[:holdout])
    probe = SHARED
    measurements = probe.measure(rows_of(probe, subject), subject, seed=0)
    assert [m.value for m in measurements] == [None] * 5
    assert said in measurements[0].reason


def test_too_few_outputs_say_how_many_are_needed(clean, fresh):
    probe = SHARED
    rows = copy.deepcopy(fresh)[:10]
    m = probe.measure(rows, clean, seed=0)[0]
    assert m.value is None
    assert m.needed == 40
    assert probe.measure([], clean, seed=0)[0].value is None


def test_a_corpus_of_one_picture_many_times_is_refused(clean):
    reason = CopyIndex.build([clean.corpus[0]] * 100, clean.holdout)
    assert isinstance(reason, str)
    assert "1 distinct" in reason


@pytest.mark.slow
def test_holdout_pictures_that_are_in_the_corpus_are_named_and_left_out(clean):
    holdout = [*clean.corpus[:3], *clean.holdout]
    subject = replace(clean, holdout=holdout)
    probe = SHARED
    index = probe.index(subject)
    assert index.overlap == (0, 1, 2)
    assert (
        "3 held-out pictures are in the corpus too"
        in probe.measure(rows_of(probe, subject), subject, seed=0)[0].explanation
    )


def test_a_holdout_that_is_the_corpus_is_refused(clean):
    reason = CopyIndex.build(clean.corpus, clean.corpus)
    assert isinstance(reason, str)
    assert "200 are" in reason


def test_a_copy_moved_by_one_pixel_is_still_a_copy(clean):
    index = CopyIndex.build(clean.corpus, clean.holdout)
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        ratio, place = index.look_up(np.roll(clean.corpus[3], step, axis=axis))
        assert (place, ratio < index.threshold) == (3, True)


TURNS = {
    "mirrored": lambda x: x[:, ::-1],
    "upside down": lambda x: x[::-1],
    "turned by a half": lambda x: x[::-1, ::-1],
    "turned left": np.rot90,
    "turned right": lambda x: np.rot90(x, 3),
    "rows for columns": lambda x: np.swapaxes(x, 0, 1),
    "mirrored and turned": lambda x: np.rot90(x[:, ::-1]).swapaxes(0, 1)[::-1],
}


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_the_fingerprint_of_a_turned_picture_is_among_the_orientations(turn):
    picture = scenes(1, 5)[0]
    every = orientations(fingerprint(picture)[None])
    assert every.shape == (8, 1, 768)
    assert np.abs(every - fingerprint(turn(picture))).max(axis=(1, 2)).min() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_a_mirrored_or_turned_copy_is_a_copy_also_blurred_and_moved(clean, turn):
    index = SHARED.index(clean)
    for altered in (clean.corpus[3], blurred(clean.corpus[3]), np.roll(clean.corpus[3], 1, axis=1)):
        ratio, place = index.look_up(np.ascontiguousarray(turn(altered)))
        assert (place, ratio < index.threshold) == (3, True)


@pytest.mark.slow
def test_mirrored_training_pictures_fail_and_mirrored_strangers_do_not(clean):
    class Mirrored(FakeImages):
        def sample_images(self, n, *, seed):
            return [np.ascontiguousarray(x[:, ::-1]) for x in super().sample_images(n, seed=seed)]

    for share, low, high in ((0.4, 0.25, 0.5), (0.0, 0.0, 0.1)):
        subject = replace(clean, target=Mirrored(clean.corpus, share))
        rate = SHARED.measure(rows_of(SHARED, subject), subject, seed=0)[0]
        assert low <= rate.low <= rate.high <= high


@pytest.mark.slow
def test_mirrored_training_pictures_are_no_holdout(clean):
    holdout = [*(np.ascontiguousarray(x[:, ::-1]) for x in clean.corpus[:3]), *clean.holdout]
    assert SHARED.index(replace(clean, holdout=holdout)).overlap == (0, 1, 2)


def test_duplicates_in_the_corpus_do_not_hide_a_copy(clean):
    corpus = clean.corpus + [clean.corpus[0]] * 60
    index = CopyIndex.build(corpus, clean.holdout)
    assert index.duplicates == 60
    ratio, place = index.look_up(blurred(clean.corpus[0]))
    assert place == 0
    assert ratio < index.threshold


@pytest.mark.slow
def test_failed_items_are_counted_apart(clean, fresh):
    probe = SHARED
    rows = copy.deepcopy(fresh)
    rows[3] = {"item": rows[3]["item"], "error": "refused"}
    m = probe.measure(rows, clean, seed=0)[0]
    assert (m.n, m.errors) == (249, 1)


def test_pictures_of_any_size_and_grey_ones_are_read(clean):
    index = CopyIndex.build(clean.corpus, clean.holdout)
    large = np.kron(clean.corpus[7], np.ones((5, 5, 1), np.uint8))
    ratio, place = index.look_up(large)
    assert (place, ratio < index.threshold) == (7, True)
    assert fingerprint(large[..., 0]).shape == (768,)


def test_the_ratio_is_that_of_the_literal_definition():
    rng = np.random.default_rng(0)
    queries, corpus = rng.normal(size=(5, 8)).astype(np.float32), rng.normal(size=(70, 8)).astype(np.float32)
    neighbours = nearest(queries, corpus)
    for i, query in enumerate(queries):
        d = sorted(float(np.linalg.norm(query - c)) for c in corpus)
        assert neighbours.ratio[i] == pytest.approx(d[0] / np.mean(d[:50]), rel=1e-4)
        assert neighbours.distance[i] == pytest.approx(d[0], rel=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_distinct_keeps_the_first_of_each(numbers):
    vectors = np.eye(10, dtype=np.float32)[numbers]
    assert [numbers[i] for i in distinct(vectors)] == list(dict.fromkeys(numbers))


def test_distances_are_euclidean():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(4, 6)).astype(np.float32), rng.normal(size=(3, 6)).astype(np.float32)
    assert np.allclose(distances(a, b), np.linalg.norm(a[:, None] - b[None], axis=2), atol=1e-4)


def test_brightness_contrast_and_tint_leave_the_fingerprint_alone():
    picture = scenes(1, 5)[0] / 255 * 0.5 + 0.1
    changed = picture * 0.7 + np.array([0.1, 0.2, 0.05])
    a, b = fingerprints([picture, changed])
    assert np.linalg.norm(a - b) < 0.05
