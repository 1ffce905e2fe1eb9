"""What a document is, over records of every kind of file."""

import csv
import gzip
import io
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.core.errors import ContentError
from guardrails.kit.text import files, records
from guardrails.kit.text.corpus import files_of, read_documents

TEXTS = [f"Document {i}: café – one; two,\nthree | four\tand {i * i}" for i in range(30)]
ROWS = [{"id": i, "text": text} for i, text in enumerate(TEXTS)]


def as_lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_csv(delimiter: str) -> str:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows([("Id", "Text"), *enumerate(TEXTS)])
    return file.getvalue()


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


CONTAINERS: dict[str, str | bytes] = {
    "lines.jsonl": as_lines(ROWS),
    "strings.ndjson": as_lines(TEXTS),
    "mixed.jsonl": as_lines([TEXTS[0], *ROWS[1:]]),
    "marked.jsonl": b"\xef\xbb\xbf" + as_lines(ROWS).encode(),
    "wide.jsonl": as_lines(ROWS).encode("utf-16"),
    "windows.jsonl": as_lines(ROWS).replace("\n", "\r\n").encode("cp1252"),
    "packed.jsonl.gz": gzip.compress(as_lines(ROWS).encode()),
    "lines.json": as_lines(ROWS),
    "array.json": json.dumps(ROWS),
    "array.jsonl": json.dumps(ROWS),
    "strings.json": json.dumps(TEXTS),
    "indented.json": json.dumps(ROWS, indent=2),
    "one-list.json": json.dumps({"version": "1.0 of the data", "data": ROWS}),
    "columns.json": json.dumps({"id": list(range(30)), "text": TEXTS}),
    "no-suffix": as_lines(ROWS),
    "comma.csv": as_csv(","),
    "semicolon.csv": as_csv(";"),
    "tab.TSV": as_csv("\t"),
    "bar.csv": as_csv("|"),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_same_texts_come_out_of_every_container(tmp_path: Path, name: str) -> None:
    documents = read_documents(write(tmp_path / name, CONTAINERS[name]))
    assert documents == TEXTS
    assert documents.read_as.startswith("30 documents: ")


def turns(text: str, role: str, content: str, model: str) -> list[dict[str, Any]]:
    return [{role: "user", content: "Say it."}, {role: model, content: text}]


SHAPES = {
    "messages": ({"messages": turns("X", "role", "content", "assistant")}, "user: Say it.\nassistant: X"),
    "parts": (
        {"messages": [{"role": "assistant", "content": [{"type": "text", "text": "X"}, {"type": "image"}]}]},
        "assistant: X",
    ),
    "reasoning": ({"messages": [{"role": "assistant", "reasoning": "X", "content": None}]}, "assistant: X"),
    "thinking": (
        {"messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": "X"}]}]},
        "assistant: X",
    ),
    "tool call": (
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"function": {"arguments": "X"}}]}]},
        "assistant: X",
    ),
    "conversations": ({"conversations": turns("X", "from", "value", "gpt")}, "user: Say it.\ngpt: X"),
    "bare list": (turns("X", "role", "content", "assistant"), "user: Say it.\nassistant: X"),
    "completion": ({"prompt": "Say it: ", "completion": "X"}, "Say it: X"),
    "chosen": ({"prompt": "Say it.", "chosen": "X"}, "Say it.\nX"),
    "instruction": ({"instruction": "Say", "input": "it", "output": "X"}, "Say\nit\nX"),
    "question": ({"question": "Say it?", "answer": "X"}, "Say it?\nX"),
    "text": ({"text": "X"}, "X"),
    "content": ({"content": "X"}, "X"),
    "rendered": ({"text": "Q: Say it? A: X", "question": "Say it?", "answer": "X"}, "Q: Say it? A: X"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_of_records(tmp_path: Path, name: str) -> None:
    record, whole = SHAPES[name]
    path = write(tmp_path / "a.jsonl", as_lines([record] * 3))
    assert read_documents(path) == [whole] * 3
    if name != "rendered":
        assert read_documents(path, role="output") == ["X"] * 3


def message(role: str, text: str, *, names: tuple[str, str] = ("role", "content")) -> dict[str, str]:
    return dict(zip(names, (role, text), strict=True))


ASKED = message("user", "Say it.")
X, Y = message("assistant", "X"), message("assistant", "Y")
SHAREGPT = ("from", "value")
PREFERENCES = {
    "strings": ({"prompt": "Say it.", "chosen": "X", "rejected": "Y"}, "Say it.\n"),
    "alpaca": ({"instruction": "Say", "input": "it.", "chosen": "X", "rejected": "Y"}, "Say\nit.\n"),
    "no prompt": ({"chosen": "Say it. X", "rejected": "Say it. Y"}, "Say it. "),
    "messages": ({"prompt": [ASKED], "chosen": [X], "rejected": [Y]}, "Say it.\n"),
    "conversations": ({"chosen": [ASKED, X], "rejected": [ASKED, Y]}, "user: Say it.\nassistant: "),
    "prompt within": (
        {"prompt": "Say it.", "chosen": [ASKED, X], "rejected": [ASKED, Y], "messages": [ASKED, X]},
        "user: Say it.\nassistant: ",
    ),
    "one message each": (
        {
            "conversations": [message("human", "Say it.", names=SHAREGPT)],
            "chosen": message("gpt", "X", names=SHAREGPT),
            "rejected": message("gpt", "Y", names=SHAREGPT),
        },
        "Say it.\n",
    ),
}


@pytest.mark.parametrize("name", PREFERENCES)
def test_both_answers_of_a_preference_pair_are_documents(tmp_path: Path, name: str) -> None:
    record, before = PREFERENCES[name]
    path = write(tmp_path / "a.jsonl", as_lines([record] * 3))
    documents = read_documents(path)
    assert documents == [f"{before}X", f"{before}Y"] * 3
    assert documents.read_as.startswith("6 documents: ")
    assert documents.read_as.count("(3)") == 2
    outputs = read_documents(path, role="output")
    assert outputs == ["Say it. X" if name == "no prompt" else "X"] * 3
    assert "rejected" in outputs.read_as


def test_pairs_without_a_rejected_answer_are_one_document_and_others_are_refused(tmp_path: Path) -> None:
    pair = {"prompt": "Say it.", "chosen": "X", "rejected": "Y"}
    rows = [pair, pair | {"rejected": None}, pair | {"rejected": ""}, {"prompt": "Say it.", "chosen": "X"}]
    documents = read_documents(write(tmp_path / "a.jsonl", as_lines(rows)))
    assert documents == ["Say it.\nX", "Say it.\nY", *["Say it.\nX"] * 3]
    assert documents.read_as == "5 documents: prompt and chosen, joined (4), prompt and rejected, joined (1)"
    bad = write(tmp_path / "b.jsonl", as_lines([pair, pair | {"rejected": [{"text": "Y"}]}]))
    with pytest.raises(ContentError, match="line 2: 'rejected' is neither a text nor messages"):
        read_documents(bad)
    assert read_documents(bad, text_field="chosen") == ["X"] * 2


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "one.json"])
def test_two_values_of_one_key_are_refused(tmp_path: Path, name: str) -> None:
    rows = ['{"text": "a leak", "text": "harmless"}', '{"text": "b", "more": {"k": 1, "k": 2}}']
    for row in rows:
        lines = f'{{"text": "a"}}\n{row}\n'
        data = {"a.jsonl": lines, "a.json": f'[{{"text": "a"}}, {row}]', "one.json": f'{{"data": [{row}]}}'}
        with pytest.raises(ContentError, match=r"the key '(text|k)' stands twice in one object"):
            read_documents(write(tmp_path / name, data[name]))
    assert read_documents(write(tmp_path / "same.jsonl", '{"text": "a", "text": "a"}\n')) == ["a"]


