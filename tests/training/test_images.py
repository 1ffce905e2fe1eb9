"""Training of the default model: what may be learnt from, what is refused, and that a seed is a model."""

import csv
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from guardrails.core.errors import ConfigurationError
from guardrails.core.statistics import Interval
from guardrails.deepfake.images.fitted_head import read
from guardrails.kit.detection.linear_head import Head
from guardrails.kit.detection.protocol import weights_of
from guardrails.training import images as training
from guardrails.training.exams.images import AIMS, Kernels, Rows, against_aims, areas, families, frozen
from guardrails.training.material import pictures as examples
from guardrails.training.material.described_pictures import drawn


@pytest.mark.parametrize(
    "licence",
    ["CC BY-NC 4.0", "NVIDIA Source Code License-NC", "no licence file", "BSDS: non-commercial research and education",
     "MIT (repository); COCO: Flickr photographs, mostly CC", "MIT (repository); ADE20K: research use",
     "MIT (repository); press photographs of public figures by third parties",
     "GPL-3.0 (repository); film and news frames by third parties", "MIT; Unsplash and Flickr photographs"],
)  # fmt: skip
def test_these_licences_forbid_learning(licence):
    assert not examples.permitted(licence)


@pytest.mark.parametrize(
    "licence", ["MIT", "Apache-2.0 (repository)", "ISC-like permissive (workflows and examples)", "GPL-2+", "CC0-1.0"]
)
def test_these_licences_permit_it(licence):
    assert examples.permitted(licence)


def folder(path, n, side, seed, suffix="png"):
    path.mkdir()
    rng = np.random.default_rng(seed)
    for i in range(n):
        coarse = rng.integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((side, side)).save(path / f"{i}.{suffix}")
    return path


def test_a_manifest_says_what_is_learnt(tmp_path):
    folder(tmp_path / "real", 2, 64, 0)
    rows = [("real/0.png", "real", "MIT"), ("real/1.png", "real", "CC BY-NC 4.0")]
    with open(tmp_path / "manifest.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "family", "source", "source_path", "licence"])
        writer.writerows([path, label, "photograph", "a package", path, licence] for path, label, licence in rows)
    pictures = examples.of_folder(tmp_path, 0)
    assert [e.learnt for e in pictures] == [True, False]
    assert [e.group for e in pictures] == ["real", "real"]
    with pytest.raises(ConfigurationError, match="no generated pictures"):
        examples.of_folder(tmp_path, 1)


def test_a_manifest_cannot_leave_its_folder(tmp_path):
    text = "path,label,family,source,source_path,licence\n../x.png,real,photograph,a,b,MIT\n"
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(ConfigurationError, match="outside"):
        examples.of_folder(tmp_path, 0)


def test_an_empty_or_absent_folder_is_a_mistake(tmp_path):
    for place in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ConfigurationError, match="no real pictures"):
            examples.of_folder(place, 0)


def test_a_draw_depends_on_the_name_and_not_on_the_class():
    picture = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    two = [examples.Example("a", label, "f", "s", lambda: picture) for label in (0, 1)]
    assert np.array_equal(*(drawn(e, seed=3, plain=False) for e in two))


