import csv
import warnings

import numpy as np
import pytest
from PIL import Image

from guardrails.bias.images import Images
from guardrails.core.asking import ask
from guardrails.core.errors import ConfigurationError, NotApplicable
from guardrails.core.options import read_options
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject
from guardrails.targets import load_target

COLOURS = {"red": (200, 40, 40), "blue": (40, 40, 200), "grey": (128, 128, 128)}


def written(folder, groups, prompts=None, seed=0):
    """Write a picture of each group's colour, and their labels; return the folder's subject and the labels' file."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    rows = []
    for i, group in enumerate(groups):
        picture = np.clip(np.array(COLOURS[group]) + rng.normal(0, 20, (8, 8, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{i:03d}.png")
        rows.append({"file": f"{i:03d}.png", "label": group, "prompt": prompts[i] if prompts else ""})
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file", "label", "prompt"])
        writer.writeheader()
        writer.writerows(rows)
    return Subject(load_target(f"dir:{folder}")), folder / "labels.csv"


def probe(**options):
    out = Images()
    out.options = read_options(Images.Options, options, probe=out.id, open_files=True)
    return out


def rows_of(asked, subject, budget=Budget.QUICK):
    return [
        row for batch in asked.plan(subject, budget, seed=0) for row in ask(asked, subject, batch, seed=batch.index)
    ]


def measured(asked, subject):
    assert not asked.missing(subject)
    return asked.measure(rows_of(asked, subject), subject, seed=0)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """90 pictures in 15 prompts: 60 red, 20 blue, 10 grey."""
    groups = (["red"] * 4 + ["blue", "grey"]) * 10 + (["red"] * 4 + ["blue"] * 2) * 5
    return written(tmp_path_factory.mktemp("many") / "out", groups, [f"prompt {i // 6}" for i in range(90)])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A TorchScript file that reads blue and red from the mean of the two channels."""
    import torch
    from torch import nn

    class Reads(nn.Module):
        def forward(self, x):
            return x.mean(dim=(2, 3))[:, [2, 0]]

    path = tmp_path_factory.mktemp("model") / "reads.pt"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.jit.trace(Reads(), torch.rand(2, 3, 224, 224)).save(path)
    return path


def test_shares_of_labels_stand_beside_the_stated_reference(many):
    subject, labels = many
    gap, alike = measured(probe(groups="red=0.5,blue=0.5", labels=labels), subject)
    assert (gap.n, gap.value) == (80, 0.25)  # 60 of 80: grey is not compared
    assert 0.1 < gap.low < gap.value < gap.high < 0.4
    assert gap.low > gap.baseline.high - 0.1
    assert "15 prompts" in gap.method
    assert "10 of another group" in gap.explanation
    assert [(p.x, p.y) for p in gap.series[0].points] == [("red", 0.75), ("blue", 0.25)]
    assert alike.n == 90
    assert alike.low <= alike.baseline.high  # colours do not follow the prompts


def test_the_reference_decides_what_a_gap_is(many):
    subject, labels = many
    gap, _ = measured(probe(groups="red=0.75,blue=0.25", labels=labels), subject)
    assert gap.value == gap.low == 0
    uniform, _ = measured(probe(groups="red,blue,grey", labels=labels), subject)
    assert uniform.value == pytest.approx(60 / 90 - 1 / 3)
    assert "uniform" in uniform.explanation


def test_a_group_that_never_occurs_counts_as_0(many):
    subject, labels = many
    gap, _ = measured(probe(groups="red,blue,green", labels=labels), subject)
    points = {point.x: point for point in gap.series[0].points}
    assert points["green"].y == points["green"].low == 0 < points["green"].high


def test_the_error_of_a_model_is_measured_and_part_of_the_interval(many, model, tmp_path):
    subject, labels = many
    _, labelled = written(tmp_path / "known", ["red", "blue"] * 40, seed=1)
    from_labels, _ = measured(probe(groups="red,blue", labels=labels), subject)
    only = Subject(written(tmp_path / "two", ["red"] * 60 + ["blue"] * 20, seed=2)[0].target)
    asked = probe(groups="red,blue", model=model, classes="blue,red", labelled=labelled)
    gap, _ = measured(asked, only)
    assert gap.value == pytest.approx(0.25, abs=1e-6)
    assert gap.high - gap.low > 0.18 > 0
    assert "corrected for its error on 80 labelled pictures" in gap.method
    assert gap.evidence[0].rows[0][-1] == "40 of 40"
    assert from_labels.value == pytest.approx(gap.value)


