"""Targets with a known dose of a planted fault, which a probe must find. One file for each kind of target.

Each states its kind in `spike_kind`. A *spike* takes the path of a real reading: the fault is planted in the
probabilities of a model and written by the model's own loop, tokenizer and decoder, or it is placed among stored
outputs in their format. An *instrument check* overwrites the outputs of a generator: it shows that everything after the
generator works, and says nothing about the generator.
"""

from __future__ import annotations

from .chats import RepeatingChat
from .classifier import remembering_classifier
from .decisions import deciding_by_group
from .embeddings import SpikedEmbeddings
from .images import SpikedImages
from .language_model import SpikedLanguageModel, given_back, spiked_language_model
from .table import SpikedTable
from .texts import AnsweredTexts, PlacedTexts, ReplacedTexts, SpikedTexts

__all__ = [
    "AnsweredTexts",
    "PlacedTexts",
    "RepeatingChat",
    "ReplacedTexts",
    "SpikedEmbeddings",
    "SpikedImages",
    "SpikedLanguageModel",
    "SpikedTable",
    "SpikedTexts",
    "deciding_by_group",
    "given_back",
    "remembering_classifier",
    "spiked_language_model",
]
