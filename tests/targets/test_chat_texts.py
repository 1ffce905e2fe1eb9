"""Names with ``chat:``, functions of messages, and the adapter from conversations to texts."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from guardrails.core.asking import IN_A_ROW, ask
from guardrails.core.batch import Batch, Item, Row
from guardrails.core.conversations import Chat, Decoding, Reply
from guardrails.core.errors import ConfigurationError, TargetError
from guardrails.core.targets import Access, TextOutputs, TextTarget
from guardrails.targets import load_target
from guardrails.targets.chat_texts import ChatTexts

MODULE = """
from guardrails.core.conversations import Reply

def answer(messages, seed, max_new_tokens=3):
    if messages[-1]["content"] == "bad":
        raise RuntimeError("no answer")
    if messages[-1]["content"] == "number":
        return 5
    if messages[-1]["content"] == "leave":
        raise SystemExit(0)
    return f"{len(messages)} {messages[-1]['content']} {seed} {max_new_tokens}"

class Parrot:
    name = "parrot"

    def identity(self):
        return {"parrot": "1"}

    def reply(self, conversations, decoding, seed):
        return [Reply(c[-1]["content"] * 2) for c in conversations]

class Fixed(Parrot):
    def __init__(self, *replies):
        self.replies = list(replies)

    def reply(self, conversations, decoding, seed):
        return self.replies

FILTERED = Fixed(Reply(finish="filtered"))
FAILED = Fixed(Reply(finish="error"))
FEW = Fixed()
WORDS = Fixed("yes")
NO_TEXT = Fixed(Reply(None))
NUMBER = 5
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"chat_module_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("FILTERED", r"no answer \(filtered\), and the model gave no reason"),
        ("FAILED", r"no answer \(error\), and the model gave no reason"),
        ("FEW", "a list with one Reply for each of 1 conversations"),
        ("WORDS", "returned str, where a Reply with a text is needed"),
        ("NO_TEXT", "returned a Reply whose text is NoneType"),
    ],
)
def test_what_a_chat_returns_beside_the_contract_is_no_answer(module: str, name: str, message: str) -> None:
    target = load_target(f"chat:python:{module}:{name}")
    with pytest.raises(TargetError, match=message):
        target.generate(["Why?"], max_new_tokens=5)


def test_a_function_of_messages_is_a_chat(module: str) -> None:
    target = load_target(f"chat:python:{module}:answer")
    assert isinstance(target, Chat)
    assert isinstance(target, TextTarget)
    assert isinstance(target, TextOutputs)
    assert target.name == f"chat:python:{module}:answer"
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    replies = target.reply([talk, talk[:1], talk], Decoding(9), 4)
    assert [reply.text.split()[:2] for reply in replies] == [["3", "c"], ["1", "a"], ["3", "c"]]
    assert len({reply.text for reply in replies}) == 3  # seeds of their own
    assert all(reply.text.endswith(" 9") for reply in replies)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("bad", "failed with RuntimeError: no answer"),
        ("number", "returned int where the text of an answer is needed"),
        ("leave", "failed with SystemExit: 0"),
    ],
)
def test_a_function_that_fails_is_one_error(module: str, said: str, why: str) -> None:
    target = load_target(f"chat:python:{module}:answer")
    asked = [[{"role": "user", "content": content}] for content in ("a", said, "b")]
    replies = target.reply(asked, Decoding(3), 1)  # type: ignore[attr-defined]
    assert [reply.finish for reply in replies] == ["stop", "error", "stop"]
    assert why in replies[1].error


@pytest.mark.parametrize("scheme", ["python", "chat:python"])
def test_an_object_with_reply_is_one_already(module: str, scheme: str) -> None:
    target = load_target(f"{scheme}:{module}:Parrot")
    assert Access.CONVERSATIONS in target.access
    assert target.generate(["ab"], max_new_tokens=1) == ["abab"]  # type: ignore[attr-defined]
    assert target.identity() == {"parrot": "1"}


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("chat:", ConfigurationError, "names no target"),
        ("chat:openai:http://h/v1#m", ConfigurationError, "leave 'chat:' off"),
        ("chat:chat:python:x:y", ConfigurationError, "leave 'chat:' off"),
        ("chat:nothing", ConfigurationError, "not the name of a target"),
        ("chat:reference:gpt-text", TargetError, "its tokenizer has no chat template"),
        ("chat:jsonl:texts.jsonl", TargetError, "it is no chat model"),
        ("chat:python:MODULE:NUMBER", TargetError, "not callable"),
    ],
)
def test_what_answers_no_conversations_is_one_message(
    module: str, name: str, error: type[Exception], words: str
) -> None:
    Path("texts.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(error, match=words):
        load_target(name.replace("MODULE", module))


class Probe:
    """Asks for texts without a prompt, a batch at a time."""

    def collect(self, target, batch, *, seed):  # type: ignore[no-untyped-def]
        texts = target.sample_texts(len(batch.items), seed=seed)
        return [row | {"text": text} for row, text in zip(batch.rows(), texts, strict=True)]


def asked_of(probe: Any, target: Any, batch: Batch, *, seed: int) -> list[Row]:
    return ask(probe, target, batch, seed=seed)


def numbered(n: int) -> tuple[Item, ...]:
    return tuple(Item(str(i)) for i in range(n))


class Failing:
    """Answers with a number, or fails where `up` is false."""

    name = "failing"
    up = False
    asked = 0

    def identity(self) -> dict[str, str]:
        return {}

    def reply(self, conversations, decoding, seed):  # type: ignore[no-untyped-def]
        self.asked += len(conversations)
        answer = Reply("yes") if self.up else Reply(finish="error", error="down")
        return [answer for _ in conversations]


@pytest.mark.parametrize("size", range(1, 20))
def test_a_smaller_batch_is_asked_after_one_that_was_given_up(size: int) -> None:
    model = Failing()
    target = ChatTexts(model)
    rows = asked_of(Probe(), target, Batch(0, numbered(20)), seed=1)
    assert sum("not asked" in row["error"] for row in rows) == 20 - IN_A_ROW
    model.up = True
    rows = asked_of(Probe(), target, Batch(1, numbered(size)), seed=2)
    assert [row.get("text") for row in rows] == ["yes"] * size
    assert model.asked == 20 + size


def test_threads_have_each_their_own_replies() -> None:
    both = threading.Barrier(2, timeout=20)
    asked: list[str] = []

    class Half(Failing):
        def reply(self, conversations, decoding, seed):  # type: ignore[no-untyped-def]
            prompts = [conversation[-1]["content"] for conversation in conversations]
            asked.extend(prompts)
            both.wait()  # the other thread's call fails before a part of this one's is asked for
            return [Reply(finish="error", error="no") if p.endswith("3") else Reply(f"to {p}") for p in prompts]

    class Named:
        def collect(self, target, batch, *, seed):  # type: ignore[no-untyped-def]
            texts = target.generate([item.id for item in batch.items], max_new_tokens=1, seed=seed)
            return [row | {"text": text} for row, text in zip(batch.rows(), texts, strict=True)]

    target, rows = ChatTexts(Half()), dict[str, list[dict[str, str]]]()

    def work(name: str) -> None:
        items = tuple(Item(f"{name}{i}") for i in range(8))
        rows[name] = asked_of(Named(), target, Batch(0, items), seed=1)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(asked) == sorted(f"{name}{i}" for name in "ab" for i in range(8))
    for name in "ab":
        assert [row.get("text") for row in rows[name]] == [None if i == 3 else f"to {name}{i}" for i in range(8)]
