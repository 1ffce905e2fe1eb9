"""What a stranger's tokenizer may do to a text: how much longer it makes it, and how long it takes."""

from __future__ import annotations

import base64
import binascii
import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...core.errors import TargetError
from ..model_files.errors import in_time, target_errors

MAX_GROWTH = 128
"""Characters that one character of a text may become. Ordinary tokenizers make at most 18 (U+FDFA in its normal form),
or 36 with a mark that is put before each text."""
MAX_ADDED, MAX_ADDED_CHARACTERS, MAX_TOKEN = 100_000, 5_000_000, 100_000
"""Added tokens, characters of all of them, and of any one token."""
SECONDS, SECONDS_EACH = 30.0, 1e-4
"""Time for a text, and more for each of its characters."""
SPACES = "<SP><BR><TAB>"
"""What the tokenizer that has an ``emoji.json`` puts for white space before it replaces emoji."""
INNER = ("normalizers", "pretokenizers", "decoders", "processors")


def check_parts(tokenizer: Mapping[str, Any]) -> None:
    """Check the parts of a tokenizer as ``tokenizer.json`` describes them.

    Raises
    ------
    TargetError
        For replacements that multiply to more than `MAX_GROWTH`, and for more or longer tokens than are read.
    """
    try:
        for part in ("normalizer", "pre_tokenizer", "decoder"):
            if (growth := _growth(tokenizer.get(part))) > MAX_GROWTH:
                raise TargetError(
                    f"the tokenizer's {part} can make a character {growth:,.0f} long; at most {MAX_GROWTH:,} are read"
                )
        _check_tokens(tokenizer)
    except (AttributeError, TypeError, KeyError, IndexError):
        raise TargetError("tokenizer.json does not describe a tokenizer") from None


def _check_tokens(tokenizer: Mapping[str, Any]) -> None:
    added = [token["content"] for token in tokenizer.get("added_tokens") or ()]
    characters = sum(map(len, added))
    if len(added) > MAX_ADDED or characters > MAX_ADDED_CHARACTERS:
        raise TargetError(
            f"the tokenizer adds {len(added):,} tokens of {characters:,} characters; at most {MAX_ADDED:,} of "
            f"{MAX_ADDED_CHARACTERS:,} are read"
        )
    vocabulary = (tokenizer.get("model") or {}).get("vocab") or ()
    tokens = vocabulary if isinstance(vocabulary, dict) else (entry[0] for entry in vocabulary)
    if (longest := max(map(len, (*tokens, *added)), default=0)) > MAX_TOKEN:
        raise TargetError(f"the tokenizer has a token of {longest:,} characters; at most {MAX_TOKEN:,} are read")


def _growth(part: Any) -> float:
    """Return how many characters a part of a tokenizer makes of one, at most."""
    if part is None:
        return 1.0
    inner = [step for name in INNER for step in part.get(name) or ()]
    grown = math.prod(map(_growth, inner)) * (1 + len(part.get("prepend") or ""))
    if part.get("type") == "Replace":
        # A pattern may match one character, or the empty text beside each.
        replaced = part["pattern"].get("String") or ""
        grown *= max(1.0, (_length(part["content"]) + (not replaced)) / max(1, len(replaced)))
    if part.get("precompiled_charsmap"):
        grown *= _longest_in_map(part["precompiled_charsmap"])
    return grown


def _longest_in_map(encoded: str) -> int:
    """Return the length of the longest text in a map of SentencePiece: a trie, then texts that end in NUL."""
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise TargetError("the tokenizer's map of characters is damaged") from None
    texts = content[4 + int.from_bytes(content[:4], "little") :]
    return max((_length(text.decode("utf-8", "replace")) for text in texts.split(b"\0")), default=1) or 1


def _length(text: str) -> int:
    """Return how many characters a text has, or its longest normal form, which a later step may make of it."""
    return len(text) if len(text) > MAX_GROWTH else max(len(text), len(unicodedata.normalize("NFKD", text)))


def check_emoji(emoji: Mapping[str, Any]) -> None:
    """Check the replacements that ``emoji.json`` describes.

    Raises
    ------
    TargetError
        For replacements that can make a character longer than `MAX_GROWTH`.
    """
    try:
        growth = max(_emoji_growth(dict(emoji["emoji"])), *map(len, ("", *dict(emoji["emoji_inv"]).values())))
    except (AttributeError, TypeError, KeyError, ValueError):
        raise TargetError("emoji.json does not describe what replaces emoji") from None
    if growth > MAX_GROWTH:
        raise TargetError(f"emoji.json can make a character {growth:,.0f} long; at most {MAX_GROWTH:,} are read")


def _emoji_growth(replaced: Mapping[str, str]) -> float:
    """Return how many characters one character becomes, at most; the replacements follow each other.

    A replacement of a text with a character that no replacement writes uses that character up: there are no more of
    those than the text has characters. Only texts that replacements may have written are replaced again, and multiply.
    """
    if "" in replaced:
        raise ValueError("the empty text")
    written = {*SPACES, *"".join(replaced.values())}
    again = [len(content) / len(text) for text, content in replaced.items() if written.issuperset(text)]
    return max(len(SPACES), *map(len, replaced.values()), 1) * math.prod(max(1.0, ratio) for ratio in again)


class TimedTokenizer:
    """A tokenizer that encodes and decodes for a limited time, and raises TargetError whatever happens.

    What runs in Rust cannot be stopped: after one text that takes too long the tokenizer is not asked again.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._late: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def encode(self, text: str, **options: Any) -> list[int]:
        """Return the tokens of a text."""
        return list(self._in_time(lambda: self._tokenizer.encode(text, **options), len(text), "characters"))

    def decode(self, tokens: Sequence[int], **options: Any) -> str:
        """Return the text of tokens."""
        return str(self._in_time(lambda: self._tokenizer.decode(tokens, **options), len(tokens), "tokens"))

    def _in_time(self, call: Callable[[], Any], size: int, unit: str) -> Any:
        if self._late:
            raise TargetError(f"{self._late}; it is not asked again")

        def guarded() -> Any:
            with target_errors("the tokenizer broke"):
                return call()

        seconds = SECONDS + SECONDS_EACH * size
        try:
            return in_time(guarded, seconds)
        except TimeoutError:
            self._late = f"the tokenizer took more than {seconds:.0f} s for {size:,} {unit}"
            raise TargetError(self._late) from None
