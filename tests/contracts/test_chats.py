"""Everything that claims to answer conversations does it in the same way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from guardrails.core.conversations import Decoding, Reply
from guardrails.core.targets import Access, ChatTarget
from guardrails.targets import load_target
from guardrails.targets.chat_texts import ChatTexts

from ..targets.endpoint import fault_server
from ..targets.endpoint.fault_server import answer
from ..targets.language.test_chat_template import CHATML, save, talks

DECODING = Decoding(6, 1.0)
TALKS = [
    [{"role": "user", "content": "one"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "two"}],
    [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}, {"role": "user", "content": "three"}],
    [{"role": "user", "content": ""}],
]
BAD = [{"role": "user", "content": "bad " * 200}]
TEMPLATE = """
url = "URL/write"
answer = "choices[0].text"
[request]
turns = "{messages}"
seed = "{seed}"
"""
FUNCTION = """
def answer(messages, seed):
    if messages[-1]["content"].startswith("bad"):
        raise ValueError("bad")
    return f"{len(messages)} {messages[-1]['content']} {seed}"
"""


def answering(handler: fault_server.Handler, body: dict[str, Any]) -> None:
    asked = body.get("messages", body.get("turns", [{"content": body.get("prompt", "")}]))
    if asked[-1]["content"].startswith("bad"):
        handler.send(400, "{}")
    else:
        handler.send(200, json.dumps(answer(f"{len(asked)} {asked[-1]['content']} {body['seed']}")))


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("chats")
    model = save(folder / "model", talks(2, seed=1), CHATML + "{% if add_generation_prompt %}assistant{% endif %}")
    (folder / "chats_of_the_contract.py").write_text(FUNCTION)
    with fault_server.running() as server, pytest.MonkeyPatch.context() as patch:
        server.always = answering
        patch.syspath_prepend(str(folder))
        (folder / "api.toml").write_text(TEMPLATE.replace("URL", server.url))
        yield {
            "openai": f"openai:{server.url}#m",
            "openai-completions": f"openai-completions:{server.url}#m",
            "http": f"http:{folder / 'api.toml'}",
            "hf": f"hf:{model}",
            "chat:hf": f"chat:hf:{model}",
            "chat:python": "chat:python:chats_of_the_contract:answer",
        }


@pytest.mark.parametrize("kind", ["openai", "openai-completions", "http", "hf", "chat:hf", "chat:python"])
def test_a_chat(kind: str, named: dict[str, str]) -> None:
    target: Any = load_target(named[kind])
    assert Access.CONVERSATIONS in target.access
    assert isinstance(target, ChatTarget)
    assert all(isinstance(part, str) for pair in target.identity().items() for part in pair)
    assert isinstance(target.name, str)
    assert target.reply([], DECODING, 3) == []
    replies = target.reply([*TALKS, BAD], DECODING, 3)
    assert len(replies) == len(TALKS) + 1
    for reply in replies:
        assert isinstance(reply, Reply)
        assert (reply.error is None) == (reply.finish in ("stop", "length", "refused"))
        assert reply.error is None or (reply.error and reply.text == "")
    assert [reply.error is None for reply in replies] == [True] * len(TALKS) + [False]
    # What one is answered depends on the seed and on its place alone.
    assert target.reply([BAD, *TALKS[1:]], DECODING, 3)[1:] == replies[1:-1]
    texts = [reply.text for reply in replies[:-1]]
    assert texts != [reply.text for reply in target.reply(TALKS, DECODING, 4)]
    if isinstance(target, ChatTexts):
        assert target.generate(["one"], max_new_tokens=6, seed=3) == texts[:1]
        assert "user" in target.read_as or "completions" in target.read_as or "describes" in target.read_as
