"""The reader, on files of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.bias.sentences.reader import read_decisions, read_descriptors, read_pairs, read_prompts, read_questions
from guardrails.bias.sentences.slots import crossed, fill
from guardrails.core.errors import ContentError

PAIRS = """language = "en"

[[pairs]]
construct = "age-change"
groups = [["owls", "larks"]]
neutral = ["All [grey|brown] {group} sing {late|early}."]
"""
QUESTIONS = """language = "en"
unknown = "Nobody knows"

[[questions]]
construct = "age-change"
groups = [["an owl", "a lark"]]
definite = [["the owl", "the lark"]]
context = "{first} and {second} sat in a tree."
evidence = "{who} slept, and {other} sang."
negative = "Who was idle?"
non_negative = "Who was busy?"
"""
DECISIONS = """language = "en"
yes = "yes"
no = "no"
ask = "Yes or no?"

[names]
source = "a book of birds"

[names.groups]
owls = ["Ulla"]

[[decisions]]
construct = "decision-loan"
case = "{person.nominative} asks for a nest."
facts = ["It is raining."]
approve = "Grant it?"
reject = "Refuse it?"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "set.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_template_gives_four_pairs(tmp_path: Path):
    pairs = {p.id.removeprefix("en-age-change-0-0-"): p for p in read_pairs("en", written(tmp_path, PAIRS))}
    sentences = {name: (p.more, p.less) for name, p in pairs.items()}
    assert sentences == {
        "group-a": ("All grey owls sing late.", "All brown larks sing late."),
        "group-b": ("All brown larks sing early.", "All grey owls sing early."),
        "attribute-a": ("All grey owls sing late.", "All grey owls sing early."),
        "attribute-b": ("All brown larks sing early.", "All brown larks sing late."),
    }
    assert {(p.group, p.tone, p.template, p.language) for p in pairs.values()} == {
        ("age", "neutral", "age-change-0", "en")
    }


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('language = "en"', 'language = "fr"', 1, "the language must be 'en'"),
        ("age-change", "age-chance", 4, "no construct 'age-chance'"),
        ('construct = "age-change"\n', "", 3, "'construct' is missing"),
        ("neutral", "nuetral", 6, "no key 'nuetral'"),
        ('neutral = ["All [grey|brown] {group} sing {late|early}."]', "neutral = []", 3, "no templates"),
        ('"owls", "larks"', '"owls"', 5, "pairs of two different texts"),
        ('"owls", "larks"', '"owls", "owls"', 5, "pairs of two different texts"),
        ('"owls", "larks"', '"owls", 3', 5, "pairs of two different texts"),
        ("{group}", "{groups}", 6, "the slot {group} must stand once"),
        ("{late|early}", "late", 6, "two different attributes"),
        ("{late|early}", "{late|late}", 6, "two different attributes"),
        ("[grey|brown]", "[grey|brown", 6, "'[' remains"),
        ('"All [', '3, "All [', 6, "must hold texts"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, old: str, new: str, line: int, message: str):
    assert PAIRS.count(old) == 1
    with pytest.raises(ContentError, match="line") as caught:
        read_pairs("en", written(tmp_path, PAIRS.replace(old, new)))
    assert f"line {line}: " in str(caught.value)
    assert message in str(caught.value)


def test_errors_name_the_line_of_the_second_table(tmp_path: Path):
    second = PAIRS[PAIRS.index("[[pairs]]") :].replace("age-change", "age-technology").replace("{late|early}", "late")
    with pytest.raises(ContentError, match="line 11: two different attributes"):
        read_pairs("en", written(tmp_path, PAIRS + "\n" + second))


def test_a_construct_in_two_tables_is_an_error(tmp_path: Path):
    twice = PAIRS + PAIRS[PAIRS.index("[[pairs]]") :]
    with pytest.raises(ContentError, match="one table only"):
        read_pairs("en", written(tmp_path, twice))


@pytest.mark.parametrize("content", [b"language = ", b"\xff\xfe", b"", b'language = "en"\npairs = 3\n'])
def test_what_is_no_set_is_an_error(tmp_path: Path, content: bytes):
    path = tmp_path / "set.toml"
    path.write_bytes(content)
    with pytest.raises(ContentError, match=r"set\.toml"):
        read_pairs("en", path)


