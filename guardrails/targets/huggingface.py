"""``hf:<folder or hub id>``: a causal language model in the layout of `transformers`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..core.conversations import Conversation, Decoding, Reply
from ..core.errors import TargetError
from ..core.targets import Access
from ..kit.lm.mode import run_mode, vocabulary_size
from .language.causal_model import LANGUAGE_MODEL_ACCESS, CausalTarget
from .language.chat_template import chat_of
from .language.conversations import answer
from .language.tokenizer import TextTokenizer
from .language.tokenizer_limits import check_emoji, check_parts
from .model_files.errors import first_line, target_errors
from .model_files.folder import MODEL, TOKENIZER, VOCABULARIES, ModelFolder, parsed, read_model
from .model_files.gguf import converted
from .model_files.quiet import offline, quiet
from .model_files.size import check_built, check_config, check_pass

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle")
WANTED = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.spm", "*.codes", "*.tokenizer")


class HuggingFaceTarget(CausalTarget):
    """A causal language model from a local folder, or from the hub where no such folder exists.

    Only safetensors or GGUF are read, and code that comes with a model is never run.

    Parameters
    ----------
    place : str
        A folder, or ``organisation/name`` on the hub.
    device : str, optional
        Default: CUDA where there is one, else the CPU.

    Raises
    ------
    TargetError
        For a folder that is missing or empty, has no tokenizer, only pickled weights, weights that do not fill the
        model, or a model that is not causal or needs code of its own.
    MissingExtraError
        For a GGUF file where the packages that read it are absent.
    """

    def __init__(self, place: str | Path, *, device: str | None = None) -> None:
        import torch

        self.name = f"hf:{place}"
        self.folder = _local(str(place), self.name)
        gguf = _only_gguf(self.folder)
        self._gguf_sha256: str | None = None
        readable = self.folder
        if gguf:
            readable, self._gguf_sha256 = converted(gguf)
        check_folder(readable, self.name)
        try:
            self._files = read_model(readable, (*MODEL, *TOKENIZER))
            if not self._files.weights:
                raise TargetError(
                    "neither model.safetensors nor model.safetensors.index.json is in the folder, and other files are "
                    "not read; rename them, or model.save_pretrained(folder) writes them"
                )
            check_config(parsed(self._files.settings["config.json"], "config.json"), self._files.weights.values())
            with quiet(), offline(), self._files.staged() as stage:
                self._tokenizer = load_tokenizer(stage, self._files)
                self._model, self._stored_as = _load_model(stage, self._files)
        except TargetError as error:
            raise TargetError(f"{self.name}: the model cannot be loaded ({error})") from None
        self._model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        try:
            with quiet():
                check_pass(self._model)
                self._mode = run_mode(self._model)
                config = self._model.config.get_text_config()
                bos = getattr(config, "bos_token_id", None)
                self._text = TextTokenizer(self._tokenizer, vocabulary_size(self._model), start=bos)
        except TargetError as error:
            raise TargetError(f"{self.name}: {error}") from None
        if self._text.chat_template is not None:
            self.access = LANGUAGE_MODEL_ACCESS | {Access.CONVERSATIONS}
        self.chat, self._chat_reading = chat_of(self._text, None, None, room=0)

    def take_documents(self, corpus: Any, holdout: Any) -> None:
        """Write the conversations of a corpus and a holdout out with the model's chat template, where it has one."""
        room = self.context_length // 4
        self.chat, self._chat_reading = chat_of(self._text, corpus, holdout, room=room)

    @property
    def model(self) -> Any:
        """The model, in evaluation mode and float32."""
        return self._model

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of `transformers`."""
        return self._tokenizer

    @property
    def start(self) -> int:
        """The start token, else the end-of-text token, else token 0."""
        return self._text.start

    @property
    def starts(self) -> Mapping[str, Sequence[int]]:
        """The start token, where the tokenizer does not add it: training may have."""
        return self._text.starts

    def reply(self, conversations: Sequence[Conversation], decoding: Decoding, seed: int) -> list[Reply]:
        """Return one reply per conversation: see `guardrails.targets.language.conversations.answer`."""
        return answer(self._model, self._text, conversations, decoding, seed, end=self.end)

    @property
    def reply_read_as(self) -> str:
        """How conversations are answered, for the report."""
        parts = ("each prompt is one message of the user, in the model's chat template", self._stored_as)
        return "; ".join(part for part in (*parts, self._mode.describe()) if part)

    @property
    def adds_start(self) -> bool:
        """Whether the tokenizer puts a start token before each text; else training may have begun documents as such."""
        return bool(self._text.lead)

    @property
    def read_as(self) -> str:
        """How texts and weights are read, and how the model is run, where that could be otherwise: for the report."""
        parts = (self._text.describe(), self._chat_reading, self._stored_as, self._mode.describe())
        return "; ".join(part for part in parts if part)

    @cached_property
    def end(self) -> frozenset[int]:
        """The end-of-text tokens that the tokenizer and the model's generation settings name."""
        ends: set[int] = set()
        for token in (self._tokenizer.eos_token_id, getattr(self._model.generation_config, "eos_token_id", None)):
            ends.update(token if isinstance(token, list) else [] if token is None else [token])
        return frozenset(ends)

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text, after a start token where the tokenizer adds one, without what it appends.

        Raises
        ------
        TargetError
            For a text with half a surrogate pair, or with a token that the model has no embedding for.
        """
        return self._text.encode(text)

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without special ones."""
        return self._text.decode(tokens)

    def identity(self) -> dict[str, str]:
        """Return the hash of weights, configuration and tokenizer, and the versions that read them."""
        return {
            "sha256": self._gguf_sha256 or self._files.sha256,
            "architecture": type(self._model).__name__,
            "parameters": str(sum(p.numel() for p in self._model.parameters())),
            "transformers": version("transformers"),
            "torch": version("torch"),
        }


