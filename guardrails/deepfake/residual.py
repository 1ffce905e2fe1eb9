"""A small detector of generated pictures by what lies beneath their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.base import Control, Detection, Detector, Modality
from ..core.errors import ConfigurationError, ContentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ._linear import Linear

WEIGHTS = Path(__file__).parent / "weights"
SURE = 0.9
"""A verdict is given where the calibrated probability of one side is at least this."""
MIN_ITEMS = 10


class Residual(Detector):
    """NPR, residual neighbours, spectrum, colour and scales, into a regularised logistic regression.

    Upsampling traces after Tan et al. 2024 (arXiv 2312.10461), neighbours of residuals after Fridrich & Kodovský 2012,
    the spectrum after Durall et al. 2019 (arXiv 1911.00686). Without `fit` it uses the weights that ship. Its controls
    are judged as a pair, by the AUC of the generated pictures against the real ones.
    """

    id = "deepfake.residual"
    title = "Residual and upsampling traces"
    limits = (
        "Trained on one small GAN and on reconstructions of a dozen photographs: on pictures of any other generator,"
        " camera or editing history expect little more than chance. Resizing and strong compression remove what it"
        " looks for. It abstains on pictures unlike those it was trained on; its verdict is a hint for a person, never"
        " proof. The probe deepfake.detectability fits it to the generator at hand instead."
    )
    modalities = frozenset({Modality.IMAGE})
    controls = (Control("reference:vae-medical", "found"), Control("real:vae-medical", "clear"))

    def __init__(self, model: Linear | None = None, *, basis: str = "the items that it was fitted to") -> None:
        self._model = model
        self._basis = basis

    @property
    def model(self) -> Linear:
        """The fitted model, or the shipped one.

        Raises
        ------
        ConfigurationError
            Where the shipped weights are missing or were altered.
        """
        return self._model if self._model is not None else shipped()[0]

    def fit(self, items: Sequence[Any], labels: Sequence[int]) -> Residual:
        """Return a detector fitted to pictures (arrays or paths), labels 1 = synthetic.

        Probabilities are calibrated on scores of five-fold cross-fitting.

        Raises
        ------
        ConfigurationError
            For fewer than ten pictures of a label.
        ContentError
            For a picture that cannot be read.
        """
        import numpy as np
        from sklearn.model_selection import StratifiedKFold

        from ._linear import Linear
        from ._traces import traces

        y = np.asarray(labels, dtype=np.int64)
        if len(y) != len(items) or min((y == 0).sum(), (y == 1).sum()) < MIN_ITEMS:
            raise ConfigurationError(
                f"{self.id}: at least {MIN_ITEMS} pictures with label 0 and as many with 1 are needed"
            )
        x = np.stack([traces(_pixels(item)) for item in items])
        scores = np.empty(len(y))
        for fitted, left in StratifiedKFold(5, shuffle=True, random_state=0).split(x, y):
            scores[left] = Linear.fit(x[fitted], y[fitted]).score(x[left])
        return Residual(Linear.fit(x, y).calibrated(scores, y))

    def score(self, items: Sequence[Any]) -> list[Detection]:
        """Score pictures, given as arrays or paths; one that cannot be read abstains and says why."""
        return [self._detect(_name(item, i), item) for i, item in enumerate(items)]

    def _detect(self, name: str, item: Any) -> Detection:
        from ._traces import traces

        model = self.model
        try:
            x = traces(_pixels(item))[None]
        except (ContentError, ValueError) as error:
            return Detection(name, None, reasons=(f"cannot be read: {error}",))
        score = float(model.score(x)[0])
        if (strange := float(model.strangeness(x)[0])) > model.reach:
            why = f"unlike the pictures it was trained on ({strange:.1f}, at most {model.reach:.1f})"
            return Detection(name, score, reasons=(why,))
        probability = float(model.probability(model.score(x))[0])
        verdict = "synthetic" if probability >= SURE else "real" if probability <= 1 - SURE else "abstain"
        shares = sorted(model.shares(x).items(), key=lambda share: -abs(share[1][0]))[:2]
        reasons = tuple(f"{block}: {value[0]:+.2f}" for block, value in shares)
        return Detection(name, score, probability, verdict, reasons, f"Platt's, on {self._basis}")  # type: ignore[arg-type]


def _name(item: Any, i: int) -> str:
    return str(item) if isinstance(item, str | Path) else f"{i:05d}"


def _pixels(item: Any) -> NDArray[np.uint8]:
    from ..kit.io import read_image

    return read_image(item) if isinstance(item, str | Path) else item


def write_weights(model: Linear, card: dict[str, Any], folder: Path) -> list[Path]:
    """Write ``residual.safetensors`` and its card, with the hash of the weights; return both paths."""
    import numpy as np
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    weights, text = folder / "residual.safetensors", folder / "residual.json"
    numbers = np.array([model.intercept, model.slope, model.offset, model.reach])
    vectors = {"mean": model.mean, "scale": model.scale, "coefficients": model.coefficients, "numbers": numbers}
    weights.write_bytes(save({name: np.ascontiguousarray(vector) for name, vector in vectors.items()}))
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    text.write_text(json.dumps(card | {"sha256": sha256}, indent=2, sort_keys=True) + "\n")
    return [weights, text]


def read_weights(folder: Path) -> tuple[Linear, dict[str, Any]]:
    """Read the weights and the card of a folder.

    Raises
    ------
    ConfigurationError
        Where a file is missing, or the weights have not the hash or shape that they should.
    """
    from safetensors.numpy import load_file

    from ._linear import Linear
    from ._traces import WIDTH

    weights, text = folder / "residual.safetensors", folder / "residual.json"
    if not weights.exists() or not text.exists():
        raise ConfigurationError(f"{weights.name} is missing; make it: guardrails train detector deepfake.residual")
    card: dict[str, Any] = json.loads(text.read_text())
    if hashlib.sha256(weights.read_bytes()).hexdigest() != card.get("sha256"):
        raise ConfigurationError(
            f"{weights.name} does not have the hash that its card states: it was altered or cut short"
        )
    tensors = load_file(weights)
    vectors = {name: tensors[name] for name in ("mean", "scale", "coefficients")}
    if any(vector.shape != (WIDTH,) for vector in vectors.values()):
        raise ConfigurationError(
            f"{weights.name} is of another version; make it anew: guardrails train detector deepfake.residual"
        )
    intercept, slope, offset, reach = (float(x) for x in tensors["numbers"])
    return Linear(**vectors, intercept=intercept, slope=slope, offset=offset, reach=reach), card


@cache
def shipped() -> tuple[Linear, dict[str, Any]]:
    """Return the weights that ship, and their card."""
    return read_weights(WEIGHTS)


def train_shipped(folder: Path, seed: int) -> list[Path]:
    """Train the weights that ship: ``guardrails train detector deepfake.residual``, see `_train`."""
    from ._train import train

    model, card = train(seed)
    return write_weights(model, card, folder)
