"""How the weights of `deepfake.video` are made, and what they are worth on what they have not seen.

Every person sits once. The video is kept twice, untouched and forged in a stretch, both through one random encoder, so
that neither content nor format tells the two apart. Methods and doses are reserved for the test; so is everyone in it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.detector import Detection
from ..core.seeding import derive_seed
from ..core.statistics import Interval, cluster_bootstrap, wilson
from ..deepfake.images.kinds import Scope
from ..deepfake.videos.model import Labelled, VideoModel, described, write
from ..deepfake.videos.temporal_traces import Gauge
from ..deepfake.videos.timeline import overlap
from ..deepfake.videos.tracks import Track, follow
from ..kit.detection.protocol import Placed, area
from ..kit.video import Shots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Flags = NDArray[np.bool_]

CODECS = {"FFV1": ".mkv", "mp4v": ".mp4", "MJPG": ".avi", "VP80": ".webm"}
QUALITIES = (60, 95)
FRAMES = 24
LONG = 60
LENGTHS = (8, 16)
LEARNT = ("method=self-blend,forgery=0.5", "method=self-blend,forgery=1", "method=self-blend,flicker=0.5")
UNSEEN = (
    "method=poisson,forgery=0.25",
    "method=poisson,forgery=0.5",
    "method=poisson,forgery=1",
    "method=autoencoder,forgery=0.5",
    "method=self-blend,flicker=0.25",
    "method=self-blend,flicker=1",
)
"""No video of these is learnt from, nor is anyone in them."""
PEOPLE, WHOLE, TESTED = 40, 20, 16
"""A setting: forged in a stretch, forged throughout, and of the test."""
RATE = 12.0
SCOPE = Scope(frozenset(), "its calibration and its control are drawn people; what it says of real footage is untested")
GENERATOR = "faceswap,output=video"


@dataclass(frozen=True)
class Clip:
    """A person's video: untouched and forged.

    Attributes
    ----------
    person, setting : str
    untouched, forged : array of uint8
        (T, H, W, 3).
    truth : array of bool
        Which frames were forged.
    rate : float
    """

    person: str
    setting: str
    untouched: Image
    forged: Image
    truth: Flags
    rate: float


def clips(setting: str, n: int, *, seed: int, frames: int = FRAMES, whole: bool = False) -> Iterator[Clip]:
    """Yield videos of new people at a setting of `faceswap`, as ``method=poisson,forgery=0.5``.

    Parameters
    ----------
    setting : str
        Method, dial and dose.
    n : int
        People.
    seed : int
        Other people for another one.
    frames : int
        Of a video; the stretch that is forged has a third to two thirds of them.
    whole : bool
        Forge all frames instead.
    """
    from ..targets.reference import load

    generator = load(f"{GENERATOR},{setting}").generator
    method = generator.properties["method"]
    for i in range(n):
        rng = np.random.default_rng(derive_seed(seed, "deepfake.video", setting, i))
        take = generator.face_source.take(rng, frames, method)
        length = frames if whole else int(rng.integers(frames // 3, 2 * frames // 3 + 1))
        start = int(rng.integers(frames - length + 1))
        content, mask = generator.forge(take, method, slice(start, start + length), rng)
        truth = mask.reshape(frames, -1).any(1)
        yield Clip(f"{seed}/{setting}/{i}", setting, np.stack(take.frames), content, truth, float(generator.rate))


@dataclass(frozen=True)
class Encoder:
    """A codec, JPEG's quality beforehand (None: none) and how many times larger or smaller the video is made."""

    codec: str = "FFV1"
    quality: int | None = None
    scale: float = 1

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Encoder:
        """Draw one, without a look at the video."""
        codec = str(rng.choice(list(CODECS)))
        quality = int(rng.integers(*QUALITIES, endpoint=True)) if rng.random() < 0.5 else None
        return cls(codec, quality, int(rng.integers(1, 3)))

    def write(self, frames: Sequence[Image] | Image, folder: Path, name: str, rate: float) -> Path:
        """Write a video file."""
        from ..kit.video import opencv

        cv2 = opencv()
        path = folder / f"{name}{CODECS[self.codec]}"
        height, width = (2 * round(self.scale * side / 2) for side in frames[0].shape[:2])
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*self.codec), rate, (width, height))
        for frame in frames:
            shot = np.ascontiguousarray(frame[..., ::-1])
            if self.scale != 1:
                kernel = cv2.INTER_CUBIC if self.scale > 1 else cv2.INTER_AREA
                shot = cv2.resize(shot, (width, height), interpolation=kernel)
            if self.quality is not None:
                shot = cv2.imdecode(cv2.imencode(".jpg", shot, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1], 1)
            writer.write(shot)
        writer.release()
        return path


