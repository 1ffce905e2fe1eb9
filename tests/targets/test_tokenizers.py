"""What stands around a text: tokenizers of several kinds, and what each puts before and after."""

import json

import pytest
import torch

from guardrails.core.asking import ask
from guardrails.core.batch import Arm, Batch, Item
from guardrails.core.errors import TargetError
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject
from guardrails.kit.lm.document_starts import StartedTarget
from guardrails.memorization.extraction import VerbatimExtraction
from guardrails.targets import read_as
from guardrails.targets.huggingface import HuggingFaceTarget

TEXT = ["the cat sat on the mat", "a dog ran to the house", "nine small birds flew over a red barn", "x y z 0 1 2"]
SPECIAL = ["<unk>", "<s>", "</s>", "[CLS]", "[SEP]"]
AROUND = {
    "nothing": ([], []),
    "start": (["<s>"], []),
    "end": ([], ["</s>"]),
    "both": (["<s>"], ["</s>"]),
    "classifier": (["[CLS]"], ["[SEP]"]),
    "twice": (["<s>", "[CLS]"], ["[SEP]", "</s>"]),
}


def backend(kind):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    if kind == "words":
        made = Tokenizer(models.WordLevel(unk_token="<unk>"))
        made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        trainer = trainers.WordLevelTrainer(special_tokens=SPECIAL)
    elif kind == "characters":
        made = Tokenizer(models.BPE(unk_token="<unk>"))
        made.decoder = decoders.Fuse()
        trainer = trainers.BpeTrainer(vocab_size=1, special_tokens=SPECIAL)
    elif kind == "bytes":
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=SPECIAL, initial_alphabet=alphabet)
    else:
        made = Tokenizer(models.Unigram())
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=60, special_tokens=SPECIAL, unk_token="<unk>")
    made.train_from_iterator(TEXT, trainer)
    return made


def save(folder, kind="words", around="nothing", rows=None, **options):
    """Write a folder with a random model and a tokenizer; return it."""
    from tokenizers import processors
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    made, (before, behind) = backend(kind), AROUND[around]
    if before or behind:
        ids = [(token, made.token_to_id(token)) for token in {*before, *behind}]
        made.post_processor = processors.TemplateProcessing(single=[*before, "$A", *behind], special_tokens=ids)
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"} | options
    wrapped = PreTrainedTokenizerFast(tokenizer_object=made, **{k: v for k, v in names.items() if v})
    wrapped.save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 96}
    size = rows or len(wrapped)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=size, bos_token_id=None, eos_token_id=None, **shape))
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("kind", ["words", "characters", "bytes", "unigrams"])
def test_what_is_appended_is_taken_off_and_what_stands_before_is_there_once(tmp_path, kind, around):
    target = HuggingFaceTarget(save(tmp_path, kind, around))
    before, behind = AROUND[around]
    lead = target.tokenizer.convert_tokens_to_ids(before)
    for text in [*TEXT, "the", "the cat sat"]:
        tokens = target.encode(text)
        assert tokens == lead + target.tokenizer.encode(text, add_special_tokens=False)
        assert target.decode(tokens) == text
    assert target.encode("") == lead
    assert dict(target.starts) == ({} if before else {"after '<s>'": (target.tokenizer.bos_token_id,)})
    reading = read_as(target)
    assert all(f"'{token}'" in reading for token in [*before, *behind])
    assert ("which the tokenizer appends, is taken off" in reading) == bool(behind)
    assert ("and the larger reading is reported" in reading) == (not before)


def test_a_text_that_begins_with_the_start_token_gets_no_second_one(tmp_path):
    target = HuggingFaceTarget(save(tmp_path, around="start"))
    bos = target.tokenizer.bos_token_id
    assert target.encode("<s> the cat") == target.encode("the cat") == [bos, *target.encode("the cat")[1:]]


def test_a_text_of_unknown_words_is_no_text_that_the_model_can_know(tmp_path):
    target = HuggingFaceTarget(save(tmp_path))
    words = [f"word{i}" for i in range(20)]
    with pytest.raises(TargetError, match=r"20 of 20 tokens of the text are '<unk>'.*is it the one that the model"):
        target.encode(" ".join(words))
    assert len(target.encode(" ".join(words[:15]))) == 15
    assert len(target.encode(" ".join([*words[:10], *TEXT[0].split(), *TEXT[1].split()]))) == 22


def test_documents_of_unknown_words_are_no_pass(tmp_path):
    probe, documents = VerbatimExtraction(), [" ".join(f"w{k}x{i}" for k in range(60)) for i in range(12)]
    subject = Subject(HuggingFaceTarget(save(tmp_path)), corpus=documents)
    rows = [row for batch in probe.plan(subject, Budget.QUICK, seed=0) for row in ask(probe, subject, batch, seed=0)]
    rate = probe.measure(rows, subject, seed=0)[0]
    assert rate.value is None
    assert rate.errors == sum("<unk>" in row["error"] for row in rows) > 10


def test_a_tokenizer_to_which_every_plain_word_is_the_start_token(tmp_path):
    target = HuggingFaceTarget(save(tmp_path, around="both", bos_token="<unk>"))
    assert target.encode("zebra quagga")[0] == target.tokenizer.convert_tokens_to_ids("<s>")
    assert len(target.encode("zebra quagga")) == 3


