"""Sends one request at a time to a server that may be slow, overloaded, broken or hostile."""

from __future__ import annotations

import asyncio
import json
import random
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import httpx
import tenacity

from ...core.errors import ConfigurationError, ContentError
from ...core.visible import visible
from ...kit.settings_file import parse_json
from .options import Patience

MAX_ANSWER, MAX_ERROR = 4_000_000, 100_000
"""Bytes of a body, of an answer and of an error; more is not read."""
SHOWN = 200
"""Characters of a server's message that are shown."""
FILTERED = "content_filter"
"""The code of an error that says that the question or the answer was filtered."""
NO_QUOTA = "insufficient_quota"
"""The code of a 429 that waiting does not change."""
AGAIN = frozenset({408, 409, 429})
"""Statuses after which a request is sent again, beside 500 and above."""


@dataclass
class Exchange:
    """The outcome of a request: the server's JSON, or why there is none.

    Attributes
    ----------
    value : object
        The JSON of the answer.
    error : str, optional
    status : int, optional
        Of the last answer; None where the connection was lost.
    attempts : int
        How often the request was sent.
    lost : bool
        Whether the connection was lost or the server broke, each time.
    """

    value: Any = None
    error: str | None = None
    status: int | None = None
    attempts: int = 0
    lost: bool = False


class _RefusedError(Exception):
    """An answer that would be the same if the request were sent again."""


