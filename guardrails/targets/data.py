"""The data that the auditor has beside the target: corpus, holdout, reference and prompts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from ..core.errors import ConfigurationError, ContentError
from ..core.targets import Modality

Kind = Literal["corpus", "holdout", "reference", "prompts"]


def load_data(
    kind: Kind,
    source: Any,
    modality: Modality,
    *,
    text_field: str | None = None,
    comparable: bool = False,
    conversations: bool = True,
) -> Any:
    """Return data for a target of this modality.

    Parameters
    ----------
    kind : {"corpus", "holdout", "reference", "prompts"}
        Prompts are texts whatever the modality.
    source : path or object
        A path: for text a file or folder (see `guardrails.kit.text.corpus.iter_documents`) or, for a corpus, a folder
        that ``guardrails index`` wrote; for pictures a folder, for tables a CSV, TSV, Parquet or Excel file, of
        which `guardrails.targets.joint_tables.read_together` decides on the kinds of the columns. Prompts are read as a
        corpus is, but stand one on a line in files without records. Pictures and tables given as an array, a list or a
        data frame are returned as they are, texts as a sequence of str.
    modality : Modality
        Of the target.
    text_field : str, optional
        The field of records that holds the text, with dots between nested ones.
    comparable : bool
        Whether texts are only compared with texts: see `guardrails.kit.text.documents.Reading`.
    conversations : bool
        Whether the messages of conversations are kept beside their text, in memory.

    Returns
    -------
    Documents, StoredCorpus, ImageFolder or DataFrame
        Documents are read when they are looked at: those of an index from it, others from a temporary file.
        An `ImageFolder` holds the readable pictures and names the others in `problems`.

    Raises
    ------
    ConfigurationError
        For data that are missing, empty, unreadable or of a kind that cannot be read.
    """
    from ..kit.text.corpus import read_documents

    option, text = f"--{kind}", kind == "prompts" or modality is Modality.TEXT
    if not isinstance(source, str | Path):
        if hasattr(source, "__len__") and len(source) == 0:
            raise ConfigurationError(f"{option}: the data given are empty")
        return _documents(source, option, comparable=comparable) if text else source
    path = Path(source)
    if not path.exists():
        raise ConfigurationError(f"{option} {path}: no such file or folder")
    try:
        if kind == "prompts":
            data: Any = read_documents(path, role="prompt", text_field=text_field)
        elif modality is Modality.TEXT:
            data = _texts(path, text_field, comparable=comparable, conversations=conversations)
        else:
            data = _read(path, modality, option)
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


def check_form(corpus: Any, holdout: Any) -> None:
    """Raise ConfigurationError where documents of corpus and holdout were joined differently: that sets them apart.

    Only files say how: two sequences of the user's own are taken as they are.
    """
    one, two = getattr(corpus, "form", None), getattr(holdout, "form", None)
    if one is not None and two is not None and one != two:
        raise ConfigurationError(
            f"--corpus is read as '{one or 'plain texts'}' and --holdout as '{two or 'plain texts'}': a model tells"
            " them apart by their form; give both in one format, or name the field to read with --text-field"
        )


def _documents(source: Any, option: str, *, comparable: bool) -> Sequence[str]:
    """Return texts given as an object: a sequence of str of which one at least is not blank."""
    from ..kit.text.corpus import Documents
    from ..kit.text.documents import Reading
    from ..kit.text.stored_corpus import StoredCorpus

    if isinstance(source, StoredCorpus):
        return source
    if hasattr(source, "columns"):
        raise ConfigurationError(f"{option}: a table; give its column of texts, as in data['text'].tolist()")
    given: Sequence[str] = source if isinstance(source, Sequence) else list(source)
    wrong = next(((i, text) for i, text in enumerate(given) if not isinstance(text, str)), None)
    if wrong:
        raise ConfigurationError(f"{option}: document {wrong[0]} is {type(wrong[1]).__name__}, not str")
    if not any(text.strip() for text in given):
        raise ConfigurationError(f"{option}: all {len(given)} documents are blank")
    reading = Reading(comparable=comparable, shapes={"strings": None})
    texts = [text for i, one in enumerate(given) if (text := reading.accepted(one, f"document {i}")) is not None]
    try:
        reading.check()
    except ContentError as error:
        raise ConfigurationError(f"{option} {error}") from None
    return given if texts == list(given) else Documents(texts, reading)


def _texts(path: Path, text_field: str | None, *, comparable: bool, conversations: bool) -> Sequence[str]:
    from ..kit.text.corpus import read_documents
    from ..kit.text.stored_corpus import StoredCorpus, is_index

    if is_index(path):
        return StoredCorpus(path)
    return read_documents(path, text_field=text_field, comparable=comparable, conversations=conversations)


def _instead(path: Path, *, text: bool) -> str:
    """Say what is read of a folder that holds other files."""
    from ..kit.text.corpus import TEXT_SUFFIXES
    from ..kit.text.records import RECORD_SUFFIXES

    if not text or not path.is_dir():
        return ""
    return f"; of a folder the {', '.join(sorted(TEXT_SUFFIXES | RECORD_SUFFIXES))} files are read"


def _read(path: Path, modality: Modality, option: str) -> Any:
    if modality is Modality.IMAGE:
        if not path.is_dir():
            raise ConfigurationError(f"{option} {path}: a folder of pictures is needed")
        return _pictures(path)
    if modality is Modality.TABLE:
        from ..kit.tables.files import read_table

        return read_table(path)
    raise ConfigurationError(f"{option} {path}: {modality} data cannot be read yet")


def _pictures(path: Path) -> Any:
    """Return the readable pictures of a folder, where they can stand for all of them."""
    from ..kit.io import shown
    from ..kit.pictures.folder import ImageFolder, listed
    from ..kit.text.documents import MAX_LEFT_OUT

    pictures = ImageFolder(path).readable()
    bad = pictures.problems
    if len(pictures) and len(bad) > max(1, MAX_LEFT_OUT * (len(pictures) + len(bad))):
        raise ContentError(f"{shown(path)}: files that should be pictures and cannot be read, {listed(bad)}")
    return pictures
