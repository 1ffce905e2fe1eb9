"""An index in a folder: as memory answers, whatever becomes of its files."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.errors import ConfigurationError
from guardrails.core.registry import load_probe
from guardrails.core.subject import Subject
from guardrails.core.targets import Modality
from guardrails.kit.checksums import file_sha256, with_checksum
from guardrails.kit.text import stored_corpus
from guardrails.kit.text.corpus import iter_documents
from guardrails.kit.text.stored_corpus import CHECKSUMS, StoredCorpus
from guardrails.memorization.text import index_folder
from guardrails.memorization.text.corpus_index import CorpusIndex
from guardrails.memorization.text.index_folder import build_index
from guardrails.targets.data import load_data

from ..symbolic import Writer

MANY_SHARDS = 128


def jsonl(path: Path, documents: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in documents), encoding="utf-8")
    return path


DOCUMENTS = [f"document {i} says that {'é' * i} and no more" for i in range(30)]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    build_index([jsonl(tmp_path / "c.jsonl", DOCUMENTS)], tmp_path / "index", shard_bytes=MANY_SHARDS)
    return tmp_path / "index"


def test_a_folder_answers_as_memory_does_whatever_its_shards(stored: Path) -> None:
    in_memory, mapped = CorpusIndex.from_documents(DOCUMENTS), CorpusIndex.open(stored)
    assert len(mapped.shards) > len(DOCUMENTS) // 2
    strings = ["document", "says", "é", "ééé and", DOCUMENTS[7], "nothing"]
    assert mapped.counts(strings) == in_memory.counts(strings)
    outputs = ["a document 12 says", DOCUMENTS[20][5:], ""]
    assert [m.length for m in mapped.longest(outputs)] == [m.length for m in in_memory.longest(outputs)]
    assert mapped.documents("document 7 ") == [7]


def test_documents_are_read_where_they_lie(stored: Path) -> None:
    corpus = load_data("corpus", stored, Modality.TEXT)
    assert isinstance(corpus, StoredCorpus)
    assert list(corpus) == DOCUMENTS
    assert corpus[-1] == DOCUMENTS[-1]
    assert corpus[3:5] == DOCUMENTS[3:5]
    with pytest.raises(IndexError, match="30 of 30"):
        corpus[30]


def test_text_parquet_and_folders_are_read_too_blank_documents_are_not(tmp_path: Path) -> None:
    import pandas as pd

    pd.DataFrame({"id": [1, 2, 3], "text": ["from a table", None, "  "]}).to_parquet(tmp_path / "t.parquet")
    (tmp_path / "one.txt").write_text("a text\n\nof two parts", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "b.md").write_text("# b", encoding="utf-8")
    (tmp_path / "folder" / "a.txt").write_text("a \ufffd", encoding="utf-8")
    lines = tmp_path / "l.ndjson"
    lines.write_text('"a line"\n\n{"text": "half a pair \\ud83d"}\n', encoding="utf-8")
    made = build_index([tmp_path / n for n in ("t.parquet", "one.txt", "folder", "l.ndjson")], tmp_path / "index")
    expected = ["from a table", "a text\n\nof two parts", "a \ufffd", "# b", "a line", "half a pair \ufffd"]
    assert list(StoredCorpus(tmp_path / "index")) == expected
    assert made["documents"] == len(expected)


def test_tunes_molecules_and_tables_are_documents_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_text("% a book\nX:1\r\nK:C\r\nCDE\r\n\r\nX:2\nK:G\nGAB\n", encoding="utf-8")
    (tmp_path / "b.smi").write_text("SMILES Name\nCCO ethanol\n\nc1ccccc1\tbenzene ring\nC#N\n", encoding="utf-8")
    (tmp_path / "level.txt").write_text("###\n#.#\n", encoding="utf-8")
    (tmp_path / "left-out.csv").write_text("text\nx\n", encoding="utf-8")
    (tmp_path / "one.abc").mkdir()
    (tmp_path / "one.abc" / "c.abc").write_text("K:C\nno number", encoding="utf-8")
    expected = ["X:1\nK:C\nCDE\n\n", "X:2\nK:G\nGAB\n", "CCO", "c1ccccc1", "C#N", "###\n#.#\n", "K:C\nno number"]
    assert list(iter_documents(tmp_path)) == expected == load_data("corpus", tmp_path, Modality.TEXT)
    build_index([tmp_path], tmp_path / "index")
    assert list(StoredCorpus(tmp_path / "index")) == expected
    table = tmp_path / "molecules.csv"
    table.write_text('\ufeffname,SMILES\n"a, b",CC\n\nc,"C\nO"\n', encoding="utf-8")
    assert list(iter_documents(table)) == ["CC", "C\nO"]
    table.write_text("smiles,text\nC,a text\n", encoding="utf-8")
    assert list(iter_documents(table)) == ["a text"]


@pytest.mark.public_data
def test_public_tunes_molecules_and_levels_are_read(test_data: Path) -> None:
    tunes = load_data("corpus", test_data / "music" / "nottingham", Modality.TEXT)
    assert len(tunes) > 500
    assert all(tune.startswith("X:") and tune.count("\nK:") >= 1 for tune in tunes)
    assert len(load_data("holdout", test_data / "molecules" / "qm9_first10000.csv", Modality.TEXT)) == 10_000
    assert next(iter_documents(test_data / "molecules" / "esol.csv")).startswith("OCC3OC")
    levels = load_data("corpus", test_data / "levels" / "lode_runner", Modality.TEXT)
    assert all(len({*map(len, level.split())}) == 1 for level in levels)
    for probe, data in (("melodies", tunes), ("levels", levels)):
        load_probe(f"memorization.{probe}").applicable(Subject(Writer([]), corpus=data))


def test_a_build_that_was_stopped_keeps_its_finished_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = jsonl(tmp_path / "c.jsonl", DOCUMENTS), tmp_path / "index"
    write, written = index_folder._write_shard, []

    def stops(folder: Path, *documents: Any) -> None:
        if len(written) == len("abc"):
            (folder.with_suffix(".part")).mkdir()
            raise KeyboardInterrupt
        written.append(folder.name)
        write(folder, *documents)

    monkeypatch.setattr(index_folder, "_write_shard", stops)
    with pytest.raises(KeyboardInterrupt):
        build_index([source], out, shard_bytes=MANY_SHARDS)
    with pytest.raises(ConfigurationError, match="unfinished"):
        StoredCorpus(out)

    def counted(folder: Path, *documents: Any) -> None:
        written.append(folder.name)
        write(folder, *documents)

    monkeypatch.setattr(index_folder, "_write_shard", counted)
    made = build_index([source], out, shard_bytes=MANY_SHARDS)
    assert written == [f"shard-{k:04d}" for k in range(made["shards"])]
    assert list(StoredCorpus(out)) == DOCUMENTS
    assert build_index([source], out, shard_bytes=MANY_SHARDS) == made
    assert len(written) == made["shards"]


def test_building_takes_less_than_eight_bytes_for_each_byte_of_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = Random(4)
    documents = [" ".join(f"w{rng.randrange(5000)}" for _ in range(50)) for _ in range(3000)]
    source = jsonl(tmp_path / "c.jsonl", documents)
    build_index([jsonl(tmp_path / "d.jsonl", DOCUMENTS)], tmp_path / "first")  # what is loaded once is not counted
    monkeypatch.setattr(stored_corpus, "MAX_MANIFEST", 1_000_000)  # space that Python asks for and never fills
    tracemalloc.start()
    made = build_index([source], tmp_path / "index")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 5 * made["bytes"] < peak < 8 * made["bytes"]


def test_an_index_of_other_files_is_left_alone(stored: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"other files, or they have changed; give a new folder"):
        build_index([jsonl(tmp_path / "d.jsonl", DOCUMENTS[:3])], stored, shard_bytes=MANY_SHARDS)
    jsonl(tmp_path / "c.jsonl", [*DOCUMENTS, "one more"])
    with pytest.raises(ConfigurationError, match="have changed"):
        build_index([tmp_path / "c.jsonl"], stored, shard_bytes=MANY_SHARDS)
    assert list(StoredCorpus(stored)) == DOCUMENTS


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("odd.txt", b"so\0me text", "a NUL byte at 2: this is no text"),
        ("late.txt", b"x" * 100_000 + b"\0", "a NUL byte at 100000: this is no text"),
        ("late.csv", b"text\n" + b"x\n" * 40_000 + b"\0", "line 40002: a NUL byte at 0"),
        ("russian.txt", "лес\nи поле".encode("cp1251"), "line 1: byte 0xeb at 0 is not UTF-8"),
        ("polish.jsonl", '"good"\n"Michał i żółw są tu"\n'.encode("cp1250"), "line 2: byte 0xb3 at 6"),
        ("cut.csv", "text\nça va, là-bas".encode()[:-8] + b"\xc3", "line 2: .* not UTF-8"),
        ("short.csv", b"text,name\nx,y\nz\n", "line 3: 1 cells where the header has 2"),
        ("unquoted.csv", b"text\nx, y\n", "line 2: 2 cells where the header has 1"),
        ("wrong.csv", b"body,smile\nx,C\n", "no field is known to be the text \\('body', 'smile'\\).*--text-field"),
        ("wide.csv", b'text\n"' + b"x" * 200_000 + b'"\n', "not CSV \\(field larger than field limit"),
        ("wrong.jsonl", b'{"body": "x"}\n', "no field is known to be the text \\('body'\\)"),
        ("blank.txt", b" \n", "no document that is not blank"),
        ("broken.parquet", b"PAR1 no table PAR1", "not a readable parquet file"),
    ],
)
def test_what_cannot_be_read_is_named_and_nothing_stands_in_the_way(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match=message) as caught:
        build_index([tmp_path / name], tmp_path / "index")
    assert name in str(caught.value)
    (tmp_path / name).unlink()
    made = build_index([jsonl(tmp_path / "good.jsonl", DOCUMENTS)], tmp_path / "index")
    assert made["documents"] == len(DOCUMENTS)


@pytest.mark.parametrize(("column", "message"), [("body", r"body .int64\)"), ("text", "no column of texts")])
def test_a_table_needs_a_column_of_texts(column: str, message: str, tmp_path: Path) -> None:
    import pandas as pd

    pd.DataFrame({column: [1, 2]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ConfigurationError, match=message):
        build_index([tmp_path / "t.parquet"], tmp_path / "index")


def test_inputs_and_shards_have_to_make_sense(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="at least one"):
        build_index([], tmp_path / "index")
    with pytest.raises(ConfigurationError, match="no such file or folder"):
        build_index([tmp_path / "none"], tmp_path / "index")
    with pytest.raises(ConfigurationError, match="a shard of 0 bytes"):
        build_index([jsonl(tmp_path / "c.jsonl", DOCUMENTS)], tmp_path / "index", shard_bytes=0)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(ConfigurationError, match="not an empty folder"):
        build_index([tmp_path / "c.jsonl"], tmp_path / "taken")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def other_kind(path: Path) -> None:
    np.save(path, np.load(path).astype(np.float32))


def pickled(path: Path) -> None:
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)


def open_bracket(path: Path) -> None:
    """Numpy reads the header as Python, which ends in errors of Python's own tokenizer."""
    path.write_bytes(path.read_bytes().replace(b"}", b" ", 1))


