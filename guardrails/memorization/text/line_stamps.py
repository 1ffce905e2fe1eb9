"""Line numbers and time stamps of listings, transcripts and subtitles: taken off, so that the text can be compared."""

from __future__ import annotations

import re
from itertools import pairwise

_TIME = r"(?:\d{1,3}:)?\d{1,2}:\d{2}(?:[.,:]\d{1,6})?"
_DATE = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
_RANGE = re.compile(
    rf"^[^\S\n]*(?:\d+[^\S\n]*\n[^\S\n]*)?{_TIME}[^\S\n]*-{{1,2}}>[^\S\n]*{_TIME}[^\n]*(?:\n|\Z)", re.MULTILINE
)
"""The number of a subtitle, and from when to when it is shown (SRT, WebVTT)."""
_SHOWN = re.compile(rf"^Dialogue:[^,\n]*,{_TIME},{_TIME},(?:[^,\n]*,){{6}}", re.MULTILINE)
"""The same in one line (ASS)."""
_WITHIN = re.compile(rf"<{_TIME}>|\{{\\[^{{}}\n]{{1,100}}\}}")
"""When a word of a subtitle is spoken, and where it is shown."""
_CLOCK = rf"(?:(?:{_DATE})[T,]?[^\S\n]*)?{_TIME}(?:[^\S\n]?[AaPp][Mm]\b)?(?:Z|[+-]\d{{2}}:?\d{{2}})?"
_STAMP = re.compile(
    rf"""^[^\S\n]*(?:[>|*-][^\S\n]*)?
    (?:
        (?:
            (?P<who>[^\W\d_][^\n\[(]{{0,40}})?(?:\[{_CLOCK}\]|\({_CLOCK}\))
            | {_CLOCK}(?:[^\S\n]*[-–]{{1,2}}[^\S\n]*{_CLOCK})?(?=\s|[-–:|,;]|\Z)
        )
            [^\S\n]*(?:[-–:|,;][^\S\n]*)?(?:\n(?=[^\S\n]*[^\W\d_]))?
        | (?P<number>\d{{1,6}}|\[\d{{1,6}}\]|\(\d{{1,6}}\)|[Ll]\d{{1,6}}|[Ll]ine[ ]\d{{1,6}})
            (?:[.:)\]|│→>-](?=\s|[^\W\d]|$)|(?=[^\S\n])|$)[^\S\n]*
    )
    (?P<rest>[^\n]*)$""",
    re.MULTILINE | re.VERBOSE,
)
_LARGEST_STEP = 10
"""Lines further apart than by so much are not numbered one after the other."""
_WORDS = re.compile(r"[^\W\d_]")
_SAID = re.compile(r"[^\W_]")


def without_stamps(text: str) -> str:
    r"""Return a text without the number or time that each line begins with.

    A number is one of a line where that of the numbered line before or behind it is at most ten away. Where most of the
    lines say the same, or no words, the numbers and times are what they tell, and stay.

    >>> without_stamps("1: def f():\n2:     return 3\n")
    'def f():\nreturn 3\n'
    >>> without_stamps("7\n00:00:01,000 --> 00:00:02,500\nGood evening.\n\n[00:03] Come in.\n")
    'Good evening.\n\nCome in.\n'
    >>> without_stamps("1 0.5 0.7\n2 0.5 0.9"), without_stamps("08:00 open\n09:00 open\n10:00 open")
    ('1 0.5 0.7\n2 0.5 0.9', '08:00 open\n09:00 open\n10:00 open')
    """
    if ":" in text:
        text = _WITHIN.sub("", _SHOWN.sub("", _RANGE.sub("", text)))
    lines = list(_STAMP.finditer(text))
    numbers = [int(re.sub(r"\D", "", line["number"])) for line in lines if line["number"]]
    steps = [0 < b - a <= _LARGEST_STEP for a, b in pairwise(numbers)]
    in_order = iter([a or b for a, b in zip([False, *steps], [*steps, False], strict=True)])
    stamped = [
        (line.span(), f"{line['who'] or ''}{line['rest']}") for line in lines if not line["number"] or next(in_order)
    ]
    said = [rest.strip() for _, rest in stamped if _SAID.search(rest)]
    worded = {rest for rest in said if _WORDS.search(rest)}
    if not said or 2 * len(worded) < len(said):
        return text
    out, at = [], 0
    for (begin, end), rest in stamped:
        out += [text[at:begin], rest]
        at = end
    return "".join([*out, text[at:]])
