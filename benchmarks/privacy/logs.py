"""Lines of logs full of figures, for `pii.py`: how fast a scan is where nearly everything looks like a number."""

import random
from collections.abc import Callable

AREAS = (201, 212, 303, 312, 404, 415, 503, 617, 702, 808)


def _time(rng: random.Random) -> str:
    return f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}"


def _day(rng: random.Random) -> str:
    return f"2024-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"


def _address(rng: random.Random) -> str:
    return f"{rng.randrange(1, 224)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def access(rng: random.Random) -> str:
    return (
        f'{_address(rng)} - - [{rng.randrange(1, 29):02d}/Mar/2024:{_time(rng)} +0000] "GET /img/{rng.randrange(10**6)}'
        f'.png?v={rng.randrange(10**9)} HTTP/1.1" 200 {rng.randrange(10**6)} "-" "Mozilla/5.0 (X11; Linux x86_64) '
        f'AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.{rng.randrange(9999)}.{rng.randrange(200)} Safari/537.36"'
    )


def application(rng: random.Random) -> str:
    return (
        f"{_day(rng)}T{_time(rng)}.{rng.randrange(1000):03d}Z INFO order-service [req={rng.getrandbits(64):016x}] "
        f"user_id={rng.randrange(10**8)} order={rng.randrange(10**16):016d} amount={rng.randrange(10**5) / 100:.2f} "
        f"took {rng.randrange(3000)} ms"
    )


def metrics(rng: random.Random) -> str:
    shares = " ".join(f"cpu{i}={rng.random():.6f}" for i in range(8))
    return f"{1700000000 + rng.randrange(10**7)} {shares} rss={rng.randrange(10**10)} seq={rng.randrange(10**12)}"


def json_lines(rng: random.Random) -> str:
    return (
        f'{{"ts": {1700000000000 + rng.randrange(10**9)}, "level": "info", "trace_id": "{rng.getrandbits(128):032x}", '
        f'"span": "{rng.getrandbits(64):016x}", "bytes": {rng.randrange(10**8)}, "ms": {rng.random() * 100:.3f}, '
        f'"host": "{_address(rng)}", "msg": "upload part {rng.randrange(100)} of {rng.randrange(100)} done"}}'
    )


def table(rng: random.Random) -> str:
    return ",".join(str(rng.randrange(10 ** rng.randrange(1, 12))) for _ in range(14))


def logins(rng: random.Random) -> str:
    return (
        f"Mar {rng.randrange(1, 29):2d} {_time(rng)} web-{rng.randrange(20):02d} sshd[{rng.randrange(30000)}]: Failed "
        f"password for invalid user admin from {_address(rng)} port {rng.randrange(1024, 65535)} ssh2"
    )


def inserts(rng: random.Random) -> str:
    return (
        f"INSERT INTO t_orders (id, customer_id, total, created) VALUES ({rng.randrange(10**9)}, "
        f"{rng.randrange(10**7)}, {rng.random() * 1000:.2f}, '{_day(rng)} {_time(rng)}');"
    )


def calls(rng: random.Random) -> str:
    return (
        f"{_day(rng)} {_time(rng)} leg={rng.getrandbits(32):08x} caller=+1{rng.choice(AREAS)}{rng.randrange(200, 1000)}"
        f"{rng.randrange(10**4):04d} duration={rng.randrange(3600)} codec=G711 jitter={rng.random() * 20:.2f} "
        f"lost={rng.randrange(100)} mos={1 + rng.random() * 3.4:.2f}"
    )


KINDS: tuple[Callable[[random.Random], str], ...] = (
    access, application, metrics, json_lines, table, logins, inserts, calls,
)  # fmt: skip


def lines(kind: Callable[[random.Random], str], size: int) -> list[str]:
    """Return lines of one kind, of about `size` characters together."""
    rng = random.Random(kind.__name__)
    made: list[str] = []
    while size > 0:
        made.append(kind(rng))
        size -= len(made[-1]) + 1
    return made
