"""The longest match and counts in a corpus, beside a literal search."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.errors import ConfigurationError
from guardrails.memorization.text.corpus_index import CorpusIndex, Count, Match

ALPHABETS = ("ab", "abé", "aé日😀", "ab\ud800 \0\n", "abcdefgh ")
MANY_SHARDS = 128

texts = st.sampled_from(ALPHABETS).flatmap(
    lambda letters: st.tuples(
        st.lists(st.text(letters, max_size=80), max_size=6), st.lists(st.text(letters + "z", max_size=60), max_size=5)
    )
)


def longest_run(output: str, documents: list[str]) -> int:
    """The oracle: grow a window while it stands in a document."""
    length = 0
    for start in range(len(output)):
        while start + length < len(output) and any(output[start : start + length + 1] in d for d in documents):
            length += 1
    return length


def occurrences(string: str, documents: list[str]) -> int:
    return sum(document.startswith(string, at) for document in documents for at in range(len(document)))


@settings(max_examples=100, deadline=None)
@given(texts, st.sampled_from([1, 50, 10**6]))
def test_the_longest_match_is_that_of_a_growing_window(data: tuple[list[str], list[str]], shard_bytes: int) -> None:
    documents, outputs = data
    outputs = [*outputs, *(document[1:] + "z" + document[:9] for document in documents)]
    index = CorpusIndex.from_documents(documents, shard_bytes=shard_bytes)
    assert len(index) == len(documents)
    for output, match in zip(outputs, index.longest(outputs), strict=True):
        assert match.length == longest_run(output, documents)
        if match.document is None:
            assert match.length == 0
        else:
            assert output[match.start : match.start + match.length] in documents[match.document]


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(texts, st.sampled_from([1, 50, 10**6]))
def test_counts_are_those_of_a_literal_search(data: tuple[list[str], list[str]], shard_bytes: int) -> None:
    documents, strings = data
    strings = [string for string in [*strings, *documents] if string]
    index = CorpusIndex.from_documents(documents, shard_bytes=shard_bytes)
    for string, count in zip(strings, index.counts(strings), strict=True):
        holders = [i for i, document in enumerate(documents) if string in document]
        assert count == Count(occurrences(string, documents), len(holders))
        assert index.documents(string) == holders
        assert index.count(string.encode("utf-8", "surrogatepass")) == count


def test_long_copies_and_near_misses_are_measured_to_the_letter() -> None:
    rng = Random(0)
    document = "".join(rng.choice("abcdefghij ") for _ in range(20_000))
    index = CorpusIndex.from_documents([document[:10_000], document, document[5_000:]])
    changed = document[:12_345] + "X" + document[12_346:]
    assert index.longest([document, document[7:], changed, "X"]) == [
        Match(20_000, 0, 1),
        Match(19_993, 0, 1),
        Match(12_345, 0, 1),
        Match(0, 0, None),
    ]
    assert index.count(document[6_000:9_000]) == Count(3, 3)


def test_many_outputs_are_searched_as_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = Random(1)
    documents = ["".join(rng.choice("abc ") for _ in range(300)) for _ in range(20)]
    outputs = [document[i : i + 40] + "z" * i for i, document in enumerate(documents)] + ["", "z"]
    index = CorpusIndex.from_documents(documents)
    together = index.longest(outputs)
    monkeypatch.setattr("guardrails.memorization.text.corpus_index.QUERY", 50)
    assert index.longest(outputs) == together == [index.longest([output])[0] for output in outputs]


def test_nothing_is_matched_across_two_documents() -> None:
    index = CorpusIndex.from_documents(["abc", "def"])
    assert index.longest(["abcdef"])[0].length == len("abc")
    assert index.count("cd") == Count(0, 0)


def test_only_whole_characters_are_shared() -> None:
    # é is C3 A9 and è C3 A8; 日 is E6 97 A5 and 旦 E6 97 A6.
    assert CorpusIndex.from_documents(["xé 日"]).longest(["xè", "旦", "è日"]) == [
        Match(1, 0, 0),
        Match(0, 0, None),
        Match(1, 1, 0),
    ]


def test_a_byte_that_no_text_has_stands_nowhere() -> None:
    index = CorpusIndex.from_documents(["abc", "abd"])
    assert index.counts([b"c\xff", b"\xff", b"\xfe", b"b"]) == [Count(0, 0)] * 3 + [Count(2, 2)]


def test_an_empty_corpus_shares_nothing() -> None:
    for documents in ([], [""], ["", ""]):
        index = CorpusIndex.from_documents(documents)
        assert index.longest(["abc", ""]) == [Match(0, 0, None)] * 2
        assert index.count("a") == Count(0, 0)


def test_an_empty_string_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="empty string"):
        CorpusIndex.from_documents(["a"]).count("")
