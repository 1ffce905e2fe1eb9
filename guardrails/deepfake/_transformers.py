"""Models of `transformers` from a local folder: safetensors only, code that comes with a model is never run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..core.errors import ConfigurationError

HUB = "hub:"


def folder_of(place: str, named: str) -> Path:
    """Return the folder of a model; only ``hub:organisation/name`` is fetched, and only weights and settings of it.

    Raises
    ------
    ConfigurationError
        Where there is no such folder, the hub does not give it, or it holds no config.json or no safetensors.
    """
    from ..targets.huggingface import HUB_ID, PICKLES

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

    from ..targets._quiet import quiet

    try:
        with quiet():
            model, report = getattr(transformers, auto).from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except Exception as error:  # transformers raises anything for a damaged folder
        raise ConfigurationError(f"{named}: the model cannot be loaded ({first_line(error)})") from None
    missing = sorted(key for key in report["missing_keys"] if not any(part in key for part in spare))
    if missing:
        raise ConfigurationError(
            f"{named}: the weights lack {len(missing)} of the model's tensors ({', '.join(missing[:3])}): it would be"
            " partly random"
        )
    return model.eval()


def sha256_of(folder: Path) -> str:
    """Return the hash of weights and settings."""
    from ..targets.files import hash_files

    return hash_files(folder, sorted(p.name for pattern in ("*.json", "*.safetensors") for p in folder.glob(pattern)))


def settings_of(folder: Path) -> dict[str, Any]:
    """Return preprocessor_config.json, or nothing where there is none that can be read."""
    try:
        found = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def first_line(error: Exception) -> str:
    """Return the kind of an error and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def load_processor(folder: Path, named: str) -> Any:
    """Return the image processor of a folder, which runs on Pillow.

    Raises
    ------
    ConfigurationError
        Where there is none that can be loaded.
    """
    from transformers import AutoImageProcessor

    from ..targets._quiet import quiet

    try:
        with quiet():
            return AutoImageProcessor.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, backend="pil"
            )
    except Exception as error:  # no preprocessor_config.json, an unknown kind, code of its own
        raise ConfigurationError(
            f"{named}: the image processor cannot be loaded ({first_line(error)}); processor.save_pretrained(folder)"
            " writes it"
        ) from None
