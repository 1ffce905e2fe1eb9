"""Generated pictures by an image classifier of `transformers`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.errors import ConfigurationError, ContentError
from .images.fixed_network import FixedDetector, place_and_choice

if TYPE_CHECKING:
    from .images.picture import Picture

MADE = ("aigc", "aigenerated", "artificial", "diffusion", "gan", "generated", "manipulated", "synthetic")
SYNTHETIC = frozenset((*MADE, "ai", "deepfake", "deepfakes", "fake", "fakes"))
REAL = frozenset(("authentic", "genuine", "human", "natural", "nature", "original", "photo", "real", "realism"))
NEGATION = frozenset(("not", "no", "non"))


class Classifier(FixedDetector):
    """An image classifier in the layout of `transformers`, ``deepfake.classifier:FOLDER``.

    `id2label` decides which labels mean "synthetic"; if that is not certain, `FOLDER#LABEL` or `FOLDER#LABEL+LABEL`
    selects them. The score is the log odds of these labels against all others, computed from the network's outputs.
    Pictures are prepared by the folder's own image processor, one at a time. A hub model is downloaded only as
    `hub:organisation/name`. Only safetensors are read; code that comes with a model is never run.

    Parameters
    ----------
    argument : str
        ``FOLDER``, ``FOLDER#LABEL``, the same with ``hub:organisation/name``, or a folder that `save` wrote.

    Raises
    ------
    ConfigurationError
        Where the model cannot be loaded, or it is not certain which label means "synthetic".
    """

    id = "deepfake.classifier"
    title = "An image classifier of transformers"
    limits = (
        "As good as the given classifier: its training data are unknown, and many published ones were trained on "
        "data in which the file format reveals the answer. Its score has no meaning before it is calibrated on "
        "pictures that it was not trained on."
    )
    takes = (
        "a folder of transformers or hub:organisation/name, each with #LABEL where needed, or a folder that it saved"
    )

    def _open(self) -> None:
        from .images.transformers_models import folder_of, load_model, load_processor, sha256_of

        self._named = f"{self.id}:{self.argument}"
        place, choice = place_and_choice(self.argument)
        folder = folder_of(place, self._named)
        self._model = load_model("AutoModelForImageClassification", folder, self._named)
        self._processor = load_processor(folder, self._named)
        names = {int(i): str(name) for i, name in self._model.config.id2label.items()}
        self.synthetic = synthetic_labels([names[i] for i in sorted(names)], choice, self._named)
        self._sha256 = sha256_of(folder)

    @property
    def sha256(self) -> str:
        return self._sha256

    def logit(self, picture: Picture) -> float:
        import torch

        pixels = picture.pixels
        try:
            given = self._processor(images=pixels, return_tensors="pt", input_data_format="channels_last")
            with torch.inference_mode():
                logits = self._model(**given).logits[0].double()
        except Exception as error:  # pictures too small for a processor, a model of another kind
            raise ContentError(f"{self._named}: it failed with {type(error).__name__}: {error}") from error
        made = torch.zeros(len(logits), dtype=torch.bool)
        made[list(self.synthetic)] = True
        others = torch.logsumexp(logits[~made], 0) if (~made).any() else torch.tensor(0.0)
        score = float(torch.logsumexp(logits[made], 0) - others)
        if score != score or abs(score) == float("inf"):
            raise ContentError(f"{self._named}: it gives numbers that are not finite for this picture")
        return score


def synthetic_labels(labels: Sequence[str], choice: str, named: str) -> tuple[int, ...]:
    """Return the places of the labels that mean "synthetic".

    Parameters
    ----------
    labels : sequence of str
        In the order of the logits.
    choice : str
        Labels that the user named, joined by ``+``, or nothing.
    named : str
        What messages call the classifier.

    Raises
    ------
    ConfigurationError
        For a label that there is none of, or where it is not certain.

    >>> synthetic_labels(["Real", "AI-generated"], "", "x"), synthetic_labels(["a", "b", "c"], "c+a", "x")
    ((1,), (0, 2))
    """
    listed = ", ".join(labels[:20])
    if choice:
        wanted = choice.split("+")
        unknown = [name for name in wanted if name not in labels]
        if unknown:
            raise ConfigurationError(f"{named}: there is no label '{unknown[0]}'; its labels: {listed}")
        synthetic = tuple(i for i, name in enumerate(labels) if name in wanted)
        if len(synthetic) == len(labels) > 1:
            raise ConfigurationError(f"{named}: every label means synthetic; name fewer of: {listed}")
        return synthetic
    meanings = [_meaning(label) for label in labels]
    synthetic = tuple(i for i, meaning in enumerate(meanings) if meaning == 1)
    certain = 0 < len(synthetic) < len(labels) and (len(labels) == 2 or None not in meanings)
    if not certain:
        raise ConfigurationError(
            f"{named}: which label means synthetic is not certain; its labels: {listed}. Name it: FOLDER#LABEL, or"
            " FOLDER#LABEL+LABEL for several"
        )
    return synthetic


def _meaning(label: str) -> int | None:
    """1 for synthetic, 0 for real, None where the words do not say."""
    words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label).lower()))
    made, real, negated = bool(words & SYNTHETIC), bool(words & REAL), bool(words & NEGATION)
    if negated or made == real:
        return None
    return int(made)
