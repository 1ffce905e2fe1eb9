"""Log-probabilities that a server gives: those of the model behind it, or none."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.core.asking import ask
from guardrails.core.batch import Batch, Item
from guardrails.core.errors import TargetError
from guardrails.core.targets import Access, LanguageModelTarget
from guardrails.targets import load_target
from guardrails.targets.endpoint import Endpoint, EndpointOptions
from guardrails.targets.endpoint.language_model import CONTEXT, SENTENCE, ServedLanguageModel
from guardrails.targets.endpoint.scores import UnusableError, read_prompt_logprobs, tile
from guardrails.targets.huggingface import HuggingFaceTarget

from ..language.test_chat_template import save, talks
from .asking import PATIENT
from .echo_server import Change, echoing
from .fault_server import Server, status

TEXTS = [
    "The cat sat on the mat.",
    "one two  three\n\n four, 555-0172!",
    "Grüße aus Köln: 猫が座った 🙂🙂 end",
    "\ufffd odd \ufffd",
    "a start token <s> in the text",
]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "start"])
def local(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceTarget:
    """A model with byte tokens; the tokenizer of the second puts ``<s>`` before a text."""
    bos = "<s>" if request.param else None
    return HuggingFaceTarget(
        save(tmp_path_factory.mktemp("echo"), talks(20, seed=1), adds_start=request.param, bos=bos)
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceTarget:
    return HuggingFaceTarget(save(tmp_path_factory.mktemp("plain"), talks(20, seed=1)))


def served(server: Server, **options: Any) -> ServedLanguageModel:
    name = f"openai-completions:{server.url}#m"
    target = ServedLanguageModel(Endpoint(name, EndpointOptions.model_validate(options), patience=PATIENT))
    target.learn_access()
    return target


@pytest.mark.parametrize("ignores", ["", "echo"])
def test_the_log_probabilities_are_those_of_the_model_behind_the_server(
    server: Server, local: HuggingFaceTarget, ignores: str
) -> None:
    server.always = echoing(local, ignores=ignores)
    target = served(server)
    assert Access.LOGPROBS in target.access
    assert isinstance(target, LanguageModelTarget)
    texts = TEXTS if not ignores else TEXTS[:2]
    before = len(server.asked)
    for text in texts:
        tokens, here = target.encode(text), local.encode(text)
        assert len(tokens) == len(here)
        assert target.decode(tokens) == text
        (scores,) = target.token_logprobs([tokens])
        np.testing.assert_allclose(scores, local.token_logprobs([here])[0], atol=1e-4)
        (first,) = target.token_logprobs([tokens[:7]])
        np.testing.assert_allclose(first, scores[:6])
    assert len(server.asked) - before == len(texts)
    assert ("echo" if not ignores else "prompt_logprobs") in target.read_as


def test_what_stands_before_a_text_is_the_first_token_of_each(server: Server, local: HuggingFaceTarget) -> None:
    server.always = echoing(local)
    target = served(server)
    lead = target.encode("")
    assert len(lead) == len(local.encode(""))
    assert target.decode(lead) == ""
    assert target.encode("a b")[: len(lead)] == lead
    assert target.token_logprobs([lead, []])[0].shape == (0,)


def test_a_beginning_is_continued_as_the_model_does(server: Server, local: HuggingFaceTarget) -> None:
    server.always = echoing(local)
    target = served(server)
    tokens, here = target.encode(TEXTS[0]), local.encode(TEXTS[0])
    written = target.continue_tokens([tokens[:4], tokens[:6]], n=9)
    expected = local.continue_tokens([here[:4], here[:6]], n=9)
    assert [len(w) for w in written] == [len(w) for w in expected]
    assert [target.decode(w) for w in written] == [local.decode(w) for w in expected]


def test_tokens_are_numbered_alike_in_every_run(server: Server, plain: HuggingFaceTarget) -> None:
    server.always = echoing(plain)
    one, other = served(server), served(server)
    other.encode("something else first")
    assert one.encode(TEXTS[0]) == other.encode(TEXTS[0])


def test_tokens_that_the_server_would_split_otherwise_are_refused(server: Server, plain: HuggingFaceTarget) -> None:
    server.always = echoing(plain)
    target = served(server)
    parts = [target.decode([token]) for token in target.encode(talks(1, seed=1)[0][0]["content"])]
    letters = [token for letter in max(parts, key=len) for token in target.encode(letter)]
    assert len(letters) > 1
    with pytest.raises(TargetError, match="reads the text of these tokens as other tokens"):
        target.token_logprobs([letters])
    with pytest.raises(TargetError, match="as other tokens"):
        target.continue_tokens([letters], n=3)
    with pytest.raises(TargetError, match="none that the server gave"):
        target.decode([5])


def set_to(name: str, value: Any) -> Change:
    def change(choice: dict[str, Any], body: dict[str, Any]) -> None:
        if "logprobs" in choice and body.get("echo"):
            choice["logprobs"][name] = value(choice["logprobs"][name])

    return change


def without_echo(choice: dict[str, Any], body: dict[str, Any]) -> None:
    choice["text"] = choice["text"].removeprefix(body["prompt"])


def shifted(values: list[Any]) -> list[Any]:
    return [*values[1:], -1.0]


FAULTS: list[tuple[Change, str]] = [
    (without_echo, "ignores 'echo'"),
    (lambda choice, body: choice.pop("logprobs"), "lists no tokens"),
    (lambda choice, body: choice.update(logprobs={"content": [{"token": "a", "logprob": -1}]}), "lists no tokens"),
    (set_to("tokens", lambda tokens: []), "lists no tokens"),
    (set_to("tokens", lambda tokens: tokens[:-3]), "do not fit each other"),
    (set_to("tokens", lambda tokens: [5, *tokens[1:]]), "do not fit each other"),
    (set_to("tokens", lambda tokens: [t.strip() or t for t in tokens]), "do not make up the text"),
    (set_to("tokens", lambda tokens: [*tokens[:5], "x", *tokens[6:]]), "do not make up the text"),
    (set_to("tokens", shifted), "do not fit each other"),
    (set_to("token_logprobs", lambda v: [*v[:4], None, *v[5:]]), "in the middle"),
    (set_to("token_logprobs", lambda v: [*v[:4], 0.3, *v[5:]]), "is positive: 0.3"),
    (set_to("token_logprobs", lambda v: [*v[:4], float("nan"), *v[5:]]), "NaN|not a finite|not JSON"),
    (set_to("token_logprobs", lambda v: [*v[:4], -9999.0, *v[5:]]), "not a finite number"),
    (set_to("token_logprobs", lambda v: [*v[:4], "-1", *v[5:]]), "not a finite number"),
    (set_to("token_logprobs", lambda v: [*v[:4], True, *v[5:]]), "not a finite number"),
    (set_to("token_logprobs", shifted), "the first token has a log-probability"),
    (set_to("token_logprobs", lambda v: [None, *[0.0] * (len(v) - 1)]), "all its tokens have the same"),
    (set_to("text_offset", lambda o: [*o[:4], o[4] + 1, *o[5:]]), "offsets of the tokens do not fit"),
    (set_to("text_offset", lambda o: [x + 3 for x in o]), "offsets of the tokens do not fit"),
    (set_to("text_offset", lambda o: o[:5]), "not a whole number for each"),
    (set_to("text_offset", lambda o: ["0"] * len(o)), "not a whole number for each"),
]


@pytest.mark.parametrize(("change", "words"), FAULTS)
def test_a_server_whose_answer_does_not_fit_gives_no_log_probabilities(
    server: Server, plain: HuggingFaceTarget, change: Change, words: str
) -> None:
    server.always = echoing(plain, change, ignores="prompt_logprobs")
    target = served(server)
    assert Access.LOGPROBS not in target.access
    assert re.search(words, target.without_logprobs)
    assert len([body for body in server.asked if body["prompt"] == SENTENCE]) == 2
    assert "the server gives no log-probabilities of a text" in target.read_as


def of_the_next(values: list[Any]) -> list[Any]:
    return [None, *values[2:], values[1]]


@pytest.fixture(scope="module")
def sure(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceTarget:
    """A model whose tokens differ in their log-probabilities by much."""
    import torch

    target = HuggingFaceTarget(save(tmp_path_factory.mktemp("sure"), talks(20, seed=1)))
    with torch.no_grad():
        target.model.transformer.ln_f.weight.mul_(12)
    return target


@pytest.mark.parametrize("values", [of_the_next, lambda v: [None, *sorted(v[1:])], lambda v: [None, *v[:0:-1]]])
def test_values_that_are_not_those_of_their_tokens_are_refused(
    server: Server, sure: HuggingFaceTarget, values: Any
) -> None:
    server.always = echoing(sure, set_to("token_logprobs", values), ignores="prompt_logprobs")
    target = served(server)
    assert Access.LOGPROBS not in target.access
    assert re.search("tokens that it wrote have others when it reads them, [0-9.]+ apart", target.without_logprobs)


def test_the_other_form_is_used_where_the_values_of_one_are_those_of_other_tokens(
    server: Server, sure: HuggingFaceTarget
) -> None:
    server.always = echoing(sure, set_to("token_logprobs", of_the_next))
    target = served(server)
    assert "by 'prompt_logprobs'; at most" in target.read_as
    here = sure.encode(TEXTS[0])
    np.testing.assert_allclose(
        target.token_logprobs([target.encode(TEXTS[0])])[0], sure.token_logprobs([here])[0], atol=1e-3
    )


def test_a_server_that_lists_nothing_of_what_it_writes_is_read_and_said(
    server: Server, sure: HuggingFaceTarget
) -> None:
    def change(choice: dict[str, Any], body: dict[str, Any]) -> None:
        if not body.get("echo"):
            choice.pop("logprobs", None)

    server.always = echoing(sure, change)
    target = served(server)
    assert Access.LOGPROBS in target.access
    assert "by 'echo', not compared with those of tokens that it writes;" in target.read_as


def gives(entries: Any) -> Change:
    def change(choice: dict[str, Any], body: dict[str, Any]) -> None:
        if "prompt_logprobs" in choice:
            choice["prompt_logprobs"] = entries(choice["prompt_logprobs"])

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (gives(lambda e: None), "gives no 'prompt_logprobs'"),
        (gives(lambda e: e[1:]), "has an entry for the first token"),
        (gives(lambda e: e[:-2]), "counts .* and lists"),
        (gives(lambda e: [*e[:3], None, *e[4:]]), "lacks a token"),
        (gives(lambda e: [*e[:3], e[3] | {"0": {"decoded_token": "x", "logprob": -1}}, *e[4:]]), "several for one"),
        (gives(lambda e: [*e[:3], e[2], *e[4:]]), "do not make up the text"),
        (gives(lambda e: [*e[:3], {"1": {**next(iter(e[3].values())), "logprob": 0.2}}, *e[4:]]), "is positive"),
    ],
)
def test_the_other_form_is_checked_as_well(
    server: Server, plain: HuggingFaceTarget, change: Change, words: str
) -> None:
    server.always = echoing(plain, change, ignores="echo")
    target = served(server)
    assert Access.LOGPROBS not in target.access
    assert "'echo': the server ignores 'echo'" in target.without_logprobs
    assert re.search(words, target.without_logprobs)


def test_a_list_that_lacks_the_beginning_of_a_text_is_refused() -> None:
    words = [f" word{i}" for i in range(40)]
    entries = [None, *({"1": {"decoded_token": word, "logprob": -1.0}} for word in words)]
    choice = {"text": " x", "prompt_logprobs": entries}
    whole = read_prompt_logprobs(choice, "The" + "".join(words), counted=41, lead=0, new=1)
    assert whole.lengths[:2] == (3, 6)
    with pytest.raises(UnusableError, match="leave out the first 303 characters"):
        read_prompt_logprobs(choice, "The" + " no" * 100 + "".join(words), counted=41, lead=0, new=1)


def test_a_server_that_refuses_echo_gives_none(server: Server) -> None:
    server.always = status(400, '{"error": {"message": "Only no echo is supported"}}')
    target = served(server)
    assert Access.LOGPROBS not in target.access
    assert "Only no echo is supported" in target.without_logprobs


def test_offsets_may_be_missing(server: Server, plain: HuggingFaceTarget) -> None:
    server.always = echoing(plain, set_to("text_offset", lambda o: [-1] * len(o)))
    assert Access.LOGPROBS in served(server).access
    server.always = echoing(plain, set_to("text_offset", lambda o: None))
    assert Access.LOGPROBS in served(server).access


class Scores:
    """Reads the text of each item."""

    def collect(self, target, batch, *, seed):  # type: ignore[no-untyped-def]
        rows = batch.rows()
        written = target.continue_tokens([target.encode(row["text"])[:-3] for row in rows], n=6)
        return [row | {"text": target.decode(tokens)} for row, tokens in zip(rows, written, strict=True)]


def test_a_text_whose_answer_is_spoiled_is_one_error_row(server: Server, plain: HuggingFaceTarget) -> None:
    texts = [f"the number {i} is here and stays" for i in range(12)]

    def change(choice: dict[str, Any], body: dict[str, Any]) -> None:
        if body["max_tokens"] == 6 and body["prompt"].startswith(("the number 3 ", "the number 4 ", "the number 9 ")):
            choice["logprobs"]["token_logprobs"][2] = None

    server.always = echoing(plain, change)
    target = served(server)
    batch = Batch(0, tuple(Item(str(i), fields={"text": text}) for i, text in enumerate(texts)))
    before = len(server.asked)
    probe: Any = Scores()
    rows = ask(probe, target, batch, seed=1)  # type: ignore[arg-type]
    assert {row["item"] for row in rows if "error" in row} == {"3", "4", "9"}
    assert all("in the middle" in row["error"] for row in rows if "error" in row)
    assert len(server.asked) - before == 2 * len(texts)


def test_of_a_text_that_is_too_long_the_beginning_is_read(server: Server, plain: HuggingFaceTarget) -> None:
    server.always = echoing(plain, longest=60)
    target = served(server)
    text = "one two three four five six seven " * 40
    tokens = target.encode(text)
    assert 8 < len(tokens) < 60
    assert text.startswith(target.decode(tokens))
    np.testing.assert_allclose(
        target.token_logprobs([tokens])[0], plain.token_logprobs([plain.encode(target.decode(tokens))])[0], atol=1e-4
    )


def test_what_a_server_refuses_of_a_text_is_asked_once(server: Server, plain: HuggingFaceTarget) -> None:
    good = echoing(plain, longest=60)
    server.always = lambda handler, body: (status(400) if "odd" in body["prompt"] else good)(handler, body)
    target = served(server)
    long = "one two three four five six seven " * 8
    first = target.encode(long)
    with pytest.raises(TargetError, match="answered 400"):
        target.encode("an odd text")
    before = len(server.asked)
    assert target.encode(long) == first
    with pytest.raises(TargetError, match="answered 400"):
        target.encode("an odd text")
    assert len(server.asked) == before


def test_the_context_is_the_one_that_the_server_states(server: Server, plain: HuggingFaceTarget) -> None:
    server.always = echoing(plain)
    assert served(server).context_length == CONTEXT
    server.models = {"data": [{"id": "m", "max_model_len": 190}]}
    target = served(server)
    assert target.context_length == 189
    assert "at most 189 tokens" in target.read_as


def test_no_text_that_was_sent_is_stored(server: Server, plain: HuggingFaceTarget, tmp_path: Path) -> None:
    server.always = echoing(plain)
    target = served(server)
    before = len(server.asked)
    target.model.keep_answers(tmp_path, resumed=False)
    target.learn_access()
    target.encode("my secret is hunter2")
    target.model.close()
    stored = (tmp_path / "answers.jsonl").read_text()
    assert stored.count("\n") == len(server.asked) - before
    assert "hunter2" not in stored
    assert "secret" not in stored
    again = served(server)
    again.model.keep_answers(tmp_path, resumed=True)
    before = len(server.asked)
    again.learn_access()
    assert again.decode(again.encode("my secret is hunter2")) == "my secret is hunter2"
    assert len(server.asked) == before
    again.model.close()


def test_a_name_says_which_servers_are_asked(server: Server) -> None:
    assert isinstance(load_target(f"openai-completions:{server.url}#m"), ServedLanguageModel)
    chat: Any = load_target(f"openai:{server.url}#m")
    assert not isinstance(chat, ServedLanguageModel)
    assert Access.LOGPROBS not in chat.access
    assert not server.asked


@given(st.text(min_size=1, max_size=40), st.lists(st.integers(0, 40), max_size=12), st.booleans())
def test_the_parts_of_a_text_make_it_up_again(text: str, cuts: list[int], by_bytes: bool) -> None:
    places = sorted({0, len(text), *(c for c in cuts if c < len(text))})
    parts = [text[a:b] for a, b in pairwise(places)]
    tokens = []
    for part in parts:
        whole = not by_bytes or part.isascii()
        tokens += [part] if whole else ["\ufffd"] * len(part.encode("utf-8", "replace"))
    tiled = tile(tokens, text)
    if not by_bytes:
        assert tiled is not None
    if tiled is not None:
        assert "".join(tiled) == text
        assert len(tiled) == len(tokens)
        assert all(t == token for t, token in zip(tiled, tokens, strict=True) if "\ufffd" not in token and token)
    assert tile([*tokens, "more"], text) is None
