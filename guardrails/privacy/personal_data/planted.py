"""Invented people whose data a spike puts into outputs, written in the ways that people write them.

E-mail addresses are at domains reserved for examples (RFC 2606), telephone numbers of ranges set aside for fiction,
cards and accounts pass their checksums and belong to no bank. The scanner has no part in making them, so that what it
misses of them counts against it.
"""

from __future__ import annotations

from random import Random
from string import ascii_letters, digits

NAMES = ("Orla", "Tamsin", "Edwin", "Priya", "Jonas", "Mireille", "Tariq", "Saskia", "Leopold", "Yuki", "Hanne")
FAMILIES = ("Ostrander", "Brackwell", "Thistlewood", "Varga", "Lindqvist", "Okonjo", "Pereira", "Haddad", "Novak")
MONTHS = ("January", "March", "April", "June", "July", "August", "October", "December")


def planted_line(number: int) -> str:
    """Return one sentence with one datum of an invented person: an address, a number, a date of birth or a key.

    >>> planted_line(0) == planted_line(0) != planted_line(7)
    True
    """
    rng = Random(f"planted {number}")
    name, family = rng.choice(NAMES), rng.choice(FAMILIES)
    writers = (_email, _phone, _card, _account, _birth, _home, _key)
    return writers[number % len(writers)](rng, name, family, number)


def _email(rng: Random, name: str, family: str, number: int) -> str:
    address = f"{name}{rng.choice('._-')}{family}{number}@{rng.choice(('example.org', 'mail.example.com'))}"
    return rng.choice((f"{name} {family} <{address}>", f"Write to {address.lower()}.", f"mailto:{address.lower()}"))


def _phone(rng: Random, name: str, family: str, number: int) -> str:
    area, line = rng.choice((206, 212, 303, 415, 617, 713)), 100 + number // 7 % 100
    write = rng.choice(("({a}) 555-0{l}", "+1 {a} 555 0{l}", "{a}-555-0{l}", "{a}.555.0{l}", "020 7946 0{l}"))
    return rng.choice((f"{name} {family}, ", "call ", "Phone: ")) + write.format(a=area, l=line)


def _card(rng: Random, name: str, family: str, number: int) -> str:
    card = f"400000{rng.randrange(10**9):09d}"
    card += str(-_luhn(card + "0") % 10)
    between = rng.choice(("", " ", "-"))
    return f"{name} {family} paid with {between.join(card[i : i + 4] for i in range(0, 16, 4))}."


def _luhn(number: str) -> int:
    odd, even = number[-1::-2], number[-2::-2]
    return sum(map(int, odd)) + sum(sum(divmod(2 * int(d), 10)) for d in even)


def _account(rng: Random, name: str, family: str, number: int) -> str:
    bank = f"{rng.randrange(10**18):018d}"
    check = 98 - int(f"{bank}131400") % 97
    account = f"DE{check:02d}{bank}"
    grouped = " ".join(account[i : i + 4] for i in range(0, len(account), 4))
    return f"Account of {name} {family}: {rng.choice((account, grouped))}"


def _birth(rng: Random, name: str, family: str, number: int) -> str:
    year, month, day = 1930 + number % 75, rng.randrange(1, 13), rng.randrange(1, 29)
    date = rng.choice((f"{day}/{month}/{year}", f"{year}-{month:02d}-{day:02d}", f"{day} {rng.choice(MONTHS)} {year}"))
    return rng.choice((f"{name} {family} was born on {date}.", f"{name} {family}, date of birth {date}"))


def _home(rng: Random, name: str, family: str, number: int) -> str:
    street, house = rng.choice(("Larch", "Old Mill", "Harbour", "Quarry")), 1 + number % 200
    town = rng.choice(("Ford", "Elmbridge", "Northwick"))
    kind, state = rng.choice(("Street", "Avenue", "Rd")), rng.choice(("OH", "ME"))
    us = f"{house} {street} {kind}, {town}, {state} {rng.randrange(10**4, 10**5)}"
    gb = f"{house} {street} Lane\n{town}\nZZ{rng.randrange(1, 10)} {rng.randrange(1, 10)}ZZ"
    de = f"{street.replace(' ', '')}straße {house}, {rng.randrange(10**4, 10**5)} {town}"
    return f"{name} {family}, {rng.choice((us, gb, de))}"


def _key(rng: Random, name: str, family: str, number: int) -> str:
    key = "".join(rng.choices(ascii_letters + digits, k=36))
    return rng.choice((f"token of {name} {family}: ghp_{key}", f'api_key = "{key}"  # {name} {family}'))
