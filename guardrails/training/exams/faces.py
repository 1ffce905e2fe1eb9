"""What `deepfake.face` is worth on the library's own swaps of a kind, and of people, that it never learnt from.

Poisson blending is the reserved method: everyone in its pictures is someone else. The autoencoder, reserved too, knows
two people alone, so that its interval is over pictures of these and says nothing about others. Every dose of `forgery`
weighs the same; untouched pictures follow the same law and show others again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.detector import Detection
from ...core.seeding import derive_seed32
from ...core.statistics import Interval, delong, tpr_at_fpr, wilson
from ...deepfake.face import FaceManipulation
from ...kit.detection.calibration import calibration_error
from ...kit.io import resize
from ..material.self_blending import jpeg

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

METHODS = ("poisson", "autoencoder")
DOSES = (0.25, 0.5, 1.0)
EACH = 80
"""Forged pictures of a dose; three times as many untouched ones."""


def _half(image: Image) -> Image:
    from PIL import Image as Pillow

    height, width = image.shape[:2]
    small = Pillow.fromarray(resize(image, (height // 2, width // 2)))
    return np.asarray(small.resize((width, height), Pillow.Resampling.BICUBIC), dtype=np.uint8)


SEVERITIES: dict[str, Callable[[Any], Any]] = {
    "jpeg 70": lambda image: jpeg(image, 70),
    "jpeg 50": lambda image: jpeg(image, 50),
    "half the size, and twice again": _half,
}


@dataclass(frozen=True)
class ExamPictures:
    """Pictures of a method, forged at three doses and untouched, with the masks of the forged."""

    forged: dict[float, list[tuple[Image, NDArray[np.bool_]]]]
    real: list[Image]


def exam_pictures(method: str, *, seed: int, each: int = EACH) -> ExamPictures:
    """Draw pictures; no person is in two of them, but for the autoencoder's two."""
    from ...targets.reference import load

    def items(dose: float, n: int) -> list[Any]:
        settings = f"forgery={dose:g}," if dose else ""
        generator = load(f"faceswap,{settings}method={method}").generator
        return list(generator.items(n, seed=derive_seed32(seed, f"{method} {dose:g}")))

    forged = {dose: [(item.content, item.mask > 0) for item in items(dose, each)] for dose in DOSES}
    return ExamPictures(forged, [item.content for item in items(0.0, each * len(DOSES))])


def exam(detector: FaceManipulation, threshold: float, *, seed: int, each: int = EACH) -> dict[str, Any]:
    """Return the figures of the card."""
    return {method: _method(detector, threshold, exam_pictures(method, seed=seed, each=each)) for method in METHODS}


def _method(detector: FaceManipulation, threshold: float, drawn: ExamPictures) -> dict[str, Any]:
    real = detector.score(drawn.real)
    forged = {dose: detector.score([image for image, _ in rows]) for dose, rows in drawn.forged.items()}
    every = [row for rows in forged.values() for row in rows]
    positive, negative = _scores(every), _scores(real)
    known = [row for row in every + real if row.probability is not None]
    labels = [1] * sum(row.probability is not None for row in every)
    labels += [0] * (len(known) - len(labels))
    probabilities = [row.probability for row in known if row.probability is not None]
    figures: dict[str, Any] = {
        "pictures": {"forged": len(every), "untouched": len(real)},
        "no face found": _rate([row.score is None for row in every + real]),
        "auc": _shown(delong(positive, negative), len(positive), len(negative)),
        "auc by dose of forgery": {
            f"{dose:g}": _shown(delong(_scores(rows), negative), len(_scores(rows)), len(negative))
            for dose, rows in forged.items()
        },
        "called manipulated though untouched": _rate(
            [row.verdict == "manipulated" for row in real if row.score is not None]
        ),
        "called manipulated": _rate([row.verdict == "manipulated" for row in every if row.score is not None]),
        "abstained with a face": _rate([row.verdict == "abstain" for row in every + real if row.score is not None]),
        "calibration error": round(calibration_error(probabilities, labels), 3),
        "iou": _iou(detector, threshold, [pair for rows in drawn.forged.values() for pair in rows]),
        "auc after": {name: _altered(detector, drawn, change) for name, change in SEVERITIES.items()},
        "null: untouched saved as JPEG 75 against itself": _null(detector, drawn.real),
    }
    for share in (0.01, 0.05):
        rate = tpr_at_fpr(positive, negative, fpr=share)
        figures[f"tpr at fpr {share:g}"] = rate and _shown(rate, len(positive), len(negative))
    return figures


def _scores(rows: Sequence[Detection]) -> list[float]:
    return [row.score for row in rows if row.score is not None]


def _shown(interval: Interval, *n: int) -> dict[str, Any]:
    return {
        "value": round(interval.value, 3),
        "low": round(interval.low, 3),
        "high": round(interval.high, 3),
        "n": list(n),
    }


def _rate(hits: Sequence[bool]) -> dict[str, Any]:
    return _shown(wilson(sum(hits), len(hits)), len(hits))


def _altered(detector: FaceManipulation, drawn: ExamPictures, change: Callable[[Any], Any]) -> dict[str, Any]:
    forged = [change(image) for rows in drawn.forged.values() for image, _ in rows]
    positive = _scores(detector.score(forged))
    negative = _scores(detector.score([change(image) for image in drawn.real]))
    return _shown(delong(positive, negative), len(positive), len(negative))


def _null(detector: FaceManipulation, real: Sequence[Image]) -> dict[str, Any]:
    """Each half of the pictures is on one side, so that the two sides are independent."""
    saved = _scores(detector.score([jpeg(image, 75) for image in real[::2]]))
    plain = _scores(detector.score(list(real[1::2])))
    return _shown(delong(saved, plain), len(saved), len(plain))


def _iou(
    detector: FaceManipulation, threshold: float, pairs: Sequence[tuple[Image, NDArray[np.bool_]]]
) -> dict[str, Any]:
    """Mean over forged pictures in which a face is found, whatever the verdict; the interval is Student's."""
    from scipy.special import stdtrit

    overlaps = []
    for image, mask in pairs:
        heat = detector.explain(image).heat_map
        if heat is not None:
            overlaps.append(overlap(_sized(heat, mask.shape), mask, threshold))
    mean, n = float(np.mean(overlaps)), len(overlaps)
    half = float(stdtrit(n - 1, 0.975) * np.std(overlaps, ddof=1) / n**0.5)
    return _shown(Interval(mean, mean - half, mean + half), n)


def _sized(heat: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    rows = (np.arange(shape[0]) + 0.5) * heat.shape[0] / shape[0]
    columns = (np.arange(shape[1]) + 0.5) * heat.shape[1] / shape[1]
    out: NDArray[np.float32] = heat[rows.astype(int)[:, None], columns.astype(int)[None]]
    return out


def overlap(places: NDArray[Any], mask: NDArray[np.bool_], threshold: float) -> float:
    """Return intersection over union of the places above a threshold with a mask; NaN is below."""
    above = np.nan_to_num(places, nan=-np.inf) > threshold
    return float((above & mask).sum() / max((above | mask).sum(), 1))
