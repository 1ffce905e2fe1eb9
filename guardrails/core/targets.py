"""The interfaces of targets: what they generate, what an audit may use of them, and the methods of each kind.

A probe names the protocol that it needs: ``class Extraction(Probe[LanguageModelTarget])``. Each protocol says in
brackets which access of a target allows its methods. Whether a target has what only some of a kind offer is asked of it
by `takes_prompts` and `has_logprobs`, which look at its `access`, and not by `isinstance`: what wraps a target, as a
spike does, passes on the methods of the target without having them itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeGuard, runtime_checkable

from .conversations import Chat
from .errors import TargetError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    """(H, W, 3) or (H, W), 0–255."""


class Access(StrEnum):
    """What an audit may use of a target."""

    OUTPUTS = "outputs"
    SAMPLING = "sampling"
    CONVERSATIONS = "conversations"
    LOGPROBS = "logprobs"
    PREDICTIONS = "predictions"
    EMBEDDINGS = "embeddings"
    WEIGHTS = "weights"
    TRAINING_DATA = "training-data"
    HOLDOUT = "holdout"
    RETRAINING = "retraining"


class Modality(StrEnum):
    """What a target generates."""

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
        """Return hashes and versions that identify what was audited."""
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
class ChatTarget(Target, Chat, Protocol):
    """A target that answers conversations (`CONVERSATIONS`)."""


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


class MomentsTarget(LanguageModelTarget, Protocol):
    """A language model that also returns mean and spread of the log-probabilities of each prediction (`LOGPROBS`)."""

    def token_moments(self, sequences: Sequence[Sequence[int]]) -> list[NDArray[np.float64]]:
        """Return, per sequence, log p of every token but the first, and mean and spread of log p: (length − 1, 3)."""
        ...


@runtime_checkable
class EmbeddingTarget(Target, Protocol):
    """What turns texts into vectors (`EMBEDDINGS`)."""

    def embed(self, texts: Sequence[str]) -> NDArray[Any]:
        """Return the vector of each text, (N, D)."""
        ...


@runtime_checkable
class TextOutputs(Target, Protocol):
    """Texts that a target wrote without a prompt (`OUTPUTS`)."""

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
        """The number of texts, or None if it is unlimited."""
        ...


@runtime_checkable
class StoredTexts(TextOutputs, Protocol):
    """Texts that were written before the audit, such as those of a file (`OUTPUTS`): `available` is their number."""

    def outputs(self) -> Sequence[str]:
        """Return every text, in the order in which they are stored."""
        ...


@runtime_checkable
class ImageTarget(Target, Protocol):
    """A target that generates pictures, or a folder of them (`OUTPUTS`)."""

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
        """The number of pictures, or None if it is unlimited."""
        ...


@runtime_checkable
class TableTarget(Target, Protocol):
    """A target that generates rows, or a table of them (`OUTPUTS`)."""

    def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame:
        """Return n rows. A table returns n of its own without replacement.

        Raises
        ------
        TargetError
            Where a table holds fewer than n rows.
        """
        ...

    @property
    def available(self) -> int | None:
        """The number of rows, or None if it is unlimited."""
        ...


@runtime_checkable
class VideoTarget(Target, Protocol):
    """A target that generates videos (`OUTPUTS`)."""

    def sample_videos(self, n: int, *, seed: int) -> Sequence[Image]:
        """Return n videos as (T, H, W, 3) uint8."""
        ...


@runtime_checkable
class SoundTarget(Target, Protocol):
    """A target that generates recordings (`OUTPUTS`)."""

    def sample_sounds(self, n: int, *, seed: int) -> Sequence[NDArray[np.float32]]:
        """Return n recordings, (samples,) each, in −1 … 1."""
        ...


@runtime_checkable
class PredictingTarget(Target, Protocol):
    """A classifier of rows whose predicted labels can be read (`PREDICTIONS`)."""

    def label(self, columns: Any) -> Any:
        """Return which of a table's columns is the label.

        Raises
        ------
        ConfigurationError
            Where the table lacks a feature, or holds nothing but features.
        """
        ...

    def predict(self, table: pd.DataFrame) -> NDArray[Any]:
        """Return the label that it predicts for each row, (N,)."""
        ...


class DecidedRows(NamedTuple):
    """Which columns of the rows that a target makes hold decisions: its attribute ``decided``, where it says so.

    Attributes
    ----------
    groups, crossed : tuple of str
        Columns of groups, and those to cross.
    prediction, label : str
        Columns of decisions and of true labels.
    positive : str
        The value that counts as selected.
    """

    groups: tuple[str, ...]
    crossed: tuple[str, ...]
    prediction: str
    label: str
    positive: str


@runtime_checkable
class ClassifierTarget(Target, Protocol):
    """A classifier of rows whose probabilities can be read (`LOGPROBS`)."""

    def label(self, columns: Any) -> Any:
        """Return which of a table's columns is the label.

        Raises
        ------
        ConfigurationError
            Where the table lacks a feature, or holds nothing but features.
        """
        ...

    def confidence(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability that it gives to the label of each row, (N,); 0 for a label that it does not know."""
        ...


@runtime_checkable
class RetrainableTarget(ClassifierTarget, Protocol):
    """A classifier of rows that can be trained again with the same settings (`RETRAINING`)."""

    def retrained(self, table: pd.DataFrame, *, seed: int) -> ClassifierTarget:
        """Return one that was trained on the rows of a table alone; its chance is of this seed."""
        ...


def takes_prompts(target: Target) -> TypeGuard[TextTarget]:
    """Whether a text target takes prompts."""
    return Access.SAMPLING in target.access


def stored_texts(target: Target) -> Sequence[str]:
    """Return every text of a target that holds so many and no more.

    Raises
    ------
    TargetError
        Where it has no method ``outputs``.
    """
    if not isinstance(target, StoredTexts):
        raise TargetError(f"{target.name}: the number of its texts is limited, and no method 'outputs' returns them")
    return target.outputs()


def has_logprobs(target: Target) -> TypeGuard[LanguageModelTarget]:
    """Whether the log-probabilities of a target of text can be read."""
    return Access.LOGPROBS in target.access


def has_moments(target: LanguageModelTarget) -> TypeGuard[MomentsTarget]:
    """Whether a language model tells the moments of its predictions: only some do."""
    return hasattr(target, "token_moments")
