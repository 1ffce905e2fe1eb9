import gzip
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow

from guardrails.core.batch import Batch, Item
from guardrails.core.errors import ConfigurationError, TargetError
from guardrails.core.targets import Access, ImageTarget, Modality, TableTarget, TextOutputs, TextTarget
from guardrails.kit.pictures.folder import ImageFolder
from guardrails.targets import load_data, load_target, read_as


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(6):
        Pillow.new("RGB", (4, 3), (i * 20, 0, 0)).save(folder / f"{i}.png")
    (folder / "bad.png").write_bytes(b"bad")
    return folder


def placed(begin, end):
    return tuple(Item(str(i), fields={"place": i}) for i in range(begin, end))


def shade(image):
    return int(image[0, 0, 0]) // 20


def test_a_folder_of_pictures(pictures):
    target = load_target(f"dir:{pictures}")
    assert isinstance(target, ImageTarget)
    assert (target.modality, target.access) == (Modality.IMAGE, {Access.OUTPUTS})
    assert target.available == 6
    assert [name for name, _ in target.problems] == ["bad.png"]
    assert target.read_as.startswith("6 pictures (PNG 6); counted as errors 1: bad.png (")
    assert "left out" not in target.read_as  # it is a row, and counts
    (pictures / "notes.txt").write_text("text")
    assert load_target(f"dir:{pictures}").read_as.endswith("; left out 1: notes.txt (text)")
    drawn = [shade(image) for image in target.sample_images(6, seed=1)]
    assert sorted(drawn) == list(range(6))
    assert drawn == [shade(image) for image in target.sample_images(6, seed=1)]
    assert len({shade(image) for image in target.sample_images(4, seed=2)}) == 4
    with pytest.raises(TargetError, match="7 readable pictures are needed and 6 are there"):
        target.sample_images(7, seed=0)