def rows(n=20, groups=6, seed=0, signal=1.5):
    """Sources and families of normal vectors, the generated ones shifted."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], n * groups)
    names = [f"{'made' if y else 'real'} {i % groups}" for i, y in enumerate(labels.tolist())]
    x = rng.normal(size=(len(labels), 5)) + signal * labels[:, None] * np.eye(5)[0]
    every = np.ones(len(labels), dtype=bool)
    return Rows({"x": x}, labels, names, names, every, every)


def test_the_exam_finds_the_area_of_two_normal_classes():
    figures = areas(rows(), families(rows()))
    expected = 0.856  # Φ(1.5 / √2)
    one = figures["auc, mean over families"]
    assert one["low"] < expected < one["high"]
    assert figures["tpr at 5% fpr"]["value"] == pytest.approx(0.44, abs=0.12)  # Φ(1.5 − 1.645)
    stated = frozen(rows())
    assert stated["fpr at the frozen threshold"]["value"] < 0.12
    assert stated["calibration error, debiased"]["value"] < 0.25  # ratios are bounded by the few groups
    assert len(stated["fpr by source at the frozen threshold"]) == 6


def test_one_family_and_one_source_have_no_interval_over_sources():
    """What a user has who gives one folder of photographs and one of outputs."""
    base = rows()
    judged = np.isin(base.groups, ["made 0", "real 0"])
    stated = frozen(replace(base, judged=judged))
    for name in ("tpr at the frozen threshold", "fpr at the frozen threshold"):
        assert (stated[name]["low"], stated[name]["high"], stated[name]["n"]) == (0, 1, 20)


@pytest.mark.parametrize(
    ("judged", "counts"), [(("made 0", "real 0"), "got 1 and 1"), (("real 0", "made"), "got 1 and 6")]
)
def test_the_method_is_not_assessed_on_too_few_groups(judged, counts):
    base = rows()
    part = replace(base, judged=np.array([g.startswith(judged) for g in base.groups]))
    assert counts in training.of_method(part)["not assessed"]


def test_only_permitted_rows_are_learnt_from():
    """Rows that may not be learnt from say the opposite: were they learnt from, the area would turn."""
    base = rows()
    x, learnt = base.blocks["x"], np.arange(len(base.labels)) % 3 == 0
    opposite = np.where(learnt[:, None], x, -x)
    aucs = []
    for blocks in (x, opposite):
        part = Rows({"x": blocks}, base.labels, base.groups, base.sources, learnt, ~learnt)
        aucs.append(areas(part, families(part, {"x": x}))["auc, mean over families"]["value"])
    assert aucs[0] == pytest.approx(aucs[1])
    assert aucs[0] > 0.75


def test_kernels_are_heads():
    """Where all rows are fitted to, standardising is the same: so are the scores of strangers."""
    base, fresh = rows(n=8), rows(n=8, seed=1)
    both = Rows(
        {name: np.concatenate([base.blocks["x"], fresh.blocks["x"]])[:, part] for name, part in PARTS.items()},
        np.r_[base.labels, fresh.labels], [*base.groups, *fresh.groups], [*base.sources, *fresh.sources],
        np.r_[base.learnt, ~fresh.learnt], np.r_[~base.learnt, fresh.learnt],
    )  # fmt: skip
    n = len(base.labels)
    got = Kernels(both).score(np.arange(n), np.arange(n, 2 * n))
    head = Head.fit_members(
        {k: v[:n] for k, v in both.blocks.items()}, base.labels, weights_of(base.labels, base.groups)
    )
    assert got == pytest.approx(head.score({k: v[n:] for k, v in both.blocks.items()}), abs=1e-4)


PARTS = {"a/1": slice(0, 2), "a/2": slice(2, 3), "b": slice(3, 5)}


@pytest.mark.slow
@pytest.mark.parametrize("side", [400, 64])
def test_sizes_that_tell_the_classes_apart_are_refused(tmp_path, monkeypatch, side):
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(training, "null_probe", lambda *_: Interval(0.5, 0.4, 0.6))
    given = [e for i in range(8) for e in examples.of_folder(folder(tmp_path / f"real{i}", 2, side, i), 0)]
    given += [e for i in range(8) for e in examples.of_folder(folder(tmp_path / f"made{i}", 2, 64, 10 + i), 1)]
    described, bad = training.described(given, seed=0, encoder=None, judged=given)
    assert bad == []
    if side == 64:
        assert "metadata baseline" in training.checked(described, given, 0)
        return
    with pytest.raises(ConfigurationError, match="the metadata baseline separate"):
        training.checked(described, given, 0)


def test_real_pictures_that_tell_how_they_were_saved_are_refused(monkeypatch):
    monkeypatch.setattr(training, "null_probe", lambda *_: Interval(0.9, 0.8, 0.95))
    part = rows(signal=0.0)
    with pytest.raises(ConfigurationError, match="the null probe separate"):
        training.checked(Rows({training.SIZE: part.blocks["x"]}, *[getattr(part, f) for f in FIELDS]), [], 0)


FIELDS = ("labels", "groups", "sources", "learnt", "judged")


def test_an_unreadable_file_is_named_and_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    place = folder(tmp_path / "real", 3, 64, 0)
    (place / "bad.png").write_bytes(b"no picture")
    given = examples.of_folder(place, 0)
    described, bad = training.described(given, seed=0, encoder=None, judged=given)
    assert len(bad) == 1
    assert "bad.png" in bad[0]
    assert len(described.labels) == 6


def test_files_that_cannot_be_read_are_told_before_anything_is_fitted(tmp_path, capsys):
    place = folder(tmp_path / "holiday", 2, 64, 0)
    (place / "bad.png").write_bytes(b"no picture")
    whole, bad = training.readable(examples.of_folder(place, 0))
    assert ([e.name for e in whole], len(bad)) == (["0.png", "1.png"], 1)
    assert "left out: " in (said := capsys.readouterr().err)
    assert "bad.png" in said
    for path in place.glob("?.png"):
        path.write_bytes(path.name.encode())
    with pytest.raises(ConfigurationError, match=r"none of the 3 real pictures can be read: .*holiday/"):
        training.train_shipped(tmp_path / "out", 0, real=[place])


def test_the_baseline_of_one_family_refuses_nothing_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr(training, "null_probe", lambda *_: Interval(0.5, 0.4, 0.6))
    base = rows(signal=9.0)
    part = replace(base, judged=np.array([not g.startswith("made") or g == "made 0" for g in base.groups]))
    described = Rows({training.SIZE: part.blocks["x"]}, *[getattr(part, f) for f in FIELDS])
    assert training.checked(described, [], 0)["metadata baseline"]["low"] == 0
    assert "made 0 alone" in (said := capsys.readouterr().err)
    assert "over its files the AUC is 1.000 [0.6" in said


def in_use(monkeypatch, blocks, known=()):
    """Make a head in use that knows nothing, and has learnt from what is named."""
    flat = {name: np.zeros(x.shape[1]) for name, x in blocks.items()}
    head = Head(flat, {name: x + 1 for name, x in flat.items()}, flat, 0.0)
    card = {"learnt from": dict.fromkeys(known, 5)}
    monkeypatch.setattr(training, "read", lambda: ({"deepfake.fusion": SimpleNamespace(head=head)}, card))


def mine(n=24, signal=2.0):
    """Rows of the five descriptors, all judged, and examples of the same groups."""
    base = rows(n=n, signal=signal)
    blocks = dict.fromkeys(training.TRACES, base.blocks["x"])
    part = Rows(blocks, *[getattr(base, f) for f in FIELDS])
    names = zip(base.labels.tolist(), base.groups, strict=True)
    return part, [examples.Example(g, y, g, g, lambda: None) for y, g in names]


def test_new_heads_are_compared_with_those_in_use(monkeypatch, capsys):
    part, given = mine()
    in_use(monkeypatch, part.blocks)
    out = training.beside_in_use(part, given)
    assert out["deepfake.fusion"]["verdict"] == "better than the head in use"
    assert out["deepfake.fusion"]["auc of the head in use"]["value"] == 0.5
    assert "better than the head in use: AUC" in capsys.readouterr().err


def test_new_heads_that_know_no_more_are_said_not_to(monkeypatch, capsys):
    part, given = mine(signal=0.0)
    in_use(monkeypatch, part.blocks, known=["real: real 0", "generated: another"])
    out = training.beside_in_use(part, given)
    assert out["deepfake.fusion"]["verdict"] != "better than the head in use"
    assert out["learnt from by the heads in use"] == ["real: real 0"]
    assert "the comparison favours them" in capsys.readouterr().err


def test_what_cannot_be_compared_is_said(monkeypatch):
    part, given = mine()
    assert training.beside_in_use(part, [e for e in given if not e.label]) == {
        "not compared": "pictures of both classes are needed"
    }

    def missing():
        raise ConfigurationError("no weights")

    monkeypatch.setattr(training, "read", missing)
    assert training.beside_in_use(part, given) == {"not compared": "no heads were in use"}


@pytest.mark.parametrize("name", ["deepfake.fusion", "deepfake.fusion, encoder"])
def test_the_card_sets_what_is_reached_beside_what_was_aimed_at(name):
    card = read()[1]
    aims = against_aims(card["figures"][name], encoder="encoder" in name)
    assert card["aims"][name] == aims
    assert len(aims) == 1 + sum(aim["encoder" not in name] is not None for aim in AIMS.values())
    assert aims["fpr on art at the frozen threshold"]["at most"] == 0.1


def test_an_aim_is_met_on_its_own_side():
    aims = against_aims(
        {name: {"value": 0.07} for name in ("fpr at the frozen threshold", "auc, mean over families")}, encoder=False
    )
    assert [aims[name]["met"] for name in ("fpr at the frozen threshold", "auc, mean over families")] == [False, False]
    assert against_aims({"fpr at the frozen threshold": {"value": 0.05}}, encoder=True)["fpr at the frozen threshold"][
        "met"
    ]


def test_a_file_that_is_given_as_both_classes_is_a_mistake(tmp_path):
    one = folder(tmp_path / "holiday", 3, 64, 0)
    with pytest.raises(ConfigurationError, match=r"0\.png, and 2 others are given as real and as generated"):
        training.train_shipped(tmp_path / "out", 0, real=[one], generated=[one])
    other = folder(tmp_path / "model", 1, 64, 5)
    (other / "copy.png").write_bytes((one / "1.png").read_bytes())
    with pytest.raises(ConfigurationError, match=r"copy\.png is given as real and as generated"):
        training.train_shipped(tmp_path / "out", 0, real=[one], generated=[other])
    assert not (tmp_path / "out").exists()
