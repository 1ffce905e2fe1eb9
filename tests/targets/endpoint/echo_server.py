"""A causal language model behind the tests' server, which tells log-probabilities of prompts as vLLM does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from guardrails.targets.huggingface import HuggingFaceTarget

from .fault_server import Fault, Handler

Change = Callable[[dict[str, Any], dict[str, Any]], None]
"""Spoils a choice; given the choice and the body that was sent."""


def echoing(model: HuggingFaceTarget, change: Change | None = None, *, ignores: str = "", longest: int = 190) -> Fault:
    """Return what answers completions; ``echo`` or ``prompt_logprobs`` in `ignores` is passed over."""

    def fault(handler: Handler, body: dict[str, Any]) -> None:
        asked = {name: value for name, value in body.items() if name not in ignores.split()}
        prompt = [model.start] if not asked["prompt"] else model.encode(asked["prompt"])
        if len(prompt) + asked["max_tokens"] > longest:
            handler.send(400, '{"error": {"message": "This model\'s maximum context length is exceeded"}}')
            return
        choice = completed(model, prompt, asked)
        if change is not None:
            change(choice, asked)
        usage = {"prompt_tokens": len(prompt), "completion_tokens": len(choice.pop("ids")) - len(prompt)}
        handler.send(200, json.dumps({"choices": [choice], "usage": usage}))

    return fault


def completed(model: HuggingFaceTarget, prompt: list[int], asked: dict[str, Any]) -> dict[str, Any]:
    text = str(asked["prompt"])
    if asked["temperature"] == 0:
        (written,) = model.continue_tokens([prompt], n=asked["max_tokens"])
        more = model.decode(written)
    else:
        (more,) = model.generate([text], max_new_tokens=asked["max_tokens"], seed=asked["seed"])
        written = model.encode(more)[len(model.encode("")) :]
    ids = [*prompt, *written]
    strings = [model.tokenizer.decode([token]) for token in ids]
    values = [None, *model.token_logprobs([ids])[0].tolist()]
    choice: dict[str, Any] = {"text": more, "finish_reason": "length", "ids": ids}
    first = 0 if asked.get("echo") else len(prompt)
    if asked.get("echo"):
        choice["text"] = text + more
    if asked.get("logprobs") is not None:
        choice["logprobs"] = {
            "tokens": strings[first:],
            "token_logprobs": values[first:],
            "text_offset": [len("".join(strings[first:i])) for i in range(first, len(ids))],
        }
    if "prompt_logprobs" in asked:
        entries = zip(prompt, strings, values, strict=False)
        told = [{str(i): {"decoded_token": s, "logprob": v, "rank": 1}} for i, s, v in entries]
        choice["prompt_logprobs"] = [None, *told[1:]]
    return choice
