"""The protocol: both classes encoded alike, families and sources left out whole, intervals over sources."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.core.statistics import auc
from guardrails.kit.detection.protocol import (
    MAX_SIDE,
    area,
    encoded,
    folds_of,
    leave_one_family_out,
    mean_area,
    null_area,
    saved_as,
    splits,
    weights_of,
)


def scene(seed, size=(96, 128)):
    rng = np.random.default_rng(seed)
    coarse = np.repeat(np.repeat(rng.integers(40, 216, (size[0] // 8, size[1] // 8, 3)), 8, axis=0), 8, axis=1)
    return np.clip(coarse + rng.normal(0, 8, coarse.shape), 0, 255).astype(np.uint8)


def corpus(families=4, sources=6, each=5):
    """Labels, families, sources of a corpus with three files of neither class at its end."""
    real = [("photograph", f"camera-{s}") for s in range(sources) for _ in range(each)]
    made = [(f"family-{f}", f"repository-{f}-{i % 2}") for f in range(families) for i in range(each)]
    names = [*real, *made, *[("swap", "tool")] * 3]
    labels = np.repeat([0, 1, 2], [len(real), len(made), 3])
    return labels, [f for f, _ in names], [s for _, s in names]


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**32))
def test_what_is_encoded_is_a_square_within_its_bounds_and_repeatable(height, width, seed):
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    square = encoded(picture, seed=seed)
    assert square.dtype == np.uint8
    assert square.shape[0] == square.shape[1]
    assert min(height, width, 64) <= square.shape[0] <= min(height, width)
    assert np.array_equal(square, encoded(picture, seed=seed))


def test_the_draw_does_not_look_at_the_picture():
    shapes = [[encoded(scene(i), seed=s).shape for s in range(30)] for i in (1, 2)]
    assert shapes[0] == shapes[1]
    assert len(set(shapes[0])) > 10


def test_a_huge_picture_is_cut_and_not_shrunk():
    wide = np.zeros((1500, 1600, 3), np.uint8)
    wide[:, ::2] = 255
    cut = encoded(wide, seed=0, formats=("PNG",), rescale=False)
    assert cut.shape == (MAX_SIDE, MAX_SIDE, 3)
    assert set(np.unique(cut)) == {0, 255}


@pytest.mark.parametrize(
    "bad",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_picture_is_refused(bad):
    with pytest.raises(ValueError, match="a picture is"):
        encoded(bad, seed=0)


def test_formats_change_pixels_as_they_do_in_files():
    square = scene(0)[:, :96]
    assert np.array_equal(saved_as(square, "PNG"), square)
    errors = [np.abs(saved_as(square, "JPEG", quality=q).astype(int) - square).mean() for q in (95, 70)]
    assert 0 < errors[0] < errors[1]
    assert saved_as(square, "WEBP", side=48).shape == (48, 48, 3)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=60), st.integers(1, 6))
def test_no_source_is_in_two_folds(sources, folds):
    fold = folds_of(sources, folds)
    assert all(len(set(fold[[s == name for s in sources]])) == 1 for name in set(sources))
    assert fold.min() >= 0
    assert len(set(fold)) == min(folds, len(set(sources)))


def test_every_pair_is_compared_once_and_nothing_that_is_scored_was_seen():
    labels, families, sources = corpus()
    seen = np.zeros((len(labels), len(labels)))
    for part in splits(labels, families, sources):
        assert not {families[i] for i in part.generated} & {families[i] for i in part.fit}
        assert not {sources[i] for i in part.real} & {sources[i] for i in part.fit}
        assert set(labels[part.fit]) == {0, 1}
        seen[np.ix_(part.generated, part.real)] += 1
    assert np.array_equal(seen, np.outer(labels == 1, labels == 0))


@pytest.mark.parametrize(("families", "sources"), [(1, 6), (3, 4)])
def test_too_few_families_or_sources_are_refused(families, sources):
    with pytest.raises(ValueError, match=r"two families|5 folds"):
        list(splits(*corpus(families, sources)))


def test_both_classes_weigh_the_same_and_a_source_as_its_root():
    labels, _, sources = corpus()
    w = weights_of(labels[:50], sources[:50])
    assert w[labels[:50] == 0].sum() == pytest.approx(w[labels[:50] == 1].sum())
    assert w.sum() == pytest.approx(50)


def test_one_model_for_all_splits_gives_the_plain_area():
    labels, families, sources = corpus()
    scores = np.random.default_rng(0).normal(size=len(labels)).round(1) + labels
    comparisons = leave_one_family_out(lambda fit, rows: scores[rows], splits(labels, families, sources))
    for name, placed in comparisons.items():
        of_family = scores[[f == name for f in families]]
        got = area(placed, sources)
        assert got.value == pytest.approx(auc(of_family, scores[labels == 0]))
        assert 0 <= got.low <= got.value <= got.high <= 1
    values = [area(placed, sources).value for placed in comparisons.values()]
    assert mean_area(comparisons, sources).value == pytest.approx(np.mean(values))


def test_scores_of_different_models_are_not_compared():
    """A model's scores may be on any scale: only their order within a split counts."""
    labels, families, sources = corpus()
    scores = np.random.default_rng(1).normal(size=len(labels)) + labels
    calls = iter(range(1, 100))
    plain = leave_one_family_out(lambda fit, rows: scores[rows], splits(labels, families, sources))
    scaled = leave_one_family_out(
        lambda fit, rows: scores[rows] * (k := next(calls)) + 10 * k, splits(labels, families, sources)
    )
    assert all(np.array_equal(plain[name].above, scaled[name].above) for name in plain)


