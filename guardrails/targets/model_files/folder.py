"""What is read of a model's folder: settings, a tokenizer and safetensors, checked before anything loads them.

What loads the model is given a folder with these files alone. So it reads no pickle, no adapter, no code and no file
from elsewhere, whatever the model's folder holds or names, and what is hashed is what was loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from ...core.errors import ContentError, TargetError
from ...kit.settings_file import MAX_NAME, parse_json, read_bounded
from .weights import INDEX, Weights, find_weights, inside

MODEL = ("config.json", "generation_config.json")
PICTURES = ("preprocessor_config.json", "processor_config.json")
VOCABULARIES = (
    *("tokenizer.json", "tokenizer.model", "tiktoken.model", "tekken.json", "vocab.json", "merges.txt", "vocab.txt"),
    *("spiece.model", "spm.model", "spm_char.model", "sentencepiece.model", "sentencepiece.bpe.model", "bpe.codes"),
    *("dict.txt", "source.spm", "target.spm", "target_vocab.json", "normalizer.json", "prophetnet.tokenizer"),
    *("emoji.json", "word_shape.json", "word_pronunciation.json", "entity_vocab.json"),
    *("vocab-src.json", "vocab-tgt.json"),
)
TEMPLATE, TEMPLATES = "chat_template.jinja", "additional_chat_templates"
TOKENIZER = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", TEMPLATE, *VOCABULARIES)
"""Files that the tokenizers of `transformers` are made of: all that their classes name, but for ``byte_maps.json`` of
MyT5, which is no causal model and may map a byte to any number of others."""
MAX_TEMPLATES = 100
ADAPTER = "adapter_config.json"
MAX_SETTINGS, MAX_TOKENIZER = 10_000_000, 100_000_000
MAX_TOKEN = 100_000
"""Characters of a name in a file of a tokenizer, where tokens are names."""
LEFT_OUT = re.compile(
    "auto_map|custom_pipelines|configuration_files|transformers_weights"
    "|_?(?:attn|experts)_implementation(?:_internal|_autoset)?"
)
"""Settings that name code, kernels of the hub or other files."""
LEFT_OUT_OF_TOKENIZERS = re.compile(r"auto_map|init_inputs|tokenizer_object|name_or_path|\w*_files?")


@dataclass(frozen=True)
class ModelFolder:
    """The files of a model that are read, by their place below its folder.

    Attributes
    ----------
    folder : Path
    settings : mapping of str to bytes
        As they are in the folder.
    weights : mapping of str to Weights
    """

    folder: Path
    settings: Mapping[str, bytes]
    weights: Mapping[str, Weights]

    @cached_property
    def sha256(self) -> str:
        """One SHA-256 over the names and contents of all files that are read.

        Raises
        ------
        TargetError
            Where weights are not those that were checked.
        """
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in self.settings.items()}
        for name, weights in self.weights.items():
            with weights.path.open("rb") as file:
                digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
        self.check()
        lines = (os.fsencode(name) + f"\0{digest}\n".encode() for name, digest in sorted(digests.items()))
        return hashlib.sha256(b"".join(lines)).hexdigest()

    def check(self) -> None:
        """Raise TargetError where weights are not those that were checked."""
        for weights in self.weights.values():
            weights.check()

    @contextmanager
    def staged(self) -> Iterator[Path]:
        """Give a folder with the checked files alone: settings as copies, without what names code or other files.

        Raises
        ------
        TargetError
            Where weights were changed meanwhile.
        """
        with tempfile.TemporaryDirectory(prefix="guardrails-model-") as temporary:
            stage = Path(temporary) / (self.folder.resolve().name or "model")
            for name, content in self.settings.items():
                place = stage / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(_without_code(place.name, content))
            for name, weights in self.weights.items():
                place = stage / name
                place.parent.mkdir(parents=True, exist_ok=True)
                try:
                    place.symlink_to(weights.path)
                except OSError:  # a system without links
                    shutil.copyfile(weights.path, place)
            yield stage
            self.check()


def read_model(
    folder: Path, names: Sequence[str], *, stem: str = "model", config: str = "config.json", below: str = ""
) -> ModelFolder:
    """Find the files of a model and check them.

    Parameters
    ----------
    folder : path
        Of the model, or of a part of it.
    names : sequence of str
        Settings and files of a tokenizer that are read where they are there.
    stem : str
        Of the names of the weights.
    config : str
        The file of settings that may name other weights.
    below : str
        Put before every name, with a slash, where the folder is a part of another.

    Raises
    ------
    TargetError
        For a file that leads out of the folder, is too large or damaged, and for an adapter, which is not applied.
    """
    if os.path.lexists(folder / ADAPTER):
        raise TargetError(
            f"the folder holds an adapter ({ADAPTER}), which is not applied; merge it into the model: "
            "model.merge_and_unload().save_pretrained(folder)"
        )
    present = [name for name in names if os.path.lexists(folder / name)]
    settings = {name: _read(folder, name) for name in [*present, *(_templates(folder) if TEMPLATE in names else ())]}
    named = parsed(settings[config], config).get("transformers_weights") if config in settings else None
    index, weights = find_weights(folder, stem, named=named)
    if index is not None:
        settings[f"{stem}.safetensors{INDEX}"] = index
    before = f"{below}/" if below else ""
    return ModelFolder(
        folder, {before + k: v for k, v in settings.items()}, {before + k: v for k, v in weights.items()}
    )


def parsed(content: bytes, name: str) -> dict[str, Any]:
    """Return the object that a JSON file holds. Raises TargetError where it holds none, or one beyond the bounds."""
    try:
        value = parse_json(content, name, max_name=MAX_TOKEN if Path(name).name in TOKENIZER else MAX_NAME)
    except ContentError as error:
        raise TargetError(str(error)) from None
    if not isinstance(value, dict):
        raise TargetError(f"{name} holds no object")
    return value


def _read(folder: Path, name: str) -> bytes:
    try:
        content = read_bounded(inside(folder, name), max_bytes=MAX_TOKENIZER if name in TOKENIZER else MAX_SETTINGS)
    except ContentError as error:
        raise TargetError(str(error)) from None
    if name.endswith(".json"):
        parsed(content, name)
    return content


def _templates(folder: Path) -> list[str]:
    """Return the places of the further chat templates, which a tokenizer has by name.

    Raises
    ------
    TargetError
        Where their folder leads out of the model's, or holds more than `MAX_TEMPLATES`.
    """
    if not (folder / TEMPLATES).is_dir():
        return []
    templates = sorted(path.name for path in islice(inside(folder, TEMPLATES).glob("*.jinja"), MAX_TEMPLATES + 1))
    if len(templates) > MAX_TEMPLATES:
        raise TargetError(f"{TEMPLATES} holds more than {MAX_TEMPLATES} templates")
    return [f"{TEMPLATES}/{name}" for name in templates]


def _without_code(name: str, content: bytes) -> bytes:
    """Return settings without what names code or other files; of an index, what names the shards."""
    if name.endswith(INDEX):
        value: Any = {"metadata": {}, "weight_map": parsed(content, name)["weight_map"]}
    elif name == "tokenizer_config.json":
        value = {k: v for k, v in parsed(content, name).items() if not LEFT_OUT_OF_TOKENIZERS.fullmatch(k)}
    elif name.endswith("config.json"):
        value = _stripped(parsed(content, name))
    else:
        return content
    return json.dumps(value).encode()


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _stripped(v) for k, v in value.items() if not LEFT_OUT.fullmatch(k)}
    return [_stripped(part) for part in value] if isinstance(value, list) else value
