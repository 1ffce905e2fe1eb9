"""Calibrations of the shipped heads on sources and families that none of them learnt from, out of a file of scores.

``by_source.json`` stands beside the weights and holds, for each head, its scores by source of photographs and by family
of generators; `scripts/calibrate_by_source.py` makes it. Slope, offset, bounds and p-values are computed from these
when the heads are read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...kit.detection.calibration import Calibration
from .kinds import Scope

if TYPE_CHECKING:
    from .fitted_head import Fitted

NAME = "by_source.json"


def recalibrated(heads: Mapping[str, Fitted], sha256: str, folder: Path) -> dict[str, Fitted]:
    """Return heads with the calibrations of the folder's file, as far as it has scores of weights with this hash."""
    stated = _read(folder / NAME)
    return {name: _with(one, stated["heads"].get(name), sha256, stated) for name, one in heads.items()}


def _with(one: Fitted, scores: Mapping[str, Any] | None, sha256: str, stated: Mapping[str, Any]) -> Fitted:
    if scores is None or scores["weights_sha256"] != sha256:
        return one
    calibration = calibration_of(scores)
    basis = f"{stated['basis']}: {calibration.real.n} sources, {calibration.generated.n} families"
    return replace(one, calibration=calibration, basis=basis, reach=scores["reach"], scope=Scope.of(stated["scope"]))


def calibration_of(scores: Mapping[str, Any]) -> Calibration:
    """Return the calibration of scores by source: ``real`` and ``generated``, each a list of scores by a name."""
    flat = [
        (float(score), label, name)
        for label, side in enumerate(("real", "generated"))
        for name, several in scores[side].items()
        for score in several
    ]
    values, labels, names = zip(*flat, strict=True)
    return Calibration.fit(values, np.array(labels, dtype=np.int64), names)


@cache
def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"heads": {}}