def with_new_checksums(folder: Path) -> Path:
    """Give a changed folder checksums that match, as somebody may who wants it to be read."""
    for shard in folder.glob("shard-*"):
        names = sorted(path.name for path in shard.glob("*.npy"))
        (shard / CHECKSUMS).write_text(json.dumps({name: file_sha256(shard / name) for name in names}))
    manifest = json.loads((folder / "index.json").read_text())
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "index.json"]
    sums = {path.relative_to(folder).as_posix(): file_sha256(path) for path in files}
    (folder / "index.json").write_text(json.dumps(with_checksum(manifest | {"sha256": sums})))
    return folder


@pytest.mark.parametrize("harm", [cut, other_kind, pickled, open_bracket, Path.unlink])
@pytest.mark.parametrize("name", ["text", "starts", "suffixes", "keys"])
def test_a_damaged_folder_is_named(harm: Any, name: str, stored: Path) -> None:
    harm(stored / "shard-0003" / f"{name}.npy")
    with pytest.raises(ConfigurationError, match=f"the index is damaged .*shard-0003/{name}.npy"):
        CorpusIndex.open(stored)
    with_new_checksums(stored)
    with pytest.raises(ConfigurationError, match="the index is damaged"):
        CorpusIndex.open(stored)


def test_places_outside_of_the_text_are_no_crash(stored: Path) -> None:
    path = stored / "shard-0000" / "suffixes.npy"
    np.save(path, np.load(path) + np.int32(10_000))
    with_new_checksums(stored)
    with pytest.raises(ConfigurationError, match="damaged"):
        CorpusIndex.open(stored).longest(DOCUMENTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "an index of version 99, this is 2; make it again"),
        ({"version": 1}, "an index of version 1, which has no checksums; delete the folder and make it again"),
        ({"format": "something"}, "not that of a corpus index"),
        ({"shards": 99}, "damaged"),
        ({"shards": "many"}, "damaged"),
        ({"shards": 2}, None),
    ],
)
def test_another_version_is_named(change: dict[str, Any], message: str | None, stored: Path) -> None:
    manifest = json.loads((stored / "index.json").read_text())
    (stored / "index.json").write_text(json.dumps(manifest | change))
    with pytest.raises(ConfigurationError, match=message or "index.json does not match its checksum"):
        load_data("corpus", stored, Modality.TEXT)
    (stored / "index.json").write_text(json.dumps(with_checksum(manifest | change)))
    if message is None:
        assert list(StoredCorpus(stored)) == DOCUMENTS[: len(StoredCorpus(stored))]
        return
    with pytest.raises(ConfigurationError, match=message):
        load_data("corpus", stored, Modality.TEXT)