def test_a_batch_of_a_folder_reads_its_own_pictures_only(pictures, monkeypatch):
    from guardrails.kit.pictures import folder
    from guardrails.kit.pictures.batches import fetch_pictures

    target = load_target(f"dir:{pictures}")
    assert target.available == 6
    read = []
    monkeypatch.setattr(folder, "read_image", lambda path, **_: read.append(path.name) or np.zeros((3, 4, 3), np.uint8))
    for start in (0, 2, 4):
        batch = Batch(start // 2, placed(start, start + 2), {"seed": 5})
        assert fetch_pictures(target, batch, lambda picture: {"value": 1}, seed=0)[1]["value"] == 1
    assert sorted(read) == [f"{i}.png" for i in range(6)]


def test_a_picture_that_is_gone_by_the_time_it_is_read_is_a_row(pictures):
    from guardrails.kit.pictures.batches import fetch_pictures

    target = load_target(f"dir:{pictures}")
    batch = Batch(0, placed(0, target.available), {"seed": 5})
    (pictures / "3.png").unlink()
    rows = fetch_pictures(target, batch, lambda picture: {"value": shade(picture)}, seed=0)
    assert sorted(row["value"] for row in rows if "value" in row) == [0, 1, 2, 4, 5]
    assert ["no such file" in row["error"] for row in rows if "error" in row] == [True]


def test_the_identity_follows_names_and_bytes(pictures, tmp_path):
    identity = load_target(f"dir:{pictures}").identity()
    assert identity["files"] == "7"
    shutil.copytree(pictures, tmp_path / "copy")
    assert load_target(f"dir:{tmp_path / 'copy'}").identity() == identity
    (tmp_path / "copy" / "0.png").rename(tmp_path / "copy" / "zero.png")
    assert load_target(f"dir:{tmp_path / 'copy'}").identity() != identity


def test_a_folder_without_pictures(tmp_path):
    with pytest.raises(TargetError, match="no such folder"):
        load_target(f"dir:{tmp_path / 'absent'}")
    with pytest.raises(TargetError, match=r"holds no picture$"):
        load_target(f"dir:{tmp_path}")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(TargetError, match=r"left out 1: a\.txt \(text\)"):
        load_target(f"dir:{tmp_path}")


def lines(path, *values):
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def test_a_file_of_texts(tmp_path):
    target = load_target(f"jsonl:{lines(tmp_path / 'a.jsonl', 'one', {'text': 'two', 'prompt': 'p'}, {'text': ''})}")
    assert isinstance(target, TextOutputs)
    assert not isinstance(target, TextTarget)
    assert (target.modality, target.access, target.available) == (Modality.TEXT, {Access.OUTPUTS}, 3)
    assert target.outputs() == ["one", "two", ""]
    assert target.prompts == [None, "p", None]
    assert sorted(target.sample_texts(3, seed=0)) == ["", "one", "two"]
    assert target.sample_texts(2, seed=4) == target.sample_texts(2, seed=4)
    assert target.identity()["texts"] == "3"
    with pytest.raises(TargetError, match="4 texts are needed and 3 are there"):
        target.sample_texts(4, seed=0)


def test_a_bad_file_of_texts(tmp_path):
    with pytest.raises(TargetError, match="no such file"):
        load_target(f"jsonl:{tmp_path / 'absent.jsonl'}")
    with pytest.raises(TargetError, match="holds no text"):
        load_target(f"jsonl:{lines(tmp_path / 'empty.jsonl')}")
    (tmp_path / "bad.jsonl").write_text('"fine"\nnot json\n')
    with pytest.raises(TargetError, match=r"bad\.jsonl, line 2: not JSON"):
        load_target(f"jsonl:{tmp_path / 'bad.jsonl'}")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table(tmp_path, kind):
    table = pd.DataFrame({"a": range(10), "b": list("abcdefghij")})
    path = tmp_path / f"t.{kind}"
    table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    target = load_target(f"table:{path}")
    assert isinstance(target, TableTarget)
    assert (target.modality, target.available) == (Modality.TABLE, 10)
    drawn = target.sample_rows(10, seed=3)
    assert sorted(drawn["a"]) == list(range(10))
    pd.testing.assert_frame_equal(drawn, target.sample_rows(10, seed=3))
    assert target.identity()["columns"] == "2"
    with pytest.raises(TargetError, match="11 rows are needed"):
        target.sample_rows(11, seed=3)


def test_a_bad_table(tmp_path, monkeypatch):
    from guardrails.kit.tables import files

    def refused(name, content, message):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TargetError, match=message):
            load_target(f"table:{tmp_path / name}")

    refused("a.csv", b"", "the file is empty")
    refused("b.csv", b"a,b\n", "holds no rows")
    refused("c.csv", b'a,b\n1,2,3\n4,5,6,"', "line 3: 4 fields where other rows have 3")
    refused("d.csv", b"abc\0\0\1", "not a text file")
    refused("e.parquet", b"PAR1 no", "not a readable table")
    refused("e.csv", b"\x1f\x8b\x08\x00", "gzip data")
    refused("f.xlsx", b"a,b\n1,2\n", "not a readable xlsx file")
    refused("f.pdf", b"%PDF-1.4", "PDF data")
    with pytest.raises(TargetError, match="no such file"):
        load_target(f"table:{tmp_path / 'absent.csv'}")
    pd.DataFrame({"a": range(10)}).to_parquet(tmp_path / "g.parquet")
    monkeypatch.setattr(files, "MAX_ROWS", 9)
    monkeypatch.setattr(pd, "read_parquet", lambda path: pytest.fail("decoded"))
    refused("g.parquet", (tmp_path / "g.parquet").read_bytes(), "10 rows x 1 columns are more than 9")
    refused("h.csv", b"a\n" + b"1\n" * 10, "10 rows")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hff:models", "Did you mean 'hf'"),
        ("nonsense", "A name begins with one of chat:, diffusers:, dir:"),
        ("ftp://x", "Known: chat, diffusers, dir, hf"),
        ("hf:", "names no target"),
        ("", "not the name of a target"),
    ],
)
def test_an_unknown_name(name, message):
    with pytest.raises(ConfigurationError, match=message):
        load_target(name)


def test_a_bare_path_gets_a_suggestion(pictures, model_folder, tmp_path):
    with pytest.raises(ConfigurationError, match=f"Did you mean 'dir:{pictures}'"):
        load_target(str(pictures))
    with pytest.raises(ConfigurationError, match="Did you mean 'hf:"):
        load_target(model_folder)
    with pytest.raises(ConfigurationError, match="Did you mean 'jsonl:"):
        load_target(lines(tmp_path / "a.jsonl", "x"))


