"""Copies beyond whole pixels: by the descriptor, by windows, and by a descriptor of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.assay.audit.plan import make_settings
from guardrails.assay.audit.scope import Scope
from guardrails.cli import train
from guardrails.core.asking import ask
from guardrails.core.errors import ConfigurationError
from guardrails.core.probe import Budget
from guardrails.core.registry import load_probe
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.kit.pictures.user_descriptor import load_descriptor
from guardrails.memorization.copies import Copies
from guardrails.memorization.pictures import copied_regions
from guardrails.memorization.pictures.copied_regions import TileIndex, windows
from guardrails.memorization.pictures.copy_search import DESCRIPTOR, TILE, WAYS, WHOLE, CopySearch
from guardrails.memorization.pictures.copy_threshold import Calibration
from guardrails.training import copy_descriptor
from guardrails.training.material import copy_alterations
from guardrails.training.material.copy_alterations import ALTERATIONS, recalls

Image = Any


def mosaic(rng: np.random.Generator, side: int = 48) -> Image:
    """Overlapping coloured rectangles: edges everywhere, and no two alike."""
    out = np.full((side, side, 3), 120, np.uint8)
    for _ in range(40):
        top, left = rng.integers(0, side - 3, 2)
        height, width = rng.integers(3, side // 3, 2)
        out[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    return out


def mosaics(n: int, seed: int) -> list[Image]:
    rng = np.random.default_rng(seed)
    return [mosaic(rng) for _ in range(n)]


class Maker:
    """Gives fresh mosaics, each altered with a training picture."""

    name, modality, available = "maker", Modality.IMAGE, None
    access = frozenset({Access.OUTPUTS, Access.SAMPLING})

    def __init__(self, corpus: list[Image], how: str | None = None) -> None:
        self.corpus, self.how = corpus, how

    def identity(self) -> dict[str, str]:
        return {}

    def sample_images(self, n: int, *, seed: int) -> list[Image]:
        rng = np.random.default_rng((seed, 7))
        strangers = [mosaic(rng) for _ in range(n)]
        if self.how is None:
            return strangers
        return [ALTERATIONS[self.how](self.corpus[i % len(self.corpus)], s, rng) for i, s in enumerate(strangers)]


CORPUS, HOLDOUT = mosaics(100, 1), mosaics(120, 2)
PROBE = Copies()


def subject(how: str | None = None) -> Subject:
    return Subject(Maker(CORPUS, how), corpus=CORPUS, holdout=HOLDOUT)


def rows_of(of: Subject, probe: Copies = PROBE, batches: int = 1) -> list[dict[str, Any]]:
    plan = probe.plan(of, Budget.CONTROL, seed=0)[:batches]
    return json.loads(json.dumps([row for b in plan for row in ask(probe, of, b, seed=b.index)]))


def values(of: Subject) -> dict[str, float]:
    return {m.metric: m.value for m in PROBE.measure(rows_of(of), of, seed=0) if m.value is not None}


@pytest.fixture(scope="module")
def search() -> CopySearch:
    copy_search = PROBE.search(subject())
    assert isinstance(copy_search, CopySearch)
    return copy_search


@pytest.mark.slow
def test_each_measure_has_its_interval_its_n_and_what_the_holdout_says() -> None:
    measured = PROBE.measure(rows_of(subject()), subject(), seed=0)
    ways = ["copy_rate", "copy_excess", "descriptor_copy_rate", "tile_copy_rate"]
    assert [m.metric for m in measured] == [*ways, "exact_copies"]
    for m in (measured[0], *measured[2:4]):
        assert m.value is not None
        assert m.value <= 0.1
        assert m.baseline is not None
        assert m.baseline.n == 60
        assert m.baseline.value <= 0.1


def test_mirrored_copies_are_found_whole_and_by_the_descriptor() -> None:
    rates = values(subject("mirrored"))
    assert rates["copy_rate"] > 0.9
    assert rates["tile_copy_rate"] < 0.3
    assert rates["descriptor_copy_rate"] > 0.7


def test_a_copied_quarter_is_found_by_its_windows_alone() -> None:
    rates = values(subject("a quarter, in place"))
    assert rates["tile_copy_rate"] > 0.9
    assert rates["copy_rate"] < 0.2
    anywhere = values(subject("a quarter, anywhere"))
    assert anywhere["tile_copy_rate"] > 0.3


def test_evidence_beside_shows_what_the_measures_before_do_not(tmp_path: Path) -> None:
    of = subject("a quarter, in place")
    rows = rows_of(of)
    measured = {m.metric: m for m in PROBE.measure(rows, of, seed=0)}
    shown = [name for e in measured["tile_copy_rate"].evidence for name in e.media]
    assert shown == [f"media/copies-tile-{k}.png" for k in (1, 2, 3)]
    assert "not counted by the measures before" in measured["tile_copy_rate"].explanation
    PROBE.save_media(rows, of, tmp_path)
    assert all((tmp_path / name).is_file() for name in shown)


def test_measures_accept_rows_of_any_kind() -> None:
    of = subject()
    rows = rows_of(of)
    for some in (
        [],
        rows[:3],
        rows[:20] * 3,
        [{"item": "x", "error": "no"}] * 50,
        [*rows, {"item": "x", "ratio": None}],
    ):
        for m in PROBE.measure(some, of, seed=0):
            assert m.value is not None or m.reason


def test_flat_pictures_have_no_regions_to_compare() -> None:
    flat = [np.full((20, 20, 3), 100, np.uint8) + np.uint8(i) for i in range(100)]
    assert TileIndex.build(flat, np.arange(100)) is None
    index = TileIndex.build(CORPUS, np.arange(100))
    assert index is not None
    assert index.look_up(flat[0]).score == 1.0


def test_a_subject_of_smooth_pictures_says_why_it_has_no_regions() -> None:
    y, x = np.mgrid[:32, :32]
    rng = np.random.default_rng(0)

    def soft() -> Image:
        a, b, c = rng.uniform(0.2, 1.2, 3)
        return np.stack([110 + 12 * np.sin(a * x / 9 + b * 6), 110 + 12 * np.cos(b * y / 9 + c * 6), x * 0 + 99.0], 2)

    pictures = [soft().astype(np.uint8) for _ in range(240)]
    of = Subject(Maker(CORPUS), corpus=pictures[:120], holdout=pictures[120:])
    probe = Copies()
    readings = {m.metric: m for m in probe.measure(rows_of(of, probe), of, seed=0)}
    assert readings["copy_rate"].value is not None
    assert "flat" in str(readings["tile_copy_rate"].reason)


def test_windows_are_those_of_a_literal_cut() -> None:
    picture = mosaics(1, 5)[0].repeat(4, 0).repeat(4, 1)[:64, :64]
    vectors, textured = windows(picture)
    assert vectors.shape == (441, 108)
    for row, column in ((0, 0), (3, 8), (20, 20)):  # in halves of a cell, each two pixels
        cut = picture[2 * row : 2 * row + 24, 2 * column : 2 * column + 24] / 255
        cells = cut.reshape(6, 4, 6, 4, 3).mean((1, 3)).transpose(2, 0, 1).reshape(3, 36)
        cells -= cells.mean(1, keepdims=True)
        norm = np.linalg.norm(cells)
        place = row * copied_regions.ACROSS + column
        assert np.allclose(vectors[place], cells.ravel() / max(norm, 1e-6), atol=1e-4)
        assert textured[place] == (norm >= copied_regions.FLAT * np.sqrt(108))


def test_the_nearest_tiles_are_those_of_a_literal_search(search: CopySearch, monkeypatch: pytest.MonkeyPatch) -> None:
    assert search.tiles is not None
    monkeypatch.setattr(copied_regions, "_BLOCK", 100)
    tiles = search.tiles.table[:-1].T
    some = tiles[:5] + 0.05
    distance, tile = search.tiles._nearest(some, 50)
    for i in range(5):
        d = np.linalg.norm(tiles - some[i], axis=1)
        assert sorted(distance[i]) == pytest.approx(sorted(d)[:50], abs=2e-3)
        assert np.allclose(d[tile[i]], distance[i], atol=2e-3)


def test_a_part_of_a_large_corpus_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copied_regions, "MOST", 60)
    index = TileIndex.build(CORPUS, np.arange(100))
    assert index is not None
    assert index.pictures == 60
    assert len({*index.place}) == 60


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=400))
def test_a_calibration_takes_the_lowest_hundredth_of_one_half(scores: list[float]) -> None:
    fitted = Calibration.of(scores)
    assert sorted([*fitted.calibration, *fitted.check]) == sorted(scores)
    below = int((fitted.calibration < fitted.threshold).sum())
    assert below <= max(0, 0.01 * (len(fitted.calibration) + 1) - 1)
    assert 0 < fitted.expected <= 0.5
    assert fitted.alarms == sum(score < fitted.threshold for score in fitted.check)


def test_alterations_keep_a_picture_a_picture() -> None:
    rng = np.random.default_rng(0)
    for name, alter in ALTERATIONS.items():
        for size in ((31, 48), (64, 20)):
            image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
            made = alter(image, mosaics(1, 3)[0], rng)
            assert (made.dtype, made.ndim, made.shape[2]) == (np.uint8, 3, 3), name
            assert min(made.shape[:2]) > 5, name


def test_recalls_are_shares_by_alteration_and_measure(search: CopySearch, monkeypatch: pytest.MonkeyPatch) -> None:
    some = {name: ALTERATIONS[name] for name in ("noise", "mirrored")}
    monkeypatch.setattr(copy_alterations, "ALTERATIONS", some)
    by_alteration = recalls(search, CORPUS[:30], HOLDOUT, seed=0)
    assert {*by_alteration["noise"]} == {way.metric for way in WAYS}
    assert by_alteration["noise"][WHOLE.metric] > 0.9
    assert by_alteration["mirrored"][DESCRIPTOR.metric] > by_alteration["mirrored"][TILE.metric]


# --- a descriptor of one's own ---


class Layout(torch.nn.Module):
    """Coarse colours, blind to nothing."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.nn.functional.adaptive_avg_pool2d(x, 6).flatten(1)
        return y - y.mean(1, keepdim=True)


