"""Sound files and folders of every kind that guardrails reads, small: what the damaged ones are made from."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from PIL import Image

from guardrails import cli
from guardrails.kit.video import write_video

from ..deepfake import networks
from .material import prose, write_people, write_pictures, write_texts

POLICY = """name = "clinic"
description = "The default, stricter where patients are concerned."
extends = "default"

[[threshold]]
probe = "privacy.pii"
metric = "pii_leak_rate"
limit = 0.01
origin = "our data protection officer, March 2026: half of the default"
"""
PLAN = 'target = "reference:gpt-text"\nbudget = "quick"\nseed = 3\nprobes = ["memorization.*"]\nfail_on = "high"\n'
RECOGNIZERS = """[[recognizer]]
kind = "staff-number"
pattern = 'ST-\\d{6}'
context = ["staff"]
checksum = "luhn"

[[recognizer]]
kind = "badge"
pattern = '[A-Z]{2}\\d{4,8}'
"""
DETECTOR = "deepfake.features"
WORDS = ["the", "a", "cat", "dog", "sat", "ran", "on", "under", "mat", "house", "big", "small", "red", "and"]
PICTURES = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "AVIF", "JPEG2000")


def pictures(folder: Path) -> list[Path]:
    coarse = np.random.default_rng(0).integers(0, 255, (8, 8, 3))
    picture = Image.fromarray(np.kron(coarse, np.ones((9, 9, 1))).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a description"
    made = []
    for format in PICTURES:
        options = {"exif": exif} if format in ("JPEG", "PNG", "WEBP") else {}
        picture.save(folder / f"picture.{format.lower()}", format, **options)
        made.append(folder / f"picture.{format.lower()}")
    grey16 = Image.fromarray((np.arange(72 * 72).reshape(72, 72) * 12).astype(np.uint16))
    grey16.save(folder / "deep.png")
    picture.save(folder / "moves.gif", save_all=True, append_images=[picture.rotate(90)], duration=50)
    return [*made, folder / "deep.png", folder / "moves.gif"]


def videos(folder: Path) -> list[Path]:
    frames = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3)).astype(np.uint8)
    return [write_video(frames, folder / f"film{suffix}", 5) for suffix in (".avi", ".mp4")]


def sounds(folder: Path) -> list[Path]:
    tone = np.sin(np.arange(4000) / 9).astype(np.float32)
    made = []
    for format in ("WAV", "FLAC", "OGG", "MP3", "AIFF", "AU"):
        made.append(folder / f"tone.{format.lower()}")
        soundfile.write(made[-1], tone, 16_000, format=format)
    return made


def texts(folder: Path) -> list[Path]:
    some = prose(6, "some")
    rows = [{"prompt": text[:20], "text": text, "id": i} for i, text in enumerate(some)]
    chats = [{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": t}]} for t in some]
    contents = {
        "a.txt": "\n".join(some),
        "a.jsonl": "\n".join(map(json.dumps, rows)),
        "a.json": json.dumps(rows, indent=1),
        "chat.jsonl": "\n".join(map(json.dumps, chats)),
        "a.csv": pd.DataFrame(rows).to_csv(index=False),
        "a.tsv": pd.DataFrame(rows).to_csv(index=False, sep="\t"),
        "a.abc": "X:1\nT:A tune\nL:1/8\nK:C\nCDEF GABc|\n\nX:2\nL:1/8\nK:G\nGABc dedB|\n",
        "a.smi": "CCO ethanol\nc1ccccc1 benzene\nCC(=O)O acid\n",
    }
    for name, content in contents.items():
        (folder / name).write_text(content)
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(contents["a.jsonl"].encode(), mtime=0))
    (folder / "wide.txt").write_text(contents["a.txt"], encoding="utf-16")
    return [folder / name for name in (*contents, "a.jsonl.gz", "wide.txt")]


def tables(folder: Path) -> list[Path]:
    comma = write_people(folder / "a.csv", 40, 0)
    frame = pd.read_csv(comma)
    frame.to_csv(folder / "semicolon.csv", sep=";", decimal=",", index=False)
    frame.to_csv(folder / "a.tsv", sep="\t", index=False)
    return [comma, folder / "semicolon.csv", folder / "a.tsv"]


def parquet(folder: Path) -> list[Path]:
    frame = pd.read_csv(write_people(folder / "people.csv", 40, 0))
    frame["text"] = prose(40, "parquet")
    for compression in ("snappy", "zstd", "none"):
        frame.to_parquet(folder / f"{compression}.parquet", compression=None if compression == "none" else compression)
    return sorted(folder.glob("*.parquet"))


def workbooks(folder: Path) -> list[Path]:
    pd.read_csv(write_people(folder / "people.csv", 20, 0)).to_excel(folder / "a.xlsx", index=False)
    return [folder / "a.xlsx"]


def settings(folder: Path) -> list[Path]:
    for name, content in (("policy", POLICY), ("plan", PLAN), ("recognizers", RECOGNIZERS)):
        (folder / f"{name}.toml").write_text(content)
    return sorted(folder.glob("*.toml"))


def indices(folder: Path) -> list[Path]:
    from guardrails.memorization.text.index_folder import build_index

    build_index([write_texts(folder / "a.jsonl", prose(40, "index"))], folder / "index", shard_bytes=15_000)
    return [folder / "index"]


def detectors(folder: Path) -> list[Path]:
    """A detector of the user's, fitted as the one that ships."""
    from guardrails.deepfake.images.fitted_head import read
    from guardrails.deepfake.images.saved_detector import Kept, keep

    heads, _ = read()
    keep(DETECTOR, Kept("models/encoder.onnx", "0" * 64, next(iter(heads.values()))), folder / "saved")
    return [folder / "saved"]


