"""``hf:<folder>`` with an encoder–decoder model of `transformers`: a translator, as of Marian, T5 or BART."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..core.errors import MissingExtraError, TargetError
from ..core.seeding import derive_seed32
from ..core.targets import Access, Modality, Target
from ..kit.settings_file import parse_json, read_bounded
from .huggingface import HuggingFaceTarget, check_folder, load_tokenizer
from .language.tokenizer_limits import TimedTokenizer
from .model_files.errors import target_errors
from .model_files.folder import MAX_SETTINGS, MODEL, TOKENIZER, ModelFolder, parsed, read_model
from .model_files.quiet import offline, quiet
from .model_files.size import check_built, check_config, check_pass
from .model_files.weights import inside

BATCH = 16
NO_LIMIT = 1_000_000
"""Tokenizers write 10^30 where they know no limit."""
LANGUAGES = {"spa": "es", "deu": "de", "ger": "de"}
"""Codes of three letters, as newer models of the family Marian state them."""


def load(place: str) -> Target:
    """Return the target of a folder, or of a model on the hub: an encoder–decoder, or a causal language model.

    Raises
    ------
    TargetError, MissingExtraError
        As `EncoderDecoderTarget` and `HuggingFaceTarget`.
    """
    return EncoderDecoderTarget(place) if _is_encoder_decoder(Path(place)) else HuggingFaceTarget(place)


class EncoderDecoderTarget:
    """An encoder–decoder from a local folder: a prompt is a sentence, and what the decoder makes of it is the answer.

    Only safetensors are read, and code that comes with a model is never run. The prompt is read alone: a model that
    wants a prefix, as T5 does, has to be given it in the prompt.

    Parameters
    ----------
    place : str
        The folder that ``save_pretrained`` wrote.

    Raises
    ------
    TargetError
        For a folder without a tokenizer, with pickled weights or weights that do not fill the model.
    MissingExtraError
        For a tokenizer of the family Marian where sentencepiece is not installed.
    """

    modality = Modality.TEXT
    access = frozenset({Access.OUTPUTS, Access.SAMPLING})
    available = None

    def __init__(self, place: str | Path) -> None:
        self.name, folder = f"hf:{place}", Path(place)
        check_folder(folder, self.name)
        try:
            self._files = read_model(folder, (*MODEL, *TOKENIZER))
            check_config(parsed(self._files.settings["config.json"], "config.json"), self._files.weights.values())
            _check_sentencepiece(self._files)
            with quiet(), offline(), self._files.staged() as stage:
                self._tokenizer = TimedTokenizer(load_tokenizer(stage, self._files))
                self._model = _load_model(stage, self._files)
            with quiet():
                check_pass(self._model)
        except TargetError as error:
            raise TargetError(f"{self.name}: the model cannot be loaded ({error})") from None
        self.translates_into = _language(self._files)
        config = self._model.config
        limits = (getattr(config, "max_position_embeddings", None), self._tokenizer.model_max_length)
        self._room = min((n for n in limits if isinstance(n, int) and 0 < n < NO_LIMIT), default=None)

    @property
    def read_as(self) -> str:
        """What the model is taken for."""
        into = f" into {self.translates_into}" if self.translates_into else ""
        return f"an encoder–decoder{into}: each prompt is read alone, without a prefix"

    def identity(self) -> dict[str, str]:
        """Return the hash of weights, configuration and tokenizer, and the versions that read them."""
        return {
            "sha256": self._files.sha256,
            "architecture": type(self._model).__name__,
            "transformers": version("transformers"),
            "torch": version("torch"),
        }

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        """Return n texts that the decoder makes of an empty prompt."""
        return self.generate([""] * n, max_new_tokens=max_new_tokens, seed=seed)

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        """Return what the decoder makes of each prompt: greedily at temperature 0, else sampled, never by beams.

        Raises
        ------
        TargetError
            For a prompt that is longer than the model reads, a token without an embedding, and where the model breaks.
        """
        out: list[str] = []
        for start in range(0, len(prompts), BATCH):
            encoded = [self._encode(prompt) for prompt in prompts[start : start + BATCH]]
            batch_seed = derive_seed32(seed, "encoder-decoder", start)
            made = self._generated(encoded, max_new_tokens=max_new_tokens, temperature=temperature, seed=batch_seed)
            out += [self._tokenizer.decode(tokens, skip_special_tokens=True) for tokens in made]
        return out

    def _encode(self, prompt: str) -> list[int]:
        tokens = self._tokenizer.encode(prompt, verbose=False)
        if self._room is not None and len(tokens) > self._room:
            raise TargetError(f"the prompt has {len(tokens):,} tokens; {self.name} reads {self._room:,}")
        known = self._model.get_input_embeddings().num_embeddings
        if not tokens or max(tokens) >= known:
            what = "no token" if not tokens else f"a token beyond the {known:,} that the model has an embedding for"
            raise TargetError(f"{self.name}: the tokenizer makes {what} of the prompt")
        return tokens

    def _generated(
        self, encoded: Sequence[Sequence[int]], *, max_new_tokens: int, temperature: float, seed: int
    ) -> list[list[int]]:
        import torch

        pad = self._model.config.pad_token_id or 0
        longest = max(map(len, encoded))
        tokens = torch.full((len(encoded), longest), pad, dtype=torch.int64)
        mask = torch.zeros_like(tokens)
        for row, sequence in enumerate(encoded):
            tokens[row, : len(sequence)] = torch.tensor(sequence)
            mask[row, : len(sequence)] = 1
        sampling = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        with target_errors(f"{self.name} broke"), torch.random.fork_rng(devices=[]), quiet(), torch.inference_mode():
            torch.manual_seed(seed)
            made = self._model.generate(
                input_ids=tokens,
                attention_mask=mask,
                max_new_tokens=self._fitting(max_new_tokens),
                num_beams=1,
                **(sampling if temperature > 0 else {"do_sample": False}),
            )
        rows: list[list[int]] = made.tolist()
        return rows

    def _fitting(self, wanted: int) -> int:
        """Return how many tokens the decoder may write: its first position is the start token."""
        positions = getattr(self._model.config, "max_position_embeddings", None) or math.inf
        return int(max(1, min(wanted, positions - 1)))


def _is_encoder_decoder(folder: Path) -> bool:
    """Whether a folder's configuration says so; what is wrong with it is said by whoever reads it whole."""
    try:
        config = parse_json(read_bounded(inside(folder, "config.json"), max_bytes=MAX_SETTINGS), "config.json")
    except Exception:
        return False
    return isinstance(config, dict) and config.get("is_encoder_decoder") is True


