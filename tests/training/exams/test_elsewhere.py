"""Exams on lineages and owners left out: what is fitted to has seen neither, and the heads are what they say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from guardrails.training.exams.elsewhere import Coordinates, Exam, Material, logistic, robust, weights_of
from guardrails.training.material.corpora import Row


def material(n=12, seed=0, shift=2.0):
    """Four lineages and ten owners, two of them and one lineage apart; one block tells the classes, one does not."""
    rng = np.random.default_rng(seed)
    rows = [
        Row(Path(f"{g}{i}.png"), y, g, g, g, not (i % 4 == 3 and not y), "generated" if y else "photograph", g in apart)
        for y, g in [*((1, f"m{k}") for k in range(4)), *((0, f"o{k}") for k in range(10))]
        for i in range(n)
        for apart in [("m3", "o8", "o9")]
    ]
    labels = np.array([row.label for row in rows])
    signal = rng.normal(size=(len(rows), 5)) + shift * labels[:, None]
    other = rng.normal(size=(len(rows), 400))
    draws = {d: {"signal": signal + rng.normal(size=signal.shape) / 5, "other": other} for d in ("once", "again")}
    return Material(rows, draws, ("once", "again"))


class Spy:
    def __init__(self):
        self.seen = []

    def __call__(self, x, labels, groups, shares):
        self.seen.append((set(groups), len(labels)))
        return logistic(0.01)(x, labels, groups, shares)


def test_nothing_that_is_judged_was_fitted_to():
    spy, m = Spy(), material()
    exam = Exam(m, [["signal"]], spy, every=True)
    by = exam.left_out(["once", "again"])
    assert set(by["once"]) == {"m0", "m1", "m2"}
    for call, (seen, _) in enumerate(spy.seen):
        name = f"m{call // 5}"
        assert name not in seen
        assert not seen & {"m3", "o8", "o9"}
    left = [{f"o{k}" for k in range(8)} - seen for seen, _ in spy.seen[:5]]
    assert sorted(owner for owners in left for owner in owners) == [f"o{k}" for k in range(8)]
    assert by["once"]["m0"].above.shape == (12, 8 * 12)
    assert by["again"]["m1"].above.mean() > 0.95


def test_what_may_not_be_learnt_from_is_in_no_fit_unless_every_row_is():
    counts = []
    for every in (False, True):
        spy = Spy()
        exam = Exam(material(), [["signal"]], spy, every=every)
        exam.head(np.flatnonzero(exam.learnt))
        counts.append(spy.seen[0][1])
    assert counts == [2 * (3 * 12 + 8 * 9), 2 * (3 * 12 + 8 * 12)]


def test_the_set_apart_is_judged_by_what_has_not_seen_it():
    spy, m = Spy(), material()
    apart = Exam(m, [["signal", "other"]], spy, every=True).set_apart(["again"])
    assert set(apart["again"]) == {"m3"}
    assert apart["again"]["m3"].above.shape == (12, 24)
    assert apart["again"]["m3"].above.mean() > 0.9
    assert not spy.seen[0][0] & {"m3", "o8", "o9"}


def test_a_block_without_a_signal_has_an_area_of_a_half():
    by = Exam(material(n=20), [["other"]], logistic(0.1), every=True).left_out(["once"])["once"]
    assert abs(np.mean([placed.above.mean() for placed in by.values()]) - 0.5) < 0.12


def test_nested_scores_are_of_heads_that_have_not_seen_the_rows():
    spy, m = Spy(), material()
    exam = Exam(m, [["signal"]], spy, every=True)
    parts = exam.nested(["once"])
    groups = np.array(m.groups)
    left = np.concatenate([part[0] for part in parts])
    assert sorted(left.tolist()) == [i for i, row in enumerate(m.rows) if not row.apart]
    for k, (out, rest, scores, known) in enumerate(parts):
        for seen, _ in spy.seen[6 * k : 6 * k + 6]:
            assert not seen & set(groups[out].tolist())
        assert np.isfinite(scores["once"]).all()
        assert np.isfinite(known["once"]).all()
        assert len(rest) + len(out) == len(left)


def test_members_weigh_alike_whatever_their_numbers():
    m = material()
    exam = Exam(m, [["signal"], ["other"]], logistic(0.01), every=True)
    at = np.flatnonzero(exam.learnt)
    heads = exam.head(at)
    each = [
        np.concatenate([one.of[d][at] @ h[:-1] for d in m.taught]) for one, h in zip(exam.members, heads, strict=True)
    ]
    assert [x.std() for x in each] == pytest.approx([1, 1], abs=1e-3)
    alone = [Exam(m, [[name]], logistic(0.01), every=True) for name in ("signal", "other")]
    apart = [one.scores(one.head(at), "once", at) for one in alone]
    np.testing.assert_allclose(exam.scores(heads, "once", at), np.mean(apart, axis=0), atol=1e-6)


def test_a_family_left_out_leaves_its_relatives():
    spy, m = Spy(), material()
    rows = [replace(row, group="lineage") if row.family in ("m0", "m1") else row for row in m.rows]
    by = Exam(Material(rows, m.draws, m.taught), [["signal"]], spy, every=True).left_out(["once"], "family")
    assert set(by["once"]) == {"m0", "m1", "m2"}
    assert all("lineage" in seen for seen, _ in spy.seen)
    spy.seen.clear()
    Exam(Material(rows, m.draws, m.taught), [["signal"]], spy, every=True).left_out(["once"])
    assert not any("lineage" in seen for seen, _ in spy.seen[:5])


def test_coordinates_keep_all_products_of_standardised_rows():
    m = material()
    learnt = np.array([not row.apart for row in m.rows])
    turned = Coordinates(m, ["signal", "other"], learnt)
    parts = []
    for name in ("signal", "other"):
        known = np.concatenate([m.draws[d][name][learnt] for d in m.taught])
        parts.append((known - known.mean(0)) / known.std(0) / known.shape[1] ** 0.5)
    plain = np.concatenate(parts, axis=1)
    fitted = turned.fitted(np.flatnonzero(learnt))
    assert fitted.shape[1] <= fitted.shape[0]
    np.testing.assert_allclose(fitted @ fitted.T, plain @ plain.T, atol=2e-3)


def test_the_regression_is_scikit_learns():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(60, 4)), np.repeat([0, 1], 30)
    x[labels == 1] += 0.7
    groups = [f"g{i % 7}" for i in range(60)]
    weights = weights_of(labels, groups, np.ones(60), 1.0)
    beta = logistic(0.05, 1.0)(x, labels, groups, np.ones(60))
    reference = LogisticRegression(C=1 / 0.05, tol=1e-10, max_iter=5000).fit(x, labels, sample_weight=weights)
    np.testing.assert_allclose(beta, [*reference.coef_[0], reference.intercept_[0]], atol=1e-3)


def test_groups_weigh_alike_and_so_do_classes():
    labels = np.array([0] * 9 + [1] * 3)
    weights = weights_of(labels, ["a"] * 8 + ["b"] + ["c", "c", "d"], np.ones(12), 1.0)
    assert weights[:8].sum() == pytest.approx(0.25)
    assert weights[8] == pytest.approx(0.25)
    assert weights[9:11].sum() == pytest.approx(0.25)


def test_the_robust_head_does_better_on_the_worst_group():
    """One small owner whose pictures lie where the generated ones do along the easy direction."""
    rng = np.random.default_rng(1)
    labels = np.array([0] * 100 + [0] * 6 + [1] * 100)
    groups = ["many"] * 100 + ["few"] * 6 + ["made"] * 100
    x = rng.normal(size=(206, 2)) * 0.5
    x[:100] += [-1, 0]
    x[100:106] += [1, -1]
    x[106:] += [1, 0.5]
    losses = []
    for fit in (logistic(0.001, 0.0), robust(0.001, 0.0)):
        beta = fit(x, labels, groups, np.ones(206))
        losses.append(np.logaddexp(0, x[100:106] @ beta[:2] + beta[2]).mean())
    assert losses[1] < 0.8 * losses[0]
