"""Cliques: repeated pictures are found, fresh ones are not, and the intervals cover although outputs hang together."""

import json
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from guardrails import cli
from guardrails.core.asking import ask
from guardrails.core.probe import Budget
from guardrails.core.statistics import wilson
from guardrails.core.subject import Subject
from guardrails.kit.io import encode_png
from guardrails.kit.pictures.batches import open_thumbnail
from guardrails.memorization.cliques import Cliques
from guardrails.memorization.pictures.fingerprints import fingerprints
from guardrails.memorization.pictures.near_identical import (
    FIXED,
    LOOSEST,
    Likeness,
    cliques,
    collision_rate,
    graph,
    in_cliques,
    share_in_cliques,
    tilewise,
)
from guardrails.memorization.pictures.side_by_side import coarse, draw_beside
from guardrails.targets import load_target

from .scenes import Images, noisy, scene, scenes


@dataclass
class FakeImages(Images):
    """Gives fresh scenes, but a share of them are a few pictures again and again, with noise and another brightness."""

    repeated: list
    share: float = 0.0

    def sample_images(self, n, *, seed):
        rng = np.random.default_rng(seed)
        return [
            noisy(self.repeated[rng.integers(len(self.repeated))] / 255 * rng.uniform(0.8, 1), rng)
            if rng.random() < self.share
            else scene(rng)
            for _ in range(n)
        ]


@dataclass
class Given(FakeImages):
    """Gives these pictures, in order."""

    @property
    def available(self):
        return len(self.repeated)

    def sample_images(self, n, *, seed):
        return self.repeated[:n]


CORPUS = scenes(120, 1)


@pytest.fixture(scope="module")
def clean():
    return Subject(target=FakeImages(CORPUS), corpus=CORPUS, holdout=scenes(230, 2), reference=scenes(240, 3))


def repeating(subject, share, pictures=4):
    return replace(subject, target=FakeImages(subject.corpus[:pictures], share))


def rows_of(probe, subject, budget=Budget.CONTROL):
    rows = [row for b in probe.plan(subject, budget, seed=0) for row in ask(probe, subject, b, seed=b.index)]
    return json.loads(json.dumps(rows, allow_nan=False))


PROBE = Cliques()  # works out each subject's data once


def measured(subject, budget=Budget.CONTROL):
    return PROBE.measure(rows_of(PROBE, subject, budget), subject, seed=0)


def test_fresh_pictures_form_no_cliques(clean):
    rate, collisions = measured(clean)
    assert (rate.metric, rate.n, rate.value, collisions.value) == ("clique_rate", 60, 0, 0)
    assert rate.high < 0.1
    assert rate.baseline.n == 60
    assert rate.baseline.value == 0
    assert "variety of" in collisions.explanation


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_repeated_pictures_are_found_and_traced(clean, share):
    rate, collisions = measured(repeating(clean, share), Budget.QUICK)
    assert rate.low <= share <= rate.high
    assert collisions.low <= share**2 / 4 <= collisions.high
    assert "4 training pictures" in rate.explanation
    assert len(rate.evidence) == 4
    assert all("the nearest training picture" in e.caption for e in rate.evidence)


def test_without_a_corpus_cliques_are_found_and_not_traced(clean):
    rate, _ = measured(replace(repeating(clean, 1.0), corpus=None))
    assert rate.low > 0.9
    assert "--corpus would tell" in rate.explanation
    assert not any("training picture" in e.caption for e in rate.evidence)


def test_without_real_pictures_a_fixed_distance_decides(clean):
    bare = replace(clean, corpus=None, holdout=None, reference=None)
    assert measured(bare)[0].value == 0
    rate, collisions = measured(replace(repeating(clean, 1.0), corpus=None, holdout=None, reference=None))
    assert rate.value > 0.9
    assert rate.baseline is collisions.baseline is None
    assert f"nearer than {FIXED:g}, fixed" in rate.explanation


