"""The data that the auditor has beside the target: corpus, holdout, reference and prompts."""

from __future__ import annotations

from collections.abc import Sequence
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
        A path: for text a file or folder (see `guardrails.kit.corpus.iter_documents`) or, for a corpus, a folder that
        ``guardrails index`` wrote; for pictures a folder, for tables a CSV or Parquet file. Prompts in a file that is
        no JSON Lines, CSV or Parquet stand one on a line. Pictures and tables given as an array, a list or a data frame
        are returned as they are, texts as a sequence of str.
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
    option, text = f"--{kind}", kind == "prompts" or modality is Modality.TEXT
    if not isinstance(source, str | Path):
        if hasattr(source, "__len__") and len(source) == 0:
            raise ConfigurationError(f"{option}: the data given are empty")
        return _documents(source, option) if text else source
    path = Path(source)
    if not path.exists():
        raise ConfigurationError(f"{option} {path}: no such file or folder")
    try:
        data = _prompts(path) if kind == "prompts" else _read(path, modality, option)
    except ContentError as error:
        raise ConfigurationError(f"{option} {error}") from None
    if len(data) == 0:
        raise ConfigurationError(f"{option} {path}: holds nothing that can be read{_instead(path, text=text)}")
    return data


def read_as(value: Any) -> str:
    """Return how a target or data were read, for the report; empty where there was only one way to read them.

    A target or sequence says so in its attribute ``read_as``, a data frame in its ``attrs``.
    """
    attributes = getattr(value, "attrs", None)
    reading = attributes.get("read_as") if isinstance(attributes, dict) else getattr(value, "read_as", None)
    return reading if isinstance(reading, str) else ""


def _documents(source: Any, option: str) -> Sequence[str]:
    """Return texts given as an object: a sequence of str of which one at least is not blank."""
    from ..kit.corpus import StoredCorpus

    if isinstance(source, StoredCorpus):
        return source
    if hasattr(source, "columns"):
        raise ConfigurationError(f"{option}: a table; give its column of texts, as in data['text'].tolist()")
    documents: Sequence[str] = source if isinstance(source, Sequence) else list(source)
    wrong = next(((i, text) for i, text in enumerate(documents) if not isinstance(text, str)), None)
    if wrong:
        raise ConfigurationError(f"{option}: document {wrong[0]} is {type(wrong[1]).__name__}, not str")
    if not any(text.strip() for text in documents):
        raise ConfigurationError(f"{option}: all {len(documents)} documents are blank")
    return documents


def _prompts(path: Path) -> list[str]:
    from ..kit.corpus import iter_documents

    texts = iter_documents(path)
    if path.suffix.lower() in (".jsonl", ".ndjson", ".csv", ".parquet") or path.is_dir():
        return list(texts)
    return [line for text in texts for line in text.splitlines() if line.strip()]


def _instead(path: Path, *, text: bool) -> str:
    """Say what is read of a folder that holds other files."""
    from ..kit.corpus import FOLDER_SUFFIXES

    if not text or not path.is_dir():
        return ""
    kinds = f"; of a folder the {', '.join(sorted(FOLDER_SUFFIXES))} files are read"
    given = next((name for name in sorted(path.iterdir()) if name.suffix.lower() in (".jsonl", ".csv", ".parquet")), "")
    return f"{kinds}; give {given} by its name" if given else kinds


def _read(path: Path, modality: Modality, option: str) -> Any:
    from ..kit.corpus import StoredCorpus, is_index, iter_documents
    from ..kit.io import ImageFolder

    if modality is Modality.TEXT:
        return StoredCorpus(path) if is_index(path) else list(iter_documents(path))
    if modality is Modality.IMAGE:
        if not path.is_dir():
            raise ConfigurationError(f"{option} {path}: a folder of pictures is needed")
        return ImageFolder(path).readable()
    if modality is Modality.TABLE:
        from .table import read_table

        return read_table(path)
    raise ConfigurationError(f"{option} {path}: {modality} data cannot be read yet")
