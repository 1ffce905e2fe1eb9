"""`deepfake.video` by scale and codec, on videos of photographs: what a change of the file alone does to its answers.

    GUARDRAILS_TEST_DATA=… python benchmarks/deepfake/video_scales.py [--people 30]

A video is one photograph of a real face, 24 frames of 256 × 256 pixels in which the camera drifts, untouched and with
another photograph's face blended into a stretch (`generators/faceswap`). Each is then written at several scales and by
several codecs. Nothing is learnt from them but, for the verdicts, a calibration: on the files as they are, the person's
own owner left out. Owners of the photographs are the units of all intervals. A real face that moves and speaks has more
that changes from frame to frame than these have.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from generators.faceswap.face_sources import Photographs, Take
from guardrails.core.seeding import derive_seed
from guardrails.core.statistics import Interval, wilson
from guardrails.deepfake.videos.model import Labelled, VideoModel, described, shipped
from guardrails.deepfake.videos.temporal_traces import Gauge
from guardrails.deepfake.videos.tracks import Track, follow
from guardrails.kit.detection.protocol import Placed, area
from guardrails.kit.io import read_image
from guardrails.kit.pictures.faces import find_faces
from guardrails.kit.video import Shots
from guardrails.targets.reference import load
from guardrails.training.material.corpora import rows_of
from guardrails.training.videos import Encoder

AS_IT_IS = "as it is"
WAYS = {
    AS_IT_IS: Encoder(),
    "half the size": Encoder(scale=0.5),
    "three quarters": Encoder(scale=0.75),
    "half as large again": Encoder(scale=1.5),
    "twice the size": Encoder(scale=2),
    "mp4v": Encoder("mp4v"),
    "VP8": Encoder("VP80"),
    "MJPG": Encoder("MJPG"),
    "JPEG 60": Encoder(quality=60),
}
FRAMES, RATE = 24, 12.0
LEAST_FACE = 90
"""Pixels: a smaller face would be enlarged to the 111 pixels that it has in a video."""
TRIED = 4
"""Photographs of an owner in which a face is searched."""


@dataclass(frozen=True)
class Video:
    """What was followed in one file.

    Attributes
    ----------
    owner : str
        Of the photograph.
    label : int
        1: a stretch is forged.
    way : str
        Of `WAYS`.
    truth : array of bool, (FRAMES,)
    tracks : list of Track
    """

    owner: str
    label: int
    way: str
    truth: Any
    tracks: list[Track]


def one_face_each(folders: Sequence[Path]) -> dict[str, Any]:
    """Return for each owner a photograph with a large face, at most 1024 pixels a side."""
    out: dict[str, Any] = {}
    tried: dict[str, int] = {}
    for row in rows_of(folders):
        if row.kind != "photograph" or row.group in out or tried.get(row.group, 0) >= TRIED:
            continue
        tried[row.group] = tried.get(row.group, 0) + 1
        image = read_image(row.path)
        if any(face.box[3] >= LEAST_FACE for face in find_faces(image)[:1]):
            out[row.group] = image
    return out


def videos(photographs: dict[str, Any], people: int, seed: int) -> Iterator[Video]:
    """Yield what is followed in each person's videos: untouched and forged, in every way."""
    generator = load("faceswap,output=video,method=poisson,forgery=0.5").generator
    owners = sorted(photographs)[:people]
    for i, owner in enumerate(owners):
        rng = np.random.default_rng(derive_seed(seed, "video scales", owner))
        with tempfile.TemporaryDirectory() as folder:
            take = take_of(photographs[owner], photographs[owners[i - 1]], Path(folder), rng)
            length = int(rng.integers(FRAMES // 3, 2 * FRAMES // 3 + 1))
            start = int(rng.integers(FRAMES - length + 1))
            forged, mask = generator.forge(take, "poisson", slice(start, start + length), rng)
            for label, frames in enumerate((take.frames, forged)):
                truth = mask.reshape(FRAMES, -1).any(1) & bool(label)
                for way, encoder in WAYS.items():
                    path = encoder.write(frames, Path(folder), "clip", RATE)
                    yield Video(owner, label, way, truth, list(follow(Shots(path, rate=RATE), Gauge)))


def take_of(person: Any, donor: Any, folder: Path, rng: np.random.Generator) -> Take:
    """Return a video of one photograph and the donor's beside it; the source draws which of two is which."""
    for name, image in (("person", person), ("donor", donor)):
        Image.fromarray(image).save(folder / f"{name}.png")
    source = Photographs(folder)
    while not (take := source.take(rng, FRAMES, "poisson")).identity.startswith("person"):
        pass
    return take


def auc(high: dict[str, float], low: dict[str, float]) -> str:
    """AUC of one side's scores against another's, with its interval over owners."""
    if not high or not low:
        return "–"
    x, y = np.array(list(high.values())), np.array(list(low.values()))
    above = (x[:, None] > y[None]) + 0.5 * (x[:, None] == y[None])
    placed = Placed(above, np.arange(len(x)), np.arange(len(x), len(x) + len(y)))
    return shown(area(placed, [*high, *low]))


def shown(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def scores_table(rows: Sequence[Video], model: VideoModel) -> None:
    """Print what the shipped head says in each way."""
    scores: dict[tuple[str, int], dict[str, float]] = {}
    suspect: dict[str, list[bool]] = {}
    for row in rows:
        detection = model.detection("", row.tracks) if row.tracks else None
        if detection is not None and detection.score is not None:
            scores.setdefault((row.way, row.label), {})[row.owner] = detection.score
            if not row.label:
                suspect.setdefault(row.way, []).append(bool(detection.segments))
    print("| way | untouched, forged | untouched against as it is | forged against untouched | suspect segment |")
    for way in WAYS:
        real, forged = scores.get((way, 0), {}), scores.get((way, 1), {})
        shift = "" if way == AS_IT_IS else auc(real, scores[(AS_IT_IS, 0)])
        hits = suspect.get(way, [])
        print(f"| {way} | {len(real)}, {len(forged)} | {shift} | {auc(forged, real)} | {sum(hits)} of {len(hits)} |")


def verdicts_table(rows: Sequence[Video], model: VideoModel) -> None:
    """Print the verdicts of the shipped head, calibrated on the files as they are, each owner left out."""
    learnt = [
        Labelled(described(track), row.truth[: len(track.times)], row.owner)
        for row in rows
        if row.way == AS_IT_IS
        for track in row.tracks
    ]
    verdicts: dict[tuple[str, int], list[str]] = {}
    for owner in sorted({row.owner for row in rows}):
        fitted = model.calibrated([track for track in learnt if track.person != owner], basis=AS_IT_IS)
        for row in rows:
            if row.owner == owner and row.tracks:
                verdicts.setdefault((row.way, row.label), []).append(fitted.detection("", row.tracks).verdict)
    print("| way | untouched called manipulated | untouched, abstains | forged called manipulated |")
    for way in WAYS:
        real, forged = verdicts[(way, 0)], verdicts[(way, 1)]
        print(f"| {way} | {share(real, 'manipulated')} | {share(real, 'abstain')} | {share(forged, 'manipulated')} |")


def share(verdicts: Sequence[str], one: str) -> str:
    return f"{shown(wilson(verdicts.count(one), len(verdicts)))}, {verdicts.count(one)} of {len(verdicts)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=30, help="owners of photographs, at most")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    folder = Path(os.environ["GUARDRAILS_TEST_DATA"])
    rows = list(videos(one_face_each([folder / "media2"]), given.people, given.seed))
    scores_table(rows, shipped())
    print()
    verdicts_table(rows, shipped())


if __name__ == "__main__":
    main()