def test_the_sheets_show_outputs_and_their_training_picture(clean, tmp_path):
    probe, subject = Cliques(), repeating(clean, 1.0)
    rows = rows_of(probe, subject)
    probe.save_media(rows, subject, tmp_path)
    named = {m for e in probe.measure(rows, subject, seed=0)[0].evidence for m in e.media}
    assert {f"media/{p.name}" for p in (tmp_path / "media").iterdir()} == named
    assert len(named) == 4


def test_a_mixture_with_rows_of_the_spiked_target_is_found(clean):
    probe = Cliques()
    spiked = probe.spike(clean, [], seed=0)
    planted, rows = rows_of(probe, spiked, Budget.QUICK), rows_of(probe, clean, Budget.QUICK)
    assert probe.recovery(rows, planted, clean)[0] > 0.9
    assert probe.recovery([], [], clean) is None
    mixed = probe.measure(planted[:90] + rows[90:], clean, seed=0)[0]
    assert mixed.low > 0.1


def test_bad_items_are_counted_apart(clean):
    probe = Cliques()
    rows = rows_of(probe, clean)
    rows[3] = {"item": rows[3]["item"], "error": "refused"}
    m = probe.measure(rows, clean, seed=0)[0]
    assert (m.n, m.errors) == (59, 1)


@pytest.mark.parametrize("n", [0, 1, 39])
def test_too_few_outputs_say_how_many_are_needed(clean, n):
    probe = Cliques()
    for m in probe.measure(rows_of(probe, clean)[:n], clean, seed=0):
        assert m.value is None
        assert m.needed == 40
        assert f"{n} outputs; at least 40" in m.reason


def test_one_picture_all_the_time_is_one_clique(clean):
    rate, collisions = measured(replace(clean, target=Given([CORPUS[7]] * 60)))
    assert rate.value == collisions.value == 1
    assert "drawn from 1 equally likely" in collisions.explanation
    assert [e.caption.split(";")[0] for e in rate.evidence] == [
        "7 of 60 outputs that are alike, at 16 × 16 pixels",
    ]
    assert "training picture, 7: alike" in rate.evidence[0].caption


@pytest.mark.parametrize("value", [0, 128])
def test_blank_pictures_are_left_out(clean, value):
    blank = np.full((24, 24, 3), value, np.uint8)
    m = measured(replace(clean, target=Given([blank] * 60)))[0]
    assert m.value is None
    assert "0 outputs that show anything (60 are blank); at least 40" in m.reason
    m = measured(replace(clean, target=Given([blank] * 5 + scenes(55, 9))))[0]
    assert (m.n, m.value) == (55, 0)
    assert "5 blank outputs were left out" in m.explanation