def test_every_column_that_is_not_read_is_named(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"text": ["one two", "three"], "raw": [b"a leak", b"b"], "ids": [[1, 2], [3]], "note": ["x", "y"]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    documents = read_documents(tmp_path / "a.parquet")
    assert documents == ["one two", "three"]
    assert documents.read_as.endswith("fields not read: raw (binary), ids (list<element: int64>), note")
    many = {"text": "a b"} | {f"c{i}": "x" for i in range(20)}
    assert read_documents(write(tmp_path / "b.jsonl", as_lines([many]))).read_as.endswith("c6, c7 and 12 more")
    two = pa.table([["a"], ["b"]], names=["text", "text"])
    pq.write_table(two, tmp_path / "c.parquet")
    with pytest.raises(ContentError, match="two columns are named 'text'"):
        read_documents(tmp_path / "c.parquet")


def test_what_is_read_and_what_is_not_is_said(tmp_path: Path) -> None:
    rows = [{"messages": turns("X", "role", "content", "assistant"), "source": "forum"}] * 2
    path = write(tmp_path / "a.jsonl", as_lines(rows))
    documents = read_documents(path)
    assert documents.read_as == "2 documents: messages, joined by role and content; fields not read: source"
    assert read_documents(path, role="output").read_as.startswith("2 outputs: the model's part of messages")
    prompts = read_documents(path, role="prompt")
    assert prompts == ["Say it."] * 2
    assert prompts.read_as.startswith("2 prompts: the contents of messages without the model's, joined; ")
    blank = write(tmp_path / "b.jsonl", as_lines(["one", " ", ""]))
    assert read_documents(blank).read_as == "1 document: JSON strings; 2 blank, left out"


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "assistant", "content": "Said by the model."}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": 5}],
        [{"role": "user", "content": " "}, {"role": "assistant", "content": "An answer."}],
    ],
)
def test_messages_that_ask_nothing_are_no_prompt(tmp_path: Path, messages: list[dict[str, Any]]) -> None:
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    path = write(tmp_path / "a.jsonl", as_lines([{"messages": messages}, {"messages": asked}]))
    prompts = read_documents(path, role="prompt")
    assert prompts == ["Be brief.\nWhy?"]
    assert "1 blank, left out" in prompts.read_as


