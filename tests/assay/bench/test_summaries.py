"""Means, verdicts and calibration of each data set and of each kind of item."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from guardrails.assay.bench import scores as module
from guardrails.assay.bench.data import Item
from guardrails.assay.bench.refits import Refits
from guardrails.assay.bench.scores import Scores, fittable, scored
from guardrails.assay.bench.summaries import parts_of, summaries
from guardrails.assay.bench.tables import Parts
from guardrails.core.errors import ConfigurationError
from guardrails.deepfake.images.base import ImageDetector
from guardrails.deepfake.network import OwnNetwork
from guardrails.kit.pictures.changes import Perturbation

KEY = ("deepfake.x", "none")
KINDS = ("photograph", "a picture with a face")


def items_of(group: str, families: tuple[str, ...], kinds: tuple[str, ...] = KINDS, n: int = 24) -> list[Item]:
    """Half of the items of each family and source are of each kind."""
    out = []
    for label, names in ((1, families), (0, ("s1", "s2"))):
        for name in names:
            for i in range(n):
                family, source = (name, f"{name}{i}") if label else ("real", f"{group} {name}")
                kind = kinds[i % len(kinds)] if label or "" not in kinds else ""
                out.append(Item(f"{group}/{name}{i}", label, family, source, group, lambda: None, kind=kind))
    return out


def scores_of(items: list[Item], verdicts: list[str] | None = None) -> Scores:
    rng = np.random.default_rng(0)
    values = rng.normal(size=len(items)) + np.array([item.label for item in items])
    return Scores(
        items=items, score={KEY: values.tolist()}, verdict={KEY: verdicts or ["abstain"] * len(items)},
        probability={KEY: (1 / (1 + np.exp(-values))).tolist()},
    )  # fmt: skip


def test_each_data_set_and_each_kind_has_its_own_mean() -> None:
    items = items_of("one", ("a", "b")) + items_of("two", ("c", "d"))
    scores = scores_of(items)
    rows = {(r.data, r.kind): r for r in summaries(scores).means}
    assert set(rows) == {(data, kind) for data in ("", "one", "two") for kind in ("", *KINDS)}
    values, labels = np.array(scores.score[KEY]), np.array([item.label for item in items])
    for (data, kind), row in rows.items():
        here = np.array([data in ("", i.group) and kind in ("", i.kind) for i in items])
        areas = []
        for family in sorted({i.family for i, there in zip(items, here, strict=True) if there and i.label}):
            group = next(i.group for i in items if i.family == family)
            of = here & np.array([i.family == family or (not i.label and i.group == group) for i in items])
            areas.append(roc_auc_score(labels[of], values[of]))
        assert (row.families, row.mean_auc) == (len(areas), pytest.approx(np.mean(areas)))
        assert (row.n_generated, row.n_real) == ((here & (labels == 1)).sum(), (here & (labels == 0)).sum())


def test_one_data_set_or_one_family_is_not_told_apart() -> None:
    assert [(data, kind) for data, kind, _ in parts_of(scores_of(items_of("one", ("a", "b"), ("",))))] == [("", "")]
    both = items_of("one", ("a",), ("",)) + items_of("two", ("c", "d"), ("",))
    assert [(data, kind) for data, kind, _ in parts_of(scores_of(both))] == [("", ""), ("two", "")]


def test_real_items_without_a_kind_belong_to_every_kind() -> None:
    items = items_of("speech", ("a", "b"), ("tts", "", "vocoder"))
    for data, kind, part in parts_of(scores_of(items)):
        assert data == ""
        assert sum(not item.label for item in part.items) == 48
        assert {item.kind for item in part.items if item.label} <= ({kind} if kind else {"tts", "", "vocoder"})


def test_verdicts_are_counted_by_class_and_each_source_counts_as_one() -> None:
    items = items_of("one", ("a", "b"), ("photograph",))
    small = [Item("one/s3", 0, "real", "one s3", "one", lambda: None, kind="photograph")]
    said = ["synthetic" if item.source == "one s1" or item.family == "a" else "nothing found" for item in items]
    real, made = summaries(scores_of(items + small, [*said, "synthetic"])).verdicts[:2]
    assert (real.label, real.n, real.units, real.synthetic, real.nothing_found, real.abstain) == (
        "real", 49, 3, 25, 24, 0,
    )  # fmt: skip
    assert real.share[0] == pytest.approx(2 / 3)  # of 25 in 49 files
    assert real.share[1] < 2 / 3 < real.share[2]
    assert (real.worst, real.worst_share[0]) == ("one s1", 1)  # the third source has one file
    assert (made.label, made.n, made.units, made.share[0], made.worst) == ("generated", 48, 2, 0.5, "a")


def test_no_false_alarm_has_an_interval_over_sources() -> None:
    (real, *_) = summaries(scores_of(items_of("one", ("a", "b"), ("photograph",)))).verdicts
    assert real.share[:2] == [0, 0]
    assert real.share[2] == pytest.approx(0.658, abs=0.001)  # Wilson's for 0 of 2


class Sees(ImageDetector):
    """Describes a picture by its mean, and some not at all."""

    id = "own.sees"
    fitted = SimpleNamespace(scope=None)  # type: ignore[assignment]

    def blocks(self, picture):
        return {"mean": np.tile([picture.pixels.mean(), 1.0], (100, 1))[0]}  # a view, as of an encoder's output

    def score(self, items):
        return [SimpleNamespace(score=0.0, probability=None, verdict="abstain") for _ in items]


class Judges(Sees):
    fitted = SimpleNamespace(scope=SimpleNamespace(kinds=frozenset({"photograph"})))  # type: ignore[assignment]


class NotFitted(Sees):
    @property
    def fitted(self):
        raise ConfigurationError("no head yet")


@pytest.mark.parametrize(("detector", "kind"), [(Judges, "photograph"), (Sees, ""), (NotFitted, "")])
def test_pictures_get_a_kind_where_a_detector_judges_some_kinds_alone(monkeypatch, detector, kind) -> None:
    monkeypatch.setattr(module, "kind_of", lambda picture: "photograph")
    item = Item("x", 0, "real", "s", "g", lambda: np.full((64, 64, 3), 9, np.uint8))
    out = scored([item], {"own": detector()}, [Perturbation.parse("none")], seed=0)
    assert [i.kind for i in out.items] == [kind]


def test_heads_are_fitted_to_what_was_described_without_the_pixels() -> None:
    rng = np.random.default_rng(0)
    made = [rng.integers(100, 200, (64, 64, 3), dtype=np.uint8) for _ in range(12)]
    real = [rng.integers(0, 100, (64, 64, 3), dtype=np.uint8) for _ in range(12)]
    items = [
        Item(f"{label}{i}", label, "a" if label else "real", f"{label}{i}", "g", lambda x=x: x)
        for label, several in ((1, made), (0, real)) for i, x in enumerate(several)
    ]  # fmt: skip
    out = scored(items, {"own": Sees()}, [Perturbation.parse("none")], seed=0)
    assert all(one["mean"].base is None for one in out.blocks["own", "none"])
    out.blocks["own", "none"][0] = None  # it could not describe this one
    rows = np.arange(24)
    values = Refits(out, Parts(out.items), 10)("own", rows, rows, "none")
    assert np.isnan(values).tolist() == [True] + [False] * 23
    assert values[1:12].min() > values[12:].max()
    assert np.isnan(Refits(out, Parts(out.items), 12)("own", rows, rows, "none")).all()


def test_a_network_that_does_not_change_is_not_fitted() -> None:
    assert fittable(Sees())
    assert not fittable(object.__new__(OwnNetwork))
