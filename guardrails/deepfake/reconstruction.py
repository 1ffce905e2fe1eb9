"""Outputs of one suspect generator, detected by how well it reconstructs them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..core.control import Control
from ..core.detector import Detection, Detector
from ..core.errors import ConfigurationError, ContentError
from ..core.targets import Modality
from .images.base import CONTROLS, checked
from .images.picture import Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..core.targets import Target
    from .images.fitted_head import Fitted

    Array = NDArray[np.floating[Any]]

BLOCK = "errors of the suspect"
MAX_TEXT = 100_000
OWN = 100
"""Outputs of a reference generator that the detector fits itself to, and as many real items."""


class Reconstruction(Detector):
    """Reconstruction by the suspect generator, compared with that of a copy which it cannot have made.

    For a generator with an autoencoder, the score is the error of D(E(x)) (AEROBLADE, Ricker et al. 2024, arXiv
    2401.17879); for a diffusion model, the error after inversion to noise and back (DIRE, Wang et al. 2023, arXiv
    2303.09295); for an autoregressive model, log p(x). Before it is fitted, the score is the distance alone, there is
    no probability, and the detector abstains. `fit`, on at least ten real items and ten of the suspect's, learns the
    sign of each error. For a reference generator, the real data are known: the detector fits itself when it first
    scores.

    Parameters
    ----------
    suspect : str or Target
        As an audit takes it: ``reference:vae-medical``, ``diffusers:FOLDER``, or a target of one's own, see
        `guardrails.targets.reconstruct`.
    """

    id = "deepfake.reconstruction"
    title = "Reconstruction by the suspect generator"
    limits = (
        "Says whether one generator made an item, and nothing about other generators. Needs the suspect's "
        "weights, and unchanged outputs: resizing, cropping, compression and blur remove the traces. The score "
        "alone can have the wrong sign, as for a generator that adds noise to its outputs: fit it to outputs of "
        "the suspect and real items of the same kind, and read the figures in docs/reconstruction.md."
    )
    modalities = frozenset({Modality.IMAGE, Modality.TEXT})
    controls: ClassVar[tuple[Control, ...]] = CONTROLS
    takes = "the suspect generator, named as an audit's target"

    def __init__(self, suspect: str | Target | None = None) -> None:
        from ..targets import load_target
        from ..targets.reconstruct import log_likelihood, rebuilder

        if suspect is None:
            raise ConfigurationError(f"{self.id} needs {self.takes}: {self.id}:reference:vae-medical")
        target = load_target(suspect)
        self.suspect = target
        self._rebuild, self._log_p = rebuilder(target), log_likelihood(target)
        if self._rebuild is None and self._log_p is None:
            raise ConfigurationError(
                f"{self.id}: {target.name} has neither an autoencoder, a noise predictor nor a likelihood at hand"
            )
        self._fitted: Fitted | None = None

    @cached_property
    def _shape(self) -> tuple[int, ...] | None:
        """Of the suspect's pictures, where it makes one size only; None where it takes any."""
        if hasattr(self.suspect, "rebuild"):
            return None
        shape: tuple[int, ...] = self._made(1, 0)[0].shape
        return shape

    def _made(self, n: int, seed: int) -> Sequence[Any]:
        """Return n outputs of the suspect: pictures where it gives them back, else texts."""
        method = "sample_texts" if self._rebuild is None else "sample_images"
        made: Sequence[Any] = getattr(self.suspect, method)(n, seed=seed)
        return made

    def _describe(self, item: Any, place: int = 0) -> tuple[str, Array]:
        """Return the name of an item and its errors, (1, D); the score before a fit is their last."""
        return self._of_text(item, place) if self._rebuild is None else self._of_picture(item, place)

    def _of_picture(self, item: Any, place: int) -> tuple[str, Array]:
        import numpy as np

        from .images.reconstruction_errors import described, nearness

        picture = Picture.of(item, place)
        pixels = picture.pixels
        if self._shape is not None and pixels.shape != self._shape:
            sizes = ["{1} x {0}".format(*shape) for shape in (self._shape, pixels.shape)]
            raise ContentError(f"{picture.name}: {self.suspect.name} makes pictures of {sizes[0]}, not {sizes[1]}")
        assert self._rebuild is not None
        errors = described(pixels[None] / 255, self._rebuild)
        return picture.name, np.column_stack([errors, nearness(errors)])

    def _of_text(self, item: Any, place: int) -> tuple[str, Array]:
        import numpy as np

        from .images.reconstruction_errors import mirrored

        name, text = (str(item), _text(item)) if isinstance(item, Path) else (f"{place:05d}", item)
        if not isinstance(text, str):
            raise ContentError(f"{name}: {self.suspect.name} writes text, and this is none")
        assert self._log_p is not None
        try:
            as_written, other = self._log_p([text, mirrored(text)]) / max(len(text), 1)
        except ConfigurationError as error:
            raise ContentError(f"{name}: {error}") from None
        return name, np.array([[as_written, other, as_written - other]])

    def described(self, items: Sequence[Any]) -> dict[str, Array]:
        """Return the errors of items, (N, D): of a picture six in log units and the nearness, of a text three."""
        import numpy as np

        return {BLOCK: np.concatenate([self._describe(item, i)[1] for i, item in enumerate(items)])}

    def fit(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        from .images.fitted_head import Fitted

        y, names = checked(self.id, items, labels, sources)
        basis = f"cross-fitted on {len(y)} items, {int(y.sum())} of them by {self.suspect.name}"
        self._fitted = Fitted.fit(self.described(items), y, names, basis=basis)
        return self

    def calibrate(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        y, names = checked(self.id, items, labels, sources)
        if self._fitted is None:
            raise ConfigurationError(f"{self.id}: fit it before it is calibrated")
        self._fitted = self._fitted.calibrated(self.described(items), y, names)
        return self

    def score(self, items: Sequence[Any]) -> list[Detection]:
        return [self._detect(item, i) for i, item in enumerate(items)]

    def _detect(self, item: Any, place: int) -> Detection:
        try:
            name, errors = self._describe(item, place)
        except ContentError as error:
            return Detection(Picture.of(item, place).name, None, reasons=(str(error),))
        if self._fitted is None and self.suspect.name.startswith("reference:"):
            self._fit_to_reference()
        if self._fitted is None:
            why = f"not fitted: no threshold is known for {self.suspect.name}"
            return Detection(name, float(errors[0, -1]), reasons=(why,))
        return self._fitted.detection(name, {BLOCK: errors})

    def _fit_to_reference(self) -> None:
        """Fit to outputs of a reference generator and to fresh items of what it learnt from."""
        from ..core.seeding import derive_seed
        from ..targets import reference_subject

        seed, suspect = derive_seed(0, self.id), self.suspect
        items = [*self._made(OWN, seed), *reference_subject(suspect.name, reference_items=OWN).reference]
        self.fit(items, [1] * OWN + [0] * OWN)


def _text(path: Path) -> str:
    """Read one text, at most `MAX_TEXT` bytes."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TEXT + 1)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError(f"{path}: no text that can be read ({type(error).__name__})") from None
    if len(data) > MAX_TEXT:
        raise ContentError(f"{path}: longer than {MAX_TEXT:,} bytes")
    return text.removesuffix("\n")
