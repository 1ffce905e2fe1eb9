"""Membership inference on one network with 16 reference models, beside ART and the published formulas.

    pip install -r benchmarks/privacy/requirements-reference_models.txt    # in an environment with guardrails
    python benchmarks/privacy/reference_models.py

A perceptron (one hidden layer of 64) is trained on half of 2,000 seeded rows of five classes, one label in five wrong.
ART has no attack with reference models: its loss attack (a logistic regression on the loss, fitted to half of the
items) and its rule (a right answer is a member) stand beside ours, and LiRA and RMIA stand beside their formulas in
plain Python, item by item. The bar: each AUC within .01 of its peer's.
"""

import math
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier

from guardrails.core.statistics import auc
from guardrails.membership.classifiers import likelihood_ratio as ours
from guardrails.membership.classifiers.reference_training import halves, processes, reference_confidences
from guardrails.targets.estimator import EstimatorTarget

BAR, ITEMS, MODELS, A = 0.01, 2000, 16, 0.3


def fixture() -> tuple[pd.DataFrame, Any, EstimatorTarget]:
    """Return the rows, which of them the target was trained on, and the target."""
    x, y = make_classification(
        ITEMS, 20, n_informative=8, n_classes=5, n_clusters_per_class=2, flip_y=0.2, class_sep=1.0, random_state=0
    )
    table = pd.DataFrame(x.astype(np.float32)).assign(label=y)
    member = np.random.default_rng(1).permutation(ITEMS) < ITEMS // 2
    model = MLPClassifier((64,), alpha=0.1, max_iter=60, random_state=2)
    return table, member, EstimatorTarget(model.fit(x[member].astype(np.float32), y[member]), "perceptron")


def literal_lira(p: Any, said: Any, trained: Any, *, online: bool) -> list[float]:
    """Carlini et al. 2022, algorithm 1, with one variance for all items, as for fewer than 64 models."""

    def phi(value: float) -> float:
        return math.log(value / (1 - value))

    arms = [([phi(s) for s in said[~w, i]], [phi(s) for s in said[w, i]]) for i, w in enumerate(trained.T)]
    sigma = [
        math.sqrt(sum((v - statistics.fmean(a[s])) ** 2 for a in arms for v in a[s]) / sum(len(a[s]) - 1 for a in arms))
        for s in (0, 1)
    ]
    scores = []
    for value, (outside, inside) in zip(p, arms, strict=True):
        out = statistics.NormalDist(statistics.fmean(outside), sigma[0])
        if online:
            in_ = statistics.NormalDist(statistics.fmean(inside), sigma[1])
            scores.append(math.log(max(in_.pdf(phi(value)), 1e-300)) - math.log(max(out.pdf(phi(value)), 1e-300)))
        else:
            scores.append(out.cdf(phi(value)))
    return scores


def literal_rmia(p: Any, said: Any, trained: Any, population: Any, *, a: float | None) -> list[float]:
    """Zarifzadeh et al. 2024: the share of z for which LR(x, z) > 1; a None is the online attack."""

    def ratio(i: int) -> float:
        out, in_ = said[~trained[:, i], i].mean(), said[trained[:, i], i].mean()
        return float(p[i] / ((in_ + out) / 2 if a is None else ((1 + a) * out + 1 - a) / 2))

    ratios = [ratio(i) for i in range(len(p))]
    return [sum(r / ratios[z] > 1 for z in population) / len(population) for r in ratios]


