"""Untrusted text made visible: whatever could hide text, reorder it or steer a terminal is written out."""

from __future__ import annotations

import re
import unicodedata

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u206a-\u206f"
_UNSEEN = "\u00ad\u034f\u115f\u1160\u3164\uffa0\u180e\u200b\u2028\u2029\u2060-\u2065\ufeff\ufff9-\ufffb"
_HIDDEN = re.compile(f"[{_BIDI}{_UNSEEN}\U0001d173-\U0001d17a\U000e0000-\U000e0fff]")
_UNUSUAL = re.compile(r"[^\n\t\x20-\x7e]")


def is_hidden(c: str) -> bool:
    r"""Return whether a character cannot be seen, or changes how others are seen.

    Control characters, bidirectional overrides, invisible spaces, tag characters and lone surrogates are hidden.
    Zero-width joiners are not: Persian, Hindi and emoji cannot be written without them.

    >>> is_hidden("\x1b"), is_hidden("\u202e"), is_hidden("\u200d"), is_hidden("a")
    (True, True, False, False)
    """
    return unicodedata.category(c) in ("Cc", "Cs") or _HIDDEN.match(c) is not None


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return text with every hidden character written out as ``⟨U+202E⟩``: see `is_hidden`.

    Parameters
    ----------
    text : str
        Anything, for example a model's output or the name of a file.
    lines : bool
        Keep line breaks and tabs; else every run of white space becomes one space.

    Examples
    --------
    >>> visible("cod\u202etxt.exe")
    'cod⟨U+202E⟩txt.exe'
    """
    text = text.replace("\r\n", "\n") if lines else re.sub(r"[ \t\r\n]+", " ", text).strip()
    return _UNUSUAL.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    c = match.group()
    return f"⟨U+{ord(c):04X}⟩" if is_hidden(c) else c
