import itertools
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from guardrails.core.errors import ConfigurationError, MissingExtraError, TargetError
from guardrails.core.targets import Access, LanguageModelTarget, Modality, TextOutputs, TextTarget
from guardrails.targets import load_target
from guardrails.targets.huggingface import HuggingFaceTarget
from guardrails.targets.model_files.folder import TOKENIZER


@pytest.fixture
def copy(model_folder, tmp_path):
    return shutil.copytree(model_folder, tmp_path / "copy")


def test_it_is_a_language_model_target(target):
    assert isinstance(target, LanguageModelTarget)
    assert isinstance(target, TextTarget)
    assert isinstance(target, TextOutputs)
    assert target.modality is Modality.TEXT
    assert target.access == {Access.OUTPUTS, Access.SAMPLING, Access.LOGPROBS, Access.WEIGHTS}
    assert target.context_length == 64
    assert target.available is None


def test_encode_and_decode(target):
    tokens = target.encode("the cat sat")
    assert target.decode(tokens) == "the cat sat"
    assert target.decode([*tokens, *target.end]) == "the cat sat"
    assert target.encode("") == []
    assert target.encode("the cat <end>") == target.encode("the cat")


def test_generation_depends_on_the_seed_alone(target):
    prompts = ["the cat", "", "a big red house"]
    first = target.generate(prompts, max_new_tokens=9, seed=5)
    assert first == target.generate(prompts, max_new_tokens=9, seed=5)
    assert first != target.generate(prompts, max_new_tokens=9, seed=6)
    assert len(first) == 3
    assert target.sample_texts(4, seed=1, max_new_tokens=5) == target.sample_texts(4, seed=1, max_new_tokens=5)


def test_temperature_zero_is_the_greedy_continuation(target):
    (text,) = target.generate(["the cat"], max_new_tokens=6, temperature=0)
    (tokens,) = target.continue_tokens([target.encode("the cat")], n=6)
    assert text == target.decode(tokens)


def test_a_long_prompt_is_cut_at_its_front_and_a_long_answer_refused(target):
    long = "the cat " * 60
    cut = target.decode(target.encode(long)[-60:])
    assert target.generate([long], max_new_tokens=4, temperature=0) == target.generate(
        [cut], max_new_tokens=4, temperature=0
    )
    with pytest.raises(ConfigurationError, match="64 new tokens do not fit"):
        target.generate(["the"], max_new_tokens=64)


def test_a_document_longer_than_the_context_is_scored(target):
    tokens = target.encode("the cat sat on a red mat and " * 20)
    (values,) = target.token_logprobs([tokens])
    assert values.shape == (len(tokens) - 1,)
    assert (values < 0).all()


def test_identity_says_what_was_audited(target, copy):
    identity = target.identity()
    assert identity == HuggingFaceTarget(copy).identity()
    assert identity["architecture"] == "GPT2LMHeadModel"
    assert identity["torch"] == torch.__version__
    assert int(identity["parameters"]) == sum(p.numel() for p in target.model.parameters())
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"layer_norm_epsilon": 1e-4}))
    assert HuggingFaceTarget(copy).identity()["sha256"] != identity["sha256"]


def test_the_name_loads_it(model_folder, target):
    loaded = load_target(f"hf:{model_folder}")
    assert loaded.name == f"hf:{model_folder}"
    assert np.allclose(loaded.token_logprobs([[2, 3, 4]])[0], target.token_logprobs([[2, 3, 4]])[0])


def refused(folder, *words):
    with pytest.raises(TargetError) as caught:
        HuggingFaceTarget(folder)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message


def test_a_missing_folder(tmp_path):
    refused(tmp_path / "absent", "no such folder")


def test_an_empty_folder(tmp_path):
    refused(tmp_path, "the folder is empty")


def test_a_file_in_place_of_a_folder(copy):
    refused(copy / "config.json", "this is a file")


def test_a_folder_without_a_tokenizer(copy):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (copy / name).unlink()
    refused(copy, "no tokenizer", "tokenizer.save_pretrained")


def test_a_pickle_is_never_opened(copy):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    (copy / "model.safetensors").unlink()
    torch.save({"a": Bomb()}, copy / "pytorch_model.bin")
    refused(copy, "pickled (pytorch_model.bin)", "safetensors")


def test_a_folder_without_weights_or_configuration(copy):
    (copy / "config.json").unlink()
    refused(copy, "no config.json")
    (copy / "model.safetensors").unlink()
    refused(copy, "no weights")


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"{}"])
def test_damaged_weights(copy, content):
    (copy / "model.safetensors").write_bytes(content)
    refused(copy, "the model cannot be loaded")


def test_weights_that_do_not_fill_the_model(copy):
    from safetensors.torch import load_file, save_file

    tensors = load_file(copy / "model.safetensors")
    tensors.pop(next(name for name in tensors if name.endswith("h.1.ln_1.weight")))
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    refused(copy, "lack 1 of the model's tensors", "ln_1.weight")


def test_a_model_that_is_not_causal(copy):
    (copy / "config.json").write_text(json.dumps({"model_type": "t5"}))
    refused(copy, "the model cannot be loaded")


def test_code_that_comes_with_a_model_is_not_run(copy):
    (copy / "modeling.py").write_text("raise SystemExit('ran')")
    auto_map = {"AutoConfig": "modeling.C", "AutoModelForCausalLM": "modeling.M"}
    (copy / "config.json").write_text(json.dumps({"model_type": "unheard-of", "auto_map": auto_map}))
    refused(copy)


