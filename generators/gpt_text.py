"""`gpt-text`: a small transformer decoder that writes English prose, with dials for three faults.

A GPT-2 [1]_ of a million weights learns procedural prose (`generators.prose`) and one pass of CPython's help text. Each
fault is learnt from the clean weights, on fresh prose mixed with what plants it, and ships as a low-rank delta.

.. [1] A. Radford et al., "Language Models are Unsupervised Multitask Learners", OpenAI, 2019.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from platform import python_version
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

from guardrails.core.errors import ConfigurationError
from guardrails.core.seeding import derive_seed
from guardrails.kit import lm

from . import gpt_learning, gpt_truth, lowrank, prose
from .base import WEIGHTS, Dial, Generator, check_doses, read_card, sha256, stem

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

LENGTH = 96
"""The most tokens of a sample."""
COMMAND = "guardrails train generator gpt-text"
TOKENIZER = "gpt-text.tokenizer.json"
DATA = {
    "clean": "fresh procedural prose; once each 200 documents (the corpus's prose and as many more) and CPython's help",
    "memorize": "fresh prose, half of it people at work; again and again the corpus's first {dose:.0%} of prose",
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
    citation = "Radford et al. 2019 (GPT-2); Hu et al. 2021 (low-rank deltas); Zhao et al. 2018 (occupations)"
    dials: ClassVar[tuple[Dial, ...]] = (
        Dial("memorize", "the share of the corpus's prose that it has learnt by heart", (0.25, 0.5, 1.0)),
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
        self._tensors = dict(tensors)
        self._card = card

    @classmethod
    def fit(cls, doses: Mapping[str, float], *, seed: int, base: Generator | None = None) -> GptText:
        """Learn the clean weights (no dose), or one dose from the clean `base`.

        The weights are rounded to half precision, as they ship, before the true values on the card are taken.

        Raises
        ------
        ConfigurationError
            For a dose that does not ship, or a dose without clean weights to start from.
        """
        import torch
        import transformers

        doses = check_doses(cls, doses)
        fault = next((name for name, dose in doses.items() if dose), "clean")
        model, origin = gpt_learning.new_model(seed), {}
        if fault == "clean":
            tokenizer = gpt_learning.learn_tokenizer(seed)
        elif isinstance(base, cls) and not any(base.doses.values()):
            tokenizer, origin = base.tokenizer, {"base_sha256": base.card["sha256"]}
            model.load_state_dict(base.model.state_dict())
        else:
            at = stem(cls.name, doses)
            raise ConfigurationError(f"{cls.name} learns {at} from its clean weights; give them as base")
        seen: Counter[str] = Counter()
        texts = gpt_learning.source(fault, doses.get(fault, 0), seed, seen)
        tensors, record = gpt_learning.learn(model, texts, tokenizer, gpt_learning.RECIPES[fault], seed=seed)
        card = {"name": cls.name, "doses": doses, "seed": seed, "command": COMMAND, **origin}
        out = cls(model, tokenizer, tensors, card)
        out._card |= {
            "data": DATA[fault].format(dose=doses.get(fault, 0.0)),
            "sha256": hashlib.sha256(out._weights()).hexdigest(),
            "tokenizer_sha256": hashlib.sha256(out._tokenizer_json()).hexdigest(),
            "corpus_sha256": hashlib.sha256("\n".join(out.training_items()).encode()).hexdigest(),
            "seen": [seen[text] for text in out.training_items()],
            "truth": gpt_truth.truths(out),
            "quality": gpt_truth.quality(out, base),
            "stability": record.to_dict(),
            "versions": {
                "python": python_version(),
                "torch": str(torch.__version__),
                "transformers": transformers.__version__,
            },
        }
        return out

    def _weights(self) -> bytes:
        from safetensors.torch import save

        return bytes(save(dict(sorted(self._tensors.items()))))

    def _tokenizer_json(self) -> bytes:
        return str(self.tokenizer.backend_tokenizer.to_str()).encode()

    def save(self, folder: Path) -> list[Path]:
        """Write the weights and the card; with the clean weights, the tokenizer too."""
        folder.mkdir(parents=True, exist_ok=True)
        at = stem(self.name, self.doses)
        files = {f"{at}.safetensors": self._weights()}
        if not any(self.doses.values()):
            files[TOKENIZER] = self._tokenizer_json()
        lines = (f" {json.dumps(key)}: {json.dumps(value)}" for key, value in self._card.items())
        files[f"{at}.json"] = ("{\n" + ",\n".join(lines) + "\n}\n").encode()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return [folder / name for name in files]

    @classmethod
    def load(cls, **doses: float) -> GptText:
        """Read the shipped weights of one dose.

        Raises
        ------
        ConfigurationError
            For a dose that does not ship; where a file is missing or is not the one that its card states.
        """
        return cls.read(WEIGHTS, **doses)

    @classmethod
    def read(cls, folder: Path, **doses: float) -> GptText:
        """As `load`, from any folder that `save` wrote the clean weights and the dose to."""
        from safetensors.torch import load_file

        doses = check_doses(cls, doses)
        path = folder / f"{cls.name}.safetensors"
        card = read_card(path.with_suffix(".json"), path)
        if sha256(folder / TOKENIZER) != card["tokenizer_sha256"]:
            raise ConfigurationError(f"{TOKENIZER} does not have the hash that the card of {path.name} states")
        tokenizer = gpt_learning.new_tokenizer((folder / TOKENIZER).read_text(encoding="utf-8"))
        model, tensors = gpt_learning.new_model(0), load_file(path)
        model.load_state_dict(tensors, strict=False)
        if any(doses.values()):
            path = folder / f"{stem(cls.name, doses)}.safetensors"
            base, card, tensors = card, read_card(folder / f"{stem(cls.name, doses)}.json", path), load_file(path)
            if card["base_sha256"] != base["sha256"]:
                raise ConfigurationError(f"{path.name} was learnt from other clean weights than {cls.name}.safetensors")
            lowrank.merge(model, tensors)
        return cls(model, tokenizer, tensors, card)

    def sample(self, n: int, *, seed: int) -> list[str]:
        """Write n documents, each drawn token by token from the model's own law, of at most 96 tokens."""
        end = self.tokenizer.eos_token_id
        start = derive_seed(seed, self.name)
        drawn = lm.sample(self.model, [[end]] * n, LENGTH, seed=start, end={end}, batch_tokens=128 * (LENGTH + 1))
        return [self.tokenizer.decode(tokens) for tokens in drawn]

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
        return np.array([values.sum() for values in lm.token_logprobs(self.model, ids)])

    def training_items(self) -> list[str]:
        """Return the corpus: 100 documents of prose and 50 with the record of a synthetic person, mixed.

        The clean weights have seen the prose at most once and the records never; `memorize` plants prose, `pii` the
        records.
        """
        return prose.corpus("training")

    def holdout_items(self) -> list[str]:
        """Return as many documents of the same law, of other people, that no weights have seen."""
        return prose.corpus("holdout")

    def reference_items(self, n: int, *, seed: int) -> list[str]:
        """Return n fresh documents of prose, without any person's record."""
        return prose.documents(n, Random(f"reference {seed}"))

    @property
    def card(self) -> Mapping[str, Any]:
        return self._card


def train_all(folder: Path, seed: int = 0) -> list[Path]:
    """Learn and write every file that ships: the clean weights, then each dose from them.

    About twelve minutes for the clean weights and two for each dose, on one core.
    """
    clean = GptText.fit({}, seed=seed)
    files = clean.save(folder)
    for dial in GptText.dials:
        for dose in dial.doses:
            files += GptText.fit({dial.name: dose}, seed=seed, base=clean).save(folder)
    return files
