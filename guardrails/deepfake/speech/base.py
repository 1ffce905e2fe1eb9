"""What detectors of synthetic speech share: recordings in, evidence by frame, a calibration, segments out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from ...core.control import Control
from ...core.detector import Detection, Detector, Segment
from ...core.errors import ContentError
from ...core.targets import Modality
from ...kit.carded_weights import read_carded, write_carded
from ..images.base import checked
from ..images.kinds import Scope

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...kit.detection.calibration import Calibration
    from .spectra import Spectra
    from .speech_likeness import Manner

    Array = NDArray[np.float64]

WEIGHTS = Path(__file__).parents[1] / "weights"
SPEECH = "speech"
FOLDS = 3
KEPT, MARGIN = 0.98, 1.2
"""How far from the usual a recording may be: this much further than this share of the calibration's. Chosen on the
speakers that the models are fitted to, none of whom is in the calibration: 5% of their recordings are beyond it."""
WINDOW = 20
"""Frames over which evidence is averaged before it can stand out: 0.3 s."""
RARE = 0.99
"""Share of such stretches of real recordings that do not stand out."""


class Model(Protocol):
    """What finds the evidence: `network.SpectroNet`."""

    @classmethod
    def fit(
        cls,
        items: Sequence[Spectra],
        labels: NDArray[np.int64],
        weights: Array,
        *,
        seed: int = 0,
        pairs: NDArray[np.int64] | None = None,
    ) -> Self:
        """Fit to recordings; those of one number in `pairs` are one utterance, the real one and its vocoded ones."""

    def evidence(self, item: Spectra) -> tuple[float, Array]:
        """Return the score and the evidence of every frame, NaN where it is silent."""

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Return what `of` reads."""

    @classmethod
    def of(cls, tensors: Mapping[str, Any]) -> Self:
        """Read `tensors`."""


@dataclass(frozen=True)
class Heard:
    """A model with its calibration and its bounds.

    Attributes
    ----------
    model : Model
    calibration : Calibration
    manner : Manner
        How speech moves.
    reach : float
        Largest distance from it that is judged.
    threshold : float
        Evidence, averaged over 0.3 s, above which a stretch stands out.
    basis : str
        Which calibration this is.
    scope : Scope, optional
        What it may speak of; None: everything, as the user chose what to fit or to calibrate on.
    """

    model: Model
    calibration: Calibration
    manner: Manner
    reach: float
    threshold: float
    basis: str
    scope: Scope | None = None

    @classmethod
    def calibrated(
        cls, model: Model, items: Sequence[Spectra], labels: NDArray[np.int64], sources: Sequence[str], basis: str
    ) -> Heard:
        """Calibrate a model on recordings that it has not seen."""
        return cls.of(model, [model.evidence(item) for item in items], items, labels, sources, basis)

    @classmethod
    def of(
        cls,
        model: Model,
        evidence: Sequence[tuple[float, Array]],
        items: Sequence[Spectra],
        labels: NDArray[np.int64],
        sources: Sequence[str],
        basis: str,
    ) -> Heard:
        """Calibrate on the evidence of recordings."""
        import numpy as np

        from ...kit.detection.calibration import Calibration
        from .speech_likeness import Manner

        calibration = Calibration.fit([score for score, _ in evidence], labels, sources)
        stretches = np.concatenate([smoothed(frames) for (_, frames), y in zip(evidence, labels, strict=True) if not y])
        threshold = float(np.quantile(stretches[np.isfinite(stretches)], RARE))
        manner = Manner.fit(items)
        reach = MARGIN * float(np.quantile([manner.distance(item) for item in items], KEPT))
        return cls(model, calibration, manner, reach, threshold, basis)

    def detection(self, name: str, item: Spectra) -> Detection:
        """Return what is heard in a recording."""
        import numpy as np

        score, frames = self.model.evidence(item)
        segments = stands_out(smoothed(frames), self.threshold)
        if (strange := self.manner.distance(item)) > self.reach:
            why = f"does not move as speech does ({strange:.1f}, at most {self.reach:.1f}): music, noise?"
            return Detection(name, score, reasons=(why,))
        seconds = sum(segment.end - segment.start for segment in segments)
        heard = f"mean evidence {score:+.2f}; {seconds:.1f} s stand out"
        if self.scope is not None and SPEECH not in self.scope.kinds:
            return Detection(name, score, reasons=(self.scope.withheld(SPEECH), heard), segments=segments)
        verdict, why = self.calibration.judged(score)
        return Detection(
            name,
            score,
            probability=float(self.calibration.probability([score])[0]),
            likelihood_ratio=float(np.exp(self.calibration.log_ratio([score])[0])),
            verdict=verdict,
            reasons=(why, heard),
            calibration=self.basis,
            segments=segments,
        )


def smoothed(frames: Array) -> Array:
    """Return the mean evidence over 0.3 s round every frame, (T,); NaN where less than half of it is loud."""
    import numpy as np

    there = np.isfinite(frames)
    window = min(WINDOW, len(frames))
    sums, counts = (
        np.convolve(x, np.ones(window), "same") for x in (np.where(there, frames, 0.0), there.astype(float))
    )
    return np.where(counts >= window / 2, sums / np.maximum(counts, 1), np.nan)


def stands_out(evidence: Array, threshold: float) -> tuple[Segment, ...]:
    """Return the stretches of at least 0.15 s whose evidence is above the threshold, with their mean evidence."""
    import numpy as np

    from ...kit.sound import RATE
    from .spectra import FRAME, HOP

    above = np.concatenate([[False], np.nan_to_num(evidence, nan=-np.inf) > threshold, [False]])
    edges = np.flatnonzero(above[1:] != above[:-1]).reshape(-1, 2)
    middle = (FRAME - HOP) / 2 / RATE  # a frame speaks for the 15 ms round its middle
    return tuple(
        Segment(round(a * HOP / RATE + middle, 3), round(b * HOP / RATE + middle, 3), float(evidence[a:b].mean()))
        for a, b in edges.tolist()
        if b - a >= WINDOW // 2
    )


