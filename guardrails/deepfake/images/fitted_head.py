"""A head with its calibration and its bounds; how it is fitted, kept in a file and read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.detector import Detection
from ...core.errors import ConfigurationError
from ...kit.carded_weights import read_carded, write_carded
from ...kit.detection.calibration import BySource, Calibration
from ...kit.detection.linear_head import Head
from ...kit.detection.protocol import FOLDS, folds_of, weights_of
from .kinds import Scope

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Blocks = Mapping[str, NDArray[np.floating[Any]]]

WEIGHTS = Path(__file__).parents[1] / "weights"
COMMAND = "guardrails train detector default"
BEYOND = 1.5
"""How many times as strange as the strangest item of the calibration a picture may be before it is called unknown."""


@dataclass(frozen=True)
class Fitted:
    """What scores a picture that is described by blocks, (N, D) each.

    Attributes
    ----------
    head : Head
    calibration : Calibration
    reach : float
        Largest strangeness that is judged.
    basis : str
        Which calibration this is: goes into every `Detection`.
    scope : Scope, optional
        The kinds of pictures that the calibration has sources of, and the library a control; None: every kind, as the
        user chose what to fit or to calibrate on.
    """

    head: Head
    calibration: Calibration
    reach: float
    basis: str
    scope: Scope | None = None

    @classmethod
    def fit(
        cls,
        blocks: Blocks,
        labels: NDArray[np.int64],
        sources: Sequence[str],
        *,
        groups: Sequence[str] | None = None,
        art: NDArray[np.bool_] | None = None,
        basis: str = "cross-fitted on the items that it was fitted to",
    ) -> Fitted:
        """Fit a head, and calibrate it by cross-fitting: no source on both sides.

        Parameters
        ----------
        blocks : mapping of str to array
            (N, D) each.
        labels : array of int
            1 = synthetic.
        sources : sequence of str
            What must not be on both sides of a split.
        groups : sequence of str, optional
            What `weights_of` weighs by; default the sources.
        art : array of bool, optional
            (N,), real pictures that are no photographs: fitted to at a share, never calibrated with.
        basis : str
            What to call the calibration.
        """
        whole = {name: np.asarray(x, dtype=np.float64) for name, x in blocks.items()}
        weights = weights_of(labels, sources if groups is None else groups, art)
        fold, scores = cross_folds(labels, sources), np.empty(len(labels))
        strange = np.empty(len(labels))
        for k in np.unique(fold):
            out = fold == k
            inner = weights[~out] / weights[~out].mean()
            part = Head.fit_members({name: x[~out] for name, x in whole.items()}, labels[~out], inner)
            left = {name: x[out] for name, x in whole.items()}
            scores[out], strange[out] = part.score(left), part.strangeness(left)
        plain = np.ones(len(labels), dtype=bool) if art is None else ~art
        units = np.asarray(sources if groups is None else groups)
        calibration = Calibration.fit(scores[plain], labels[plain], units[plain].tolist())
        return cls(Head.fit_members(whole, labels, weights), calibration, BEYOND * float(strange.max()), basis)

    def calibrated(
        self,
        blocks: Blocks,
        labels: NDArray[np.int64],
        sources: Sequence[str],
        *,
        basis: str = "calibrated on its own set",
    ) -> Fitted:
        """Return it with a calibration on items that the head has not seen: it judges every kind of picture then."""
        whole = {name: np.asarray(x, dtype=np.float64) for name, x in blocks.items()}
        calibration = Calibration.fit(self.head.score(whole), labels, sources)
        reach = max(self.reach, BEYOND * float(self.head.strangeness(whole).max()))
        return replace(self, calibration=calibration, reach=reach, basis=basis, scope=None)

    def logits(self, blocks: Blocks) -> Array:
        """Return Platt's logits, (N,): evidence for maps and comparisons, not bounded as a likelihood ratio is."""
        return self.calibration.logit(self.head.score(_floats(blocks)))

    def detection(self, name: str, blocks: Blocks) -> Detection:
        """Return what the head says of one picture, (1, D) a block."""
        x = _floats(blocks)
        score = float(self.head.score(x)[0])
        if (strange := float(self.head.strangeness(x)[0])) > self.reach:
            why = f"unlike the pictures it was calibrated on ({strange:.1f}, at most {self.reach:.1f})"
            return Detection(name, score, reasons=(why,))
        verdict, why = self.calibration.judged(score)
        shares = sorted(self.head.shares(x).items(), key=lambda share: -abs(share[1][0]))[:2]
        return Detection(
            name,
            score,
            probability=float(self.calibration.probability([score])[0]),
            likelihood_ratio=float(np.exp(self.calibration.log_ratio([score])[0])),
            verdict=verdict,
            reasons=(why, *(f"{block}: {value[0]:+.2f}" for block, value in shares)),
            calibration=self.basis,
        )


