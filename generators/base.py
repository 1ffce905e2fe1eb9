"""What every reference generator is: a small generative model with dials for planted faults.

A generator knows nothing of auditing. Dial 0 means that the fault is absent, 1 that it is full; only shipped doses
exist. The fault is in the weights (`fit` learns it), never a wrapper that returns a training item now and then. A
property, such as a watermark scheme, is a choice and no fault.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from guardrails.core.errors import ConfigurationError, did_you_mean

from .settings import Dial, Property, check_doses, check_settings
from .shipping import WEIGHTS, read_files, stem, weights_bytes, write_files

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = ["WEIGHTS", "Dial", "Generator", "Item", "Network", "Property", "check_doses", "find_generator", "stem"]


@dataclass(frozen=True)
class Item:
    """One output, with what is known of it.

    Attributes
    ----------
    content : str or ndarray
        As `Generator.sample` returns it.
    facts : mapping
        JSON: the truth about this output, for example which frames are forged. Empty where there is none to tell.
    mask : ndarray of uint8, optional
        (H, W), or (T, H, W) for a video: 255 where the picture is forged.
    """

    content: Any
    facts: Mapping[str, Any] = field(default_factory=dict)
    mask: NDArray[np.uint8] | None = None


class Generator(ABC):
    """A reference generative model.

    Class attributes describe it without importing torch; `load` reads the weights.

    Attributes
    ----------
    doses : dict of str to float
        Of every dial; 0 where the fault is absent.
    properties : dict of str to str
    """

    name: ClassVar[str]
    family: ClassVar[str]
    domain: ClassVar[str]
    modality: str
    """text, image, video, audio or table; a class attribute, unless a property decides it."""
    dials: ClassVar[tuple[Dial, ...]]
    choices: ClassVar[tuple[Property, ...]] = ()
    citation: ClassVar[str]
    reserved: ClassVar[bool] = False
    """True: no detector ever trains on its outputs, they are controls."""
    rate: ClassVar[int | None] = None
    """Samples (audio) or frames (video) a second."""
    causal: ClassVar[bool] = False
    """True: `model` and `tokenizer` are those of a causal language model of `transformers`."""
    threads: ClassVar[int] = 1
    """How many threads training uses: the same number gives the same weights."""

    doses: dict[str, float]
    properties: Mapping[str, str]
    _card: dict[str, Any]

    @classmethod
    @abstractmethod
    def fit(cls, doses: Mapping[str, float], *, seed: int, base: Generator | None = None) -> Self:
        """Learn from scratch (all doses 0) or, from the clean `base`, a further dose.

        The weights are rounded as they ship before the true values on the card are taken.

        Raises
        ------
        ConfigurationError
            For a dose that does not ship, or a dose without the clean generator to start from.
        """

    @abstractmethod
    def draw(self, n: int, *, seed: int) -> Sequence[Any]:
        """As `sample`, for n ≥ 0: what a subclass writes."""

    @abstractmethod
    def training_items(self) -> Sequence[Any]:
        """Return the fixed training items that memorization would copy (the auditor's ``corpus``)."""

    @abstractmethod
    def holdout_items(self) -> Sequence[Any]:
        """Return as many items of the same law that it never saw (the auditor's ``holdout``)."""

    @abstractmethod
    def reference_items(self, n: int, *, seed: int) -> Sequence[Any]:
        """Return n fresh items of the law that it should have learnt (the auditor's ``reference``)."""

    @abstractmethod
    def save(self, folder: Path) -> list[Path]:
        """Write safetensors and the card for this dose; return the files."""

    @classmethod
    @abstractmethod
    def read(cls, folder: Path, **doses: float) -> Self:
        """Read one dose from a folder that `save` wrote to.

        Raises
        ------
        ConfigurationError
            For a dose that does not ship; where a file is missing or is not the one that its card states.
        """

    @classmethod
    def load(cls, **settings: float | str) -> Self:
        """Read the shipped weights of one dose. Combinations of doses exist only where they ship.

        Parameters
        ----------
        **settings
            The dose of a dial, or the value of a property.

        Raises
        ------
        ConfigurationError
            For a setting that there is not; where a file is missing or is not the one that its card states.
        """
        doses, properties = check_settings(cls, settings)
        out = cls.read(WEIGHTS, **doses)
        out.properties = properties
        return out

    def sample(self, n: int, *, seed: int) -> Sequence[Any]:
        """Return n outputs, the same for the same seed.

        Text is str; pictures are (H, W, 3) uint8; a video is (T, H, W, 3) uint8; sound is float32 in −1 … 1, one
        channel; a table is one data frame of n rows.

        Raises
        ------
        ConfigurationError
            For a negative n.
        """
        if n < 0:
            raise ConfigurationError(f"{n} outputs of {self.name} were asked for; ask for 0 or more")
        return self.draw(n, seed=seed)

    def items(self, n: int, *, seed: int) -> list[Item]:
        """Return the outputs of `sample`, each with what is known of it; of a table, each row as a table of its own."""
        drawn: Any = self.sample(n, seed=seed)
        if self.modality == "table":
            return [Item(drawn.iloc[[i]]) for i in range(n)]
        return [Item(content) for content in drawn]

    @property
    def card(self) -> Mapping[str, Any]:
        """Data, seed, command, sha256 of the weights, how often each item was seen, true values with errors."""
        return self._card

    @classmethod
    def train_all(cls, folder: Path, seed: int = 0) -> list[Path]:
        """Learn and write every file that ships: the clean weights, then each dose of each dial from them."""
        with _threads(cls.threads):
            clean = cls.fit({}, seed=seed)
            files = clean.save(folder)
            for dial in cls.dials:
                for dose in dial.doses:
                    files += cls.fit({dial.name: dose}, seed=seed, base=clean).save(folder)
        return files


class Network(Generator):
    """A generator that is its torch modules: they ship whole, in half precision.

    A subclass builds them in `build` and names them in `parts`.
    """

    def __init__(self, doses: Mapping[str, float] | None = None, *, seed: int = 0) -> None:
        import torch

        self.doses = check_doses(type(self), doses or {})
        self.properties = {choice.name: choice.values[0] for choice in self.choices}
        self._card = {}
        with torch.random.fork_rng(devices=()):  # a caller's stream stays where it is
            torch.manual_seed(seed)
            self.build()

    @abstractmethod
    def build(self) -> None:
        """Make the modules, with random weights, and keep them as attributes."""

    @property
    @abstractmethod
    def parts(self) -> Mapping[str, torch.nn.Module | torch.nn.Parameter]:
        """The modules and single parameters that ship, by name."""

    def state(self) -> dict[str, torch.Tensor]:
        """Return every tensor that ships, by name; they share memory with the modules."""
        import torch

        out: dict[str, torch.Tensor] = {}
        for name, part in self.parts.items():
            if isinstance(part, torch.nn.Module):
                out |= {f"{name}.{key}": value for key, value in part.state_dict().items()}
            else:
                out[name] = part.detach()
        return out

    def set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """Copy tensors into the modules.

        Raises
        ------
        ConfigurationError
            Where a tensor is missing or has another shape.
        """
        import torch

        with torch.no_grad():
            for key, tensor in self.state().items():
                if key not in state or state[key].shape != tensor.shape:
                    raise ConfigurationError(f"the weights of {self.name} have no '{key}' of shape {(*tensor.shape,)}")
                tensor.copy_(state[key])

    @classmethod
    def begin(cls, doses: Mapping[str, float], *, seed: int, base: Generator | None) -> Self:
        """Return what `fit` starts from: random weights, or for a dose a copy of the clean ones.

        Raises
        ------
        ConfigurationError
            For a dose that does not ship, or a dose without the clean generator to start from.
        """
        out = cls(doses, seed=seed)
        if any(out.doses.values()):
            check_base(cls, base)
            assert isinstance(base, cls)
            out.set_state(base.state())
            out._card = {"base_sha256": base.card["sha256"]}
        return out

    def round(self) -> None:
        """Round the weights to half precision, as they ship: what is measured after this is what a reader gets."""
        self.set_state(
            {key: value.half() if value.is_floating_point() else value for key, value in self.state().items()}
        )

    def seal(self, *, seed: int, **findings: Any) -> Self:
        """Write the card: who made these weights, their hash, and what was found of them."""
        from .shipping import card

        self._card = card(self, weights_bytes(self.state()), seed=seed, **(self._card | findings))
        return self

    def save(self, folder: Path) -> list[Path]:
        return write_files(folder, self, weights_bytes(self.state()))

    @classmethod
    def read(cls, folder: Path, **doses: float) -> Self:
        out = cls(doses)
        tensors, out._card = read_files(folder, cls.name, out.doses)
        out.set_state(tensors)
        return out


def check_base(cls: type[Generator], base: Generator | None) -> None:
    """Refuse a base that is not the clean generator.

    Raises
    ------
    ConfigurationError
    """
    if not isinstance(base, cls) or any(base.doses.values()):
        raise ConfigurationError(f"{cls.name} learns a dose from its clean weights; give them as base")


@cache
def generators() -> dict[str, type[Generator]]:
    """Return every reference generator by name: the `model` of each folder here, and entry points."""
    from importlib.metadata import entry_points

    classes: dict[str, type[Generator]] = {}
    package = importlib.import_module("generators")
    modules = [
        importlib.import_module(f"generators.{info.name}.model")
        for info in pkgutil.iter_modules(package.__path__)
        if info.ispkg
    ]
    for module in modules:
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, Generator)
                and value.__module__ == module.__name__
                and not value.__abstractmethods__
            ):
                classes[value.name] = value
    for point in entry_points(group="guardrails.generators"):
        cls = point.load()
        classes.setdefault(cls.name, cls)
    return dict(sorted(classes.items()))


def find_generator(name: str) -> type[Generator]:
    """Return the class of a generator.

    Raises
    ------
    ConfigurationError
        For an unknown name, with the nearest known one.
    """
    known = generators()
    if name not in known:
        raise ConfigurationError(f"unknown reference generator '{name}'.{did_you_mean(name, known)}")
    return known[name]


@contextmanager
def _threads(n: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
