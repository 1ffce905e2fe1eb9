"""The prompts beside a folder of pictures."""

import json

import pytest
from PIL import Image as Pillow

from guardrails.core.errors import TargetError
from guardrails.targets import load_target


@pytest.fixture
def pictures(tmp_path):
    for name in ("a.png", "b.png", "more/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Pillow.new("RGB", (4, 4)).save(tmp_path / name)
    return tmp_path


def rows(folder, *values):
    (folder / "prompts.jsonl").write_text("".join(json.dumps(v) + "\n" for v in values))
    return load_target(f"dir:{folder}")


def test_each_picture_has_its_prompt_or_none(pictures):
    assert load_target(f"dir:{pictures}").prompts is None
    target = rows(pictures, {"file": "more/c.png", "prompt": "sea"}, {"file": "a.png", "prompt": "cat"})
    assert dict(zip(target.images.names, target.prompts, strict=True)) == {
        "a.png": "cat", "b.png": None, "more/c.png": "sea",
    }  # fmt: skip


def test_prompts_as_csv_and_of_pictures_that_cannot_be_read(pictures):
    (pictures / "bad.png").write_bytes(b"bad")
    (pictures / "prompts.csv").write_text('file,prompt\nb.png,"a cat, and\na dog"\nbad.png,x\n', encoding="utf-8-sig")
    target = load_target(f"dir:{pictures}")
    assert target.prompts == [None, "a cat, and\na dog", None]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"file": "z.png", "prompt": "x"}, "line 2: 'z.png' is no picture"),
        ({"file": "../a.png", "prompt": "x"}, "no picture of the folder"),
        ({"file": "a.png"}, "a row has the texts"),
        ({"file": "a.png", "prompt": 3}, "a row has the texts"),
        ("a.png", "a row has the texts"),
        ({"file": "b.png", "prompt": "x"}, "has a prompt already"),
    ],
)
def test_a_wrong_manifest_is_an_error(pictures, row, why):
    with pytest.raises(TargetError, match=why):
        rows(pictures, {"file": "b.png", "prompt": "x"}, row)


def test_a_manifest_that_cannot_be_read_and_two_of_them(pictures):
    (pictures / "prompts.csv").write_bytes(b"file,prompt\na.png,\xff\xfe\n")
    with pytest.raises(TargetError, match=r"prompts.csv cannot be read"):
        load_target(f"dir:{pictures}")
    (pictures / "prompts.jsonl").write_text("{}\n")
    with pytest.raises(TargetError, match="keep one"):
        load_target(f"dir:{pictures}")
    (pictures / "prompts.csv").unlink()
    (pictures / "prompts.jsonl").write_text("{no json\n")
    with pytest.raises(TargetError, match="cannot be read"):
        load_target(f"dir:{pictures}")
