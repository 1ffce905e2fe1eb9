"""``http:FILE.toml``: any API that takes JSON and answers with JSON, described by a template of the request."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...core.conversations import Conversation, Decoding, Reply
from ...core.errors import ConfigurationError, ContentError, did_you_mean
from ...kit.io import shown
from ...kit.settings_file import parse_toml, read_bounded
from .address import clipped, parse_address
from .openai import token_counts

FIELDS = ("prompt", "messages", "max_new_tokens", "temperature", "seed")
"""What a request may name in braces."""
_BRACES = re.compile(r"\{\{|\}\}|\{(\w+)\}")
_STEP = re.compile(r"(?:^|\.)([^.\[\]]+)|\[(\d{1,6})\]")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,100}")
_SECRET = re.compile(r"auth|key|token|secret|cookie|pass", re.IGNORECASE)
_OF_THE_CONNECTION = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding", "content-type")


class _File(BaseModel):
    """The file. `answer` and the further paths say where something stands in the JSON of an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    answer: str
    model: str = Field(default="", max_length=200)
    refused: str | None = None
    filtered: str | None = None
    prompt_tokens: str | None = None
    completion_tokens: str | None = None
    request: dict[str, Any]
    headers: dict[str, str] = {}


class Template:
    """The form of requests and answers that a TOML file describes.

    Parameters
    ----------
    path : str
        With ``url``, ``answer`` (a path such as ``choices[0].text``), a table ``request``, in whose strings
        ``{prompt}`` or ``{messages}``, ``{max_new_tokens}``, ``{temperature}`` and ``{seed}`` are filled in, and, if
        wanted, a table ``headers``, in which ``{api_key}`` is, and the paths ``refused``, ``filtered``,
        ``prompt_tokens`` and ``completion_tokens``. A string that is nothing but a field becomes its value, a number or
        a list; doubled braces are braces.

    Raises
    ------
    ConfigurationError
        For a file that cannot be read, or that does not say what is needed.
    """

    def __init__(self, path: str) -> None:
        self._path = shown(path)
        try:
            content = read_bounded(path)
            self._file = _File.model_validate(parse_toml(content, self._path))
        except ContentError as error:
            raise ConfigurationError(f"http: {error}") from None
        except ValidationError as error:  # its input is not shown: a secret may stand in it
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ConfigurationError(f"http:{self._path}: {wrong}") from None
        self._sha256 = hashlib.sha256(content).hexdigest()
        self.url = parse_address(self._file.url, f"http:{self._path}")
        self._check_json()
        named = {name for text in _strings(self._file.request) for name in _names(text)}
        self._check(named)
        self._missing = [name for name in ("temperature", "max_new_tokens") if name not in named]

    def _check_json(self) -> None:
        where = f"http:{self._path}"
        try:
            json.dumps(self._file.request, allow_nan=False)
        except (TypeError, ValueError):
            raise ConfigurationError(
                f"{where}: the request holds a date, a time, nan or inf, which JSON lacks; write it as a string"
            ) from None
        if text := next(filter(_is_json_in_a_string, _strings(self._file.request)), None):
            raise ConfigurationError(
                f"{where}: the request holds JSON in a string, {shown(text[:60])}, which a prompt with quotation marks "
                "would break or change; write its fields as a table, or use python:"
            )

    def _check(self, named: set[str]) -> None:
        file, where = self._file, f"http:{self._path}"
        if unknown := sorted(named - set(FIELDS)):
            what = "the key may stand in headers alone" if "api_key" in unknown else did_you_mean(unknown[0], FIELDS)
            raise ConfigurationError(f"{where}: nothing is filled in for {{{unknown[0]}}}.{' ' + what.strip()}")
        if not named & {"prompt", "messages"}:
            raise ConfigurationError(f"{where}: the request holds neither {{prompt}} nor {{messages}}")
        for name in ("answer", "refused", "filtered", "prompt_tokens", "completion_tokens"):
            path = getattr(file, name)
            if path is not None and not _steps(path):
                raise ConfigurationError(f"{where}: {name}: a path such as choices[0].text is needed")
        for name, value in file.headers.items():
            if not _HEADER.fullmatch(name) or name.lower() in _OF_THE_CONNECTION:
                raise ConfigurationError(f"{where}: a header that cannot be set: {shown(name)}")
            if not value.isascii() or not value.isprintable() or set(_names(value)) - {"api_key"}:
                raise ConfigurationError(
                    f"{where}: headers.{name}: printable ASCII is needed, and no field but {{api_key}}"
                )
            if _SECRET.search(name) and "{api_key}" not in value:
                raise ConfigurationError(
                    f"{where}: headers.{name} is named like a secret: write {{api_key}} for it, put the key into an "
                    "environment variable and name it with --api-key-env"
                )

    def headers(self, key: str | None) -> dict[str, str]:
        """Return the headers of a request.

        Raises
        ------
        ConfigurationError
            Where they need a key and there is none.
        """
        headers = dict(self._file.headers)
        uses_key = any("{api_key}" in value for value in headers.values())
        if uses_key and key is None:
            raise ConfigurationError(f"http:{self._path}: its headers need a key: name its variable with --api-key-env")
        if key is not None and not uses_key:
            headers["Authorization"] = "Bearer {api_key}"
        return {name: str(_filled(value, {"api_key": key})) for name, value in headers.items()}

    def body(self, conversation: Conversation, decoding: Decoding, seed: int) -> Any:
        """Return the JSON of a request."""
        values = {
            "prompt": "\n".join(message["content"] for message in conversation),
            "messages": [dict(message) for message in conversation],
            "max_new_tokens": decoding.max_new_tokens,
            "temperature": decoding.temperature,
            "seed": seed,
        }
        return _filled(self._file.request, values)

    def adapt(self, complaint: str) -> bool:
        """Return False: the form is the user's."""
        return False

    def parse(self, answer: Any) -> Reply:
        """Return the reply that an answer of the server holds."""
        file = self._file
        counts = {
            name: _at(answer, path)
            for name in ("prompt_tokens", "completion_tokens")
            if (path := getattr(file, name)) is not None
        }
        usage = token_counts(counts, "prompt_tokens", "completion_tokens")
        if file.filtered is not None and _at(answer, file.filtered):
            return Reply(finish="filtered", error="the server filtered this answer", usage=usage)
        text = _at(answer, file.answer)
        refusal = _at(answer, file.refused) if file.refused is not None else None
        if refusal:
            return Reply(
                text if isinstance(text, str) else refusal if isinstance(refusal, str) else "", "refused", usage=usage
            )
        if not isinstance(text, str):
            return Reply(finish="error", error=f"the answer holds no text at {file.answer}", usage=usage)
        return Reply(text, usage=usage)

    def identity(self) -> dict[str, str]:
        """Return the URL, the model's name where the file has one, and the hash of the file."""
        model = {"model": self._file.model} if self._file.model else {}
        return {"endpoint": str(self.url), "template": self._sha256, **model}

    def describe(self) -> str:
        """Return how the model is asked, for the report."""
        model = f" of the model '{clipped(self._file.model)}'" if self._file.model else ""
        of_server = {"temperature": "temperature", "max_new_tokens": "length"}
        missing = " and ".join(of_server[name] for name in self._missing)
        note = f"; {missing} are the server's own, whatever a probe asks for" if missing else ""
        return f"answers{model} at {clipped(self.url)}, as {clipped(self._path)} describes its API{note}"


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)


