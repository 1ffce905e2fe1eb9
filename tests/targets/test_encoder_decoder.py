import json
import shutil

import pytest

from guardrails.bias.translation import Translation
from guardrails.core.errors import MissingExtraError, TargetError
from guardrails.core.options import read_options
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, TextOutputs, TextTarget
from guardrails.targets import load_target
from guardrails.targets.encoder_decoder import EncoderDecoderTarget
from guardrails.targets.huggingface import HuggingFaceTarget

WORDS = ["the", "nurse", "engineer", "greeted", "guests", "la", "el", "enfermera", "ingeniero", "."]


def tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["<pad>", "</s>", "<unk>", *WORDS])}, "<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=24
    )


def marian():
    from transformers import MarianConfig, MarianMTModel

    sides = ("encoder", "decoder")
    small = {f"{s}_layers": 1 for s in sides} | {f"{s}_attention_heads": 1 for s in sides}
    small |= {f"{s}_ffn_dim": 8 for s in sides} | {"d_model": 8, "max_position_embeddings": 24}
    tokens = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "forced_eos_token_id": None}
    return MarianMTModel(MarianConfig(vocab_size=len(WORDS) + 3, num_beams=4, **small, **tokens))


def t5():
    from transformers import T5Config, T5ForConditionalGeneration

    small = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 1}
    return T5ForConditionalGeneration(T5Config(vocab_size=len(WORDS) + 3, decoder_start_token_id=0, **small))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of each family, of random weights; that of Marian names the language."""
    import torch

    out = {}
    for name, model in (("marian", marian), ("t5", t5)):
        out[name] = tmp_path_factory.mktemp(name)
        torch.manual_seed(0)
        model().save_pretrained(out[name])
        tokenizer().save_pretrained(out[name])
    settings = out["marian"] / "tokenizer_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"target_lang": "spa"}))
    return out


@pytest.fixture(scope="module")
def translator(folders):
    return load_target(f"hf:{folders['marian']}")


def test_an_encoder_decoder_is_told_from_a_causal_model(folders, model_folder, translator):
    assert isinstance(translator, EncoderDecoderTarget)
    assert isinstance(translator, TextTarget)
    assert isinstance(translator, TextOutputs)
    assert translator.access == {Access.OUTPUTS, Access.SAMPLING}
    assert isinstance(load_target(f"hf:{model_folder}"), HuggingFaceTarget)


def test_the_language_is_that_of_the_tokenizer_or_not_known(folders, translator):
    assert translator.translates_into == "es"
    other = load_target(f"hf:{folders['t5']}")
    assert other.translates_into is None
    assert "without a prefix" in other.read_as
    assert other.identity()["architecture"] == "T5ForConditionalGeneration"


def test_what_is_written_depends_on_the_seed_alone(translator):
    prompts = ["the nurse greeted the guests .", "the engineer"] * 10
    first = translator.generate(prompts, max_new_tokens=6, seed=1)
    assert first == translator.generate(prompts, max_new_tokens=6, seed=1)
    assert first != translator.generate(prompts, max_new_tokens=6, seed=2)
    assert len(first) == 20
    assert set(" ".join(first).split()) <= {*WORDS, "<unk>"}
    assert len(translator.sample_texts(3, seed=0, max_new_tokens=4)) == 3


def test_temperature_0_is_what_the_model_itself_gives_without_beams(folders, translator):
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model = AutoModelForSeq2SeqLM.from_pretrained(folders["marian"]).eval()
    words = AutoTokenizer.from_pretrained(folders["marian"])
    prompts = ["the nurse greeted the guests .", "the engineer"]
    expected = []
    for prompt in prompts:
        with torch.inference_mode():
            made = model.generate(**words(prompt, return_tensors="pt"), max_new_tokens=6, num_beams=1, do_sample=False)
        expected.append(words.decode(made[0], skip_special_tokens=True))
    assert translator.generate(prompts, max_new_tokens=6, temperature=0) == expected


def test_sampling_follows_the_probabilities_of_the_first_token(folders, translator):
    import torch
    from transformers import AutoModelForSeq2SeqLM

    model = AutoModelForSeq2SeqLM.from_pretrained(folders["marian"]).eval()
    ids = torch.tensor([translator._encode("the nurse")])
    with torch.inference_mode():
        logits = model(input_ids=ids, decoder_input_ids=torch.tensor([[0]])).logits[0, -1]
    likely = torch.softmax(logits, dim=-1)
    word = int(likely[3:].argmax()) + 3
    made = translator.generate(["the nurse"] * 600, max_new_tokens=1, seed=4)
    share = made.count(translator._tokenizer.decode([word])) / 600
    assert share == pytest.approx(float(likely[word]), abs=0.06)


def test_a_prompt_longer_than_the_model_reads_is_refused(translator):
    with pytest.raises(TargetError, match="the prompt has 41 tokens"):
        translator.generate(["the " * 40], max_new_tokens=3)


def test_an_answer_is_no_longer_than_the_decoder_has_positions(translator):
    assert len(translator.generate(["the nurse"], max_new_tokens=500, seed=0)[0].split()) <= 23


def test_genders_in_its_translations_are_counted(translator):
    probe = Translation()
    probe.options = read_options(Translation.Options, {}, probe=probe.id)
    subject = Subject(translator)
    probe.applicable(subject)
    batch = probe.plan(subject, Budget.CONTROL, seed=0)[0]
    rows = probe.collect(subject, batch, seed=0)
    assert len(rows) == len(batch.items)
    assert all(isinstance(row["translation"], str) for row in rows)
    assert probe._prompt(subject, "The nurse slept.") == "The nurse slept."


def test_damaged_folders_are_refused_with_one_message(folders, tmp_path):
    from safetensors.torch import load_file, save_file

    lacking = shutil.copytree(folders["marian"], tmp_path / "lacking")
    weights = load_file(lacking / "model.safetensors")
    del weights["model.decoder.layers.0.fc1.weight"]
    save_file(weights, lacking / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TargetError, match="lack 1 of"):
        load_target(f"hf:{lacking}")
    pickled = shutil.copytree(folders["marian"], tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(TargetError, match="pickled"):
        load_target(f"hf:{pickled}")


def test_a_tokenizer_of_sentencepiece_needs_its_package(folders, tmp_path, monkeypatch):
    monkeypatch.setattr("guardrails.targets.encoder_decoder.find_spec", lambda name: None)
    folder = shutil.copytree(folders["marian"], tmp_path / "marian")
    (folder / "source.spm").write_bytes(b"")
    with pytest.raises(MissingExtraError, match="pip install sentencepiece"):
        load_target(f"hf:{folder}")
