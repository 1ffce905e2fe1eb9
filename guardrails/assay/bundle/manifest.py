"""The manifest of a bundle: its files, those that were withheld, and what was settled before the first sample."""

from __future__ import annotations

import json
import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from .archive import MAX_BYTES
from .envelope import canonical

TEST_STATEMENT, EVAL_STATEMENT, MANIFEST = "test-result.dsse.json", "eval-result.dsse.json", "manifest.json"
"""The members before the files."""
FORMAT: Literal["guardrails-bundle/1"] = "guardrails-bundle/1"
_NAME = re.compile(r"[A-Za-z0-9_=+-][A-Za-z0-9._=+-]*(/[A-Za-z0-9_=+-][A-Za-z0-9._=+-]*)*")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileRecord(_Part):
    """A file: its name inside the bundle, its size and its SHA-256."""

    name: str = Field(max_length=100)
    bytes: int = Field(ge=0, le=MAX_BYTES)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @field_validator("name")
    @classmethod
    def _stays_inside(cls, name: str) -> str:
        if not fits(name):
            raise ValueError("not the name of a file in a bundle")
        return name


class Manifest(_Part):
    """What a bundle holds. Its text is signed."""

    format: Literal["guardrails-bundle/1"] = FORMAT
    guardrails_version: str
    public_key: str
    """PEM."""
    before_collection: str | None
    """The journal's checksum over all that it held before the first sample: inputs, policy, settings, plan."""
    files: tuple[FileRecord, ...]
    withheld: tuple[FileRecord, ...] = ()

    @model_validator(mode="after")
    def _names_each_file_once(self) -> Self:
        """Refuse two files of one name: whoever unpacks the archive would see another than the one that is checked."""
        names = [record.name for record in (*self.files, *self.withheld)]
        if len({*names, TEST_STATEMENT, EVAL_STATEMENT, MANIFEST}) < len(names) + 3:
            raise ValueError("it names a file twice")
        return self

    def to_bytes(self) -> bytes:
        """Return its canonical text."""
        return canonical(self.model_dump(mode="json"))

    @classmethod
    def from_bytes(cls, text: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises
        ------
        ValueError
            Where it is another format, or not written as it would be.
        """
        try:
            manifest = cls.model_validate(json.loads(text))
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"]) from error
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        if manifest.to_bytes() != text:
            raise ValueError("it is not written as a bundle writes it")
        return manifest


def fits(name: str) -> bool:
    """Whether a file of this name can be in a bundle: letters, digits and ``._=+-``, not hidden, up to 100 characters.

    >>> fits("media/1.png"), fits("../result.json")
    (True, False)
    """
    return len(name) <= 100 and _NAME.fullmatch(name) is not None