def _local(place: str, name: str) -> Path:
    """Return the folder of a model, fetched from the hub where the place is none of this machine's."""
    folder = Path(place)
    if folder.is_dir():
        if not any(folder.iterdir()):
            raise TargetError(f"{name}: the folder is empty")
        return folder
    if folder.exists():
        raise TargetError(f"{name}: this is a file; name the folder that holds the model")
    if not HUB_ID.fullmatch(place):
        raise TargetError(f"{name}: no such folder")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(place, allow_patterns=list(WANTED)))
    except Exception as error:  # the network, the hub's answers, the file system
        raise TargetError(f"{name}: no such folder here, and the hub gave no model ({first_line(error)})") from None


def _only_gguf(folder: Path) -> Path | None:
    """Return the folder's GGUF file where that is the one way to read the model."""
    if (folder / "config.json").exists() and any(folder.glob("*.safetensors")):
        return None
    files = sorted(folder.glob("*.gguf"))
    if len(files) > 1:
        raise TargetError(f"hf:{folder}: {len(files)} GGUF files; leave one, or move it to a folder of its own")
    return files[0] if files else None


def check_folder(folder: Path, name: str) -> None:
    """Raise TargetError for a folder without safetensors, a configuration or a tokenizer."""
    if not any(folder.glob("*.safetensors")):
        pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
        if pickles:
            raise TargetError(
                f"{name}: its weights are pickled ({', '.join(pickles[:3])}), which can run code when loaded and is "
                "never read; convert them: model.save_pretrained(folder) writes safetensors"
            )
        raise TargetError(f"{name}: no weights (*.safetensors) in the folder")
    if not (folder / "config.json").exists():
        raise TargetError(f"{name}: no config.json in the folder; model.save_pretrained(folder) writes it")
    if not any((folder / file).exists() for file in VOCABULARIES):
        raise TargetError(f"{name}: no tokenizer in the folder; tokenizer.save_pretrained(folder) writes it")


def load_tokenizer(stage: Path, files: ModelFolder) -> Any:
    """Return the tokenizer of a staged folder; what it may do to a text is checked before."""
    from transformers import AutoTokenizer

    described = files.settings.get("tokenizer.json")
    if described is not None:
        check_parts(parsed(described, "tokenizer.json"))
    if "emoji.json" in files.settings:
        check_emoji(parsed(files.settings["emoji.json"], "emoji.json"))
    with target_errors("its tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(stage, local_files_only=True, trust_remote_code=False)
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if described is None and backend is not None:
            check_parts(json.loads(backend.to_str()))
    return tokenizer


def _load_model(stage: Path, files: ModelFolder) -> tuple[Any, str]:
    """Return the model and, where its weights are of another type than they are computed in, what is done."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with target_errors("its weights"):
        config = AutoConfig.from_pretrained(stage, local_files_only=True, trust_remote_code=False)
        quantised = getattr(config, "quantization_config", None) is not None
        check_built(
            lambda: AutoModelForCausalLM.from_config(config, trust_remote_code=False),
            files.weights.values(),
            quantised=quantised,
        )
        model, report = AutoModelForCausalLM.from_pretrained(
            stage,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype="auto" if quantised else torch.float32,
            output_loading_info=True,
        )
    if missing := sorted(report["missing_keys"]):
        raise TargetError(
            f"the weights lack {len(missing)} of the model's tensors ({', '.join(missing[:3])}): "
            "what would be audited is partly random"
        )
    stored = str(getattr(config, "dtype", None) or model.dtype).removeprefix("torch.")
    computed = str(model.dtype).removeprefix("torch.")
    if quantised:
        return model.eval(), f"quantised weights, computed in {computed}"
    return model.eval(), "" if stored == computed else f"weights of {stored}, computed in {computed}"