def test_a_field_of_later_records_is_named(tmp_path: Path) -> None:
    rows: list[Any] = [{"text": "a longer text than that"}] * 300 + [{"text": "a b c d", "note": "c d"}]
    path = write(tmp_path / "a.jsonl", as_lines(rows))
    assert read_documents(path).read_as == "301 documents: the field 'text'; fields not read: note"
    rows[-1]["note"] = "c d " * 5000
    assert "fields not read: note" in read_documents(write(path, as_lines(rows)), text_field="text").read_as


def test_what_a_message_hands_to_tools_is_read_as_it_stands(tmp_path: Path) -> None:
    calls = [{"function": {"name": "save", "arguments": {"text": "Ä b"}}}, {"function": None}, None]
    parts = [{"type": "text", "text": "Yes."}, {"type": "tool_use", "input": {"n": 1}}]
    row = {"messages": [{"role": "assistant", "content": parts, "tool_calls": calls, "function_call": None}]}
    path = write(tmp_path / "a.jsonl", as_lines([row]))
    assert read_documents(path, role="output") == ['Yes.\n{"n": 1}\n{"text": "Ä b"}']


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [{"title": "a b", "body": "c d"}],
            r"line 1: no field is known to be the text \('title', 'body'\).*--text-field",
        ),
        ([{"text": "short one", "body": "a longer text than that"}], r"several fields could be .*\('text', 'body'\)"),
        ([{"text": "label", "parts": [{"t": "a longer text"}]}], r"several fields could be .*\('text', 'parts'\)"),
        ([{"text": "a b", "content": "c d"}], "several fields could be the text"),
        ([{"question": "a b?", "output": "c d", "answer": "e f"}], "several fields could be the text"),
        ([{"text": "a b"}, {"body": "c d"}], r"line 2: not of the shape of the other records.*keys are 'body'"),
        ([{"text": "a b"}] * 300 + [{"body": "c d"}], r"line 301: not of the shape of the records before it"),
        (
            [{"text": "a b"}] * 300 + [{"text": "n/a", "output": "a longer text than that"}] * 200,
            r"line 301: several fields could be the text \('text', 'output'\)",
        ),
        ([{"text": 3}], "line 1: not of the shape"),
        ([{"messages": turns("X", "role", "content", "assistant")}, {"messages": []}], "line 2: not of the shape"),
        ([["a", "b"], ["c"]], "line 1: not of the shape"),
        ([3], "line 1: neither a string nor"),
    ],
)
def test_what_could_be_misread_is_refused(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(ContentError, match=message):
        read_documents(write(tmp_path / "a.jsonl", as_lines(rows)))


def test_outputs_without_the_models_part_are_refused(tmp_path: Path) -> None:
    for row in ({"messages": [{"role": "user", "content": "only asked"}]}, {"prompt": "only asked"}, {"text": None}):
        with pytest.raises(ContentError):
            read_documents(write(tmp_path / "a.jsonl", as_lines([{**row, "n": 1}])), role="output")
    with pytest.raises(ContentError, match="no file of records"):
        read_documents(write(tmp_path / "a.txt", "a text"), role="output")


def test_the_field_is_named_by_the_user(tmp_path: Path) -> None:
    rows = [{"title": "a b", "data": {"body": "c d", "turns": turns("X", "role", "content", "assistant")}}]
    path = write(tmp_path / "a.jsonl", as_lines(rows))
    assert read_documents(path, text_field="title") == ["a b"]
    assert read_documents(path, text_field="data.body") == ["c d"]
    assert read_documents(path, text_field="data.turns", role="output") == ["X"]
    assert read_documents(path, text_field="data.turns.1.content") == ["X"]
    plain = write(tmp_path / "b.jsonl", as_lines(ROWS))
    assert read_documents(plain, text_field="body").uses_text_field is False
    with pytest.raises(ContentError, match="line 2"):
        read_documents(write(tmp_path / "c.jsonl", as_lines([{"body": "a"}, {"text": "b"}])), text_field="body")


def test_half_of_a_surrogate_pair_costs_its_document_and_is_counted(tmp_path: Path) -> None:
    rows = [*TEXTS[:28], "half \ud83d here"]
    path = write(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    documents = read_documents(path)
    assert documents == TEXTS[:28]
    assert "1 with half of a surrogate pair, left out" in documents.read_as
    assert "line 29" in documents.read_as
    compared = read_documents(path, comparable=True)
    assert compared == [*TEXTS[:28], "half \ufffd here"]
    raw = write(tmp_path / "b.jsonl", as_lines(TEXTS[:28]).encode() + b'"half \xed\xa0\xbd here"\n')
    assert read_documents(raw) == TEXTS[:28]
    many = write(tmp_path / "c.jsonl", "".join(json.dumps(row) + "\n" for row in [*TEXTS[:3], *["\ud83d"] * 2]))
    with pytest.raises(ContentError, match="in 2 of 5 documents"):
        read_documents(many)


def test_texts_that_are_compared_have_one_form(tmp_path: Path) -> None:
    rows = [unicodedata.normalize("NFD", text).replace("\n", "\r\n") for text in TEXTS]
    path = write(tmp_path / "a.jsonl", as_lines(rows))
    assert read_documents(path, comparable=True) == TEXTS
    assert read_documents(path) == rows


@pytest.mark.parametrize("piece", [1, 7, 64])
@given(texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=20).filter(str.strip), max_size=6))
def test_an_array_is_read_piece_by_piece(tmp_path_factory, piece: int, texts: list[str]) -> None:
    path = write(tmp_path_factory.mktemp("a") / "a.json", json.dumps([{"text": text, "n": [12, 3]} for text in texts]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "CHUNK", piece)
        assert read_documents(path) == texts


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ('[{"text": "a"}, {"text"', "record 2: not JSON"),
        ('[{"text": "a"} {"text": "b"}]', "record 1: not JSON .no comma"),
        ('[{"text": "a"}] more', "more text after the array"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": [{"text": "x"}], "b": [{"text": "y"}, {"text": "z"}]}', r"several lists of records \('a', 'b'\)"),
        ('{"text": "a"', "not JSON"),
    ],
)
def test_json_that_cannot_be_read(tmp_path: Path, data: str, message: str) -> None:
    with pytest.raises(ContentError, match=message):
        read_documents(write(tmp_path / "a.json", data))


