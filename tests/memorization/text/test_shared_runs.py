from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardrails.memorization.text.corpus_index import CorpusIndex
from guardrails.memorization.text.shared_runs import COMMON, CommonText

PARTS = [f"{sign}abcdefghi€" * 5 for sign in "1é€😀"]  # 55 characters each
TEXT = st.lists(st.sampled_from(PARTS), max_size=4).map("".join)


def marked(text: str, documents: list[str]) -> list[bool]:
    """Mark every window that a document holds, one by one."""
    common = [False] * len(text)
    for begin in range(len(text) - COMMON + 1):
        if any(text[begin : begin + COMMON] in document for document in documents):
            common[begin : begin + COMMON] = [True] * COMMON
    return common


@given(
    documents=st.lists(st.tuples(TEXT, st.integers(0, 60)), min_size=1, max_size=6),
    texts=st.lists(st.tuples(TEXT, st.integers(0, 60)), max_size=4),
    ignored=st.sets(st.integers(0, 5), max_size=3),
    shard_bytes=st.sampled_from([300, 10**6]),
)
def test_what_other_documents_hold_is_cut_out(
    documents: list[tuple[str, int]], texts: list[tuple[str, int]], ignored: set[int], shard_bytes: int
) -> None:
    held = [text[begin:] for text, begin in documents]
    asked = [text[begin:] for text, begin in texts] + held
    sources = [None] * len(texts) + list(range(len(held)))
    ignored = {i for i in ignored if i < len(held)}
    common = CommonText(CorpusIndex.from_documents(held, shard_bytes=shard_bytes), ignored)
    assert [marks.tolist() for marks in common.marks(asked, sources)] == [
        marked(text, [other for i, other in enumerate(held) if i != source and i not in ignored])
        for text, source in zip(asked, sources, strict=True)
    ]