@pytest.mark.parametrize(
    ("names", "start"),
    [({}, "<s>"), ({"bos_token": None}, "</s>"), ({"bos_token": None, "eos_token": None}, None)],
)
def test_the_end_token_stands_between_documents_where_no_start_token_is_named(tmp_path, names, start):
    target = HuggingFaceTarget(save(tmp_path, **names))
    expected = {} if start is None else {f"after '{start}'": (target.tokenizer.convert_tokens_to_ids(start),)}
    assert dict(target.starts) == expected
    assert target.start == (0 if start is None else target.tokenizer.convert_tokens_to_ids(start))


def test_the_start_token_of_the_configuration_counts_where_it_is_a_special_one(tmp_path):
    save(tmp_path, bos_token=None, eos_token=None, pad_token="[CLS]")
    config = json.loads((tmp_path / "config.json").read_text())
    numbers = HuggingFaceTarget(tmp_path).tokenizer.convert_tokens_to_ids
    for token, starts in (("[CLS]", {"after '[CLS]'": (numbers("[CLS]"),)}), ("cat", {})):
        (tmp_path / "config.json").write_text(json.dumps(config | {"bos_token_id": numbers(token)}))
        assert dict(HuggingFaceTarget(tmp_path).starts) == starts


def test_tokens_without_an_embedding_are_told_at_once_and_cost_one_row_each(tmp_path):
    save(tmp_path, additional_special_tokens=["<user>"], rows=len(backend("words").get_vocab()))
    target = HuggingFaceTarget(tmp_path)
    assert "no embedding for 1 of the tokenizer's tokens ('<user>')" in target.read_as
    with pytest.raises(TargetError, match="the text holds '<user>'"):
        target.encode("<user> the cat")
    documents = [f"{'<user> ' if i == 3 else ''}{TEXT[i % 4]} {TEXT[i // 4]} {TEXT[0]}" for i in range(12)]
    documents[7] += " \ud83d"
    subject = Subject(target=target, corpus=documents)
    items = tuple(Item(f"corpus:{i}:0", Arm.CORPUS, {"index": i, "start": 0}) for i in range(12))
    rows = ask(VerbatimExtraction(), subject, Batch(0, items, {"skip": 0, "prefix": 8, "suffix": 8}), seed=0)
    assert {row["item"] for row in rows} == {item.id for item in items}
    assert {row["item"]: row["error"] for row in rows if "error" in row} == {
        "corpus:3:0": f"the text holds '<user>', token {target.tokenizer.convert_tokens_to_ids('<user>')}; "
        f"the model has embeddings for {len(backend('words').get_vocab())}",
        "corpus:7:0": f"the text cannot be tokenized: character {len(documents[7]) - 1} is U+D83D, half of a "
        "surrogate pair",
    }


def test_a_start_token_without_an_embedding_is_refused_at_once(tmp_path):
    save(tmp_path, around="start", rows=1)
    with pytest.raises(TargetError, match="puts '<s>' before each text; the model has embeddings for 1 tokens"):
        HuggingFaceTarget(tmp_path)


def test_a_model_with_more_embeddings_than_tokens_is_read_as_usual(tmp_path):
    target = HuggingFaceTarget(save(tmp_path, rows=128))
    assert "embedding" not in target.read_as
    assert len(target.continue_tokens([target.encode("the cat")], n=4)[0]) == 4


def test_a_chat_template_is_not_applied_and_that_is_said(tmp_path):
    plain = HuggingFaceTarget(save(tmp_path / "a"))
    chat = HuggingFaceTarget(save(tmp_path / "b", chat_template="<s>{{ messages[0]['content'] }}"))
    assert "the chat template is not applied" in chat.read_as
    assert "chat" not in plain.read_as
    assert chat.encode("the cat") == plain.encode("the cat")


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
def test_weights_of_half_precision_are_computed_in_float32_and_that_is_said(tmp_path, stored):
    from transformers import GPT2LMHeadModel

    save(tmp_path)
    GPT2LMHeadModel.from_pretrained(tmp_path).to(stored).save_pretrained(tmp_path)
    target = HuggingFaceTarget(tmp_path)
    assert target.model.dtype is torch.float32
    assert f"weights of {str(stored).removeprefix('torch.')}, computed in float32" in target.read_as


def test_weights_in_several_files_with_a_tied_head(tmp_path):
    whole = HuggingFaceTarget(save(tmp_path / "whole"))
    sharded = tmp_path / "sharded"
    save(sharded)
    (sharded / "model.safetensors").unlink()
    whole.model.save_pretrained(sharded, max_shard_size="2KB")
    assert len(list(sharded.glob("*.safetensors"))) > 1
    target = HuggingFaceTarget(sharded)
    tokens = target.encode("the cat sat on")
    assert target.continue_tokens([tokens], n=9) == whole.continue_tokens([tokens], n=9)
    next(iter(sorted(sharded.glob("*.safetensors")))).unlink()
    with pytest.raises(TargetError) as caught:
        HuggingFaceTarget(sharded)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("start", [[], [1]])
def test_generation_after_a_start_is_the_continuation_of_its_tokens(tmp_path, start):
    target = HuggingFaceTarget(save(tmp_path, "bytes"))
    begun = StartedTarget(target, start) if start else target
    (text,) = begun.generate(["the cat"], max_new_tokens=5, temperature=0)
    (tokens,) = target.continue_tokens([[*start, *target.encode("the cat")]], n=5)
    assert text == target.decode(tokens)
