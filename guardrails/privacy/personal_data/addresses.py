"""Postal addresses: a street in the way of its country, then unit, town and postcode where they follow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from .recognizer import Found
from .street_kinds import BEFORE, BEHIND, ENDED, ENDINGS, ENGLISH, FRENCH, GERMAN, NO_STREET

_UPPER = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĞĢĪĮİĶĹĻĽŁŃŅŇŌŐŒŔŘŚŞŠŤŪŮŰŲŹŻŽȘȚΆΈΉΊΌΎΏΑ-ΩЁІЇЄА-Я"
_WORD = rf"[{_UPPER}](?:\w{{0,2}}\.(?= )|(?:\w|['’.-](?=\w)){{0,24}})"
_NUMBER = r"\d{1,5}(?:[-/]\d{1,4}){0,2}(?:/?[A-Za-z]| (?:[A-H](?= \d)|[A-Ha-h](?=[,\n])))?(?![\w.]\w|[^\W_])"
_GAP = r"[ \t]{1,3}"
_BREAK = r"(?:,[ \t]{0,3}|[ \t]{0,3},?\n(?:[ \t]{0,8}\n)?[ \t>|#*]{0,8}|[ \t]{1,3})"
"""Between the parts of an address: a comma, a line (in a quoted mail with its sign), or a blank."""
_UNIT = (
    r"(?:(?i:apartment|apt\.?|suite|ste\.?|unit|flat|floor|room|appartement|appt\.?|app\.?|whg\.?|wohnung"
    r"|fl|depto\.?|dpto\.?|apto\.?|ap\.|bl\.|m\.|piso|escalera|esc\.?|puerta|pta\.?|planta|portal|b[âa]t(?:iment|\.)?|int\.|interno|scala)"
    r" #?(?:\d{1,5}[A-Za-z]?|[A-Za-z])(?!\w)|(?:кв|корп|стр|оф)\. ?\d{1,4}(?!\w)"
    r"|#\d{1,5}[A-Za-z]?(?!\w)"
    r"|\d{1,2}\.?[ºª°](?:[ ,]{1,2}(?:[A-Z](?!\w)|\d{1,2}[ªº]|(?i:izq|dcha?|der|ext|int|centro|esq|dto)\w{0,8}\.?))?"
    r"|\d{1,2}(?:er|e|ème|eme|º|°) étage|\d{1,2}\. ?(?:OG|Stock|Etage)"
    r"|(?i:bajo|ático|rdc|entresuelo)(?: [A-Z](?!\w))?(?!\w))"
)
_POSTCODE = (
    r"(?:[A-Z]{2}[ \t]{1,3}\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"
    r"|\d{4}-\d{3}|\d{4} [A-Z]{2}|[A-Z]{0,2}-?\d{4,6}|\d{5}-\d{3}|\d{2}-\d{3}|\d{3} \d{2}"
    r"|[A-Z]{2}[ \t]{1,3}[A-Z]\d[A-Z] ?\d[A-Z]\d|[A-Z]{2,3}[ \t]{1,3}\d{4})(?!\w|-\d)"
)
_LINK = r"(?:(?:de|del|della|da|do|la|las|los|el|di|du|des|le|les|am|an|der|im|upon|sur) ){0,2}"
_PLACE = rf"{_WORD}(?: {_LINK}{_WORD}){{0,3}}"
_COUNTRY = (
    r"(?:,? ?\([^\W\d_][\w ]{2,24}\))?"
    r"(?:,[ \t]{0,3}(?:España|Spain|France|Deutschland|Germany|United Kingdom|UK|USA|United States"
    r"|Österreich|Austria|Italia|Italy|Schweiz|Suisse|Switzerland|Belgique|Belgium|Portugal|Nederland|Netherlands)(?!\w))?"
)
_TOWN = (
    rf"(?:{_BREAK}(?:{_POSTCODE} {_PLACE}(?: [Cc]edex(?: \d{{1,2}})?)?|{_PLACE}{_BREAK}(?:{_PLACE}{_BREAK})?{_POSTCODE}"
    rf"|(?:{_PLACE}{_BREAK})?{_POSTCODE}){_COUNTRY})?"
)
_REST = rf"(?:{_BREAK}{_UNIT}){{0,3}}{_TOWN}"

_ENGLISH = rf"{ENGLISH.pattern}\b\.?(?: (?:NW|NE|SW|SE|[NSEW])(?!\w))?"
_CERTAIN_TOWN = (
    rf"(?:,|[ \t]{{0,3}}\n)[ \t>|#*]{{0,8}}{_PLACE},?[ \t\n]{{1,3}}"
    r"(?:[A-Z]{2}[ \t]{1,3}\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"
    r"|[A-Z]{2}[ \t]{1,3}[A-Z]\d[A-Z] ?\d[A-Z]\d|(?:NSW|VIC|QLD|SA|WA|TAS|ACT|NT)[ \t]{1,3}\d{4})(?!\w)"
)
"""A town with the postcode of the United States, Britain, Canada or Australia: any name before it may be a street's."""
_SMALL = r"(?:(?:de|du|des|del|della|dei|da|do|das|dos|di|la|le|les|los|las|el|l'|d'|of|the)\s?){0,2}"
_NO_NAME = (
    r"(?:(?:Jan|Feb|Mar|Apr|Ma[iy]|Jun|Jul|Aug|Sep|Okt|Oct|Nov|De[cz])\w{0,6}\.?|Fig\.?|Figure|Table|Chapter|Section|Part"
    r"|Vol\.?|Volume|Page|Psalm|Article|Version|Boeing|Airbus) \d"
)
"""Words that stand before a number and are no street's."""
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d\b")
_IN = re.compile(r"\b(?:in|since|of|during|by|from|until)\s$", re.I)


