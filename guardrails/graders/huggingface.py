"""``hf:FOLDER#LABEL``: a sequence classifier of `transformers` in a local folder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..core.errors import ConfigurationError, TargetError
from ..core.grading import Gradable, Grade, Grader, answer_of
from ..targets.huggingface import check_folder, load_tokenizer
from ..targets.language.tokenizer_limits import TimedTokenizer
from ..targets.model_files.errors import target_errors
from ..targets.model_files.folder import MODEL, TOKENIZER, ModelFolder, parsed, read_model
from ..targets.model_files.quiet import offline, quiet
from ..targets.model_files.size import check_built, check_config

NO_LIMIT = 1_000_000
"""Tokenizers write 10^30 where they know no limit."""


class ClassifierGrader(Grader):
    """One class of a sequence classifier: the label's name, or ``not`` and the name.

    Texts are read one at a time, so that a grade does not depend on what else is graded. Only safetensors are read, no
    code that comes with the model is run, and nothing is fetched.

    Parameters
    ----------
    place : str
        ``FOLDER#LABEL``. The label is one of those that ``config.json`` names.

    Raises
    ------
    ConfigurationError
        Where no label is named, or none of the model's.
    TargetError
        For a folder that cannot be read as a sequence classifier.
    """

    id = "hf"
    title = "A sequence classifier in the layout of transformers"
    question = "Does the classifier give the text this label?"
    limits = "What the classifier learnt; a text longer than its context is not graded."
    takes = "the classifier: FOLDER#LABEL"

    def __init__(self, place: str) -> None:
        folder, _, label = place.rpartition("#") if "#" in place else (place, "", "")
        self._name = f"hf:{folder}"
        if not Path(folder).is_dir():
            raise TargetError(f"{self._name}: no such folder")
        check_folder(Path(folder), self._name)
        try:
            self._files = read_model(Path(folder), (*MODEL, *TOKENIZER))
            config = parsed(self._files.settings["config.json"], "config.json")
            check_config(config, self._files.weights.values())
            with quiet(), offline(), self._files.staged() as stage:
                self._tokenizer = TimedTokenizer(load_tokenizer(stage, self._files))
                self._model = _load(stage, self._files)
        except TargetError as error:
            raise TargetError(f"{self._name}: the classifier cannot be loaded ({error})") from None
        names = {int(i): str(name) for i, name in self._model.config.id2label.items()}
        places = [i for i, name in names.items() if name == label]
        if len(places) != 1:
            known = ", ".join(names.values())
            what = f"{len(places)} classes are called '{label}'" if label else "a label is missing"
            raise ConfigurationError(f"{self._name}: {what}; write {self._name}#LABEL with one of: {known}")
        self._class = places[0]
        kind = self._model.config.problem_type
        if kind == "regression":
            raise ConfigurationError(f"{self._name} is a regression: it has no classes")
        self._several = kind == "multi_label_classification" or self._model.config.num_labels == 1
        self.labels = (label, f"not {label}")
        limits = (getattr(self._model.config, "max_position_embeddings", None), self._tokenizer.model_max_length)
        self._room = min((n for n in limits if isinstance(n, int) and 0 < n < NO_LIMIT), default=None)

    def identity(self) -> dict[str, str]:
        """Return the hash of weights, configuration and tokenizer, the label, and how the class is decided."""
        return {
            "sha256": self._files.sha256,
            "label": self.labels[0],
            "decided by": "sigmoid of the class ≥ 0.5" if self._several else "the largest of all classes",
            "transformers": version("transformers"),
        }

    def label_items(self, items: Sequence[Gradable]) -> list[Grade]:
        """Return the grades; the score is the probability of the label."""
        return [self._grade(answer_of(item)) for item in items]

    def _grade(self, text: str) -> Grade:
        import torch

        try:
            tokens = self._tokenizer.encode(text, verbose=False)
        except TargetError as error:
            return Grade(None, reason=str(error))
        if self._room is not None and len(tokens) > self._room:
            return Grade(None, reason=f"it has {len(tokens):,} tokens; the classifier reads {self._room:,}")
        if not tokens or max(tokens) >= self._model.get_input_embeddings().num_embeddings:
            return Grade(None, reason="the classifier has no embedding for its tokens")
        with torch.inference_mode():
            logits = self._model(input_ids=torch.tensor([tokens])).logits[0].double()
        probabilities = torch.sigmoid(logits) if self._several else torch.softmax(logits, dim=-1)
        score = float(probabilities[self._class])
        if not math.isfinite(score):
            return Grade(None, reason="the classifier's output is no number")
        given = score >= 0.5 if self._several else int(probabilities.argmax()) == self._class
        return Grade(self.labels[0 if given else 1], score=score)


def _load(stage: Path, files: ModelFolder) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    with target_errors("its weights"):
        config = AutoConfig.from_pretrained(stage, local_files_only=True, trust_remote_code=False)
        check_built(
            lambda: AutoModelForSequenceClassification.from_config(config, trust_remote_code=False),
            files.weights.values(),
        )
        model, report = AutoModelForSequenceClassification.from_pretrained(
            stage, config=config, local_files_only=True, trust_remote_code=False, use_safetensors=True,
            dtype=torch.float32, output_loading_info=True,
        )  # fmt: skip
    if missing := sorted(report["missing_keys"]):
        raise TargetError(f"the weights lack {len(missing)} tensors ({', '.join(missing[:3])}): it is no classifier")
    return model.eval()
