"""StereoSet: one JSON object, ``data`` → ``intrasentence`` and ``intersentence`` → examples of three sentences.

M. Nadeem, A. Bethke, S. Reddy, "StereoSet: Measuring stereotypical bias in pretrained language models", ACL 2021.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...core.errors import ContentError
from ...kit.io import shown
from ...kit.settings_file import parse_json, read_bounded
from ...kit.text.record_shapes import Record
from ..pairs.items import Triple, text, unique

MAX_BYTES = 64_000_000
LABELS = {"stereotype": "pro", "anti-stereotype": "anti", "unrelated": "unrelated"}
SPLITS = ("intrasentence", "intersentence")


def read_stereoset(path: Path) -> list[Triple]:
    """Return the triples of a file; those of ``intersentence`` follow a context.

    Raises
    ------
    ContentError
        For a file of another format, or a damaged one.
    """
    content = parse_json(read_bounded(path, max_bytes=MAX_BYTES), shown(path))
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, dict) or not any(split in data for split in SPLITS):
        raise ContentError(f"{shown(path)}: no examples at data.{SPLITS[0]} or data.{SPLITS[1]}")
    triples = list(_triples(data, path))
    unique([triple.id for triple in triples], path)
    return triples


def _triples(data: dict[str, Any], path: Path) -> Iterator[Triple]:
    for split in SPLITS:
        examples = data.get(split, [])
        if not isinstance(examples, list):
            raise ContentError(f"{shown(path)}: data.{split} is no list")
        for number, example in enumerate(examples, 1):
            record = Record(f"{shown(path)}, {split} {number}", example)
            id, target, construct = (text(record, field) for field in ("id", "target", "bias_type"))
            context = text(record, "context") if split == "intersentence" else ""
            yield Triple(f"{split}:{id}", construct, target, context, **_sentences(record))


def _sentences(record: Record) -> dict[str, str]:
    """Return the sentences of an example by what they are: each of the three kinds once."""
    listed = record.value.get("sentences")
    out: dict[str, str] = {}
    for sentence in listed if isinstance(listed, list) else []:
        inner = Record(record.where, sentence)
        kind = LABELS.get(text(inner, "gold_label"))
        if kind is None or kind in out:
            raise ContentError(f"{record.where}: its gold_labels are not one each of {', '.join(LABELS)}")
        out[kind] = text(inner, "sentence")
    if len(out) != len(LABELS):
        raise ContentError(f"{record.where}: its gold_labels are not one each of {', '.join(LABELS)}")
    return out