def test_a_model_that_mistakes_groups_for_one_another_is_corrected_or_refused(model, tmp_path):
    subject, _ = written(tmp_path / "out", ["red"] * 60 + ["blue"] * 60)
    _, turned = written(tmp_path / "known", ["red", "blue"] * 30, seed=1)
    asked = probe(groups="red,blue", model=model, classes="red,blue", labelled=turned)  # classes in the wrong order
    gap, _ = measured(asked, subject)
    assert gap.value is None
    assert "is not shown to tell" in gap.reason or "not shown to be better than chance" in gap.reason


@pytest.mark.parametrize(
    ("groups", "prompts", "reason"),
    [
        (["red"] * 39, None, "39 pictures"),
        (["red", "blue"] * 25, [f"{i % 4}" for i in range(50)], "4 prompts"),
        (["red", "blue"] * 20 + ["grey"] * 60, None, "60 of another group"),
        (["red", "blue"] * 25, ["", *(f"{i % 7}" for i in range(49))], "not known"),
    ],
)
def test_where_little_is_known_there_is_no_number(tmp_path, groups, prompts, reason):
    subject, labels = written(tmp_path / "out", groups, prompts)
    gap, _ = measured(probe(groups="red,blue", labels=labels), subject)
    assert gap.value is None
    assert reason in gap.reason


def test_too_few_labelled_pictures_of_a_group_leave_the_error_unknown(model, tmp_path):
    subject, _ = written(tmp_path / "out", ["red", "blue"] * 25)
    _, labelled = written(tmp_path / "known", ["red"] * 40 + ["blue"] * 19)
    gap, _ = measured(probe(groups="red,blue", model=model, classes="blue,red", labelled=labelled), subject)
    assert gap.value is None
    assert "of blue there are 19" in gap.reason


def test_nothing_is_guessed_where_neither_labels_nor_a_model_are_given(many, model):
    subject, labels = many
    with pytest.raises(NotApplicable, match="labels"):
        Images().applicable(subject)
    assert "groups=" in probe(labels=labels).missing(subject)[0]
    assert "labelled=" in probe(groups="a,b", model=model).missing(subject)[0]
    assert "only one of" in probe(groups="a,b", model=model, labels=labels).missing(subject)[0]
    made = load_target("reference:gan-art")
    assert "a folder" in probe(groups="a,b", labels=labels).missing(Subject(made))[0]


def test_wrong_options_are_refused_before_a_run(many, model, tmp_path):
    for options, reason in (
        ({"groups": "a=0.4,b=0.4"}, "sum to 0.8"),
        ({"labels": tmp_path / "none.csv"}, "none.csv"),
        ({"model": many[1]}, "neither an .onnx"),
        ({"model": tmp_path}, "weights"),
    ):
        with pytest.raises(ConfigurationError, match=reason):
            probe(**options)
    assert "model" in probe(model=model).options.runs_code()


def test_a_label_of_no_picture_and_a_group_that_the_model_does_not_read_are_said(many, model, tmp_path):
    subject, labels = many
    other = tmp_path / "labels.csv"
    other.write_text("file,label\nelsewhere.png,red\n")
    with pytest.raises(ConfigurationError, match=r"'elsewhere\.png' is no picture"):
        probe(groups="red,blue", labels=other).plan(subject, Budget.QUICK, seed=0)
    asked = probe(groups="red,green", model=model, classes="blue,red", labelled=labels)
    with pytest.raises(ConfigurationError, match="does not read 'green'"):
        asked.plan(subject, Budget.QUICK, seed=0)


