"""Rows of invented personal data, and of what only looks alike, for `separators.py`.

Kinds × separators × labels of four languages × templates, in three parts with other templates, labels and seeds.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stdnum import luhn
from stdnum.iso7064 import mod_97_10

ROWS = 60
"""Rows for each kind and separator."""
HARD = 40
"""Rows for each kind of thing that only looks alike."""


@dataclass(frozen=True)
class Row:
    """A text with the place of its datum, if it holds one."""

    text: str
    kind: str
    how: str
    start: int = 0
    end: int = 0


def digits(rng: random.Random, n: int) -> str:
    return "".join(rng.choices("0123456789", k=n))


# Data, as groups of letters and digits that a separator may come between.


def card(rng: random.Random) -> list[str]:
    prefix, length = rng.choice(
        [("4", 16), ("51", 16), ("2221", 16), ("34", 15), ("6011", 16), ("36", 14), ("3530", 16), ("622126", 16)]
    )
    body = prefix + digits(rng, length - len(prefix) - 1)
    number = body + luhn.calc_check_digit(body)
    cuts = {15: (4, 10), 14: (4, 10)}.get(length, (4, 8, 12))
    return [number[a:b] for a, b in zip((0, *cuts), (*cuts, length), strict=True)]


def iban(rng: random.Random) -> list[str]:
    country, bban = rng.choice(
        [
            ("DE", digits(rng, 18)),
            ("ES", digits(rng, 20)),
            ("GB", "".join(rng.choices("ABCDEFGHKLMNPRSTW", k=4)) + digits(rng, 14)),
            ("NL", "".join(rng.choices("ABCDEFGHKLMNPRSTW", k=4)) + digits(rng, 10)),
            ("AT", digits(rng, 16)),
            ("PL", digits(rng, 24)),
            ("CH", digits(rng, 17)),
        ]
    )
    number = country + f"{98 - mod_97_10.checksum(bban + country + '00'):02d}" + bban
    return [number[i : i + 4] for i in range(0, len(number), 4)]


def ssn(rng: random.Random) -> list[str]:
    area = rng.choice([a for a in range(1, 900) if a != 666])
    return [f"{area:03d}", f"{rng.randrange(1, 100):02d}", f"{rng.randrange(1, 10_000):04d}"]


def phone(rng: random.Random, language: str) -> list[str]:
    if language == "en":
        if rng.random() < 0.3:
            return ["020", "7946", f"{rng.randrange(10_000):04d}"]
        return [rng.choice(["212", "415", "303", "617"]), str(rng.randrange(200, 1000)), f"{rng.randrange(10_000):04d}"]
    if language == "de":
        return [rng.choice(["0711", "030", "089", "0221", "0171"]), digits(rng, 3).replace("0", "4"), digits(rng, 4)]
    if language == "fr":
        return [
            rng.choice(["01", "02", "04", "06", "07"]),
            str(rng.randrange(20, 60)),
            *(digits(rng, 2) for _ in range(3)),
        ]
    return [rng.choice(["612", "655", "917", "934"]), *(digits(rng, 3).replace("0", "5") for _ in range(2))]


def email(rng: random.Random) -> str:
    name = rng.choice(["ann", "jean-luc", "o'brien", "maría", "k.müller", "x_1", "jo+news"])
    domains = ("example.org", "mail.example.com", "exämple.de", "ejemplo.com.es", "sub.example.co.uk")
    return f"{name}{rng.randrange(1000)}@{rng.choice(domains)}"


def ip(rng: random.Random) -> str:
    v4 = ".".join(str(rng.randrange(*r)) for r in ((1, 224), (0, 256), (0, 256), (1, 255)))
    groups = [f"{rng.randrange(1, 65536):x}" for _ in range(8)]
    return rng.choice(
        [
            v4,
            v4,
            v4,
            f"::ffff:{v4}",
            ":".join(groups),
            f"2001:db8::{groups[0]}:{groups[1]}",
            f"fe80::{groups[0]}%eth0",
            f"2a02:{groups[0]}:{groups[1]}::1",
            f"64:ff9b::{v4}",
        ]
    )


def national(rng: random.Random, language: str) -> list[str]:
    if language == "es":
        number = rng.randrange(10**7, 10**8)
        text = f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"
        return [text[:2], text[2:5], text[5:8], text[8:]]
    if language == "fr":
        body = f"{rng.randrange(1, 3)}{rng.randrange(30, 99)}{rng.randrange(1, 13):02d}75{rng.randrange(10**5, 10**6)}"
        text = f"{body}{97 - int(body) % 97:02d}"
        return [text[0], text[1:3], text[3:5], text[5:7], text[7:10], text[10:13], text[13:]]
    if language == "de":
        from stdnum.de import idnr

        while True:
            text = digits(rng, 11)
            if idnr.is_valid(text):
                return [text[:2], text[2:5], text[5:8], text[8:]]
    while True:
        text = f"{rng.randrange(4 * 10**8, 5 * 10**8)}"
        check = -sum(int(d) * w for d, w in zip(text, range(10, 1, -1), strict=True)) % 11
        if check < 10:
            text += str(check)
            return [text[:3], text[3:6], text[6:]]


def birth(rng: random.Random, language: str) -> str:
    day, month, year = rng.randrange(1, 29), rng.randrange(1, 13), rng.randrange(1930, 2010)
    months = {
        "en": "January February March April May June July August September October November December",
        "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    }[language].split()
    words = {"en": "{d} {m} {y}", "de": "{d}. {m} {y}", "fr": "{d} {m} {y}", "es": "{d} de {m} de {y}"}[language]
    return rng.choice(
        [
            f"{year}-{month:02d}-{day:02d}",
            f"{day:02d}/{month:02d}/{year}",
            f"{day}.{month}.{year}",
            f"{day:02d}-{month:02d}-{year}",
            words.format(d=day, m=months[month - 1], y=year),
        ]
    )


def address(rng: random.Random, language: str) -> str:
    n, name = rng.randrange(1, 200), rng.choice(["Varga", "Linden", "Okonjo", "Toledo", "Alcalá", "Garnier"])
    return rng.choice(
        {
            "en": [
                f"{n} {name} Street, Springfield, IL {rng.randrange(10_000, 99_999)}",
                f"Flat 4, {n} {name} Road, London SW1A 2AA",
                f"{n} {name} Avenue, Apt. 3B, Denver, CO 80202",
            ],
            "de": [
                f"{name}straße {n}, {rng.randrange(10_000, 99_999)} Berlin",
                f"{name}weg {n}a, 70173 Stuttgart",
                f"Am {name}platz {n}, 50667 Köln",
            ],
            "fr": [
                f"{n} rue de la {name}, 75002 Paris",
                f"{n} bis avenue {name}, 69003 Lyon",
                f"{n}, boulevard {name}, 3e étage, 13001 Marseille",
            ],
            "es": [
                f"Calle de {name} {n}, 2º B, 28014 Madrid",
                f"C/ {name}, {n}, 08001 Barcelona",
                f"Avenida {name} {n}, piso 3, 41001 Sevilla",
            ],
        }[language]
    )


def secret(rng: random.Random) -> str:
    letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return rng.choice(
        ["ghp_" + "".join(rng.choices(letters, k=36)), "AKIA" + "".join(rng.choices("ABCDEFGHIJKLMNOP234567", k=16))]
    )


LABELS = {
    "card": {
        "en": ["Card", "card number", "paid with", "creditCard", "cc", "Visa"],
        "de": ["Kreditkarte", "Kartennummer", "bezahlt mit"],
        "fr": ["carte bancaire", "numéro de carte", "payé par carte"],
        "es": ["tarjeta", "número de tarjeta", "pagó con"],
    },
    "iban": {
        "en": ["IBAN", "account", "pay into"],
        "de": ["IBAN", "Konto", "Bankverbindung"],
        "fr": ["IBAN", "compte", "virement sur"],
        "es": ["IBAN", "cuenta", "cuenta bancaria"],
    },
    "ssn": {
        "en": ["SSN", "social security number", "ssn", "Social Security"],
        "de": ["US-Sozialversicherung (SSN)", "SSN"],
        "fr": ["SSN américain", "numéro SSN"],
        "es": ["número de seguro social", "SSN"],
    },
    "phone": {
        "en": ["Phone", "call", "tel", "mobile", "home_phone", "Fax", "contact number", "reach me at"],
        "de": ["Telefon", "Tel.", "Handy", "Rufnummer", "Mobil", "erreichbar unter"],
        "fr": ["téléphone", "tél.", "portable", "appelez le", "joignable au", "numéro de téléphone"],
        "es": ["teléfono", "móvil", "tfno.", "llámame al", "número de teléfono", "tel"],
    },
    "email": {
        "en": ["Email", "write to", "mail"],
        "de": ["E-Mail", "schreib an"],
        "fr": ["courriel", "écrivez à"],
        "es": ["correo", "escribe a"],
    },
    "ip": {
        "en": ["IP", "from", "client", "host"],
        "de": ["IP-Adresse", "von"],
        "fr": ["adresse IP", "depuis"],
        "es": ["dirección IP", "desde"],
    },
    "national-id": {
        "en": ["NHS number", "patient", "NHS no."],
        "de": ["Steuer-ID", "IdNr", "Steuernummer (IdNr)", "Steueridentifikationsnummer"],
        "fr": ["numéro de sécurité sociale", "NIR", "n° INSEE", "sécu"],
        "es": ["DNI", "NIF", "con DNI", "D.N.I."],
    },
    "birth-date": {
        "en": ["born", "date of birth", "DOB", "birthday", "dateOfBirth"],
        "de": ["geboren am", "Geburtsdatum", "geb."],
        "fr": ["né le", "née le", "date de naissance"],
        "es": ["nacido el", "nacida el", "fecha de nacimiento", "F. nac."],
    },
    "address": {
        "en": ["Address", "lives at"],
        "de": ["Adresse", "wohnt"],
        "fr": ["adresse", "habite"],
        "es": ["dirección", "vive en"],
    },
    "secret": {"en": ["token", "key"], "de": ["Schlüssel"], "fr": ["clé"], "es": ["clave"]},
}
ALONE = ("email", "ip", "secret", "address")
"""Kinds that need no word; cards, accounts and social security numbers in their usual groups need none either."""
TEMPLATES = (
    "{l}: {d}",
    "{l}:{d}",
    "{l}={d}",
    '"{l}": "{d}"',
    "{l} {d} - ok.",
    "({l} {d})",
    "<{l}>{d}</{l}>",
    "{l}\t{d}\n",
    "| {l} | {d} |",
    "{l};{d};x",
    "{l} [{d}]",
    "{l} '{d}', x",
    "{l}>{d}<",
    "{l} #{d}",
    "{l}/{d}",
    "* {l}: **{d}**",
    "Ann, {l} {d}, came.",
    "{l},{d},x",
    "`{l}` `{d}`",
    '{{"{l}":"{d}"}}',
)
NO_LABEL = ("{d}", "({d})", "x;{d};y", "-> {d} <-", "1) {d}", "'{d}'", "[{d}]", "see {d}.", "#1:{d}", "a|{d}|b")
NEW_LABELS = {
    "card": {
        "en": ["card no.", "credit card", "PAN", "charged to"],
        "de": ["Karte", "Visa-Karte", "Kartennr."],
        "fr": ["carte de crédit", "CB", "réglé par carte"],
        "es": ["tarjeta de crédito", "nº tarjeta", "cargo a la tarjeta"],
    },
    "iban": {
        "en": ["bank account", "IBAN no.", "transfer to"],
        "de": ["Bankkonto", "Überweisung an"],
        "fr": ["compte bancaire", "RIB/IBAN"],
        "es": ["nº de cuenta", "transferencia a"],
    },
    "ssn": {
        "en": ["SSN no.", "Social Sec.", "SS#", "her social"],
        "de": ["SSN (USA)"],
        "fr": ["SSN n°"],
        "es": ["seguro social nº"],
    },
    "phone": {
        "en": ["ring", "cell", "phone no.", "dial", "my number is", "workPhone"],
        "de": ["Tel.-Nr.", "Festnetz", "anrufen unter", "Mobilnr."],
        "fr": ["numéro portable", "tél. fixe", "contactez-moi au", "rappelez le"],
        "es": ["celular", "teléfono fijo", "llamar al", "nº de móvil"],
    },
    "email": {
        "en": ["e-mail address", "cc"],
        "de": ["Mailadresse"],
        "fr": ["adresse mail"],
        "es": ["correo electrónico"],
    },
    "ip": {"en": ["addr", "remote host", "server"], "de": ["Server"], "fr": ["serveur"], "es": ["servidor"]},
    "national-id": {
        "en": ["NHS", "NHS num"],
        "de": ["Steuer-Identifikationsnummer", "SteuerID", "Steuer-IdNr."],
        "fr": ["n° de sécu", "NIR/INSEE", "numéro de sécu"],
        "es": ["documento", "N.I.F.", "DNI/NIE"],
    },
    "birth-date": {
        "en": ["birth date", "D.O.B.", "Born on", "birth_date"],
        "de": ["Geburtstag", "geb. am", "Geb.-Datum"],
        "fr": ["né(e) le", "naissance", "née à Lyon le"],
        "es": ["F. Nacimiento", "nació el", "fecha nac."],
    },
    "address": {"en": ["home", "resides at"], "de": ["wohnhaft"], "fr": ["demeurant"], "es": ["domicilio"]},
    "secret": {"en": ["password", "x"], "de": ["Token"], "fr": ["jeton"], "es": ["llave"]},
}
NEW_TEMPLATES = (
    "{l} is {d}",
    "{l} → {d}",
    "[{l}:{d}]",
    "{l}:\n{d}\n",
    '{l} = "{d}";',
    "<b>{l}</b> {d}<br>",
    "{l}:&nbsp;{d}",
    "- {l}: {d}",
    "{l} ({d})",
    "{l}, {d}",
    "x|{l}|{d}|y",
    "{l} ~ {d} ~",
    "{l}:\t{d}",
    "“{l}” «{d}»",
    r"{l}:\n{d}\n",
)
NEW_NO_LABEL = ("•{d}", "{d}\n", "a\t{d}\tb", "={d};", "{d}: yes", "“{d}”", "@ {d}")
"""Written after the patterns were chosen on the others; nothing was chosen on these."""
SEPARATORS = {
    "none": "",
    "space": " ",
    "hyphen": "-",
    "dot": ".",
    "no-break space": "\u00a0",
    "thin space": "\u2009",
    "narrow no-break": "\u202f",
    "ideographic space": "\u3000",
    "non-breaking hyphen": "\u2011",
    "en dash": "\u2013",
    "minus": "\u2212",
    "soft hyphen": "\u00ad",
    "zero-width space": "\u200b",
    "word joiner": "\u2060",
    "fullwidth digits": "",
}
GROUPED = {"card": card, "iban": iban, "ssn": ssn, "phone": phone, "national-id": national}
WHOLE: dict[str, Callable[..., str]] = {
    "email": email,
    "ip": ip,
    "birth-date": birth,
    "address": address,
    "secret": secret,
}
PARTS = ("choose", "check", "new")
LANGUAGES = ("en", "de", "fr", "es")


def wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in text)


def made(rng: random.Random, kind: str, how: str, half: int) -> Row:
    """Return a row of one half."""
    language = rng.choice(LANGUAGES)
    many = (phone, national, birth, address)
    maker = GROUPED.get(kind) or WHOLE[kind]
    value = maker(rng, language) if maker in many else maker(rng)
    if kind in GROUPED:
        separator = SEPARATORS[how]
        datum = separator.join(value)
        datum = wide(datum) if how == "fullwidth digits" else datum
        if kind == "phone":
            forms = [datum, datum]
            if language == "de" and separator == "-":
                forms.append(f"{value[0]}/{value[1]}{value[2]}")
            if language == "en" and separator in (" ", "-", "\u00a0") and value[0] != "020":
                forms += [f"({value[0]}) {value[1]}-{value[2]}", f"+1{separator}{datum}"]
            datum = rng.choice(forms)
    else:
        datum = value
    usual = kind in ("card", "iban", "ssn") and how not in (
        "none",
        "fullwidth digits",
        "soft hyphen",
        "zero-width space",
        "word joiner",
    )
    bare = kind in ALONE or usual
    if bare and rng.random() < 0.3:
        template, label = rng.choice(NEW_NO_LABEL if half == 2 else NO_LABEL[half::2]), ""
    else:
        template, label = (
            rng.choice(TEMPLATES[half::2]),
            rng.choice(LABELS[kind][language][half::2] or LABELS[kind][language]),
        )
    head = template.replace("{{", "{").replace("}}", "}").replace("{l}", label).partition("{d}")[0]
    tail = template.replace("{{", "{").replace("}}", "}").replace("{l}", label).partition("{d}")[2]
    return Row(head + datum + tail, kind, how, len(head), len(head) + len(datum))


def hard(rng: random.Random) -> Iterator[tuple[str, list[str]]]:
    """Yield kinds of things that are nobody's, each with its ways of writing; the halves take every other one."""
    n = rng.randrange
    number = digits(rng, 16)
    uuid = f"{digits(rng, 8)}-{digits(rng, 4)}-4{digits(rng, 3)}-8{digits(rng, 3)}-{digits(rng, 12)}"
    hexa = f"{rng.getrandbits(160):040x}"
    dotted = f"{n(0, 30)}.{n(0, 30)}.{n(0, 10)}.{n(1, 10)}"
    yield (
        "order",
        [
            f"order={number}",
            f"order no. {number}",
            f"Bestellung {number}",
            f"commande n° {number}",
            f"pedido {number}",
            f'"orderId": "{number}"',
        ],
    )
    yield (
        "invoice",
        [
            f"invoice {number[:10]}",
            f"Rechnungsnummer: {number[:12]}",
            f"facture {number[:9]}",
            f"factura nº {number[:9]}",
            f"ref={number}",
        ],
    )
    yield (
        "part",
        [
            f"part no. {number[:3]}-{number[3:5]}-{number[5:9]}",
            f"Artikel {number[:10]}",
            f"SKU {number[:12]}",
            f"S/N {number[:9]}",
            f"ABC-{number[:3]}-{number[3:5]}-{number[5:9]}",
            f"serial {number[:13]}",
        ],
    )
    yield (
        "tracking",
        [
            f"tracking {number}",
            f"Sendungsnummer {number[:14]}",
            f"colis {number[:13]}",
            f"número de seguimiento {number[:15]}",
        ],
    )
    yield (
        "version",
        [
            f"numpy {dotted}",
            f"version {dotted}",
            f"v{dotted}",
            f"foo=={dotted}",
            f"Version: {dotted}",
            f"release {dotted} is out",
            f"lib-{dotted}.tar.gz",
            f"libfoo@{dotted}",
        ],
    )
    yield (
        "section",
        [
            f"see section {dotted}",
            f"§ {dotted}",
            f"Abschnitt {dotted}",
            f"{dotted} Scope of this\n",
            f"Kapitel {dotted}",
            f"clause {dotted}",
        ],
    )
    yield (
        "time",
        [
            f"ts={n(1_500_000_000, 1_800_000_000)}",
            f"{n(1_500_000_000, 1_800_000_000)}{digits(rng, 3)} ms",
            f"2023-11-{n(10, 29)}T{n(10, 24)}:{n(10, 60)}:{n(10, 60)}.{digits(rng, 6)}Z",
            f"{n(10, 29)}/{n(10, 13)}/2023 {n(10, 24)}:{n(10, 60)}",
            f"20231{n(10, 29)}{digits(rng, 6)}",
        ],
    )
    yield (
        "bytes",
        [
            f"{number[:10]} bytes",
            f"size={number[:9]}",
            f"read {number[:12]} octets",
            f"offset 0x{hexa[:8]} length {number[:10]}",
        ],
    )
    yield "hash", [hexa, f"sha1={hexa}", f"md5: {hexa[:32]}", f"commit {hexa[:12]}", f'etag "{hexa[:16]}"']
    yield "uuid", [uuid, f"id={uuid}", f"/items/{uuid}/x", f'"{uuid}"']
    yield (
        "decimal",
        [
            f"Decimal('+352{digits(rng, 8)}')",
            f"float('{digits(rng, 3)}.{digits(rng, 9)}')",
            f"{n(1, 9)}.{digits(rng, 15)}",
            f"0.{digits(rng, 16)}",
            f"x = {n(100, 999)},{digits(rng, 3)},{digits(rng, 3)}.50",
        ],
    )
    yield (
        "place",
        [
            f"{n(10, 80)}.{digits(rng, 6)}, {n(10, 80)}.{digits(rng, 6)}",
            f"lat={n(10, 80)}.{digits(rng, 7)}",
            f"geo:{n(10, 80)}.{digits(rng, 5)},-{n(10, 80)}.{digits(rng, 5)}",
        ],
    )
    yield (
        "book",
        [
            f"ISBN 978-3-{digits(rng, 2)}-{digits(rng, 6)}-{n(0, 9)}",
            f"ISBN-13: 978{digits(rng, 10)}",
            f"ISSN {digits(rng, 4)}-{digits(rng, 4)}",
            f"isbn={digits(rng, 10)}",
        ],
    )
    yield (
        "paper",
        [
            f"doi:10.{n(1000, 9999)}/{digits(rng, 7)}.{digits(rng, 7)}",
            f"arXiv:{n(10, 25)}{n(10, 12)}.{digits(rng, 5)}",
            f"https://doi.org/10.{n(1000, 9999)}/s{digits(rng, 5)}-{digits(rng, 3)}-{digits(rng, 5)}-{n(1, 9)}",
            f"PMID {digits(rng, 8)}",
        ],
    )
    yield (
        "figures",
        [
            " ".join(digits(rng, n(1, 7)) for _ in range(8)),
            f"{n(1, 999)} {digits(rng, 3)} {digits(rng, 3)} people",
            f"${n(1, 999)},{digits(rng, 3)},{digits(rng, 3)}",
            f"{n(1, 99)} x {n(100, 999)} x {n(1000, 9999)}",
            f"| {digits(rng, 3)} | {digits(rng, 4)} | {digits(rng, 4)} |",
        ],
    )
    yield (
        "hardware",
        [
            ":".join(f"{n(0, 256):02x}" for _ in range(6)),
            f"IMEI {digits(rng, 15)}",
            f"eui {':'.join(f'{n(0, 256):02x}' for _ in range(8))}",
            f"VIN 1HGCM82633A{digits(rng, 6)}",
        ],
    )
    yield (
        "years",
        [
            f"{n(1900, 1990)}-{n(1990, 2020)}",
            f"in {n(1900, 2020)} and {n(1900, 2020)}",
            f"on {n(1, 29)}.{n(1, 13)}.{n(1950, 2020)} it rained",
            f"pp. {n(100, 999)}-{n(1000, 1999)}",
        ],
    )
    yield (
        "code",
        [
            f"a[{n(1, 9)}:{n(10, 99)}:{n(1, 9)}]",
            "std::vector<int>",
            f"x{n(1, 9)}@{n(2, 4)}x.png",
            f"{n(10, 24)}:{n(10, 60)}:{n(10, 60)}",
            f"#define N {digits(rng, 9)}",
            f"0x{hexa[:16]}",
            f"id={number}",
            f"user_id: {number[:9]}",
        ],
    )


def rows(half: int) -> list[Row]:
    """Return the rows of one half."""
    out = []
    for kind in (*GROUPED, *WHOLE):
        for how in SEPARATORS if kind in GROUPED else ("",):
            rng = random.Random(f"{kind} {how} {half}")
            out += [made(rng, kind, how, half) for _ in range(ROWS if kind in GROUPED else 4 * ROWS)]
    rng = random.Random(f"hard {half}")
    for _ in range(HARD):
        out += [Row(rng.choice(ways if half == 2 else ways[half::2]), "", what) for what, ways in hard(rng)]
    return out