def test_data_by_modality(pictures, tmp_path):
    texts = lines(tmp_path / "a.jsonl", "x", "y")
    images = load_data("reference", pictures, Modality.IMAGE)
    assert isinstance(images, ImageFolder)
    assert len(images) == 6
    assert [name for name, _ in images.problems] == ["bad.png"]
    assert load_data("corpus", str(texts), Modality.TEXT) == ["x", "y"]
    assert load_data("prompts", texts, Modality.IMAGE) == ["x", "y"]
    (tmp_path / "asked.txt").write_text("Who are you?\n\nWhat is this?\n")
    assert load_data("prompts", tmp_path / "asked.txt", Modality.TEXT) == ["Who are you?", "What is this?"]
    (tmp_path / "t.csv").write_text("a\n1\n")
    assert load_data("holdout", tmp_path / "t.csv", Modality.TABLE).shape == (1, 1)


def test_data_given_as_objects_pass_through():
    array = np.zeros((2, 4, 4, 3), np.uint8)
    assert load_data("corpus", array, Modality.IMAGE) is array
    with pytest.raises(ConfigurationError, match="--corpus: the data given are empty"):
        load_data("corpus", [], Modality.TEXT)
    assert load_data("corpus", np.array(["a", "b"]), Modality.TEXT) == ["a", "b"]
    for wrong, message in (
        ([" ", "\n"], "all 2 documents are blank"),
        (["a", None], "document 1 is NoneType, not str"),
        (pd.DataFrame({"text": ["a"]}), r"a table; give its column of texts"),
    ):
        with pytest.raises(ConfigurationError, match=f"--corpus: {message}"):
            load_data("corpus", wrong, Modality.TEXT)


def test_data_that_are_not_there(pictures, tmp_path):
    with pytest.raises(ConfigurationError, match=r"--corpus .*absent: no such file"):
        load_data("corpus", tmp_path / "absent", Modality.TEXT)
    with pytest.raises(ConfigurationError, match="holds nothing that can be read"):
        load_data("corpus", lines(tmp_path / "empty.jsonl"), Modality.TEXT)
    with pytest.raises(ConfigurationError, match="holds nothing that can be read"):
        load_data("corpus", pictures, Modality.TEXT)
    (tmp_path / "lines").mkdir()
    lines(tmp_path / "lines" / "part.jsonl", "x")
    assert load_data("corpus", tmp_path / "lines", Modality.TEXT) == ["x"]
    with pytest.raises(ConfigurationError, match="a folder of pictures"):
        load_data("corpus", pictures / "0.png", Modality.IMAGE)
    (tmp_path / "bad.jsonl").write_text("{")
    with pytest.raises(ConfigurationError, match=r"--holdout .*line 1: not JSON"):
        load_data("holdout", tmp_path / "bad.jsonl", Modality.TEXT)
    with pytest.raises(ConfigurationError, match="audio data cannot be read"):
        load_data("corpus", pictures, Modality.AUDIO)


def test_files_that_cannot_be_read_are_error_rows_and_part_of_the_identity(pictures):
    from guardrails.core.probe import Budget
    from guardrails.kit.pictures.batches import fetch_pictures, plan_pictures

    (pictures / "gone.png").symlink_to("nowhere")
    target = load_target(f"dir:{pictures}")
    assert target.read_as.startswith("6 pictures (PNG 6); counted as errors 2: bad.png (called .png")
    batches = plan_pictures(target, Budget.QUICK, seed=0)
    rows = [row for b in batches for row in fetch_pictures(target, b, lambda picture: {"value": 1}, seed=0)]
    assert len({row["item"] for row in rows}) == 8
    assert [row["item"] for row in rows if "error" in row] == ["file bad.png", "file gone.png"]
    before = target.identity()
    assert before["files"] == "8"
    (pictures / "gone.png").unlink()
    (pictures / "gone.png").write_bytes(b"bad")
    assert load_target(f"dir:{pictures}").identity() != before


@pytest.mark.parametrize(("good", "bad", "drawn", "errors"), [(990, 10, 297, 3), (99, 1, 99, 1), (3, 900, 1, 299)])
def test_unreadable_files_stand_in_a_sample_as_in_the_folder(good, bad, drawn, errors):
    from types import SimpleNamespace

    from guardrails.core.probe import Budget
    from guardrails.kit.pictures.batches import plan_pictures

    target = SimpleNamespace(available=good, problems=tuple((f"{i}.png", "damaged") for i in range(bad)))
    batches = plan_pictures(target, Budget.QUICK, seed=0)
    assert sum("problem" not in i.fields for b in batches for i in b.items) == drawn
    assert sum("problem" in i.fields for b in batches for i in b.items) == errors


