"""Targets with a known dose of a fault in them: what a probe must then find. One file for each kind of target.

Each says in `spike_kind` what it is. A *spike* is read through the path of a real reading: what is planted stands in
the probabilities of a model and is written by the model's own loop, tokenizer and decoder, or it stands among stored
outputs in their own form. An *instrument check* overwrites what a generator has made: it shows that everything behind
the generator works, and says nothing of the generator.
"""

from __future__ import annotations

from .classifier import remembering_classifier
from .images import SpikedImages
from .language_model import SpikedLanguageModel, given_back, spiked_language_model
from .table import SpikedTable
from .texts import AnsweredTexts, ReplacedTexts, SpikedTexts

__all__ = [
    "AnsweredTexts",
    "ReplacedTexts",
    "SpikedImages",
    "SpikedLanguageModel",
    "SpikedTable",
    "SpikedTexts",
    "given_back",
    "remembering_classifier",
    "spiked_language_model",
]