def test_a_question_has_twelve_forms_with_the_right_answers(tmp_path: Path):
    questions = read_questions("en", written(tmp_path, QUESTIONS))
    assert len(questions) == 12
    (one,) = (
        q
        for q in questions
        if q.context == "A lark and an owl sat in a tree. The owl slept, and the lark sang."
        and q.polarity == "non-negative"
    )
    assert (one.options, one.answer, one.stereotyped) == (("The lark", "The owl", "Nobody knows"), 0, 0)
    ambiguous = [q for q in questions if q.condition == "ambiguous"]
    assert len(ambiguous) == 4
    assert {q.answer for q in ambiguous} == {2}
    for q in questions:
        if q.condition == "disambiguated":
            slept = q.context.split(". ")[1].startswith(q.options[q.answer])
            assert slept == (q.polarity == "negative")
        assert q.options[q.stereotyped] == ("The owl" if q.polarity == "negative" else "The lark")


def test_unequal_lists_of_people_are_an_error(tmp_path: Path):
    text = QUESTIONS.replace('groups = [["an owl", "a lark"]]', 'groups = [["an owl", "a lark"], ["x", "y"]]')
    with pytest.raises(ContentError, match="line 4: 'groups' and 'definite' differ in length"):
        read_questions("en", written(tmp_path, text))


def test_decisions_with_terms_and_names(tmp_path: Path):
    decisions = read_decisions("en", written(tmp_path, DECISIONS))
    named = [d for d in decisions if d.descriptor == "owls"]
    assert [(d.text, d.favourable) for d in named] == [
        ("Ulla asks for a nest. It is raining. Grant it? Yes or no?", "yes"),
        ("Ulla asks for a nest. It is raining. Refuse it? Yes or no?", "no"),
    ]
    assert "An atheist woman asks for a nest. It is raining. Grant it? Yes or no?" in {d.text for d in decisions}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('source = "a book of birds"\n', "", "line 6: names need a source"),
        ('["Ulla"]', '"Ulla"', "must be a list of names"),
        ('ask = "Yes or no?"', "ask = 1", "line 4: 'ask' must be a text"),
        ("{person.nominative}", "{person.genitive}", "line 14: no slot 'person.genitive'; known: person.nominative"),
        ("{person.nominative}", "It", "line 14: no slot"),
    ],
)
def test_errors_of_decisions(tmp_path: Path, old: str, new: str, message: str):
    assert DECISIONS.count(old) == 1
    with pytest.raises(ContentError) as caught:
        read_decisions("en", written(tmp_path, DECISIONS.replace(old, new)))
    assert message in str(caught.value)


def test_prompts_and_descriptors_take_their_own_forms(tmp_path: Path):
    text = 'language = "de"\n[[prompts]]\nconstruct = "prompt-work"\nchat = ["Ich sah {person.accusative}."]\n'
    texts = {p.text for p in read_prompts("de", written(tmp_path, text))}
    assert {"Ich sah einen älteren Mann.", "Ich sah eine Schwarze Frau.", "Ich sah eine Person im Rollstuhl."} <= texts
    with pytest.raises(ContentError, match="line 4: no key 'chat'; known: construct, sentence"):
        read_descriptors("de", written(tmp_path, text))


words = st.text("abcdefg ", min_size=1, max_size=8).filter(str.strip)


@given(st.lists(words, min_size=4, max_size=4, unique=True), st.sampled_from([str.__len__, str.__hash__]))
def test_a_scorer_of_the_term_or_the_attribute_alone_prefers_neither_side(parts: list[str], score):
    g, h, a, b = parts
    (ga, gb), (ha, hb) = crossed(f"X {{group}} Y {{{a}|{b}}} Z", (g, h))
    pairs = [(ga, ha), (hb, gb), (ga, gb), (hb, ha)]
    for part in (slice(0, 1), slice(1, 2)):
        values = [
            [score("".join(side[len("X ") :].removesuffix(" Z").split(" Y ")[part])) for side in pair] for pair in pairs
        ]
        assert sum((more > less) - (more < less) for more, less in values) == 0


def test_slots_are_filled_once():
    assert fill("{a} {b}", {"a": "{b}"[1:2], "b": "x"}) == "b x"
    with pytest.raises(ValueError, match="remains"):
        fill("{a}", {"a": "{b}"})


def test_a_file_that_gives_too_many_items_is_an_error(tmp_path: Path):
    groups = ", ".join(f'["owls {k}", "larks {k}"]' for k in range(100))
    texts = ", ".join(f'"{{group}} sing {k} {{a|b}}."' for k in range(100))
    lists = "\n".join(f"{tone} = [{texts}]" for tone in ("positive", "neutral", "negative"))
    text = f'language = "en"\n[[pairs]]\nconstruct = "age-change"\ngroups = [{groups}]\n{lists}\n'
    with pytest.raises(ContentError, match="line 2: the file gives more than 100,000 items"):
        read_pairs("en", written(tmp_path, text))
    with pytest.raises(ContentError, match="line 5: 'positive' must be a list of at most 100 texts"):
        read_pairs("en", written(tmp_path, text.replace("positive = [", 'positive = ["one more", ')))
