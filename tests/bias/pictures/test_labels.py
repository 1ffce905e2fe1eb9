import json

import numpy as np
import pytest
from PIL import Image

from guardrails.bias.pictures.labels import Label, read_labelled, read_labels
from guardrails.core.errors import ContentError


def written(folder, rows):
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_labels_and_prompts_are_read_and_an_empty_label_is_none(tmp_path):
    rows = [{"file": "a.png", "label": "woman", "prompt": "a nurse"}, {"file": "b.png", "label": None}]
    labels = read_labels(written(tmp_path, [*rows, {"file": "c.png", "label": True}]))
    assert labels == {"a.png": Label("woman", "a nurse"), "b.png": Label("", None), "c.png": Label("true", None)}


def test_a_table_is_read_too(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("file,label\na.png,woman\nb.png,\n")
    assert read_labels(path) == {"a.png": Label("woman", None), "b.png": Label("", None)}


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([{"file": "a.png"}], "'label'"),
        ([{"label": "woman"}], "'file'"),
        ([{"file": "a.png", "label": ["x"]}], "'label'"),
        ([{"file": "a.png", "label": "x", "prompt": 3}], "'prompt'"),
        ([{"file": "a.png", "label": "x"}] * 2, "twice"),
        ([["a.png", "x"]], "a row has"),
        ([], "no labels"),
    ],
)
def test_other_rows_are_refused(tmp_path, rows, reason):
    with pytest.raises(ContentError, match=reason):
        read_labels(written(tmp_path, rows))


def test_a_file_that_holds_no_records_or_is_missing_is_refused(tmp_path):
    (tmp_path / "labels.png").write_bytes(b"\x89PNG")
    for name in ("labels.png", "missing.csv"):
        with pytest.raises(ContentError):
            read_labels(tmp_path / name)


def test_labelled_pictures_lie_below_the_folder_and_those_without_a_label_are_left_out(tmp_path):
    Image.fromarray(np.full((4, 4, 3), 7, np.uint8)).save(tmp_path / "a.png")
    labelled = read_labelled(written(tmp_path, [{"file": "a.png", "label": "x"}, {"file": "b.png", "label": ""}]))
    assert list(labelled.groups) == ["x"]
    assert labelled.pictures[0].shape == (4, 4, 3)
    for file in ("../a.png", str(tmp_path / "a.png"), "b.png"):
        with pytest.raises(ContentError, match="no file below"):
            read_labelled(written(tmp_path, [{"file": file, "label": "x"}]))
