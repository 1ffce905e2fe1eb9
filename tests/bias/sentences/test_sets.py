"""The sets that ship: counts, minimal differences, grammar, and balance."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from guardrails.bias.sentences.items import GROUPS, LANGUAGES, TONES, Decision, Pair, Prompt
from guardrails.bias.sentences.reader import read_decisions, read_descriptors, read_pairs, read_prompts, read_questions
from guardrails.bias.sentences.set_file import FOLDER, constructs
from guardrails.bias.sentences.terms import read_terms

READERS = [read_pairs, read_prompts, read_descriptors, read_decisions, read_questions]
each_language = pytest.mark.parametrize("language", LANGUAGES)


@each_language
def test_at_least_600_pairs_over_every_group(language: str):
    pairs = read_pairs(language)
    assert len(pairs) >= 600
    by_group = Counter(p.group for p in pairs)
    assert set(by_group) == set(GROUPS)
    assert min(by_group.values()) >= 60
    assert {p.swap for p in pairs} == {"group", "attribute"}


@pytest.mark.parametrize("read", READERS)
def test_every_construct_in_every_language_with_as_many_templates(read):
    templates = [{(x.construct, x.template, getattr(x, "tone", "")) for x in read(language)} for language in LANGUAGES]
    assert templates[0] == templates[1] == templates[2]


def test_every_construct_is_used_and_says_what_it_measures():
    used = {x.construct for read in READERS for x in read("en")}
    assert used == set(constructs())
    for construct in constructs().values():
        assert construct.measures.endswith("."), construct.id
        assert construct.limits.endswith("."), construct.id
        assert re.search(r"\b(19|20)\d\d\b", construct.source), construct.id


@pytest.mark.parametrize("read", READERS)
@each_language
def test_no_item_stands_twice(language: str, read):
    items = read(language)
    assert len({x.id for x in items}) == len(items)
    if read is read_pairs:
        texts = [(p.more, p.less) for p in items]
    elif read is read_questions:
        texts = [(q.context, q.question) for q in items]
    else:
        texts = [x.text for x in items]
    assert [text for text, n in Counter(texts).items() if n > 1] == []


@each_language
def test_every_tone_in_every_construct(language: str):
    tones = defaultdict(set)
    for pair in read_pairs(language):
        tones[pair.construct].add(pair.tone)
    assert all(seen == set(TONES) for seen in tones.values())


def differences(pair: Pair) -> list[tuple[list[str], list[str]]]:
    """Return the stretches of words in which the two sentences differ."""
    more, less = re.findall(r"\w+", pair.more), re.findall(r"\w+", pair.less)
    matcher = SequenceMatcher(None, more, less, autojunk=False)
    return [(more[a:b], less[c:d]) for op, a, b, c, d in matcher.get_opcodes() if op != "equal"]


@each_language
def test_pairs_differ_only_in_the_term_or_the_attribute(language: str):
    for pair in read_pairs(language):
        more, less = re.findall(r"\w+", pair.more), re.findall(r"\w+", pair.less)
        changed = differences(pair)
        assert changed, pair
        assert len(set(more) & set(less)) >= 1, pair
        longest = max(len(side) for stretch in changed for side in stretch)
        assert longest <= 6, pair
        # Agreement may change a second and a third word; in English nothing agrees.
        assert len(changed) <= (4 if language == "es" else 2), pair


@each_language
def test_preferring_the_shorter_sentence_is_right_half_the_time(language: str):
    scores = defaultdict(list)
    for pair in read_pairs(language):
        difference = len(pair.more) - len(pair.less)
        scores[pair.construct, pair.swap].append(1.0 if difference < 0 else 0.5 if difference == 0 else 0.0)
    assert {key: sum(v) / len(v) for key, v in scores.items() if abs(sum(v) / len(v) - 0.5) > 0.05} == {}


@each_language
def test_sentences_are_whole(language: str):
    texts = [s for p in read_pairs(language) for s in (p.more, p.less)]
    texts += [x.text for read in (read_prompts, read_descriptors, read_decisions) for x in read(language)]
    texts += [s for q in read_questions(language) for s in (q.context, q.question)]
    for text in texts:
        assert text[0].isupper() or text[0] == "¿", text
        assert not re.search(r"[{}\[\]|*]|  | [,.?]|\.\.", text), text
        assert text.count("¿") == (text.count("?") if language == "es" else 0), text
    for pair in read_pairs(language):
        assert pair.more[-1] == pair.less[-1] == "."


def test_english_articles():
    texts = [x.text for read in (read_prompts, read_descriptors, read_decisions) for x in read("en")]
    texts += [q.context for q in read_questions("en")]
    for text in texts:
        assert not re.search(r"\b[Aa] [aeiouAEIOU]|\b[Aa]n (?!hour)[^aeiouAEIOU]", text), text


def test_spanish_predicates_agree_with_the_term():
    checked = 0
    for pair in read_pairs("es"):
        for text in (pair.more, pair.less):
            # The last article before the verb is the one of the term.
            verb = re.search(r"\b(?:son|están)(?: muy| demasiado| mal)? \w+?(as|os)\b", text)
            if verb and verb[0] not in ("son las", "son los"):
                checked += 1
                assert re.findall(r"(?i)\bl(as|os)\b", text[: verb.start()])[-1] == verb[1], text
    assert checked > 60


def test_spanish_terms_agree_with_their_article():
    lists = re.findall(r'\["((?:las|los) [^"]+)", "((?:las|los) [^"]+)"\]', (FOLDER / "pairs_es.toml").read_text())
    assert len(lists) >= 50
    for terms in lists:
        for term in terms:
            article, *words = term.split(" con ")[0].split(" sin ")[0].split(" de ")[0].split()
            wrong = "os" if article == "las" else "as"
            assert not [w for w in words if w.endswith(wrong) and w != "turistas"], term


def test_spanish_noun_phrases_agree():
    # One form for both genders.
    invariable = {"autista", "budista", "transgénero"}
    for term in read_terms("es"):
        article, noun, *rest = term.forms["nominative"].split(" ")
        assert (article, noun) in {("una", "mujer"), ("un", "hombre"), ("una", "persona")}
        if rest and rest[0] not in ("de", "en", "con", "sin", "no"):
            for word in set(rest) - invariable - {"y"}:
                assert not word.endswith("o" if article == "una" else "a"), term


def test_german_noun_phrases_agree():
    # Article and adjective endings after "ein" (mixed declension), from a grammar's table.
    patterns = {
        ("Mann", "nominative"): r"ein (\w+er )*Mann",
        ("Mann", "accusative"): r"einen (\w+en )*Mann",
        ("Mann", "dative"): r"einem (\w+en )*Mann",
        ("Frau|Person", "nominative"): r"eine (\w+e )*(Frau|Person)",
        ("Frau|Person", "accusative"): r"eine (\w+e )*(Frau|Person)",
        ("Frau|Person", "dative"): r"einer (\w+en )*(Frau|Person)",
    }
    for term in read_terms("de"):
        for case, form in term.forms.items():
            noun = "Mann" if term.noun == "man" else "Frau|Person"
            assert re.match(patterns[noun, case] + r"\b", form), form


def test_german_terms_stand_where_their_form_fits():
    text = (FOLDER / "pairs_de.toml").read_text()
    # Nothing before the slot governs another case than nominative or accusative.
    assert not re.search(r"(?i)\b(mit|von|bei|zu|aus|nach|seit|vom|beim|den|der|dem) \{group\}", text)
    for table in text.split("[[pairs]]")[1:]:
        # After "die" an adjective would end in -n; the terms of such tables are bare nouns.
        if re.search(r"(?i)\b(die|meisten) \{group\}", table):
            terms = re.findall(r'"([^"]+)"', re.search(r"groups = (.*)", table)[1])
            assert not [t for t in terms if " " in t], table
    for adjective in re.findall(r'"([a-zäöüß]+) [A-ZÄÖÜ]\w+(?: [^"]*)?"', text):
        assert adjective.endswith("e"), adjective


def test_german_names_of_the_case_fit_the_preposition():
    dative, accusative = r"\b(mit|von|bei|zu|aus|nach|seit)", r"\b(für|durch|ohne|gegen|um)"
    for name in ("prompts_de.toml", "descriptors_de.toml", "decisions_de.toml"):
        text = (FOLDER / name).read_text()
        assert not re.search(dative + r" \{person\.(nominative|accusative)\}", text), name
        assert not re.search(accusative + r" \{person\.(nominative|dative)\}", text), name


@each_language
def test_questions_are_balanced(language: str):
    questions = read_questions(language)
    known = [q for q in questions if q.condition == "disambiguated"]
    assert Counter(q.answer for q in known) == {0: len(known) // 2, 1: len(known) // 2}
    assert Counter(q.stereotyped for q in questions) == {0: len(questions) // 2, 1: len(questions) // 2}
    assert sum(q.answer == q.stereotyped for q in known) == len(known) // 2
    for q in known:
        # The evidence begins with whom the negative question asks for.
        evidence = q.context.split(". ", 1)[1]
        assert evidence.startswith(q.options[q.answer]) == (q.polarity == "negative"), q


@each_language
def test_decisions_ask_both_ways(language: str):
    decisions = read_decisions(language)
    assert Counter(d.favourable for d in decisions) == {"yes": len(decisions) // 2, "no": len(decisions) // 2}
    forms = Counter((d.construct, d.descriptor, d.noun) for d in decisions)
    assert set(forms.values()) == {4}


def test_english_decisions_have_no_pronoun():
    for decision in read_decisions("en"):
        assert not re.search(r"(?i)\b(he|she|his|her|him)\b", decision.text), decision.text


@each_language
def test_prompts_of_a_template_differ_only_in_the_person(language: str):
    terms = {(t.descriptor, t.noun): t for t in read_terms(language)}
    frames = defaultdict(set)
    for prompt in (*read_prompts(language), *read_descriptors(language)):
        forms = terms[prompt.descriptor, prompt.noun].forms.values()
        forms = sorted({*forms, *(f[:1].upper() + f[1:] for f in forms)}, key=len, reverse=True)
        (form, *_) = [f for f in forms if f in prompt.text]
        frames[prompt.template].add(prompt.text.replace(form, "…"))
    assert all(len(frame) == 1 for frame in frames.values())


def test_the_data_sheet_has_the_right_counts():
    page = (Path(__file__).parents[3] / "docs" / "bias-sets.md").read_text(encoding="utf-8")
    for title, read in (
        ("minimal pairs", read_pairs),
        ("questions about two people", read_questions),
        ("prompts for chat and completion", read_prompts),
        ("descriptor sentences", read_descriptors),
        ("decision prompts", read_decisions),
    ):
        counts = " | ".join(f"{len(read(language)):,}" for language in LANGUAGES)
        assert f"| {title} | {counts} |" in page
    pairs, questions = (Counter(x.construct for x in read("en")) for read in (read_pairs, read_questions))
    for name, construct in constructs().items():
        if construct.group != "any":
            row = f"| `{name}` | {construct.measures} | {pairs[name]} | {questions[name] or '–'} |"
        else:
            items = [[x for x in _of_terms(language) if x.construct == name] for language in LANGUAGES]
            templates = len({x.template for x in items[0]})
            row = f"| `{name}` | {construct.measures} | {templates} | {' | '.join(f'{len(x):,}' for x in items)} |"
        assert row in page


def _of_terms(language: str) -> list[Prompt | Decision]:
    return [*read_prompts(language), *read_descriptors(language), *read_decisions(language)]
