"""Detectors are shown controls before a verdict of theirs is believed: scores of known positives and known negatives.

Each positive is judged with each negative as a pair, by the AUC of their scores: its lower bound has to lie above .5.
The weakest pair is the outcome: a detector that misses one kind of generated item gives no verdict on any.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ...core.control import Control
from ...core.detector import Detector
from ...core.errors import ConfigurationError, GuardrailsError, MissingExtraError
from ...core.registry import detectors
from ...core.results.scan import ScanControl
from ...core.seeding import derive_seed32
from ...kit.io import cache_folder
from ..sources import sources_sha256
from .arguments import place_sha256
from .shipped_outcomes import shipped_outcome

N = {"image": 100, "audio": 40, "video": 30}
"""Items of each control: a detector whose true AUC on them is .70 (pictures), .77 (recordings) or .80 (videos) passes
999 times in 1,000, by the normal approximation with Hanley and McNeil's variance."""
RECORDINGS = Path(__file__).parents[2] / "deepfake" / "data"
NEURAL = "neural"
"""The recording of `RECORDINGS` that no person speaks."""
SECONDS, SIDE = 2, 192
LEAST = 10
"""Scored items of each control below which nothing is said."""
SEED = 0

Told = Callable[[int], None]


def kept_outcome(name: str) -> ScanControl | None:
    """Return what was found before, with the same sources and the same argument, or what ships, or None."""
    kept = _kept(name)
    return (_read(kept) if kept is not None else None) or shipped_outcome(name)


def control_of(name: str, detector: Detector, told: Told | None = None) -> ScanControl:
    """Show a detector its controls; where it behaves that is kept.

    Parameters
    ----------
    name : str
        As it was asked for, with its argument.
    detector : Detector
        Of that name, loaded.
    told : callable, optional
        Told how many items were shown, after each.
    """
    outcome = _shown(name, detector, told)
    kept = _kept(name)
    if kept is not None and outcome.behaved:  # a failure is looked at anew
        _write(kept, outcome)
    return outcome


def failed(name: str, reason: str, *, missing: bool = False) -> ScanControl:
    """Return the outcome of a detector that said nothing of its controls; `missing`: its weights or a package are."""
    return ScanControl(
        detector=name, behaved=False, auc=None, low=None, high=None, n=(0, 0), controls=(), measured_on="",
        missing=missing, reason=reason,
    )  # fmt: skip


def doubt(outcome: ScanControl) -> str | None:
    """Return why verdicts are withheld after this outcome, or None.

    >>> doubt(failed("a.b", "it broke"))
    'failed its control (it broke)'
    """
    if outcome.behaved:
        return None
    if outcome.auc is None:
        return f"failed its control ({outcome.reason})"
    missed = f": {outcome.reason}" if outcome.reason else ""
    return f"failed its control (AUC {outcome.auc:.2f} [{outcome.low:.2f}, {outcome.high:.2f}]{missed})"


def measured_on(sources: Sequence[str]) -> str:
    """Return in words what an AUC of controls was measured on.

    >>> measured_on(["photographs:enlarged=4", "photographs:"])
    'squares of two photographs, made smaller and enlarged against squares of two photographs'
    """
    return " against ".join(map(_in_words, sources))


def _in_words(source: str) -> str:
    scheme, _, spec = source.partition(":")
    name, _, vocoder = spec.partition(",vocoder=")
    reading = "two neural voices in pieces" if name == NEURAL else f"one reading ({name}) in pieces"
    return {
        "photographs": "squares of two photographs" + (", made smaller and enlarged" if spec else ""),
        "recorded": reading + (f", by the {vocoder} vocoder" if vocoder else ""),
        "reference": f"outputs of the library's own {spec}",
        "real": f"the library's own material for {spec}",
    }.get(scheme, source)


def _shown(name: str, detector: Detector, told: Told | None = None) -> ScanControl:
    scores: dict[str, list[float]] = {control.source: [] for control in detector.controls}
    shown = 0
    try:
        for control in detector.controls:
            with tempfile.TemporaryDirectory(prefix="guardrails-control-") as folder:
                for path in _files(control.source, Path(folder)):
                    score = detector.score([detector.open(path)])[0].score
                    if score is not None:
                        scores[control.source].append(score)
                    shown += 1
                    if told is not None:
                        told(shown)
    except (ConfigurationError, MissingExtraError) as error:
        return failed(name, str(error), missing=True)
    except (GuardrailsError, OSError) as error:
        return failed(name, f"its controls could not be shown: {error}")
    except Exception as error:  # a defect in one detector must not end the scan
        return failed(name, f"it broke on its controls ({type(error).__name__}: {error})")
    return _weakest(name, detector.controls, scores)


def _weakest(name: str, controls: Sequence[Control], scores: Mapping[str, Sequence[float]]) -> ScanControl:
    """Judge each known positive with each known negative; return the pair with the smallest lower bound."""
    positives, negatives = ([c.source for c in controls if c.expected == kind] for kind in ("found", "clear"))
    pairs = [_pair(name, positive, negative, scores) for positive in positives for negative in negatives]
    if not pairs:
        return failed(name, "it declares no known positive or no known negative")
    weakest = min(pairs, key=lambda pair: -1.0 if pair.low is None else pair.low)
    if weakest.behaved or len(pairs) == 1 or weakest.auc is None:
        return weakest
    missed = f"it does not tell {weakest.measured_on}".replace(" against ", " from ")
    return weakest.model_copy(update={"reason": missed})


