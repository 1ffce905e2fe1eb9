"""A JSON object from a file that may be anyone's."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def json_object(text: str | bytes) -> dict[str, Any]:
    r"""Return the object that a text holds.

    Half of a surrogate pair, which a file's name or a model may hold, is read as it was written.

    Raises
    ------
    ValueError
        Where the text is no JSON, is nested too deeply, holds NaN or infinity, or is no object.

    Examples
    --------
    >>> json_object('{"a": "\\ud800"}')
    {'a': '\ud800'}
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("it is no object")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
