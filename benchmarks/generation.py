"""How long each reference generator takes for a thousand outputs, as a share of the minute that it may take.

    python benchmarks/generation.py [NAME …] [-n 1000]

Prints a table: outputs, seconds, the share of the bar that they take, and how much longer the clean generator of its
kind would take for one output at a time than in batches. `diffusion-photo` and videos of `faceswap` have no bar.
"""

from __future__ import annotations

import argparse
import time

from generators.base import Generator, find_generator, generators

BAR = 60.0
FREE = {("diffusion-photo", ()), ("faceswap", (("output", "video"),))}
ALONE = 5
"""Outputs that are drawn one at a time."""


def cases(names: list[str]) -> list[tuple[str, dict[str, str]]]:
    pairs = []
    for name in names or list(generators()):
        pairs.append((name, {}))
        for choice in find_generator(name).choices:
            pairs += [(name, {choice.name: value}) for value in choice.values[1:]]
    return pairs


def seconds(generator: Generator, n: int) -> float:
    start = time.perf_counter()
    generator.items(n, seed=0)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("-n", type=int, default=1000)
    asked = parser.parse_args()
    print(f"{'generator':<34}{'outputs':>8}{'seconds':>9}{'of the bar':>12}{'one by one / batched':>22}")
    for name, settings in cases(asked.names):
        generator = find_generator(name).load(**settings)
        video = settings.get("output") == "video"
        n = asked.n // 20 if video else asked.n
        generator.items(1, seed=1)  # what is loaded once is not counted
        took = seconds(generator, n)
        alone = seconds_alone(generator) / ALONE / (took / n)
        label = ",".join([name, *(f"{k}={v}" for k, v in settings.items())])
        bar = "none" if (name, tuple(settings.items())) in FREE else f"{took / n * 1000 / BAR:.0%}"
        print(f"{label:<34}{n:>8}{took:>9.1f}{bar:>12}{alone:>22.1f}", flush=True)


def seconds_alone(generator: Generator) -> float:
    start = time.perf_counter()
    for seed in range(ALONE):
        generator.items(1, seed=seed)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
