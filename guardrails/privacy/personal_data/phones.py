"""Telephone numbers: by country code, by a national way of writing and its numbering plan, or by a word beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from .labels import has_long_number, joined_to_word, labels, named_as
from .recognizer import BEFORE, Found

REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "AU", "IN", "IL", "BR", "CA")
"""The national numbering plans that a number without a country code is held against."""
MOST, FEWEST = 15, 7
"""Digits of a number (ITU-T E.164), its country code and no extension counted."""

_BEGIN = r"(?<![^\W_].)(?<![$€£+].)(?<!\d[./_-].)"
_GAP = r"(?: ?[./-] ?| {1,2})"
_GROUPS = rf"(?:{_GAP}(?:\(\d{{1,5}}\)|\d{{1,14}})|\(\d{{1,5}}\)|(?<=\))\d{{1,14}}){{0,7}}"
_EXTENSION = r"(?P<extension>,? ?(?:x|ext(?:ension|n)?|poste|int|app)\.? ?\d{1,6})?"
_END = r"(?![^\W_]|[@%€£]|_[^\W_]|[.-]\d)"

_INTERNATIONAL = re.compile(
    rf"(?P<number>[+(0]{_BEGIN}(?:(?<=\+)\(?|(?<=\()\+|(?<=0)0 ?|(?<=0)11[ -])[1-9]\d{{0,14}}\)?{_GROUPS})"
    rf"{_EXTENSION}{_END}"
)
_TRUNK = re.compile(
    rf"(?P<number>[0(]{_BEGIN}(?:(?<=\()0\d{{1,5}}\)|(?<=0)[1-9]\d{{0,13}}){_GROUPS}){_EXTENSION}{_END}"
)
_NATIONAL = re.compile(
    rf"(?P<number>[1-9(](?<![^\W_].)(?<![$€£+].)(?<!\d[._-].)(?:"
    # North America: 3-3-4
    rf"(?:(?<=1)(?:[ .-]\(?|\()[2-9]|(?<=\()[2-9]|(?<=[2-9]))\d\d\)?(?: ?[./-] ?| {{1,2}}|(?<=\)))"
    rf"[2-9]\d\d(?: ?[.-] ?| )?\d{{4}}"
    # Brazil and India
    rf"|(?<=\()\d\d\) ?9?\d{{4}}[ -]\d{{4}}|(?<=[6-9])\d{{4}}[ -]\d{{5}}"
    rf")){_EXTENSION}{_END}"
)
_ANY = re.compile(
    rf"(?P<number>[0-9+(]{_BEGIN}(?:(?<=\d)\d{{0,15}}|(?<=\()\+?\d{{1,5}}\)|(?<=\+)(?:\(\d{{1,5}}\)|\d{{1,14}})){_GROUPS}){_EXTENSION}{_END}"
)
_TEN = re.compile(rf"[2-9]{_BEGIN}\d{{9}}{_END}")
_AFTER = re.compile(
    r"[ (/,-](?:(?<=\d.)|(?<=\d[ (/,-].)|(?<=\d[ (/,-]{2}.))"
    r"(?i:office|home|work|mobile|cell|fax|tel|mobil|privat|büro|dienstlich|casa|trabajo|m[oó]vil"
    r"|bureau|domicile)"
    r"(?![^\W_])"
)
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_DATE = re.compile(
    rf"(?<![\d./-])(?:{_DAY}([./-]){_MONTH}\1(?:(?:19|20)\d\d|\d\d)|{_MONTH}([./-]){_DAY}\2(?:(?:19|20)\d\d|\d\d)"
    rf"|{_DAY} {_MONTH} (?:19|20)\d\d|(?:19|20)\d\d([ ./-]){_MONTH}\3{_DAY}|[12]\d{{3}}-[12]\d{{3}}"
    rf"|\d{{5}}-\d{{4}})(?!\d|[./-]\d)"
)
_MOBILE = re.compile(r"(?<![\d-])[1-9]\d\)? ?9\d{4}-\d{4}")
"""A Brazilian mobile: its second part looks like a postcode of the US, which ends a number that stands before one."""
_DECIMAL = re.compile(
    r"\d{1,2}\.\d+|\d{4,}\.\d\d|\d{1,3}(?:[. ]\d{3}){3,4}|[1-9]\d?(?:[. ]\d{3}){2,4}|[1-9]\d?0{5,}|\d\d(?:\.\d\d){3}"
)
"""Figures with a point, with marks of thousands, or round."""
_THOUSANDS = re.compile(r"[1-9]\d?(?: \d{3}){2,3}")
_NEAR = 6
"""Characters between a word and its number."""
_SINGLE = re.compile(r"[ .]\d(?!\d)")
"""A group of one figure: people do not write numbers so, and tables do."""
_UUID = re.compile(r"\d{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-")
_FIGURES_AFTER = re.compile(r"[ \t]{1,3}[0-9A-Fa-f]{0,8}\d")
_FIGURES_BEFORE = re.compile(r"\d[0-9A-Fa-f]{0,8}[ \t]{1,3}$")


@dataclass(frozen=True)
class Phones:
    """Finds telephone numbers."""

    kind: str = "phone"
    name: str = "telephone number"

    def find(self, text: str) -> Iterator[Found]:
        """Yield every number."""
        yield from _international(text)
        yield from _labelled(text)
        for pattern in (_NATIONAL, _TRUNK):
            for m in pattern.finditer(text):
                if end := _national(text, m):
                    yield m.start(), end, True
        if "@" in text:
            yield from _beside_mail(text)


PHONE = Phones()


def _international(text: str) -> Iterator[Found]:
    """Yield the numbers with a country code."""
    for m in _INTERNATIONAL.finditer(text):
        if not _long_enough(m) or (name := named_as(text, m.start())) == "other":
            continue
        loose = name == "phone" or (not m["number"][1:].isdigit() and not m["number"].startswith("00"))
        for end in _ends(m):
            number = text[m.start() : end]
            if valid(_plus(number), "") or (loose and possible(_plus(number))):
                yield m.start(), _whole(m, end), True
                break


def _labelled(text: str) -> Iterator[Found]:
    """Yield the numbers beside a word such as *call*, whatever their form."""
    if not has_long_number(text):
        return
    index = labels(text)
    for i, topic in enumerate(index.topics):
        if topic == "phone":
            reach = index.starts[i] + BEFORE
            following = index.starts[i + 1] if i + 1 < len(index.starts) else len(text)
            for m in _ANY.finditer(text, index.ends[i], min(len(text), reach + 40)):
                if m.start() > min(reach, following):
                    break
                if end := _of_a_label(text, m):
                    yield m.start(), end, True
    for word in _AFTER.finditer(text):
        last = len(text[max(0, word.start() - 3) : word.start()].rstrip(" (/,-")) + max(0, word.start() - 3)
        for m in _ANY.finditer(text, max(0, last - 30), last) if text[last - 1 : last].isdigit() else ():
            if m.end() == last and (end := _of_a_label(text, m)):
                yield m.start(), end, True


def _of_a_label(text: str, m: re.Match[str]) -> int | None:
    # A few figures without any separator are counted things as often: nothing but filler may stand between.
    short = m["number"].isdigit() and len(m["number"]) <= 8
    if not _long_enough(m) or (short and m.start() > 0 and named_as(text, m.start()) != "phone"):
        return None
    index = labels(text)
    i = index.before(m.start())
    near = i is not None and m.start() - index.ends[i] <= _NEAR
    ends = [end for end in _ends(m) if _plausible(text[m.start() : end], thousands=near)]
    if not ends:
        return None
    regions = REGIONS if "+" not in m["number"] else ("",)
    good = (end for end in ends if any(valid(text[m.start() : end], region) for region in regions))
    return _whole(m, ends[0] if len(ends) == 1 else next(good, ends[0]))


def _national(text: str, m: re.Match[str]) -> int | None:
    """Return where a number of a national plan ends, if it is one and nothing says that it is something else."""
    number = m["number"]
    if not _long_enough(m) or _UUID.match(text, m.start()):
        return None
    if " " in number and "(" not in number and _among_figures(text, m.start(), m.end()):  # a row of a table
        return None
    if named_as(text, m.start()) is not None or joined_to_word(text, m.start()):
        return None
    if number[0] in "0(" and number.lstrip("(")[0] == "0":
        regions: tuple[str, ...] = REGIONS
    else:
        regions = ("BR",) if number[0] == "(" and number[3] == ")" else ("US", "IN")
    for end in _ends(m):
        value = text[m.start() : end]
        if _plausible(value) and not _SINGLE.search(value) and any(valid(value, region) for region in regions):
            return _whole(m, end)
    return None


def _ends(m: re.Match[str]) -> Iterator[int]:
    """Yield where a number may end, the longest first: never inside a date that follows it."""
    number = m["number"]
    mobile = _MOBILE.search(number)
    dates = (d.start() for d in _DATE.finditer(number) if d.start())
    date = next((at for at in dates if mobile is None or not mobile.start() < at < mobile.end()), None)
    for i in range(len(number), FEWEST - 1, -1):
        whole_group = i == len(number) or (number[i] in " ./-" and number[i - 1] not in " ./-")
        if whole_group and (date is None or i <= date) and _digits(number[:i]) <= MOST + 2:
            yield m.start() + i


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


def _whole(m: re.Match[str], end: int) -> int:
    """Return the end with the extension, where nothing was cut off."""
    return m.end() if end == m.end("number") else end


def _beside_mail(text: str) -> Iterator[Found]:
    """Yield the numbers of ten figures in the line of an e-mail address, as in a list of contacts."""
    for m in _TEN.finditer(text):
        line = (
            text[max(0, m.start() - BEFORE) : m.start()].rpartition("\n")[2],
            text[m.end() : m.end() + BEFORE].partition("\n")[0],
        )
        alone = not _among_figures(text, m.start(), m.end())
        if "@" in "".join(line) and alone and named_as(text, m.start()) is None and valid(m[0], "US"):
            yield *m.span(), True


def _among_figures(text: str, start: int, end: int) -> bool:
    """Whether other figures stand beside these, as in a table."""
    return bool(_FIGURES_AFTER.match(text, end) or _FIGURES_BEFORE.search(text[max(0, start - 12) : start]))


def _long_enough(m: re.Match[str]) -> bool:
    return len(m["number"]) >= FEWEST and _digits(m["number"]) >= FEWEST


def _plausible(number: str, *, thousands: bool = False) -> bool:
    """Whether figures can be those of a telephone number; groups of three after one or two only where `thousands`."""
    if thousands and _THOUSANDS.fullmatch(number):
        return True
    digits = sum(map(str.isdigit, number))
    return FEWEST <= digits <= MOST + 1 and not _DATE.match(number) and not _DECIMAL.fullmatch(number)


def _plus(number: str) -> str:
    """Return an international number with + for what is dialled in its place, and without a (0)."""
    number = re.sub(r"^\(?(?:\+|00 ?|011[ -])", "+", number).replace("(0)", "")
    return number


@lru_cache(maxsize=8192)
def national(number: str) -> str:
    """Return the digits without country code, trunk prefix and extension: the same however the number is dialled.

    >>> national("+44 20 7946 0123"), national("020 7946 0123"), national("1-212-555-0187 ext. 4")
    ('2079460123', '2079460123', '2125550187')
    """
    import phonenumbers

    number = re.split(r",|[a-z]", re.sub(r"[\s=>|#*]+", " ", number.lower()))[0]  # it may stand on two lines
    if number.lstrip("(")[:1] == "+" or number.startswith("00"):
        try:
            return str(phonenumbers.parse(_plus(number), None).national_number)
        except phonenumbers.NumberParseException:
            pass
    digits = re.sub(r"\D", "", number)
    if len(digits) == 11 and digits[0] == "1" and valid(digits[1:], "US"):
        return digits[1:]
    return digits.lstrip("0")


@lru_cache(maxsize=8192)
def valid(number: str, region: str) -> bool:
    """Whether a numbering plan has such a number."""
    import phonenumbers

    if _in_main_plan(number):
        return True
    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(number, region or None)))
    except phonenumbers.NumberParseException:
        return False


def _in_main_plan(number: str) -> bool:
    """Whether ``+`` and figures are a number of the country that its code is first of.

    The same as `valid`, of a number that needs no parsing, in a third of the time: a log has another one in each line.
    """
    import phonenumbers

    figures = number[1:]
    if number[:1] != "+" or not (figures.isascii() and figures.isdigit() and len(figures) <= MOST):
        return False
    codes = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    length = next((n for n in (1, 2, 3) if int(figures[:n]) in codes), 0)
    if not length or figures[length : length + 1] in ("", "0"):
        return False
    code, rest = int(figures[:length]), int(figures[length:])
    parsed = phonenumbers.PhoneNumber(country_code=code, national_number=rest)
    return bool(phonenumbers.is_valid_number_for_region(parsed, codes[code][0]))


@lru_cache(maxsize=8192)
def possible(number: str) -> bool:
    """Whether an international number has one of its country's lengths."""
    import phonenumbers

    try:
        return len(number) >= 9 and bool(phonenumbers.is_possible_number(phonenumbers.parse(number, None)))
    except phonenumbers.NumberParseException:
        return False