def test_the_same_picture_at_other_sizes_and_without_colour_is_alike(clean):
    picture = np.repeat(CORPUS[0].mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    sizes = [picture, np.kron(picture, np.ones((3, 3, 1), np.uint8)), picture[..., 0]]
    m = measured(replace(clean, target=Given(sizes * 10 + scenes(30, 9))))[0]
    assert m.value == 0.5


@pytest.mark.parametrize("name", ["reference", "holdout", "corpus"])
def test_real_pictures_that_are_too_few_are_passed_over(clean, name):
    few = {"reference": CORPUS[:1], "holdout": [], "corpus": None} | {name: clean.reference}
    likeness = Cliques().likeness(replace(clean, **few))
    assert likeness.kind == name
    assert len(likeness.check) == 120


def test_the_threshold_is_the_smallest_distance_of_two_real_pictures():
    grey = [np.kron(p[::2, ::2], np.ones((2, 2, 1), np.uint8)) for p in scenes(260, 4)]
    likeness = Likeness.of([("holdout", grey + grey[:40])])  # a picture that was saved twice counts once
    vectors = fingerprints(grey)
    assert likeness.pairs == 130 * 129 // 2
    apart = tilewise(vectors, vectors)[np.triu_indices(260, 1)]
    assert min(apart.min(), LOOSEST) <= likeness.threshold <= LOOSEST
    assert len(likeness.check) == 130


def test_real_pictures_that_are_all_one_set_no_threshold():
    assert Likeness.of([("reference", [CORPUS[0]] * 400)]).threshold == FIXED
    assert Likeness.of([("reference", [np.zeros((8, 8, 3), np.uint8)] * 400)]).kind == ""


def test_the_distance_is_the_largest_over_tiles():
    a, b = fingerprints(scenes(2, 5))
    tiles = [
        np.linalg.norm((a - b).reshape(16, 16, 3)[r : r + 4, c : c + 4])
        for r in range(0, 16, 4)
        for c in range(0, 16, 4)
    ]
    assert tilewise(a[None], b[None])[0, 0] == pytest.approx(4 * max(tiles), rel=1e-3)
    assert tilewise(a[None], b[None])[0, 0] >= np.linalg.norm(a - b)


def test_a_small_difference_on_a_large_equal_ground_is_seen():
    """The reason for tiles: two pictures of mostly the same wall, each with another small thing in front."""
    rng = np.random.default_rng(0)
    wall = np.tile(np.where(np.arange(32) % 8 < 4, 0.3, 0.7)[None, :, None], (32, 1, 3))
    first, second = wall.copy(), wall.copy()
    first[4:8, 4:8], second[4:8, 4:8] = (0.8, 0.2, 0.2), (0.2, 0.2, 0.8)
    a, b, same = fingerprints([noisy(p, rng) for p in (first, second, first)])
    assert np.linalg.norm(a - b) < LOOSEST < tilewise(a[None], b[None])[0, 0]
    assert tilewise(a[None], same[None])[0, 0] < FIXED


@st.composite
def graphs(draw, most=9):
    n = draw(st.integers(4, most))
    edges = np.zeros((n, n), bool)
    for i, j in combinations(range(n), 2):
        edges[i, j] = edges[j, i] = draw(st.booleans())
    return edges


def in_a_triangle(edges):
    nodes = [set(t) for t in combinations(range(len(edges)), 3) if all(edges[i, j] for i, j in combinations(t, 2))]
    return set().union(*nodes)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_shares_and_leave_one_out_are_those_of_a_literal_search(edges):
    inside, lost = in_cliques(edges)
    members = in_a_triangle(edges)
    assert set(np.flatnonzero(inside)) == members
    for i in range(len(edges)):
        left = np.delete(np.arange(len(edges)), i)
        assert len(members) - lost[i] == len(in_a_triangle(edges[np.ix_(left, left)]))
    for interval in (share_in_cliques(edges), collision_rate(edges)):
        assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert share_in_cliques(edges).value == pytest.approx(len(members) / len(edges))
    assert collision_rate(edges).value == pytest.approx(edges.mean() * len(edges) / (len(edges) - 1))


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_cliques_are_disjoint_and_complete(edges):
    groups = cliques(edges)
    assert [len(c) for c in groups] == sorted((len(c) for c in groups), reverse=True)
    assert len({i for c in groups for i in c}) == sum(map(len, groups))
    for clique in groups:
        assert len(clique) >= 3
        assert all(edges[i, j] for i, j in combinations(clique, 2))
    assert bool(groups) == bool(in_a_triangle(edges))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=4, max_size=40))
def test_copies_of_a_few_pictures_are_the_cliques(labels):
    labels = np.array(labels)
    edges = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
    groups = sorted((int(n) for n in np.bincount(labels) if n >= 3), reverse=True)
    assert [len(c) for c in cliques(edges)] == groups
    assert share_in_cliques(edges).value == pytest.approx(sum(groups) / len(labels))


def drawn(law, n, rng):
    """A graph of n draws: picture i with probability law[i], else one that never comes again."""
    of = rng.choice(len(law) + 1, n, p=[*law, 1 - sum(law)])
    of = np.where(of == len(law), len(law) + np.arange(n), of)
    return (of[:, None] == of) & ~np.eye(n, dtype=bool)


