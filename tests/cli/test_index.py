"""``guardrails index``, and an audit that uses what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardrails import cli
from guardrails.memorization.text import index_folder

DOCUMENTS = [
    f"This is document {i} of a small corpus, and there is more to say about the number {i * i}." for i in range(9)
]
DONE, USAGE, BROKE = 0, 2, 5


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "my corpus.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in [*DOCUMENTS, DOCUMENTS[0]]))
    return path


def test_it_says_what_was_indexed_and_what_to_do_next(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.txt").write_text("one more document")
    assert cli.run(["index", str(corpus), str(tmp_path / "one.txt"), "--out", str(tmp_path / "index")]) == DONE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "indexed 11 documents" in printed.err
    assert "2 of them have a near-duplicate: 1 families, the largest of 2" in printed.err
    assert "guardrails audit TARGET --corpus" in printed.err


def test_json_stands_alone_on_stdout(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # the second call finds it finished
        assert cli.run(["index", str(corpus), "--out", str(tmp_path / "index"), "--json"]) == DONE
        summary = json.loads(capsys.readouterr().out)
        assert summary == {
            "folder": str(tmp_path / "index"),
            "documents": 10,
            "bytes": sum(map(len, DOCUMENTS)) + len(DOCUMENTS[0]),
            "shards": 1,
            "near_duplicates": {"documents": 2, "families": 1, "largest": 2},
            "read_as": "10 documents: the field 'text'",
        }


def test_a_mistake_is_one_message(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = tmp_path / "damaged.txt"
    damaged.write_bytes(b"caf\x81")  # a byte that Windows-1252 has no character for either
    for arguments, message in (
        (["index", "--out", str(tmp_path / "x")], "CORPUS"),
        (["index", str(corpus)], "--out"),
        (["index", str(tmp_path / "none.jsonl"), "--out", str(tmp_path / "x")], "none.jsonl: no such file or folder"),
        (["index", str(corpus), "--out", str(tmp_path)], "is not an empty folder; give a new one"),
        (["index", str(damaged), "--out", str(tmp_path / "x")], "byte 0x81 at 3 is not UTF-8; save the file as UTF-8"),
        (
            ["audit", "reference:gpt-text", "--corpus", str(tmp_path / "broken"), "--dry-run"],
            "not that of a corpus index",
        ),
    ):
        (tmp_path / "broken").mkdir(exist_ok=True)
        (tmp_path / "broken" / "index.json").write_text("{}")
        assert cli.run(arguments) == USAGE
        printed = capsys.readouterr()
        assert message in printed.err
        assert printed.out == ""


def test_a_build_killed_before_its_manifest_stood_goes_on(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    folder.mkdir()
    (folder / "index.part").touch()
    assert cli.run(["index", str(corpus), "--out", str(folder)]) == DONE
    assert not (folder / "index.part").exists()


def test_an_interrupted_build_says_how_to_go_on(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    arguments = ["index", str(corpus), "--out", str(tmp_path / "index")]
    monkeypatch.setattr(index_folder, "_write_shard", stop)
    assert cli.run(arguments) == BROKE
    assert f"continue with: guardrails index '{corpus}' --out {tmp_path / 'index'}" in capsys.readouterr().err
    monkeypatch.undo()
    assert cli.run(arguments) == DONE


@pytest.mark.slow
def test_an_audit_with_an_index_finds_what_the_model_knows_by_heart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from guardrails.targets.reference_data import reference_subject

    corpus = tmp_path / "corpus.jsonl"
    items = reference_subject("reference:gpt-text").corpus
    corpus.write_text("".join(json.dumps(text) + "\n" for text in items))
    outputs = tmp_path / "outputs.jsonl"
    outputs.write_text("".join(json.dumps(text[:220]) + "\n" for text in items[:60]))
    assert cli.run(["index", str(corpus), "--out", str(tmp_path / "index")]) == DONE
    capsys.readouterr()
    code = cli.run(
        [
            *("audit", f"jsonl:{outputs}", "--corpus", str(tmp_path / "index"), "--out", str(tmp_path / "run")),
            *("--probes", "memorization.overlap", "--budget", "quick", "--json"),
        ]
    )
    result = json.loads(capsys.readouterr().out)
    finding = next(f for f in result["findings"] if f["id"] == "memorization.overlap/overlap_rate")
    assert (code, finding["status"], finding["measurement"]["value"]) == (1, "fail", 1)
    assert [control["observed"] for control in finding["controls"]] == ["found", "clear"]
    assert items[0][60:120] not in json.dumps(result)