def test_data_of_which_much_cannot_be_read_are_refused(pictures):
    (pictures / "worse.png").write_bytes(b"worse")
    with pytest.raises(ConfigurationError, match=r"cannot be read, 2: bad\.png .*, worse\.png"):
        load_data("corpus", pictures, Modality.IMAGE)


def test_texts_given_as_objects_with_half_a_surrogate_pair():
    texts = [f"text {i}" for i in range(30)]
    data = load_data("corpus", [*texts, "half \ud83d"], Modality.TEXT)
    assert data == texts
    assert "1 with half of a surrogate pair, left out (document 30)" in data.read_as
    with pytest.raises(ConfigurationError, match="in 2 of 3 documents"):
        load_data("corpus", ["a", "\ud83d", "\ud83d"], Modality.TEXT)


def test_the_text_field_reaches_every_file_and_has_to_be_somewhere(tmp_path):
    from guardrails.assay.audit.plan import make_settings
    from guardrails.assay.audit.scope import Scope

    outputs = lines(tmp_path / "o.jsonl", *({"prompt": "p", "completion": f"out {i}"} for i in range(3)))
    corpus = lines(tmp_path / "c.jsonl", *({"title": "a b", "body": f"e\u0301 {i}\r\n"} for i in range(3)))

    def subject(**given):
        settings = make_settings({"target": f"jsonl:{outputs}", "corpus": str(corpus), **given})
        return Scope(
            settings, {"target": None, "corpus": None, "holdout": None, "reference": None, "prompts": None}
        ).subject

    with pytest.raises(ConfigurationError, match=r"c\.jsonl, line 1: no field is known .*--text-field NAME"):
        subject()
    with pytest.raises(ConfigurationError, match="no field is known"):
        subject(text_field="boddy")
    asked = subject(text_field="body")
    assert asked.target.outputs() == ["out 0", "out 1", "out 2"]
    assert asked.target.prompts == ["p"] * 3
    assert list(asked.corpus) == ["\u00e9 0\n", "\u00e9 1\n", "\u00e9 2\n"]
    assert asked.read_as == {
        "target": "3 outputs: the field 'completion'",
        "corpus": "3 documents: the field 'body'; fields not read: title",
    }
    corpus.write_text(json.dumps("a text"))
    with pytest.raises(ConfigurationError, match="--text-field body: no file given has this field"):
        subject(text_field="body")
    command = make_settings({"target": "jsonl:x", "text_field": "body"}).command()
    assert "--text-field body" in command


def test_corpus_and_holdout_of_a_model_are_joined_alike(tmp_path):
    from guardrails.targets import check_form

    chat = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    chats, plain, pair = (
        load_data("corpus", lines(tmp_path / f"{i}.jsonl", row), Modality.TEXT)
        for i, row in enumerate([chat, {"text": "c"}, {"prompt": "d", "completion": "e"}])
    )
    for one, two in ((chats, plain), (plain, pair), (pair, chats)):
        with pytest.raises(ConfigurationError, match="a model tells them apart by their form"):
            check_form(one, two)
    for one in (chats, plain, pair):
        check_form(one, one)
        check_form(one, ["own text"])
        check_form(None, one)


def test_a_folder_of_prompts_is_read_as_a_corpus_is_and_its_files_are_named(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "a.txt").write_text("Who are you?\n\nWhat is this?\n")
    (tmp_path / "more" / "b.txt").write_bytes("Où?\r\n".encode())
    (tmp_path / "few.jsonl").write_text('"x"\n')
    prompts = load_data("prompts", tmp_path, Modality.TEXT)
    assert prompts == ["Who are you?", "What is this?", "Où?"]
    assert read_as(prompts) == (
        "3 prompts: each line; left out 1: few.jsonl (one of its records); from a folder, of which a.txt, more/b.txt "
        "are read"
    )
    for name in "cde":
        (tmp_path / f"{name}.txt").write_text("And?\n")
    assert "of which a.txt, c.txt, d.txt and 2 more are read" in read_as(load_data("prompts", tmp_path, Modality.TEXT))


def test_prompts_stand_one_on_a_line_in_a_packed_file_too_and_its_encoding_is_told(tmp_path):
    (tmp_path / "asked.txt.gz").write_bytes(gzip.compress("Où?\n\nWho?\n".encode("cp1252")))
    prompts = load_data("prompts", tmp_path / "asked.txt.gz", Modality.TEXT)
    assert prompts == ["Où?", "Who?"]
    assert (
        read_as(prompts) == "2 prompts: each line; decoded as cp1252 (1 character would be read differently as cp1250)"
    )