def train_shipped(folder: Path, seed: int) -> list[Path]:
    """Train, test and write; about seven minutes on one core, deterministic in the seed."""
    parts, whole = ("learn", PEOPLE, False), ("learn whole", WHOLE, True)
    tracks = [
        track
        for name, n, throughout in (parts, whole)
        for setting in LEARNT
        for track in labelled(setting, n, seed=derive_seed(seed, name), whole=throughout)
    ]
    model = VideoModel.fit(tracks)
    unseen = derive_seed(seed, "test")
    settings = {setting: judged(model, setting, TESTED, seed=unseen) for setting in UNSEEN}
    extra = {
        "forged throughout: method=poisson,forgery=0.5": judged(model, UNSEEN[1], TESTED, seed=unseen + 1, whole=True),
        "five seconds long: method=poisson,forgery=0.5": judged(model, UNSEEN[1], TESTED, seed=unseen + 2, frames=LONG),
    }
    rows = [row for judgements in settings.values() for row in judgements]
    learnt = f"{PEOPLE} people forged in a stretch, {WHOLE} throughout, all untouched too"
    card = {
        "what": "a linear head on what of a face changes from frame to frame; see deepfake/videos/temporal_traces.py",
        "exam": "the library's own: procedural people, its own forgeries and encoders; no real footage",
        "data": {
            "learnt": dict.fromkeys(LEARNT, learnt),
            "tested": dict.fromkeys(UNSEEN, f"{TESTED} other people, untouched and forged"),
            "encoders": f"{', '.join(CODECS)}; half of them after JPEG {QUALITIES[0]}-{QUALITIES[1]}; 96 or 192 pixels",
            "people": "new ones in every video; but the autoencoder knows two, and its intervals are over takes",
            "tracks": len(tracks),
        },
        "command": "guardrails train detector deepfake.video",
        "seed": seed,
        "unseen": {name: summary(judgements, seed) for name, judgements in settings.items()},
        "unseen_pooled": summary(rows, seed),
        "beside": {name: summary(judgements, seed) for name, judgements in extra.items()},
        "null_auc_of_untouched_encoded_otherwise": encoded_otherwise(model, seed=unseen + 3),
    }
    return write(replace(model, fitted=replace(model.fitted, scope=SCOPE)), card, folder)


def labelled(setting: str, n: int, *, seed: int, whole: bool = False) -> Iterator[Labelled]:
    """Yield the tracks of n people's videos, untouched and forged."""
    for clip, label, tracks in followed(setting, n, seed=seed, whole=whole):
        for track in tracks:
            yield Labelled(described(track), _truth(clip, label, track.times), clip.person)


def followed(
    setting: str, n: int, *, seed: int, frames: int = FRAMES, whole: bool = False
) -> Iterator[tuple[Clip, int, list[Track]]]:
    """Yield n people's videos, untouched (0) and forged (1), through one encoder, with what is followed in them."""
    with tempfile.TemporaryDirectory() as folder:
        for clip in clips(setting, n, seed=seed, frames=frames, whole=whole):
            encoder = Encoder.drawn(np.random.default_rng(derive_seed(seed, clip.person)))
            for label, content in enumerate((clip.untouched, clip.forged)):
                path = encoder.write(content, Path(folder), "clip", clip.rate)
                yield clip, label, list(follow(Shots(path, rate=RATE), Gauge))


def _truth(clip: Clip, label: int, times: Sequence[float]) -> Flags:
    places = np.clip(np.round(np.asarray(times) * clip.rate).astype(int), 0, len(clip.truth) - 1)
    out: Flags = clip.truth[places] & bool(label)
    return out


