"""The benchmark of detectors: its data, its tables, its files."""

from __future__ import annotations

import csv
import importlib
import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from sklearn.metrics import roc_auc_score

from guardrails.assay.bench.data import Item, folder_items, generator_items
from guardrails.assay.bench.run import bench
from guardrails.assay.bench.scores import Scores
from guardrails.assay.bench.tables import Parts, across, calibration, false_alarms, left_out, means, shipped
from guardrails.cli import run
from guardrails.core.errors import ConfigurationError
from guardrails.core.results.bench import StrengthRow, Tables
from reports import bench as reports

sys.path.append(str(Path(__file__).parents[2] / "reports"))
kinds = importlib.import_module("result_kinds")


def items(families=("a", "b"), sources=("s1", "s2", "s3"), n=12) -> list[Item]:
    made = [Item(f"{f}{i}", 1, f, f"{f}{i}", "g", lambda: None) for f in families for i in range(n)]
    real = [Item(f"{s}{i}", 0, "real", s, "g", lambda: None) for s in sources for i in range(n)]
    return [*made, *real]


def scores_of(rows: list[Item], values: np.ndarray, verdicts: list[str]) -> Scores:
    key = ("deepfake.x", "none")
    return Scores(
        items=rows, score={key: values.tolist()}, verdict={key: verdicts}, severity={"none": [0.0] * len(rows)},
        probability={key: (1 / (1 + np.exp(-values))).tolist()},
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for side, names in (("real", ("camera", "scan", "phone")), ("generated", ("gan", "vae"))):
        for name in names:
            here = tmp_path / "data" / side / name
            here.mkdir(parents=True)
            for i in range(12):
                noise = rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)
                if side == "generated":
                    noise = np.repeat(np.repeat(noise[::2, ::2], 2, 0), 2, 1)
                Pillow.fromarray(noise).save(here / f"{i}.png")
    return tmp_path / "data"


def test_tables_agree_with_scikit_learn():
    rows = items()
    values = np.random.default_rng(1).normal(size=len(rows)) + np.array([r.label for r in rows])
    by_family = {r.family: r for r, _ in shipped(scores_of(rows, values, ["synthetic"] * len(rows)), Parts(rows))}
    for family in ("a", "b"):
        keep = np.array([r.family == family or not r.label for r in rows])
        labels = np.array([r.label for r in rows])[keep]
        assert by_family[family].auc == pytest.approx(roc_auc_score(labels, values[keep]))
        assert by_family[family].auc_low < by_family[family].auc < by_family[family].auc_high
        assert by_family[family].called_synthetic[0] == 1
        assert by_family[family].abstains[0] == 0


def test_what_has_no_score_is_counted_and_never_compared():
    rows = items()
    values = np.array([float(r.label) for r in rows])
    values[:3] = np.nan
    row, _ = next(iter(shipped(scores_of(rows, values, ["abstain"] * len(rows)), Parts(rows))))
    assert (row.unscored, row.n_generated, row.auc) == (3, 9, 1.0)


def test_a_family_is_compared_with_the_real_pictures_of_its_own_data():
    rows = items() + [Item(f"o{i}", 0, "real", "other", "h", lambda: None) for i in range(50)]
    values = np.array([1.0 if r.label or r.group == "h" else 0.0 for r in rows])
    row, _ = next(iter(shipped(scores_of(rows, values, ["abstain"] * len(rows)), Parts(rows))))
    assert (row.n_real, row.auc) == (36, 1.0)


def test_few_real_pictures_give_no_tpr_and_say_why():
    rows = items(sources=("s1", "s2"), n=5)
    row, _ = next(
        iter(shipped(scores_of(rows, np.arange(len(rows), dtype=float), ["nothing found"] * len(rows)), Parts(rows)))
    )
    assert row.tpr5 is None
    assert "too few" in row.reason