def test_a_file_needs_the_names_of_its_classes_and_as_many_as_it_has_scores(many, model):
    subject, labels = many
    with pytest.raises(ConfigurationError, match="name its classes"):
        probe(groups="red,blue", model=model, labelled=labels).plan(subject, Budget.QUICK, seed=0)
    asked = probe(groups="red,blue", model=model, classes="red,blue,grey", labelled=labels)
    rows = [row for row in rows_of(asked, subject) if row.get("arm") is None]
    assert all("3 classes" in row["error"] for row in rows[:5])


def test_pictures_that_cannot_be_read_are_errors(tmp_path):
    subject, labels = written(tmp_path / "out", ["red", "blue"] * 25)
    (tmp_path / "out" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    subject = Subject(load_target(f"dir:{tmp_path / 'out'}"))
    gap, _ = measured(probe(groups="red,blue", labels=labels), subject)
    assert (gap.n, gap.errors) == (50, 1)


def test_the_rows_hold_no_prompt_and_no_picture(many):
    subject, labels = many
    rows = rows_of(probe(groups="red,blue", labels=labels), subject)
    assert {key for row in rows for key in row} == {"item", "group", "prompt", "layout"}
    assert len({row["prompt"] for row in rows}) == 15
    assert not any("prompt 1" in str(row) for row in rows)


def test_labels_that_are_spelt_otherwise_than_the_groups_are_named(many):
    subject, labels = many
    with pytest.raises(ConfigurationError, match="no picture is labelled Red or Blue; the labels are 'blue', 'grey'"):
        probe(groups="Red,Blue", labels=labels).plan(subject, Budget.QUICK, seed=0)


def test_of_one_prompt_the_result_holds_for_this_prompt_alone(tmp_path):
    subject, labels = written(tmp_path / "out", ["red", "blue"] * 25, ["a car"] * 50)
    gap, _ = measured(probe(groups="red,blue", labels=labels), subject)
    assert "for this prompt alone" in gap.method


def test_few_pictures_say_how_many_were_left_out(tmp_path):
    subject, labels = written(tmp_path / "out", ["red"] * 30 + ["grey"] * 20)
    gap, _ = measured(probe(groups="red,blue", labels=labels), subject)
    assert gap.value is None
    assert "30 pictures" in gap.reason
    assert "20 of another group" in gap.reason


@pytest.mark.parametrize("by", ["labels", "model"])
def test_the_spike_shows_the_group_that_is_expected_least_often(many, model, by):
    subject, labels = many
    if by == "labels":
        asked = probe(groups="red=0.75,blue=0.25", labels=labels)
    else:
        asked = probe(groups="red=0.75,blue=0.25", model=model, classes="blue,red", labelled=labels)
    batches = [b for b in asked.plan(subject, Budget.QUICK, seed=0) if b.items and b.items[0].counted]
    planted = asked.spike(subject, batches, seed=1)
    spiked = [row for batch in batches for row in ask(asked, planted, batch, seed=batch.index)]
    assert {row["group"] for row in spiked} == {"blue"}
    assert all("prompt" in row for row in spiked) == (by == "labels")
    assert asked.recovery([], spiked, subject)[0] == 1
    labelled = [row for row in rows_of(asked, subject) if "true" in row]
    gap = asked.measure([*spiked, *labelled], planted, seed=0)[0]
    assert gap.low > 0.45


def test_a_folder_of_transformers_reads_pictures(tmp_path):
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    names = {0: "red", 1: "blue"}
    config = ViTConfig(image_size=16, patch_size=8, id2label=names, label2id={v: k for k, v in names.items()}, **shape)
    ViTForImageClassification(config).save_pretrained(tmp_path / "vit")
    subject, labels = written(tmp_path / "out", ["red", "blue"] * 3)
    with pytest.raises(ConfigurationError, match=r"preprocessor_config\.json is missing"):
        probe(model=tmp_path / "vit")
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(tmp_path / "vit")
    asked = probe(groups="red,blue", model=tmp_path / "vit", labelled=labels)
    rows = rows_of(asked, subject)
    assert len(rows) == 12
    assert {row["group"] for row in rows} <= {"red", "blue"}
    assert not any("error" in row for row in rows)
