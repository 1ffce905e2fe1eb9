"""The data that the auditor has beside the target: corpus, holdout, reference and prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from ..core.base import Modality
from ..core.errors import ConfigurationError, ContentError

Kind = Literal["corpus", "holdout", "reference", "prompts"]


def load_data(kind: Kind, source: Any, modality: Modality) -> Any:
    """Return data for a target of this modality.

    Parameters
    ----------
    kind : {"corpus", "holdout", "reference", "prompts"}
        Prompts are texts whatever the modality.
    source : path or object
        A path: for text a file or folder (see `guardrails.kit.io.read_documents`) or, for a corpus, a folder that
        ``guardrails index`` wrote; for pictures a folder, for tables a CSV or Parquet file. A list, an array or a data
        frame is returned as it is.
    modality : Modality
        Of the target.

    Returns
    -------
    list of str, StoredCorpus, ImageFolder or DataFrame
        The documents of an index are read from it when they are looked at. An `ImageFolder` holds the readable pictures
        and names the others in `problems`.

    Raises
    ------
    ConfigurationError
        For data that are missing, empty, unreadable or of a kind that cannot be read.
    """
    option = f"--{kind}"
    if not isinstance(source, str | Path):
        if hasattr(source, "__len__") and len(source) == 0:
            raise ConfigurationError(f"{option}: the data given are empty")
        return source
    path = Path(source)
    if not path.exists():
        raise ConfigurationError(f"{option} {path}: no such file or folder")
    try:
        data = _read(path, Modality.TEXT if kind == "prompts" else modality, option)
    except ContentError as error:
        raise ConfigurationError(f"{option} {error}") from None
    if len(data) == 0:
        raise ConfigurationError(f"{option} {path}: holds nothing that can be read")
    return data


def _read(path: Path, modality: Modality, option: str) -> Any:
    from ..kit.corpus import StoredCorpus, is_index
    from ..kit.io import ImageFolder, read_documents

    if modality is Modality.TEXT:
        if is_index(path):
            return StoredCorpus(path)
        return read_documents(path)
    if modality is Modality.IMAGE:
        if not path.is_dir():
            raise ConfigurationError(f"{option} {path}: a folder of pictures is needed")
        return ImageFolder(path).readable()
    if modality is Modality.TABLE:
        from .table import read_table

        return read_table(path)
    raise ConfigurationError(f"{option} {path}: {modality} data cannot be read yet")