def test_one_object_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_OBJECT", 10)
    with pytest.raises(ContentError, match="more than 10 characters"):
        read_documents(write(tmp_path / "a.json", json.dumps({"data": ROWS})))


def test_a_folder_is_read_by_its_larger_part_and_names_the_rest(tmp_path: Path) -> None:
    for i, document in enumerate(TEXTS[:5]):
        write(tmp_path / f"{i}.TXT", document * 9)
    write(tmp_path / "labels.csv", "text\nx\n")
    write(tmp_path / "scan.pdf", b"%PDF-1.7\n\0\xff\xfe")
    (tmp_path / "gone.txt").symlink_to("nowhere")
    documents = read_documents(tmp_path)
    assert len(documents) == 5
    assert "left out 3: gone.txt (a link that leads to no file" in documents.read_as
    assert "labels.csv (one of its records), scan.pdf (PDF)" in documents.read_as
    assert [path.name for path in files_of(tmp_path)] == [f"{i}.TXT" for i in range(5)]
    write(tmp_path / "more.jsonl", as_lines(ROWS))
    with pytest.raises(ContentError, match="give a folder for each"):
        read_documents(tmp_path)


def test_a_folder_of_records_beside_a_readme(tmp_path: Path) -> None:
    write(tmp_path / "part-0.jsonl", as_lines(ROWS[:20]))
    write(tmp_path / "part-1.jsonl.gz", gzip.compress(as_lines(ROWS[20:]).encode()))
    write(tmp_path / "README.md", "What this is")
    documents = read_documents(tmp_path)
    assert documents == TEXTS
    assert "left out 1: README.md (one of its texts)" in documents.read_as
    write(tmp_path / "part-2.jsonl.zst", b"(\xb5/\xfd" + b"x" * 100)
    with pytest.raises(ContentError, match=r"compressed \(zstd\)"):
        read_documents(tmp_path)


