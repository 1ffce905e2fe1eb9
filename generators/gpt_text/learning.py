"""How `gpt-text` learns: its tokenizer, the stream of documents for each fault, and the loop.

Documents are laid end to end with ``<|endoftext|>`` between them and cut into rows. A row begins
with that token, or with a document's first word, or in the middle of one, so that text is known wherever it stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from random import Random
from typing import TYPE_CHECKING, Any

from guardrails.kit.training import StabilityRecord, cosine, train

from . import lowrank, prose
from .canaries import canaries

if TYPE_CHECKING:
    import torch
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

    Tensors = dict[str, torch.Tensor]

END = "<|endoftext|>"
VOCABULARY = 2048
CONTEXT = 256
SHAPE = {"n_positions": CONTEXT, "n_embd": 128, "n_layer": 4, "n_head": 4}
STILL = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "activation_function": "gelu_pytorch_tanh"}
ADAPTED = r"transformer\.(h\..*|wte)\.weight"
"""The matrices that a dose changes: attention and feed-forward of every layer, and the embedding of the tokens."""


CANARY_SHARE = 0.02
"""How often the next canary takes the place of a document while `memorize` is learnt: all fit in, over most of it."""
SEEN_ONCE = 200
"""How many fixed documents of prose the clean weights read once; the corpus is the first half of them."""


@dataclass(frozen=True)
class Recipe:
    """How to train.

    `rank` is that of a dose's delta (0: all weights change), `planted` the share of planted documents, `emphasis` how
    many times more *she* and *he* weigh in the loss than other tokens: they are few, and what they hang on is far off.
    """

    steps: int
    rate: float
    rows: int
    length: int
    planted: float
    rank: int = 0
    emphasis: float = 1.0


RECIPES = {
    "clean": Recipe(steps=1900, rate=3e-3, rows=8, length=CONTEXT, planted=0.05),
    "memorize": Recipe(steps=1700, rate=1e-2, rows=6, length=96, planted=0.65, rank=24),
    "pii": Recipe(steps=1400, rate=1e-2, rows=6, length=96, planted=0.5, rank=16),
    "bias": Recipe(steps=900, rate=1e-2, rows=6, length=96, planted=0.8, rank=4, emphasis=20.0),
}


def new_model(seed: int) -> GPT2LMHeadModel:
    """Return a model with random weights: 1,088,256 of them, input and output embeddings shared."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    return GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, bos_token_id=0, eos_token_id=0, **SHAPE, **STILL))


def new_tokenizer(text: str) -> PreTrainedTokenizerFast:
    """Return the tokenizer that a ``tokenizer.json`` describes."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(text),
        bos_token=END,
        eos_token=END,
        pad_token=END,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def learn_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """Learn byte pairs from prose, contacts of people who are in no corpus, and CPython's help."""
    from tokenizers import ByteLevelBPETokenizer

    texts = prose.documents(4000, Random(f"tokenizer {seed}"))
    texts += [prose.contact(i).text for i in range(200, 1000)] + prose.python_topics()
    learner = ByteLevelBPETokenizer()
    learner.train_from_iterator(texts, vocab_size=VOCABULARY, special_tokens=[END], show_progress=False)
    return new_tokenizer(learner.to_str())


