"""How the shipped heads are made, what the training set gives away by itself, and what the heads are worth.

Both classes go through the same random crop, resize and encoding. Before anything is fitted, two tests of the data have
to pass: the null probe (real pictures against themselves, saved as JPEG beforehand) and the metadata baseline (size and
bytes of the pictures after they were encoded): where either separates the classes, a head would learn that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import ConfigurationError, ContentError, MissingExtraError
from ..core.statistics import Interval
from ..deepfake.fusion import ENCODED, VIEWS, block_of
from ..deepfake.images.descriptors import DESCRIPTORS
from ..deepfake.images.file_traces import metadata
from ..deepfake.images.fitted_head import COMMAND, Fitted, read, write
from ..kit.detection.linear_head import Head
from ..kit.detection.protocol import FOLDS, area, mean_area, null_area
from .exams.comparison import beside
from .exams.images import Rows, against_aims, areas, families, frozen
from .material import pictures as examples
from .material.described_pictures import SIZE, drawn, vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..deepfake.images.base import ImageDetector
    from .material.pictures import Example, Image

    Array = NDArray[np.float64]

BOUND = 0.65
"""AUC that the lower end of an interval may not pass: beyond it the classes are separated by how files were made."""
NULLS = 60
TRACES = tuple(DESCRIPTORS)
ALONE = {
    "deepfake.radial": "spectrum", "deepfake.dct": "blocks", "deepfake.npr": "upsampling", "deepfake.srm": "residuals",
    "deepfake.colour": "colour",
}  # fmt: skip


def train_shipped(folder: Path, seed: int, *, real: Sequence[Path] = (), generated: Sequence[Path] = ()) -> list[Path]:
    """Fit every linear head that ships and write ``default.safetensors`` with its card.

    Parameters
    ----------
    folder : Path
        Where to write.
    seed : int
        Of every draw.
    real, generated : sequence of Path
        Folders of pictures to add: see `pictures.of_folder`.

    Raises
    ------
    ConfigurationError
        Where the null probe or the metadata baseline separates the classes, a folder holds no pictures, or a file is
        given as real and as generated.
    """
    sides = [[e for f in fs for e in examples.of_folder(f, label)] for label, fs in enumerate((real, generated))]
    given, unreadable = readable(examples.distinct([*sides[0], *sides[1]]))
    for side, pictures in zip(("real", "generated"), sides, strict=True):
        if pictures and not any(e.label == pictures[0].label for e in given):
            raise ConfigurationError(f"none of the {len(pictures)} {side} pictures can be read: {unreadable[0]}")
    built_in = examples.built_in(given, seed=seed)
    judged = given if {e.label for e in given} == {0, 1} else [*given, *built_in]
    rows, left_out = described([*given, *built_in], seed=seed, encoder=the_encoder(), judged=judged)
    tests = checked(rows, judged, seed)
    heads = {name: fitted_on(rows.only(names), rows) for name, names in heads_of(rows).items()}
    if (files := on_files(given)) is not None:
        heads["deepfake.metadata"] = fitted_on(files, files)
    learnt = [e for e in (*given, *built_in) if e.learnt]
    folders = {"real": real, "generated": generated}
    stated = figures(rows, heads_of(rows))
    compared = beside_in_use(rows, given)
    card = {
        "what": "ridge heads on descriptors of the traces beneath a picture, and on features of an encoder",
        "command": " ".join([COMMAND, *(f"--{side} {f.name}" for side, fs in folders.items() for f in fs)]),
        "seed": seed,
        "learnt from": _counted(learnt), "only evaluated on": _counted([e for e in given if not e.learnt]),
        "unreadable": [*unreadable, *left_out], "tests of the data": tests,
        "figures": stated,
        "aims": {n: against_aims(stated[n], encoder=n == ENCODED) for n in ("deepfake.fusion", ENCODED) if n in stated},
        "figures of the method, where every row may be learnt from": of_method(rows),
        "beside the heads in use": compared,
    }  # fmt: skip
    return write(heads, card, folder)


def readable(given: Sequence[Example]) -> tuple[list[Example], list[str]]:
    """Return the pictures that can be read; print and return why the others cannot."""
    whole, bad = [], []
    for example in given:
        try:
            example.read()
        except ContentError as error:
            bad.append(str(error))
            say(f"left out: {error}")
        else:
            whole.append(example)
    return whole, bad


def beside_in_use(rows: Rows, given: Sequence[Example]) -> dict[str, Any]:
    """Print and return whether heads fitted with the given pictures are better on these than the heads in use."""
    if {e.label for e in given} != {0, 1}:
        return {"not compared": "pictures of both classes are needed"}
    try:
        heads, card = read()
    except ConfigurationError as error:
        say(f"nothing to compare with: {error}")
        return {"not compared": "no heads were in use"}
    out: dict[str, Any] = {}
    if known := [name for name in _counted([e for e in given if e.learnt]) if name in card["learnt from"]]:
        out["learnt from by the heads in use"] = known
        say(f"the heads in use learnt from {len(known)} of these sources and families: the comparison favours them")
    for name, names in heads_of(rows).items():
        if "fusion" in name and name in heads:
            comparison = beside(rows.only(names), heads[name].head)
            out[name] = comparison.stated()
            say(f"{name}: {comparison}")
    return out


def heads_of(rows: Rows) -> dict[str, dict[str, str]]:
    """Which blocks each head has, and what they are called among the vectors."""
    traces = {name: name for name in TRACES}
    out = {name: {block: block} for name, block in ALONE.items()} | {"deepfake.fusion": traces}
    if views := [name for name in rows.blocks if name.startswith(VIEWS)]:
        out["deepfake.features"] = {name: name for name in views}
        out[ENCODED] = traces | {block_of(name): name for name in views}
    return out


def the_encoder() -> ImageDetector | None:
    """deepfake.features, where its encoder is installed."""
    from ..deepfake.features import Features

    detector = Features()
    try:
        detector.encoder  # noqa: B018 - says what is missing
    except MissingExtraError as error:
        say(f"without the heads on features: {error}")
        return None
    return detector


def described(
    items: Sequence[Example], *, seed: int, encoder: ImageDetector | None, judged: Sequence[Example]
) -> tuple[Rows, list[str]]:
    """Draw and describe: a plain draw to be judged on, one of any format to learn from. Also what is unreadable."""
    kept: list[tuple[Example, bool, Mapping[str, NDArray[np.float32]]]] = []
    bad, exam = [], {id(e) for e in judged}
    for example in items:
        try:
            for plain in (True, False):
                if (plain and id(example) in exam) or (not plain and example.learnt):
                    kept.append((example, plain, vectors(drawn(example, seed=seed, plain=plain), encoder)))
        except ContentError as error:
            bad.append(str(error))
    blocks = {name: np.stack([x[name] for _, _, x in kept]).astype(np.float64) for name in (kept[0][2] if kept else ())}
    return Rows(
        blocks,
        np.array([e.label for e, _, _ in kept], dtype=np.int64),
        [e.group for e, _, _ in kept],
        [e.source for e, _, _ in kept],
        np.array([e.learnt for e, _, _ in kept], dtype=bool),
        np.array([plain for _, plain, _ in kept], dtype=bool),
        np.array([e.family == examples.ART for e, _, _ in kept], dtype=bool),
    ), bad


def checked(rows: Rows, items: Sequence[Example], seed: int) -> dict[str, Any]:
    """Print and return what the null probe and the metadata baseline find.

    Raises
    ------
    ConfigurationError
        Where one of them separates the classes.
    """
    intervals = {"null probe": null_probe([e for e in items if not e.label], seed)}
    by_family = families(rows.photographs().only({SIZE: SIZE}))
    intervals["metadata baseline"] = mean_area(by_family, rows.sources)
    for name, one in intervals.items():
        say(f"{name}: AUC {one.value:.3f} [{one.low:.3f}, {one.high:.3f}], refused where the lower end passes {BOUND}")
    if len(by_family) == 1:
        ((family, placed),) = by_family.items()
        of = area(placed, rows.sources)
        say(
            f"with {family} alone the metadata baseline has no interval over families and refuses nothing;"
            f" over its files the AUC is {of.value:.3f} [{of.low:.3f}, {of.high:.3f}]"
        )
    bare = on_files(items)
    if bare is not None:
        before = mean_area(families(bare.photographs()), bare.sources)
        say(f"bare files before they are encoded: {before.value:.3f} [{before.low:.3f}, {before.high:.3f}]")
        intervals["bare files before they are encoded, never learnt"] = before
    refused = [name for name in ("null probe", "metadata baseline") if intervals[name].low > BOUND]
    if refused:
        raise ConfigurationError(
            f"the {' and the '.join(refused)} separate the classes (AUC over {BOUND}): a head would learn how the files"
            " were made; give both classes pictures of the same sizes, formats and qualities"
        )
    return {
        name: {k: round(float(getattr(x, k)), 3) for k in ("value", "low", "high")} for name, x in intervals.items()
    }


def null_probe(real: Sequence[Example], seed: int) -> Interval:
    """Real pictures that came without loss, against themselves saved as JPEG, both encoded as the classes are."""
    lossless = [
        e for e in real if e.path is None or e.path.suffix.lower() in (".png", ".bmp", ".tif", ".tiff")
    ] or list(real)
    step = max(1, len(lossless) // NULLS)
    chosen = lossless[::step][:NULLS]

    def describe(picture: Image) -> Array:
        descriptors = vectors(picture, None)
        return np.concatenate([descriptors[name] for name in TRACES]).astype(np.float64)

    lengths = [len(vectors(chosen[0].read(), None)[name]) for name in TRACES]

    def blocks(x: Array) -> dict[str, Array]:
        return dict(zip(TRACES, np.split(x, np.cumsum(lengths)[:-1], axis=1), strict=True))

    def fit(x: Array, labels: NDArray[np.int64]) -> Callable[[Array], Array]:
        head = Head.fit(blocks(x), labels)
        return lambda rows: head.score(blocks(rows))

    return null_area(describe, [e.read() for e in chosen], [e.name for e in chosen], fit, seed=seed)


def fitted_on(part: Rows, rows: Rows) -> Fitted:
    """Fit a head to all that may be learnt from, calibrated by whole families and sources left out."""
    at = np.flatnonzero(rows.learnt)
    return Fitted.fit(
        {name: x[at] for name, x in part.blocks.items()}, rows.labels[at], [rows.groups[i] for i in at.tolist()],
        art=rows.drawn[at], basis="default.json: families and sources left out",
    )  # fmt: skip


def figures(rows: Rows, heads: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """AUC of every head on families left out; of the two fusions also calibration and verdicts."""
    out: dict[str, Any] = {}
    for name, names in heads.items():
        part = rows.only(names)
        out[name] = areas(part, families(part.photographs())) | (frozen(part) if "fusion" in name else {})
        one = out[name]["auc, mean over families"]
        say(f"{name}: AUC over families left out {one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]")
    return out


def of_method(rows: Rows) -> dict[str, Any]:
    """Return the figures of the two fusions where every judged row is learnt from, or why there are none."""
    part = all_learnt(rows)
    n = [len({g for g, y in zip(part.groups, part.labels.tolist(), strict=True) if y == label}) for label in (0, 1)]
    if n[0] < FOLDS or n[1] < 2:
        return {
            "not assessed": f"leaving families and sources out needs {FOLDS} sources of photographs and two families,"
            f" got {n[0]} and {n[1]}"
        }
    return figures(part, {name: names for name, names in heads_of(rows).items() if "fusion" in name})


def all_learnt(rows: Rows) -> Rows:
    """The judged rows, all learnt from."""
    at = np.flatnonzero(rows.judged)
    every = np.ones(len(at), dtype=bool)
    places = at.tolist()
    return Rows(
        {name: x[at] for name, x in rows.blocks.items()}, rows.labels[at],
        [rows.groups[i] for i in places], [rows.sources[i] for i in places], every, every, rows.drawn[at],
    )  # fmt: skip


def on_files(items: Sequence[Example]) -> Rows | None:
    """The metadata of bare files, or None where either class has too few."""
    with_file = [e for e in items if e.path is not None]
    groups = [{e.group for e in with_file if e.label == label} for label in (0, 1)]
    learnt_groups = [{e.group for e in with_file if e.label == label and e.learnt} for label in (0, 1)]
    if len(groups[0]) < FOLDS or min(map(len, learnt_groups)) < 2:
        return None
    learnt = np.array([e.learnt for e in with_file], dtype=bool)
    x = np.stack([metadata(e.path) for e in with_file if e.path is not None])
    labels = np.array([e.label for e in with_file], dtype=np.int64)
    names, sources = [e.group for e in with_file], [e.source for e in with_file]
    art = np.array([e.family == examples.ART for e in with_file], dtype=bool)
    return Rows({"metadata": x}, labels, names, sources, learnt, np.ones(len(labels), dtype=bool), art)


def _counted(items: Sequence[Example]) -> dict[str, int]:
    out: dict[str, int] = {}
    for e in items:
        key = f"{'generated' if e.label else 'real'}: {e.group}"
        out[key] = out.get(key, 0) + 1
    return dict(sorted(out.items()))


def say(text: str) -> None:
    """Tell the user, on the stream that holds no data."""
    print(text, file=sys.stderr, flush=True)
