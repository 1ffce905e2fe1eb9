from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

import reports
from reports.markdown import escape
from reports.text import visible

PARSER = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")


def text_of(*args, **options):
    return reports.render(*args, **options).decode()


def flat(text: str) -> list[Token]:
    out: list[Token] = []
    for token in PARSER.parse(text):
        out += [token, *(token.children or [])]
    return out


def shown(text: str) -> str:
    words = [t.content if t.type in ("text", "code_inline", "fence") else " " for t in flat(text) if t.type != "inline"]
    return "".join(words)


@pytest.mark.parametrize("kind", ["audit", "self_check", "hostile"])
def test_no_markup_comes_through(factory, kind):
    text = text_of(getattr(factory, kind)(), "markdown")
    kinds = {token.type for token in flat(text)}
    assert not kinds & {
        "html_inline",
        "html_block",
        "image",
        "link_open",
        "code_inline",
        "code_block",
        "em_open",
        "s_open",
        "hr",
    }
    assert "<" not in text


def test_every_payload_stays_text(factory):
    text = re.sub(r"\s+", " ", shown(text_of(factory.hostile(), "markdown")))
    for payload in factory.PAYLOADS:
        assert re.sub(r"\s+", " ", visible(payload)).strip() in text, payload


def test_tables_keep_their_columns(factory):
    tokens = PARSER.parse(text_of(factory.hostile(), "markdown"))
    width = None
    for token in tokens:
        if token.type == "tr_open":
            width = [0] if width is None else [*width, 0]
        elif token.type in ("td_open", "th_open"):
            assert width is not None
            width[-1] += 1
        elif token.type == "table_close":
            assert width is not None
            assert len(set(width)) == 1
            width = None


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80).map(lambda t: visible(t)))
def test_escaped_text_reads_as_it_was(text):
    tokens = flat(escape(text))
    assert {t.type for t in tokens} <= {"paragraph_open", "inline", "paragraph_close", "text", "text_special"}
    joined = "".join(t.content for t in tokens if t.type in ("text", "text_special"))
    assert joined == re.sub(r"\s+", " ", text).strip()


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=120))
def test_no_text_changes_the_structure(factory, text):
    def shape(t: str) -> list[str]:
        m = factory.measurement(
            0.5, 0.4, 0.6, evidence=({"kind": "excerpt", "caption": t, "text": "word"},), explanation=t
        )
        f = factory.extraction(title=t, question=t, limits=t, advice=t, reason=t, measurement=m)
        return [
            token.type
            for token in PARSER.parse(text_of(factory.audit(findings=(f,), environment={"a": t}), "markdown"))
        ]

    assert shape(f"x{text}") == shape("x")


def test_a_command_can_be_copied(factory):
    text = text_of(factory.audit(), "markdown")
    assert f"```sh\n{factory.audit().command}\n```" in text
