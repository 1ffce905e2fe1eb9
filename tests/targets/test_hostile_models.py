"""Folders of models that a stranger made: what is loaded is what was checked, and what is hashed is what was loaded."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import struct
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from guardrails.core.errors import TargetError
from guardrails.targets.huggingface import HuggingFaceTarget
from guardrails.targets.model_files import size
from guardrails.targets.model_files.size import check_config
from guardrails.targets.model_files.weights import Weights

RAN: list[str] = []


class Bomb:
    def __reduce__(self) -> Any:
        return RAN.append, ("unpickled",)


@pytest.fixture
def copy(model_folder: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    return folder


@pytest.fixture(autouse=True)
def nothing_ran() -> Any:
    RAN.clear()
    yield
    assert RAN == []


def refused(folder: Path, *words: str) -> None:
    with pytest.raises(TargetError) as caught:
        HuggingFaceTarget(folder)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert message.isprintable()


def changed(folder: Path, file: str, **values: Any) -> None:
    path = folder / file
    old = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(old | values))


def sharded(folder: Path, name: str, place: Path | None = None) -> list[str]:
    """Put the weights into a shard called `name`, with an index, and leave a file that is none of theirs."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    shard = place or folder / name
    shard.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, shard, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": dict.fromkeys(tensors, name)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return list(tensors)


def test_an_index_may_not_name_a_pickle(copy: Path) -> None:
    sharded(copy, "model-1.safetensors")
    (copy / "model-1.safetensors").rename(copy / "junk.safetensors")
    changed(copy, "model.safetensors.index.json", weight_map={"a": "pytorch_model.bin"})
    torch.save({"a": Bomb()}, copy / "pytorch_model.bin")
    refused(copy, "model.safetensors.index.json names pytorch_model.bin", "no safetensors file")


def test_a_pickle_that_is_called_safetensors_is_not_opened(copy: Path) -> None:
    torch.save({"a": Bomb()}, copy / "model.safetensors")
    refused(copy, "model.safetensors is no safetensors file")


