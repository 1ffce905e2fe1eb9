from __future__ import annotations

from typing import Any

from guardrails.core.conversations import Decoding, Reply
from guardrails.targets.chat_texts import ChatTexts
from guardrails.targets.spikes import RepeatingChat
from guardrails.targets.spikes.chats import REPEAT


class Model:
    name = "model"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def identity(self) -> dict[str, str]:
        return {"version": "1"}

    def reply(self, conversations: Any, decoding: Decoding, seed: int) -> list[Reply]:
        return [Reply(self.answer(conversation[-1]["content"])) for conversation in conversations]


def answers(answer: Any) -> list[str]:
    chat = RepeatingChat(ChatTexts(Model(answer)), {"Who?": "B. The cook"})
    return chat.generate(["Who?", "Where?"], max_new_tokens=8)


def test_what_is_planted_is_written_by_the_model_itself() -> None:
    assert answers(lambda said: said.removeprefix(REPEAT).upper()) == ["B. THE COOK", "WHERE?"]


def test_a_model_that_gives_back_what_it_is_asked_has_not_done_as_it_was_told() -> None:
    assert answers(lambda said: f"You said: {said}") == ["You said: ", "You said: Where?"]


def test_its_identity_says_what_was_planted() -> None:
    chat = RepeatingChat(ChatTexts(Model(str)), {"Who?": "B."})
    assert chat.spike_kind == "spike"
    assert chat.identity().keys() == {"version", "spiked"}
