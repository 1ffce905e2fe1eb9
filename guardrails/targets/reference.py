"""The reference generators as targets: ``reference:gpt-text,memorize=1``. The only place that knows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from generators.base import WEIGHTS, Generator, find_generator, generators, stem

from ..core.errors import ConfigurationError
from ..core.seeding import derive_seed
from ..core.targets import Access, DecidedRows, Modality, Target
from .embeddings import VECTORS, planted_vectors
from .language.causal_model import CausalTarget, refuse_lone_surrogate
from .reference_chat import NAME as CHAT
from .reference_chat import load as load_chat
from .white_box import WhiteBox, white_box

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

Settings = Mapping[str, float | str]

__all__ = ["WEIGHTS", "Settings", "find_generator", "generators", "image_generators", "parse"]


class ReferenceTarget(Target, Protocol):
    """A target that knows the generator behind it, with all that this can say of what it makes."""

    generator: Any


class _Reference:
    """The name and identity of a reference generator at one dose."""

    available = None

    def __init__(self, name: str, settings: Settings, generator: Generator) -> None:
        self.name = f"reference:{stem(name, settings)}"
        self.generator: Any = generator  # beside what all have, each has methods of its own

    def identity(self) -> dict[str, str]:
        """Return the hash of the weights, as the generator's card states it."""
        card = self.generator.card
        return {"generator": self.name.removeprefix("reference:"), "sha256": str(card.get("sha256", ""))}


class ReferenceLanguageModel(_Reference, CausalTarget):
    """A reference generator of text that is a causal model of `transformers`."""

    @property
    def model(self) -> Any:
        """The generator's `transformers` model."""
        return self.generator.model

    @property
    def _tokenizer(self) -> Any:
        return self.generator.tokenizer

    @property
    def start(self) -> int:
        """The generator's start token, else its end-of-text token."""
        token = getattr(self._tokenizer, "bos_token_id", None)
        return int(self._tokenizer.eos_token_id if token is None else token)

    @property
    def end(self) -> frozenset[int]:
        """The generator's end-of-text token, where it has one."""
        token = getattr(self._tokenizer, "eos_token_id", None)
        return frozenset() if token is None else frozenset({int(token)})

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        refuse_lone_surrogate(text)
        return list(self._tokenizer.encode(text))

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens."""
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))


class ReferenceText(_Reference):
    """Another reference generator of text: melodies, molecules, levels, translations."""

    modality = Modality.TEXT
    access = frozenset({Access.OUTPUTS})

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        """Return n whole texts, whatever `max_new_tokens` says: half a molecule is none."""
        return list(self.generator.sample(n, seed=seed))


class ReferenceTranslator(ReferenceText):
    """The reference translator: a prompt is an English sentence, and the continuation its translation."""

    access = frozenset({Access.OUTPUTS, Access.SAMPLING})

    @property
    def translates_into(self) -> str:
        """The language: ``es`` or ``de``."""
        return str(self.generator.properties["language"])

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        """Return the translation of each prompt, whole whatever `max_new_tokens` says."""
        return list(self.generator.translate(prompts, temperature=temperature, seed=seed))


class ReferenceTable(_Reference):
    """A reference generator of tables."""

    modality = Modality.TABLE
    access = frozenset({Access.OUTPUTS})

    def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame:
        """Return n rows."""
        drawn: Any = self.generator.sample(n, seed=seed)
        rows: pd.DataFrame = drawn
        return rows


class DecidedTable(_Reference):
    """Decisions about the applicants of a reference table, with what came of each: ``decisions:tabular,group_bias=1``.

    A control. Beside the columns of the table it has ``deserved``: approved where the applicant did not default.
    """

    modality = Modality.TABLE
    access = frozenset({Access.OUTPUTS})
    decided = DecidedRows(("group",), ("group", "region"), "decision", "deserved", "approved")

    def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame:
        """Return n rows."""
        drawn: Any = self.generator.sample(n, seed=seed)
        rows: pd.DataFrame = drawn.assign(deserved=drawn["defaulted"].map({"no": "approved", "yes": "refused"}))
        return rows


class ReferenceImages(_Reference):
    """A reference generator of pictures."""

    modality = Modality.IMAGE
    access = frozenset({Access.OUTPUTS, Access.SAMPLING, Access.WEIGHTS})

    def sample_images(self, n: int, *, seed: int) -> list[NDArray[np.uint8]]:
        """Return n pictures."""
        return list(self.generator.sample(n, seed=seed))

    @property
    def white_box(self) -> WhiteBox | None:
        """What the generator's weights say of a picture."""
        return white_box(self.generator)


