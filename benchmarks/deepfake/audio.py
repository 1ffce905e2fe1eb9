"""Detectors of synthetic speech on what their weights have not seen: ``python benchmarks/deepfake/audio.py``.

Needs the folder of `scripts/fetch_speech.py` in ``GUARDRAILS_SPEECH`` and, for WORLD, `requirements-audio.txt`. Both
classes pass through one random channel; the real speakers are those of the test set. One row a synthesizer: equal error
rate, area and the blind baseline's equal error rate, with intervals over speakers; then what the detectors say of music
and noise, and how well the segments found match those that ``voice,artefact=1`` marks.
"""

from __future__ import annotations

import numpy as np

from generators.ar_music.abc_notation import to_symbols
from generators.ar_music.music_sound import sound
from generators.base import find_generator
from guardrails.core.registry import load_detector
from guardrails.core.seeding import derive_seed32
from guardrails.deepfake.speech.spectra import Spectra, spectra
from guardrails.kit.sound import RATE, read_sound
from guardrails.targets.reference_data import reference_subject
from guardrails.training.material import speech_sets as sets
from guardrails.training.material.speech_channel import passed
from guardrails.training.speech import figures

NAMES = ("deepfake.spectro",)
SEED, CLIPS = 0, 80


def world(speech: np.ndarray) -> np.ndarray:
    """Analysis and synthesis by the package pyworld."""
    import pyworld

    x = np.ascontiguousarray(speech, dtype=np.float64)
    return np.asarray(pyworld.synthesize(*pyworld.wav2world(x, RATE), RATE))[: len(x)]


def pairs(corpus: list[dict[str, str]]) -> list[tuple[Spectra, int, str]]:
    """Clips of the test's speakers and WORLD's versions, through the same channel: (spectra, label, speaker)."""
    places = sets.parts_of(corpus)
    rows = [r for r in corpus if r["label"] == "0" and places.get(sets.speaker_of(r)) == "test"][::3][:CLIPS]
    out = []
    for row in rows:
        speech, seed = read_sound(row["path"]).astype(np.float64), derive_seed32(SEED, "channel", row["file"], 0)
        for label, version in ((0, speech), (1, world(speech))):
            out.append((spectra(passed(version, seed=seed)[0]), label, sets.speaker_of(row)))
    return out


def main() -> None:
    corpus = sets.corpus_rows()
    detectors = {name: load_detector(name) for name in NAMES}
    try:
        clips = pairs(corpus)
    except ModuleNotFoundError:
        print("pyworld is not installed: WORLD is left out")
    else:
        labels, speakers = np.array([label for _, label, _ in clips]), [speaker for _, _, speaker in clips]
        for name, detector in detectors.items():
            scores = np.array([detector.heard.model.evidence(heard)[0] for heard, _, _ in clips])
            print(f"{name:18} world, paired, n={len(clips) // 2}:", figures(scores, labels, speakers, seed=SEED))
    rng = np.random.default_rng(SEED)
    written = find_generator("ar-music").load().sample(20, seed=SEED)
    tunes = [sound(to_symbols(tune), rate=RATE)[: 5 * RATE] for tune in written]
    noise = [rng.standard_normal(3 * RATE) * 0.1 for _ in range(20)]
    for kind, sounds in (("music", tunes), ("white noise", noise)):
        for name, detector in detectors.items():
            verdicts = [row.verdict for row in detector.score([(x, RATE) for x in sounds])]
            print(f"{name:18} {kind}: { ({v: verdicts.count(v) for v in sorted(set(verdicts))}) }")
    generator = reference_subject("reference:voice,artefact=1", reference_items=1).target.generator  # type: ignore[attr-defined]
    items = generator.items(60, seed=SEED)
    for name, detector in detectors.items():
        inside, outside = [], []
        for item in items:
            evidence = detector.heard.model.evidence(spectra(item.content))[1]
            time = np.arange(len(evidence)) * 0.015 + 0.015
            altered = np.zeros(len(evidence), bool)
            for start, end in item.facts["segments"]:
                altered |= (time >= start) & (time < end)
            inside.append(np.nanmean(np.where(altered, evidence, np.nan)))
            outside.append(np.nanmean(np.where(altered, np.nan, evidence)))
        higher = np.mean(np.array(inside) > np.array(outside))
        print(f"{name:18} voice,artefact=1: altered seconds have more evidence in {higher:.0%} of {len(items)}")


if __name__ == "__main__":
    main()
