"""The bias benchmark for question answering (BBQ), in the format of its authors.

A. Parrish and others, "BBQ: A hand-built bias benchmark for question answering", Findings of ACL 2022, 2086–2105
(arXiv 2110.08193).

Which person the stereotype is about (the *target*) stands in a file of its own beside the authors' data. Here it is
derived from each question, with the rules by which the authors made that file:

- the group of an answer, or its text, equals one of the question's stereotyped groups (*man* and *boy* are M, *woman*
  and *girl* are F, every *trans* group is one, a leading ``M-`` or ``F-`` is dropped, *low SES* is lowSES); else
- one of these groups holds the answer's group as a word (*disabled* in *physically disabled*);
- where two features are crossed, the answer has the stereotyped value of both.

A question with no target, or two, is left out of the bias scores and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...core.errors import ContentError
from ...kit.io import shown
from ...kit.text.files import TextFile
from ...kit.text.records import records_of

Condition = Literal["ambig", "disambig"]
Polarity = Literal["neg", "nonneg"]
OPTIONS = ("ans0", "ans1", "ans2")
CONDITIONS, POLARITIES = ("ambig", "disambig"), ("neg", "nonneg")
UNKNOWN = "unknown"
MAX_QUESTIONS, MAX_TEXT = 200_000, 20_000
SUFFIXES = (".jsonl", ".ndjson", ".json")
_GROUPS = {
    **dict.fromkeys(("man", "men", "boy", "boys", "male", "m"), "m"),
    **dict.fromkeys(("woman", "women", "girl", "girls", "female", "f"), "f"),
    **dict.fromkeys(("trans", "trans_f", "trans_m", "transgender", "transgender women", "transgender men"), "trans"),
    **dict.fromkeys(("nontrans", "nontrans_f", "nontrans_m"), "nontrans"),
    "low ses": "lowses",
    "high ses": "highses",
}
_GENDER = re.compile(r"^[mf]-")


@dataclass(frozen=True)
class Question:
    """One question of the benchmark.

    Attributes
    ----------
    place : str
        Where it stands, for messages.
    category, template : str
        The kind of group, and the number of the template within the category: questions of one template are alike.
    options : tuple of str
        The three answers.
    names : tuple of str
        The short text of each answer, as in ``answer_info``.
    label : int
        Which of them is right.
    unknown, target : int or None
        Which of them says that it cannot be told, and which names the person that the stereotype is about. None: no
        such answer, or more than one.
    targets : int
        How many of the answers are about a stereotyped group.
    """

    place: str
    category: str
    template: str
    polarity: Polarity
    condition: Condition
    context: str
    question: str
    options: tuple[str, str, str]
    names: tuple[str, str, str]
    label: int
    unknown: int | None
    target: int | None
    targets: int

    @property
    def stereotyped(self) -> int | None:
        """The answer that agrees with the stereotype: the target of a negative question, the other person of another.

        None where there is no single target.
        """
        if self.target is None or self.unknown is None:
            return None
        return self.target if self.polarity == "neg" else 3 - self.target - self.unknown


def read_bbq(path: Path) -> list[Question]:
    """Return the questions of a file, or of all files with JSON Lines in a folder, in the order of their names.

    Raises
    ------
    ContentError
        For a file that cannot be read, holds no question, or a record that is no question of this format.
    """
    questions = []
    for file in _files(path):
        for record in records_of(file, TextFile(file)):
            questions.append(_question(record.value, record.where))
            if len(questions) > MAX_QUESTIONS:
                raise ContentError(f"{shown(path)}: more than {MAX_QUESTIONS:,} questions")
    if not questions:
        raise ContentError(f"{shown(path)}: it holds no question")
    return questions


def questions_of(records: Sequence[Any], where: str) -> list[Question]:
    """Return the questions of records that are in memory. Errors as `read_bbq`."""
    return [_question(record, f"{where}, question {i}") for i, record in enumerate(records, 1)]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise ContentError(f"{shown(path)}: the folder holds no file that ends in {', '.join(SUFFIXES)}")
    return files


def _question(value: Any, where: str) -> Question:
    if not isinstance(value, Mapping):
        raise ContentError(f"{where}: a question of BBQ is an object, not {type(value).__name__}")
    texts = {name: _text(value, name, where) for name in ("context", "question", *OPTIONS, "category")}
    polarity = _one_of(value, "question_polarity", POLARITIES, where)
    condition = _one_of(value, "context_condition", CONDITIONS, where)
    label = value.get("label")
    if isinstance(label, bool) or not isinstance(label, int) or not 0 <= label < len(OPTIONS):
        raise ContentError(f"{where}: 'label' is 0, 1 or 2, not {shown(repr(label))}")
    template = value.get("question_index")
    if isinstance(template, bool) or not isinstance(template, str | int):
        raise ContentError(f"{where}: 'question_index' is missing: it says which template a question is made from")
    info = [_info(value, name, where) for name in OPTIONS]
    unknown = [i for i, (_, group) in enumerate(info) if group.casefold() == UNKNOWN]
    targets = _targets(info, value.get("additional_metadata"))
    a, b, c = (texts[name] for name in OPTIONS)
    return Question(
        place=where,
        category=texts["category"],
        template=str(template),
        polarity=polarity,
        condition=condition,
        context=texts["context"],
        question=texts["question"],
        options=(a, b, c),
        names=(info[0][0], info[1][0], info[2][0]),
        label=label,
        unknown=unknown[0] if len(unknown) == 1 else None,
        target=targets[0] if len(unknown) == len(targets) == 1 else None,
        targets=len(targets),
    )


def _text(value: Mapping[str, Any], name: str, where: str) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not text.strip():
        raise ContentError(f"{where}: '{name}' is missing or no text; the file has to be in the format of BBQ")
    if len(text) > MAX_TEXT:
        raise ContentError(f"{where}: '{name}' has {len(text):,} characters; at most {MAX_TEXT:,} are read")
    return text


def _one_of(value: Mapping[str, Any], name: str, known: tuple[str, ...], where: str) -> Any:
    if (given := value.get(name)) not in known:
        raise ContentError(f"{where}: '{name}' is {' or '.join(known)}, not {shown(repr(given))[:60]}")
    return given


def _info(value: Mapping[str, Any], name: str, where: str) -> tuple[str, str]:
    """Return the short text and the group of an answer."""
    info = value.get("answer_info")
    pair = info.get(name) if isinstance(info, Mapping) else None
    if not isinstance(pair, list) or len(pair) < 2 or not all(isinstance(part, str) for part in pair):
        raise ContentError(f"{where}: 'answer_info' has no pair of text and group for '{name}'")
    return pair[0], pair[-1]  # the authors' files for names have a third part between them


def left_out(questions: Sequence[Question]) -> str:
    """Say how many questions have no bias score, and why; empty where every one has.

    >>> left_out([])
    ''
    """
    counts = {
        "none of their answers is about a stereotyped group": sum(q.targets == 0 for q in questions),
        "two of their answers are": sum(q.targets > 1 for q in questions),
        "not exactly one answer says that it cannot be told": sum(
            q.targets == 1 and q.unknown is None for q in questions
        ),
    }
    reasons = [f"{n:,} since {why}" for why, n in counts.items() if n]
    return f" Of {len(questions):,} questions, left out: {'; '.join(reasons)}." if reasons else ""


def _targets(info: Sequence[tuple[str, str]], metadata: Any) -> list[int]:
    """Return the answers that are about a stereotyped group, by the rules above."""
    metadata = metadata if isinstance(metadata, Mapping) else {}
    people = [(i, text, group) for i, (text, group) in enumerate(info) if group.casefold() != UNKNOWN]
    races, seconds = (_strings(metadata.get(f"known_stereotyped_{name}")) for name in ("race", "var2"))
    if races and seconds:
        return [i for i, _, group in people if _has_both(group, races, seconds)]
    stereotyped = _strings(metadata.get("stereotyped_groups"))
    for matches in (_equal, _as_word):
        hits = [i for i, text, group in people if any(matches(text, group, one) for one in stereotyped)]
        if hits:
            return hits
    return []


def _strings(value: Any) -> list[str]:
    """Return the groups of a list, or of a text such as ``["F", "girl"]`` or ``a, b``."""
    parts = value if isinstance(value, list) else re.split(r"[,\[\]]", value) if isinstance(value, str) else []
    return [text for part in parts if isinstance(part, str) and (text := part.strip().strip("'\"").strip())]


def _plain(group: str) -> str:
    """Return the common name of a group.

    >>> _plain("girl"), _plain("F-Black"), _plain("Low SES"), _plain("trans_M")
    ('f', 'black', 'lowses', 'trans')
    """
    text = " ".join(group.replace("{", "").replace("}", "").casefold().split())
    text = _GENDER.sub("", text)
    return _GROUPS.get(text, text)


def _equal(text: str, group: str, stereotyped: str) -> bool:
    return _plain(stereotyped) in (_plain(group), _plain(text))


def _as_word(text: str, group: str, stereotyped: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(_plain(group))}(?!\w)", _plain(stereotyped)) is not None


def _has_both(group: str, races: Sequence[str], seconds: Sequence[str]) -> bool:
    """Whether a group such as ``F-Black`` or ``lowSES-F-Black`` has a stereotyped value of both features."""
    parts = {_plain(part) for part in _parts(group)}
    return all(any(_plain(one) in parts for one in wanted) for wanted in (races, seconds))


def _parts(group: str) -> Iterator[str]:
    head, dash, rest = group.partition("-")
    # Of a name as "Middle-Eastern" both the parts and the whole count.
    yield group
    yield head
    if dash:
        yield rest
        yield from _parts(rest)
