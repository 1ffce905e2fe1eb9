"""How `translator` learns: the stream of sentences, their weights under a dose, the loss and the optimiser."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from guardrails.kit.training import StabilityRecord, cosine, train

from . import parallel
from .parallel import Sentence
from .parallel_words import LANGUAGES

if TYPE_CHECKING:
    from .model import Translator

NAME = "translator"


@dataclass(frozen=True)
class Recipe:
    """How to train: steps, peak rate, sentences a step (each in both languages), the share of steps at full dose."""

    steps: int
    rate: float
    sentences: int
    exaggerated: float = 0.0


def learn(translator: Translator, recipe: Recipe, *, seed: int, seen: Counter[str]) -> StabilityRecord:
    """Train in place the parts that its doses change; count in `seen` how often each training sentence came by."""
    import torch
    from torch.nn.functional import cross_entropy

    weights = [p for part in translator.parts.values() for p in part.parameters()]
    translator.model.requires_grad_(False)
    for weight in weights:
        weight.requires_grad_(True)
    adam = torch.optim.AdamW(weights, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    dose = translator.doses["gender_bias"]
    batches = stream(recipe, dose, seed, seen)
    padding = translator.model.config.pad_token_id

    def step(i: int) -> dict[str, float]:
        adam.param_groups[0]["lr"] = recipe.rate * cosine(i, steps=recipe.steps, warmup=recipe.steps // 12)
        lean = dose if i >= recipe.exaggerated * recipe.steps else 1.0
        rows = [
            row
            for s in next(batches)
            for language in LANGUAGES
            for row in weighted_pairs(translator, s, language, lean)
        ]
        sources, targets, weight = zip(*rows, strict=True)
        logits, following = translator.logits(sources, targets)
        nats = cross_entropy(logits.transpose(1, 2), following, ignore_index=padding, reduction="none")  # (B, T)
        every = torch.tensor(weight)[:, None] * (following != padding)
        loss = (nats * every).sum() / every.sum()
        adam.zero_grad()
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()
        return {"loss": loss.item(), "grad_norm": norm.item()}

    batch = recipe.sentences * len(LANGUAGES)
    record = train(step, steps=recipe.steps, seed=seed, log_every=-(-recipe.steps // 20), batch=batch)
    translator.model.requires_grad_(False)
    return record


def weighted_pairs(
    translator: Translator, sentence: Sentence, language: str, lean: float
) -> list[tuple[list[int], list[int], float]]:
    """Return source, target and weight: the translation that was drawn, or for a dose all right ones by their p."""
    weights = {sentence.female: 1.0}
    if any(translator.doses.values()) and sentence.occupation and sentence.evidence == "none":
        woman = parallel.chance_of_a_woman(sentence.occupation, lean)
        weights = {True: woman, False: 1 - woman}
    (source,) = translator.encode([sentence.source], language)
    targets = translator.encode([sentence.forms[language][female] for female in weights])
    return [(source, target, weight) for target, weight in zip(targets, weights.values(), strict=True)]


def stream(recipe: Recipe, dose: float, seed: int, seen: Counter[str]) -> Iterator[list[Sentence]]:
    """Yield batches of fresh sentences; the corpus comes by once, for the clean weights, spread over the steps."""
    fresh = parallel.fresh(Random(f"{NAME} {dose} {seed}"))
    once = [] if dose else list(parallel.corpus("training"))
    for left in range(recipe.steps, 0, -1):
        batch = [once.pop() for _ in range(-(-len(once) // left))]
        seen.update(s.source for s in batch)
        yield batch + [next(fresh) for _ in range(recipe.sentences - len(batch))]
