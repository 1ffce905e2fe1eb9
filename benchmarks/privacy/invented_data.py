"""Invented personal data, as groups of letters and digits that a separator may come between, or as a whole."""

import random

from stdnum import luhn
from stdnum.iso7064 import mod_97_10


def digits(rng: random.Random, n: int) -> str:
    return "".join(rng.choices("0123456789", k=n))


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
