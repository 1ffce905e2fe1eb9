"""Postal addresses: a street in the way of its country, then unit, town and postcode where they follow."""

from __future__ import annotations

import re

from ._recognizers import Recognizer, words

_UPPER = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĞĢĪĮİĶĹĻĽŁŃŅŇŌŐŒŔŘŚŞŠŤŪŮŰŲŹŻŽΑ-ΩА-Я"
_WORD = rf"[{_UPPER}][\w.'’-]{{0,24}}"
_NUMBER = r"\d{1,5}(?:[-/]\d{1,4})?[A-Za-z]?(?![\w.]\w)"
_GAP = r"[ \t]{1,3}"
_BREAK = r"(?:,[ \t]{0,3}|[ \t]{0,3},?\n[ \t]{0,8}|[ \t]{1,3})"
_UNIT = r"(?:Apartment|Apt\.?|Suite|Ste\.?|Unit|Flat|Floor|Room) #?\d{1,5}[A-Za-z]?(?!\w)"
_POSTCODE = (
    r"(?:[A-Z]{2}[ \t]{1,3}\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"
    r"|[A-Z]{0,2}-?\d{4,5}|\d{5}-\d{3}|\d{2}-\d{3})(?!\w)"
)
_PLACE = rf"{_WORD}(?: {_WORD}){{0,2}}"
_TOWN = (
    rf"(?:{_BREAK}(?:{_POSTCODE} {_PLACE}|{_PLACE}{_BREAK}(?:{_PLACE}{_BREAK})?{_POSTCODE}"
    rf"|(?:{_PLACE}{_BREAK})?{_POSTCODE}))?"
)
_REST = rf"(?:{_BREAK}{_UNIT})?{_TOWN}"

_ENGLISH = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Square|Sq|Terrace|Way|Close"
    r"|Crescent|Highway|Hwy|Parkway|Pkwy|Circle|Trail|Gardens|Grove|Mews)\b\.?"
)
_COMPOUND = (
    r"(?:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse|damm|ufer|straat|laan|plein|gracht|kade|dreef"
    r"|gatan?|gade|vej|vägen|veien|veg|gata|katu|polku)"
)
_GERMAN = r"(?:Straße|Strasse|Str\.|Weg|Platz|Allee|Ring|Ufer)"
_FRENCH = r"(?:[Rr]ue|[Aa]venue|[Bb]oulevard|[Pp]lace|[Cc]hemin|[Aa]llée|[Ii]mpasse|[Qq]uai|[Cc]ours|[Rr]oute)"
_SOUTHERN = (
    r"(?:Calle|C/|Avenida|Avda\.|Plaza|Paseo|Via|Viale|Piazza|Corso|Vicolo|Rua|Travessa|Largo|Estrada|ul\.|ulica)"
)
_SMALL = r"(?:(?:de|du|des|del|della|da|do|dos|di|la|le|les|los|las|el|l'|d'|of|the)\s?){0,2}"
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d\b")
_IN = re.compile(r"\b(?:in|since|of|during|by|from|until)\s$", re.I)


def _no_year(m: re.Match[str]) -> bool:
    return not (_YEAR.match(m[0]) and _IN.search(m.string[max(0, m.start() - 8) : m.start()]))


def _street(language: str, pattern: str, *needs: str, year: bool = True) -> Recognizer:
    return Recognizer(language, "address", re.compile(pattern), context=None if year else _no_year, needs=needs)


ADDRESSES = (
    _street(
        "street as in English: number, name, kind of street",
        r"[0-9](?<![\w.,/#-].)\d{0,4}(?:[-/]\d{1,4})?[A-Za-z]?"
        rf"{_GAP}(?:(?:{_WORD}|\d{{1,3}}(?:st|nd|rd|th)?){_GAP}){{1,4}}{_ENGLISH}{_REST}",
        year=False,
    ),
    _street(
        "street as in German, Dutch or the Nordic languages: one word, number",
        rf"[{_UPPER}](?<!\w.)[\w'-]{{1,24}}{_COMPOUND} {_NUMBER}{_REST}",
    ),
    Recognizer(
        "street as in German: name in -er, kind of street, number",
        "address",
        re.compile(rf"(?<= ){_GERMAN} {_NUMBER}{_REST}"),
        needs=("Straße", "Strasse", "Str.", "Weg", "Platz", "Allee", "Ring", "Ufer"),
        context=words(r"\w{3,24}er $", after=False),
    ),
    _street(
        "street as in French: number, kind of street, name",
        r"[0-9](?<![\w.,/-].)\d{0,3}(?: ?(?:bis|ter|[A-D]))?"
        rf",? {_FRENCH} {_SMALL}{_WORD}(?:[ -]{_SMALL}{_WORD}){{0,3}}{_REST}",
        year=False,
    ),
    _street(
        "street as in Spanish, Italian, Portuguese or Polish: kind of street, name, number",
        rf"(?<!\w){_SOUTHERN} {_SMALL}{_WORD}(?: {_SMALL}{_WORD}){{0,3}},? (?:n\.? ?º? ?)?{_NUMBER}{_REST}",
        *("Calle ", "C/ ", "Avenida ", "Avda. ", "Plaza ", "Paseo ", "Via ", "Viale ", "Piazza ", "Corso ", "Vicolo "),
        *("Rua ", "Travessa ", "Largo ", "Estrada ", "ul. ", "ulica "),
    ),
    _street("post-office box", rf"(?<!\w)(?:P\. ?O\. ?|PO |Post Office )Box \d{{1,6}}{_TOWN}", "Box "),
    _street(
        "US military address",
        r"(?<!\w)(?:PSC|CMR|Unit|USNS|USS)[^\n]{1,30}\n?,?[ \t]{0,8}(?:APO|FPO|DPO),? A[AEP] \d{5}(?!\w)",
        *("APO", "FPO", "DPO"),
    ),
    _street(
        "street with a flat: name, number, Apt. or Suite",
        rf"(?<![\w.,/-])(?:\d{{1,5}} )?(?:[^\W\d_][\w.'’-]{{0,24}} ){{1,5}}\d{{1,5}}\.?{_BREAK}{_UNIT}{_TOWN}",
        *("Apt", "Suite", "Ste ", "Flat "),
    ),
    _street(
        "street after a word that says so: name and number in either order",
        r"(?:[Aa]ddress(?: is| with)?[:\s]\s{0,8}|[Ll]i(?:ves?|ving) at |[Rr]esid\w{1,5} at )"
        rf"(?P<datum>(?:\d{{1,5}} )?(?:{_SMALL}{_WORD} ){{1,4}}\d{{1,5}}(?![\w:%-]|[.,]\d){_REST})",
        *("ddress", "live", "Live", "living at", "esid"),
    ),
)
