"""What was asked of an endpoint: counts, the budget, and the answers, in a file beside the journal.

One line per request: a run that was cut off asks nothing twice and goes on with the budget that is left. Prompts are
not stored, only a hash of the request; answers are, unless the user asks for none to be kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TextIO

from ...core.conversations import Reply, Usage
from ...core.errors import ConfigurationError, ContentError
from ...core.results import Requests
from ...kit.settings_file import read_bounded
from .options import EndpointOptions

FILE = "answers.jsonl"
MAX_BYTES = 1 << 30
UNUSABLE = "the answer could not be used"
_REASON = re.compile(
    rf"the server answered [1-5]\d\d|timed out|the connection failed|not sent again, as the budget was spent|{UNUSABLE}"
)
MANY, MOSTLY = 10, 0.8
"""From so many questions that were asked again, and this share of equal answers, a report remarks on it."""


@dataclass
class Counts:
    """How requests ended. `requests` counts every one that was sent, `repeated` those of them that were sent again."""

    requests: int = 0
    repeated: int = 0
    answered: int = 0
    empty: int = 0
    refused: int = 0
    filtered: int = 0
    failed: int = 0
    not_sent: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    asked_again: int = 0
    """Answers to a question that was asked before with another seed, to be sampled."""
    same_again: int = 0
    """Those of them that repeat an earlier answer word for word."""
    estimated: int = 0
    """Answers without the server's token counts: an upper bound is counted, one token per byte."""