def art_scores(table: pd.DataFrame, member: Any, target: EstimatorTarget) -> tuple[float, float]:
    """Return the AUC of ART's attack on the loss, over items that it was not fitted to, and of its rule."""
    from art.attacks.inference.membership_inference import (
        MembershipInferenceBlackBox,
        MembershipInferenceBlackBoxRuleBased,
    )
    from art.estimators.classification.scikitlearn import ScikitlearnClassifier

    class WithLoss(ScikitlearnClassifier):  # type: ignore[misc]  # ART knows the loss of few estimators of scikit-learn
        def compute_loss(self, x: Any, y: Any, **more: Any) -> Any:
            return -np.log((self.predict(x) * y).sum(axis=1))

    x, y = table.drop(columns="label").to_numpy(), table["label"].to_numpy()
    classifier = WithLoss(target.estimator)
    attack = MembershipInferenceBlackBox(classifier, input_type="loss", attack_model_type="lr")
    inside, outside = np.flatnonzero(member), np.flatnonzero(~member)
    fit = inside[::2], outside[::2]
    attack.fit(x[fit[0]], y[fit[0]], x[fit[1]], y[fit[1]])
    rest = np.concatenate([inside[1::2], outside[1::2]])
    said = attack.infer(x[rest], y[rest], probabilities=True).ravel()
    rule = MembershipInferenceBlackBoxRuleBased(classifier).infer(x, y)
    return float(roc_auc_score(member[rest], said)), float(roc_auc_score(member, rule))


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what work returns and the seconds that it took."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def main() -> int:
    """Print the table; return 1 where an AUC is further from its peer's than the bar."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    table, member, target = fixture()
    trained = np.array([halves(k, ITEMS, seed=3) for k in range(MODELS)])
    rows, every = [np.flatnonzero(which) for which in trained], np.arange(ITEMS)

    def train(jobs: int) -> Any:
        return np.array(list(reference_confidences(target, table, rows, every, seeds=range(MODELS), jobs=jobs)))

    jobs = max(2, processes(MODELS))
    (alone, one), (together, many) = timed(lambda: train(1)), timed(lambda: train(jobs))
    print(f"{MODELS} reference models: {one:.1f} s in one process, {many:.1f} s in {jobs} with their start;", end=" ")
    print("bit for bit the same" if (alone == together).all() else "DIFFERENT")
    p, said = ours.clipped(target.confidence(table)), ours.clipped(alone)
    moments = ours.ReferenceMoments(ITEMS)
    for confidence, which in zip(said, trained, strict=True):
        moments.add(confidence, which)
    others, rest = np.flatnonzero(~member), np.r_[np.flatnonzero(member)[1::2], np.flatnonzero(~member)[1::2]]
    ratio, offline = ours.rmia_ratio(p, moments), ours.rmia_ratio_offline(p, moments, a=A)
    plain = ours.rmia_ratio_offline(p, moments, a=1)
    x = table.drop(columns="label").to_numpy()
    right = (target.estimator.predict(x) == table["label"].to_numpy()).astype(float)
    by_loss, by_rule = art_scores(table, member, target)
    pairs: list[tuple[str, Any, Any, str]] = [
        ("loss", ours.loss(p)[rest], by_loss, "ART"),
        ("right answer", right, by_rule, "ART"),
        ("LiRA, online", ours.lira(p, moments), literal_lira(p, said, trained, online=True), "formula"),
        ("LiRA, offline", ours.lira_offline(p, moments), literal_lira(p, said, trained, online=False), "formula"),
        ("RMIA, online", ours.rmia(ratio, ratio[others]), literal_rmia(p, said, trained, others, a=None), "formula"),
        ("RMIA, a = .3", ours.rmia(offline, offline[others]), literal_rmia(p, said, trained, others, a=A), "formula"),
        ("RMIA, a = 1", ours.rmia(plain, plain[others]), literal_rmia(p, said, trained, others, a=1.0), "formula"),
    ]  # fmt: skip
    print(f"{'attack':<16}{'AUC':>7}{'peer':>9}{'difference':>12}")
    worst = 0.0
    for name, scores, peer, kind in pairs:
        which = member[rest] if len(scores) == len(rest) and name == "loss" else member
        area = auc(scores[which], scores[~which])
        other = peer if isinstance(peer, float) else float(roc_auc_score(member, peer))
        worst = max(worst, abs(area - other))
        print(f"{name:<16}{area:>7.3f}{other:>9.3f}{area - other:>+12.4f}  {kind}")
    print(f"largest difference {worst:.4f}, bar {BAR}")
    return int(worst > BAR or not (alone == together).all())


if __name__ == "__main__":
    sys.exit(main())