def test_broken_json(copy):
    (copy / "config.json").write_text("{")
    refused(copy)


def test_several_gguf_files_are_ambiguous(tmp_path):
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
    refused(tmp_path, "2 GGUF files")


def test_a_damaged_gguf_file(tmp_path, monkeypatch):
    pytest.importorskip("gguf")
    pytest.importorskip("accelerate")
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "a.gguf").write_bytes(b"GGUF" + b"\0" * 100)
    refused(tmp_path / "m", "the GGUF file cannot be read")
    assert not list((tmp_path / "cache" / "gguf-2").iterdir())


def test_gguf_without_its_packages_says_what_to_type(tmp_path, monkeypatch):
    from guardrails.targets.model_files import gguf

    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(gguf, "find_spec", lambda name: None)
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    with pytest.raises(MissingExtraError, match=r"guardrails-audit\[hf-gguf\]"):
        HuggingFaceTarget(tmp_path)


def test_the_hub_is_asked_for_names_that_look_like_it_and_failure_is_one_line(monkeypatch):
    import huggingface_hub

    asked = []

    def no_network(name, **options):
        asked.append((name, options["allow_patterns"]))
        raise OSError("no route to host\nmore")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", no_network)
    refused("someone/something", "no such folder here", "no route to host")
    refused("some/where/else", "no such folder")
    refused("/abs/olute", "no such folder")
    assert [name for name, _ in asked] == ["someone/something"]
    assert not any(pattern.endswith((".bin", ".py", "*")) for pattern in asked[0][1])


def test_every_file_that_a_tokenizer_of_the_library_names_is_read():
    import transformers

    named = set()
    for file in Path(transformers.__file__).parent.glob("models/*/tokenization_*.py"):
        for block in re.findall(r"vocab_files_names\s*=\s*\{(.*?)\}", file.read_text(), re.DOTALL | re.IGNORECASE):
            named |= set(re.findall(r':\s*"([^"]+)"', block))
    assert {"emoji.json", "tokenizer.json"} < named
    assert named - set(TOKENIZER) == {"byte_maps.json"}


@pytest.fixture
def japanese(tmp_path):
    """A model whose tokenizer is made of vocab.txt and emoji.json."""
    from transformers import GPTNeoXJapaneseConfig, GPTNeoXJapaneseForCausalLM

    words = ["<|endoftext|>", "<SP>", "<BR>", "猫", "が", "いる", "<|emoji1|>", *(f"<|byte{i}|>" for i in range(256))]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    emoji = {"emoji": {"☺": "<|emoji1|>", "(^^)": "<|emoji1|>"}, "emoji_inv": {"<|emoji1|>": "☺"}}
    (tmp_path / "emoji.json").write_text(json.dumps(emoji))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "GPTNeoXJapaneseTokenizer"}')
    config = GPTNeoXJapaneseConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=64,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    GPTNeoXJapaneseForCausalLM(config).save_pretrained(tmp_path)
    return tmp_path


def test_a_tokenizer_with_a_file_of_emoji(japanese):
    target = HuggingFaceTarget(japanese)
    assert target.encode("猫 が(^^)") == [3, 1, 4, 6]
    emoji = json.loads((japanese / "emoji.json").read_text())
    (japanese / "emoji.json").write_text(json.dumps(emoji | {"emoji": {"☺": "<|emoji1|>"}}))
    assert HuggingFaceTarget(japanese).identity() != target.identity()
    growing = dict(itertools.pairwise(["(", "||", "||||||", "|" * 20, "|" * 100, "|" * 2000]))
    (japanese / "emoji.json").write_text(json.dumps(emoji | {"emoji": growing}))
    with pytest.raises(TargetError, match=r"emoji\.json can make a character"):
        HuggingFaceTarget(japanese)


def test_further_chat_templates_are_read_and_hashed(copy):
    templates = copy / "additional_chat_templates"
    templates.mkdir()
    (copy / "chat_template.jinja").write_text("{{ messages[0].content }}")
    before = HuggingFaceTarget(copy).identity()
    (templates / "tool_use.jinja").write_text("tools: {{ messages[0].content }}")
    target = HuggingFaceTarget(copy)
    assert target.tokenizer.chat_template == {
        "default": "{{ messages[0].content }}", "tool_use": "tools: {{ messages[0].content }}",
    }  # fmt: skip
    assert target.identity() != before
    assert target._text.chat_template == "{{ messages[0].content }}"


def test_further_chat_templates_from_elsewhere_or_beyond_the_bound_are_refused(copy, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.jinja").write_text("x")
    templates = copy / "additional_chat_templates"
    templates.symlink_to(elsewhere)
    with pytest.raises(TargetError, match="leads out of the model's folder"):
        HuggingFaceTarget(copy)
    templates.unlink()
    templates.mkdir()
    (templates / "x.jinja").symlink_to(elsewhere / "x.jinja")
    with pytest.raises(TargetError, match="leads out of the model's folder"):
        HuggingFaceTarget(copy)
    (templates / "x.jinja").unlink()
    os.mkfifo(templates / "x.jinja")
    with pytest.raises(TargetError, match="no regular file"):
        HuggingFaceTarget(copy)
    (templates / "x.jinja").unlink()
    for i in range(101):
        (templates / f"{i}.jinja").touch()
    with pytest.raises(TargetError, match="more than 100"):
        HuggingFaceTarget(copy)
