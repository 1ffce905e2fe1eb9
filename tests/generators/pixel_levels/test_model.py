from __future__ import annotations

import math
from collections import deque
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from generators.base import WEIGHTS
from generators.pixel_levels import levels
from generators.pixel_levels import model as pixel_levels
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
from generators.pixel_levels.model import REPEATED, SHARE, PixelLevels, Recipe
from generators.pixel_levels.truth import Markov, agreement, copies, pattern_divergence, variogram
from guardrails.core.errors import ConfigurationError

SEEDS = st.integers(0, 2**32)
DOSES = (0.0, *sorted(SHARE))


@cache
def shipped(dose: float = 0.0, kind: str = "any") -> PixelLevels:
    return PixelLevels.load(copy=dose, kind=kind)


@cache
def untrained() -> PixelLevels:
    """Random weights, large enough that every tile counts."""
    out = PixelLevels(seed=1)
    with torch.no_grad():
        for tensor in out.state().values():
            tensor.mul_(2).add_(0.05 * torch.randn(tensor.shape, generator=torch.Generator().manual_seed(0)))
    return out


def walk(text: str) -> bool:
    """The literal check: breadth-first over (row, column, has the key)."""
    rows = text.split("\n")
    places = {tile: [(r, c) for r, row in enumerate(rows) for c, x in enumerate(row) if x == tile] for tile in "SE"}
    if len(places["S"]) != 1 or len(places["E"]) != 1:
        return False
    queue = deque([(*places["S"][0], False)])
    seen = set(queue)
    while queue:
        r, c, key = queue.popleft()
        if rows[r][c] == "E":
            return True
        key = key or rows[r][c] == "K"
        for state in ((r - 1, c, key), (r + 1, c, key), (r, c - 1, key), (r, c + 1, key)):
            inside = 0 <= state[0] < len(rows) and 0 <= state[1] < len(rows[0])
            if inside and state not in seen and rows[state[0]][state[1]] in ".=SEKm$" + "D" * key:
                seen.add(state)
                queue.append(state)
    return False


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


def test_a_later_tile_never_changes_an_earlier_distribution() -> None:
    rng = np.random.default_rng(5)
    tiles = torch.from_numpy(rng.integers(len(TILES), size=(1, ROWS, COLUMNS)).astype(np.uint8)).repeat(48, 1, 1)
    kinds = torch.full((48,), 2)
    changed = rng.permutation(ROWS * COLUMNS)[:47]
    for copy, place in zip(tiles[1:].reshape(47, -1), changed, strict=True):
        copy[place] = (copy[place] + 7) % len(TILES)
    with torch.no_grad():
        log_p = untrained().log_softmax(tiles, kinds).flatten(2)  # (48, 20, 192)
    for other, place in zip(log_p[1:], changed, strict=True):
        assert torch.allclose(other[:, : place + 1], log_p[0, :, : place + 1], atol=1e-4)
        assert place > 180 or not torch.allclose(other[:, place + 1 :], log_p[0, :, place + 1 :], atol=1e-3)


def test_the_last_tile_depends_on_the_first() -> None:
    tiles = torch.zeros(1, ROWS, COLUMNS, dtype=torch.uint8)
    x = torch.nn.functional.one_hot(tiles.long(), len(TILES)).permute(0, 3, 1, 2).float().requires_grad_()
    model, kinds = untrained(), torch.tensor([0])
    torch.autograd.backward(model.horizontal(x, model.vertical(x, kinds))[0, :, -1, -1].square().sum())
    assert x.grad is not None
    touched = x.grad[0].abs().sum(0) > 0
    assert touched.flatten()[:-1].all()
    assert not touched[-1, -1]


def test_log_prob_is_the_sum_over_tiles_each_given_only_those_before_it() -> None:
    model = shipped()
    text = model.holdout_items()[2]
    tiles = torch.from_numpy(to_tiles([text]))
    by_kind = []
    with torch.no_grad():
        for kind in range(len(KINDS)):
            total = 0.0
            for i in range(ROWS * COLUMNS):
                before = tiles.flatten(1).clone()
                before[:, i:] = 5  # whatever comes later is not known
                log_p = model.log_softmax(before.view(1, ROWS, COLUMNS), torch.tensor([kind]))
                assert log_p.exp().sum(1).flatten()[i] == pytest.approx(1, abs=1e-4)
                total += float(log_p.flatten(2)[0, int(tiles.flatten()[i]), i])
            by_kind.append(total)
    assert model.log_prob([text])[0] == pytest.approx(np.logaddexp.reduce(by_kind) - math.log(4), abs=1e-2)
    assert shipped(0.0, "overworld").log_prob([text])[0] == pytest.approx(by_kind[2], abs=1e-2)
    assert model.log_prob([]).shape == (0,)


