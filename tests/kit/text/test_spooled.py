"""Texts in a temporary file are as a list of them, and take no memory."""

from __future__ import annotations

import errno
import io
import json
import tempfile
import tracemalloc
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.kit.text.corpus import read_documents
from guardrails.kit.text.spooled import Joined, Spooled
from guardrails.targets.files import JsonlTarget

TEXTS = st.lists(st.text(st.characters(codec=None), max_size=20), max_size=8)
PLACES = st.none() | st.integers(-9, 9)


def same(one: Sequence[Any], texts: list[Any], part: slice, number: int) -> None:
    assert (len(one), list(one), one[part], bool(one)) == (len(texts), texts, texts[part], bool(texts))
    if -len(texts) <= number < len(texts):
        assert one[number] == texts[number]
    else:
        with pytest.raises(IndexError):
            one[number]


@given(TEXTS, TEXTS, st.builds(slice, PLACES, PLACES, st.none() | st.integers(1, 3)), st.integers(-9, 9))
def test_they_are_what_a_list_of_them_is(first: list[str], second: list[str], part: slice, number: int) -> None:
    spooled = Spooled(first)
    same(spooled, first, part, number)
    same(Joined(spooled, second), first + second, part, number)
    for text in second:
        spooled.append(text)
    same(spooled, first + second, part, number)
    assert spooled == first + second
    assert spooled != [*first, *second, "another"]
    assert (spooled == "text") is False


def test_none_and_half_of_a_surrogate_pair_come_back() -> None:
    texts = [None, "", "\ud83d", "\xff", None]
    assert list(Spooled(texts)) == texts


def test_several_threads_may_read() -> None:
    texts = [f"text {i} {'x' * (i % 100)}" for i in range(500)]
    spooled = Spooled(texts)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: list(spooled) == texts, range(16)))


def test_a_full_disk_is_named_by_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def seek(self, *place: int) -> None: ...

        def close(self) -> None: ...

        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(OSError, match="No space left on device") as raised:
        Spooled(["text"])
    assert raised.value.filename == tempfile.gettempdir()


class Slow(io.BytesIO):
    """Writes two bytes at a time, up to a size."""

    size = 100

    def write(self, data: Any) -> int:
        if self.tell() >= self.size:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data[:2])


def test_what_is_written_in_parts_is_written_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Slow())
    assert list(Spooled(["zwölf", "one"])) == ["zwölf", "one"]


def test_a_part_of_a_text_that_a_full_disk_left_is_in_no_other_text(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Slow()
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: file)
    spooled = Spooled(["one"])
    file.size = 5
    with pytest.raises(OSError, match="No space"):
        spooled.append("a long text")
    file.size = 100
    spooled.append("two")
    assert list(spooled) == ["one", "two"]


@pytest.mark.slow
def test_files_of_texts_take_little_memory_however_many_they_hold(tmp_path: Path) -> None:
    path, n = tmp_path / "a.jsonl", 5000
    rows = ({"text": f"{i} {'words ' * 100}", "prompt": f"prompt {i}"} for i in range(n))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    read_documents(path)
    tracemalloc.start()
    documents, target = read_documents(path), JsonlTarget(path)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(documents) == target.available == n
    assert documents[7] == target.outputs()[7] == f"7 {'words ' * 100}"
    assert target.prompts[7] == "prompt 7"
    assert size < 60 * n  # a text takes 600
