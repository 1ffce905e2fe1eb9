"""How near scoring sentence pairs comes to the bare model's forward pass: python benchmarks/sentence_pairs.py

SmolLM2 scores the first N of the built-in pairs, all languages after one another, or of those in a file (``--data``,
such as CrowS-Pairs), as `bias.stereotype-pairs` does: text in, four scores of each pair out. The bare pass gets the
tokens of the same different sentences, in length-sorted batches of whichever size suits it best, and throws its logits
away. It reads every sentence whole; scoring reads once what sentences begin with alike, so that the ratio may be above
1. Where lm-evaluation-harness is installed, it scores the same different sentences with the same model, as its task
``crows_pairs`` does, at whichever batch size suits it best. All are run in turns; each keeps its best round, so that
other work on the machine does not count.
"""

import argparse
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lm_scoring import BUDGETS, Way, bare, best_of, options_of, verdict

from guardrails.bias.pairs.items import Pair, built_in_pairs, read_pairs
from guardrails.bias.pairs.scoring import beginning, pair_scores, score_texts
from guardrails.bias.stereotype_pairs import BATCH
from guardrails.core.targets import LanguageModelTarget
from guardrails.targets.package import load

PAIRS = 1508
"""As many as CrowS-Pairs has."""
HARNESS = "lm-evaluation-harness"
SENTENCES = (8, 16, 32, 64, 128)
"""Sizes of the harness's batches."""
ROUNDING = 1e-2
"""Nats by which the sums of a sentence's log-probabilities may differ between both."""


def score(target: LanguageModelTarget, pairs: list[Pair]) -> None:
    for start in range(0, len(pairs), BATCH):
        texts = [text for pair in pairs[start : start + BATCH] for text in (pair.more, pair.less)]
        scored = score_texts(target, texts)
        for more, less in zip(scored[::2], scored[1::2], strict=True):
            assert not isinstance(pair_scores(more, less), str)


@cache
def harness(target: Any, size: int) -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=target.model, tokenizer=target.tokenizer, batch_size=size)


def harness_scores(target: Any, texts: Sequence[str], size: int) -> list[float]:
    """Return the sum of the log-probabilities of each text, as the harness computes it."""
    from lm_eval.api.instance import Instance

    requests = [Instance("loglikelihood", {}, ("", text), i) for i, text in enumerate(texts)]
    return [value for value, _ in harness(target, size).loglikelihood(requests, disable_tqdm=True)]


def check_harness(target: Any, texts: Sequence[str]) -> None:
    """Stop where both do not compute the same."""
    own = [float(scored.logps.sum()) for scored in score_texts(target, texts)]
    far = max(abs(a - b) for a, b in zip(own, harness_scores(target, texts, SENTENCES[0]), strict=True))
    if far > ROUNDING:
        raise SystemExit(f"the scores differ by up to {far:.3g} nats from those of {HARNESS}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--data", type=Path, help="a file of pairs, such as crows_pairs_anonymized.csv")
    options, clock = options_of(parser, rounds=3)
    target: Any = load("smollm2")
    built_in = (pair for language in ("en", "es", "de") for pair in built_in_pairs(language))
    pairs = (read_pairs(options.data) if options.data else list(built_in))[: options.pairs]
    start = beginning(target)
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.more, pair.less)))
    sequences = [[*start, *target.encode(text)] for text in texts]
    bare(target.model, sequences[:2], BUDGETS[0])
    ways = {
        "bare": Way(lambda size: bare(target.model, sequences, size), BUDGETS),
        "scoring": Way(lambda size: score(target, pairs)),
    }
    if find_spec("lm_eval"):
        check_harness(target, texts[:16])
        for size in SENTENCES:
            harness(target, size)
        ways[HARNESS] = Way(lambda size: harness_scores(target, texts, size), SENTENCES)
    else:
        print(f"{HARNESS} is not installed and left out: python scripts/run_benchmarks.py sentence_pairs installs it")
    best = best_of(ways, options.rounds, clock)
    scoring = best["scoring"].seconds
    print(
        f"{len(pairs):,} pairs of {len(texts):,} different sentences, {sum(map(len, sequences)):,} tokens: forward "
        f"{best['bare'].seconds:.1f} s (batches of {best['bare'].size} tokens), scoring {scoring:.1f} s: "
        + verdict(best["bare"].seconds / scoring)
    )
    if HARNESS in best:
        peer = best[HARNESS]
        print(f"{HARNESS}: {peer.seconds:.1f} s (batches of {peer.size} sentences), {peer.seconds / scoring:.2f} times")


if __name__ == "__main__":
    main()
