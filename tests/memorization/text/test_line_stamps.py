from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.memorization.text.letter_runs import letters_of
from guardrails.memorization.text.line_stamps import without_stamps

LINES = ["the cat sat on a mat", "and then it went away", "nobody knew where to", "", "it came home at last"]


def clock(second: int, fraction: str = "") -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}{fraction}"


STAMPED = {
    "colon": lambda i, line: f"{i}: {line}",
    "point": lambda i, line: f"{i}. {line}",
    "bracket": lambda i, line: f"{i}) {line}",
    "cat": lambda i, line: f"{i:6}\t{line}",
    "wide": lambda i, line: f"  {i:4}  {line}",
    "bar": lambda i, line: f"{i:03} | {line}",
    "arrow": lambda i, line: f"{i}→{line}",
    "grep": lambda i, line: f"{i * 3}-{line}",
    "basic": lambda i, line: f"{i * 10} {line}",
    "letter": lambda i, line: f"L{i}: {line}",
    "line": lambda i, line: f"Line {i}: {line}",
    "quoted": lambda i, line: f"> {i}. {line}",
    "square": lambda i, line: f"[00:{i:02}] {line}",
    "lyrics": lambda i, line: f"[00:{i:02}.50]{line}",
    "round": lambda i, line: f"({clock(i)}) {line}",
    "time": lambda i, line: f"{clock(i)} {line}",
    "milliseconds": lambda i, line: f"{clock(i, '.345')}\t{line}",
    "noon": lambda i, line: f"{i % 12 + 1}:30 pm - {line}",
    "range": lambda i, line: f"{clock(i)} - {clock(i + 2)}: {line}",
    "own line": lambda i, line: f"0:{i:02}\n{line}",
    "date": lambda i, line: f"2021-03-12T{clock(i)}Z {line}",
    "chat": lambda i, line: f"[12/03/2021, {clock(i)}] {line}",
    "srt": lambda i, line: f"{i}\n{clock(i, ',000')} --> {clock(i + 2, ',500')}\n{line}\n",
    "vtt": lambda i, line: f"00:{i:02}.000 --> 00:{i + 2:02}.000 align:start\n{{\\an8}}{line}\n",
    "ass": lambda i, line: f"Dialogue: 0,0:00:{i:02}.00,0:00:{i + 2:02}.00,Default,,0,0,0,,{line}",
    "escaped": lambda i, line: f"{i}: {line}\\n",
    "html": lambda i, line: f"<p>{i}: {line}</p>",
}


@pytest.mark.parametrize("kind", STAMPED)
@pytest.mark.parametrize("first", [1, 17])
def test_the_letters_are_those_of_the_text_without_stamps(kind: str, first: int) -> None:
    # A digit that belongs to a line stays.
    lines = [f"{line} {len(line)}" for line in LINES] if kind != "own line" else [line for line in LINES if line]
    text = "\n".join(STAMPED[kind](i, line) for i, line in enumerate(lines, first))
    assert letters_of(text) == letters_of("\n".join(lines))


def test_a_speaker_before_the_time_stays() -> None:
    assert letters_of("Ann (00:05):\nGood day.\n\nBen [0:09]: And to you.") == letters_of(
        "Ann Good day. Ben And to you."
    )


RNG = Random(3)
NUMBERS = {
    "table": [f"{i}\t{RNG.random():.3f}\t{RNG.random():.3f}" for i in range(9)],
    "zeros": [f"{i} 0 0 0" for i in range(9)],
    "log": [f"{i + 8:02}:00 pump on" for i in range(9)],
    "states": [f"{i}: {'OK' if i % 4 else 'failed'}" for i in range(9)],
    "versions": [f"1.{i} notes" for i in range(9)],
    "decimals": [f"{i}.5 kg of flour" for i in range(9)],
    "far apart": [f"{RNG.randrange(10**5)} pieces of kind {name}" for name in "abcdefghi"],
    "amounts": [f"{RNG.randrange(10**5)},00 EUR for {name}" for name in "abcdefghi"],
    "times": [f"{i:02}:15" for i in range(9)],
    "telephone": [f"030 {RNG.randrange(10**6)} {name}" for name in "abcdefghi"],
    "records": [f"{i},Ann,{RNG.randrange(99)}" for i in range(9)],
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_that_are_what_a_line_tells_stay(kind: str) -> None:
    text = "\n".join(NUMBERS[kind])
    assert without_stamps(text) == text


@given(st.text("1 2:0[]()->.,\n\tTab|<{\\}Z", max_size=60))
def test_no_letter_and_no_further_line_is_lost(text: str) -> None:
    left = without_stamps(text)
    assert len(left) <= len(text)
    remaining = iter(text)
    assert all(character in remaining for character in left)


def test_long_lines_take_no_long_time() -> None:
    for text in (" " * 10**5, "1" * 10**5, "1:" * 10**5, "a(\n" * 10**4, "00:01 " + " " * 10**5, "{\\" * 10**5):
        assert len(without_stamps(text)) <= len(text)
