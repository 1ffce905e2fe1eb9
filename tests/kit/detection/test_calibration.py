"""Probabilities that mean what they say, verdicts that keep to their error, and a calibration error without bias."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.kit.detection.calibration import LEAST_RATIO, BySource, Calibration, calibration_error


def normal(n, seed=0, apart=2.0, share=0.5):
    """Scores whose log-likelihood ratio is apart · score − apart² / 2."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < share).astype(np.int64)
    return rng.normal(size=n) + apart * labels, labels


def test_the_log_ratio_of_two_normal_classes_is_found_whatever_their_shares():
    for share in (0.5, 0.2):
        fitted = Calibration.fit(*normal(40_000, share=share))
        assert fitted.slope == pytest.approx(2, rel=0.05)
        assert fitted.offset == pytest.approx(-2, abs=0.1)


def test_it_is_the_maximum_of_the_likelihood():
    scores, labels = normal(60, seed=3)
    fitted = Calibration.fit(scores, labels)
    n = np.bincount(labels)
    targets = np.where(labels == 1, (n[1] + 1) / (n[1] + 2), 1 / (n[0] + 2))

    def loss(slope, offset):
        p = 1 / (1 + np.exp(-(slope * scores + offset)))
        return -((targets * np.log(p) + (1 - targets) * np.log(1 - p)) / n[labels]).sum()

    best = loss(fitted.slope, fitted.offset)
    for d in (-0.01, 0.01):
        assert loss(fitted.slope + d, fitted.offset) > best
        assert loss(fitted.slope, fitted.offset + d) > best


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 1)), min_size=2, max_size=40).filter(
        lambda rows: len({label for _, label in rows}) == 2
    )
)
def test_any_finite_scores_give_finite_numbers(rows):
    scores, labels = np.array([s for s, _ in rows]), np.array([label for _, label in rows])
    fitted = Calibration.fit(scores, labels)
    assert np.isfinite(fitted.log_ratio(scores)).all()
    lower, upper = fitted.bounds
    assert lower <= fitted.log_ratio([-1e6, 1e6]).min() <= fitted.log_ratio([-1e6, 1e6]).max() <= upper
    p = fitted.probability(scores)
    assert ((p > 0) & (p < 1)).all()


def test_scale_and_place_of_scores_change_nothing():
    scores, labels = normal(200)
    one, other = Calibration.fit(scores, labels), Calibration.fit(1000 * scores - 7, labels)
    assert np.allclose(one.log_ratio(scores), other.log_ratio(1000 * scores - 7), atol=1e-4)


def test_the_prior_moves_the_probability_as_bayes_says():
    fitted = Calibration.fit(*normal(2000))
    even, rare = (fitted.probability([1.5], prior=q)[0] for q in (0.5, 0.01))
    assert rare / (1 - rare) == pytest.approx(even / (1 - even) / 99)


@pytest.mark.parametrize(("scores", "labels"), [([1, 2], [0, 0]), ([1, np.nan], [0, 1]), ([], [])])
def test_one_class_or_a_number_that_is_none_is_refused(scores, labels):
    with pytest.raises(ValueError, match="both classes"):
        Calibration.fit(np.array(scores, dtype=float), np.array(labels, dtype=np.int64))


def test_p_values_agree_with_counting():
    fitted = Calibration.fit(np.array([1.0, 2, 3, 2, 4, 5]), np.array([0, 0, 0, 1, 1, 1]))
    real, generated = fitted.p_values([2.0, 9.0])
    assert np.allclose(real, [(2 + 1) / 4, 1 / 4])
    assert np.allclose(generated, [(1 + 1) / 4, (3 + 1) / 4])


def test_no_more_real_files_are_called_synthetic_than_alpha_allows():
    rates = []
    for seed in range(200):
        fitted = Calibration.fit(*normal(200, seed=seed))
        fresh, labels = normal(200, seed=10_000 + seed)
        rates += (fitted.p_values(fresh[labels == 0])[0] <= 0.05).tolist()
    assert 0.03 < np.mean(rates) <= 0.055


def clustered(rng, sources, files, spread):
    """Scores of sources that differ by more than their files do, and the sources' names."""
    middles = rng.normal(0, spread, sources)
    return (middles[:, None] + rng.normal(size=(sources, files))).ravel(), np.repeat(np.arange(sources), files).tolist()


