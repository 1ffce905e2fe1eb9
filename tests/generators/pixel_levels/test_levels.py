"""The grammar of levels, and the measures on them."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.pixel_levels import levels
from generators.pixel_levels import truth as levels_truth
from generators.pixel_levels.levels import (
    COLUMNS,
    KINDS,
    ROWS,
    SKIN,
    TILES,
    Levels,
    playable,
    to_text,
    to_tiles,
    variants,
)
from generators.pixel_levels.model import PixelLevels
from generators.pixel_levels.truth import Markov, agreement, copies, pattern_divergence, variogram
from guardrails.core.errors import ConfigurationError

from .walking import walk

SEEDS = st.integers(0, 2**32)


@cache
def shipped(dose: float = 0.0, kind: str = "any") -> PixelLevels:
    return PixelLevels.load(copy=dose, kind=kind)


@given(SEEDS)
def test_every_level_can_be_played_and_shows_its_kind(seed: int) -> None:
    drawn = levels.draw(12, np.random.default_rng(seed))
    for text, kind in zip(to_text(drawn.tiles), drawn.kinds, strict=True):
        assert walk(text) == (KINDS[kind] != "terrain")
        assert (text.count("K"), text.count("D")) == ((1, 1) if KINDS[kind] == "dungeon" else (0, 0))
        assert ("=" in text) == (KINDS[kind] == "overworld")
        assert not ({"#", "^"} & {*text} and {"T", "~"} & {*text})  # one skin


@given(SEEDS)
def test_a_dungeon_needs_its_key(seed: int) -> None:
    for text in to_text(levels.draw(4, np.random.default_rng(seed), kinds=[0] * 4).tiles):
        assert not walk(text.replace("K", "."))


@given(SEEDS, st.floats(0.1, 0.6))
def test_playable_agrees_with_a_literal_walk_on_any_tiles(seed: int, walls: float) -> None:
    rng = np.random.default_rng(seed)
    tiles = rng.choice([2, 5, 9, 10, 11], (20, ROWS, COLUMNS), p=[0.6, 0.1, 0.1, 0.1, 0.1])
    tiles[rng.random(tiles.shape) < walls] = rng.choice(levels.BLOCKED)
    for level in tiles:
        for tile, number in ((6, 1), (7, rng.integers(1, 3)), (8, rng.integers(0, 2))):
            for _ in range(number):
                level[rng.integers(ROWS), rng.integers(COLUMNS)] = tile
    assert playable(tiles.astype(np.uint8)).tolist() == [walk(text) for text in to_text(tiles.astype(np.uint8))]


def test_mirrors_and_skins_keep_a_level_playable_and_are_undone_by_themselves() -> None:
    drawn = levels.draw(50, np.random.default_rng(0))
    assert (SKIN[SKIN] == np.arange(len(TILES))).all()
    for look in variants(drawn.tiles):
        assert (playable(look) == playable(drawn.tiles)).all()
    assert (variants(drawn.tiles[0])[3] == SKIN[drawn.tiles[0]][:, ::-1]).all()


def test_the_law_knows_no_left_and_right_and_both_skins() -> None:
    drawn = levels.draw(6000, np.random.default_rng(1), kinds=np.arange(6000) % 3)
    for tile in range(levels.LOWEST):
        shares = (drawn.tiles == tile).mean((0, 1))
        assert shares == pytest.approx(shares[::-1], abs=0.035)
        assert shares.mean() == pytest.approx((drawn.tiles == SKIN[tile]).mean(), abs=0.02)


def test_the_heights_differ_as_the_spectrum_says() -> None:
    # Independently: pairs of normals whose correlation is the inverse Fourier transform of the spectrum, cut alike.
    rng = np.random.default_rng(2)
    correlation = np.fft.ifft2(levels.spectrum(32, 32)).real
    assert correlation[0, 0] == pytest.approx(1)
    expected = []
    for lag in levels_truth.LAGS:
        a, b = rng.standard_normal((2, 400_000))
        b = correlation[0, lag] * a + math.sqrt(1 - correlation[0, lag] ** 2) * b
        low, high = (np.clip(np.floor(x / levels.STEP), -4, 3) for x in (a, b))
        expected.append(((low - high) ** 2).mean())
    terrain = levels.draw(4000, rng, kinds=[3] * 4000).tiles
    assert variogram(terrain) == pytest.approx(expected, rel=0.05)


def test_a_level_is_a_text_of_twelve_rows() -> None:
    drawn = levels.draw(30, np.random.default_rng(3))
    texts = to_text(drawn.tiles)
    assert all([len(row) for row in text.split("\n")] == [COLUMNS] * ROWS for text in texts)
    assert (to_tiles(texts) == drawn.tiles).all()


@pytest.mark.parametrize("text", ["", "....", "\n".join(["." * 16] * 11), "\n".join(["?" * 16] * 12)])
def test_what_is_no_level_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="12 rows of 16"):
        shipped().log_prob([text])


def test_pictures_show_levels_apart() -> None:
    drawn = levels.draw(8, np.random.default_rng(4), kinds=[0, 1, 2, 3] * 2)
    pictures = [levels.picture(x) for x in drawn.tiles]
    assert {x.shape for x in pictures} == {(96, 128, 3)}
    assert all(x.dtype == np.uint8 and len(np.unique(x.reshape(-1, 3), axis=0)) > 3 for x in pictures)


def test_agreement_is_the_share_of_equal_tiles_with_the_nearest() -> None:
    rng = np.random.default_rng(7)
    tiles, corpus = (rng.integers(20, size=(n, 5, 6)).astype(np.uint8) for n in (8, 11))
    literal = [max(float((x == y).mean()) for y in corpus) for x in tiles]
    assert agreement(tiles, corpus) == pytest.approx(literal)
    assert agreement(corpus[:4], corpus).tolist() == [1.0] * 4


def test_copies_are_found_under_mirror_and_skin_and_fresh_levels_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels_truth, "FRESH", 1000)
    corpus = Levels(to_tiles(shipped().training_items()), np.arange(400) % len(KINDS))
    rng = np.random.default_rng(8)
    for look in variants(corpus.tiles[:40]):
        blurred = look.copy()
        blurred[:, rng.integers(ROWS, size=4), rng.integers(COLUMNS, size=4)] = 2
        assert copies(Levels(blurred, corpus.kinds[:40]), corpus).all()
    assert copies(levels.draw(500, rng), corpus).sum() <= 3


def test_divergence_of_patterns_is_0_for_the_same_and_1_for_strangers() -> None:
    tiles = levels.draw(20, np.random.default_rng(9)).tiles
    assert pattern_divergence(tiles, tiles) == 0
    assert pattern_divergence(np.zeros_like(tiles), np.ones_like(tiles)) == pytest.approx(1)


def test_the_markov_model_smooths_as_its_formula_says() -> None:
    drawn = levels.draw(300, np.random.default_rng(10))
    model = Markov(drawn)
    chances = model._chances(model._contexts(drawn))
    assert chances.sum(-1) == pytest.approx(1)
    # The first tile of a dungeon: its neighbours are beyond the border, whatever the order.
    first = drawn.tiles[drawn.kinds == 0]
    whole = np.bincount(first.ravel(), minlength=20)
    corner = np.bincount(first[:, 0, 0], minlength=20)
    p = (whole + (whole > 0).sum() / 20) / (whole.sum() + (whole > 0).sum())
    for _ in range(2):
        p = (corner + (corner > 0).sum() * p) / (corner.sum() + (corner > 0).sum())
    assert chances[np.flatnonzero(drawn.kinds == 0)[0], 0, 0] == pytest.approx(p)
    made = model.sample(drawn.kinds, np.random.default_rng(0))
    assert model.bits(made) == pytest.approx(model.bits(drawn), rel=0.15)


@pytest.mark.public_data
def test_a_level_cut_from_a_real_one_is_found(test_data: Path) -> None:
    def windows(path: Path) -> np.ndarray:
        rows = path.read_text(encoding="utf-8").split()
        grid = np.array([[ord(x) for x in row] for row in rows if len(row) == len(rows[0])], np.uint8)
        return np.stack([grid[r : r + ROWS, c : c + COLUMNS] for r in (0, 5, 10) for c in (0, 6, 12, 16)])

    paths = sorted((test_data / "levels" / "lode_runner").glob("Level *.txt"))
    corpus = np.concatenate([windows(path) for path in paths[:60]])
    others = np.concatenate([windows(path) for path in paths[60:]])
    bricks = np.arange(256, dtype=np.uint8)
    bricks[[ord("b"), ord("B")]] = bricks[[ord("B"), ord("b")]]  # a skin: soft and hard bricks change places
    looks = np.concatenate([corpus, corpus[..., ::-1], bricks[corpus], bricks[corpus[..., ::-1]]])
    by_chance = float(np.quantile(agreement(others, looks), 0.95))
    cut = corpus[:100].copy()
    cut[:, ::4, ::5] = ord("G")  # and a few tiles changed
    assert by_chance < 0.9
    assert (agreement(bricks[cut[..., ::-1]], looks) > by_chance).mean() > 0.95


@pytest.mark.public_data
def test_rooms_of_a_real_game_can_be_crossed_from_door_to_door(test_data: Path) -> None:
    crossed = 0
    rooms = []
    for path in sorted((test_data / "levels" / "the_legend_of_zelda").glob("tloz*.txt")):
        rows = path.read_text(encoding="utf-8").split()
        for r in range(0, len(rows) - 15, 16):
            rooms += [[row[c : c + 11] for row in rows[r : r + 16]] for c in range(0, len(rows[0]) - 10, 11)]
    rooms = [room for room in rooms if sum(room[r].count("D") > 0 for r in (1, 14)) == 2]  # a door at either end
    assert len(rooms) > 20
    for room in rooms:
        tiles = np.array([[0 if x in "WB-PI" else 2 for x in row] for row in room], np.uint8)
        for r, tile in ((1, levels.START), (14, levels.EXIT)):
            tiles[r, room[r].index("D")] = tile
        crossed += int(playable(tiles[None])[0])
        assert playable(tiles[None])[0] == walk("\n".join("".join(TILES[x] for x in row) for row in tiles))
        tiles[8] = levels.ROCK
        assert not playable(tiles[None])[0]
    assert crossed / len(rooms) > 0.8
