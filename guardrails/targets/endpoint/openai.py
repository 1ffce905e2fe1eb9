"""The chat-completions and completions protocols, as OpenAI, vLLM, llama.cpp, Ollama, TGI and LM Studio speak them."""

from __future__ import annotations

import re
from typing import Any

import httpx

from ...core.conversations import Conversation, Decoding, Reply, Usage
from ...core.errors import ConfigurationError
from .address import clipped, parse_address, with_path

MODEL_FACTS = ("owned_by", "root", "parent", "max_model_len")
"""What is read of the server's list of models. ``created`` is left out: some servers write the present time there."""
OUT_OF_TOKENS = ("length", "max_tokens", "max_output_tokens", "model_length")
WITHHELD = ("safety", "recitation", "blocklist", "prohibited_content", "spii", "guardrail_intervened")
"""Why an answer ended, beside ``content_filter``, where the server withholds it."""
BROKEN_OFF = ("error", "abort", "aborted", "cancelled", "canceled", "timeout", "insufficient_system_resource")
COMPLETE = ("stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete")
"""Why an empty answer is one: of any other reason it is not known that the model had no more to say."""
REASONING = ("reasoning_content", "reasoning", "thinking")


class ChatCompletions:
    """``POST URL/chat/completions``.

    Parameters
    ----------
    spec : str
        ``URL#MODEL``.

    Raises
    ------
    ConfigurationError
        For an address or a name that cannot be used.
    """

    scheme = "openai"
    path = "/chat/completions"
    what = "chat completions"

    def __init__(self, spec: str) -> None:
        address, _, self.model = spec.partition("#")
        if not self.model.strip() or len(self.model) > 500 or not self.model.isprintable():
            raise ConfigurationError(
                f"{self.scheme}: name the model after '#', as in {self.scheme}:https://host/v1#my-model"
            )
        self.base = parse_address(address, self.scheme)
        if self.base.path.endswith(("/chat/completions", "/completions")):
            raise ConfigurationError(f"{self.scheme}: leave {self.path} off the URL; it is added")
        self.url = with_path(self.base, self.path)
        self._length, self._seeded = "max_tokens", True

    def headers(self, key: str | None) -> dict[str, str]:
        """Return the headers of a request."""
        return {} if key is None else {"Authorization": f"Bearer {key}"}

    def body(self, conversation: Conversation, decoding: Decoding, seed: int) -> dict[str, Any]:
        """Return the JSON of a request."""
        fields = {"model": self.model, **self._question(conversation), "temperature": decoding.temperature}
        return fields | {self._length: decoding.max_new_tokens} | ({"seed": seed} if self._seeded else {})

    def _question(self, conversation: Conversation) -> dict[str, Any]:
        return {"messages": [dict(message) for message in conversation]}

    def adapt(self, complaint: str) -> bool:
        """Change the form of the requests where a server says that it takes another; return whether that is so."""
        if self._length == "max_tokens" and "max_completion_tokens" in complaint:
            self._length = "max_completion_tokens"
            return True
        if self._seeded and re.search(r"\bseed\b", complaint):
            self._seeded = False
            return True
        return False

    def parse(self, answer: Any) -> Reply:
        """Return the reply that an answer of the server holds."""
        choice = first_choice(answer)
        if choice is None:
            words = f": {said}" if (said := failure(answer)) else ""
            return Reply(finish="error", error=f"the answer has no 'choices'{words}")
        usage = token_counts(answer.get("usage"), "prompt_tokens", "completion_tokens")
        reason = choice.get("finish_reason")
        ended = reason.lower() if isinstance(reason, str) else None
        if ended is not None and (ended.startswith("content_filter") or ended in WITHHELD):
            return Reply(finish="filtered", error="the server filtered this answer", usage=usage)
        text, refusal = self._text(choice)
        if refusal or (ended == "refusal" and isinstance(text, str)):
            return Reply(text or refusal, "refused", usage=usage)
        if said := failure(answer) or failure(choice):
            return Reply(finish="error", error=f"the answer comes with an error: {said}", usage=usage)
        if why := _unusable(choice, text, ended):
            return Reply(finish="error", error=f"the answer is unusable: {why}", usage=usage)
        if not text and ended in OUT_OF_TOKENS:
            # A model that reasons can spend all its tokens before it writes anything.
            why = "the answer is empty: its tokens ran out before any text, as where a model reasons first"
            return Reply(finish="error", error=why, usage=usage)
        return Reply(text, "length" if ended in OUT_OF_TOKENS else "stop", usage=usage)

    def _text(self, choice: dict[str, Any]) -> tuple[Any, str]:
        """Return the text of an answer, which may be missing, and that of a refusal."""
        message = choice.get("message")
        if not isinstance(message, dict):
            return None, ""
        content, refusal = message.get("content"), message.get("refusal")
        if isinstance(content, list):
            refusal = refusal or _joined(content, "refusal", ("refusal",))
            content = _joined(content, "text", ("text", "output_text"))
        if content is None and choice.get("finish_reason") == "length":
            content = ""
        return content, refusal if isinstance(refusal, str) else ""

    @property
    def models_url(self) -> httpx.URL:
        """Where the server lists its models."""
        return with_path(self.base, "/models")

    def identity(self) -> dict[str, str]:
        """Return what is known of the model without asking the server."""
        return {"endpoint": str(self.url), "model": self.model}

    def describe(self) -> str:
        """Return how the model is asked, for the report."""
        seed = "" if self._seeded else "; the server takes no seed"
        return f"{self.what} of the model '{clipped(self.model)}' at {clipped(self.base)}{seed}"