def _pair(name: str, positive: str, negative: str, scores: Mapping[str, Sequence[float]]) -> ScanControl:
    from ...core.statistics import delong

    n, sources = (len(scores[positive]), len(scores[negative])), (positive, negative)
    if min(n) < LEAST:
        few = failed(name, f"it scored {n[0]} of the positive and {n[1]} of the negative; {LEAST} are needed")
        return few.model_copy(update={"n": n, "controls": sources, "measured_on": measured_on(sources)})
    auc, low, high = delong(scores[positive], scores[negative])
    return ScanControl(
        detector=name, behaved=bool(low > 0.5), auc=float(auc), low=float(low), high=float(high), n=n, controls=sources,
        measured_on=measured_on(sources), reason=None,
    )  # fmt: skip


def _files(source: str, folder: Path) -> Iterator[Path]:
    """Write the items of a control as files, without loss, so that a detector opens them as it opens a scan's."""
    from ...kit.io import encode_png
    from ...kit.video import write_video
    from ...targets.reference import find_generator, parse

    scheme, _, spec = source.partition(":")
    if scheme in ("recorded", "photographs"):
        yield from (_recorded if scheme == "recorded" else _photographs)(spec, folder)
        return
    generator_name, settings = parse(spec)
    generator = find_generator(generator_name).load(**settings)
    n, seed = N.get(generator.modality, 0), derive_seed32(SEED, source)
    items = generator.reference_items(n, seed=seed) if scheme == "real" else generator.sample(n, seed=seed)
    for i, item in enumerate(items):
        path = folder / f"{i:05d}"
        if generator.modality == "image":
            path.write_bytes(encode_png(item))
            yield path
        elif generator.modality == "video":
            yield write_video(item, path.with_suffix(".avi"), generator.rate or 25)
        else:
            import soundfile

            soundfile.write(path.with_suffix(".wav"), item, generator.rate, subtype="PCM_16")
            yield path.with_suffix(".wav")


def _photographs(spec: str, folder: Path) -> Iterator[Path]:
    """Cut squares from scikit-learn's photographs, at half their size: JPEG's grid is gone from both controls.

    ``enlarged=4``: each square reduced so many times and enlarged again.
    """
    import numpy as np
    from PIL import Image as Pillow
    from sklearn.datasets import load_sample_images

    rng = np.random.default_rng(SEED)
    times = int(spec.partition("=")[2] or 1)
    whole = [Pillow.fromarray(picture) for picture in load_sample_images().images]
    halves = [p.resize((p.width // 2, p.height // 2), Pillow.Resampling.BOX) for p in whole]
    for i in range(N["image"]):
        photograph = halves[i % len(halves)]
        left, top = (int(rng.integers(length - SIDE + 1)) for length in photograph.size)
        square = photograph.crop((left, top, left + SIDE, top + SIDE))
        if times > 1:
            small = square.resize((SIDE // times, SIDE // times), Pillow.Resampling.BOX)
            square = small.resize((SIDE, SIDE), Pillow.Resampling.BICUBIC)
        path = folder / f"{i:05d}.png"
        square.save(path)
        yield path


def _recorded(spec: str, folder: Path) -> Iterator[Path]:
    """Cut a recording that ships into pieces of two seconds: one speaker, so that they are alike.

    ``vocoder=source-filter``: each piece as that vocoder says it.
    """
    import soundfile

    from ...deepfake.speech.vocoders import VOCODERS
    from ...kit.sound import RATE, read_sound

    name, _, vocoder = spec.partition(",vocoder=")
    sound = read_sound(RECORDINGS / f"{name}.ogg")
    for i in range(len(sound) // (SECONDS * RATE)):
        piece = sound[i * SECONDS * RATE : (i + 1) * SECONDS * RATE]
        if vocoder:
            piece = VOCODERS[vocoder](piece.astype("float64"), seed=derive_seed32(SEED, spec, i)).clip(-1, 1)
        path = folder / f"{i:05d}.wav"
        soundfile.write(path, piece, RATE, subtype="PCM_16")
        yield path


def _kept(name: str) -> Path | None:
    """Return where the outcome is kept: by all that it depends on. Of another distribution's code nothing is known."""
    id, colon, argument = name.partition(":")
    if not detectors()[id].__module__.startswith("guardrails."):
        return None
    digest = hashlib.sha256(f"{name}\n{N}\n{SEED}".encode("utf-8", "surrogatepass"))
    if colon:
        if not os.path.exists(argument):
            return None
        digest.update(place_sha256(Path(argument)).encode())
    place = cache_folder() / "controls" / sources_sha256()[:24]
    return place / f"detector-{digest.hexdigest()[:24]}.json"


def _read(path: Path) -> ScanControl | None:
    try:
        outcome = ScanControl.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    return outcome if outcome.behaved else None


def _write(path: Path, outcome: ScanControl) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(outcome.model_dump()))
        part.replace(path)
    except OSError:  # a cache that cannot be written costs time, not correctness
        return
