"""Levels: copies are found mirrored, cut and in other tiles, other levels are not, and what is no level is said so."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from guardrails.core.errors import NotApplicable
from guardrails.core.subject import Subject
from guardrails.memorization.levels import WINDOW, Levels, Windows, patterns, tiles

from .symbolic import Writer, measured, rows_of

GRIDS = arrays(np.int64, st.tuples(st.integers(5, 8), st.integers(5, 8)), elements=st.integers(97, 99))


def text_of(level):
    return "\n".join("".join(map(chr, row)) for row in level)


def level(seed, rows=12, columns=16):
    """Walls around rooms of random size and furniture."""
    rng = np.random.default_rng(seed)
    out = np.full((rows, columns), ord("#"))
    for _ in range(4):
        r, c = rng.integers(1, rows - 4), rng.integers(1, columns - 5)
        out[r : min(rows - 1, r + rng.integers(3, 7)), c : min(columns - 1, c + rng.integers(3, 8))] = ord(".")
    floor = np.argwhere(out == ord("."))
    for tile in "SEkmmtt":
        out[tuple(floor[rng.integers(len(floor))])] = ord(tile)
    return text_of(out)


def many(first, n):
    return [level(first + i) for i in range(n)]


@pytest.fixture(scope="module")
def clean():
    return Subject(target=Writer(many(9000, 100)), corpus=many(0, 80), holdout=many(1000, 200))


def looks(grid):
    """Windows as what an eye sees: which tiles are equal."""
    rows, columns = grid.shape
    return {
        tuple(tuple(int(v) for v in np.flatnonzero(w == t)) for t in dict.fromkeys(w))
        for r in range(rows - WINDOW + 1)
        for c in range(columns - WINDOW + 1)
        for w in [grid[r : r + WINDOW, c : c + WINDOW].ravel()]
    }


@settings(deadline=None, max_examples=40)
@given(GRIDS)
def test_as_many_patterns_as_an_eye_sees(grid):
    assert len(patterns(grid)) == len(looks(grid))


@settings(deadline=None, max_examples=40)
@given(GRIDS, st.permutations([97, 98, 99]))
def test_which_tile_is_which_does_not_matter(grid, other):
    skinned = np.array(other)[grid - 97]
    assert np.array_equal(patterns(skinned), patterns(grid))


@settings(deadline=None, max_examples=40)
@given(st.lists(GRIDS, min_size=1, max_size=4), GRIDS)
def test_the_nearest_level_is_that_of_a_naive_search(known, grid):
    (match,) = Windows(known).look_up([grid])
    shares = [max(len(looks(grid) & looks(look)) for look in (one, one[:, ::-1])) / len(looks(grid)) for one in known]
    assert match.score == max(shares)
    assert shares[match.place] == max(shares)
    assert match.whole == (match.score == 1)


@pytest.mark.parametrize(
    "text",
    ["", "#", "####\n" * 5, "x" * 200_000, "#####\n" * 4, "#####\n####\n" * 4,
     "A page of prose\nin lines\nof any length.\n",
     "\n".join("".join(chr(200 + 20 * r + c) for c in range(20)) for r in range(20))],
)  # fmt: skip
def test_what_is_no_level_is_none(text):
    assert tiles(text) is None


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_do_not_matter(end):
    assert tiles(end.join(level(3).splitlines()) + end).shape == (12, 16)


def test_a_clean_writer_is_at_the_level_of_held_out_levels(clean):
    readings = measured(Levels(), clean)
    assert readings["copy_rate"].n == 100
    assert readings["copy_rate"].high < 0.12
    assert readings["whole_rate"].value == 0


def altered(how, text):
    grid = tiles(text)
    return text_of(
        {
            "mirrored": lambda: grid[:, ::-1],
            "cut": lambda: grid[2:, 3:],
            "in other tiles": lambda: np.vectorize(dict(zip(np.unique(grid), range(65, 99), strict=False)).get)(grid),
            "framed": lambda: np.pad(grid, 2, constant_values=ord("@")),
        }[how]()
    )


@pytest.mark.parametrize("how", ["mirrored", "cut", "in other tiles", "framed"])
def test_altered_copies_are_found(clean, how):
    copies = [altered(how, text) for text in clean.corpus]
    rate = measured(Levels(), replace(clean, target=Writer(copies)))["copy_rate"]
    assert rate.value > 0.9
    assert rate.low > 0.1


def test_a_level_in_which_every_window_is_changed_is_missed(clean):
    """The near miss that `limits` names."""
    rng = np.random.default_rng(0)
    changed = []
    for text in clean.corpus:
        grid = tiles(text)
        grid[1::3, 1::3] = rng.integers(33, 48, grid[1::3, 1::3].shape)
        changed.append(text_of(grid))
    assert measured(Levels(), replace(clean, target=Writer(changed)))["copy_rate"].value < 0.1


def test_ragged_outputs_are_left_out_and_counted(clean):
    rate = measured(Levels(), replace(clean, target=Writer(many(9000, 50) + ["##\n###"] * 50)))["copy_rate"]
    assert (rate.n, rate.errors) == (50, 0)
    assert "50 outputs are no levels of tiles" in rate.explanation


def test_the_spike_is_recovered(clean):
    probe = Levels()
    assert probe.recovery([], rows_of(probe, probe.spike(clean, [], seed=0)), clean)[0] > 0.95


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"corpus": many(0, 1)}, "1 levels of tiles can be read in the corpus; at least 10"),
        ({"holdout": many(0, 80) * 2}, r"that are not in the corpus \(160 are\)"),
        ({"target": Writer(["prose"])}, "0 of 100 outputs"),
    ],
)
def test_too_few_say_so(clean, data, reason):
    for measurement in measured(Levels(), replace(clean, **data)).values():
        assert measurement.value is None
        assert re.search(reason, measurement.reason)


def test_constant_levels_are_a_tie_and_no_crash(clean):
    flat = ["#######\n" * 7] * 200
    readings = measured(Levels(), Subject(Writer(flat), corpus=flat, holdout=flat))
    assert all("not in the corpus" in m.reason for m in readings.values())


@pytest.mark.parametrize(
    "corpus", [["A chapter of prose.\n\nAnother one."] * 20, ["X:1\nK:C\nCDEFGABc"] * 20, ["CCO"] * 9]
)
def test_other_texts_are_not_its_matter(corpus):
    with pytest.raises(NotApplicable, match="looks at levels of tiles; 0 of the"):
        Levels().applicable(Subject(Writer(["x"]), corpus=corpus))


@pytest.mark.public_data
def test_what_is_cut_from_a_level_of_lode_runner_is_found(test_data):
    paths = sorted((test_data / "levels" / "lode_runner").glob("*.txt"))
    every = [tiles(path.read_text()) for path in paths]
    assert {grid.shape for grid in every} == {(22, 32)}
    index = Windows(every[:50])
    cuts = index.look_up([grid[4:18, 28:8:-1] for grid in every[:50]])
    others = index.look_up(every[50:])
    assert [match.place for match in cuts] == list(range(50))
    assert min(match.score for match in cuts) > max(match.score for match in others)


@pytest.mark.public_data
def test_levels_of_other_games_are_read(test_data):
    for folder, n in (("super_mario_bros", 15), ("the_legend_of_zelda", 9)):
        paths = [p for p in sorted((test_data / "levels" / folder).glob("*.txt")) if p.name != "README.txt"]
        grids = [tiles(path.read_text()) for path in paths]
        assert len(grids) == n
        assert all(grid is not None for grid in grids)
