"""The words for kinds of street, as *Avenue*, *calle* or *utca*, by where they stand beside a street's name."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Kinds:
    """Some kinds of street.

    Attributes
    ----------
    pattern : str
        A regular expression of any of them.
    words : frozenset of str
        A text without any of these words holds none of the kinds.
    """

    pattern: str
    words: frozenset[str]


def _kinds(text: str, *, capitals: bool = False) -> Kinds:
    """Return the kinds of a list: an underscore is a blank, and with `capitals` a first letter may be a capital."""
    kinds = [kind.replace("_", " ") for kind in text.split()]
    kinds += [kind[0].upper() + kind[1:] for kind in kinds if capitals and kind[0].islower()]
    first = (re.search(r"\w+", kind) for kind in kinds)
    return Kinds(f"(?:{'|'.join(map(re.escape, kinds))})", frozenset(m[0] for m in first if m))


ENGLISH = _kinds(
    """
    Street St Avenue Ave Road Rd Lane Ln Drive Dr Boulevard Blvd Court Ct Place Square Sq Terrace Way Close Crescent
    Highway Hwy Parkway Pkwy Circle Trail Gardens Grove Mews Ter Quay Plaza Cres Alley Esplanade Turnpike Expressway
    Freeway
    """
)
"""Behind the name, the number before it."""

FRENCH = _kinds(
    """
    rue avenue av. boulevard bd bd. place chemin allée allées impasse quai cours route passage faubourg sentier
    """,
    capitals=True,
)
"""Between the number and the name."""

BEFORE = _kinds(
    """
    calle c/ avenida avda avda. Av. plaza Pza. paseo carrer Ronda camino carretera Ctra. Gran Rambla Travesía Glorieta
    Avinguda Passeig via viale piazza piazzale Corso Vicolo Contrada Rua Travessa Largo Estrada Praça Alameda Laan_van
    Rue Avenue Boulevard Chaussée P.zza Plac Jalan Jl.
    strada str. bulevardul Bd. Calea ul. ulica ulice al. aleja os. pl. náměstí nám. Λεωφόρος Λεωφ. οδός πλατεία
    ул. улица вул. проспект пр. пр-т пер. переулок бульвар наб. шоссе площадь
    """,
    capitals=True,
)
"""Before the name, the number behind it: the Romance and Slavonic languages and Greek."""

GERMAN = _kinds("Straße Strasse Str. Weg Platz Allee Ring Ufer Damm Gasse Chaussee")
"""A word of its own behind the name and before the number."""

BEHIND = _kinds(
    """
    vei vej väg gata gatan plads allé torg katu utca út útja tér körút rakpart ulica nám. náměstí
    Caddesi Cad. Cd. Sokağı Sokak Sok. Sk. Bulvarı проспект улица переулок шоссе бульвар набережная площадь
    """
)
"""The same in the Nordic languages, Hungarian, Czech, Turkish and Russian."""

_ENDINGS = """
    straße strasse str. weg platz allee gasse damm ufer ring brücke graben promenade twiete chaussee straat laan plein
    gracht kade dreef singel steeg dijk gata gatan gade vej vägen veien veg vegur katu ntie polku stræde stræti braut
    stígur gränd bakken vejen gaten torget plassen
    -Straße -Strasse -Str. -Weg -Platz -Allee -Ring -Ufer -Damm -Gasse -Chaussee
""".split()  # noqa: SIM905
ENDINGS = f"(?:{'|'.join(map(re.escape, _ENDINGS))})"
"""What ends the name of a street that is one word, as in German, Dutch and the Nordic languages."""
ENDED = re.compile(rf" \d(?<=(?:{'|'.join(sorted({re.escape(ending[-2:]) for ending in _ENDINGS}))})..)")
"""The last two letters of an ending, a blank and a digit: found at once where there are none."""

NO_STREET = "".join(
    f"(?<!{word})"
    for word in (
        "uring",
        "eering",
        "oring",
        "pring",
        "String",
        "string",
        "Bring",
        "rigade",
        "enegade",
        "ecade",
        "lockade",
    )
)
"""Behind an ending: English words that end so, such as During, Spring and Brigade."""
