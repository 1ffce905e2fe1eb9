"""Mode collapse: do the outputs have the variety of the reference?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.batch import Batch, Row
from ..core.control import Control
from ..core.probe import Budget, Probe
from ..core.results import Baseline, Evidence, Measurement, Point, Series
from ..core.subject import Subject
from ..core.targets import Access, ImageTarget, Modality
from ..kit.pictures.batches import contact_sheet, fetch_pictures, open_thumbnail, plan_pictures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .variety import Figure, Halves

MIN_ITEMS = 60
METRICS = ("coverage_loss", "spread_loss", "coverage", "recall", "precision", "density")
SHOWN = 16


class Collapse(Probe[ImageTarget]):
    """Precision, recall, density and coverage, each compared with real against real at the same sample size.

    Kynkäänniemi et al. 2019 (arXiv 1904.06991), Naeem et al. 2020 (arXiv 2002.09797), k = 5, on features that need no
    downloaded weights. Coverage does not detect outputs that are concentrated within a mode; `spread_loss` does.
    """

    id = "quality.collapse"
    title = "Mode collapse"
    question = "Do the outputs show the whole variety of the reference, or only a part of it?"
    limits = (
        "A model that copies its training data scores perfectly here: read it together with memorization.copies. "
        "Variety means where which colour is, on an 8 × 8 grid, not finer texture and not meaning. The reference "
        "is assumed to be what the model should generate; a kind that is rarer than about one picture in fifty "
        "may be missing without being noticed."
    )
    risk = "quality"
    modalities = frozenset({Modality.IMAGE})
    requires = frozenset({Access.OUTPUTS})
    needs = frozenset({"reference"})
    headline = "coverage_loss"
    metrics = METRICS
    controls = (Control("reference:gan-art,collapse=1", "found"), Control("reference:gan-art", "clear"))
    advice = (
        "Look at the reference pictures that no output comes close to; give them more weight or data in training, "
        "or use a loss that penalizes missing modes."
    )
    spike_what = "variations of one single output"

    def __init__(self) -> None:
        self._described: tuple[Any, Halves] | None = None

    def halves(self, subject: Subject) -> Halves:
        """Return the two halves of the subject's reference; described once for the same data."""
        from .variety import Halves

        if self._described is None or self._described[0] is not subject.reference:
            self._described = (subject.reference, Halves.of(subject.reference))
        return self._described[1]

    def plan(self, subject: Subject[ImageTarget], budget: Budget, *, seed: int) -> list[Batch]:
        return plan_pictures(subject.target, budget, seed=seed)

    def collect(self, subject: Subject[ImageTarget], batch: Batch, *, seed: int) -> list[Row]:
        from ..kit.io import thumbnail
        from ..kit.pictures.features import image_features

        def read(picture: NDArray[np.uint8]) -> dict[str, Any]:
            row: dict[str, Any] = {"features": [round(float(x), 4) for x in image_features([picture])[0]]}
            return row | ({"thumb": thumbnail(picture)} if batch.index == 0 else {})

        return fetch_pictures(subject.target, batch, read, seed=seed)

    def measure(self, rows: Sequence[Row], subject: Subject, *, seed: int) -> list[Measurement]:
        halves, fake = self.halves(subject), self._outputs(rows, subject)
        errors = sum("error" in row for row in rows)
        shared: dict[str, Any] = {"probe": self.id, "n": len(fake), "errors": errors, "method": _METHOD}
        if len(fake) < MIN_ITEMS:
            shared |= {
                "value": None,
                "needed": MIN_ITEMS,
                "reason": f"{len(rows) - errors} outputs and {2 * len(halves.first)} reference pictures; at least"
                f" {MIN_ITEMS} and {2 * MIN_ITEMS} are needed",
            }
            return [Measurement(metric=name, **_kind(name), **shared) for name in METRICS]
        figures = halves.compare(fake)
        far = halves.uncovered(fake)
        shown: dict[str, Any] = {
            "series": _bars(figures),
            "evidence": _evidence(bool(_thumbs(rows)), len(far)),
            "explanation": _explain(figures, len(far), len(fake)),
        }
        return [
            Measurement(metric=name, **_kind(name), **_value(figures[name], len(fake)), **shared, **shown)
            if name == self.headline
            else Measurement(metric=name, **_kind(name), **_value(figures[name], len(fake)), **shared)
            for name in METRICS
        ]

    def spike(
        self, subject: Subject[ImageTarget], batches: Sequence[Batch], *, seed: int
    ) -> Subject[ImageTarget] | None:
        from dataclasses import replace

        from ..targets.spikes import SpikedImages

        target = subject.target
        return replace(subject, target=SpikedImages(target, target.sample_images(1, seed=seed)))

    def recovery(
        self, clean: Sequence[Row], spiked: Sequence[Row], subject: Subject
    ) -> tuple[float, float, float] | None:
        """Return the coverage that the spiked outputs lost: all of it, but for the one picture's neighbourhood."""
        fake = self._outputs(spiked, subject)
        if len(fake) < MIN_ITEMS:
            return None
        figure = self.halves(subject).compare(fake)[self.headline]
        return min(1.0, max(0.0, figure.value)), max(0.0, figure.low), max(0.0, figure.high)

    def save_media(self, rows: Sequence[Row], subject: Subject, folder: Path) -> None:
        from ..kit.io import encode_png

        fake, thumbs = self._outputs(rows, subject), _thumbs(rows)
        if len(fake) < MIN_ITEMS:
            return
        (folder / "media").mkdir(parents=True, exist_ok=True)
        far = [subject.reference[i] for i in self.halves(subject).uncovered(fake)[:SHOWN]]
        for name, pictures in ((_OUTPUTS, [open_thumbnail(t) for t in thumbs]), (_UNCOVERED, far)):
            if pictures:
                (folder / name).write_bytes(encode_png(contact_sheet(pictures)))

    def _outputs(self, rows: Sequence[Row], subject: Subject) -> NDArray[np.float64]:
        """Features of as many outputs as half of the reference can be held against, (m, D)."""
        import numpy as np

        good = [row["features"] for row in rows if "error" not in row]
        return np.array(good[: len(self.halves(subject).first)])


