"""A model behind an HTTP endpoint: several requests at a time, within a budget; each is answered or fails by itself."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from collections.abc import AsyncIterator, Coroutine, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx

from ...core.conversations import Conversation, Decoding, Reply, Usage
from ...core.errors import ConfigurationError, EndpointError
from ...core.results import Requests
from ...core.seeding import derive_seed
from ..chat_texts import ChatTexts
from .address import is_loopback
from .ledger import Ledger
from .loop import submit
from .openai import ChatCompletions, Completions, model_facts
from .options import EndpointOptions, Patience
from .scoring import Echo
from .template import Template
from .transport import FILTERED, Exchange, Transport, one_line, open_client

T = TypeVar("T")

MAX_TEXT = 500_000
"""Characters of one answer."""
DOWN, LOST = 3, 5
"""After so many lost requests in a row, each further one is sent once, until one is answered. After so many that were
lost or failed with a status `FOR_ALL`, the rest of a call is not sent."""
_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,60}")
FOR_ALL = frozenset({301, 302, 303, 307, 308, 401, 404, 429})
"""Statuses of an answer that other requests would have, too: another address, a wrong key, no such model, a limit."""
SECRET, SHORTEST, SHORTEST_IN_ERRORS = "[api key]", 16, 8
"""What stands in place of a key that a server repeats, and the fewest characters of such a key."""
_BETWEEN = r"[\s\u00ad\u200b-\u200f\u2060\ufeff]*"
FOLDED = 300
"""What may stand between the characters of a key that is repeated: line breaks, and what is not seen. A longer key is
looked for as it is, since such a pattern takes seconds to make."""


class Form(Protocol):
    """A server's form of requests and answers."""

    url: httpx.URL

    def headers(self, key: str | None) -> dict[str, str]: ...

    def body(self, conversation: Conversation, decoding: Decoding, seed: int) -> dict[str, Any]: ...

    def adapt(self, complaint: str) -> bool: ...

    def parse(self, answer: Any) -> Reply: ...

    def identity(self) -> dict[str, str]: ...

    def describe(self) -> str: ...


@dataclass
class _Call:
    """One call of `Endpoint.reply`: its connections, and the requests that failed in a row as all others would."""

    transport: Transport
    lost: int = 0


@dataclass(frozen=True)
class _Question:
    """One request: its form, and what is asked."""

    form: Form
    conversation: Conversation
    decoding: Decoding
    seed: int


FORMS: dict[str, type[Any]] = {"openai": ChatCompletions, "openai-completions": Completions, "http": Template}


