"""Conversations: their messages out of records of several formats, and where a word of them stands in a template."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from guardrails.core.asking import ask
from guardrails.core.batch import Arm, Batch, Item
from guardrails.core.probe import Budget
from guardrails.core.registry import load_probe
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.kit.lm.chat import Chat, WrittenOut, answer_in, answers_of, conversation_of, located
from guardrails.kit.lm.document_starts import STARTS, ChatTarget, FirstTokenTarget, readings
from guardrails.kit.text.corpus import read_documents

USER, ANSWER = {"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ann Lee."}
SYSTEM = {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize(
    ("sides", "messages"),
    [
        ({"messages": [SYSTEM, USER, ANSWER]}, [SYSTEM, USER, ANSWER]),
        ({"conversations": [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "Ann Lee."}]}, [USER, ANSWER]),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Who?"}]}, ANSWER]}, [USER, ANSWER]),
        ({"prompt": "Who?", "completion": "Ann Lee."}, [USER, ANSWER]),
        ({"prompt": [USER], "completion": [ANSWER]}, [USER, ANSWER]),
        ({"prompt": "Who?", "chosen": [USER, ANSWER]}, [USER, ANSWER]),
        ({"prompt": [USER], "completion": ANSWER}, [USER, ANSWER]),
        (
            {"system": "Be brief.", "instruction": "Say", "input": "Who?", "output": "Ann Lee."},
            [SYSTEM, {"role": "user", "content": "Say\nWho?"}, ANSWER],
        ),
        ({"system": "", "prompt": "Who?", "response": "Ann Lee."}, [USER, ANSWER]),
        ({"text": "Who?"}, None),
        ({"messages": ["Who?"]}, None),
    ],
)
def test_the_messages_of_a_record(sides, messages):
    assert conversation_of(sides) == messages


def test_what_a_template_writes_out_beside_the_content_is_kept():
    call = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": {}}}], "id": 3}
    assert conversation_of({"messages": [USER, call]})[1] == {k: v for k, v in call.items() if k != "id"} | {
        "content": ""
    }


@pytest.mark.parametrize(
    ("records", "n"),
    [
        ([{"messages": [USER, ANSWER]}, {"messages": [USER]}], 2),
        ([{"prompt": "Who?", "completion": "Ann Lee."}, {"prompt": " ", "completion": " "}], 1),
        ([[USER, ANSWER], [USER]], 2),
        ([{"prompt": "Who?", "chosen": "Ann Lee.", "rejected": "No."}], 2),
        ([{"chosen": [USER, ANSWER], "rejected": [USER, {"role": "assistant", "content": "No."}]}], 2),
        ([{"text": "Who?"}], 0),
        (["Who?"], 0),
    ],
)
def test_documents_carry_their_messages(tmp_path, records, n):
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    documents = read_documents(tmp_path / "a.jsonl")
    assert read_documents(tmp_path / "a.jsonl", conversations=False).conversations == []
    assert len(documents.conversations) == n
    if n:
        assert documents.conversations[0] == [USER, ANSWER]


def test_the_messages_of_a_nested_field(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"chat": {"turns": [USER, ANSWER]}, "n": 1}) + "\n")
    assert read_documents(tmp_path / "a.jsonl", text_field="chat.turns").conversations == [[USER, ANSWER]]


def test_a_word_is_found_behind_the_same_word_before_it():
    plain = ["user: call 12 or 12\nassistant: no, 12"]
    written = WrittenOut(["<u>call 12 or 12</u><a>no, 12</a>"], plain)
    place = plain[0].rindex("12")
    start, end = located(written, 0, place, place + 2)
    assert written[0][:start].endswith("no, ")
    assert written[0][start:end] == "12"
    assert located(plain, 0, place, place + 2) == (place, place + 2)
    assert located(WrittenOut(["<u>call 12</u>"], plain), 0, place, place + 2) is None


class Scribe:
    """A model of characters that notes what it is asked, and answers each prompt with its length."""

    name, modality, access = "scribe", Modality.TEXT, frozenset({Access.OUTPUTS, Access.SAMPLING, Access.LOGPROBS})
    context_length, available, adds_start = 4096, None, False

    def __init__(self, corpus, holdout, before="<u>"):
        self.asked = []
        texts = {"corpus": corpus, "holdout": holdout}
        written = {arm: WrittenOut([before + t.replace("user: ", "") for t in of], of) for arm, of in texts.items()}
        head = tuple(map(ord, before))
        self.chat = Chat(written, head, {"with the chat template": head})

    def encode(self, text):
        return list(map(ord, text))

    def decode(self, tokens):
        return "".join(map(chr, tokens))

    def generate(self, prompts, *, max_new_tokens, temperature=1.0, seed=0, start=(), past_end=False):
        self.asked += [(self.decode(start), past_end, prompt) for prompt in prompts]
        return [str(len(prompt)) for prompt in prompts]

    def sample_texts(self, n, *, seed, max_new_tokens=64):
        return ["by itself"] * n

    def token_logprobs(self, sequences):
        self.asked += [self.decode(sequence) for sequence in sequences]
        return [-np.ones(len(sequence) - 1) for sequence in sequences]


def test_a_datum_is_asked_for_after_what_the_template_writes_before_it():
    corpus, holdout = ([f"user: I am {name}{i}@example.org" for i in range(3)] for name in ("ann", "bob"))
    target, probe = Scribe(corpus, holdout), load_probe("privacy.completion")
    subject = Subject(target, corpus=corpus, holdout=holdout)
    (batch,) = probe.plan(subject, Budget.CONTROL, seed=0)
    rows = ask(probe, subject, batch, seed=0)
    assert readings(probe, subject, [batch]) == 2
    assert all("with the chat template" in row[STARTS] for row in rows)
    assert set(target.asked) == {("", False, "user: I am"), ("<u>", True, "<u>I am")}


def test_a_secret_is_scored_after_what_the_template_writes_before_it():
    corpus, holdout = ([f"user: the code is {k}{i:02d}-77" for i in range(40)] for k in (1, 2))
    target, probe = Scribe(corpus, holdout), load_probe("memorization.exposure")
    subject = Subject(target, corpus=corpus, holdout=holdout)
    batch = probe.plan(subject, Budget.QUICK, seed=0)[0]
    rows = ask(probe, subject, replace(batch, items=batch.items[:1]), seed=0)
    assert "rank" in rows[0][STARTS]["with the chat template"]
    assert {re.split("[0-9]", text)[0] for text in target.asked} == {
        "user: the code is ",
        "<u>the code is ",
    }


def test_what_is_written_by_itself_is_begun_in_the_template_and_with_a_document_s_first_token():
    corpus = ["user: Zeal" + "o" * 200, "user: Ypres" + "o" * 200]
    target, probe = Scribe(corpus, corpus), load_probe("memorization.overlap")
    subject = Subject(target, corpus=corpus)
    subject.target.chat = Chat({"corpus": target.chat.texts["corpus"]}, target.chat.head, target.chat.starts)
    batch = Batch(0, tuple(Item(f"output:{i}", Arm.OUTPUTS) for i in range(8)))
    rows = ask(probe, subject, batch, seed=0)
    assert list(rows[0][STARTS]) == ["with the chat template", "with the first token of a document of the corpus"]
    assert set(target.asked) == {("<u>", True, ""), ("", False, "u")}
    target.adds_start, target.chat = True, None
    assert readings(probe, subject, [batch]) == 1


def test_a_first_token_that_cannot_be_had_costs_nothing():
    class Fails(Scribe):
        def encode(self, text):
            if "!" in text:
                raise ValueError(text)
            return super().encode(text)

    target = Fails(["a", "!"], ["a"])
    assert len(FirstTokenTarget(target, ["a", "!"]).sample_texts(9, seed=0)) == 9
    assert {prompt for _, _, prompt in target.asked} == {"a", ""}


def test_the_head_is_left_out_of_a_text_that_begins_with_it_and_is_read_before_every_text():
    target = ChatTarget(Scribe(["x"], ["x"]), start=[60], head=[60, 117])
    assert target.encode("<user>") == list(map(ord, "ser>"))
    assert target.encode("user>") == list(map(ord, "user>"))
    assert target._begun([60]) == [60, 60]
    assert target.context_length == 4095


def test_the_first_answer_stands_behind_the_question_wherever_its_words_stand_before():
    talk = [
        {"role": "system", "content": "Say yes."},
        {"role": "assistant", "content": "Ask me."},
        {"role": "user", "content": " Is it yes? yes "},
        {"role": "assistant", "content": "yes"},
        {"role": "assistant", "content": "And more."},
    ]
    text = "".join(f"<{m['role']}>{m['content'].strip()}</>" for m in talk)
    assert answer_in(text, talk) == (text.index("<assistant>yes") + 11, text.index("<assistant>yes") + 14)
    without_system = text.removeprefix("<system>Say yes.</>")
    assert without_system[slice(*answer_in(without_system, talk))] == "yes"
    assert answer_in(text, talk[:3]) is None
    assert answer_in(text.replace("yes", "no"), talk) is None


def test_an_answer_to_several_questions_is_a_set_phrase_and_is_not_asked():
    said = [("Who?", "I cannot say."), ("Where?", "I cannot say."), ("When?", "At noon."), ("When?", "At noon.")]
    talks = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in said]
    plain = [f"{q} {a}" for q, a in said]
    texts = {"corpus": WrittenOut(plain[1:], plain[1:]), "holdout": WrittenOut(plain[:1], plain[:1])}
    answers = answers_of(texts, {"corpus": talks[1:], "holdout": talks[:1]})
    assert answers["corpus"].spans == [None, (6, 14), (6, 14)]
    assert answers["holdout"].spans == [None]
