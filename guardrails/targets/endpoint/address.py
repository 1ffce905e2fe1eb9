"""The address of an endpoint: nothing secret may stand in it, since it is printed and stored."""

from __future__ import annotations

import ipaddress
import re

import httpx

from ...core.errors import ConfigurationError

LONGEST = 2000
_SECRET = re.compile(r"key|token|secret|sig|pass|pwd|auth|cred|code", re.IGNORECASE)


def parse_address(text: str, scheme: str) -> httpx.URL:
    """Return the URL of an endpoint, without a fragment.

    Parameters
    ----------
    text : str
        The URL.
    scheme : str
        Of the target's name, for messages. They never quote the address, in which a secret may stand.

    Raises
    ------
    ConfigurationError
        Where it is no URL of a server, or holds a user name, a password or a query field that is named like a secret.
    """
    url = _usable(text) if len(text) <= LONGEST else None
    if url is None:
        raise ConfigurationError(f"{scheme}: a URL such as https://host/v1 is needed after it")
    if url.userinfo:
        raise ConfigurationError(
            f"{scheme}: the URL holds a user name or password, which would be printed and stored; put the key into an "
            "environment variable and name it with --api-key-env"
        )
    if any(_SECRET.search(name) for name in url.params):
        raise ConfigurationError(
            f"{scheme}: the URL's query has a field named like a secret, which would be printed and stored; put the "
            "key into an environment variable and name it with --api-key-env"
        )
    return url.copy_with(fragment=None)


def _usable(text: str) -> httpx.URL | None:
    """Return the URL of a server, or None where it is none."""
    try:
        url = httpx.URL(text)
        served = url.scheme in ("http", "https") and bool(url.host) and 0 < (url.port or 1) < 65536
        return url if served and url.path.isprintable() else None  # a line break may stand there as %0A
    except (httpx.InvalidURL, ValueError):  # also of the host, which is decoded when it is asked for
        return None


def with_path(url: httpx.URL, path: str) -> httpx.URL:
    """Return a URL with a path behind its own; its query stays.

    >>> str(with_path(httpx.URL("https://host/a%2Fb/?version=2"), "/models"))
    'https://host/a%2Fb/models?version=2'
    """
    base_path, mark, query = url.raw_path.partition(b"?")
    return url.copy_with(raw_path=base_path.rstrip(b"/") + path.encode() + mark + query)


def is_loopback(url: httpx.URL) -> bool:
    """Whether the server runs on this machine.

    >>> is_loopback(httpx.URL("http://127.0.0.1:8000/v1")), is_loopback(httpx.URL("http://example.org"))
    (True, False)
    """
    try:
        return ipaddress.ip_address(url.host).is_loopback
    except ValueError:
        return url.host == "localhost" or url.host.endswith(".localhost")


def clipped(text: object) -> str:
    """Return a name or an address as a sentence quotes it: not so long that a report leaves out what follows.

    >>> clipped("a" * 200) == "a" * 100 + "…"
    True
    """
    words = str(text)
    return words if len(words) <= 100 else f"{words[:100]}…"