@pytest.fixture
def descriptor_file(tmp_path: Path) -> Path:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = torch.jit.trace(Layout(), torch.rand(2, 3, 32, 32))
    path = tmp_path / "layout.pt"
    path.write_bytes(graph.save_to_buffer())
    return path


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_descriptor_of_one_s_own_takes_the_place_of_the_shipped_one(descriptor_file: Path) -> None:
    of, probe = subject("noise"), load_probe("memorization.copies", {"descriptor": descriptor_file})
    measured = {m.metric: m for m in probe.measure(rows_of(of, probe), of, seed=0)}
    assert "copy descriptor layout.pt" in measured["descriptor_copy_rate"].method
    assert measured["descriptor_copy_rate"].value == 1.0
    blind = subject("mirrored")
    assert probe.measure(rows_of(blind, probe), blind, seed=0)[2].value < 0.2  # type: ignore[operator]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_descriptor_that_was_exchanged_ends_the_run(descriptor_file: Path) -> None:
    of = subject()
    (batch, *_) = load_probe("memorization.copies", {"descriptor": descriptor_file}).plan(of, Budget.CONTROL, seed=0)
    with pytest.raises(ConfigurationError, match="not the one that this run began with"):
        ask(PROBE, of, batch, seed=0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_an_audit_hands_the_file_to_the_probe_and_to_its_controls(descriptor_file: Path) -> None:
    made = make_settings(
        {"target": "reference:vae-medical", "descriptor": str(descriptor_file), "probes": ("memorization.copies",)}
    )
    assert f"--descriptor {descriptor_file}" in made.command()
    scope = Scope(made, dict.fromkeys(("target", "corpus", "holdout", "reference", "prompts")))
    ((assay,), _) = scope.assays()
    assert isinstance(assay.probe, Copies)
    assert assay.probe.options.descriptor == descriptor_file
    (control, *_) = assay.probe.controls
    described = [scope.plan(one)[0].payload["descriptor"] for one in (assay, scope.control_assay(assay.probe, control))]
    assert described == [load_descriptor(descriptor_file).sha256] * 2


def test_a_wrong_descriptor_is_a_mistake_in_the_options(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"descriptor: .*no such file"):
        make_settings({"target": "reference:vae-medical", "descriptor": str(tmp_path / "none.pt")})


def test_the_command_line_says_what_is_wrong_with_a_descriptor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from guardrails import cli

    (tmp_path / "no.pt").write_text("no model")
    words = ["audit", "reference:vae-medical", "--descriptor", str(tmp_path / "no.pt"), "--out", str(tmp_path / "run")]
    assert cli.run(words) == 2
    assert "nor one that torch.jit.save wrote" in capsys.readouterr().err
    assert cli.run([*words, "--dry-run"]) == 2


# --- training ---


def test_the_loss_is_that_of_a_literal_definition() -> None:
    z = torch.nn.functional.normalize(torch.randn(6, 5, generator=torch.Generator().manual_seed(0)))
    contrast, spread = (float(part) for part in copy_descriptor.loss_of(z))
    mates, n = [3, 4, 5, 0, 1, 2], range(6)
    logits = [[float(z[i] @ z[j]) / copy_descriptor.TEMPERATURE for j in n] for i in n]
    expected = [-logits[i][mates[i]] + np.log(sum(np.exp(logits[i][j]) for j in n if j != i)) for i in n]
    assert contrast == pytest.approx(np.mean(expected), rel=1e-4)
    nearest = [min(float((z[i] - z[j]).norm()) for j in n if j not in (i, mates[i])) for i in n]
    assert spread == pytest.approx(-np.mean(np.log(nearest)), rel=1e-3, abs=1e-4)


def test_views_are_pictures_and_the_same_again() -> None:
    x = torch.rand(6, 3, 80, 80, generator=torch.Generator().manual_seed(0))
    for strong in (False, True):
        torch.manual_seed(3)
        first = copy_descriptor.views(x, strong=strong)
        torch.manual_seed(3)
        assert torch.equal(first, copy_descriptor.views(x, strong=strong))
        assert first.shape == (6, 3, 64, 64)
        assert 0 <= float(first.min()) <= float(first.max()) <= 1.0001


def test_train_descriptor_writes_the_same_weights_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from guardrails import cli

    monkeypatch.setattr(copy_descriptor, "quality", lambda descriptor, seed: {})
    for name, value in {"STEPS": 3, "PAIRS": 8, "CROPS": 20, "FRESH": 5}.items():
        monkeypatch.setattr(copy_descriptor, name, value)
    monkeypatch.setattr(copy_descriptor, "LAWS", ("gan-art",))
    for folder in ("a", "b"):
        assert cli.run(["train", "descriptor", "--out", str(tmp_path / folder), "--seed", "4"]) == 0
    out = capsys.readouterr().out.split()
    assert str(tmp_path / "b" / "descriptor.safetensors") in out
    one, other = ((tmp_path / f / "descriptor.safetensors").read_bytes() for f in "ab")
    assert one == other
    assert json.loads((tmp_path / "a" / "descriptor.json").read_text())["seed"] == 4
    assert train.app is not None
