"""Invented people whose data a spike puts into outputs, written in the ways that people write them.

Addresses are at domains reserved for examples (RFC 2606), telephone numbers of ranges set aside for fiction, cards and
accounts pass their checksums and belong to no bank. The scanner has no part in making them, so that what it misses of
them counts against it.
"""

from __future__ import annotations

from random import Random

NAMES = ("Orla", "Tamsin", "Edwin", "Priya", "Jonas", "Mireille", "Tariq", "Saskia", "Leopold", "Yuki", "Hanne")
FAMILIES = ("Ostrander", "Brackwell", "Thistlewood", "Varga", "Lindqvist", "Okonjo", "Pereira", "Haddad", "Novak")


def planted_line(number: int) -> str:
    """Return one sentence with one datum of an invented person: an address, a telephone, card or account number.

    >>> planted_line(0) == planted_line(0) != planted_line(4)
    True
    """
    rng = Random(f"planted {number}")
    name, family = rng.choice(NAMES), rng.choice(FAMILIES)
    writers = (_email, _phone, _card, _account)
    return writers[number % len(writers)](rng, name, family, number)


def _email(rng: Random, name: str, family: str, number: int) -> str:
    address = f"{name}{rng.choice('._-')}{family}{number}@{rng.choice(('example.org', 'mail.example.com'))}"
    return rng.choice((f"{name} {family} <{address}>", f"Write to {address.lower()}.", f"mailto:{address.lower()}"))


def _phone(rng: Random, name: str, family: str, number: int) -> str:
    area, line = rng.choice((206, 212, 303, 415, 617, 713)), 100 + number // 4 % 100
    write = rng.choice(("({a}) 555-0{l}", "+1 {a} 555 0{l}", "{a}-555-0{l}", "{a}.555.0{l}", "020 7946 0{l}"))
    return rng.choice((f"{name} {family}, ", "call ", "Phone: ")) + write.format(a=area, l=line)


def _card(rng: Random, name: str, family: str, number: int) -> str:
    digits = f"400000{rng.randrange(10**9):09d}"
    digits += str(-_luhn(digits + "0") % 10)
    between = rng.choice(("", " ", "-"))
    return f"{name} {family} paid with {between.join(digits[i : i + 4] for i in range(0, 16, 4))}."


def _luhn(digits: str) -> int:
    odd, even = digits[-1::-2], digits[-2::-2]
    return sum(map(int, odd)) + sum(sum(divmod(2 * int(d), 10)) for d in even)


def _account(rng: Random, name: str, family: str, number: int) -> str:
    bank = f"{rng.randrange(10**18):018d}"
    check = 98 - int(f"{bank}131400") % 97
    account = f"DE{check:02d}{bank}"
    grouped = " ".join(account[i : i + 4] for i in range(0, len(account), 4))
    return f"Account of {name} {family}: {rng.choice((account, grouped))}"
