"""Canonical JSON is written in blocks: its bytes are those of `json.dumps`."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.core.results import audit

TEXT = st.text(st.characters(codec=None, categories=None), max_size=20)  # half surrogate pairs too
VALUES = st.dictionaries(
    TEXT,
    st.recursive(
        TEXT | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=4,
)


def whole(values: dict[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, indent=2, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode() + "\n"


@pytest.mark.parametrize("parts", [1, 2, 1 << 16])
@given(VALUES)
def test_blocks_are_the_text_and_its_hash(parts: int, values: dict[str, Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "PARTS", parts)
        assert audit._canonical(values) == whole(values)
        assert audit._sha256(values) == hashlib.sha256(whole(values).encode()).hexdigest()