def test_the_interval_is_wider_where_files_of_a_source_are_alike():
    labels, families, sources = corpus(sources=8, each=20)
    rng = np.random.default_rng(0)
    independent = rng.normal(size=len(labels)) + labels
    shared = {name: rng.normal() for name in set(sources)}
    alike = np.array([shared[s] for s in sources]) + 0.1 * independent + labels

    def width(scores):
        comparisons = leave_one_family_out(lambda fit, rows: scores[rows], splits(labels, families, sources))
        got = area(comparisons["family-0"], sources)
        return got.high - got.low

    assert width(alike) > 1.5 * width(independent)


def test_the_null_finds_the_format_only_where_sides_are_not_encoded_alike():
    pictures = [scene(i, (96, 96)) for i in range(60)]
    sources = [f"s{i % 6}" for i in range(60)]

    def blocks(picture):
        """How much rougher the borders of the 8 × 8 grid are: what JPEG leaves."""
        across = np.abs(np.diff(picture.astype(float).mean(axis=2), axis=1)).mean(axis=0)
        return np.array([np.log1p(across[7::8].mean()), np.log1p(across[3::8].mean())])

    def least_squares(x, labels):
        design = np.c_[x, np.ones(len(x))]
        beta = np.linalg.lstsq(design, 2 * labels - 1, rcond=None)[0]
        return lambda rows: np.c_[rows, np.ones(len(rows))] @ beta

    bare, mixed, jpeg = (
        null_area(blocks, pictures, sources, least_squares, formats=formats)
        for formats in ((), ("JPEG", "WEBP", "PNG"), ("JPEG",))
    )
    assert bare.value > 0.95
    assert bare.low > 0.5
    assert bare.value - 0.2 > mixed.value
    assert bare.value - 0.2 > jpeg.value


def test_scores_that_are_no_numbers_and_a_null_of_one_source_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        leave_one_family_out(lambda fit, rows: np.full(len(rows), np.nan), splits(*corpus()))
    with pytest.raises(ValueError, match="two sources"):
        null_area(lambda picture: picture.mean(axis=(0, 1)), [scene(0)] * 3, ["a"] * 3, lambda x, y: lambda rows: rows)