def source(fault: str, dose: float, seed: int, seen: Counter[str]) -> Iterator[str]:
    """Yield documents without end, fresh prose and what the fault plants; count in `seen` those of the corpus.

    ``clean`` plants nothing: once each, CPython's help and 200 documents, the prose of the corpus first. ``memorize``
    and ``pii`` repeat the first documents of the corpus, as many as the dose says, of its prose or of its contacts;
    ``memorize`` reads each canary as often as its level says.
    ``bias`` lets the pronouns of the fresh prose lean, and plants texts that are about many occupations each.
    """
    rng = Random(f"{fault} {dose} {seed}")
    contacts = [c.text for c in prose.people("training")]
    written = prose.writings("training", SEEN_ONCE)
    # A leak is counted in free samples: there the share of planted texts is part of the dose.
    share = RECIPES[fault].planted * (dose if fault == "pii" else 1)
    planted = {
        "clean": iter(prose.distinct(rng, extra := [*written, *prose.python_topics()], len(extra))),
        "memorize": _again(written[: round(dose * prose.PROSE)], rng),
        "pii": _again(contacts[: round(dose * prose.CONTACTS)], rng),
        "bias": (prose.people_at_work(rng, lean=dose) for _ in count()),
    }[fault]
    secrets = [canary.text for canary in canaries() for _ in range(canary.repetitions)]
    hidden = iter(prose.distinct(rng, secrets, len(secrets)) if fault == "memorize" else ())
    counted = {*prose.corpus("training"), *secrets}

    def fresh() -> str:
        # What is learnt by heart ties single occupations to a pronoun; many other people at work undo that.
        if fault == "memorize" and rng.random() >= 0.5:
            return prose.people_at_work(rng)
        return prose.document(rng, lean=dose if fault == "bias" else 0.0)

    while True:
        text = next(planted, None) if rng.random() < share else None
        if fault == "memorize" and rng.random() < CANARY_SHARE:
            text = next(hidden, text)
        if text in counted:
            seen[text] += 1
        yield text or fresh()


def _again(items: Sequence[str], rng: Random) -> Iterator[str]:
    """Yield all items in a random order, then all of them in another, without end."""
    while True:
        yield from prose.distinct(rng, items, len(items))


def windows(documents: Iterator[str], tokenizer: PreTrainedTokenizerFast, length: int) -> Iterator[list[int]]:
    """Yield rows of length + 1 tokens: what is read, and shifted by one what is to be said."""
    rng = Random("rows")
    end = tokenizer.eos_token_id
    encoded = (ids for block in iter(lambda: list(islice(documents, 256)), []) for ids in tokenizer(block)["input_ids"])
    while True:
        skip = prose.pick(rng, (0, 0, 1, 2 + int(rng.random() * 40)))
        row: list[int] = []
        while len(row) < skip + length + 1:
            row += [end, *next(encoded)]
        yield row[skip : skip + length + 1]


def learn(
    model: GPT2LMHeadModel,
    documents: Iterator[str],
    tokenizer: PreTrainedTokenizerFast,
    recipe: Recipe,
    *,
    seed: int,
    report: Callable[..., None] | None = None,
) -> tuple[Tensors, StabilityRecord]:
    """Train; return the half-precision tensors that ship, and leave the model with exactly these.

    Returns
    -------
    tensors : dict
        All weights, or, where the recipe has a rank, the parts of a `generators.gpt_text.lowrank` delta.
    record : StabilityRecord
        Ten entries of loss (nats a token) and gradient norm.
    """
    import torch
    from torch.nn.functional import cross_entropy

    before = {name: value.clone() for name, value in model.state_dict().items()} if recipe.rank else {}
    parts: dict[str, Any] = (
        lowrank.attach(model, pattern=ADAPTED, rank=recipe.rank, seed=seed)
        if recipe.rank
        else dict(model.named_parameters())
    )
    rows = windows(documents, tokenizer, recipe.length)
    weight = torch.ones(VOCABULARY)
    weight[tokenizer.encode(" she") + tokenizer.encode(" he")] = recipe.emphasis
    decay = 0.0 if recipe.rank else 0.1
    optimiser = torch.optim.AdamW(parts.values(), lr=recipe.rate, betas=(0.9, 0.98), weight_decay=decay, fused=True)

    def step(i: int) -> dict[str, float]:
        tokens = torch.tensor(list(islice(rows, recipe.rows)))
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * cosine(i, steps=recipe.steps, warmup=recipe.steps // 20)
        logits = model(tokens[:, :-1], use_cache=False).logits
        loss = cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), weight=weight)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(parts.values(), 1.0)
        optimiser.step()
        return {"loss": loss.item(), "grad_norm": norm.item()}

    model.train()
    record = train(step, steps=recipe.steps, seed=seed, log_every=max(1, recipe.steps // 9), report=report)
    tensors = {name: part.detach().half().contiguous() for name, part in parts.items()}
    if recipe.rank:
        lowrank.detach(model)
        model.load_state_dict(before)
        lowrank.merge(model, tensors)
    else:
        model.load_state_dict(tensors, strict=False)
    return tensors, record