def test_nothing_that_is_scored_was_fitted_to():
    rows = items(families=("a", "b", "c"))
    parts = Parts(rows)

    def refit(detector, fit, test, change):
        assert not set(fit) & set(test)
        fitted, left = {rows[i].family for i in fit if rows[i].label}, {rows[i].family for i in test if rows[i].label}
        assert not fitted & left
        assert not {rows[i].source for i in fit} & {rows[i].source for i in test}
        return np.array([float(rows[i].label) for i in test])

    family_rows, placed = zip(*left_out(refit, ["deepfake.x"], ["none", "blur=1"], parts), strict=True)
    assert len(family_rows) == 6
    assert all(r.auc == 1 and r.n_real == 36 for r in family_rows)
    assert all(r.tpr5 is None for r in family_rows)  # of 36 real pictures 5% are not two
    assert next(iter(means(family_rows, placed, parts.sources))).mean_auc == 1


def test_a_share_is_told_at_a_twentieth_of_enough_real_pictures():
    rows = items(families=("a", "b"), n=40)

    def refit(detector, fit, test, change):
        return np.array([float(rows[i].label) * (i % 2) for i in test])  # every second output stands out

    family_rows, _ = zip(*left_out(refit, ["deepfake.x"], ["none"], Parts(rows)), strict=True)
    for row in family_rows:
        assert row.n_real == 120
        assert row.tpr5 == 0.5
        assert row.tpr5_low < 0.5 < row.tpr5_high


@pytest.mark.parametrize("group", ["g", "h"])
def test_the_mean_over_families_has_an_interval_whether_or_not_they_share_real_pictures(group):
    rows = items() + [replace(item, name=f"{group}{item.name}", group=group) for item in items(("c",), ("s4", "s5"))]
    values = np.random.default_rng(0).normal(size=len(rows)) + np.array([r.label for r in rows])
    parts = Parts(rows)
    family_rows, placed = zip(*shipped(scores_of(rows, values, ["nothing found"] * len(rows)), parts), strict=True)
    mean = next(iter(means(family_rows, placed, parts.sources)))
    assert mean.mean_auc == pytest.approx(np.mean([r.auc for r in family_rows]))
    assert mean.mean_low < mean.mean_auc < mean.mean_high


def test_from_one_family_to_another_uses_other_sources_too():
    rows = items()
    parts = Parts(rows)

    def refit(detector, fit, test, change):
        assert not {rows[i].source for i in fit} & {rows[i].source for i in test}
        learnt = {rows[i].family for i in fit if rows[i].label}.pop()
        return np.array([float(rows[i].family == learnt) for i in test])

    aucs = {(r.fitted_to, r.family): r.auc for r in across(refit, ["deepfake.x"], parts, 5)}
    assert aucs == {("a", "a"): 1, ("b", "b"): 1, ("a", "b"): 0.5, ("b", "a"): 0.5}


def test_too_few_to_fit_to_is_said():
    rows = items(n=4)
    across_rows = list(across(lambda *_: None, ["deepfake.x"], Parts(rows), 10))
    assert all(r.auc is None and "10 are needed" in r.reason for r in across_rows)


def test_a_family_cut_from_one_grid_has_nothing_left_to_score():
    rows = [*items(families=("a",)), *(Item(f"t{i}", 1, "tiles", "grid", "g", lambda: None) for i in range(12))]
    reasons = {
        (r.fitted_to, r.family): r.reason
        for r in across(lambda _, fit, test, change: np.zeros(len(test)), ["deepfake.x"], Parts(rows), 5)
    }
    assert reasons["a", "tiles"] == "tiles: all are of one source; none is left to score"


def test_one_source_of_real_pictures_cannot_be_left_out():
    rows = items(sources=("s",))
    with pytest.raises(ConfigurationError, match="two sources"):
        list(left_out(lambda *_: None, ["deepfake.x"], ["none"], Parts(rows)))


