"""How a server of completions is asked for the log-probabilities of a text: by ``echo``, or by ``prompt_logprobs``."""

from __future__ import annotations

from typing import Any, ClassVar

from ...core.conversations import Conversation, Decoding, Reply
from .openai import BROKEN_OFF, Completions, failure, first_choice, token_counts
from .scores import UnusableError, read_echo, read_prompt_logprobs, read_written


class Echo:
    """One request for the tokens of a text and, where more than one is asked for, its continuation.

    The reply's text is a `guardrails.targets.endpoint.scores.Scored` as JSON, without the text that was sent.

    Parameters
    ----------
    completions : Completions
        How the server is asked otherwise.
    text : str
        What is sent.
    lead : int, optional
        How many tokens the server puts before a text; None: not known yet.
    """

    name: ClassVar[str] = "echo"
    fields: ClassVar[dict[str, Any]] = {"echo": True}
    temperature: ClassVar[float] = 0.0
    read = staticmethod(read_echo)

    def __init__(self, completions: Completions, text: str, lead: int | None) -> None:
        self._completions, self._text, self._lead = completions, text, lead
        self.url, self.headers, self.adapt = completions.url, completions.headers, completions.adapt
        self.describe = completions.describe
        self._new = 1

    def body(self, conversation: Conversation, decoding: Decoding, seed: int) -> dict[str, Any]:
        """Return the JSON of a request. One token is written at least: many servers take no 0."""
        self._new = decoding.max_new_tokens
        return self._completions.body(conversation, decoding, seed) | {"logprobs": 1, **self.fields}

    def parse(self, answer: Any) -> Reply:
        """Return the reply that an answer holds, or why it cannot be used."""
        choice = first_choice(answer)
        if choice is None or choice.get("finish_reason") in BROKEN_OFF or failure(answer) or failure(choice):
            reply = self._completions.parse(answer)
            return reply if reply.error else Reply(finish="error", error="the answer was broken off")
        usage = token_counts(answer.get("usage"), "prompt_tokens", "completion_tokens")
        try:
            counted = None if usage is None else usage.prompt_tokens
            scored = type(self).read(choice, self._text, counted=counted, lead=self._lead, new=self._new)
        except UnusableError as error:
            return Reply(finish="error", error=str(error), usage=usage)
        return Reply(scored.to_json(), usage=usage)

    def identity(self) -> dict[str, str]:
        """Return what tells the request from others with the same text."""
        return self._completions.identity() | {"scored": self.name}


class PromptLogprobs(Echo):
    """As `Echo`, by vLLM's own field. Other servers ignore it or refuse it."""

    name = "prompt_logprobs"
    fields: ClassVar[dict[str, Any]] = {"prompt_logprobs": 0}
    read = staticmethod(read_prompt_logprobs)


class Written(Echo):
    """A continuation with the log-probabilities of its tokens, drawn as the model gives them."""

    name = "written"
    fields: ClassVar[dict[str, Any]] = {}
    temperature = 1.0
    read = staticmethod(read_written)


FORMS = (Echo, PromptLogprobs)
"""In the order in which a server is asked for them."""
