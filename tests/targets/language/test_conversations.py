"""A model with a chat template answers conversations as `transformers` does, each by itself."""

import pytest
import torch

from guardrails.core.conversations import Decoding, Usage
from guardrails.core.seeding import derive_seed
from guardrails.core.targets import Access
from guardrails.kit.lm import scoring
from guardrails.targets import load_target
from guardrails.targets.huggingface import HuggingFaceTarget
from guardrails.targets.language import chat_template

from .test_chat_template import BEGUN, CHATML, REFUSES, save, talks

ANSWERS = CHATML + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
DROPS = ANSWERS.replace("in messages", "in messages if m.role != 'system'")
REASONS = ANSWERS.replace("m.content", "m.content.split('</think>')[-1]")


def user(text):
    return [{"role": "user", "content": text}]


def turns():
    """Return conversations of one, three and five turns, with and without a system message."""
    (first,), (second,), (third,) = (talks(1, seed=seed, asked=2, answered=2) for seed in (1, 2, 3))
    system = [{"role": "system", "content": "Be brief."}]
    return [first[:1], [*first, second[0]], [*system, *first, *second, third[0]], [*system, third[0]], user("")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(tmp_path_factory.mktemp("chat"), talks(6, seed=1), ANSWERS, train=15)


@pytest.fixture(scope="module")
def model(folder):
    return HuggingFaceTarget(folder)


def test_greedy_answers_are_those_of_transformers(model):
    tokenizer, network = model.tokenizer, model.model
    for conversation, reply in zip(turns(), model.reply(turns(), Decoding(24, 0.0), 1), strict=True):
        prompt = tokenizer.apply_chat_template(
            conversation, add_generation_prompt=True, return_tensors="pt", return_dict=False
        )
        with torch.inference_mode():
            whole = network.generate(
                prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=24, do_sample=False, pad_token_id=0,
                eos_token_id=tokenizer.eos_token_id,
            )  # fmt: skip
        written = whole[0, prompt.shape[1] :].tolist()
        ended = written[-1] == tokenizer.eos_token_id
        tokens = written[:-1] if ended else written
        assert reply.text == tokenizer.decode(tokens, skip_special_tokens=True)
        assert reply.finish == ("stop" if ended else "length")
        assert reply.usage == Usage(prompt.shape[1], len(tokens))
        assert reply.error is None


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_each_conversation_is_answered_as_if_it_were_alone(model, temperature):
    decoding, same = Decoding(10, temperature), [user("one")] * 6
    together = model.reply([*turns(), *same], decoding, 7)
    # At the place of one, another conversation, also one that fails, changes nothing for the others.
    replaced = model.reply([user("word " * 500), *turns()[1:3]], decoding, 7)
    assert replaced[0].finish == "error"
    assert replaced[1:] == together[1:3]
    texts = {reply.text for reply in together[-6:]}
    assert len(texts) == 1 if temperature == 0 else len(texts) > 3
    assert all((r.finish == "length") == (r.usage.completion_tokens == 10) for r in together)


def test_a_seed_for_each_prefix_is_all_that_counts(model):
    prefixes = [model.encode(text) for text in ("one", "two words", "three of them")]
    together = scoring.sample(model.model, prefixes, 8, seed=[derive_seed(5, i) for i in range(3)])
    alone = [scoring.sample(model.model, [prefix], 8, seed=[derive_seed(5, i)])[0] for i, prefix in enumerate(prefixes)]
    assert together == alone
    assert scoring.sample(model.model, [], 8, seed=[]) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "why"),
    [
        (REFUSES, "the chat template refuses this conversation: TemplateError: no system here"),
        (DROPS, "the chat template leaves out a message of the role 'system'"),
    ],
)
def test_a_system_message_that_the_template_does_not_take_is_one_error(tmp_path, template, why):
    model = HuggingFaceTarget(save(tmp_path, talks(2, seed=1), template))
    repeated = [{"role": "system", "content": "Be brief."}, *user("What is 'Be brief.' in French?")]
    replies = model.reply([*turns()[:4], repeated], Decoding(4), 1)
    assert [reply.error for reply in replies] == [None, None, why, why, why]
    assert [reply.finish == "error" for reply in replies] == [False, False, True, True, True]