def test_calibrated_probabilities_have_no_error_and_a_shift_shows():
    rng = np.random.default_rng(0)
    rows = items(sources=[f"s{i}" for i in range(8)], n=60)
    labels = np.array([r.label for r in rows])
    values = np.where(labels == 1, rng.normal(1, 1, len(rows)), rng.normal(-1, 1, len(rows))) * 2
    right, wrong = (next(iter(calibration(scores_of(rows, v, []), Parts(rows)))) for v in (values, values + 4))
    assert right.error_low <= right.error < 0.06
    assert wrong.error > wrong.error_low > 0.1
    p = 1 / (1 + np.exp(-values))
    both = [np.mean((p[labels == label] - label) ** 2) for label in (0, 1)]
    assert right.brier == pytest.approx(np.mean(both))
    assert right.brier_low < right.brier < right.brier_high


def test_few_sources_have_no_interval_and_so_no_calibration_error():
    rows = items(n=40)
    (row,) = calibration(scores_of(rows, np.zeros(len(rows)), []), Parts(rows))
    assert row.error is None
    assert "sources of a class are too few" in row.reason


def test_false_alarms_are_counted_by_source():
    rows = items()
    verdicts = ["synthetic" if r.source == "s1" else "nothing found" for r in rows]
    by_source = {r.source: r for r in false_alarms(scores_of(rows, np.zeros(len(rows)), verdicts), Parts(rows))}
    assert {name: row.fpr for name, row in by_source.items()} == {"g: s1": 1, "g: s2": 0, "g: s3": 0}


def test_a_folder_says_families_and_sources_by_its_folders(folder: Path):
    pictures = folder_items(folder)
    assert {i.family for i in pictures if i.label} == {"gan", "vae"}
    assert len({i.source for i in pictures if not i.label}) == 3


def test_a_manifest_names_them_and_only_below_the_folder(folder: Path):
    manifest = folder / "manifest.csv"
    lines = ["path,label,family,source,source_path", "real/scan/1.png,real,photograph,s,", "x.png,manipulated,f,s,"]
    manifest.write_text("\n".join([*lines, "generated/gan/1.png,generated,gan,repo,grid.png"]))
    assert [(i.label, i.family, i.source) for i in folder_items(folder)] == [
        (0, "real", "real/scan"), (1, "gan", "repo/grid.png"),
    ]  # fmt: skip
    for path in ("../secret.png", "/etc/passwd", ""):
        manifest.write_text("\n".join([*lines, f"{path},generated,gan,repo,"]))
        with pytest.raises(ConfigurationError, match="below the folder"):
            folder_items(folder)


def test_folders_of_one_name_are_a_mistake_and_the_current_one_has_a_name(folder: Path, tmp_path: Path, monkeypatch):
    other = tmp_path / "other" / folder.name
    other.mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="2 folders are called 'data'"):
        bench([folder, other], detectors=["deepfake.npr"])
    monkeypatch.chdir(folder)
    result = bench([Path()], detectors=["deepfake.npr"])
    assert result.settings.data == ["data"]
    assert {group for row in result.data for group in row.groups} == {"data"}


@pytest.mark.parametrize("name", ["", "real", "generated"])
def test_a_folder_of_one_class_is_a_mistake(tmp_path: Path, name: str):
    (tmp_path / name).mkdir(exist_ok=True)
    with pytest.raises(ConfigurationError, match="holds no"):
        folder_items(tmp_path)


def test_an_unknown_generator_is_a_mistake():
    with pytest.raises(ConfigurationError, match="gan-art"):
        generator_items(["gpt-*"], 2, seed=0)


def test_pages_escape_what_folders_are_called(folder: Path):
    (folder / "generated" / "gan").rename(folder / "generated" / "<script>alert(1)<")
    result = bench([folder], detectors=["deepfake.npr"], seed=0)
    page = reports.to_html(result)
    assert "<script" not in page
    assert "script&gt;" in page or "&lt;script" in page
    assert "style=" not in page


