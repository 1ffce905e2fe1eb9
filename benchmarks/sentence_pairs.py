"""How near scoring sentence pairs comes to the bare model's forward pass: python benchmarks/sentence_pairs.py

SmolLM2 scores the first N of the built-in pairs, all languages after one another, as `bias.stereotype-pairs` does: text
in, four scores of each pair out. The bare pass gets the tokens of the same different sentences, in length-sorted
batches of whichever size suits it best, and throws its logits away. Both are run in turns; each keeps its best round,
so that other work on the machine does not count.
"""

import argparse
import time

import torch
from lm_scoring import BAR, BUDGETS, bare, seconds

from guardrails.bias.pairs.items import Pair, built_in_pairs
from guardrails.bias.pairs.scoring import beginning, pair_scores, score_texts
from guardrails.bias.stereotype_pairs import BATCH
from guardrails.core.targets import LanguageModelTarget
from guardrails.targets.package import load

PAIRS = 1508
"""As many as CrowS-Pairs has."""


def score(target: LanguageModelTarget, pairs: list[Pair]) -> None:
    for start in range(0, len(pairs), BATCH):
        texts = [text for pair in pairs[start : start + BATCH] for text in (pair.more, pair.less)]
        scored = score_texts(target, texts)
        for more, less in zip(scored[::2], scored[1::2], strict=True):
            assert not isinstance(pair_scores(more, less), str)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="default: torch's own choice")
    parser.add_argument("--cpu-time", action="store_true", help="count processor time: for a busy machine, one thread")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    clock = time.process_time if options.cpu_time else time.perf_counter
    target = load("smollm2")
    pairs = [pair for language in ("en", "es", "de") for pair in built_in_pairs(language)][: options.pairs]
    start = beginning(target)
    different = dict.fromkeys(text for pair in pairs for text in (pair.more, pair.less))
    sequences = [[*start, *target.encode(text)] for text in different]
    bare(target.model, sequences[:2], BUDGETS[0])
    first = {budget: seconds(lambda b=budget: bare(target.model, sequences, b), clock) for budget in BUDGETS}
    best = min(first, key=first.__getitem__)
    forward, scoring = first[best], float("inf")
    for _ in range(options.rounds):
        scoring = min(scoring, seconds(lambda: score(target, pairs), clock))
        forward = min(forward, seconds(lambda: bare(target.model, sequences, best), clock))
    ratio = forward / scoring
    print(
        f"{len(pairs):,} pairs of {len(sequences):,} different sentences, {sum(map(len, sequences)):,} tokens: forward "
        f"{forward:.1f} s (batches of {best}), scoring {scoring:.1f} s: ratio {ratio:.2f} "
        f"({'meets' if ratio >= BAR else 'misses'} the bar of {BAR})"
    )


if __name__ == "__main__":
    main()