class ReferenceVideos(_Reference):
    """A reference generator of videos, ``generator.rate`` frames a second."""

    modality = Modality.VIDEO
    access = frozenset({Access.OUTPUTS})

    def sample_videos(self, n: int, *, seed: int) -> list[NDArray[np.uint8]]:
        """Return n videos, (T, H, W, 3) each; ``generator.items`` tells which of their frames are forged."""
        return list(self.generator.sample(n, seed=seed))


class ReferenceSounds(_Reference):
    """A reference generator of recordings, ``generator.rate`` samples a second."""

    modality = Modality.AUDIO
    access = frozenset({Access.OUTPUTS})

    def sample_sounds(self, n: int, *, seed: int) -> list[NDArray[np.float32]]:
        """Return n recordings, (N,) each, in −1 … 1; ``generator.items`` tells which of their seconds are altered."""
        return list(self.generator.sample(n, seed=seed))


class RealImages:
    """The real data that a reference generator of pictures should have learnt, as a target: ``real:gan-art``.

    A control: what no detector may tell from real pictures.
    """

    modality = Modality.IMAGE
    access = frozenset({Access.OUTPUTS, Access.SAMPLING})
    available = None

    def __init__(self, generator: Generator) -> None:
        self.name = f"real:{generator.name}"
        self.generator: Any = generator

    def identity(self) -> dict[str, str]:
        """Return whose law the pictures follow."""
        return {"law": self.generator.name}

    def sample_images(self, n: int, *, seed: int) -> list[NDArray[np.uint8]]:
        """Return n fresh pictures of the law; no seed repeats the reference items."""
        return list(self.generator.reference_items(n, seed=derive_seed(seed, self.name)))


_KINDS: dict[str, type[Any]] = {
    "text": ReferenceText,
    "image": ReferenceImages,
    "video": ReferenceVideos,
    "audio": ReferenceSounds,
    "table": ReferenceTable,
}


def reference_target(name: str, settings: Settings | None = None) -> ReferenceTarget:
    """Return a reference generator, with the dose of each dial and the value of each property, as a target.

    Raises
    ------
    ConfigurationError
        For an unknown generator, dial or property, or a dose that does not ship.
    """
    generator = find_generator(name).load(**(settings or {}))
    if generator.modality not in _KINDS:
        raise ConfigurationError(f"{name} makes {generator.modality}, which no probe reads yet")
    kind = ReferenceLanguageModel if generator.causal else _KINDS[generator.modality]
    if hasattr(generator, "translate"):
        kind = ReferenceTranslator
    target: ReferenceTarget = kind(name, settings or {}, generator)
    return target


def parse(spec: str) -> tuple[str, dict[str, float | str]]:
    """Split ``gpt-text,memorize=1`` into the generator's name and its settings: doses as numbers, properties as words.

    >>> parse("gpt-text,memorize=0.5,watermark=kgw")
    ('gpt-text', {'memorize': 0.5, 'watermark': 'kgw'})

    Raises
    ------
    ConfigurationError
        Where a dial has no dose.
    """
    name, *parts = (part.strip() for part in spec.removeprefix("reference:").split(","))
    settings: dict[str, float | str] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals or not value:
            raise ConfigurationError(f"dial '{part}' in '{spec}': it has no dose; write it as {name},{key}=1")
        try:
            settings[key] = float(value)
        except ValueError:
            settings[key] = value
    return name, settings


def load(spec: str) -> Any:
    """Return the target that ``reference:<spec>`` names: a generator, the chat of rules, or the planted vectors."""
    name, settings = parse(spec)
    rules = {CHAT: load_chat, VECTORS: planted_vectors}
    return rules[name](settings) if name in rules else reference_target(name, settings)


def load_real(name: str) -> RealImages:
    """Return the target that ``real:<generator>`` names.

    Raises
    ------
    ConfigurationError
        For an unknown generator, or one that makes no pictures.
    """
    cls = find_generator(name)
    if cls.modality != "image":
        raise ConfigurationError(f"real:{name} would be {cls.modality}; only pictures are read so")
    return RealImages(cls.load())


def image_generators() -> list[str]:
    """Return the names of the reference generators of pictures."""
    return [name for name, cls in generators().items() if cls.modality == "image"]
