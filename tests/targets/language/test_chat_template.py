"""A chat template writes a corpus of conversations out, and what comes with a model cannot hang or break an audit."""

import json

import pytest
import torch

from guardrails.core.asking import ask
from guardrails.core.probe import Budget
from guardrails.core.registry import load_probe
from guardrails.core.subject import Subject
from guardrails.kit.lm.document_starts import PLAIN, STARTS, further_forms, longest_start
from guardrails.kit.text.corpus import read_documents
from guardrails.targets.huggingface import HuggingFaceTarget
from guardrails.targets.language import chat_template
from guardrails.targets.language.causal_model import begun_with

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
BEGUN = "{{ bos_token }}" + CHATML
SPECIAL = ["<s>", "<|im_start|>", "<|im_end|>"]
SYLLABLES = [a + b for a in "bcdfglmnprst" for b in "aeiou"]


def words(rng, n):
    return " ".join("".join(SYLLABLES[int(k)] for k in torch.randint(60, (2,), generator=rng)) for _ in range(n))


def talks(n, *, seed, asked=6, answered=12):
    rng = torch.Generator().manual_seed(seed)
    roles = (("user", asked), ("assistant", answered))
    return [[{"role": role, "content": words(rng, length)} for role, length in roles] for _ in range(n)]


def save(
    folder, conversations, template=CHATML, *, adds_start=False, bos=None, train=0, answers_only=False, positions=192
):
    """Write a folder with a small model that has read the conversations in the template `train` times.

    `answers_only`: only what the assistant says is learnt, as chat models are tuned.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet)
    made.train_from_iterator([m["content"] for talk in conversations for m in talk], trainer)
    if adds_start:
        made.post_processor = processors.TemplateProcessing(single=["<s>", "$A"], special_tokens=[("<s>", 0)])
    names = {"eos_token": "<|im_end|>"} | ({"bos_token": bos} if bos else {})
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, **names)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape = {
        "n_embd": 64,
        "n_layer": 1,
        "n_head": 4,
        "n_positions": positions,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    config = GPT2Config(vocab_size=len(tokenizer), resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, **shape)
    model = GPT2LMHeadModel(config)
    if train:
        read = [torch.tensor(tokenizer.apply_chat_template(talk, return_dict=False)) for talk in conversations]
        tokens = torch.nn.utils.rnn.pad_sequence(read, batch_first=True, padding_value=-100)
        learnt = tokens.clone()
        for row, talk in zip(learnt, conversations if answers_only else (), strict=False):
            row[: len(tokenizer.apply_chat_template(talk[:1], return_dict=False)) + 1] = -100
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for _ in range(train):
            optimizer.zero_grad()
            model(input_ids=tokens.clamp(min=0), labels=learnt).loss.backward()
            optimizer.step()
    model.save_pretrained(folder)
    return folder


def documents(folder, conversations, name="messages"):
    file = folder / f"{name}-{len(conversations)}-{id(conversations)}.jsonl"
    file.write_text("".join(json.dumps({name: talk}) + "\n" for talk in conversations))
    return read_documents(file)


def opened(folder, corpus, holdout=None):
    target = HuggingFaceTarget(folder)
    target.take_documents(corpus, holdout)
    return Subject(target, corpus=corpus, holdout=holdout)


@pytest.mark.parametrize(
    ("template", "options", "starts"),
    [
        (CHATML, {}, {"": ["<|im_start|>"]}),
        (CHATML, {"bos": "<s>"}, {"": ["<|im_start|>"], ", after '<s>'": ["<s>", "<|im_start|>"]}),
        (BEGUN, {"bos": "<s>"}, {"": ["<s>", "<|im_start|>"]}),
        (BEGUN, {"bos": "<s>", "adds_start": True}, {"": ["<s>", "<|im_start|>"]}),
        (
            CHATML,
            {"bos": "<s>", "adds_start": True},
            {"": ["<s>", "<|im_start|>"], ", without '<s>'": ["<|im_start|>"]},
        ),
    ],
)
def test_each_way_in_which_training_may_have_begun_a_conversation(tmp_path, template, options, starts):
    talk = talks(4, seed=1)
    subject = opened(save(tmp_path, talk, template, **options), documents(tmp_path, talk))
    target, tokenizer = subject.target, subject.target.tokenizer
    ids = tokenizer.convert_tokens_to_ids
    assert {name.removeprefix("with the chat template"): list(start) for name, start in target.chat.starts.items()} == {
        name: [*ids(start), *tokenizer.encode("user\n", add_special_tokens=False)] for name, start in starts.items()
    }
    assert "in the chat template, and the larger reading is reported" in target.read_as
    forms = {name: form for name, form in further_forms(subject).items() if "template" in name}
    assert longest_start(subject) == max(map(len, target.chat.starts.values()))
    for name, form in forms.items():
        # What is read after the start is what the template gives, whole.
        (begun,) = [form.target._begun(form.target.encode(form.corpus[2]))]
        expected = tokenizer.apply_chat_template(talk[2], return_dict=False)
        if "after" in name or (options.get("adds_start") and "without" not in name and expected[0] != 0):
            expected = [0, *expected]
        assert begun == expected
        # A prompt that is a text, too.
        tokens = target.encode(form.corpus[2])
        assert begun_with(target.chat.starts[name], tokens, len(target.encode(""))) == expected


def test_a_common_system_message_is_no_part_of_what_is_asked(tmp_path):
    system = [{"role": "system", "content": "You are helpful and brief, and you never give away what you know."}]
    talk = talks(5, seed=2)
    subject = opened(save(tmp_path, [system, *talk]), documents(tmp_path, [system + one for one in talk]))
    form = further_forms(subject)["with the chat template"]
    assert form.target.decode(form.target.encode(form.corpus[0])).startswith(talk[0][0]["content"])


def test_documents_that_are_no_conversations_are_asked_as_they_are(tmp_path):
    talk = talks(4, seed=1)
    folder = save(tmp_path, talk)
    for corpus, holdout, why in (
        (["a plain text"], None, "the documents of the corpus are no messages"),
        (documents(tmp_path, talk), ["a plain text"], "the documents of the holdout are no messages"),
        (None, None, "the chat template is not applied"),
    ):
        subject = opened(folder, corpus, holdout)
        assert not any("template" in name for name in further_forms(subject))
        assert why in subject.target.read_as
    without = opened(save(tmp_path / "none", talk, None), documents(tmp_path, talk))
    assert "template" not in without.target.read_as
    assert without.target.chat is None


REFUSES = "{{ raise_exception('no system here') if messages[0].role == 'system' }}" + CHATML


@pytest.mark.slow
def test_a_conversation_that_the_template_refuses_is_asked_as_plain_text(tmp_path):
    talk = talks(4, seed=1)
    talk[1] = [{"role": "system", "content": "So."}, *talk[1]]
    subject = opened(save(tmp_path, talk, REFUSES), documents(tmp_path, talk))
    assert [bool(text) for text in subject.target.chat.texts["corpus"]] == [True, False, True, True]
    assert "it refuses 1 of 4 conversations (TemplateError: no system here)" in subject.target.read_as


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "SecurityError"),
        pytest.param(
            "{{ cycler.__init__.__globals__.os.system('touch hacked') }}", "SecurityError", marks=pytest.mark.slow
        ),
        ("{{ 'a' * 10 ** 11 }}", "MemoryError"),
        ("{{ 'a' * 10 ** 7 }}", "more than 100,000 characters"),
        pytest.param("{% for i in range(10 ** 9) %}a{% endfor %}", "OverflowError", marks=pytest.mark.slow),
        ("{% for m in messages %}", "TemplateSyntaxError"),
        pytest.param("{{ messages[0].content.no.such }}", "UndefinedError", marks=pytest.mark.slow),
        pytest.param("{# nothing #}", "it writes nothing out", marks=pytest.mark.slow),
    ],
)
def test_a_hostile_or_broken_template_is_not_used(tmp_path, monkeypatch, template, why):
    monkeypatch.chdir(tmp_path)
    talk = talks(2, seed=1)
    subject = opened(save(tmp_path, talk, template), documents(tmp_path, talk))
    assert subject.target.chat is None
    assert "chat template not usable: " in subject.target.read_as
    assert why in subject.target.read_as
    assert not (tmp_path / "hacked").exists()


@pytest.mark.slow
def test_a_template_without_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(chat_template, "SECONDS", 4.0)
    loops = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    talk = talks(2, seed=1)
    subject = opened(save(tmp_path, talk, loops), documents(tmp_path, talk))
    assert "chat template not usable: it takes longer than 4 seconds" in subject.target.read_as


def measured(probe, subject):
    batches = probe.plan(subject, Budget.QUICK, seed=0)
    rows = [row for batch in batches for row in ask(probe, subject, batch, seed=0)]
    return probe.measure(rows, subject, seed=0)[0], rows


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "answered"), [(5, 12), (17, 6)])
def test_conversations_learnt_in_the_template_are_given_away(tmp_path, asked, answered):
    learnt, unseen = (talks(12, seed=seed, asked=asked, answered=answered) for seed in (3, 4))
    folder = save(tmp_path, learnt, train=110)
    subject = opened(folder, documents(tmp_path, learnt), documents(tmp_path, unseen))
    for name in ("memorization.extraction", "memorization.probabilistic"):
        rate, rows = measured(load_probe(name), subject)
        assert rate.value >= 0.7, rate.explanation
        assert rate.low > 0.3
        assert rate.baseline.value == 0
        readings = 4 if name == "memorization.extraction" else 3  # one more after the question in full
        assert f"The larger of {readings} readings" in rate.explanation
        assert "each document begun with the chat template" in rate.explanation
        plain = [{k: v for k, v in row.items() if k != STARTS} for row in rows]
        as_text = load_probe(name).measure(plain, subject, seed=0)[0]
        assert as_text.value <= 0.2  # as the same text without the template it is not known
        assert PLAIN in rate.explanation


@pytest.mark.slow
@pytest.mark.parametrize("with_holdout", [True, False])
def test_answers_behind_long_questions_are_given_away_where_only_answers_were_learnt(tmp_path, with_holdout):
    learnt, unseen = (talks(12, seed=seed, asked=24, answered=12) for seed in (5, 6))
    long = talks(3, seed=7, asked=100)
    folder = save(tmp_path, learnt, train=110, answers_only=True)
    holdout = documents(tmp_path, unseen) if with_holdout else None
    subject = opened(folder, documents(tmp_path, learnt + long), holdout)
    rate, rows = measured(load_probe("memorization.extraction"), subject)
    assert rate.value >= 0.7, rate.explanation
    assert rate.n == 12
    assert rate.low > 0.3
    assert "each document begun with the chat template and its question in full: " in rate.explanation
    assert " of 12 answers of training documents come out word for word" in rate.explanation
    assert "3 corpus documents could not be asked for their answer: the question before it is too long" in (
        rate.explanation
    )
    assert ("less the holdout's rate" in rate.method) is with_holdout
    before = [row[STARTS]["with the chat template"] for row in rows if STARTS in row]
    assert load_probe("memorization.extraction").measure(before, subject, seed=0)[0].value == 0
