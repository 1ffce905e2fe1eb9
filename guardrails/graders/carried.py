"""Files of models that installed packages carry. The packages' code is never imported."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..core.errors import MissingExtraError, TargetError


@dataclass(frozen=True)
class Carried:
    """A package in one version: where its model lies, and the SHA-256 of each file of it."""

    distribution: str
    module: str
    folder: str
    sha256: Mapping[str, str]

    def read(self) -> dict[str, bytes]:
        """Return the content of each file.

        Raises
        ------
        MissingExtraError
            Where the package is not installed.
        TargetError
            Where a file is missing, or is not the one that was measured.
        """
        spec = find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError(self.distribution, "make models")
        folder = Path(next(iter(spec.submodule_search_locations))) / self.folder
        contents = {}
        for name, expected in self.sha256.items():
            path = folder / name
            if not path.is_file():
                raise TargetError(f"{self.distribution} is installed, but {path} is missing; install it anew")
            contents[name] = path.read_bytes()
            if hashlib.sha256(contents[name]).hexdigest() != expected:
                raise TargetError(
                    f"{path} is not the file of the version of {self.distribution} that is known here; "
                    "install that of requirements/models.txt"
                )
        return contents