def _check_sentencepiece(files: ModelFolder) -> None:
    if {"source.spm", "target.spm"} & files.settings.keys() and find_spec("sentencepiece") is None:
        raise MissingExtraError("sentencepiece", "pip install sentencepiece")


def _language(files: ModelFolder) -> str | None:
    """Return the language that the tokenizer's settings name as the target, as a code of two letters."""
    if "tokenizer_config.json" not in files.settings:
        return None
    settings = parsed(files.settings["tokenizer_config.json"], "tokenizer_config.json")
    language = settings.get("target_lang") or settings.get("tgt_lang")
    if not isinstance(language, str):
        return None
    return LANGUAGES.get(language, language)[:20]


def _load_model(stage: Path, files: ModelFolder) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    with target_errors("its weights"):
        config = AutoConfig.from_pretrained(stage, local_files_only=True, trust_remote_code=False)
        check_built(lambda: AutoModelForSeq2SeqLM.from_config(config, trust_remote_code=False), files.weights.values())
        model, report = AutoModelForSeq2SeqLM.from_pretrained(
            stage, config=config, local_files_only=True, trust_remote_code=False, use_safetensors=True,
            dtype=torch.float32, output_loading_info=True,
        )  # fmt: skip
    if missing := sorted(report["missing_keys"]):
        raise TargetError(
            f"the weights lack {len(missing)} of the model's tensors ({', '.join(missing[:3])}): "
            "what would be audited is partly random"
        )
    return model.eval()