class Endpoint:
    """A served model, which answers conversations.

    Parameters
    ----------
    name : str
        ``openai:URL#MODEL``, ``openai-completions:URL#MODEL`` or ``http:FILE.toml``.
    options : EndpointOptions, optional
        The key, the budget, time-outs.
    patience : Patience, optional
        In place of that of the options.

    Raises
    ------
    ConfigurationError
        For a name that cannot be used, or a key that is not in the environment.

    Notes
    -----
    The key is read from the environment and sent to the server alone. No method returns it, and where an answer or an
    error repeats it, ``[api key]`` stands in its place, if it has 16 characters or more.
    """

    def __init__(self, name: str, options: EndpointOptions | None = None, *, patience: Patience | None = None) -> None:
        scheme, _, spec = name.partition(":")
        if scheme not in FORMS:
            raise ConfigurationError(f"an endpoint's name begins with one of {', '.join(f'{s}:' for s in FORMS)}")
        self.options = options or EndpointOptions()
        self._form: Form = FORMS[scheme](spec)
        self._key = _key_from(self.options.api_key_env)
        self._form.headers(self._key)  # raises where they need a key
        between = _BETWEEN if len(self._key or "") <= FOLDED else ""
        self._key_pattern = re.compile(between.join(map(re.escape, self._key or "")), re.IGNORECASE)
        if self._key and any(self._without_key(text) != text for text in (name, str(self._form.url))):
            raise ConfigurationError(f"{scheme}: the name holds the key, and would be printed and stored")
        self._patience = patience or self.options.patience
        self.ledger = Ledger(self.options)
        self._lost_in_a_row = 0
        self._places = asyncio.Semaphore(self.options.concurrency)
        self._transport: Transport | None = None
        self._calls: set[Future[Any]] = set()
        self._connected = 0
        """Calls that share `_transport`."""
        self._identity: dict[str, str] | None = None
        self.name = name

    @property
    def read_as(self) -> str:
        """How the model is asked, and what cannot be known of it."""
        plain = "; sent unencrypted" if self._form.url.scheme == "http" and not is_loopback(self._form.url) else ""
        return f"{self._form.describe()}; which weights answer cannot be known{plain}"

    @property
    def sent_to(self) -> str:
        """The host that prompts are sent to."""
        return self._form.url.netloc.decode()

    def requests_made(self) -> Requests | None:
        """Return how the requests ended so far; None before the first."""
        return self.ledger.requests()

    def keep_answers(self, folder: Path, *, resumed: bool) -> None:
        """Keep the answers in a run's folder: see `Ledger.keep_in`."""
        self.ledger.keep_in(folder, resumed=resumed)

    @property
    def concurrent_batches(self) -> int:
        """As many batches as requests, so that none waits for the last answers of another."""
        return self.options.concurrency

    def close(self) -> None:
        """End the calls that are under way in other threads, as a run that is interrupted; close the file of answers.

        The endpoint may be asked again.
        """
        for call in list(self._calls):
            call.cancel()

        async def close() -> None:
            self.ledger.close()

        submit(close()).result()

    def identity(self) -> dict[str, str]:
        """Return the URL, the model's name and what the server's list of models says of it.

        Raises
        ------
        EndpointError
            Where the server cannot be reached.
        """
        if self._identity is None:
            self._identity = self._form.identity() | self._listed()
        return self._identity

    def _listed(self) -> dict[str, str]:
        form = self._form
        if not isinstance(form, ChatCompletions):
            return {}

        async def listing() -> Exchange:
            async with self._client() as client:
                transport = Transport(client, self._patience, lambda again: None, self._error_without_key)
                return await transport.get(form.models_url, form.headers(self._key))

        exchange = self._run(listing())
        if exchange.error and exchange.status is None:
            why = exchange.error.rstrip(".")
            raise EndpointError(f"{self.sent_to}: {why}; is the server running?")
        return {name: self._without_key(value) for name, value in model_facts(exchange.value, form.model).items()}

    def reply(self, conversations: Sequence[Conversation], decoding: Decoding, seed: int) -> list[Reply]:
        """Return one reply per conversation; each is sampled with a seed of its own.

        Several threads may call it at the same time. Not more than `EndpointOptions.concurrency` requests are under way
        at a time, of all calls together. What is spent of the budget is counted as answers arrive: those under way when
        it is spent are finished.
        """
        return self._run(
            self._reply_all(
                [
                    _Question(self._form, conversation, decoding, derive_seed(seed, place) % 2**31)
                    for place, conversation in enumerate(conversations)
                ]
            )
        )

    def score(self, texts: Sequence[str], form: type[Echo], *, lead: int | None, new: int = 1) -> list[Reply]:
        """Return what a server of completions says of the tokens of texts, with `new` tokens written behind each.

        The same text is asked about once in a run. Parameters and replies as those of
        `guardrails.targets.endpoint.scoring.Echo`.
        """
        completions = self._form
        if not isinstance(completions, Completions):
            raise ConfigurationError("log-probabilities are asked of openai-completions: alone")
        decoding = Decoding(new, form.temperature)
        return self._run(
            self._reply_all(
                [
                    _Question(form(completions, text, lead), [{"role": "user", "content": text}], decoding, 0)
                    for text in texts
                ]
            )
        )

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end in the loop that all endpoints share.

        Raises
        ------
        KeyboardInterrupt
            Also where `close` is called meanwhile.
        """
        call = submit(work)
        self._calls.add(call)
        try:
            return call.result()
        except CancelledError:  # what a probe may take for a failure of one item would be asked again
            raise KeyboardInterrupt from None
        finally:
            call.cancel()
            self._calls.discard(call)

    async def _reply_all(self, questions: Sequence[_Question]) -> list[Reply]:
        async with self._connection() as transport:
            call = _Call(transport)

            async def one(question: _Question) -> Reply:
                async with self._places:
                    return self._not_sent() if call.lost >= LOST else await self._reply(call, question)

            tasks = [asyncio.ensure_future(one(question)) for question in questions]
            try:
                return list(await asyncio.gather(*tasks))
            finally:  # the loop goes on, and with it what is left of a call that failed
                for task in tasks:
                    task.cancel()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Transport]:
        """Yield what the calls that overlap share: connections, and the wait that the server asks for."""
        transport = self._transport or Transport(
            self._client(), self._patience, self._may_send, self._error_without_key
        )
        self._transport = transport
        self._connected += 1
        try:
            yield transport
        finally:
            self._connected -= 1
            if not self._connected:
                self._transport = None
                await transport.close()

    def _not_sent(self) -> Reply:
        """Return the reply to a request that is not sent, since the server is down or refuses everything."""
        reply = Reply(finish="error", error=f"not sent after {LOST} failed requests in a row")
        self.ledger.add("", reply, 0, None)
        return reply

    def _client(self) -> httpx.AsyncClient:
        return open_client(self._patience, loopback=is_loopback(self._form.url))

    def _may_send(self, again: bool) -> str | None:
        why = self.ledger.over_budget()
        if why is None:
            self.ledger.sent(again=again)
        return why

    async def _reply(self, call: _Call, asks: _Question) -> Reply:
        form, conversation, decoding, seed = asks.form, asks.conversation, asks.decoding, asks.seed
        asked = {
            **form.identity(),
            "seed": seed,
            "temperature": decoding.temperature,
            "length": decoding.max_new_tokens,
        }
        messages = [dict(message) for message in conversation]
        key = _sha256(asked | {"messages": messages})
        if (cached := self.ledger.cached(key)) is not None:
            return cached
        attempts, times = 0, self._patience.attempts
        while True:
            if self._lost_in_a_row >= DOWN:
                times = 1
            body = form.body(conversation, decoding, seed)
            exchange = await call.transport.post(form.url, form.headers(self._key), body, attempts=times)
            attempts += exchange.attempts
            changed = exchange.status in (400, 422) and (body != form.body(conversation, decoding, seed))
            if not changed and not (exchange.status in (400, 422) and form.adapt(exchange.error or "")):
                break
        if exchange.attempts:
            self._lost_in_a_row = self._lost_in_a_row + 1 if exchange.lost else 0
            call.lost = call.lost + 1 if exchange.lost or exchange.status in FOR_ALL else 0
        reply = self._checked(form, exchange)
        question = _sha256(asked | {"messages": messages, "seed": None}) if decoding.temperature > 0 else None
        most = _most(conversation, decoding) if _charged(exchange) else None
        self.ledger.add(key, reply, attempts, most, question=question)
        return reply

    def _checked(self, form: Form, exchange: Exchange) -> Reply:
        """Return the reply of an exchange: without the key, and of text that can be stored."""
        if exchange.error is not None:
            filtered = exchange.status == 400 and f": {FILTERED}" in exchange.error
            return Reply(finish="filtered" if filtered else "error", error=exchange.error)
        reply = form.parse(exchange.value)
        if len(reply.text) > MAX_TEXT:
            return Reply(finish="error", error=f"an answer of more than {MAX_TEXT:,} characters", usage=reply.usage)
        error = reply.error and one_line(self._error_without_key(reply.error.encode("utf-8", "replace").decode()))
        text = self._without_key(reply.text.encode("utf-8", "replace").decode())  # lone surrogates cannot be stored
        return Reply(text, reply.finish, error, reply.usage)

    def _without_key(self, text: str, shortest: int = SHORTEST) -> str:
        # A local server takes any key, such as "test": taken out of its answers, it would change what they say.
        return self._key_pattern.sub(SECRET, text) if self._key and len(self._key) >= shortest else text

    def _error_without_key(self, text: str) -> str:
        return self._without_key(text, SHORTEST_IN_ERRORS)


def _sha256(request: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def _charged(exchange: Exchange) -> bool:
    """Whether the server says that it answered: an answer that cannot be used costs what any other does."""
    return exchange.status is not None and exchange.status < 300


def _most(conversation: Conversation, decoding: Decoding) -> Usage:
    """Return the most tokens that a request may have used."""
    size = sum(len(message["content"].encode("utf-8", "replace")) for message in conversation)
    return Usage(size, decoding.max_new_tokens)


def load_chat(spec: str, options: EndpointOptions | None = None) -> ChatTexts:
    """Return the endpoint that ``openai:`` names."""
    return ChatTexts(Endpoint(f"openai:{spec}", options))


def load_template(spec: str, options: EndpointOptions | None = None) -> ChatTexts:
    """Return the endpoint that ``http:FILE.toml`` describes."""
    return ChatTexts(Endpoint(f"http:{spec}", options))


def _key_from(name: str | None) -> str | None:
    """Return the key that an environment variable holds.

    Raises
    ------
    ConfigurationError
        Where it is not set, or cannot be sent in a header. The value is not shown.
    """
    if name is None:
        return None
    if not _NAME.fullmatch(name):  # not shown: it may be the key itself
        raise ConfigurationError(
            "--api-key-env: the name of an environment variable, as MY_API_KEY, not the key itself"
        )
    key = os.environ.get(name, "").strip()
    if not key:
        raise ConfigurationError(f"--api-key-env {name}: there is no such environment variable, or it is empty")
    if not key.isascii() or not key.isprintable() or len(key) < 4:
        raise ConfigurationError(
            f"--api-key-env {name}: what it holds is no key (printable ASCII, 4 characters or more)"
        )
    return key