@dataclass(frozen=True)
class Judged:
    """A video of the test: `overlap` is that of the frames in its segments and the forged ones."""

    person: str
    label: int
    detection: Detection | None
    overlap: float


def judged(
    model: VideoModel, setting: str, n: int, *, seed: int, frames: int = FRAMES, whole: bool = False
) -> list[Judged]:
    """Score n people's videos, untouched and forged; None where no face was followed."""
    out = []
    for clip, label, tracks in followed(setting, n, seed=seed, frames=frames, whole=whole):
        detection = model.detection(clip.person, tracks) if tracks else None
        times, flags = np.arange(frames) / clip.rate, np.zeros(frames, dtype=bool)
        for segment in detection.segments if detection else ():
            flags |= (times >= segment.start - 1e-3) & (times < segment.end - 1e-3)
        out.append(Judged(clip.person, label, detection, overlap(flags, clip.truth & bool(label))))
    return out


def summary(rows: Sequence[Judged], seed: int) -> dict[str, Any]:
    """Return the figures of a test, with intervals over people and what was not scored."""
    scored = [r for r in rows if r.detection is not None and r.detection.score is not None]
    forged = [r for r in rows if r.label]
    people = [r.person for r in forged]
    untouched = [r for r in scored if not r.label]
    verdicts = [r.detection.verdict for r in untouched if r.detection]
    forged_verdicts = [r.detection.verdict for r in scored if r.label and r.detection]
    mean = cluster_bootstrap(np.array([r.overlap for r in forged]), people, resamples=1000, seed=seed)
    return {
        "auc": _shown(_area(scored)),
        "videos": len(rows),
        "without_a_score": len(rows) - len(scored),
        "people": len(set(people)),
        "mean_iou_of_frames": _shown(mean),
        "iou_at_least_half": _shown(wilson(sum(r.overlap >= 0.5 for r in forged), len(forged))),
        "forged_called_manipulated": _shown(wilson(forged_verdicts.count("manipulated"), len(forged_verdicts))),
        "untouched_called_manipulated": _shown(wilson(verdicts.count("manipulated"), len(verdicts))),
        "untouched_abstained": _shown(wilson(verdicts.count("abstain"), len(verdicts))),
        "untouched_with_a_suspect_segment": _shown(wilson(sum(r.overlap < 1 for r in untouched), len(untouched))),
    }


def _area(scored: Sequence[Judged]) -> Interval:
    scores = np.array([r.detection.score for r in scored if r.detection], dtype=np.float64)
    made, real = (np.flatnonzero([r.label == label for r in scored]) for label in (1, 0))
    high, low = scores[made][:, None], scores[real][None]
    return area(Placed((high > low) + 0.5 * (high == low), made, real), [r.person for r in scored])


def encoded_otherwise(model: VideoModel, *, seed: int, n: int = TESTED) -> dict[str, Any]:
    """Return the AUC of untouched videos through an encoder against the same ones kept as they are: ½ is right."""
    encoders = {"as it is": Encoder(), "mp4v": Encoder("mp4v"), "VP80": Encoder("VP80")}
    encoders |= {"MJPG": Encoder("MJPG"), "JPEG 60": Encoder(quality=60)}
    encoders |= {"enlarged": Encoder(scale=2), "three quarters": Encoder(scale=0.75)}
    scores: dict[str, dict[str, float]] = {name: {} for name in encoders}
    with tempfile.TemporaryDirectory() as folder:
        for clip in clips("method=poisson", n, seed=seed):
            for name, encoder in encoders.items():
                path = encoder.write(clip.untouched, Path(folder), "clip", clip.rate)
                tracks = list(follow(Shots(path, rate=RATE), Gauge))
                score = model.detection(clip.person, tracks).score if tracks else None
                if score is not None:
                    scores[name][clip.person] = score
    out = {}
    for name, by_person in scores.items():
        if name != "as it is":
            rows = [
                Judged(person, label, Detection(person, score), 0.0)
                for label, side in ((0, scores["as it is"]), (1, by_person))
                for person, score in side.items()
            ]
            out[name] = _shown(_area(rows)) | {"n": len(rows)}
    return out


def _shown(interval: Interval) -> dict[str, float]:
    return {"value": round(interval.value, 3), "low": round(interval.low, 3), "high": round(interval.high, 3)}