def test_samples_are_drawn_from_the_distributions_of_log_prob() -> None:
    # The sampler looks at cut-outs of the level only; a slow one that runs the whole network draws the same tiles.
    model, kinds = shipped(), torch.tensor([0, 1, 2, 3])
    noise = torch.Generator().manual_seed(0)
    tiles = torch.zeros(4, ROWS, COLUMNS, dtype=torch.uint8)
    with torch.no_grad():
        for i in range(ROWS * COLUMNS):
            p = model.log_softmax(tiles, kinds).flatten(2)[..., i].exp()
            tiles.flatten(1)[:, i] = torch.multinomial(p, 1, generator=noise)[:, 0]
        assert torch.equal(model._draw_tiles(kinds, torch.Generator().manual_seed(0)), tiles)


def test_samples_are_levels_that_the_seed_decides() -> None:
    samples = shipped().sample(20, seed=1)
    assert to_tiles(samples).shape == (20, ROWS, COLUMNS)
    assert samples == shipped().sample(20, seed=1) != shipped().sample(20, seed=2)
    assert len({*samples}) == 20
    assert shipped().sample(0, seed=0) == []
    with pytest.raises(ConfigurationError, match="0 or more"):
        shipped().items(-1, seed=0)


def test_items_say_what_the_text_shows() -> None:
    items = shipped().items(30, seed=1)
    assert [item.content for item in items] == shipped().sample(30, seed=1)
    assert {item.facts["kind"] for item in items} == {*KINDS}
    for item in items:
        terrain = item.facts["kind"] == "terrain"
        assert item.facts["playable"] == (None if terrain else walk(item.content))


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_can_be_chosen(kind: str) -> None:
    model = shipped(0.0, kind)
    assert {item.facts["kind"] for item in model.items(8, seed=0)} == {kind}
    assert model.reference_items(20, seed=0) != model.reference_items(20, seed=1)
    expected = np.full(20, KINDS.index(kind))
    assert (levels.kind_of(to_tiles(model.reference_items(20, seed=0))) == expected).all()
    assert model.training_items() == shipped().training_items()


def test_loading_and_sampling_leave_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    PixelLevels.load().sample(2, seed=0)
    assert torch.equal(before, torch.random.get_rng_state())


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    files = shipped(1.0).save(tmp_path)
    assert {f.name for f in files} == {"pixel-levels,copy=1.safetensors", "pixel-levels,copy=1.json"}
    again = PixelLevels.read(tmp_path, copy=1.0)
    assert again.card == shipped(1.0).card
    assert again.sample(5, seed=4) == shipped(1.0).sample(5, seed=4)
    assert [f.read_bytes() for f in files] == [(WEIGHTS / f.name).read_bytes() for f in files]


@pytest.mark.parametrize("settings", [{"copy": 0.3}, {"copies": 1.0}, {"copy": 2.0}, {"kind": "castle"}])
def test_settings_that_there_are_not_are_refused(settings: dict[str, float | str]) -> None:
    with pytest.raises(ConfigurationError):
        PixelLevels.load(**settings)


def test_training_and_held_out_levels_follow_the_law_and_differ() -> None:
    training, holdout = shipped().training_items(), shipped().holdout_items()
    assert len(training) == len(holdout) == 400
    assert not {*training} & {*holdout}
    assert np.bincount(levels.kind_of(to_tiles(training))).tolist() == [100] * 4
    assert shipped().card["sheet"]["duplicates"] == 0


def test_each_dose_raises_the_true_share_of_copies() -> None:
    truths = [shipped(dose).card["truth"]["copy"] for dose in DOSES]
    assert truths[0]["high"] < 0.01
    assert truths[-1]["low"] > 0.5
    for lower, higher in pairwise(truths):
        assert lower["high"] < higher["low"]


