"""What simple features know of neural speech: ``GUARDRAILS_TEST_DATA=… python benchmarks/deepfake/neural_speech.py``.

Every recording of ``speech2`` at 16 kHz, 1.5 s without silence, as it is and through one drawn room, noise, bandwidth
and codec: the same draw for both classes. Systems, sources and speakers are left out together; what the rate and the
length of the files tell is printed beside. What the licences allow is learnt from, and everything is scored. The
last row is LFCC-GMM, the baseline of the field. With ``--report`` the reserved third is scored as well: once, after
everything else has been chosen.

Takes about four minutes of one core; the traces are kept in the folder of ``--keep``, so that a second run is quick.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import cepstral_mixtures
import numpy as np

from guardrails.core.seeding import derive_seed32
from guardrails.kit.detection.calibration import Calibration
from guardrails.kit.detection.linear_head import Head
from guardrails.kit.detection.protocol import weights_of
from guardrails.kit.sound import RATE
from guardrails.training.exams import neural_speech as exam
from guardrails.training.material import recorded_speech, speech_conditions, speech_traces
from guardrails.training.material.recorded_speech import LEAST_SECONDS, Recording, read_stretch, recordings
from guardrails.training.material.speech_conditions import Condition
from guardrails.training.material.speech_traces import traces

SEED, DRAWS = 7, 2
CHOSEN = ("cepstra", "prediction", "modulation", "envelopes", "spread")
RATES, SECONDS = "rate of the file", "seconds of the file"
FRAMES = "frames"

Blocks = Mapping[str, np.ndarray]


def described(given: Sequence[Recording], keep: Path) -> tuple[list[Recording], list[str], Blocks]:
    """Return the recordings, one row per draw, the conditions that they passed through, and their blocks."""
    rows, conditions, blocks = [], [], []
    for recording in given:
        sound = read_stretch(recording)
        if len(sound) < LEAST_SECONDS * RATE:
            continue
        for draw in range(DRAWS):
            seed = derive_seed32(SEED, "condition", recording.utterance, draw)
            condition = Condition.drawn(np.random.default_rng(seed)) if draw else Condition()
            rows.append(recording)
            conditions.append(condition.name)
            blocks.append(lambda x=sound, c=condition, s=seed: block(c.applied(x, np.random.default_rng(s + 1))))
    code = "".join(
        inspect.getsource(module) for module in (recorded_speech, speech_conditions, speech_traces, cepstral_mixtures)
    )
    path = keep / f"{hashlib.sha256(code.encode()).hexdigest()[:12]}.npz"
    if not path.is_file():
        made = [one() for one in blocks]
        keep.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{name: np.stack([one[name] for one in made]) for name in made[0]})
    with np.load(path) as stored:
        described_blocks = {name: stored[name] for name in stored.files}
    rates = sorted({row.rate for row in rows})
    described_blocks[RATES] = np.array([[row.rate == rate for rate in rates] for row in rows], dtype=np.float64)
    described_blocks[SECONDS] = np.array([[np.log(row.seconds)] for row in rows])
    return rows, conditions, described_blocks


def block(sound: np.ndarray) -> dict[str, np.ndarray]:
    """Return what is measured of a sound: the traces, and the frames of the baseline."""
    return {**traces(sound), FRAMES: cepstral_mixtures.frames(sound)}


def scorer(blocks: Blocks, rows: exam.Rows, names: Sequence[str]) -> exam.Scorer:
    """Return a linear head on some blocks."""

    def scores(fit: np.ndarray, new: np.ndarray) -> np.ndarray:
        labels, groups = rows.labels[fit], [rows.groups[i] for i in fit.tolist()]
        head = Head.fit({n: blocks[n][fit] for n in names}, labels, weights_of(labels, groups))
        return head.score({n: blocks[n][new] for n in names})

    return scores


def baseline(frames: np.ndarray, rows: exam.Rows) -> exam.Scorer:
    """Return LFCC-GMM."""

    def scores(fit: np.ndarray, new: np.ndarray) -> np.ndarray:
        labels, groups = rows.labels[fit], [rows.groups[i] for i in fit.tolist()]
        return cepstral_mixtures.scores(frames[fit], labels, weights_of(labels, groups), frames[new])

    return scores


def shown(systems: Mapping[str, exam.System]) -> str:
    mean, worst = exam.mean_error(systems), max(systems, key=lambda name: systems[name].eer)
    area = np.mean([one.auc for one in systems.values()])
    return (f"EER {mean.value:.3f} [{mean.low:.2f}, {mean.high:.2f}] over {len(systems)} systems, worst"
            f" {systems[worst].eer:.2f} ({worst}), mean AUC {area:.3f}")  # fmt: skip


def cross_scored(rows: exam.Rows, score: exam.Scorer) -> np.ndarray:
    """Return scores of the rows that are not reserved, each the mean of the models that have not seen it."""
    sums, counts = np.zeros(len(rows.labels)), np.zeros(len(rows.labels))
    for part in exam.crossed(rows):
        new = np.concatenate([part.neural, part.real])
        sums[new] += score(part.fit, new)
        counts[new] += 1
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def report(rows: exam.Rows, score: exam.Scorer, conditions: Sequence[str]) -> None:
    """Print what is reserved, by system and by source, at a threshold from the rest."""
    part = exam.reserved(rows)
    print("reserved:", shown(systems := exam.by_system(score, rows, iter([part]))))
    cross, known = cross_scored(rows, score), ~rows.reserved & rows.judged
    known &= np.isfinite(cross)
    calibration = Calibration.fit(cross[known], rows.labels[known], [rows.groups[i] for i in np.flatnonzero(known)])
    print(f"ratio at most {np.exp(calibration.bounds[1]):.1f}, at least {np.exp(calibration.bounds[0]):.2f}")
    neural, real = score(part.fit, part.neural), score(part.fit, part.real)
    names = [rows.groups[i] for i in part.neural.tolist()]
    found = exam.called_synthetic(calibration, neural, names)
    for name, one in systems.items():
        print(f"  {name:<28} EER {one.eer:.2f} AUC {one.auc:.2f} n {one.n}; called synthetic {found[name].value:.2f}")
    alarms = exam.called_synthetic(calibration, real, [rows.groups[i] for i in part.real.tolist()])
    for name, rate in alarms.items():
        print(f"  {name:<40} called synthetic {rate.value:.2f} [{rate.low:.2f}, {rate.high:.2f}]")
    for name, rate in exam.called_synthetic(calibration, real, [conditions[i] for i in part.real.tolist()]).items():
        print(f"  real, {name:<34} called synthetic {rate.value:.2f} [{rate.low:.2f}, {rate.high:.2f}]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, default=Path(".benchmarks/neural_speech"))
    parser.add_argument("--report", action="store_true", help="score the reserved third too")
    options = parser.parse_args()
    given, conditions, blocks = described(
        recordings(Path(os.environ["GUARDRAILS_TEST_DATA"]) / "speech2"), options.keep
    )
    rows = exam.Rows(
        np.array([row.label for row in given]), [row.group for row in given], [row.speaker for row in given],
        [f"{row.utterance} {i % DRAWS}" for i, row in enumerate(given)],
        np.array([row.learnt for row in given]), np.array([row.reserved for row in given]),
        np.ones(len(given), dtype=bool),
    )  # fmt: skip
    print(f"{len(given)} rows, {sum(row.label for row in given)} neural; {sum(rows.reserved)} reserved")
    for names in [*((name,) for name in blocks if name != FRAMES), CHOSEN]:
        systems = exam.by_system(scorer(blocks, rows, names), rows, exam.crossed(rows))
        print(f"{' + '.join(names)}: {shown(systems)}", flush=True)
    systems = exam.by_system(baseline(blocks[FRAMES], rows), rows, exam.crossed(rows))
    print(f"LFCC-GMM: {shown(systems)}", flush=True)
    above = exam.above_its_original(scorer(blocks, rows, CHOSEN), rows, exam.crossed(rows))
    print(f"above the recording that it was made from: {above}")
    if options.report:
        report(rows, scorer(blocks, rows, CHOSEN), conditions)
        systems = exam.by_system(baseline(blocks[FRAMES], rows), rows, iter([exam.reserved(rows)]))
        print("reserved, LFCC-GMM:", shown(systems))


if __name__ == "__main__":
    main()