def _floats(blocks: Blocks) -> dict[str, Array]:
    return {name: np.asarray(x, dtype=np.float64) for name, x in blocks.items()}


def cross_folds(labels: NDArray[np.int64], sources: Sequence[str], folds: int = FOLDS) -> NDArray[np.int64]:
    """Return a fold per item such that no source is in two and each fold holds both classes where sources allow."""
    fold = np.empty(len(labels), dtype=np.int64)
    for label in (0, 1):
        of = np.flatnonzero(labels == label)
        names = [sources[i] for i in of.tolist()]
        fold[of] = folds_of(names, max(2, min(folds, len(set(names)))))
    return fold


def write(fitted: Mapping[str, Fitted], card: Mapping[str, Any], folder: Path, stem: str = "default") -> list[Path]:
    """Write ``STEM.safetensors`` and ``STEM.json``, its card with the hash of the weights; return both paths."""
    from safetensors.numpy import save

    arrays: dict[str, Any] = {}
    names: dict[str, Any] = {}
    for name, one in fitted.items():
        for block in one.head.mean:
            for part in ("mean", "scale", "coefficients"):
                arrays[f"{name}/{block}/{part}"] = np.asarray(getattr(one.head, part)[block], dtype=np.float32)
        arrays |= calibration_arrays(one.calibration, f"{name}/")
        numbers = [one.head.intercept, one.calibration.slope, one.calibration.offset, one.reach]
        arrays[f"{name}/numbers"] = np.array(numbers, dtype=np.float64)
        names[name] = {"blocks": list(one.head.mean), "basis": one.basis} | Scope.stated(one.scope)
    weights = save({key: np.ascontiguousarray(value) for key, value in arrays.items()})
    return write_carded(folder, stem, weights, {**card, "heads": names})


def command_of(stem: str) -> str:
    """Return what makes a file of weights.

    >>> command_of("face")
    'guardrails train detector deepfake.face'
    """
    return COMMAND if stem == "default" else f"guardrails train detector deepfake.{stem}"


def calibration_arrays(calibration: Calibration, prefix: str = "") -> dict[str, NDArray[Any]]:
    """Return the scores of a calibration with their sources, for `calibration_of`."""
    out: dict[str, NDArray[Any]] = {}
    for side in ("real", "generated"):
        one: BySource = getattr(calibration, side)
        out[f"{prefix}{side}"] = np.asarray(one.scores, dtype=np.float32)
        out[f"{prefix}{side}/source"] = np.asarray(one.sources, dtype=np.int32)
    return out


def calibration_of(tensors: Mapping[str, NDArray[Any]], slope: float, offset: float, prefix: str = "") -> Calibration:
    """Read `calibration_arrays`. Where no sources are stated, all scores are of one: they support no verdict."""
    sides = []
    for side in ("real", "generated"):
        scores = tensors[f"{prefix}{side}"].astype(np.float64)
        stated = tensors.get(f"{prefix}{side}/source")
        sides.append(BySource(scores, np.zeros(len(scores), np.int64) if stated is None else stated.astype(np.int64)))
    return Calibration(slope, offset, *sides)


@cache
def read(folder: Path = WEIGHTS, stem: str = "default") -> tuple[dict[str, Fitted], dict[str, Any]]:
    """Read what `write` wrote, and its card.

    Heads of which ``by_source.json`` in the same folder has scores by source are calibrated on these: see
    `source_calibration`.

    Raises
    ------
    ConfigurationError
        Where a file is missing, or the weights have not the hash or shape that the card states.
    """
    from safetensors.numpy import load

    from .source_calibration import recalibrated

    weights, card = read_carded(folder, stem, command=command_of(stem))
    tensors = load(weights)
    heads = {name: _one(name, about, tensors) for name, about in card["heads"].items()}
    return recalibrated(heads, card["sha256"], folder), card


def _one(name: str, about: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Fitted:
    def part(kind: str) -> dict[str, Array]:
        return {block: tensors[f"{name}/{block}/{kind}"].astype(np.float64) for block in about["blocks"]}

    intercept, slope, offset, reach = (float(x) for x in tensors[f"{name}/numbers"])
    head = Head(part("mean"), part("scale"), part("coefficients"), intercept)
    calibration = calibration_of(tensors, slope, offset, f"{name}/")
    return Fitted(head, calibration, reach, about["basis"], Scope.of(about.get("scope")))


def shipped(name: str) -> Fitted:
    """Return a head of the weights that ship.

    Raises
    ------
    ConfigurationError
        Where they are missing or altered, or hold no such head.
    """
    heads, _ = read()
    if name not in heads:
        raise ConfigurationError(f"default.safetensors is of another version: it holds no {name}; make it: {COMMAND}")
    return heads[name]
