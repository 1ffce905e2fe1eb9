"""Recordings in a benchmark: speech of people and of neural systems, as detectors of speech hear it.

A folder of recordings has ``manifest.csv`` with the columns ``path``, ``label`` (real or neural), ``system`` and
``kind`` (of a neural one), ``speaker`` and ``source``.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ...core.detector import Detector
from ...core.errors import ConfigurationError, ContentError
from ...core.results.bench import Tables
from ...kit.pictures.manifest import NAME, read_manifest
from .data import Item
from .scores import Scores, keep
from .summaries import summaries
from .tables import Parts, false_alarms, shipped

COLUMNS = ("label", "system", "kind", "speaker", "source")
CHANGE = "none"


def holds_recordings(folder: Path) -> bool:
    """Whether the manifest of a folder has the column ``system``: then it lists recordings."""
    try:
        with (folder / NAME).open(newline="", encoding="utf-8-sig") as file:
            return "system" in next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return False  # whoever reads it as pictures says what is wrong


def recording_items(folder: Path) -> list[Item]:
    """Return the recordings of a folder. Those of one speaker of a system count as a cluster, as real ones of a source.

    Raises
    ------
    ConfigurationError
        Where the manifest cannot be read, a label is neither real nor neural, or all recordings are of one class.
    """
    from ...kit.sound import read_sound

    items = []
    for row in read_manifest(folder, COLUMNS):
        if row["label"] not in ("real", "neural"):
            raise ConfigurationError(f"{folder}: labels of recordings are real or neural, not '{row['label']}'")
        neural, path = row["label"] == "neural", folder / row["path"]
        family, source = (row["system"], f"{row['system']}/{row['speaker']}") if neural else ("real", row["source"])
        read = partial(read_sound, path)
        items.append(Item(
            f"{folder.name}/{row['path']}", int(neural), family, source, folder.name, read, path,
            row["kind"] if neural else "",
        ))  # fmt: skip
    if missing := [name for label, name in ((0, "real"), (1, "neural")) if label not in {i.label for i in items}]:
        raise ConfigurationError(f"{folder} holds no {' and no '.join(missing)} recording")
    return items


def heard(
    items: Sequence[Item],
    detectors: dict[str, Detector],
    *,
    progress: Callable[[int, int, str], None] | None = None,
) -> Scores:
    """Score every recording with every detector of speech: at 16 kHz in one channel, otherwise as it is."""
    from ...kit.sound import RATE

    out = Scores()
    for done, item in enumerate(items):
        if progress is not None:
            progress(done, len(items), item.name)
        try:
            sound = item.read()
        except ContentError as error:
            out.unread.append((item.name, str(error)))
            continue
        out.items.append(item)
        for name, detector in detectors.items():
            keep(out, name, CHANGE, detector.score([(sound, RATE)])[0])
    return out


def recording_tables(scores: Scores, parts: Parts) -> Tables:
    """Return the tables: each system, false alarms by source, and the summaries."""
    summed = summaries(scores)
    return Tables(
        shipped=[row for row, _ in shipped(scores, parts)], means=summed.means, calibration=summed.calibration,
        false_alarms=list(false_alarms(scores, parts)), severity=[], verdicts=summed.verdicts,
    )  # fmt: skip