def _no_year(m: re.Match[str]) -> bool:
    return not (_YEAR.match(m[0]) and _IN.search(m.string[max(0, m.start() - 8) : m.start()]))


@dataclass(frozen=True)
class Street:
    """Finds addresses in the way of one language.

    Attributes
    ----------
    name : str
        Which way.
    pattern : re.Pattern
        Bounded repeats only. The datum is the group ``datum`` where there is one, else the whole match.
    words : frozenset of str
        A text without any of these words holds none.
    glance : re.Pattern, optional
        Likewise, a text in which this is not found.
    year : bool
        Whether the number at its beginning may be a year.
    """

    name: str
    written: str
    words: frozenset[str] = frozenset()
    glance: re.Pattern[str] | None = None
    year: bool = True
    kind: str = "address"

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What is written, compiled when it is first looked for: all of them take a quarter of a second."""
        return re.compile(self.written)

    def find(self, text: str) -> Iterator[Found]:
        """Yield every address; there is no checksum."""
        if (self.words and self.words.isdisjoint(_words_of(text))) or (self.glance and not self.glance.search(text)):
            return
        group = "datum" if "datum" in self.pattern.groupindex else 0
        for m in self.pattern.finditer(text):
            if self.year or _no_year(m):
                yield *m.span(group), True


@lru_cache(maxsize=4)
def _words_of(text: str) -> frozenset[str]:
    words: set[str] = set()
    for at in range(0, len(text), _PIECE):  # the list of all words of a long text would be several times its size
        words.update(_ANY_WORD.findall(text, at, at + _PIECE + 40))
    return frozenset(words)


_ANY_WORD = re.compile(r"\w+")
_PIECE = 100_000


def _street(name: str, pattern: str, words: Iterable[str] = (), *, glance: str = "", year: bool = True) -> Street:
    return Street(name, pattern, frozenset(words), re.compile(glance) if glance else None, year)


ADDRESSES = (
    _street(
        "street as in English with the flat before it",
        rf"(?<!\w)(?:Flat|Unit|Apartment|Apt\.?|Suite) #?\d{{1,4}}[A-Za-z]?,? \d{{1,5}}[A-Za-z]?"
        rf"{_GAP}(?:{_WORD}{_GAP}){{1,4}}{_ENGLISH}{_REST}",
        ("Flat", "Unit", "Apartment", "Apt", "Suite"),
    ),
    _street(
        "street as in English: number, name, kind of street",
        r"[0-9](?<![^\W_].)(?<!\d[.,/-].)\d{0,4}(?:[-/]\d{1,4})?[A-Za-z]?"
        rf"{_GAP}(?:(?:{_WORD}|\d{{1,3}}(?:st|nd|rd|th)?){_GAP}){{1,4}}{_ENGLISH}{_REST}",
        ENGLISH.words,
        year=False,
    ),
    _street(
        "street as in German with a preposition, and its town",
        rf"(?<!\w)(?:Am|An der|Im|In der|Zum|Zur|Auf der|Unter den|Hinter der) {_WORD} {_NUMBER}"
        rf"{_BREAK}(?:{_UNIT}{_BREAK})?\d{{5}} {_PLACE}",
        ("Am", "An", "Im", "In", "Zum", "Zur", "Auf", "Unter", "Hinter"),
    ),
    _street(
        "street as in German, Dutch or the Nordic languages: one word, number",
        rf"[{_UPPER}](?<!\w.)[\w'-]{{1,24}}{ENDINGS}{NO_STREET} {_NUMBER}{_REST}",
        glance=ENDED.pattern,
    ),
    _street(
        "street as in German: name, kind of street, number",
        rf"(?<!\w){_WORD} {GERMAN.pattern} {_NUMBER}{_REST}",
        GERMAN.words,
    ),
    _street(
        "street as in French: number, kind of street, name",
        r"[0-9](?<![^\W_].)(?<!\d[.,/-].)\d{0,3}(?: ?(?:bis|ter|[A-D]))?"
        rf",? {FRENCH.pattern} {_SMALL}{_WORD}(?:[ -]{_SMALL}{_WORD}){{0,3}}{_REST}",
        FRENCH.words,
        year=False,
    ),
    _street(
        "street as in Spanish, Italian, Portuguese, Polish, Greek or Russian: kind of street, name, number",
        rf"(?<!\w)(?<!et ){BEFORE.pattern} {_SMALL}{_WORD}(?: {_SMALL}{_WORD}){{0,3}}"
        rf",? (?:n(?:\.|r\.?|[uú]m\.?)? ?[º°]?\.? ?|č\. ?(?:p\. ?)?|д(?:\.|ом) ?)?(?:{_NUMBER}|s/n){_REST}",
        BEFORE.words,
    ),
    _street(
        "street as in the Nordic languages, Hungarian, Turkish or Russian: name, kind of street, number",
        rf"[{_UPPER}](?<!\w.)[\w'’.-]{{1,24}} (?:{_WORD} ){{0,2}}(?:{BEHIND.pattern}|(?<=s )gate)"
        rf",?(?: No| д)?[ :.]{{1,3}}{_NUMBER}{_REST}",
        BEHIND.words | {"gate"},
    ),
    _street(
        "number and name, with the town and its postcode",
        r"[0-9](?<![^\W_].)(?<!\d[.,/-].)(?!(?<=1)9\d\d |(?<=2)0\d\d )\d{0,4}(?:[-/]\d{1,4})?[A-Za-z]?"
        rf"{_GAP}(?:{_WORD}{_GAP}){{0,3}}{_WORD}(?:{_BREAK}{_UNIT}){{0,2}}{_CERTAIN_TOWN}",
        glance=r"[A-Z](?:[A-Z]{1,2}[ \t]{1,3}\d{4}|\d[A-Z\d]? ?\d[A-Z]|\d[A-Z] ?\d)",
        year=False,
    ),
    _street(
        "name and number, with the postcode and its town",
        rf"(?!{_NO_NAME})[{_UPPER}](?<!\w.)[\w'’-]{{1,24}} (?:(?!{_NO_NAME}){_SMALL}{_WORD} ){{0,3}}"
        rf"\d{{1,3}}(?:[-/]\d{{1,3}})?(?: ?[a-h]|bis)?"
        r"(?:,|[ \t]{0,3}\n)[ \t>|#*]{0,8}(?:[A-Z]{1,3}-)?"
        rf"(?:\d{{5}}|\d{{4}} [A-Z]{{2}}|\d{{3}} \d{{2}}|\d{{2}}-\d{{3}}|\d{{4}}-\d{{3}}) {_PLACE}",
        glance=r"[,\n][ \t>|#*]{0,8}(?:[A-Z]{1,3}-)?\d{2,5}[ -]",
    ),
    _street(
        "street as in Colombia: kind, number, sign, two numbers",
        r"(?:[Cc]alle|[Cc]arrera|Cra\.?|Cl\.|Diagonal|Transversal) \d{1,3} ?[A-Z]?(?: ?#| No\.?) ?\d{1,3}"
        r" ?[A-Z]? ?- ?\d{1,3}"
        rf"(?:, {_PLACE})?",
        ("Calle", "calle", "Carrera", "carrera", "Cra", "Cl", "Diagonal", "Transversal"),
    ),
    _street(
        "street as in English in small letters, with its flat",
        r"[0-9](?<![^\W_].)(?<!\d[.,/-].)\d{0,4}(?:[-/]\d{1,4})?[a-z]? (?:\w{1,24} ){1,4}"
        r"(?:street|st|avenue|ave|road|rd|lane|drive|boulevard|blvd|terrace|highway|parkway)\b\.?,?"
        r"[ \n]{1,2}(?:apartment|apt\.?|suite|ste\.?|unit|flat|floor) #?\d{1,5}[a-z]?(?!\w)",
        ("apartment", "apt", "suite", "ste", "unit", "flat", "floor"),
    ),
    _street(
        "corner of two streets",
        r"[Cc]orner of (?P<datum>(?=[^\n]{0,48}(?:\d|[Ss]tr|[Aa]ve|[Rr]oad|[Ll]ane|\bSt\b|\bRd\b))"
        rf"(?:the )?(?:\d{{1,5}}(?:st|nd|rd|th)? )?(?:[^\W\d_][\w.'’-]{{0,24}} ){{0,4}}(?:\d{{1,5}} )?(?:and|&) "
        rf"(?:(?:{_WORD}|\d{{1,3}}(?:st|nd|rd|th))(?: {_WORD}){{0,3}}|[^\W\d_]{{2,24}} [^\W\d_]{{2,24}}))",
        ("corner", "Corner"),
    ),
    _street("post-office box", rf"(?<!\w)(?:P\. ?O\. ?|PO |Post Office )Box \d{{1,6}}{_TOWN}", ("Box",)),
    _street(
        "US military address",
        r"(?<!\w)(?:PSC|CMR|Unit|USNS|USS)[^\n]{1,30}\n?,?[ \t]{0,8}(?:APO|FPO|DPO),? A[AEP] \d{5}(?!\w)",
        ("APO", "FPO", "DPO"),
    ),
    _street(
        "street with a flat: name, number, Apt. or Suite",
        rf"(?<![\w.,/-])(?:\d{{1,5}} )?(?:[^\W\d_][\w.'’-]{{0,24}} ){{1,5}}\d{{1,5}}\.?{_BREAK}{_UNIT}{_TOWN}",
        ("Apt", "Apartment", "Suite", "Ste", "Flat", "Unit"),
    ),
    _street(
        "street after a word that says so: name and number in either order",
        r"(?:[Aa]ddress(?: is| with| to| at)?(?: at)?[:\s]\s{0,8}|[Ll]i(?:ves?|ving) at |[Rr]esid\w{1,5} at )"
        rf"(?P<datum>(?:\d{{1,5}} )?(?:{_SMALL}{_WORD} ){{1,4}}\d{{1,5}}(?![\w:%-]|[.,]\d|[ ,]{{1,2}}\d{{1,5}} [A-Z])"
        rf"{_REST})",
        glance=r"ddress|ives? at |iving at |esid",
    ),
)
