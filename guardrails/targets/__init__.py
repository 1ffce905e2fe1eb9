"""Targets: what an audit can test. `load_target` turns a name, or an object of the user, into a target."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigurationError, did_you_mean
from ..core.targets import Target
from .data import check_form, load_data, read_as
from .reference_data import reference_subject

if TYPE_CHECKING:
    from .endpoint.options import EndpointOptions

__all__ = ["CHAT", "ENDPOINTS", "SCHEMES", "check_form", "load_data", "load_target", "read_as", "reference_subject"]

SCHEMES = {
    "reference": "reference:load",
    "real": "reference:load_real",
    "hf": "encoder_decoder:load",
    "diffusers": "diffusers:DiffusersTarget",
    "package": "package:load",
    "dir": "files:ImageFolderTarget",
    "jsonl": "files:JsonlTarget",
    "table": "table:TableFileTarget",
    "python": "callable:load",
    "chat": "chat_texts:load",
    "openai": "endpoint.endpoint:load_chat",
    "openai-completions": "endpoint.language_model:load",
    "http": "endpoint.endpoint:load_template",
}
"""Scheme of a target's name → module of this package and what in it takes the rest of the name."""
ENDPOINTS = ("openai", "openai-completions", "http")
"""Schemes of targets that are asked over HTTP, and take the options of `endpoint.options.EndpointOptions`."""
CHAT = "chat:"
"""What stands before the name of a target that is to be asked by conversations."""
TABLES = (".csv", ".tsv", ".tab", ".parquet", ".xlsx")
"""How the names of table files end."""


def load_target(target: Any, *, text_field: str | None = None, endpoint: EndpointOptions | None = None) -> Target:
    """Return the target with this name, or wrap an object of the user.

    Parameters
    ----------
    target : str, path, Target or object
        ``reference:gpt-text,memorize=1`` · ``real:gan-art`` · ``hf:<folder or hub id>`` · ``diffusers:<folder>`` ·
        ``package:smollm2`` · ``dir:<folder>`` · ``jsonl:<file>`` · ``table:<file>`` · ``python:module:callable`` ·
        ``openai:<url>#<model>`` · ``openai-completions:<url>#<model>`` · ``http:<file>`` · ``chat:`` and a name with
        ``hf:``, ``package:`` or ``python:``, to ask by conversations; or a target, which is returned as it is; or a
        data frame of rows; or any callable or object with ``reply`` (`guardrails.core.conversations.Chat`),
        ``generate``, ``sample`` or ``predict``; or a fitted classifier of scikit-learn.
    text_field : str, optional
        Of ``jsonl:``, the field of records that holds the text.
    endpoint : EndpointOptions, optional
        Of the `ENDPOINTS`: the key, the budget, time-outs.

    Raises
    ------
    ConfigurationError
        For an unknown name, with the nearest known one.
    TargetError
        For a model, folder or file that cannot be used.
    MissingExtraError
        For a target that needs an optional package.
    """
    if not isinstance(target, str | Path):
        if endpoint is not None:
            raise ConfigurationError("options of endpoints are for targets that are named; give an Endpoint its own")
        if isinstance(target, Target):
            return target
        if hasattr(target, "iloc") and hasattr(target, "columns"):
            from .table import FrameTarget

            return FrameTarget(target)
        from .callable import callable_target

        return callable_target(target)
    name = str(target)
    scheme, colon, rest = name.partition(":")
    loaders = _loaders()
    if name.startswith(("http://", "https://")):  # not quoted: a password may stand in it
        raise ConfigurationError("a URL is not the name of a target; for a served model write openai:URL#MODEL")
    if not colon or scheme not in loaders:
        raise ConfigurationError(f"'{name}' is not the name of a target.{_hint(name, scheme, bool(colon), loaders)}")
    if not rest:
        raise ConfigurationError(f"'{name}' names no target; write what to audit after '{scheme}:'")
    load = loaders[scheme]()
    if scheme in ENDPOINTS:
        return load(rest, endpoint)
    if endpoint is not None:
        raise ConfigurationError(
            f"options of endpoints are for {', '.join(f'{s}:' for s in ENDPOINTS)}; not for '{name}'"
        )
    return load(rest, text_field=text_field) if scheme == "jsonl" else load(rest)


def _loaders() -> dict[str, Callable[[], Callable[..., Target]]]:
    """Return, per scheme, what imports what takes the rest of a name."""
    plugged = {point.name: partial(_plugged, point) for point in entry_points(group="guardrails.targets")}
    return plugged | {scheme: partial(_import, place) for scheme, place in SCHEMES.items()}


def _plugged(point: EntryPoint) -> Callable[..., Target]:
    """Return what loads a target of another distribution; what it raises is an error of that target."""
    from .model_files.errors import target_errors

    def load(rest: str) -> Target:
        with target_errors(f"the plug-in {point.name} ({point.value}) does not load the target"):
            target: Target = point.load()(rest)
            return target

    return load


def _import(place: str) -> Callable[..., Target]:
    module, attribute = place.split(":")
    load: Callable[..., Target] = getattr(import_module(f".{module}", __name__), attribute)
    return load


def _hint(name: str, scheme: str, has_scheme: bool, known: dict[str, Any]) -> str:
    path = Path(name)
    if path.is_dir():
        kind = "hf" if (path / "config.json").exists() or any(path.glob("*.gguf")) else "dir"
        kind = "diffusers" if (path / "model_index.json").exists() else kind
        return f" Did you mean '{kind}:{name}'?"
    kinds = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", **dict.fromkeys(TABLES, "table")}
    if path.is_file() and path.suffix.lower() in kinds:
        return f" Did you mean '{kinds[path.suffix.lower()]}:{name}'?"
    if has_scheme:
        return did_you_mean(scheme, known)
    return f" A name begins with one of {', '.join(f'{s}:' for s in sorted(known))}."