def test_false_alarms_hold_for_a_new_source_where_files_as_units_fail():
    """Sources differ four times as much as files of one: what is counted is a file of a source that was not there."""
    by_source, by_file = [], []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        real, names = clustered(rng, 25, 20, spread=4.0)
        made, new = BySource.of([30.0], ["g"]), [rng.normal(0, 4) + rng.normal()]
        for out, units in ((by_source, names), (by_file, range(len(real)))):
            out.append(Calibration(1.0, 0.0, BySource.of(real, units), made).p_values(new)[0][0] <= 0.05)
    assert np.mean(by_source) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)
    assert np.mean(by_file) > np.mean(by_source)


@pytest.mark.parametrize("sizes", [[3] * 19, [1, 7, 9] * 13, list(range(1, 20))])
def test_the_smallest_p_value_of_k_sources_is_one_in_k_and_one_whatever_their_sizes(sizes):
    scores = BySource.of(np.arange(sum(sizes)) / 7, np.repeat(np.arange(len(sizes)), sizes))
    real, generated = Calibration(1.0, 0.0, scores, scores).p_values([1e9, -1e9])
    assert (real[0], generated[1]) == (1 / (len(sizes) + 1), 1 / (len(sizes) + 1))


def test_p_values_by_source_agree_with_counting():
    real = BySource.of([1.0, 3.0, 2.0, 5.0, 0.0], ["a", "a", "b", "c", "c"])
    assert real.n == 3
    assert real.at_least(np.array([2.0]))[0] == pytest.approx(1 / 2 + 1 + 1 / 2)
    assert real.at_most(np.array([2.0]))[0] == pytest.approx(1 / 2 + 1 + 1 / 2)
    assert real.at_least(np.array([9.0]))[0] == 0


@pytest.mark.parametrize(("sources", "verdict"), [(18, "abstain"), (19, "synthetic")])
def test_with_too_few_sources_there_is_no_verdict(sources, verdict):
    scores = np.concatenate([np.random.default_rng(0).normal(size=sources * 10), 30 + np.arange(60.0) / 9])
    labels = np.repeat([0, 1], [sources * 10, 60])
    fitted = Calibration.fit(scores, labels, [*(i % sources for i in range(sources * 10)), *range(60)])
    judgement, why = fitted.judged(33.0)
    assert judgement == verdict
    assert str(sources) in why
    assert fitted.judged(-3.0)[0] == ("abstain" if verdict == "abstain" else "nothing found")


def test_it_abstains_between_the_classes_and_rules_where_they_are_apart():
    fitted = Calibration.fit(*normal(400, apart=3.0))
    assert fitted.verdicts([-2.0, 1.7, 5.0]) == ["nothing found", "abstain", "synthetic"]
    far = Calibration.fit(*normal(400, apart=30.0))
    assert far.verdicts([16.0]) == ["abstain"]


def test_a_verdict_needs_evidence_and_not_only_a_rare_score():
    """Twenty-five sources whose classes hardly differ: scores above all real ones are rare, and say little."""
    scores, labels = normal(50, seed=1, apart=0.3)
    fitted = Calibration.fit(scores, labels)
    assert fitted.p_values([9.0])[0][0] <= 0.05
    assert np.exp(fitted.log_ratio([9.0])[0]) < LEAST_RATIO
    verdict, why = fitted.judged(9.0)
    assert verdict == "abstain"
    assert "weak evidence" in why or "apart" in why


def test_ranks_go_on_where_ratios_are_bounded():
    fitted = Calibration.fit(*normal(60, apart=3.0))
    assert fitted.log_ratio([8.0])[0] == fitted.log_ratio([9.0])[0]
    assert fitted.rank([8.0])[0] < fitted.rank([9.0])[0]


def test_the_error_of_true_probabilities_is_nothing_and_of_false_ones_what_it_is():
    rng = np.random.default_rng(0)
    corrected, plain = [], []
    for _ in range(100):
        p = rng.random(400)
        y = rng.random(400) < p
        corrected.append(calibration_error(p, y) ** 2)
        order = np.array_split(np.argsort(p), 10)
        plain.append(np.mean([(p[o].mean() - y[o].mean()) ** 2 for o in order]))
    assert np.mean(corrected) < np.mean(plain) / 2
    p = rng.random(40_000)
    assert calibration_error(p, rng.random(40_000) < 0.8 * p) == pytest.approx(0.2 / np.sqrt(3), rel=0.05)


def test_too_few_items_for_the_bins_are_refused():
    with pytest.raises(ValueError, match="at least 20"):
        calibration_error([0.5] * 19, [0] * 19)
