"""Models of `transformers` from a local folder: safetensors only, code that comes with a model is never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...core.errors import ConfigurationError, TargetError
from ...targets.model_files.errors import first_line, target_errors
from ...targets.model_files.folder import MODEL, PICTURES, ModelFolder, parsed, read_model
from ...targets.model_files.quiet import offline, quiet
from ...targets.model_files.size import check_built, check_config

HUB = "hub:"


def folder_of(place: str, named: str) -> Path:
    """Return the folder of a model; only ``hub:organisation/name`` is fetched, and only weights and settings of it.

    Raises
    ------
    ConfigurationError
        Where there is no such folder, the hub does not give it, or it holds no config.json or no safetensors.
    """
    from ...targets.huggingface import HUB_ID, PICKLES

    if place.startswith(HUB):
        id = place.removeprefix(HUB)
        if not HUB_ID.fullmatch(id):
            raise ConfigurationError(f"{named}: after {HUB} comes organisation/name")
        folder = _fetched(id, named)
    else:
        folder = Path(place)
        if not folder.is_dir():
            hint = f"; a model on the hub is {HUB}{place}" if HUB_ID.fullmatch(place) else ""
            raise ConfigurationError(f"{named}: no such folder{hint}")
    if not (folder / "config.json").is_file():
        raise ConfigurationError(f"{named}: no config.json in the folder; model.save_pretrained(folder) writes it")
    if not any(folder.glob("*.safetensors")):
        pickled = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
        why = f"its weights are pickled ({pickled[0]}), which is never read" if pickled else "no weights in the folder"
        raise ConfigurationError(f"{named}: {why}; model.save_pretrained(folder) writes safetensors")
    return folder


def _fetched(id: str, named: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(id, allow_patterns=["*.json", "*.safetensors"]))
    except Exception as error:  # the network, the hub's answers, the file system
        raise ConfigurationError(f"{named}: the hub gave no model ({first_line(error)})") from None


def load_model(auto: str, folder: Path, named: str, *, spare: tuple[str, ...] = ()) -> Any:
    """Return a model in evaluation mode and float32.

    Parameters
    ----------
    auto : str
        The class of `transformers` that chooses the architecture.
    folder : Path
        From `folder_of`.
    named : str
        What messages call it.
    spare : tuple of str
        Parts of names of tensors that may be missing, because they are not used.

    Raises
    ------
    ConfigurationError
        Where it cannot be loaded, or its weights do not fill it.
    """
    import torch
    import transformers

    try:
        files = read_model(folder, MODEL)
        check_config(parsed(files.settings["config.json"], "config.json"), files.weights.values())
        with quiet(), offline(), files.staged() as stage, target_errors("its weights"):
            config = transformers.AutoConfig.from_pretrained(stage, local_files_only=True, trust_remote_code=False)
            check_built(lambda: getattr(transformers, auto).from_config(config), files.weights.values())
            model, report = getattr(transformers, auto).from_pretrained(
                stage,
                config=config,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except TargetError as error:
        raise ConfigurationError(f"{named}: the model cannot be loaded ({error})") from None
    missing = sorted(key for key in report["missing_keys"] if not any(part in key for part in spare))
    if missing:
        raise ConfigurationError(
            f"{named}: the weights lack {len(missing)} of the model's tensors ({', '.join(missing[:3])}): it would be"
            " partly random"
        )
    return model.eval()


def _files(folder: Path) -> ModelFolder:
    return read_model(folder, (*MODEL, *PICTURES))


def sha256_of(folder: Path) -> str:
    """Return the hash of weights and settings."""
    return _files(folder).sha256


def settings_of(folder: Path) -> dict[str, Any]:
    """Return preprocessor_config.json, or nothing where there is none that can be read."""
    try:
        return parsed(_files(folder).settings["preprocessor_config.json"], "preprocessor_config.json")
    except (KeyError, TargetError):
        return {}


def load_processor(folder: Path, named: str) -> Any:
    """Return the image processor of a folder, which runs on Pillow.

    Raises
    ------
    ConfigurationError
        Where there is none that can be loaded.
    """
    from transformers import AutoImageProcessor

    try:
        with quiet(), offline(), _files(folder).staged() as stage, target_errors("its settings"):
            return AutoImageProcessor.from_pretrained(
                stage, local_files_only=True, trust_remote_code=False, backend="pil"
            )
    except TargetError as error:  # no preprocessor_config.json, an unknown kind, code of its own
        raise ConfigurationError(
            f"{named}: the image processor cannot be loaded ({error}); processor.save_pretrained(folder) writes it"
        ) from None
