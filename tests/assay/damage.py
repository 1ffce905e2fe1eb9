"""Damages to the files of a run, for the tests of what becomes of them."""

from __future__ import annotations

import random
from pathlib import Path

FLIPS = 200


def flip(file: Path, draw: random.Random) -> None:
    content = bytearray(file.read_bytes())
    bit = draw.randrange(8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)


def damage_seconds(file: Path, number: int) -> None:
    from sqlite3 import connect

    with connect(file) as db:
        db.execute("UPDATE log SET seconds = 7.5 WHERE number = ?", (number,))
    db.close()
