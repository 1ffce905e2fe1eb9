"""Turns a GGUF file into a safetensors folder, once: reading the former takes half a minute, the latter a second."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...core.errors import MissingExtraError, TargetError
from ...kit.checksums import file_sha256
from ...kit.io import cache_folder, shown
from .errors import target_errors
from .gguf_header import check_gguf
from .quiet import offline, quiet
from .size import check_built, check_config


def converted(gguf: Path) -> tuple[Path, str]:
    """Return a folder with what a GGUF file holds, and the SHA-256 of that file.

    The weights are in float32 (exact: they are dequantised). The folder lies in the cache under the hash of the file,
    and appears there whole or not at all. What versions before these checks converted lies in ``gguf`` and is not read.

    Raises
    ------
    MissingExtraError
        Where the packages that read GGUF are absent.
    TargetError
        Where the file is damaged, does not hold the tensors of the model that it describes, or is of an architecture
        that `transformers` does not read.
    """
    home, sha256 = cache_folder() / "gguf-2", file_sha256(gguf)
    folder = home / sha256[:32]
    if folder.is_dir():
        return folder, sha256
    for package in ("gguf", "accelerate"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "pip install 'guardrails-audit[hf-gguf]'")
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, prefix="partial-") as partial:
        made = Path(partial) / "model"
        try:
            with target_errors("the GGUF file cannot be read"):
                _convert(gguf, made)
                if file_sha256(gguf) != sha256:
                    raise TargetError("it was changed while it was read; start again")
        except TargetError as error:
            raise TargetError(f"{shown(gguf)}: {error}") from None
        try:
            os.rename(made, folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster, with the same result
                raise
    return folder, sha256


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    weights = [check_gguf(gguf)]
    # The file alone: settings beside it could name code or other files.
    alone = folder.parent / "gguf"
    alone.mkdir()
    (alone / "model.gguf").symlink_to(gguf.resolve())
    given = {"gguf_file": "model.gguf", "local_files_only": True, "trust_remote_code": False}
    with quiet(), _without_bar(), offline():
        tokenizer = AutoTokenizer.from_pretrained(alone, **given)
        config = AutoConfig.from_pretrained(alone, **given)
        check_config(config.to_dict(), weights, "its metadata")
        check_built(lambda: AutoModelForCausalLM.from_config(config, trust_remote_code=False), weights)
        model, report = AutoModelForCausalLM.from_pretrained(
            alone, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True, **given
        )
        _check_filled(report)
        # The weights are no longer quantised: a config that says so would have them quantised at the next load.
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.is_quantized = False
        model.hf_quantizer = None
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


@contextmanager
def _without_bar() -> Iterator[None]:
    """Keep `transformers` from showing a progress bar over the tensors, which none of its settings turns off."""
    from transformers import modeling_gguf_pytorch_utils as module

    shown: Any = vars(module).get("tqdm")
    try:
        vars(module)["tqdm"] = lambda tensors, **_: tensors
        yield
    finally:
        vars(module)["tqdm"] = shown


def _check_filled(report: Mapping[str, Any]) -> None:
    """Raise TargetError where tensors were not loaded: they would hold random numbers."""
    if wrong := sorted(report["mismatched_keys"]):
        tensor, stored, described = wrong[0]
        raise TargetError(
            f"it describes another model than it holds: {tensor} is of {tuple(described)} by its metadata, and of "
            f"{tuple(stored)} in the file"
        )
    if missing := sorted(report["missing_keys"]):
        raise TargetError(f"it lacks {len(missing)} of the model's tensors ({', '.join(missing[:3])})")
