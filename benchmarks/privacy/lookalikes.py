"""Numbers that are nobody's: orders, versions, hashes and other things that only look like personal data."""

import random
from collections.abc import Iterator

from invented_data import digits


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
