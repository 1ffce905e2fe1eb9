"""``python:module:callable``, or any object of the user's own with ``generate``, ``sample`` or ``predict``."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.conversations import Conversation, Decoding, Reply
from ..core.errors import STOPS, ConfigurationError, GuardrailsError, TargetError, did_you_mean
from ..core.seeding import derive_seed32
from ..core.targets import Access, Modality, Target
from .chat_texts import ChatTexts
from .embeddings import EmbeddingCallable, embeds
from .estimator import EstimatorTarget, is_estimator

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

METHODS = ("generate", "sample", "predict")
WRITTEN = ("generated_text", "summary_text", "translation_text", "choices")
"""Fields in which pipelines of `transformers` and clients of models return what was written."""
TRIAL = 2
"""How many outputs are asked for at first, to see what they are."""


def load(spec: str) -> Target:
    """Return the target that ``python:<module>:<callable>`` names. Errors as `load_object` and `callable_target`."""
    return callable_target(load_object(spec), name=f"python:{spec}")


def load_object(spec: str) -> Any:
    """Return what ``<module>:<name>`` names, of a class an instance; modules beside the caller are found too.

    Raises
    ------
    ConfigurationError
        Where the module or what is wanted of it does not exist.
    TargetError
        Where the module fails to import.
    """
    module_name, colon, path = spec.partition(":")
    if not colon or not module_name or not path:
        raise ConfigurationError(f"'python:{spec}' lacks a part; write python:module:callable")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        loaded: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"python:{spec}: there is no module '{error.name}' to import here") from None
    except STOPS:
        raise
    except BaseException as error:  # the user's code, which may also call sys.exit
        raise TargetError(f"python:{spec}: importing it failed with {type(error).__name__}: {error}") from error
    for part in path.split("."):
        if not hasattr(loaded, part):
            known = [name for name in dir(loaded) if not name.startswith("_")]
            raise ConfigurationError(f"python:{spec}: {module_name} has no '{part}'.{did_you_mean(part, known)}")
        loaded = getattr(loaded, part)
    return loaded() if isinstance(loaded, type) else loaded


def callable_target(thing: Any, *, name: str | None = None) -> Target:
    """Wrap a callable or object; what it makes is seen from its first outputs.

    Parameters
    ----------
    thing : object
        With ``sample(n, seed=…)``, which returns n texts or pictures, or a data frame of n rows; or with
        ``generate(prompts)`` or ``predict(prompts)``, or itself a callable of prompts, which return one text or picture
        per prompt. ``seed``, ``temperature`` and ``max_new_tokens`` are handed on where its signature has them.
        One that may be called from several threads says in ``concurrent_batches`` of how many (1 to 64).
        Pictures are arrays (H, W), (H, W, 3) or (3, H, W), uint8 or floats in 0–1, or PIL images. Or a fitted
        classifier of scikit-learn: see `guardrails.targets.estimator`. Or a `guardrails.core.conversations.Chat`.
        Or an object that embeds texts, with ``embed(texts)`` or ``encode(texts)``.
    name : str, optional
        Default: ``python:`` with its module and name.

    Raises
    ------
    TargetError
        Where it has none of these, fails, or returns what is neither text nor picture nor rows.
    """
    name = name or f"python:{_qualified(thing)}"
    if is_estimator(thing):
        return EstimatorTarget(thing, name)
    if callable(getattr(thing, "reply", None)):
        return ChatTexts(thing)
    if embeds(thing):
        return EmbeddingCallable(thing, name)
    kind = next((m for m in METHODS if callable(getattr(thing, m, None))), None)
    if kind is None and not callable(thing):
        raise TargetError(
            f"{name}: an object of type {type(thing).__name__} has none of {', '.join(METHODS)} and is not callable"
        )
    if hasattr(thing, "state_dict") and hasattr(thing, "save_pretrained"):
        raise TargetError(
            f"{name}: save the model and its tokenizer with save_pretrained(folder), and audit hf:<folder>"
        )
    call = _Call(name, getattr(thing, kind) if kind else thing)
    makes = _modality(call, takes_prompts=kind != "sample")
    made: Any = makes(name, call, takes_prompts=kind != "sample")
    # Static: a client that has any attribute that is asked for does not mean this one.
    made.concurrent_batches = inspect.getattr_static(thing, "concurrent_batches", 1)
    target: Target = made
    return target


def _qualified(thing: Any) -> str:
    owner = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{owner.__module__}:{owner.__qualname__}"


class _Call:
    """The user's callable: its errors become `TargetError`, options that it does not take are left out."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name = name
        self._function = function
        try:
            self._takes: frozenset[str] = frozenset(inspect.signature(function).parameters)
        except (TypeError, ValueError):  # built-in, no signature
            self._takes = frozenset()

    def returned(self, argument: Any, **options: Any) -> Any:
        """Return what the callable returns, whatever that is."""
        try:
            return self._function(argument, **{k: v for k, v in options.items() if k in self._takes})
        except (GuardrailsError, *STOPS):
            raise
        except BaseException as error:  # the user's code, which may also call sys.exit
            raise TargetError(f"{self.name} failed with {type(error).__name__}: {error}") from error

    def __call__(self, argument: Any, n: int, **options: Any) -> Any:
        """Return n outputs, as they come."""
        outputs = self.returned(argument, **options)
        try:
            count = len(outputs)
        except TypeError:
            raise TargetError(f"{self.name} returned {type(outputs).__name__}; a sequence of {n} is needed") from None
        if isinstance(outputs, str | bytes | Mapping) or count != n:
            raise TargetError(f"{self.name} returned {count} outputs ({type(outputs).__name__}) where {n} are needed")
        # A pandas Series is looked up by its own index, not by place.
        return outputs.tolist() if hasattr(outputs, "iloc") and not _is_table(outputs) else outputs