def test_a_manifest_that_is_no_json_is_named(stored: Path, tmp_path: Path) -> None:
    (stored / "index.json").write_text("{")
    with pytest.raises(ConfigurationError, match="not JSON"):
        StoredCorpus(stored)
    with pytest.raises(ConfigurationError, match="no index; make one with"):
        StoredCorpus(tmp_path / "none")


def every_answer(folder: Path) -> Any:
    corpus = StoredCorpus(folder)
    index = CorpusIndex.open(corpus)
    outputs = ["a document 12 says", "ééé and no more", "nothing"]
    return list(corpus), corpus.near_duplicates, index.counts(outputs), index.longest(outputs)


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("flips")
    build_index([jsonl(place / "c.jsonl", DOCUMENTS)], place / "index", shard_bytes=700)
    return place


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_flipped_bit_in_any_file_is_refused_by_the_name_of_the_file(small: Path, data: st.DataObject) -> None:
    folder = small / "index"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    bit = data.draw(st.integers(0, 8 * path.stat().st_size - 1))
    before = every_answer(folder)
    flip(path, bit)
    try:
        with pytest.raises(ConfigurationError) as caught:
            every_answer(folder)
        assert path.name in str(caught.value) or path.name == "index.json"
        with pytest.raises(ConfigurationError):
            build_index([small / "c.jsonl"], folder, shard_bytes=700)
    finally:
        flip(path, bit)
    assert every_answer(folder) == before