def test_a_spreadsheet_runs_no_cell():
    row = StrengthRow(perturbation="none", n=0, mean=None, reason="=cmd()")
    tables = Tables(shipped=[], means=[], calibration=[], false_alarms=[], severity=[row])
    result = kinds.bench().model_copy(update={"tables": tables})
    assert "'=cmd()" in reports.to_csv(result)


def test_what_a_detector_cannot_describe_is_not_fitted_to(folder: Path):
    result = bench(
        [folder], detectors=["deepfake.npr", "deepfake.face"], leave_one_family_out=True
    )  # no faces in noise
    across_rows = {(r.detector, r.auc is None) for r in result.tables.across}
    assert across_rows == {("deepfake.npr", True), ("deepfake.face", True)}  # six of each are too few for both
    assert {(r.detector, r.auc is None) for r in result.tables.left_out} == {
        ("deepfake.npr", False), ("deepfake.face", True),
    }  # fmt: skip
    assert {r.detector for r in result.tables.left_out_means} == {"deepfake.npr"}


@pytest.mark.slow
def test_generators_without_files_are_compared_by_every_detector_that_sees_pixels():
    result = bench(generators=["gan-art", "diffusion-photo"], detectors=["deepfake.metadata", "deepfake.cnn"], n=24)
    assert all(r.auc is None for r in result.tables.across if r.detector == "deepfake.metadata")
    assert all(r.auc is not None for r in result.tables.across if r.detector == "deepfake.cnn")


def test_one_command_makes_the_tables_of_a_paper(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["bench", str(folder), "--detectors", "deepfake.npr", "--detectors", "deepfake.radial"]
    words += ["--perturbations", "jpeg=*", "--leave-one-family-out"]
    assert run([*words, "--out", str(tmp_path / "one")]) == 0
    assert run([*words, "--out", str(tmp_path / "two")]) == 0
    result = json.loads((tmp_path / "one" / "bench.json").read_text())
    again = json.loads((tmp_path / "two" / "bench.json").read_text())
    used = result.pop("cost")
    assert used["items"] == again.pop("cost")["items"] == 60
    assert used["seconds"] > 0
    assert result == again
    assert {r["perturbation"] for r in result["tables"]["left_out"]} == {"none", "jpeg=90", "jpeg=70", "jpeg=50"}
    npr = [r for r in result["tables"]["left_out"] if (r["detector"], r["perturbation"]) == ("deepfake.npr", "none")]
    assert min(r["auc"] for r in npr) > 0.9  # neighbours repeated: what NPR looks for
    rows = list(csv.DictReader(io.StringIO((tmp_path / "one" / "bench.csv").read_text())))
    assert len(rows) == sum(len(table) for table in result["tables"].values())
    for name in ("bench.md", "bench.html"):
        assert "deepfake.npr" in (tmp_path / "one" / name).read_text()
    text = (tmp_path / "one" / "bench.md").read_text()
    assert "## From one family to another: deepfake.npr: AUC" in text
    assert "guardrails bench data --detectors deepfake.npr --detectors deepfake.radial --perturbations" in text
    assert result["hashes"]["data"] in text
    assert "may have been trained on some of these" in text
    printed = capsys.readouterr().out
    assert "## As shipped: mean over families" in printed
    assert printed.count("| deepfake.radial | jpeg=50 | all | all | 2 | 24 | 36 |") == 2 * 2  # as shipped, left out
    assert run([*words, "--out", str(tmp_path / "one")]) == 2
    assert "not an empty folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--detectors", "deepfake.nqr"], "no detector of pictures"),
        (["--generators", "gan-arts"], "no generator of pictures"),
        (["--perturbations", "jpge=70"], "unknown perturbation"),
        (["no-such-folder"], "no folder"),
    ],
)
def test_a_mistake_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str):
    assert run(["bench", *words, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
