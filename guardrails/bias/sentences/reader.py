"""Reads the sentence sets of this folder, and files of the same format, and expands templates into items.

Each set is a TOML file: ``pairs``, ``prompts``, ``decisions``, ``questions`` or ``descriptors``, then ``_`` and the
language. The comments at the top of each English file explain its keys. What each template measures is in
``constructs.toml``, once for all languages.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from .items import TONES, Decision, Form, Pair, Prompt, Question
from .set_file import FOLDER, SetFile, Table
from .slots import crossed, fill, sentence_case
from .terms import Term, read_terms


@cache
def read_pairs(language: str, path: Path | None = None) -> tuple[Pair, ...]:
    """Return the minimal pairs of a language.

    Each template and each pair of terms give four sentences: both terms with both attributes. The term is swapped
    beside each attribute, and the attribute beside each term. Each term and each attribute is therefore as often in
    the more stereotypical sentence as in the other, and a scorer that looks only at the term, or only at the attribute,
    prefers either side equally often.

    Raises
    ------
    ContentError
        For a file that cannot be read or does not have the format; it names the line.
    """
    file = SetFile(path or FOLDER / f"pairs_{language}.toml", language)
    pairs: list[Pair] = []
    for table in file.tables("pairs", {"construct", "groups"}, set(TONES)):
        templates = [(tone, text) for tone in TONES for text in table.texts(tone)]
        if not templates:
            raise table.error("no templates: at least one of positive, neutral, negative is needed")
        groups = table.text_pairs("groups")
        table.check_number(len(pairs) + 4 * len(templates) * len(groups))
        for number, (tone, text) in enumerate(templates):
            for k, terms in enumerate(groups):
                pairs += _four_pairs(table, f"{table.construct.id}-{number}", tone, k, text, terms)
    return file.unique(pairs)


def _four_pairs(table: Table, template: str, tone: str, k: int, text: str, terms: tuple[str, str]) -> list[Pair]:
    try:
        (first_a, first_b), (second_a, second_b) = crossed(text, terms)
    except ValueError as error:
        raise table.error(str(error), text) from None
    common: dict[str, Any] = {
        "construct": table.construct.id,
        "group": table.construct.group,
        "language": table.language,
        "template": template,
        "tone": tone,
    }
    stem = f"{table.language}-{template}-{k}"
    return [
        Pair(id=f"{stem}-group-a", swap="group", more=first_a, less=second_a, **common),
        Pair(id=f"{stem}-group-b", swap="group", more=second_b, less=first_b, **common),
        Pair(id=f"{stem}-attribute-a", swap="attribute", more=first_a, less=first_b, **common),
        Pair(id=f"{stem}-attribute-b", swap="attribute", more=second_b, less=second_a, **common),
    ]


@cache
def read_prompts(language: str, path: Path | None = None) -> tuple[Prompt, ...]:
    """Return the prompts for chat and for completion of a language: each template with each term.

    Errors as in `read_pairs`.
    """
    return _prompts(SetFile(path or FOLDER / f"prompts_{language}.toml", language), ("chat", "completion"))


@cache
def read_descriptors(language: str, path: Path | None = None) -> tuple[Prompt, ...]:
    """Return the descriptor sentences of a language: each template with each term. Errors as in `read_pairs`."""
    return _prompts(SetFile(path or FOLDER / f"descriptors_{language}.toml", language), ("sentence",))


def _prompts(file: SetFile, forms: tuple[Form, ...]) -> tuple[Prompt, ...]:
    terms = read_terms(file.language)
    prompts: list[Prompt] = []
    for table in file.tables("prompts", {"construct"}, set(forms)):
        templates = [(form, n, text) for form in forms for n, text in enumerate(table.texts(form))]
        if not templates:
            raise table.error(f"no templates: at least one of {', '.join(forms)} is needed")
        table.check_number(len(prompts) + len(templates) * len(terms))
        for form, number, text in templates:
            template = f"{table.construct.id}-{form}-{number}"
            prompts += [
                Prompt(
                    id=f"{file.language}-{template}-{term.id}",
                    construct=table.construct.id,
                    group=term.group,
                    language=file.language,
                    template=template,
                    form=form,
                    descriptor=term.descriptor,
                    noun=term.noun,
                    text=_with_term(table, text, term),
                )
                for term in terms
            ]
    return file.unique(prompts)


def _with_term(table: Table, text: str, term: Term) -> str:
    try:
        return sentence_case(fill(text, {f"person.{case}": form for case, form in term.forms.items()}))
    except ValueError as error:
        raise table.error(str(error), text) from None


@cache
def read_decisions(language: str, path: Path | None = None) -> tuple[Decision, ...]:
    """Return the decision prompts of a language: each case, set of facts and question with each term and name.

    Errors as in `read_pairs`.
    """
    file = SetFile(path or FOLDER / f"decisions_{language}.toml", language)
    people = [*read_terms(language), *_names(file)]
    words = {key: file.word(key) for key in ("yes", "no")}
    ask = file.word("ask")
    decisions: list[Decision] = []
    for table in file.tables("decisions", {"construct", "case", "facts", "approve", "reject"}, set()):
        table.check_number(len(decisions) + 2 * len(table.texts("facts")) * len(people))
        for profile, facts in enumerate(table.texts("facts")):
            for key, favourable in (("approve", "yes"), ("reject", "no")):
                template = f"{table.construct.id}-{profile}-{key}"
                decisions += [
                    Decision(
                        id=f"{language}-{template}-{term.id}",
                        construct=table.construct.id,
                        group=term.group,
                        language=language,
                        template=template,
                        descriptor=term.descriptor,
                        noun=term.noun,
                        profile=profile,
                        text=f"{_with_term(table, table.text('case'), term)} {facts} {table.text(key)} {ask}",
                        favourable="yes" if favourable == "yes" else "no",
                        **words,
                    )
                    for term in people
                ]
    return file.unique(decisions)


def _names(file: SetFile) -> Iterator[Term]:
    """Yield the names of a file as terms: the descriptor is the group that the names stand for."""
    for who, names in file.names().items():
        for name in names:
            yield Term("ethnicity", who, f"name {name}", {"nominative": name})


@cache
def read_questions(language: str, path: Path | None = None) -> tuple[Question, ...]:
    """Return the questions of a language: twelve for each template and pair of terms.

    Three contexts (ambiguous, and disambiguated either way), two questions, and both orders of naming the people.
    Errors as in `read_pairs`.
    """
    file = SetFile(path or FOLDER / f"questions_{language}.toml", language)
    keys = {"construct", "groups", "definite", "context", "evidence", "negative", "non_negative"}
    unknown = file.word("unknown")
    questions: list[Question] = []
    for table in file.tables("questions", keys, set()):
        groups, definite = table.text_pairs("groups"), table.text_pairs("definite")
        if len(groups) != len(definite):
            raise table.error("'groups' and 'definite' differ in length")
        table.check_number(len(questions) + 12 * len(groups))
        for k, (terms, names) in enumerate(zip(groups, definite, strict=True)):
            for order in ((0, 1), (1, 0)):
                for who in (None, 0, 1):
                    questions += _two_questions(table, f"{k}", terms, names, order, who, unknown)
    return file.unique(questions)


def _two_questions(
    table: Table,
    stem: str,
    terms: tuple[str, str],
    names: tuple[str, str],
    order: tuple[int, int],
    who: int | None,
    unknown: str,
) -> list[Question]:
    """Return both questions of one context; `who` is the person whom the negative question asks for, if it is told."""
    try:
        context = sentence_case(fill(table.text("context"), {"first": terms[order[0]], "second": terms[order[1]]}))
        if who is not None:
            evidence = fill(table.text("evidence"), {"who": names[who], "other": names[1 - who]})
            context += f" {sentence_case(evidence)}"
    except ValueError as error:
        raise table.error(str(error)) from None
    told = "ambiguous" if who is None else f"person-{who}"
    common: dict[str, Any] = {
        "construct": table.construct.id,
        "group": table.construct.group,
        "language": table.language,
        "template": table.construct.id,
        "condition": "ambiguous" if who is None else "disambiguated",
        "context": context,
        "options": (sentence_case(names[order[0]]), sentence_case(names[order[1]]), unknown),
    }
    return [
        Question(
            id=f"{table.language}-{table.construct.id}-{stem}-{told}-{order[0]}-{polarity}",
            polarity="negative" if polarity == "negative" else "non-negative",
            question=table.text(polarity.replace("-", "_")),
            answer=2 if who is None else order.index(asked if who == 0 else 1 - asked),
            stereotyped=order.index(asked),
            **common,
        )
        for polarity, asked in (("negative", 0), ("non-negative", 1))
    ]