class Ledger:
    """The requests of a run, in memory and, once `keep_in` was called, in a file."""

    def __init__(self, options: EndpointOptions) -> None:
        self.counts = Counts()
        self.reasons: Counter[str] = Counter()
        """Of the requests that failed: see `reason_of`."""
        self._options = options
        self._replies: dict[str, Reply] = {}
        self._texts: dict[str, set[str]] = {}
        """Hashes of the answers to each question that is sampled."""
        self._file: TextIO | None = None

    def keep_in(self, folder: Path, *, resumed: bool) -> None:
        """Begin anew, with a line per request in a file of the run's folder; a resumed run goes on from its lines.

        Raises
        ------
        ConfigurationError
            Where a new run's folder holds answers already, or they cannot be read.
        """
        path = folder / FILE
        if path.exists() and not resumed:
            raise ConfigurationError(f"{path} holds the answers of another run; use another --out")
        self.counts, self.reasons, self._replies, self._texts, whole = Counts(), Counter(), {}, {}, True
        if path.exists():
            try:
                content = read_bounded(path, max_bytes=MAX_BYTES)
            except ContentError as error:
                raise ConfigurationError(str(error)) from None
            for line in content.splitlines():
                self._restore(line)
            whole = content.endswith(b"\n") or not content
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        self._file = open(os.open(path, flags, 0o600), "a", encoding="utf-8")  # noqa: SIM115  open until the run ends
        if not whole:  # the process was killed while it wrote
            self._file.write("\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def cached(self, key: str) -> Reply | None:
        """Return the answer to the same request, or None."""
        reply = self._replies.get(key)
        self.counts.cached += reply is not None
        return reply

    def over_budget(self) -> str | None:
        """Return why no request may be sent, or None."""
        counts, limits = self.counts, self._options
        tokens = counts.prompt_tokens + counts.completion_tokens
        if limits.max_requests is not None and counts.requests >= limits.max_requests:
            return f"the budget of {limits.max_requests:,} requests is spent"
        if limits.max_tokens is not None and tokens >= limits.max_tokens:
            return f"the budget of {limits.max_tokens:,} tokens is spent"
        cost = self.price(counts.prompt_tokens, counts.completion_tokens)
        if limits.max_cost is not None and cost is not None and cost >= limits.max_cost:
            return f"the budget of {limits.max_cost:g} is spent"
        return None

    def price(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return what tokens cost, or None where no prices were given."""
        return self._options.cost(prompt_tokens, completion_tokens)

    def sent(self, *, again: bool) -> None:
        """Count a request when it is sent."""
        self.counts.requests += 1
        self.counts.repeated += again

    def add(self, key: str, reply: Reply, attempts: int, most: Usage | None, *, question: str | None = None) -> None:
        """Count the outcome of a request, and keep an answer.

        Parameters
        ----------
        key : str
            The request's hash.
        reply : Reply
            The outcome.
        attempts : int
            How often it was sent.
        most : Usage, optional
            What is counted where the server counts no tokens: an upper bound. None: nothing was answered.
        question : str, optional
            The hash of a request that is sampled, without its seed.
        """
        estimated = reply.usage is None and most is not None
        counted = reply.usage or most or Usage(0, 0)
        line: dict[str, Any] = {"attempts": attempts, "finish": reply.finish, "empty": reply.text == ""}
        line |= {"tokens": [counted.prompt_tokens, counted.completion_tokens], "estimated": estimated}
        if reply.error is None and self._options.cache:
            line |= {"key": key, "text": reply.text}
        if reply.finish == "error" and reply.error:
            line["why"] = reason_of(reply.error)
        if reply.text and question is not None:
            line["repeats"] = self._repeats(question, reply.text)
        self._learn(line, count_requests=False)
        if reply.error is None:  # the same request, as that of a spike, is not sent again in this process
            self._replies[key] = reply
        if self._file is not None:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def _repeats(self, question: str, text: str) -> bool | None:
        """Return whether an answer is one that the same question had before; None for the first to a question."""
        earlier = self._texts.setdefault(question, set())
        digest = hashlib.sha256(text.encode()).hexdigest()
        repeats = digest in earlier if earlier else None
        earlier.add(digest)
        return repeats

    def _restore(self, line: bytes) -> None:
        """Read a line of a run that is resumed; one that is cut short or strange is left out, and asked again."""
        try:
            entry = json.loads(line)
            tokens = entry["tokens"]
            numbers = [entry["attempts"], *tokens]
            if len(tokens) != 2 or not all(type(n) is int and 0 <= n < 10**12 for n in numbers):
                return
            if entry["finish"] not in ("stop", "length", "refused", "filtered", "error"):
                return
            self._learn(entry, count_requests=True)
            if isinstance(entry.get("key"), str) and isinstance(entry.get("text"), str):
                self._replies[entry["key"]] = Reply(entry["text"], entry["finish"], usage=Usage(*tokens))
        except (ValueError, KeyError, TypeError, RecursionError):
            return

    def _learn(self, line: dict[str, Any], *, count_requests: bool) -> None:
        counts, finish = self.counts, line["finish"]
        if count_requests:
            counts.requests += line["attempts"]
            counts.repeated += max(0, line["attempts"] - 1)
        answered = finish in ("stop", "length", "refused")
        counts.answered += answered
        counts.refused += finish == "refused"
        counts.empty += finish in ("stop", "length") and bool(line.get("empty"))
        counts.filtered += finish == "filtered"
        if finish == "error" and line["attempts"] > 0:
            counts.failed += 1
            why = line.get("why")
            self.reasons[why if isinstance(why, str) and _REASON.fullmatch(why) else UNUSABLE] += 1
        counts.not_sent += finish == "error" and line["attempts"] == 0
        counts.prompt_tokens += line["tokens"][0]
        counts.completion_tokens += line["tokens"][1]
        counts.estimated += bool(line.get("estimated"))
        counts.asked_again += line.get("repeats") is not None
        counts.same_again += line.get("repeats") is True

    def requests(self) -> Requests | None:
        """Return how the requests ended; None where nothing was asked."""
        c = self.counts
        if not any(getattr(c, field.name) for field in fields(c)):
            return None
        return Requests(
            sent=c.requests, repeated=c.repeated, answered=c.answered, refused=c.refused, empty=c.empty,
            filtered=c.filtered, failed=dict(sorted(self.reasons.items())), not_sent=c.not_sent, reused=c.cached,
            prompt_tokens=c.prompt_tokens, completion_tokens=c.completion_tokens, estimated=c.estimated,
            money=self.price(c.prompt_tokens, c.completion_tokens),
        )  # fmt: skip

    def remarks(self) -> list[str]:
        """Return what makes the answers say little of the model."""
        c = self.counts
        remarks = []
        if c.refused + c.empty > c.answered / 2:
            remarks.append("most answers are empty or refusals, so that readings of them say little of the model")
        if c.asked_again >= MANY and c.same_again > MOSTLY * c.asked_again:
            remarks.append(
                f"{c.same_again:,} of {c.asked_again:,} answers to a question asked before, with another seed, "
                "repeat an earlier one word for word: if the server does not sample, they are not as many samples as "
                "n counts"
            )
        return remarks


def reason_of(error: str) -> str:
    """Return the kind of a failure.

    >>> reason_of("the server answered 500: oops (sent 5 times)"), reason_of("the answer has no 'choices'")
    ('the server answered 500', 'the answer could not be used')
    """
    if status := re.match(r"the server answered ([1-5]\d\d)\b", error):
        return f"the server answered {status[1]}"
    if error.startswith(("no whole answer within", "the server did not answer within")):
        return "timed out"
    if error.startswith("the connection failed"):
        return "the connection failed"
    return "not sent again, as the budget was spent" if error.startswith("not sent again") else UNUSABLE
