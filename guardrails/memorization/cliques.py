"""Repeated pictures: cliques of near-identical outputs, found from the outputs alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.batch import Batch, Row, in_batches
from ..core.control import Control
from ..core.probe import Budget, Probe
from ..core.results import Baseline, Evidence, Measurement, Point, Series
from ..core.statistics import Interval, smallest_detectable_rate
from ..core.subject import Subject
from ..core.targets import Access, ImageTarget, Modality
from ..kit.pictures.batches import BATCH, fetch_pictures, plan_pictures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .pictures.near_identical import Likeness

AT_CONTROL = 60
"""A diffusion model takes long for more."""
MIN_OUTPUTS = 40
OUTPUTS_SHOWN = 7
BARS = 20
_METRICS = ("clique_rate", "collision_rate")


class Cliques(Probe[ImageTarget]):
    """A model that memorized pictures generates the same ones repeatedly.

    The black-box attack of Carlini et al. 2023 (arXiv 2301.13188, §4.2): outputs that are near-identical, tile by tile,
    are connected in a graph, and the cliques of the graph are the repeated pictures. If there are real pictures, they
    set the distance: smaller than between any two pictures of one half of them. The other half shows how many cliques
    real pictures form.
    """

    id = "memorization.cliques"
    title = "The same picture again and again"
    question = "Does the model generate the same few pictures repeatedly?"
    limits = (
        "Finds pictures that occur at least three times among these outputs, also brighter or tinted, compared at "
        "16 × 16 pixels. Does not find mirrored, shifted or cropped repetitions, or a training picture that "
        "occurs once: see memorization.copies for these. The more outputs there are, the more of them have a "
        "near-identical one: compare models at equal numbers. A model that lost its variety (quality.collapse) "
        "also repeats itself; only --corpus can show whether the repeated pictures are training pictures. Blank "
        "pictures are left out. Without real pictures (--reference or --holdout), a fixed, strict distance "
        "decides, and very simple pictures may be closer than this by nature."
    )
    risk = "memorization"
    modalities = frozenset({Modality.IMAGE})
    requires = frozenset({Access.OUTPUTS})
    headline = "clique_rate"
    metrics = _METRICS
    controls = (
        Control("reference:diffusion-photo,memorize=1", "found"),
        Control("reference:diffusion-photo", "clear"),
    )
    advice = (
        "Look at the contact sheets. If a repeated picture is a training picture, remove its duplicates from the "
        "training data, and filter outputs against it. If it is not, the model has lost variety: see "
        "quality.collapse."
    )
    spike_what = "variations of one single output"

    def __init__(self) -> None:
        self._likeness: tuple[tuple[Any, ...], Likeness] | None = None
        self._corpus: tuple[Any, NDArray[np.float32]] | None = None

    def likeness(self, subject: Subject) -> Likeness:
        """Return what counts as alike beside this subject's real pictures; worked out once for the same data."""
        from .pictures.near_identical import Likeness

        names = ("reference", "holdout", "corpus")
        given = tuple(getattr(subject, name) for name in names)
        if self._likeness is None or any(a is not b for a, b in zip(self._likeness[0], given, strict=True)):
            self._likeness = (given, Likeness.of(list(zip(names, given, strict=True))))
        return self._likeness[1]

    def corpus(self, subject: Subject) -> NDArray[np.float32]:
        """Return the fingerprints of the subject's corpus, (N, 768); worked out once for the same data."""
        from .pictures.fingerprints import fingerprints

        if self._corpus is None or self._corpus[0] is not subject.corpus:
            self._corpus = (subject.corpus, fingerprints(subject.corpus))
        return self._corpus[1]

    def plan(self, subject: Subject[ImageTarget], budget: Budget, *, seed: int) -> list[Batch]:
        batches = plan_pictures(subject.target, budget, seed=seed)
        if budget is not Budget.CONTROL:
            return batches
        items = [item for batch in batches for item in batch.items]
        return in_batches(items[:AT_CONTROL], BATCH, batches[0].payload)

    def collect(self, subject: Subject[ImageTarget], batch: Batch, *, seed: int) -> list[Row]:
        from .pictures.side_by_side import coarse

        return fetch_pictures(subject.target, batch, lambda picture: {"thumb": coarse(picture)}, seed=seed)

    def measure(self, rows: Sequence[Row], subject: Subject, *, seed: int) -> list[Measurement]:
        from .pictures.near_identical import K, collision_rate, graph, share_in_cliques

        groups = self._groups(rows, subject)
        n = len(groups.edges)
        common: dict[str, Any] = {
            "probe": self.id, "n": n, "unit": "share", "higher_is_worse": True,
            "errors": sum("error" in row for row in rows),
        }  # fmt: skip
        if n < MIN_OUTPUTS:
            blank = f" that show anything ({groups.blank} are blank)" if groups.blank else ""
            reason = f"{n} outputs{blank}; at least {MIN_OUTPUTS} are needed"
            none: dict[str, Any] = {"value": None, "reason": reason, "method": "none", "needed": MIN_OUTPUTS}
            return [Measurement(metric=metric, **none, **common) for metric in _METRICS]
        rate, collisions = share_in_cliques(groups.edges), collision_rate(groups.edges)
        check = groups.likeness.check
        real = None if check is None else graph(check[:n], groups.likeness.threshold)
        return [
            Measurement(
                metric=self.headline, **rate._asdict(), method=_METHOD,
                baseline=None if real is None else _baseline(share_in_cliques(real), len(real)),
                detectable=smallest_detectable_rate(n // K, baseline=0.0), series=_sizes(groups),
                evidence=_evidence(groups), explanation=_explain(groups, round(rate.value * n), subject.has("corpus")),
                **common,
            ),
            Measurement(
                metric="collision_rate", **collisions._asdict(), method=_PAIRS,
                baseline=None if real is None else _baseline(collision_rate(real), len(real)),
                explanation=_birthdays(collisions, n), **common,
            ),
        ]  # fmt: skip

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
        """Return the share of the planted pictures that lie in cliques."""
        from .pictures.near_identical import share_in_cliques

        groups = self._groups(spiked, subject)
        return share_in_cliques(groups.edges) if len(groups.edges) >= MIN_OUTPUTS else None

    def save_media(self, rows: Sequence[Row], subject: Subject, folder: Path) -> None:
        from .pictures.side_by_side import draw_beside

        for name, clique in _shown(self._groups(rows, subject)):
            originals = [] if clique.place is None else [subject.corpus[clique.place]]
            draw_beside(folder / name, clique.thumbs[:OUTPUTS_SHOWN], originals)

    def _groups(self, rows: Sequence[Row], subject: Subject) -> _Groups:
        import numpy as np

        from ..kit.pictures.batches import open_thumbnail
        from .pictures.fingerprints import fingerprints
        from .pictures.near_identical import cliques, graph, has_content

        good = [row for row in rows if "error" not in row]
        vectors = fingerprints([open_thumbnail(row["thumb"]) for row in good])
        shows = np.flatnonzero(has_content(vectors))
        likeness = self.likeness(subject)
        edges = graph(vectors[shows], likeness.threshold)
        members = [shows[nodes].tolist() for nodes in cliques(edges)]
        places, apart = self._trace(vectors[[nodes[0] for nodes in members]], subject)
        traced = [
            _Clique([good[i]["thumb"] for i in nodes], place, distance)
            for nodes, place, distance in zip(members, places, apart, strict=True)
        ]
        return _Groups(edges, traced, len(good) - len(shows), likeness)

    def _trace(self, vectors: NDArray[np.float32], subject: Subject) -> tuple[list[Any], list[Any]]:
        """Return the place of the training picture nearest to each vector, and its distance; None without a corpus."""
        from .pictures.near_identical import tilewise

        if not len(vectors) or not subject.has("corpus") or not len(subject.corpus):
            return [None] * len(vectors), [None] * len(vectors)
        apart = tilewise(vectors, self.corpus(subject))
        return apart.argmin(axis=1).tolist(), apart.min(axis=1).tolist()


class _Clique(NamedTuple):
    """Outputs that are alike, and the nearest training picture."""

    thumbs: list[str]
    place: int | None
    distance: float | None


class _Groups(NamedTuple):
    """The graph of the outputs that show anything, and its cliques."""

    edges: NDArray[np.bool_]
    cliques: list[_Clique]
    blank: int
    likeness: Likeness

    @property
    def copies(self) -> list[_Clique]:
        """The cliques that are alike to a training picture."""
        return [c for c in self.cliques if c.distance is not None and c.distance < self.likeness.threshold]


_METHOD = (
    "outputs alike to two others that are alike too: cliques of 3 or more by the largest distance of 16 tiles; Wilson"
    " interval with the number of trials that the jackknife over outputs leaves"
)
_PAIRS = "pairs of outputs that are alike, a U-statistic; Wilson interval of its root by the jackknife over outputs"


def _shown(groups: _Groups) -> list[tuple[str, _Clique]]:
    """The largest cliques, one for each training picture that they copy, with the file that shows each."""
    from .pictures.side_by_side import SHOWN

    first: dict[Any, _Clique] = {}
    for clique in groups.cliques:
        first.setdefault(clique.place if clique in groups.copies else id(clique), clique)
    largest = list(first.values())[:SHOWN]
    return [(f"media/cliques-{k}.png", clique) for k, clique in enumerate(largest, start=1)]


def _evidence(groups: _Groups) -> tuple[Evidence, ...]:
    sheets = []
    for name, clique in _shown(groups):
        n = len(clique.thumbs)
        caption = f"{min(n, OUTPUTS_SHOWN)} of {n} outputs that are alike, at 16 × 16 pixels"
        if clique.distance is not None:
            alike = "alike" if clique in groups.copies else "not alike"
            caption += f"; last, the nearest training picture, {clique.place}: {alike}, distance {clique.distance:.3f}"
        sheets.append(Evidence(kind="images", caption=caption, media=(name,)))
    return tuple(sheets)


def _explain(groups: _Groups, inside: int, corpus: bool) -> str:
    likeness, said = groups.likeness, [f"{inside} of {len(groups.edges)} outputs are in cliques."]
    if groups.cliques and corpus:
        pictures = len({clique.place for clique in groups.copies})
        said.append(
            f"Of {len(groups.cliques)} cliques that share no output, {len(groups.copies)} are alike to {pictures}"
            f" training picture{'s' * (pictures != 1)}."
        )
    elif groups.cliques:
        said.append("Whether these are training pictures, --corpus would tell.")
    if likeness.kind:
        said.append(
            f"Alike is what lies nearer than {likeness.threshold:.3f}, as none of {likeness.pairs:,} pairs of"
            f" {likeness.kind} pictures do."
        )
    else:
        said.append(
            f"Alike is what lies nearer than {likeness.threshold:g}, fixed for want of enough real pictures: with"
            " --reference or --holdout these say how near is near, and there is a baseline."
        )
    if groups.blank:
        said.append(f"{groups.blank} blank outputs were left out.")
    return " ".join(said)


def _baseline(interval: Interval, n: int) -> Baseline:
    value, low, high = interval
    return Baseline(what="real pictures that the threshold was not set on", value=value, low=low, high=high, n=n)


def _sizes(groups: _Groups) -> tuple[Series, ...]:
    if not groups.cliques:
        return ()
    points = tuple(Point(x=str(k), y=len(clique.thumbs)) for k, clique in enumerate(groups.cliques[:BARS], start=1))
    return (Series(name="the largest cliques", x_label="clique", y_label="outputs", points=points),)


def _birthdays(rate: Interval, n: int) -> str:
    """Say how many equally likely pictures collide as often."""

    def pictures(share: float) -> str:
        return f"{1 / share:,.0f}" if share else "any number"

    if not rate.value:
        return f"No two of {n} outputs are alike: the model has the variety of {pictures(rate.high)} pictures or more."
    return (
        f"Two outputs are alike as often as if all were drawn from {pictures(rate.value)} equally likely pictures (from"
        f" {pictures(rate.high)} to {pictures(rate.low)}); real variety has no such number."
    )
