"""Everything that guardrails reads, each by the way that a command takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardrails.core.errors import ContentError

from . import seeds

Read = Callable[[Path], object]
EXAMINED = ("deepfake.radial", "deepfake.spectro", "deepfake.video")
HEAD = 4096
_examiner: list[Any] = []


@dataclass(frozen=True)
class Reader:
    """A kind of input.

    Attributes
    ----------
    name : str
    seeds : callable
        Writes sound inputs, files or folders, into a folder.
    read : callable
        Reads one to the end.
    share : float
        Of the damaged inputs, against the other kinds.
    """

    name: str
    seeds: Callable[[Path], list[Path]]
    read: Read
    share: float = 1.0


def examined(path: Path) -> object:
    """Look at a file as a worker of a scan does; an error row is an error of our own."""
    from guardrails.assay.scan.worker import Examiner
    from guardrails.kit.content import content_of

    if not _examiner:
        _examiner.append(Examiner(EXAMINED))
    with path.open("rb") as file:
        content = content_of(file.read(HEAD))
    kind = content.modality
    answer = _examiner[0].examine(str(path), kind.value if kind else None, content.format)
    if answer["error"]:
        raise ContentError(answer["error"])
    for detection in answer["detections"]:
        if broken := [reason for reason in detection["reasons"] if "the detector broke" in reason]:
            raise RuntimeError(broken[0])
    return answer


def text(path: Path) -> object:
    """Read a file of texts as a corpus, and as outputs where it holds records."""
    from guardrails.kit.text.corpus import read_documents
    from guardrails.targets import load_target

    documents = read_documents(path, comparable=True)
    if path.suffix in (".jsonl", ".json", ".csv", ".tsv"):
        return load_target(f"jsonl:{path}").sample_texts(5, seed=0)
    return documents


def table(path: Path) -> object:
    from guardrails.kit.tables.files import read_table
    from guardrails.kit.tables.kinds import decide

    return decide({"target": read_table(path)})


def settings(path: Path) -> object:
    from guardrails.assay.audit.plan import make_settings
    from guardrails.assay.policy.policy import load_policy
    from guardrails.privacy.personal_data.scanner import scan
    from guardrails.privacy.personal_data.user_recognizers import load_recognizers

    if path.stem == "policy":
        return load_policy(path)
    if path.stem == "plan":
        return make_settings({}, path)
    return scan(" staff ST-123456 and AB12345 " * 5, load_recognizers(path))


def index(path: Path) -> object:
    from guardrails.kit.text.stored_corpus import StoredCorpus
    from guardrails.memorization.text.corpus_index import CorpusIndex

    corpus = StoredCorpus(path)
    opened = CorpusIndex.open(corpus)
    some = [corpus[i] for i in range(0, len(corpus), 5)]
    return opened.longest([*some, "word1 word2 word3"]), opened.counts(some), corpus.near_duplicates


def detector(path: Path) -> object:
    from guardrails.deepfake.images.saved_detector import is_kept, read_kept

    return is_kept(str(path)) and read_kept(seeds.DETECTOR, str(path))


def network(path: Path) -> object:
    from guardrails.kit.pictures.user_descriptor import load_descriptor

    return load_descriptor(path)


def language_model(path: Path) -> object:
    from guardrails.targets import load_target

    target = load_target(f"hf:{path}")
    target.identity()
    target.token_logprobs([target.encode("the cat sat on a red mat")])
    return target.generate(["the cat"], max_new_tokens=4, seed=0)


def picture_folder(path: Path) -> object:
    from guardrails.targets import load_target

    target = load_target(f"dir:{path}")
    target.identity()
    return list(target.sample_images(4, seed=0))


def run_folder(path: Path) -> object:
    """Read a finished run as ``report`` and ``--resume`` do."""
    from guardrails.assay.audit.journal import Journal
    from guardrails.cli.report import read_run
    from guardrails.core.results import AuditResult
    from reports import render

    result, folder = read_run(path)
    assert isinstance(result, AuditResult)
    render(result, "html", None, run_folder=folder)
    with Journal(path / "journal.sqlite") as journal:
        stored = [journal.get(key) for key in ("settings", "files", "policy", "planned", "cached_controls", "spoiled")]
        return stored, [(journal.pending(name), journal.rows(name)) for name in journal.series()]


READERS = (
    Reader("pictures", seeds.pictures, examined, 3.0),
    Reader("videos", seeds.videos, examined),
    Reader("sound", seeds.sounds, examined, 2.0),
    Reader("texts", seeds.texts, text, 3.0),
    Reader("tables", seeds.tables, table, 1.5),
    Reader("Parquet as texts", seeds.parquet, text),
    Reader("Parquet as a table", seeds.parquet, table),
    Reader("Excel", seeds.workbooks, table),
    Reader("policies, plans, recognizers (TOML)", seeds.settings, settings, 2.0),
    Reader("index folders", seeds.indices, index),
    Reader("detector folders", seeds.detectors, detector),
    Reader("ONNX", seeds.onnx_networks, network),
    Reader("TorchScript", seeds.torchscripts, network),
    Reader("model folders (safetensors)", seeds.language_models, language_model, 1.5),
    Reader("GGUF", seeds.gguf_models, language_model, 0.5),
    Reader("picture folders", seeds.picture_folders, picture_folder),
    Reader("run folders", seeds.run_folders, run_folder),
)