_OUTPUTS, _UNCOVERED = "media/collapse-1.png", "media/collapse-2.png"
_METHOD = (
    "k = 5 nearest neighbours by colour layout on an 8 × 8 grid; outputs and half of the reference against the other"
    " half, as many of each; jackknife over 20 blocks, Student's t, simultaneous over the two losses"
)


def _kind(name: str) -> dict[str, Any]:
    return {"unit": "ratio" if name == "density" else "share", "higher_is_worse": name.endswith("_loss")}


def _value(figure: Figure, m: int) -> dict[str, Any]:
    what = "half of the reference against the other half"
    baseline = Baseline(what=what, value=figure.real, low=figure.real_low, high=figure.real_high, n=m)
    value = {"value": figure.value, "low": figure.low, "high": figure.high}
    return value | {"baseline": baseline, "detectable": figure.detectable}


def _bars(figures: dict[str, Figure]) -> tuple[Series, ...]:
    names = [name for name in METRICS if not name.endswith("_loss")]
    ours = tuple(Point(x=n, y=figures[n].value, low=figures[n].low, high=figures[n].high) for n in names)
    real = tuple(Point(x=n, y=figures[n].real, low=figures[n].real_low, high=figures[n].real_high) for n in names)
    axes = {"x_label": "figure", "y_label": "value"}
    return Series(name="outputs", points=ours, **axes), Series(name="real against real", points=real, **axes)


def _explain(figures: dict[str, Figure], far: int, m: int) -> str:
    coverage, spread = figures["coverage"], figures["spread_loss"]
    return (
        f"Outputs come near {coverage.value:.0%} of the reference, other real pictures near {coverage.real:.0%};"
        f" {far} of {m} reference pictures have no output near them. Outputs lie {abs(spread.value):.0%}"
        f" {'closer together' if spread.value > 0 else 'further apart'} than real pictures do."
    )


def _evidence(outputs: bool, far: int) -> tuple[Evidence, ...]:
    sheets = []
    if outputs:
        sheets.append(Evidence(kind="images", caption="some of the outputs", media=(_OUTPUTS,)))
    if far:
        caption = "the reference pictures that outputs are farthest from"
        sheets.append(Evidence(kind="images", caption=caption, media=(_UNCOVERED,)))
    return tuple(sheets)


def _thumbs(rows: Sequence[Row]) -> list[str]:
    return [row["thumb"] for row in rows if "thumb" in row][:SHOWN]