class Completions(ChatCompletions):
    """``POST URL/completions``: the model goes on from a text, without a chat template."""

    scheme = "openai-completions"
    path = "/completions"
    what = "completions"

    def _question(self, conversation: Conversation) -> dict[str, Any]:
        return {"prompt": "\n".join(message["content"] for message in conversation)}

    def _text(self, choice: dict[str, Any]) -> tuple[Any, str]:
        return choice.get("text"), ""


def first_choice(answer: Any) -> dict[str, Any] | None:
    """Return the first of an answer's choices, or None where there is none."""
    choices = answer.get("choices") if isinstance(answer, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else None


def _unusable(choice: dict[str, Any], text: Any, ended: str | None) -> str:
    """Return why an answer says nothing of what the model would write; empty where it does."""
    if ended in BROKEN_OFF:
        return f"it ended with '{ended}'"
    message = choice.get("message")
    fields = message if isinstance(message, dict) else {}
    if not text and (ended in ("tool_calls", "function_call") or fields.get("tool_calls")):
        return "it calls a tool and it holds no text"
    if not text and any(isinstance(fields.get(name), str) and fields[name] for name in REASONING):
        return "" if ended in OUT_OF_TOKENS else "it holds reasoning and no text"
    if not isinstance(text, str):
        return "it holds no text"
    if not text and ended is not None and ended not in (*OUT_OF_TOKENS, *COMPLETE):
        return f"it is empty, and ended with '{ended}'"
    return ""


def failure(answer: Any) -> str:
    """Return what a server says of an error in an answer that it calls a success; empty where it says nothing."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        error = next((error[name] for name in ("message", "code", "type") if error.get(name)), None)
    return str(error) if isinstance(error, str | int) and error else ""


def _joined(parts: list[Any], field: str, kinds: tuple[str, ...]) -> str | None:
    """Return the texts of an answer's parts of some kinds, or None where there is none."""
    fields = [part.get(field) for part in parts if isinstance(part, dict) and part.get("type") in kinds]
    texts = [text for text in fields if isinstance(text, str)]
    return "".join(texts) if texts else None


def token_counts(usage: Any, prompt: str, completion: str) -> Usage | None:
    """Return the numbers of tokens that a server counted, or None where they are missing or no numbers."""
    counts = [usage.get(name) for name in (prompt, completion)] if isinstance(usage, dict) else [None]
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 10**9 for n in counts):
        return None
    return Usage(*counts)


def model_facts(listing: Any, model: str) -> dict[str, str]:
    """Return what a server's list of models says of one, bounded: it may hold anything."""
    entries = listing.get("data") if isinstance(listing, dict) else None
    entries = entries if isinstance(entries, list) else []
    entry = next((e for e in entries if isinstance(e, dict) and e.get("id") == model), None)
    facts = {name: entry.get(name) for name in MODEL_FACTS} if entry else {}
    return {name: str(value)[:200] for name, value in facts.items() if isinstance(value, str | int) and value != ""}
