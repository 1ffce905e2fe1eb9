"""The user's model of an attribute: an ONNX or TorchScript file, or a folder of `transformers`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ...core.errors import ConfigurationError, TargetError
from ...kit.pictures.attribute_model import AttributeModel
from ...kit.pictures.descriptor import squared
from ...kit.pictures.user_network import load_network
from ...targets.model_files.errors import target_errors
from ...targets.model_files.folder import MODEL, PICTURES, ModelFolder, parsed, read_model
from ...targets.model_files.quiet import offline, quiet
from ...targets.model_files.size import check_built, check_config
from .reference_shares import reference_shares

WHAT = "attribute model"


def check_model(path: Path) -> None:
    """Raise a `GuardrailsError` for what cannot be read as a model."""
    if path.is_dir():
        _folder(path)
    else:
        load_network(path, what=WHAT)


def load_model(path: Path, classes: str | None) -> AttributeModel:
    """Read a model that classifies pictures.

    Parameters
    ----------
    path : path
        A folder with an image classifier of `transformers` (safetensors, ``preprocessor_config.json``); or a file that
        `guardrails.kit.pictures.user_network` reads and that returns one score for each class, (N, K).
    classes : str, optional
        Of a file, the names of its classes in the order of its scores, with commas. A folder names its own.

    Raises
    ------
    ConfigurationError
        Where classes are missing for a file, or given for a folder.
    GuardrailsError
        For what cannot be read as a model.
    """
    if path.is_dir():
        if classes is not None:
            raise ConfigurationError(f"{WHAT} {path}: a folder names its classes itself, in config.json")
        return _folder(path)
    if classes is None:
        raise ConfigurationError(f"{WHAT} {path}: name its classes in the order of its scores, as in classes=woman,man")
    return _network(path, reference_shares(classes).groups)


def _network(path: Path, names: tuple[str, ...]) -> AttributeModel:
    import numpy as np

    network = load_network(path, what=WHAT)

    def read(pictures: Sequence[Any]) -> list[str | None]:
        scores = network.run(np.stack([squared(picture, network.size) for picture in pictures]))
        if scores.shape != (len(pictures), len(names)):
            raise ConfigurationError(
                f"{WHAT} {path}: it returned an array of shape {scores.shape} for {len(pictures)} pictures and "
                f"{len(names)} classes"
            )
        return _largest(scores, names)

    identity = {"sha256": network.sha256, "classes": ", ".join(names)}
    return AttributeModel(network.name, names, read, identity)


def _largest(scores: Any, names: Sequence[str]) -> list[str | None]:
    import numpy as np

    readable = np.isfinite(scores).all(axis=1)
    return [names[int(row.argmax())] if ok else None for row, ok in zip(scores, readable, strict=True)]


def _folder(path: Path) -> AttributeModel:
    import torch

    name = f"{WHAT} {path}"
    for pattern, what in (("*.safetensors", "weights"), ("config.json", "settings")):
        if not any(path.glob(pattern)):
            raise TargetError(f"{name}: no {what} ({pattern}) in the folder")
    try:
        files = read_model(path, (*MODEL, *PICTURES))
        if not set(PICTURES) & files.settings.keys():
            raise TargetError(f"{PICTURES[0]} is missing: it says how pictures are prepared")
        config = parsed(files.settings["config.json"], "config.json")
        check_config(config, files.weights.values())
        with quiet(), offline(), files.staged() as stage:
            prepare, model = _load(stage, files)
    except TargetError as error:
        raise TargetError(f"{name}: it cannot be loaded ({error})") from None
    names = tuple(str(model.config.id2label[i]) for i in range(model.config.num_labels))
    if len(set(names)) < max(2, len(names)):
        raise ConfigurationError(f"{name}: its classes have to be two different names or more; they are {names[:8]}")

    def read(pictures: Sequence[Any]) -> list[str | None]:
        with quiet(), torch.inference_mode(), target_errors("a picture"):
            prepared = prepare(images=list(pictures), return_tensors="pt")
            scores = model(pixel_values=prepared["pixel_values"]).logits.double().numpy()
        return _largest(scores, names)

    return AttributeModel(path.name, names, read, {"sha256": files.sha256, "transformers": version("transformers")})


def _load(stage: Path, files: ModelFolder) -> tuple[Any, Any]:
    import torch
    from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageClassification

    with target_errors("its weights"):
        config = AutoConfig.from_pretrained(stage, local_files_only=True, trust_remote_code=False)
        check_built(
            lambda: AutoModelForImageClassification.from_config(config, trust_remote_code=False),
            files.weights.values(),
        )
        prepare = AutoImageProcessor.from_pretrained(stage, local_files_only=True, trust_remote_code=False)
        model, report = AutoModelForImageClassification.from_pretrained(
            stage, config=config, local_files_only=True, trust_remote_code=False, use_safetensors=True,
            dtype=torch.float32, output_loading_info=True,
        )  # fmt: skip
    if missing := sorted(report["missing_keys"]):
        raise TargetError(f"the weights lack {len(missing)} tensors ({', '.join(missing[:3])}): it is no classifier")
    return prepare, model.eval()