@pytest.mark.parametrize("n", [60, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "law", [[0.16] * 6, [0.047] * 6, [0.09], [0.02] * 20, [0.5], [0.25] * 4, [0.01] * 90, [0.3, 0.1, 0.05, 0.03, 0.02]]
)
def test_the_intervals_cover(law, n):
    rng = np.random.default_rng(n)
    sizes = np.arange(3, n + 1)
    share = min(1.0, sum((sizes * binom.pmf(sizes, n, p)).sum() for p in law) / n)
    collides = float((np.array(law) ** 2).sum())
    hits = np.zeros(2)
    for _ in range(200):
        edges = drawn(law, n, rng)
        for k, (interval, true) in enumerate(((share_in_cliques(edges), share), (collision_rate(edges), collides))):
            hits[k] += interval.low <= true <= interval.high
    # Nearly all are at 94% or more; a single picture that comes some five times is at 90%.
    assert wilson(int(hits.min()), 200).high > 0.92


def test_a_clique_that_may_be_luck_leaves_the_interval_wide():
    edges = np.zeros((60, 60), bool)
    edges[:3, :3] = ~np.eye(3, dtype=bool)
    assert share_in_cliques(edges).value == 0.05
    assert share_in_cliques(edges).high > 0.2
    assert share_in_cliques(edges).low < 0.02


def test_no_number_of_outputs_is_too_large_for_its_own_copies():
    """All alike: the counts of triangles are large, and exact."""
    edges = ~np.eye(600, dtype=bool)
    assert in_cliques(edges)[1].tolist() == [1] * 600
    assert [len(c) for c in cliques(edges)] == [600]


def test_the_coarse_picture_has_the_fingerprint_of_the_picture():
    pictures = scenes(20, 6)
    small = [open_thumbnail(coarse(p)) for p in pictures]
    assert all(p.shape == (16, 16, 3) for p in small)
    assert np.linalg.norm(fingerprints(pictures) - fingerprints(small), axis=1).max() < 0.05
    assert not graph(fingerprints(pictures), FIXED).any()


def test_pictures_of_any_shape_are_drawn_beside_each_other(tmp_path):
    wide = np.zeros((10, 90, 3), np.uint8)
    draw_beside(tmp_path / "new" / "pair.png", [coarse(wide)], [wide[..., 0], CORPUS[0]])
    assert (tmp_path / "new" / "pair.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_is_read(tmp_path):
    outputs = FakeImages(CORPUS[:2], share=0.8).sample_images(60, seed=0)
    for name, pictures in (("made", outputs), ("few", outputs[:1])):
        (tmp_path / name).mkdir()
        for i, picture in enumerate(pictures):
            (tmp_path / name / f"{i}.png").write_bytes(encode_png(picture))
    target = load_target(f"dir:{tmp_path / 'few'}")
    assert "1 outputs; at least 40" in measured(Subject(target))[0].reason
    assert measured(Subject(load_target(f"dir:{tmp_path / 'made'}")))[0].low > 0.5


@pytest.mark.slow
def test_a_folder_is_audited_from_the_command_line(tmp_path, capsys):
    """With its controls, and pictures of different sizes; without real pictures beside it."""
    made = [
        np.kron(p, np.ones((1 + i % 2, 1 + i % 2, 1), np.uint8)) for i, p in enumerate([CORPUS[0]] * 30 + scenes(30, 9))
    ]
    for name, pictures in (("made", made), ("one", made[:1]), ("black", [np.zeros((9, 9, 3), np.uint8)] * 60)):
        (tmp_path / name).mkdir()
        for i, picture in enumerate(pictures):
            (tmp_path / name / f"{i}.png").write_bytes(encode_png(picture))
    said = {}
    for name in ("made", "one", "black"):
        run = tmp_path / f"run-{name}"
        words = ["--probes", "memorization.cliques", "--budget", "quick", "--json", "--out", str(run)]
        code = cli.run(["audit", f"dir:{tmp_path / name}", *words])
        (finding,) = json.loads(capsys.readouterr().out)["findings"]
        said[name] = (code, finding["status"], finding["measurement"]["value"], finding["reason"])
        assert [c["observed"] for c in finding["controls"]] == ["found", "clear"]
        media = [m for e in finding["measurement"]["evidence"] for m in e["media"]]
        assert all((run / m).is_file() for m in media)
        assert bool(media) == (name == "made")
    assert said["made"][:3] == (1, "fail", 0.5)
    assert said["one"][:3] == (3, "not-assessed", None)
    assert "1 outputs; at least 40" in said["one"][3]
    assert "60 are blank" in said["black"][3]