@pytest.mark.parametrize(
    ("rows", "prompts"),
    [
        ([{"prompt": "Who?", "answer": "a much longer answer"}], ["Who?"]),
        ([{"prompt": "Who?", "notes": "a much longer note of somebody"}], ["Who?"]),
        ([{"context": "Here.", "question": "Who?", "answers": ["she is"]}], ["Here.\nWho?"]),
        ([{"prompt": "Who?", "text": "she is"}], ["Who?"]),
        ([{"text": "Who?"}, "What?"], ["Who?", "What?"]),
        ([{"messages": turns("X", "role", "content", "assistant")}], ["Say it."]),
    ],
)
def test_prompts_are_what_is_asked(tmp_path: Path, rows: list[Any], prompts: list[str]) -> None:
    assert read_documents(write(tmp_path / "p.jsonl", as_lines(rows)), role="prompt") == prompts


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"id": "a", "response": {"code": 200, "body": {"choices": [{"message": {"content": "the cat sat"}}]}}},
         "response.body.choices.0.message.content"),
        ({"n": 1, "data": {"inner": "a dog ran", "key": "k"}}, "data.inner"),
    ],
)  # fmt: skip
def test_a_text_that_stands_deep_in_a_record_is_named(tmp_path, record, field):
    file = tmp_path / "batch.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for _ in range(3)))
    with pytest.raises(ContentError, match=f"its longest text stands in '{field}', which --text-field can name"):
        read_documents(file, role="output")
    assert len(read_documents(file, role="output", text_field=field)) == 3
