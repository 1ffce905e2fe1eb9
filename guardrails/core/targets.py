"""The contract of targets: what they make, what the auditor may use of them, and how each kind is asked."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    """(H, W, 3) or (H, W), 0–255."""


class Access(StrEnum):
    """What the auditor may use of a target."""

    OUTPUTS = "outputs"
    SAMPLING = "sampling"
    LOGPROBS = "logprobs"
    WEIGHTS = "weights"
    TRAINING_DATA = "training-data"
    HOLDOUT = "holdout"
    RETRAINING = "retraining"


class Modality(StrEnum):
    """What a target makes."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    TABLE = "table"


@runtime_checkable
class Target(Protocol):
    """What is audited. `access` says which of the modality's methods below may be called."""

    name: str
    modality: Modality
    access: frozenset[Access]

    def identity(self) -> dict[str, str]:
        """Return hashes and versions that say exactly what was audited."""
        ...


@runtime_checkable
class TextTarget(Target, Protocol):
    """A target that writes text (`SAMPLING`)."""

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        """Return one continuation per prompt, without the prompt. Temperature 0 is greedy."""
        ...


@runtime_checkable
class LanguageModelTarget(TextTarget, Protocol):
    """A text target whose tokens and log-probabilities can be read (`LOGPROBS`)."""

    def encode(self, text: str) -> list[int]: ...

    def decode(self, tokens: Sequence[int]) -> str: ...

    @property
    def context_length(self) -> int:
        """The longest sequence of tokens that the model can read."""
        ...

    def continue_tokens(self, prefixes: Sequence[Sequence[int]], *, n: int) -> list[list[int]]:
        """Return the greedy continuation of each prefix, n tokens long (shorter only at an end-of-text token)."""
        ...

    def token_logprobs(self, sequences: Sequence[Sequence[int]]) -> list[NDArray[np.float64]]:
        """Return, per sequence, log p(token | tokens before it) for every token but the first: (length − 1,), ≤ 0."""
        ...


@runtime_checkable
class TextOutputs(Target, Protocol):
    """Texts that a target wrote without being asked for anything: what it says of itself (`OUTPUTS`)."""

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        """Return n texts. A model writes them from its first token; a file returns n of its rows without replacement.

        Raises
        ------
        TargetError
            Where a file holds fewer than n rows.
        """
        ...

    @property
    def available(self) -> int | None:
        """How many texts there are, or None where there is no end."""
        ...


@runtime_checkable
class ImageTarget(Target, Protocol):
    """A target that makes pictures, or a folder of them."""

    def sample_images(self, n: int, *, seed: int) -> Sequence[Image]:
        """Return n pictures as (H, W, 3) uint8. A folder returns n of its files without replacement, read lazily.

        Raises
        ------
        TargetError
            Where a folder holds fewer than n readable pictures.
        """
        ...

    @property
    def available(self) -> int | None:
        """How many pictures there are, or None where there is no end."""
        ...


@runtime_checkable
class TableTarget(Target, Protocol):
    """A target that makes rows, or a table of them."""

    def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame: ...

    @property
    def available(self) -> int | None: ...
