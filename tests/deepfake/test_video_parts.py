"""What `deepfake.video` is made of: following, measuring, pooling, telling stretches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guardrails.core.detector import Segment
from guardrails.deepfake.videos.temporal_traces import ABSOLUTE, WIDTHS, Gauge, context
from guardrails.deepfake.videos.timeline import (
    effective,
    joined,
    mean_of,
    overlap,
    pooled,
    segments,
    suspect,
    thresholds,
    whole,
)
from guardrails.deepfake.videos.tracks import LONGEST, Place, follow
from guardrails.kit.pictures.faces import Face

FLOATS = st.lists(st.floats(-5, 5), min_size=1, max_size=40)


def test_frames_of_an_autoregression_count_as_theory_says() -> None:
    rng, rho, n = np.random.default_rng(0), 0.8, 20_000
    x = np.zeros(n)
    for t in range(1, n):
        x[t] = rho * x[t - 1] + rng.standard_normal()
    assert effective(x) == pytest.approx(n * (1 - rho) / (1 + rho), rel=0.2)
    assert effective(rng.standard_normal(n)) > 0.9 * n


def test_the_interval_of_a_mean_covers_it_though_frames_are_alike() -> None:
    rng, hits = np.random.default_rng(1), 0
    for _ in range(200):
        x = np.convolve(rng.standard_normal(254), np.ones(15) / 15, "valid")
        _, low, high, _ = mean_of(x)
        hits += low <= 0 <= high
    assert hits >= 170


@given(FLOATS)
@example([0.0, 0.0, 0.0, 1.1e-308])
def test_a_track_has_between_one_and_all_of_its_frames(values: list[float]) -> None:
    assert 1 <= effective(values) <= len(values)
    assert min(values) - 1e-9 <= pooled(np.array(values)) <= max(values) + 1e-9


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=9))
def test_a_videos_ratio_is_the_mean_of_its_tracks(values: list[float]) -> None:
    assert whole(values) == pytest.approx(math.log(sum(map(math.exp, values)) / len(values)), abs=1e-9)


@given(FLOATS, st.floats(-5, 5), st.floats(0, 3))
def test_hysteresis_is_what_its_words_say(values: list[float], leave: float, gap: float) -> None:
    marked = suspect(np.array(values), leave + gap, leave)
    for i, value in enumerate(values):
        left = right = i
        while left >= 0 and values[left] >= leave:
            left -= 1
        while right < len(values) and values[right] >= leave:
            right += 1
        reached = value >= leave and max(values[left + 1 : right]) >= leave + gap
        assert marked[i] == reached


def test_segments_end_with_their_last_frame_and_join() -> None:
    scores = np.array([0.0, 1, 3, 1, 0, 0, 2, 0])
    spans = segments((np.arange(8) / 4).tolist(), scores, 2.5, 0.5)
    assert [(s.start, s.end) for s in spans] == [(0.25, 1.0)]
    assert spans[0].score == pytest.approx(5 / 3)
    assert joined([Segment(1, 2, 0.5), Segment(0, 1, 0.7), Segment(3, 4, 0.1)]) == (
        Segment(0, 2, 0.7),
        Segment(3, 4, 0.1),
    )


def test_thresholds_part_what_can_be_parted() -> None:
    truth = np.arange(24) >= 12
    low, high = np.zeros(24), np.where(truth, 2.0, 0.0)
    enter, leave = thresholds([(high, truth), (low, np.zeros(24, bool))] * 3)
    assert 0 < leave <= enter <= 2
    assert overlap(suspect(high, enter, leave), truth) == 1


def moving(n: int, step: float = 2.0) -> tuple[list[tuple[float, Any]], list[Place]]:
    """Return frames in which a textured patch moves over a grey wall, and where it is."""
    texture = np.random.default_rng(0).integers(0, 255, (12, 10, 3), dtype=np.uint8)
    patch = np.kron(texture, np.ones((4, 4, 1), np.uint8))
    shots, places = [], []
    for t in range(n):
        frame = np.full((120, 240, 3), 128, np.uint8)
        x = 20 + round(step * t)
        frame[30:78, x : x + 40] = patch
        shots.append((t / 12, frame))
        places.append(Place(x + 20, 54, 48))
    return shots, places


class Nothing:
    """Measures nothing."""

    def step(self, before: Any, frame: Any, place: Place) -> Any:
        return np.zeros(1, np.float32)


def finder(places: list[Place], every: int = 1) -> Any:
    """Return a finder that sees the patch, by its left edge, each so many calls."""
    calls = [0]

    def find(image: Any) -> list[Face]:
        calls[0] += 1
        columns = np.flatnonzero((image != 128).any((0, 2)))
        if not len(columns) or (calls[0] - 1) % every:
            return []
        return [Face((float(columns[0]), 30.0, 40.0, 48.0), ((0.0, 0.0), (1.0, 0.0)))]

    return find


def test_a_face_is_carried_between_searches() -> None:
    shots, places = moving(40)
    (track,) = follow(shots, Nothing, finder=finder(places, every=2))
    assert len(track.times) == 40
    assert len(track.rows) == 39
    off = [abs(a.x - b.x) + abs(a.y - b.y) for a, b in zip(track.places, places, strict=True)]
    assert max(off) < 5


def test_a_cut_to_another_scene_ends_a_track() -> None:
    shots, places = moving(20)
    wall = [(20 / 12 + t / 12, np.full((120, 240, 3), 90, np.uint8)) for t in range(20)]
    (track,) = follow([*shots, *wall], Nothing, finder=lambda image: finder(places)(image) if image.max() > 200 else [])
    assert len(track.times) == 20


def test_a_long_track_is_cut() -> None:
    shots, places = moving(LONGEST + 60, step=0.0)
    tracks = list(follow(shots, Nothing, finder=finder(places)))
    assert [len(track.times) for track in tracks] == [LONGEST, 61]
    assert all(len(track.rows) == len(track.times) - 1 for track in tracks)


def test_every_measure_is_finite_and_in_its_place() -> None:
    shots, places = moving(10)
    gauge = Gauge()
    rows = [gauge.step(shots[t - 1][1], shots[t][1], places[t]) for t in range(1, 10)]
    assert rows[0].shape == (sum(WIDTHS.values()),)
    assert np.isfinite(rows).all()
    blocks = context(np.array(rows, dtype=np.float64))
    shapes = {name: (9, 5 * n - len(ABSOLUTE[name])) for name, n in WIDTHS.items()}
    assert {name: x.shape for name, x in blocks.items()} == shapes
    edge = Gauge().step(shots[0][1], shots[1][1], Place(1.0, 1.0, 300.0))
    assert np.isfinite(edge).all()


def test_a_flash_in_the_face_alone_is_flicker() -> None:
    (_, before), (_, after) = moving(2, step=0.0)[0]
    place = Place(40, 54, 48)
    flash = after.copy()
    flash[40:68, 28:52] = np.clip(flash[40:68, 28:52].astype(int) + 40, 0, 255)
    start = WIDTHS["flow"]
    calm, bright = Gauge().step(before, after, place), Gauge().step(before, flash, place)
    assert abs(calm[start]) < 1
    assert bright[start] > 3


def test_a_level_that_a_whole_track_shares_is_no_evidence() -> None:
    rows = np.random.default_rng(0).normal(0, 1, (20, sum(WIDTHS.values())))
    shifted, first = rows.copy(), 0
    for name, width in WIDTHS.items():
        shifted[:, [first + place for place in ABSOLUTE[name]]] += 2.0  # as enlarging or a codec does
        first += width
    before, after = context(rows), context(shifted)
    for name in WIDTHS:
        np.testing.assert_allclose(after[name], before[name], atol=1e-6)
    assert any(np.abs(context(rows + 2.0)[name] - before[name]).max() > 1 for name in WIDTHS)