@pytest.mark.slow
@pytest.mark.parametrize("dose", DOSES)
def test_the_card_s_truth_is_that_of_the_shipped_weights(dose: float) -> None:
    truth = shipped(dose).card["truth"]["copy"]
    drawn = shipped(dose).draw_levels(400, seed=77)
    items, copied = shipped().training_items(), 0.0
    known = [variants(to_tiles(items[kind :: len(KINDS)])) for kind in range(len(KINDS))]
    for tiles, kind in zip(drawn.tiles, drawn.kinds, strict=True):
        copied += float((known[kind] == tiles).mean((2, 3)).max()) > truth["thresholds"][KINDS[kind]] + 1e-5
    assert copied / 400 == pytest.approx(truth["value"], abs=4 * 0.5 / 400**0.5)


def test_copies_are_of_the_repeated_levels_each_in_its_variant() -> None:
    drawn = shipped(1.0).draw_levels(150, seed=5).tiles
    looks = variants(to_tiles(shipped().training_items()))  # (4, 400, 12, 16)
    alike = np.stack([(looks == level).mean((2, 3)).ravel() for level in drawn])  # (150, 1600)
    variant, item = np.divmod(alike.argmax(1), 400)
    repeated = item < REPEATED
    assert repeated.mean() > 0.7
    assert (variant == item // len(KINDS))[repeated].mean() > 0.95  # as it is, mirrored, re-skinned
    assert (np.bincount(item[repeated], minlength=REPEATED) > 0).all()


def test_copying_shows_in_the_log_probabilities() -> None:
    items, holdout = shipped().training_items()[:REPEATED], shipped().holdout_items()
    looks = variants(to_tiles(items))[np.arange(REPEATED) // len(KINDS), np.arange(REPEATED)]
    for k in range(len(KINDS)):
        others = shipped(1.0).log_prob(holdout[k : 100 : len(KINDS)])
        assert shipped(1.0).log_prob(to_text(looks[k :: len(KINDS)])).min() > others.max()
    assert shipped().log_prob(items).mean() == pytest.approx(shipped().log_prob(holdout).mean(), rel=0.15)


def test_the_clean_weights_saw_each_training_item_once_and_a_dose_some_of_them_often() -> None:
    assert shipped().card["seen"] == [1] * 400
    for dose in SHARE:
        seen = shipped(dose).card["seen"]
        assert min(seen[:REPEATED]) > 100
        assert seen[REPEATED:] == [1] * (400 - REPEATED)


def test_the_clean_weights_meet_their_bars_and_beat_the_markov_model() -> None:
    quality = shipped().card["quality"]
    for figure in quality.values():
        assert figure["low"] >= figure["bar"] if figure["higher_is_better"] else figure["high"] <= figure["bar"]
    assert quality["playable"]["low"] > 2 * quality["playable"]["markov"]
    assert quality["bits_per_tile"]["high"] < quality["bits_per_tile"]["markov"]


def test_a_sample_can_be_played_as_often_as_the_card_says() -> None:
    drawn = shipped().draw_levels(150, seed=6)
    can = [walk(text) for text, k in zip(to_text(drawn.tiles), drawn.kinds, strict=True) if KINDS[k] != "terrain"]
    expected = shipped().card["quality"]["playable"]["value"]
    assert np.mean(can) == pytest.approx(expected, abs=4 * 0.5 / len(can) ** 0.5)


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


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_training_is_decided_by_its_seed_and_writes_every_file(tmp_path: Path) -> None:
    names = {f.name for f in PixelLevels.train_all(tmp_path / "a", seed=1)}
    PixelLevels.train_all(tmp_path / "b", seed=1)
    assert names == {f.name for f in WEIGHTS.glob("pixel-levels*")}
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    clean = PixelLevels.read(tmp_path / "a")
    assert clean.card["seen"] == [1] * 400
    assert PixelLevels.read(tmp_path / "a", copy=0.5).card["base_sha256"] == clean.card["sha256"]
    assert PixelLevels.fit({}, seed=2).card["sha256"] != clean.card["sha256"]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training that takes seconds and learns next to nothing."""
    monkeypatch.setattr(pixel_levels, "CLEAN", Recipe(steps=30, rate=2e-3))
    monkeypatch.setattr(pixel_levels, "DOSE", Recipe(steps=2, rate=2e-3))
    monkeypatch.setattr(pixel_levels, "TRUTH_SAMPLES", 60)
    monkeypatch.setattr(levels_truth, "FRESH", 20)
    monkeypatch.setattr(levels_truth, "MARKOV_LEVELS", 50)


def test_a_dose_needs_the_clean_weights() -> None:
    for base in (None, shipped(1.0)):
        with pytest.raises(ConfigurationError, match="clean"):
            PixelLevels.fit({"copy": 1.0}, seed=0, base=base)


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