def _is_json_in_a_string(text: str) -> bool:
    """Whether fields are filled into what is itself JSON.

    >>> [_is_json_in_a_string(text) for text in ('{{"q": "{prompt}"}}', "Q: {prompt}", "{prompt}")]
    [True, False, False]
    """
    if _BRACES.fullmatch(text) or not _names(text):
        return False
    try:
        value = json.loads(_BRACES.sub(lambda m: "0" if m.group(1) else m.group()[0], text))
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict | list)


def _names(text: str) -> list[str]:
    """Return the fields that a text names.

    >>> _names("{prompt} and {{this}}")
    ['prompt']
    """
    return [match.group(1) for match in _BRACES.finditer(text) if match.group(1)]


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    """Return a copy with the fields filled in, once: what a prompt holds in braces stays as it is.

    >>> _filled({"n": "{seed}", "text": "Q: {prompt} {{x}}"}, {"seed": 3, "prompt": "{seed}?"})
    {'n': 3, 'text': 'Q: {seed}? {x}'}
    """
    if isinstance(value, dict):
        return {name: _filled(inner, values) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, values) for inner in value]
    if not isinstance(value, str):
        return value
    alone = _BRACES.fullmatch(value)
    if alone and alone.group(1):
        return values[alone.group(1)]
    return _BRACES.sub(lambda m: str(values[m.group(1)]) if m.group(1) else m.group()[0], value)


def _steps(path: str) -> list[str | int]:
    """Return the names and places of a path; empty where it is none.

    >>> _steps("choices[0].text"), _steps("[1]"), _steps("a..b")
    (['choices', 0, 'text'], [1], [])
    """
    steps: list[str | int] = []
    place = 0
    while place < len(path):
        match = _STEP.match(path, place)
        if match is None or len(steps) == 50:
            return []
        steps.append(match.group(1) if match.group(1) is not None else int(match.group(2)))
        place = match.end()
    return steps


def _at(value: Any, path: str) -> Any:
    """Return what stands at a path of JSON, or None."""
    for step in _steps(path):
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value
