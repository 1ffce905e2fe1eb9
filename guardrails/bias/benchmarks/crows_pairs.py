"""CrowS-Pairs: a CSV file with ``sent_more``, ``sent_less``, ``stereo_antistereo`` and ``bias_type``.

N. Nangia, C. Vania, R. Bhalerao, S. R. Bowman, "CrowS-Pairs: A Challenge Dataset for Measuring Social Biases in Masked
Language Models", EMNLP 2020. In S. L. Blodgett et al., "Stereotyping Norwegian Salmon", ACL 2021, many of its pairs are
found not to be minimal, or not to state a stereotype.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...core.errors import ContentError
from ...kit.text.record_shapes import Record
from ..pairs.items import Pair, checked, records, text

FIELDS = ("sent_more", "sent_less", "stereo_antistereo", "bias_type")
DIRECTIONS = ("stereo", "antistereo")


def fits(value: Any) -> bool:
    """Whether a record has the two sentences of this format."""
    return isinstance(value, dict) and {"sent_more", "sent_less"} <= value.keys()


def pair_of(record: Record) -> Pair:
    """Return the pair of a row. Each is a template of its own.

    ``sent_more`` is the more stereotyping sentence in both directions; the direction, whether the pair shows or
    violates a stereotype, becomes the group.
    """
    more, less, direction, construct = (text(record, field) for field in FIELDS)
    if direction not in DIRECTIONS:
        raise ContentError(f"{record.where}: stereo_antistereo is '{direction[:30]}', not {' or '.join(DIRECTIONS)}")
    # The first column has no name; the place in the file tells rows from one another.
    number = record.where.rpartition(" ")[2]
    return Pair(number, construct, direction, "en", number, more, less)


def read_crows_pairs(path: Path) -> list[Pair]:
    """Return the pairs of a file.

    Raises
    ------
    ContentError
        For a file of another format, or a damaged one.
    """
    return checked([pair_of(record) for record in records(path)], path)
