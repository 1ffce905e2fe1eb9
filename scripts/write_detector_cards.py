"""Measures what each detector costs and what its verdicts are worth: ``guardrails/deepfake/detector_cards.json``.

python scripts/write_detector_cards.py [DETECTOR ...]

Each detector runs in a process of its own, on one thread, as in a scan. Time is that of the processor, for opening and
scoring a file, beside reading the same file with the library's own reader in the same process, in turns. Memory is the
largest resident size of the process, and of the same process after it had only read the files. The verdicts come from
``by_source.json``: each source and family left out of the calibration in turn. `scripts/write_docs.py` makes a page of
the file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from guardrails.assay.scan.pool import MEMORY

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
ROOT = Path(__file__).resolve().parents[1]
CARDS = ROOT / "guardrails" / "deepfake" / "detector_cards.json"
ROUNDS = 3
WIDTH, HEIGHT, QUALITY = 1632, 1224, 90
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket", "retina")
ITEMS = {
    "image": f"photographs of {WIDTH} x {HEIGHT} pixels, JPEG, one of them with a face",
    "audio": "a recording of 10 s, 16 kHz",
    "video": "a video of 24 frames of 96 x 96 pixels, with a face",
}


def main(names: list[str]) -> int:
    """Write the cards of the detectors that were named, or of all that need no argument."""
    from guardrails.core.registry import detectors
    from guardrails.deepfake.fusion import ENCODED
    from guardrails.deepfake.images.fitted_head import WEIGHTS
    from guardrails.training.exams.by_source import left_out

    cards = json.loads(CARDS.read_text(encoding="utf-8")) if CARDS.is_file() else {}
    with tempfile.TemporaryDirectory() as place:
        write_items(Path(place))
        for name in names or [*detectors(), "deepfake.fusion:traces"]:
            command = [sys.executable, __file__, "--measure", name, place]
            answer = subprocess.run(
                command, env=os.environ | THREADS | MEMORY, stdout=subprocess.PIPE, text=True, check=True
            )
            cost = json.loads(answer.stdout)
            if cost is not None:
                cards[name] = {**cards.get(name, {}), "cost": cost}
            print(name, answer.stdout.strip(), flush=True)
    scores = json.loads((WEIGHTS / "by_source.json").read_text(encoding="utf-8"))["heads"]
    for name, head in (("deepfake.fusion", ENCODED), ("deepfake.features", "deepfake.features")):
        if name in cards:
            cards[name] |= {"kinds": kinds_of(head), "sources and families left out": left_out(scores[head]).stated()}
    CARDS.write_text(json.dumps(cards, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 0


def kinds_of(head: str) -> dict[str, Any]:
    """Return what the calibration of a shipped head has of each kind of picture; None for a kind without verdicts."""
    import numpy as np

    from guardrails.deepfake.images.fitted_head import shipped
    from guardrails.deepfake.images.kinds import DRAWING, FACE, PHOTOGRAPH
    from guardrails.kit.detection.calibration import LEAST_RATIO

    fitted = shipped(head)
    calibration, scope = fitted.calibration, fitted.scope
    low, high = (float(f"{np.exp(bound):.2g}") for bound in calibration.bounds)
    verdicts = [*(["synthetic"] if high >= LEAST_RATIO else []), "nothing found", "abstain"]
    known = {
        "sources": calibration.real.n, "families": calibration.generated.n, "ratios": [low, high], "verdicts": verdicts,
    }  # fmt: skip
    return {kind: known if scope is None or kind in scope.kinds else None for kind in (PHOTOGRAPH, FACE, DRAWING)}


def measure(name: str, place: Path) -> dict[str, Any] | None:
    """Return what a detector costs on the items of a folder; None where it needs an argument or cannot run here."""
    from guardrails.core.errors import GuardrailsError
    from guardrails.core.registry import load_detector
    from guardrails.kit.video import opencv

    opencv().setNumThreads(1)
    try:
        detector = load_detector(name)
    except (GuardrailsError, TypeError):
        return None
    (kind,) = detector.modalities
    paths, read = sorted((place / kind.value).iterdir()), reader(kind.value)
    for path in paths:
        read(path)
    before, begun = peak_mib(), time.process_time()
    try:
        detector.score([detector.open(paths[0])])
    except GuardrailsError:
        return None
    first = time.process_time() - begun
    rows = [(seconds(read, path), seconds(score_of(detector), path)) for _ in range(ROUNDS) for path in paths]
    each, bare = [two for _, two in rows], [one for one, _ in rows]
    ratios = [two / one for one, two in rows]
    return {
        "items": ITEMS[kind.value], "n": len(paths), "rounds": ROUNDS, "seconds": spread(each),
        "seconds of reading alone": spread(bare), "times reading alone": spread(ratios),
        "seconds of the first item, loading included": round(first, 2),
        "MiB": peak_mib(), "MiB of reading alone": before,
    }  # fmt: skip


def peak_mib() -> int:
    """Return the largest resident size of this program so far; that of `getrusage` counts the program before it too."""
    (line,) = [x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM:")]
    return round(int(line.split()[1]) / 1024)


def score_of(detector: Any) -> Callable[[Path], Any]:
    """Return what opens and scores a file."""
    return lambda path: detector.score([detector.open(path)])


def seconds(work: Callable[[Path], Any], path: Path) -> float:
    """Return the processor's time of one call."""
    begun = time.process_time()
    work(path)
    return time.process_time() - begun


def spread(values: list[float]) -> dict[str, float]:
    """Return the median, the least and the largest value, to three digits."""
    ordered = sorted(values)
    chosen = {"median": ordered[len(ordered) // 2], "least": ordered[0], "most": ordered[-1]}
    return {key: float(f"{value:.3g}") for key, value in chosen.items()}


def reader(kind: str) -> Callable[[Path], Any]:
    """Return what only reads a file of a kind, whole."""
    from guardrails.kit.io import read_image
    from guardrails.kit.sound import read_sound
    from guardrails.kit.video import read_video

    readers: dict[str, Callable[[Path], Any]] = {
        "image": read_image, "audio": read_sound, "video": lambda path: list(read_video(path)),
    }  # fmt: skip
    return readers[kind]


def write_items(place: Path) -> None:
    """Write the items of each kind into a folder of its own."""
    import soundfile
    from PIL import Image as Pillow
    from skimage import data

    from guardrails.core.registry import detectors
    from guardrails.kit.sound import RATE, read_sound
    from guardrails.kit.video import write_video
    from guardrails.targets.reference import find_generator, parse

    for kind in ITEMS:
        (place / kind).mkdir()
    for name in PHOTOGRAPHS:
        large = Pillow.fromarray(getattr(data, name)()).resize((WIDTH, HEIGHT), Pillow.Resampling.BICUBIC)
        large.save(place / "image" / f"{name}.jpg", "JPEG", quality=QUALITY)
    sound = read_sound(ROOT / "guardrails" / "deepfake" / "data" / "sonnet.ogg")
    soundfile.write(place / "audio" / "reading.wav", sound[: 10 * RATE], RATE, subtype="PCM_16")
    generator_name, settings = parse(detectors()["deepfake.video"].controls[0].source.partition(":")[2])
    generator = find_generator(generator_name).load(**settings)
    write_video(generator.sample(1, seed=0)[0], place / "video" / "face.avi", generator.rate or 25)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
        sys.exit(0)
    sys.exit(main(sys.argv[1:]))
