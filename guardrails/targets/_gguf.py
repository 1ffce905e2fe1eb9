"""Turns a GGUF file into a safetensors folder, once: reading the former takes half a minute, the latter a second."""

from __future__ import annotations

import hashlib
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

from ..core.errors import MissingExtraError, TargetError
from ..kit.io import cache_folder
from ._quiet import quiet


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def converted(gguf: Path) -> Path:
    """Return a folder with the weights of a GGUF file in float32 (exact: they are dequantised), config and tokenizer.

    It lies in the cache under the hash of the file, and appears there whole or not at all.

    Raises
    ------
    MissingExtraError
        Where the packages that read GGUF are absent.
    TargetError
        Where the file is damaged or of an architecture that `transformers` does not read.
    """
    home = cache_folder() / "gguf"
    folder = home / file_sha256(gguf)[:32]
    if folder.is_dir():
        return folder
    for package in ("gguf", "accelerate"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "pip install 'guardrails-audit[hf-gguf]'")
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, prefix="partial-") as partial:
        made = Path(partial) / "model"
        try:
            _convert(gguf, made)
        except Exception as error:  # the reader of a damaged file raises anything
            raise TargetError(f"{gguf}: the GGUF file cannot be read ({type(error).__name__}: {error})") from None
        try:
            os.rename(made, folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster, with the same result
                raise
    return folder


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, local_files_only=True, dtype=torch.float32
        )
        # The weights are no longer quantised: a config that says so would have them quantised at the next load.
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.is_quantized = False
        model.hf_quantizer = None
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
