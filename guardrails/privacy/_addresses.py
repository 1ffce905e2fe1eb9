"""Postal addresses: a street in the way of its country, then unit, town and postcode where they follow."""

from __future__ import annotations

import re

from ._recognizers import Recognizer

_UPPER = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĞĢĪĮİĶĹĻĽŁŃŅŇŌŐŒŔŘŚŞŠŤŪŮŰŲŹŻŽΑ-ΩА-Я"
_WORD = rf"[{_UPPER}](?:\w{{0,2}}\.(?= )|(?:\w|['’.-](?=\w)){{0,24}})"
_NUMBER = r"\d{1,5}(?:[-/]\d{1,4})?[A-Za-z]?(?![\w.]\w|[^\W_])"
_GAP = r"[ \t]{1,3}"
_BREAK = r"(?:,[ \t]{0,3}|[ \t]{0,3},?\n[ \t]{0,8}|[ \t]{1,3})"
_UNIT = (
    r"(?:(?i:apartment|apt\.?|suite|ste\.?|unit|flat|floor|room|appartement|appt\.?|app\.?|whg\.?|wohnung"
    r"|piso|escalera|esc\.?|puerta|pta\.?|planta|portal|b[âa]t(?:iment|\.)?|int\.|interno|scala)"
    r" #?(?:\d{1,5}[A-Za-z]?|[A-Za-z])(?!\w)"
    r"|#\d{1,5}[A-Za-z]?(?!\w)"
    r"|\d{1,2}\.?[ºª°](?:[ ,]{1,2}(?:[A-Z](?!\w)|\d{1,2}[ªº]|(?i:izq|dcha?|der|ext|int|centro)\w{0,8}\.?))?"
    r"|\d{1,2}(?:er|e|ème|eme|º|°) étage|\d{1,2}\. ?(?:OG|Stock|Etage)"
    r"|(?i:bajo|ático|rdc|entresuelo)(?: [A-Z](?!\w))?(?!\w))"
)
_POSTCODE = (
    r"(?:[A-Z]{2}[ \t]{1,3}\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"
    r"|\d{4}-\d{3}|\d{4} [A-Z]{2}|[A-Z]{0,2}-?\d{4,5}|\d{5}-\d{3}|\d{2}-\d{3})(?!\w)"
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

_ENGLISH_KINDS = (
    "Street", "St", "Avenue", "Ave", "Road", "Rd", "Lane", "Ln", "Drive", "Dr", "Boulevard", "Blvd", "Court", "Ct",
    "Place", "Square", "Sq", "Terrace", "Way", "Close", "Crescent", "Highway", "Hwy", "Parkway", "Pkwy", "Circle",
    "Trail", "Gardens", "Grove", "Mews",
)  # fmt: skip
_ENGLISH = rf"(?:{'|'.join(_ENGLISH_KINDS)})\b\.?(?: (?:NW|NE|SW|SE|[NSEW])(?!\w))?"
_GERMAN = r"(?:Straße|Strasse|Str\.|Weg|Platz|Allee|Ring|Ufer|Damm|Gasse|Chaussee)"
_COMPOUND = (
    r"(?:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse|damm|ufer|ring|straat|laan|plein|gracht|kade|dreef"
    rf"|gatan?|gade|vej|vägen|veien|veg|gata|katu|polku|-{_GERMAN})"
)
_FRENCH = (
    r"(?:[Rr]ue|[Aa]venue|[Aa]v\.|[Bb]oulevard|[Bb]d\.?|[Pp]lace|[Cc]hemin|[Aa]llées?|[Ii]mpasse|[Qq]uai|[Cc]ours|[Rr]oute"
    r"|[Pp]assage|[Ff]aubourg|[Ss]entier)"
)
_SOUTHERN = (
    r"(?:[Cc]alle|[Cc]/|[Aa]venida|[Aa]vda\.?|Av\.|[Pp]laza|Pza\.|[Pp]aseo|[Cc]arrer|Ronda|[Cc]amino|[Cc]arretera|Ctra\.|Gran"
    r"|Rambla|Travesía|Glorieta|[Vv]ia|[Vv]iale|[Pp]iazza|Corso|Vicolo|Rua|Travessa|Largo|Estrada|ul\.|ulica)"
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
        "street as in English with the flat before it",
        rf"(?<!\w)(?:Flat|Unit|Apartment|Apt\.?|Suite) #?\d{{1,4}}[A-Za-z]?,? \d{{1,5}}[A-Za-z]?"
        rf"{_GAP}(?:{_WORD}{_GAP}){{1,4}}{_ENGLISH}{_REST}",
        *("Flat ", "Unit ", "Ap", "Suite "),
    ),
    _street(
        "street as in English: number, name, kind of street",
        r"[0-9](?<![^\W_].)(?<!\d[.,/-].)\d{0,4}(?:[-/]\d{1,4})?[A-Za-z]?"
        rf"{_GAP}(?:(?:{_WORD}|\d{{1,3}}(?:st|nd|rd|th)?){_GAP}){{1,4}}{_ENGLISH}{_REST}",
        *_ENGLISH_KINDS,
        year=False,
    ),
    _street(
        "street as in German with a preposition, and its town",
        rf"(?<!\w)(?:Am|An der|Im|In der|Zum|Zur|Auf der|Unter den|Hinter der) {_WORD} {_NUMBER}"
        rf"{_BREAK}(?:{_UNIT}{_BREAK})?\d{{5}} {_PLACE}",
        *("Am ", "An der ", "Im ", "In der ", "Zu", "Auf der ", "Unter den ", "Hinter der "),
    ),
    _street(
        "street as in German, Dutch or the Nordic languages: one word, number",
        rf"[{_UPPER}](?<!\w.)[\w'-]{{1,24}}{_COMPOUND} {_NUMBER}{_REST}",
    ),
    _street(
        "street as in German: name, kind of street, number",
        rf"(?<!\w){_WORD} {_GERMAN} {_NUMBER}{_REST}",
        *("Straße", "Strasse", "Str.", "Weg", "Platz", "Allee", "Ring", "Ufer", "Damm", "Gasse", "Chaussee"),
    ),
    _street(
        "street as in French: number, kind of street, name",
        r"[0-9](?<![^\W_].)(?<!\d[.,/-].)\d{0,3}(?: ?(?:bis|ter|[A-D]))?"
        rf",? {_FRENCH} {_SMALL}{_WORD}(?:[ -]{_SMALL}{_WORD}){{0,3}}{_REST}",
        *(
            "ue ",
            "v. ",
            "oulevard ",
            "d ",
            "d. ",
            "lace ",
            "hemin ",
            "llée",
            "mpasse ",
            "uai ",
            "ours ",
            "oute ",
            "assage ",
        ),
        *("aubourg ", "entier "),
        year=False,
    ),
    _street(
        "street as in Spanish, Italian, Portuguese or Polish: kind of street, name, number",
        rf"(?<!\w){_SOUTHERN} {_SMALL}{_WORD}(?: {_SMALL}{_WORD}){{0,3}}"
        rf",? (?:n(?:\.|[uú]m\.?)? ?[º°]?\.? ?)?(?:{_NUMBER}|s/n){_REST}",
        *(
            "alle ",
            "/ ",
            "venida ",
            "vda",
            "Av. ",
            "laza ",
            "Pza",
            "aseo ",
            "arrer ",
            "Ronda ",
            "amino ",
            "arretera ",
            "Ctra",
        ),
        *("Gran ", "Rambla ", "Travesía ", "Glorieta ", "ia ", "iale ", "iazza ", "Corso ", "Vicolo "),
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
        rf"(?P<datum>(?:\d{{1,5}} )?(?:{_SMALL}{_WORD} ){{1,4}}\d{{1,5}}(?![\w:%-]|[.,]\d|[ ,]{{1,2}}\d{{1,5}} [A-Z])"
        rf"{_REST})",
        *("ddress", "live", "Live", "living at", "esid"),
    ),
)
