"""Options of a probe: what a user may set, as a pydantic model on its class.

::

    class Copies(Probe):
        class Options(ProbeOptions):
            descriptor: Path | None = Field(None, description="a model that describes pictures")

        options: Options  # for type checkers

They are set as ``--set memorization.copies.descriptor=FILE``, in a plan, by ``audit(options=…)`` and by `load_probe`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from .errors import ConfigurationError, GuardrailsError, did_you_mean

Value = str | int | float | bool
"""What an option is written as: on a command line, in a plan, in a journal."""
DATA_FILES = (".onnx", ".csv", ".json", ".jsonl", ".toml", ".txt")
"""Suffixes of files that cannot run code."""
T = TypeVar("T", bound="ProbeOptions")
_SCALARS = frozenset({"string", "integer", "number", "boolean"})
_FORMATS = frozenset({None, "path", "file-path", "directory-path"})
"""Of texts: other formats, as of dates and secrets, are other types."""
_OPEN = {"open": True}


class ProbeOptions(BaseModel):
    """The options of a probe. Each has a default, a description and one plain type.

    Plain are text, numbers, booleans, ``Literal`` of texts, and `pathlib.Path`; or None by default. They fit on a
    command line and are stored in the run's journal, so that no option may hold a secret. A path names a file or folder
    that the probe reads: it must exist, and its content is an input of the run, compared when the run is resumed.

    Raises
    ------
    ConfigurationError
        While a subclass is made: for an option without a default or a description, or of another type.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        schema = cls.model_json_schema()
        for name, field in cls.model_fields.items():
            if field.is_required():
                raise ConfigurationError(f"option {name} of {cls.__qualname__} has no default")
            if not field.description:
                raise ConfigurationError(f"option {name} of {cls.__qualname__} has no description")
            if not _is_scalar(schema["properties"][name], schema.get("$defs", {})):
                raise ConfigurationError(
                    f"option {name} of {cls.__qualname__} is neither text, a number, true or false, one of several"
                    " texts, nor a path"
                )

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what pydantic would read as 0 or 1."""
        if isinstance(value, bool):
            schema = cls.model_json_schema()["properties"][info.field_name]
            if {"integer", "number"} & {one.get("type") for one in (schema, *schema.get("anyOf", ()))}:
                raise ValueError(f"a number is needed, not {str(value).lower()}")
        return value

    @property
    def changed(self) -> dict[str, Value]:
        """The options that are not at their defaults, as JSON."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def files(self) -> dict[str, Path]:
        """The files and folders that options name and that are not the defaults."""
        return {name: getattr(self, name) for name in self.changed if isinstance(getattr(self, name), Path)}

    def runs_code(self) -> dict[str, str]:
        """Return which options make the probe run code or use the network, and how in words.

        They have to be named again to resume a run, whose folder may come from a stranger. By default, every file that
        may be a program; a probe with an option that names a model, a module or an address adds it.
        """
        files = {name: path for name, path in self.files.items() if not path.name.lower().endswith(DATA_FILES)}
        return dict.fromkeys(files, "may be a program")


def opened_by(load: Callable[[Path], object]) -> AfterValidator:
    """Return an annotation for a file that is opened before a run begins, so that a wrong one is a wrong option.

    ``descriptor: Annotated[Path, opened_by(load_descriptor)] | None = Field(None, description="…")``

    Parameters
    ----------
    load : callable
        Raises `GuardrailsError` for a file that the probe cannot use. Not called for a run that is resumed.
    """

    def check(path: Path, info: ValidationInfo) -> Path:
        if info.context is _OPEN:
            try:
                load(path)
            except GuardrailsError as error:
                raise ValueError(str(error)) from None
        return path

    return AfterValidator(check)


def read_options(model: type[T], values: Mapping[str, Any], *, probe: str, open_files: bool = False) -> T:
    """Return options from values by name.

    Parameters
    ----------
    model : type
        The probe's ``Options``.
    values : mapping
        Texts are read as the type of their option.
    probe : str
        The probe's id, for messages.
    open_files : bool
        Whether files are opened that the probe cannot do without.

    Raises
    ------
    ConfigurationError
        With every mistake, one a line.
    """
    try:
        options = model.model_validate(dict(values), context=_OPEN if open_files else None)
    except ValidationError as error:
        lines = [
            f"{'.'.join((probe, *map(str, item['loc'][:1])))}: {_reason(item, model, probe)}" for item in error.errors()
        ]
        raise ConfigurationError(*lines) from None
    missing = {name: path for name, path in options.files.items() if open_files and not os.path.exists(path)}
    if missing:
        raise ConfigurationError(*(f"{probe}.{name}: there is no '{path}'" for name, path in missing.items()))
    return options


def _reason(item: Any, model: type[ProbeOptions], probe: str) -> str:
    if item["type"] == "extra_forbidden":
        if not model.model_fields:
            return f"{probe} has no options"
        return f"{probe} has no such option.{did_you_mean(str(item['loc'][0]), model.model_fields)}"
    error = item.get("ctx", {}).get("error")
    if isinstance(error, Exception):
        return " ".join(str(error).split())
    message = "a path is needed" if item["type"] == "path_type" else item["msg"]
    return f"{message} (given: {str(item['input'])[:60]!r})"


def _is_scalar(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    """Whether a value of this JSON schema can be written as one text, and read back."""
    if "$ref" in schema:
        return _is_scalar(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        others = [one for one in schema["anyOf"] if one.get("type") != "null"]
        return len(others) == 1 and _is_scalar(others[0], definitions)
    choices = schema.get("enum", [schema["const"]] if "const" in schema else [])
    plain = schema.get("type") in _SCALARS and schema.get("format") in _FORMATS
    return plain and all(isinstance(choice, str) for choice in choices)