def test_shards_that_were_damaged_while_a_build_stood_still_are_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out, whole = jsonl(tmp_path / "c.jsonl", DOCUMENTS), tmp_path / "index", tmp_path / "whole"
    made = build_index([source], whole, shard_bytes=700)

    def stop(path: Path, shards: int) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(index_folder, "_near_duplicates", stop)
    with pytest.raises(KeyboardInterrupt):
        build_index([source], out, shard_bytes=700)
    monkeypatch.undo()
    for number, name in enumerate(["text.npy", "signatures.npy", CHECKSUMS]):
        flip(out / f"shard-{number:04d}" / name, 1000)
    assert build_index([source], out, shard_bytes=700) == made
    assert every_answer(out) == every_answer(whole)


@pytest.mark.parametrize("missing", [1, 1000, 4000])
def test_a_disk_that_fills_at_the_last_bytes_of_an_array_is_an_error(missing: int, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")  # not on Windows
    (tmp_path / "texts.txt").write_text(" ".join(f"word{i}" for i in range(20_000)))
    whole = build_index([tmp_path / "texts.txt"], tmp_path / "whole")
    largest = (tmp_path / "whole" / "shard-0000" / "suffixes.npy").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest - missing, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            build_index([tmp_path / "texts.txt"], tmp_path / "index")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert build_index([tmp_path / "texts.txt"], tmp_path / "index") == whole