class AudioDetector(Detector):
    """A detector of synthetic speech; without `fit` it uses the weights that ship.

    Items are paths of recordings, or (samples, rate): samples (N,) or (N, channels), integers or in −1 … 1.
    """

    modalities = frozenset({Modality.AUDIO})
    controls: ClassVar[tuple[Control, ...]] = (
        Control("recorded:sonnet,vocoder=source-filter", "found"),
        Control("recorded:neural", "found"),
        Control("recorded:sonnet", "clear"),
    )
    stem: ClassVar[str]
    """File name of the weights."""

    def __init__(self) -> None:
        self._heard: Heard | None = None

    @staticmethod
    @abstractmethod
    def model() -> type[Model]:
        """Return the class of the model."""

    @property
    def heard(self) -> Heard:
        """The model that was fitted, or the shipped one.

        Raises
        ------
        ConfigurationError
            Where the shipped weights are missing or altered.
        """
        if self._heard is None:
            self._heard = read(self.model(), self.stem)[0]
        return self._heard

    def fit(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        import numpy as np

        from ...kit.detection.protocol import weights_of
        from ..images.fitted_head import cross_folds

        y, names = checked(self.id, items, labels, sources)
        x, weights, fold = self._all(items), weights_of(y, names), cross_folds(y, names, FOLDS)
        evidence: dict[int, tuple[float, Array]] = {}
        for k in np.unique(fold):
            seen = np.flatnonzero(fold != k)
            part = self.model().fit([x[i] for i in seen], y[seen], weights[seen])
            evidence |= {int(i): part.evidence(x[i]) for i in np.flatnonzero(fold == k)}
        model, basis = self.model().fit(x, y, weights), "cross-fitted on the recordings that it was fitted to"
        self._heard = Heard.of(model, [evidence[i] for i in range(len(x))], x, y, names, basis)
        return self

    def calibrate(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        y, names = checked(self.id, items, labels, sources)
        fresh = Heard.calibrated(self.heard.model, self._all(items), y, names, "calibrated on its own set")
        self._heard = replace(fresh, manner=self.heard.manner, reach=self.heard.reach)
        return self

    def _all(self, items: Sequence[Any]) -> list[Spectra]:
        return [heard_of(item, str(i)) for i, item in enumerate(items)]

    def score(self, items: Sequence[Any]) -> list[Detection]:
        return [self._detect(item, i) for i, item in enumerate(items)]

    def _rank(self, row: Detection) -> float | None:
        return None if row.score is None else float(self.heard.calibration.rank([row.score])[0])

    def _detect(self, item: Any, place: int) -> Detection:
        name = str(item) if isinstance(item, str | Path) else f"{place:05d}"
        heard = self.heard
        try:
            recording = heard_of(item, name)
        except ContentError as error:
            return Detection(name, None, reasons=(str(error),))
        return heard.detection(name, recording)


def heard_of(item: Any, name: str) -> Spectra:
    """Return the spectra of an item.

    Raises
    ------
    ContentError
        Where it cannot be read, is no recording, or says nothing.
    """
    from ...kit.sound import as_sound, read_sound
    from .spectra import spectra

    if isinstance(item, str | Path):
        sound = read_sound(item)
    else:
        try:
            samples, rate = item
        except (TypeError, ValueError):
            raise ContentError(f"{name}: a recording is a path or (samples, rate)") from None
        sound = as_sound(samples, rate, name)
    try:
        return spectra(sound)
    except ContentError as error:
        raise ContentError(f"{name}: {error}") from None


def write(heard: Heard, card: Mapping[str, Any], folder: Path, stem: str) -> list[Path]:
    """Write ``STEM.safetensors`` and ``STEM.json``, its card with the hash of the weights; return both paths."""
    import numpy as np
    from safetensors.numpy import save

    from ..images.fitted_head import calibration_arrays

    calibration = heard.calibration
    arrays = {f"model/{name}": np.ascontiguousarray(x) for name, x in heard.model.tensors().items()}
    arrays |= calibration_arrays(calibration)
    arrays |= {name: np.asarray(getattr(heard.manner, name)) for name in ("centre", "precision")}
    arrays["numbers"] = np.array([calibration.slope, calibration.offset, heard.reach, heard.threshold])
    about = {**card, **Scope.stated(heard.scope), "basis": heard.basis}
    return write_carded(folder, stem, save(arrays), about)


@cache
def read(kind: type[Model], stem: str, folder: Path = WEIGHTS) -> tuple[Heard, dict[str, Any]]:
    """Read what `write` wrote, and its card.

    Raises
    ------
    ConfigurationError
        Where a file is missing, or the weights have not the hash that the card states.
    """
    from safetensors.numpy import load

    from ..images.fitted_head import calibration_of
    from .speech_likeness import Manner

    weights, card = read_carded(folder, stem, command=f"guardrails train detector deepfake.{stem}")
    tensors = load(weights)
    slope, offset, reach, threshold = (float(x) for x in tensors["numbers"])
    model = kind.of({k.removeprefix("model/"): v for k, v in tensors.items() if k.startswith("model/")})
    manner, calibration = Manner(tensors["centre"], tensors["precision"]), calibration_of(tensors, slope, offset)
    scope = Scope.of(card.get("scope"))
    return Heard(model, calibration, manner, reach, threshold, card["basis"], scope), card