class _PassingError(Exception):
    """A failure that may pass. `after`: seconds that the server asks to wait."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Transport:
    """One connection pool with its patience, for calls that overlap: all of their requests wait where one has to.

    Parameters
    ----------
    client : httpx.AsyncClient
        From `open_client`.
    patience : Patience
    may_send : callable
        Asked before each sending, with whether it is a repetition: a reason not to send, or None.
    without_key : callable
        Takes the key out of what a server says, before any of it is shown.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        patience: Patience,
        may_send: Callable[[bool], str | None],
        without_key: Callable[[str], str],
    ) -> None:
        self._client, self._patience, self._may_send, self._without_key = client, patience, may_send, without_key
        self._not_before = 0.0
        """Until when the server asked all to wait, in the seconds of the clock that never goes back."""

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def post(self, url: httpx.URL, headers: Mapping[str, str], body: Any, *, attempts: int) -> Exchange:
        """Send a JSON body until there is an answer, `attempts` times at most."""
        return await self._exchange("POST", url, headers, json.dumps(body).encode(), attempts)

    async def get(self, url: httpx.URL, headers: Mapping[str, str]) -> Exchange:
        """Send a request without a body, once."""
        return await self._exchange("GET", url, headers, None, 1)

    async def _exchange(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes | None, attempts: int
    ) -> Exchange:
        exchange = Exchange()
        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(attempts),
            wait=self._wait,
            retry=tenacity.retry_if_exception_type(_PassingError),
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    exchange.value = await self._once(exchange, method, url, headers, content)
        except (_PassingError, _RefusedError) as error:
            exchange.error = str(error) + (f" (sent {exchange.attempts} times)" if exchange.attempts > 1 else "")
            exchange.lost = isinstance(error, _PassingError) and exchange.status not in AGAIN
        return exchange

    async def _once(
        self, exchange: Exchange, method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes | None
    ) -> Any:
        while (pause := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        if why := self._may_send(exchange.attempts > 0):
            raise _RefusedError(f"not sent{' again' if exchange.attempts else ''}: {why}")
        exchange.attempts, exchange.status = exchange.attempts + 1, None
        try:
            # The time-out of a read begins anew with each byte: this one does not.
            async with asyncio.timeout(self._patience.total):
                async with self._client.stream(method, url, headers=dict(headers), content=content) as response:
                    exchange.status = response.status_code
                    return await self._read(response)
        except TimeoutError:
            raise _PassingError(f"no whole answer within {self._patience.total:g} s") from None
        except httpx.TimeoutException as error:
            limit = self._patience.connect if isinstance(error, httpx.ConnectTimeout) else self._patience.read
            raise _PassingError(f"the server did not answer within {limit:g} s") from None
        except (httpx.TransportError, OSError) as error:
            raise _PassingError(f"the connection failed: {self._words(str(error) or type(error).__name__)}") from None

    async def _read(self, response: httpx.Response) -> Any:
        status = response.status_code
        if 300 <= status < 400:  # what follows one sends the key to wherever it leads
            raise _RefusedError(f"the server answered {status}, a redirect, which is not followed")
        if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            raise _RefusedError("the answer is compressed, which was not asked for")
        content = bytearray()
        limit = MAX_ANSWER if status < 300 else MAX_ERROR
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > limit:
                what = "the answer has" if status < 300 else f"the server answered {status} with"
                raise _RefusedError(f"{what} more than {limit // 1000:,} kB")
        if status >= 300:
            self._fail(status, response.headers.get("retry-after"), bytes(content))
        try:
            return parse_json(bytes(content), "the answer", max_name=10_000)
        except ContentError as error:
            kind = self._words(response.headers.get("content-type", "of no stated type"))
            raise _RefusedError(f"{self._words(str(error))} (its type: {kind})") from None

    def _fail(self, status: int, retry_after: str | None, content: bytes) -> None:
        message = f"the server answered {status}{self._server_message(content)}"
        if (status not in AGAIN and status < 500) or f": {NO_QUOTA}" in message:
            raise _RefusedError(message)
        after = _seconds(retry_after)
        if after is not None and after > self._patience.longest_wait:
            longest = self._patience.longest_wait
            raise _RefusedError(f"{message}; it asks to wait {after:,.0f} s, and at most {longest:g} s are waited")
        if after is not None:
            self._not_before = max(self._not_before, time.monotonic() + after)
        raise _PassingError(message, after)

    def _server_message(self, content: bytes) -> str:
        """Return what a server says of an error, in one short line: JSON in the usual forms, else the beginning."""
        said: Any = content.decode("utf-8", "replace")
        try:
            value = parse_json(content, "the error")
        except ContentError:
            value = None
        if isinstance(value, dict):
            error = value.get("error", value)
            fields = [error.get(name) for name in ("message", "detail")] if isinstance(error, dict) else [error]
            said = next((field for field in fields if isinstance(field, str) and field), said)
            code = error.get("code") if isinstance(error, dict) else None
            if code in (FILTERED, NO_QUOTA):
                said = f"{code}: {said}"
        said = self._words(said)
        return f": {said}" if said else ""

    def _words(self, text: str) -> str:
        """Return text in one short line. The key goes first: of one that is cut, the rest would not be known."""
        return one_line(self._without_key(text.encode("utf-8", "replace").decode()))

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Return how long is waited: what the server asks for, else twice as long each time; never all at once."""
        patience = self._patience
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _PassingError) and error.after is not None:
            return error.after + random.uniform(0, patience.first_wait)
        longest = min(patience.longest_wait, patience.first_wait * 2.0 ** (state.attempt_number - 1))
        return longest * random.uniform(0.5, 1)


def one_line(text: str) -> str:
    """Return what a server says in one short line, with what is hidden made visible."""
    text = visible(text[: 4 * SHOWN])
    return text if len(text) <= SHOWN else text[: SHOWN - 2] + " …"


def open_client(patience: Patience, *, loopback: bool) -> httpx.AsyncClient:
    """Return a client that follows no redirect. Proxies are those of the environment, none for this machine.

    Raises
    ------
    ConfigurationError
        Where the environment names a proxy that cannot be used.
    """
    timeout = httpx.Timeout(patience.read, connect=patience.connect)
    try:
        return _client(timeout, use_proxies=not loopback)
    except (ImportError, ValueError, httpx.InvalidURL):  # not shown: a password may stand in it
        raise ConfigurationError("the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names cannot be used") from None


def _client(timeout: httpx.Timeout, *, use_proxies: bool) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        timeout=timeout,
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "Content-Type": "application/json"},
        limits=httpx.Limits(max_connections=None),
        follow_redirects=False,
        trust_env=use_proxies,
        verify=_certificates(),
    )


@cache
def _certificates() -> ssl.SSLContext:
    """Return the certificates to trust, read once."""
    return httpx.create_ssl_context()


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a ``Retry-After``, which is a number or a date; None where it is neither.

    >>> _seconds("2"), _seconds("Wed, 21 Oct 2015 07:28:00 GMT"), _seconds("soon")
    (2.0, 0.0, None)
    """
    if not retry_after:
        return None
    if re.fullmatch(r"[0-9]{1,30}(\.[0-9]{1,30})?", retry_after.strip()):
        return float(retry_after)
    try:
        when = parsedate_to_datetime(retry_after)
        return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