class _Wrapped:
    access = frozenset({Access.OUTPUTS, Access.SAMPLING})
    available = None

    def __init__(self, name: str, call: _Call, *, takes_prompts: bool) -> None:
        self.name = name
        self._call = call
        self._takes_prompts = takes_prompts

    def identity(self) -> dict[str, str]:
        """Return the name: what stands behind a callable cannot be hashed."""
        return {"callable": self.name}

    def _sample(self, n: int, seed: int, **options: Any) -> Any:
        return self._call([""] * n if self._takes_prompts else n, n, seed=seed, **options)


class TextCallable(_Wrapped):
    """A user's writer of text, asked by prompts."""

    modality = Modality.TEXT

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        """Return what it writes to each prompt."""
        prompts = list(prompts)
        options = {"max_new_tokens": max_new_tokens, "temperature": temperature, "seed": seed}
        return _texts(self.name, self._call(prompts, len(prompts), **options))

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        """Return n texts, written to empty prompts."""
        return _texts(self.name, self._sample(n, seed, max_new_tokens=max_new_tokens))


class TextSampler(_Wrapped):
    """A user's writer of text that takes no prompts."""

    modality = Modality.TEXT
    access = frozenset({Access.OUTPUTS})

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        """Return n texts."""
        return _texts(self.name, self._sample(n, seed, max_new_tokens=max_new_tokens))


class ImageCallable(_Wrapped):
    """A user's maker of pictures; one that takes prompts is given empty ones."""

    modality = Modality.IMAGE

    def sample_images(self, n: int, *, seed: int) -> list[Image]:
        """Return n pictures."""
        return [_image(self.name, output) for output in self._sample(n, seed)]


class TableCallable(_Wrapped):
    """A user's maker of rows."""

    modality = Modality.TABLE

    def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame:
        """Return n rows."""
        import pandas as pd

        rows = self._sample(n, seed)
        return pd.DataFrame(rows if _is_table(rows) else list(rows)).reset_index(drop=True)


