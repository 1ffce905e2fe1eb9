"""`deepfake.video` on people whom neither its training nor its card has seen, at settings that it did not learn from.

The library's own exam: drawn people and the library's own forgeries, 24 frames each, through random encoders.
About two seconds a person and setting on one core::

    python benchmarks/deepfake/videos.py --people 20 --seed 1
"""

from __future__ import annotations

import argparse
from typing import Any

from guardrails.core.seeding import derive_seed
from guardrails.deepfake.videos.model import shipped
from guardrails.training.videos import LEARNT, UNSEEN, encoded_otherwise, judged, summary

COLUMNS = ("auc", "mean_iou_of_frames", "iou_at_least_half", "untouched_called_manipulated")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=20, help="a setting")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    model, seed = shipped(), derive_seed(given.seed, "benchmark")
    print(f"| setting | n | {' | '.join(COLUMNS)} |")
    rows: list[Any] = []
    for setting in UNSEEN:
        rows += (of_setting := judged(model, setting, given.people, seed=seed))
        print(line(setting, summary(of_setting, given.seed)))
    print(line("all unseen", summary(rows, given.seed)))
    for setting in LEARNT:
        print(line(f"learnt, other people: {setting}", summary(judged(model, setting, given.people, seed=seed), 0)))
    print("\nuntouched videos, encoded otherwise against as they are (½ is right):")
    for name, interval in encoded_otherwise(model, seed=seed, n=given.people).items():
        print(f"  {name}: {shown(interval)}, n = {interval['n']}")


def line(name: str, figures: dict[str, Any]) -> str:
    """Return a row of the table."""
    return f"| {name} | {figures['videos']} | {' | '.join(shown(figures[c]) for c in COLUMNS)} |"


def shown(interval: dict[str, float]) -> str:
    """Return a value with its interval."""
    return f"{interval['value']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"


if __name__ == "__main__":
    main()