OUTSIDE = ["../out/x.safetensors", "a/../../out/x.safetensors", "{}/x.safetensors", "..\\x.safetensors"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_an_index_may_not_name_files_outside(copy: Path, tmp_path: Path, name: str) -> None:
    name = name.format(tmp_path / "out")
    sharded(copy, name, tmp_path / "out" / "x.safetensors")
    (copy / "junk.safetensors").write_bytes(b"junk")
    refused(copy, "is no file of the model's folder")


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_link_that_leads_out_is_not_followed(copy: Path, tmp_path: Path, file: str) -> None:
    (copy / file).rename(tmp_path / file)
    (copy / file).symlink_to(tmp_path / file)
    if file == "model.safetensors":
        (copy / "junk.safetensors").write_bytes(b"junk")
    refused(copy, f"{file} is a link that leads out")


def test_links_within_the_folder_and_within_the_cache_of_the_hub_are_followed(copy: Path, tmp_path: Path) -> None:
    (copy / "model.safetensors").rename(copy / "weights")
    (copy / "model.safetensors").symlink_to("weights")
    here = HuggingFaceTarget(copy).identity()["sha256"]
    blobs, snapshot = tmp_path / "repo" / "blobs", tmp_path / "repo" / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for path in copy.iterdir():
        if path.name != "weights":
            shutil.copyfile(path, blobs / path.name)
            (snapshot / path.name).symlink_to(f"../../blobs/{path.name}")
    assert HuggingFaceTarget(snapshot).identity()["sha256"] == here


def test_shards_in_a_folder_of_their_own_are_loaded_and_hashed(copy: Path, target: HuggingFaceTarget) -> None:
    sharded(copy, "shards/one.safetensors")
    (copy / "junk.safetensors").write_bytes(b"junk")
    first = HuggingFaceTarget(copy)
    assert first.token_logprobs([[2, 3, 4]])[0] == pytest.approx(target.token_logprobs([[2, 3, 4]])[0])
    hashed = first.identity()["sha256"]
    tensors = load_file(copy / "shards" / "one.safetensors")
    name = next(iter(tensors))
    save_file(tensors | {name: tensors[name] + 1}, copy / "shards" / "one.safetensors", metadata={"format": "pt"})
    second = HuggingFaceTarget(copy)
    assert hashed != second.identity()["sha256"]
    (copy / "junk.safetensors").write_bytes(b"other junk")
    (copy / "notes.json").write_text("{}")
    assert HuggingFaceTarget(copy).identity()["sha256"] == second.identity()["sha256"]


def test_weights_that_change_after_they_were_checked_have_no_hash(copy: Path) -> None:
    made = HuggingFaceTarget(copy)
    tensors = load_file(copy / "model.safetensors")
    save_file({k: v + 1 for k, v in tensors.items()}, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TargetError, match="changed while it was read"):
        made.identity()


def test_other_weights_that_the_configuration_names_are_checked_too(copy: Path, target: HuggingFaceTarget) -> None:
    (copy / "model.safetensors").rename(copy / "other.safetensors")
    changed(copy, "config.json", transformers_weights="other.safetensors")
    assert HuggingFaceTarget(copy).token_logprobs([[2, 3]])[0] == pytest.approx(target.token_logprobs([[2, 3]])[0])
    for name in ("adapter_model.bin", "../other.safetensors", 3, "absent.safetensors"):
        changed(copy, "config.json", transformers_weights=name)
        refused(copy, "the model cannot be loaded")


def test_nothing_that_lies_beside_the_model_is_run_or_read(copy: Path, target: HuggingFaceTarget) -> None:
    """Code, pickles, kernels of the hub, templates, files of settings for other versions."""
    for name in ("modeling.py", "custom_generate/generate.py", "additional_chat_templates/x.jinja"):
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_text("raise SystemExit('ran')")
    for name in ("pytorch_model.bin", "vocab.pkl", "training_args.bin", "tokenizer.pkl"):
        torch.save({"a": Bomb()}, copy / name)
    code = {"AutoConfig": "modeling.C", "AutoModelForCausalLM": "modeling.M", "AutoTokenizer": ["modeling.T", None]}
    changed(
        copy,
        "config.json",
        auto_map=code,
        attn_implementation="somebody/kernel",
        _attn_implementation="somebody/kernel",
        experts_implementation="somebody/kernel",
        configuration_files=["config.4.0.0.json"],
    )
    (copy / "config.4.0.0.json").write_text('{"model_type": "t5"}')
    changed(
        copy,
        "tokenizer_config.json",
        auto_map=code,
        fast_tokenizer_files=["tokenizer.4.0.0.json"],
        vocab_file="/etc/passwd",
        gguf_file="/etc/passwd",
        init_inputs=["/etc/passwd"],
    )
    (copy / "tokenizer.4.0.0.json").write_text("{}")
    changed(copy, "generation_config.json", custom_generate="somebody/code")
    made = HuggingFaceTarget(copy)
    assert made.token_logprobs([[2, 3]])[0] == pytest.approx(target.token_logprobs([[2, 3]])[0])
    assert made.encode("the cat") == target.encode("the cat")


def test_an_adapter_is_refused_and_not_left_out_in_silence(copy: Path) -> None:
    (copy / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/elsewhere"}))
    refused(copy, "adapter", "merge")


def test_a_tokenizer_beside_a_gguf_file_cannot_name_code(tmp_path: Path, monkeypatch: Any) -> None:
    from guardrails.targets.model_files import gguf

    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    (tmp_path / "tokenizer_config.json").write_text("{}")
    seen: list[list[str]] = []
    monkeypatch.setattr(gguf, "find_spec", lambda name: True)
    monkeypatch.setattr(gguf, "check_gguf", lambda path: Weights(path, (), tensors=0, elements=0, largest=0))
    monkeypatch.setattr(
        "transformers.AutoTokenizer.from_pretrained",
        lambda folder, **given: seen.append(sorted(os.listdir(folder))) or pytest.fail(str(given)),
    )
    with pytest.raises((TargetError, pytest.fail.Exception)) as error:
        HuggingFaceTarget(tmp_path)
    assert seen == [["model.gguf"]]
    assert "'trust_remote_code': False" in str(error.value)


HEADERS: dict[str, Any] = {
    "shape beyond the bytes": {"a": {"dtype": "F32", "shape": [10**9, 10**6], "data_offsets": [0, 4]}},
    "places beyond the file": {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4_000_000]}},
    "negative shape": {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
    "no place": {"a": {"dtype": "F32", "shape": [1]}},
    "true for a number": {"a": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}},
    "a list": [1],
    "huge number": {"a": {"dtype": "F32", "shape": [10**4000], "data_offsets": [0, 4]}},
    "deep": eval("[" * 60 + "]" * 60),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_says_more_than_the_file_holds_is_refused(copy: Path, name: str) -> None:
    header = json.dumps(HEADERS[name]).encode()
    (copy / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0\0\0\0")
    refused(copy, "model.safetensors")


BIG: dict[str, dict[str, Any]] = {
    "a million layers": {"n_layer": 1_000_000},
    "a million layers by another name": {"num_hidden_layers": 1_000_000},
    "a vocabulary of a thousand million": {"vocab_size": 10**9},
    "a wide model": {"n_embd": 10**7, "n_head": 1},
    "a wide model, not beyond any one bound": {"n_embd": 100_000, "n_head": 1},
    "many labels": {"num_labels": 10**8},
    "many positions": {"n_positions": 10**12},
    "a table of positions": {"n_positions": 2**20},
    "more layers than tensors": {"n_layer": 60, "n_embd": 512},
    "a list of layers": {"layer_types": ["full_attention"] * 50_000},
    "inner sizes": {"n_inner": 10**8},
    "in a part": {"text_config": {"num_hidden_layers": 10**7}},
    "digits": {"n_layer": 10**4000},
}


@pytest.mark.parametrize("name", BIG)
def test_no_more_is_built_than_the_weights_hold(copy: Path, name: str) -> None:
    text = json.loads((copy / "config.json").read_text()) | BIG[name]
    (copy / "config.json").write_text(json.dumps(text))
    refused(copy, "the model cannot be loaded", "config")


ORDINARY = {
    "Lfm2": "block_multiple_of", "Gemma3nText": "vocab_size_per_layer_input", "Llama4Text": "moe_layers",
    "Phi4Multimodal": "audio_config", "Mllama": "text_config", "Llama": "vocab_size",
}  # fmt: skip


@pytest.mark.parametrize("name", ORDINARY)
def test_the_settings_of_ordinary_models_are_let_through(name: str) -> None:
    import transformers

    config = getattr(transformers, f"{name}Config")().to_dict()
    assert ORDINARY[name] in config
    check_config(config, [Weights(Path("model.safetensors"), (), tensors=250, elements=10**9, largest=300_000)])


@pytest.mark.parametrize(
    "more",
    [
        {"moe_layers": [10**6]},
        {"moe_layers": list(range(1000))},
        {"num_hidden_layers": list(range(120))},
        {"depths": [100, 101, 102]},
        {"vocab_size_per_layer_input": 10**8},
        {"block_multiple_of": 10**8},
        {"layers_per_block": 1000},
        {"split_ngram_parts": 10**9},
        {"hc_count": 10**8},
        {"a_name_of_the_future": 10**8},
    ],
)
def test_lists_and_sizes_by_layer_are_bounded(more: dict[str, Any]) -> None:
    with pytest.raises(TargetError, match=next(iter(more))):
        check_config(more, [Weights(Path("model.safetensors"), (), tensors=250, elements=10**9, largest=300_000)])


def test_numbers_that_are_no_sizes_may_be_large() -> None:
    weights = [Weights(Path("model.safetensors"), (), tensors=250, elements=10**9, largest=300_000)]
    check_config({"rope_theta": 10**9, "seed": 2**32, "total_params": 10**12, "eos_token_id": 2**25}, weights)


def test_a_model_that_takes_long_to_build_is_stopped(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an architecture whose tables have prime sizes, where a setting says how many primes."""
    ended = threading.Event()

    def primes(*args: Any, **options: Any) -> None:
        try:
            for n in itertools.count(2):
                all(n % m for m in range(2, 100))
        finally:
            ended.set()

    monkeypatch.setattr(size, "SECONDS", 0.5)
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_config", primes)
    refused(copy, "the model cannot be loaded", "takes more than 0 s to build")
    assert ended.wait(20)


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["H_cycles", "L_cycles"])
def test_a_model_that_goes_round_too_often_is_stopped(
    copy: Path, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights bound the layers, and nothing bounds how often it passes through them."""
    from transformers import HrmTextConfig, HrmTextForCausalLM

    vocabulary = json.loads((copy / "config.json").read_text())["vocab_size"]
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "head_dim": 8}
    config = HrmTextConfig(vocab_size=vocabulary, num_hidden_layers=1, H_cycles=1, L_cycles=1, **sizes)
    HrmTextForCausalLM(config).save_pretrained(copy)
    HuggingFaceTarget(copy)
    changed(copy, "config.json", **{setting: 1_000_000})
    monkeypatch.setattr(size, "SECONDS_A_TOKEN", 2.0)
    refused(copy, "one pass over one token takes more than 2 s", "asks for too many rounds")


def test_weights_by_another_name_are_asked_for_by_the_usual_one(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "model.fp16.safetensors")
    refused(copy, "neither model.safetensors nor model.safetensors.index.json is in the folder")


HOSTILE = ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, "{", "[]", "null", f'{{"a": 1{"0" * 400}}}', "\x00"]


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "tokenizer.json", "generation_config.json"])
@pytest.mark.parametrize("content", HOSTILE)
def test_hostile_settings_are_one_line(copy: Path, file: str, content: str) -> None:
    (copy / file).write_text(content)
    refused(copy, "the model cannot be loaded", file)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_pipe_in_a_model_is_not_waited_for(copy: Path, file: str) -> None:
    (copy / file).unlink()
    os.mkfifo(copy / file)
    refused(copy, file, "regular file")