@pytest.mark.slow
@pytest.mark.slow
def test_a_template_that_drops_one_of_two_equal_messages_is_an_error(tmp_path):
    last = ANSWERS.replace("in messages", "in messages[-1:]")
    model = HuggingFaceTarget(save(tmp_path, talks(6, seed=1), last))
    talk = [*user("Why so?"), {"role": "assistant", "content": "So."}, *user("Why so?")]
    twice, once = model.reply([talk, user("Why so?")], Decoding(4), 1)
    assert twice.error == "the chat template leaves out a message of the role 'user'"
    assert once.error is None


def test_a_conversation_without_text_is_an_error_of_its_own(model):
    bad = [
        [],
        [{}],
        [{"role": "user"}],
        [{"content": "a"}],
        user(None),
        user(["a"]),
        user([{"type": "text", "text": "a"}]),
    ]
    *errors, answer = model.reply([*bad, user("Why?")], Decoding(4), 1)
    assert [reply.error for reply in errors] == [
        "the conversation holds no message",
        *["a message has no role or no text"] * 6,
    ]
    assert {reply.finish for reply in errors} == {"error"}
    assert answer.error is None


def test_a_template_may_drop_the_reasoning_of_earlier_answers(tmp_path):
    model = HuggingFaceTarget(save(tmp_path, talks(2, seed=1), REASONS))
    talk = [*user("one"), {"role": "assistant", "content": "<think>so</think>two"}, *user("three")]
    (reply,) = model.reply([talk], Decoding(4), 1)
    assert reply.error is None


@pytest.mark.slow
def test_a_start_token_is_not_written_twice(tmp_path):
    begun = BEGUN + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    model = HuggingFaceTarget(save(tmp_path, talks(2, seed=1), begun, bos="<s>", adds_start=True))
    (reply,) = model.reply([user("one")], Decoding(1), 1)
    expected = model.tokenizer.apply_chat_template(user("one"), add_generation_prompt=True, return_dict=False)
    assert reply.usage.prompt_tokens == len(expected)


@pytest.mark.slow
def test_what_does_not_fit_is_refused_and_never_cut(model):
    asked = [user("one " * 50), user("one"), user("a\ud800")]
    long, short, broken = model.reply(asked, Decoding(150), 1)
    assert (long.finish, broken.finish) == ("error", "error")
    assert "with 150 of an answer it does not fit into the model's context of 192" in long.error
    assert short.error is None
    assert broken.error.startswith("the text cannot be")
    assert model.reply([], Decoding(4), 1) == []


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "SecurityError"),
        pytest.param("{{ 'a' * 10 ** 11 }}", "MemoryError", marks=pytest.mark.slow),
        pytest.param("{{ messages[0].content * 10 ** 7 }}", "more than 100,000 characters", marks=pytest.mark.slow),
        pytest.param("{# nothing #}", "leaves out a message of the role 'user'", marks=pytest.mark.slow),
    ],
)
def test_a_hostile_or_broken_template_is_an_error_of_each_conversation(tmp_path, template, why):
    model = HuggingFaceTarget(save(tmp_path, talks(2, seed=1), template))
    replies = model.reply([user("one"), user("two")], Decoding(4), 1)
    assert all(reply.finish == "error" and why in reply.error for reply in replies), replies


@pytest.mark.slow
def test_a_template_without_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(chat_template, "SECONDS", 4.0)
    loops = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    model = HuggingFaceTarget(save(tmp_path, talks(2, seed=1), loops))
    assert "it takes longer than 4 seconds" in model.reply([user("one")], Decoding(4), 1)[0].error


def test_access_says_whether_there_is_a_template(model, tmp_path):
    assert Access.CONVERSATIONS in model.access
    plain = HuggingFaceTarget(save(tmp_path, talks(2, seed=1), None))
    assert Access.CONVERSATIONS not in plain.access
    (reply,) = plain.reply([user("one")], Decoding(4), 1)
    assert reply.error == "the chat template cannot be used: there is none"


@pytest.mark.slow
def test_text_probes_ask_it_through_the_adapter_of_endpoints(model, folder):
    target = load_target(f"chat:hf:{folder}")
    assert target.name == f"chat:hf:{folder}"
    assert target.identity() == model.identity()
    assert "in the model's chat template" in target.read_as
    prompts = ["one", "two"]
    replies = model.reply([user(prompt) for prompt in prompts], Decoding(6, 0.5), 3)
    assert target.generate(prompts, max_new_tokens=6, temperature=0.5, seed=3) == [reply.text for reply in replies]