def onnx_networks(folder: Path) -> list[Path]:
    return [networks.onnx(folder / "a.onnx", side=32), networks.onnx(folder / "b.onnx", ("Abs", "Sqrt", "Flatten"), 32)]


def torchscripts(folder: Path) -> list[Path]:
    return [networks.torchscript(networks.Places(), folder / "places.pt")]


def language_models(folder: Path) -> list[Path]:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["<end>", "<unk>", *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    where = folder / "model"
    PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>", unk_token="<unk>").save_pretrained(where)
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(vocabulary), n_positions=64, n_embd=16, n_layer=2, n_head=2,
                        bos_token_id=0, eos_token_id=0)  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(where)
    return [where]


def gguf_models(folder: Path) -> list[Path]:
    """A LLaMA of one layer with random weights."""
    from gguf import GGUFWriter, TokenType

    where = folder / "gguf"
    where.mkdir()
    writer = GGUFWriter(where / "a.gguf", "llama")
    words = ["<unk>", "<s>", "</s>", *(f"▁{word}" for word in WORDS), *"abcdefghijklmnopqrstuvwxyz"]
    width, inner, n = 32, 64, len(words)
    writer.add_context_length(64)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // 2)
    writer.add_vocab_size(n)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(words)
    writer.add_token_scores([-float(i) for i in range(n)])
    writer.add_token_types([TokenType.UNKNOWN, *[TokenType.CONTROL] * 2, *[TokenType.NORMAL] * (n - 3)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    rng = np.random.default_rng(0)
    shapes = {"token_embd": (n, width), "output": (n, width)}
    shapes |= {f"blk.0.attn_{part}": (width, width) for part in ("q", "k", "v", "output")}
    shapes |= {"blk.0.ffn_gate": (inner, width), "blk.0.ffn_up": (inner, width), "blk.0.ffn_down": (width, inner)}
    shapes |= {"output_norm": (width,), "blk.0.attn_norm": (width,), "blk.0.ffn_norm": (width,)}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", rng.normal(0, 0.1, shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return [where]


def picture_folders(folder: Path) -> list[Path]:
    where = write_pictures(folder / "pictures", 4, 0)
    rows = [{"file": f"{i:03d}.png", "prompt": f"squares {i}"} for i in range(4)]
    (where / "prompts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return [where]


def run_folders(folder: Path) -> list[Path]:
    outputs = write_texts(folder / "outputs.jsonl", prose(60, "outputs"))
    corpus = write_texts(folder / "corpus.jsonl", prose(60, "corpus"))
    words = ["audit", f"jsonl:{outputs}", "--corpus", str(corpus), "--probes", "memorization.overlap"]
    cli.run([*words, "--budget", "quick", "--out", str(folder / "run")])
    return [folder / "run"]
