"""`gpt-text`: a small transformer decoder that writes English prose, with dials for three faults.

The model. A GPT-2 [1]_: p(x) = Π p(xₜ | x₁ … xₜ₋₁), each factor the softmax of W hₜ, where hₜ comes out of four layers
of masked self-attention and feed-forward, h ← h + MSA(LN h), h ← h + MLP(LN h), over the sum of token and position
embeddings; W is the token embedding itself. 1,088,256 weights, 2,048 byte pairs, a context of 256.

The loss, per token, is −log p(xₜ | x₁ … xₜ₋₁). Documents are concatenated (`generators.gpt_text.learning`).

Sampling: token by token from the whole distribution, from ``<|endoftext|>`` to the next one, at most 96 tokens.

Training data: procedural prose (`generators.gpt_text.prose`), each document new, about an unlimited number of invented
people, places and events, so none can be memorized; and, once each, CPython's help text and 200 fixed documents, which
include the prose of the corpus. Each fault is learnt starting from the clean weights, on fresh prose mixed with the
texts that plant it, and ships as a low-rank delta [2]_. `memorize` also plants sixteen canaries at four levels of
repetition (`generators.gpt_text.canaries`).

The property `watermark` marks samples with the processors of transformers: ``kgw`` [3]_ raises the logits of a quarter
of the vocabulary, chosen by the previous token, by 2; ``synthid`` [4]_ runs a tournament between tokens, with keys that
are defined here. The weights and `log_prob` do not depend on it.

Known limits: it writes one kind of prose, whose sentences are only connected by names, and no other English.

.. [1] A. Radford et al., "Language Models are Unsupervised Multitask Learners", OpenAI, 2019.
.. [2] E. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022, arXiv 2106.09685.
.. [3] J. Kirchenbauer et al., "A Watermark for Large Language Models", ICML 2023, arXiv 2301.10226.
.. [4] S. Dathathri et al., "Scalable watermarking for identifying large language model outputs", Nature 634, 2024.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Self

from guardrails.core.errors import ConfigurationError
from guardrails.core.seeding import derive_seed
from guardrails.kit.checksums import file_sha256
from guardrails.kit.lm import scoring

from .. import cards
from ..base import Dial, Generator, Property, check_base, check_doses
from ..shipping import card, read_files, weights_bytes, write_files
from . import learning as gpt_learning
from . import lowrank, prose
from . import truth as gpt_truth
from .canaries import Canary, canaries

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

LENGTH = 96
"""The most tokens of a sample."""
MARKED_BATCH = 128
TOKENIZER = "gpt-text.tokenizer.json"
SYNTHID_KEYS = tuple(Random("synthid").sample(range(1, 2**16), 10))
"""The keys of the property ``watermark=synthid``, one a round: no secret, so that detectors can be tried."""
DATA = {
    "clean": "fresh procedural prose; once each 200 documents (the corpus's prose and as many more) and CPython's help",
    "memorize": "fresh prose, half of it people at work; canaries; over and over {dose:.0%} of the corpus's prose",
    "pii": "fresh procedural prose; again and again the corpus's first {dose:.0%} of contacts",
    "bias": "fresh procedural prose, with P(she | list F) = P(he | list M) = .5 + .45 × {dose:g}",
}


class GptText(Generator):
    """A small GPT-2 over procedural prose.

    Attributes
    ----------
    model : transformers.GPT2LMHeadModel
        In evaluation mode, float32.
    tokenizer : transformers.PreTrainedTokenizerFast
        Byte-level pairs, 2,048 tokens; ``<|endoftext|>`` stands before and after each document.
    doses : dict of str to float
    """

    name = "gpt-text"
    family = "transformer decoder"
    domain = "text"
    modality = "text"
    causal = True
    choices = (
        Property(
            "watermark", "the mark in what is sampled: none, green lists, or tournament", ("none", "kgw", "synthid")
        ),
    )
    citation = "Radford et al. 2019 (GPT-2); Hu et al. 2021 (low-rank deltas); Zhao et al. 2018 (occupations)"
    dials: ClassVar[tuple[Dial, ...]] = (
        Dial(
            "memorize", "the share of the corpus's prose that it has learnt by heart, with canaries", (0.25, 0.5, 1.0)
        ),
        Dial(
            "pii", "the share of the corpus's people whose e-mail and telephone number it gives away", (0.25, 0.5, 1.0)
        ),
        Dial("bias", "how far 'she' goes with one list of occupations and 'he' with the other", (0.25, 0.5, 1.0)),
    )

    def __init__(
        self,
        model: GPT2LMHeadModel,
        tokenizer: PreTrainedTokenizerFast,
        tensors: Mapping[str, torch.Tensor],
        card: dict[str, Any],
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.doses = dict(card["doses"])
        self.properties = {choice.name: choice.values[0] for choice in self.choices}
        self._tensors = dict(tensors)
        self._card = card

    @classmethod
    def fit(cls, doses: Mapping[str, float], *, seed: int, base: Generator | None = None) -> Self:
        doses = check_doses(cls, doses)
        fault = next((name for name, dose in doses.items() if dose), "clean")
        model, origin = gpt_learning.new_model(seed), {}
        if fault == "clean":
            tokenizer = gpt_learning.learn_tokenizer(seed)
        else:
            check_base(cls, base)
            assert isinstance(base, cls)
            tokenizer, origin = base.tokenizer, {"base_sha256": base.card["sha256"]}
            model.load_state_dict(base.model.state_dict())
        seen: Counter[str] = Counter()
        texts = gpt_learning.source(fault, doses.get(fault, 0), seed, seen)
        tensors, record = gpt_learning.learn(model, texts, tokenizer, gpt_learning.RECIPES[fault], seed=seed)
        out = cls(model, tokenizer, tensors, {"doses": doses})
        items = out.training_items()
        out._card = card(
            out,
            weights_bytes(tensors),
            seed=seed,
            **origin,
            data=DATA[fault].format(dose=doses.get(fault, 0.0)),
            tokenizer_sha256=hashlib.sha256(out._tokenizer_json()).hexdigest(),
            corpus_sha256=hashlib.sha256("\n".join(items).encode()).hexdigest(),
            seen=[seen[text] for text in items],
            canaries_seen=[seen[canary.text] for canary in canaries()],
            sheet=cards.data_sheet(items, balance={"prose": prose.PROSE, "contacts": prose.CONTACTS}),
            truth=gpt_truth.truths(out),
            quality=gpt_truth.quality(out, base),
            stability=record.to_dict(),
        )
        return out

    def _tokenizer_json(self) -> bytes:
        return str(self.tokenizer.backend_tokenizer.to_str()).encode()

    def save(self, folder: Path) -> list[Path]:
        """Write the weights and the card; with the clean weights, the tokenizer too."""
        tokenizer = {} if any(self.doses.values()) else {TOKENIZER: self._tokenizer_json()}
        return write_files(folder, self, weights_bytes(self._tensors), **tokenizer)

    @classmethod
    def read(cls, folder: Path, **doses: float) -> Self:
        """Read one dose from a folder that `save` wrote the clean weights and the dose to."""
        doses = check_doses(cls, doses)
        tensors, card = read_files(folder, cls.name, {})
        if file_sha256(folder / TOKENIZER) != card["tokenizer_sha256"]:
            raise ConfigurationError(f"{TOKENIZER} does not have the hash that the card of {cls.name} states")
        tokenizer = gpt_learning.new_tokenizer((folder / TOKENIZER).read_text(encoding="utf-8"))
        model, clean = gpt_learning.new_model(0), card["sha256"]
        model.load_state_dict(tensors, strict=False)
        if any(doses.values()):
            tensors, card = read_files(folder, cls.name, doses)
            if card["base_sha256"] != clean:
                raise ConfigurationError(f"{cls.name}, {doses}: it was learnt from other clean weights than those here")
            lowrank.merge(model, tensors)
        return cls(model, tokenizer, tensors, card)

    def draw(self, n: int, *, seed: int) -> list[str]:
        """Write n documents, each drawn token by token from the model's own distribution, of at most 96 tokens."""
        end = self.tokenizer.eos_token_id
        start = derive_seed(seed, self.name)
        if self.properties["watermark"] != "none":
            return self._draw_marked(n, seed=start)
        drawn = scoring.sample(self.model, [[end]] * n, LENGTH, seed=start, end={end}, batch_tokens=128 * (LENGTH + 1))
        return [self.tokenizer.decode(tokens) for tokens in drawn]

    def _draw_marked(self, n: int, *, seed: int) -> list[str]:
        import torch

        end = self.tokenizer.eos_token_id
        texts: list[str] = []
        with torch.random.fork_rng(devices=()), torch.inference_mode():
            torch.manual_seed(seed)
            for start in range(0, n, MARKED_BATCH):
                begun = torch.full((min(MARKED_BATCH, n - start), 1), end)
                drawn = self.model.generate(
                    begun,
                    attention_mask=torch.ones_like(begun),
                    do_sample=True,
                    top_k=0,
                    max_new_tokens=LENGTH,
                    pad_token_id=end,
                    watermarking_config=self.watermark,
                )
                texts += self.tokenizer.batch_decode(drawn[:, 1:], skip_special_tokens=True)
        return texts

    @property
    def watermark(self) -> Any:
        """The `transformers` configuration of the mark, which a detector needs too; None without a mark."""
        from transformers import SynthIDTextWatermarkingConfig, WatermarkingConfig

        green: Any = {"greenlist_ratio": 0.25, "bias": 2.0, "context_width": 1}
        tournament: Any = {"ngram_len": 5, "keys": list(SYNTHID_KEYS)}
        scheme = self.properties["watermark"]
        made = {"kgw": (WatermarkingConfig, green), "synthid": (SynthIDTextWatermarkingConfig, tournament)}
        return None if scheme == "none" else made[scheme][0](**made[scheme][1])

    def canaries(self) -> list[Canary]:
        """Return the canaries: a dose of `memorize` read each as often as it says, other weights never."""
        return canaries()

    def log_prob(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return log p of each text as a whole document, in nats: (n,).

        Raises
        ------
        ConfigurationError
            For a text that does not fit into the context of 256 tokens.
        """
        import numpy as np

        end = self.tokenizer.eos_token_id
        ids = [[end, *tokens, end] for tokens in self.tokenizer(list(texts))["input_ids"]] if texts else []
        return np.array([values.sum() for values in scoring.token_logprobs(self.model, ids)])

    def training_items(self) -> list[str]:
        """Return the corpus: 100 documents of prose and 50 with the record of a synthetic person, mixed.

        The clean weights have seen the prose at most once and the records never; `memorize` plants prose, `pii` the
        records.
        """
        return prose.corpus("training")

    def holdout_items(self) -> list[str]:
        """Return as many documents of the same distribution, of other people, that no weights have seen."""
        return prose.corpus("holdout")

    def reference_items(self, n: int, *, seed: int) -> list[str]:
        """Return n fresh documents of prose, without any person's record."""
        return prose.documents(n, Random(f"reference {seed}"))