class ChatFunction(_Wrapped):
    """A user's function of a list of messages, which returns the answer to it: a `Chat`.

    Parameters
    ----------
    function : callable
        Called for one conversation at a time, with ``seed``, ``temperature`` and ``max_new_tokens`` where its signature
        has them.
    name : str
    """

    modality = Modality.TEXT
    access = frozenset({Access.CONVERSATIONS})
    read_as = "each prompt is one message of the user"

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        if not callable(function):
            raise TargetError(f"{name}: an object of type {type(function).__name__} is not callable")
        super().__init__(name, _Call(name, function), takes_prompts=True)

    def reply(self, conversations: Sequence[Conversation], decoding: Decoding, seed: int) -> list[Reply]:
        """Return one reply per conversation; where the function fails, it is an error."""
        return [self._reply(c, decoding, derive_seed32(seed, place)) for place, c in enumerate(conversations)]

    def _reply(self, conversation: Conversation, decoding: Decoding, seed: int) -> Reply:
        options = {"max_new_tokens": decoding.max_new_tokens, "temperature": decoding.temperature, "seed": seed}
        try:
            text = self._call.returned([dict(message) for message in conversation], **options)
        except TargetError as error:
            return Reply(finish="error", error=str(error))
        if not isinstance(text, str):
            why = f"{self.name} returned {type(text).__name__} where the text of an answer is needed"
            return Reply(finish="error", error=why)
        return Reply(text)


def _modality(call: _Call, *, takes_prompts: bool) -> type[Any]:
    outputs = call(["The", "A"] if takes_prompts else TRIAL, TRIAL, seed=0, max_new_tokens=8, temperature=1.0)
    if _is_table(outputs):
        return TableCallable
    first = outputs[0]
    if isinstance(first, str):
        return TextCallable if takes_prompts else TextSampler
    if takes_prompts and (part := _text_part(first)):
        raise TargetError(
            f"{call.name} returned {type(first).__name__} with {part} for each prompt; return the text alone, as in "
            f"[answer{part} for answer in {call.name.split(':')[-1]}(prompts)], without the prompt (a pipeline of "
            "transformers takes return_full_text=False)"
        )
    if isinstance(first, Mapping):
        return TableCallable
    if hasattr(first, "getbands") or getattr(np.asarray(first), "ndim", 0) in (2, 3):
        _image(call.name, first)
        return ImageCallable
    raise TargetError(
        f"{call.name} returned {type(first).__name__}, of which neither text, picture nor table rows can be made; "
        "return str, arrays (H, W, 3), or a data frame"
    )


def _text_part(output: Any) -> str | None:
    """Return where in an answer a written text stands, of those that `WRITTEN` names."""
    first = isinstance(output, list) and bool(output)
    answer = output[0] if first else output
    field = next((name for name in WRITTEN if isinstance(answer, Mapping) and name in answer), None)
    return f"{'[0]' if first else ''}['{field}']" if field else None


def _is_table(outputs: Any) -> bool:
    return hasattr(outputs, "columns") or (isinstance(outputs, np.ndarray) and outputs.ndim == 2)


def _texts(name: str, outputs: Any) -> list[str]:
    for i, text in enumerate(outputs):
        if not isinstance(text, str):
            raise TargetError(f"{name}: output {i} is {type(text).__name__}, not str")
    return list(outputs)


def _image(name: str, output: Any) -> Image:
    """Return (H, W, 3) uint8."""
    image = np.asarray(output.convert("RGB") if hasattr(output, "getbands") else output)
    if image.ndim == 3 and image.shape[0] in (1, 3) and image.shape[-1] not in (1, 3):
        image = np.moveaxis(image, 0, -1)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[-1] not in (1, 3) or not image.size:
        raise TargetError(f"{name}: a picture of shape {np.shape(output)}; (H, W), (H, W, 3) or (3, H, W) is needed")
    if np.issubdtype(image.dtype, np.floating):
        if not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
            raise TargetError(f"{name}: a picture of floats outside 0–1; clip it, or return uint8")
        image = np.round(image * 255)
    elif image.dtype != np.uint8:
        raise TargetError(f"{name}: a picture of {image.dtype}; return uint8, or floats in 0–1")
    return np.ascontiguousarray(np.repeat(image, 3 // image.shape[-1], axis=-1), dtype=np.uint8)
