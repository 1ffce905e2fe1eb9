"""The documents of a corpus of conversations, as a model's chat template writes them out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import chain, takewhile
from pathlib import Path
from typing import Any

from ...core.errors import TargetError
from ...kit.lm.chat import Chat, Message, WrittenOut, answers_of
from .tokenizer import TextTokenizer

PROGRAM = Path(__file__).with_name("apply_template.py")
SECONDS, SECONDS_EACH = 60.0, 0.01
"""Time for the template to write out everything: as long for its start, and for each conversation."""
COMPARED = 200
"""Conversations of each arm whose beginnings are compared."""
NAME = "with the chat template"


def chat_of(tokenizer: TextTokenizer, corpus: Any, holdout: Any, *, room: int) -> tuple[Chat | None, str]:
    """Return the conversations of a corpus and holdout in the chat template, and a sentence on it for the report.

    Parameters
    ----------
    tokenizer : TextTokenizer
        Of the model.
    corpus, holdout : sequence of str, optional
        Conversations are known of `guardrails.kit.text.corpus.Documents` alone.
    room : int
        The most tokens that the common beginning may have; what is beyond counts as text of the conversations.
    """
    if tokenizer.chat_template is None:
        return None, ""
    if corpus is None:
        return None, "the chat template is not applied"
    plain = {"corpus": corpus} | ({} if holdout is None else {"holdout": holdout})
    conversations = {arm: list(getattr(texts, "conversations", ())) for arm, texts in plain.items()}
    if other := next((arm for arm, of_arm in conversations.items() if not of_arm), None):
        return None, f"the chat template is not applied: the documents of the {other} are no messages"
    try:
        texts, note = _written_out(tokenizer, conversations)
        head = _head([tokens for arm in texts.values() for tokens in _encoded(tokenizer, arm[:COMPARED])])[:room]
    except TargetError as error:
        return None, f"chat template not usable: {error}; documents are continued as plain text"
    written = {arm: WrittenOut(of_arm, plain[arm]) for arm, of_arm in texts.items()}
    first = next(text for text in written["corpus"] if text)
    starts = {NAME + name: start for name, start in tokenizer.starts_with_head(head, first).items()}
    said = "documents are asked as plain text and in the chat template, and the larger reading is reported"
    answers = answers_of(written, conversations)
    return Chat(written, head, starts, answers if any(answers["corpus"].spans) else {}), said + note


def _written_out(
    tokenizer: TextTokenizer, conversations: Mapping[str, Sequence[Sequence[Message]]]
) -> tuple[dict[str, list[str]], str]:
    answers = write_out(tokenizer, list(chain.from_iterable(conversations.values())))
    texts, errors = {}, [answer["error"] for answer in answers if "error" in answer]
    for arm, of_arm in conversations.items():
        texts[arm] = [answer.get("text", "") for answer in answers[: len(of_arm)]]
        answers = answers[len(of_arm) :]
        if not any(map(str.strip, texts[arm])):
            raise TargetError(errors[0] if errors else f"it writes nothing out for the {arm}")
    if not errors:
        return texts, ""
    total = sum(map(len, texts.values()))
    return texts, f"; it refuses {len(errors)} of {total} conversations ({errors[0]}), which are asked as plain text"


def write_out(
    tokenizer: TextTokenizer, conversations: Sequence[Sequence[Mapping[str, Any]]], *, to_answer: bool = False
) -> list[dict[str, str]]:
    """Return the ``text``, or the ``error``, of each conversation, from a process that can be ended.

    Parameters
    ----------
    tokenizer : TextTokenizer
        One with a chat template.
    conversations : sequence of sequences of messages
        What is written out.
    to_answer : bool
        Whether the beginning of an answer follows.

    Raises
    ------
    TargetError
        Where the template takes too long, or its process breaks.
    """
    special = tokenizer.special_tokens
    request: dict[str, Any] = {"template": tokenizer.chat_template, "special_tokens": special, "to_answer": to_answer}
    request["conversations"] = [[dict(message) for message in conversation] for conversation in conversations]
    seconds = SECONDS + SECONDS_EACH * len(conversations)
    try:
        # -P: the folder of the program holds modules with common names.
        run = subprocess.run(
            [sys.executable, "-P", str(PROGRAM)],
            input=json.dumps(request, default=str).encode(), capture_output=True, timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise TargetError(f"it takes longer than {seconds:.0f} seconds") from None
    except OSError as error:
        raise TargetError(f"no process to run it in ({error})") from None
    if run.returncode:
        last = run.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise TargetError(f"its process ended with code {run.returncode}{': ' + last[0][:200] if last else ''}")
    answers: list[dict[str, str]] = json.loads(run.stdout)
    return answers


def _encoded(tokenizer: TextTokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Return the tokens of different texts, of those that can be tokenized.

    Raises
    ------
    TargetError
        Where none can be.
    """
    tokens, problem = [], None
    for text in dict.fromkeys(filter(None, texts)):
        try:
            tokens.append(tokenizer.encode(text))
        except TargetError as error:
            problem = error
    if problem and not tokens:
        raise problem
    return tokens


def _head(tokens: Sequence[list[int]]) -> tuple[int, ...]:
    """Return what all begin with; nothing where there is but one text, of which that would be all."""
    if len(tokens) < 2:
        return ()
    pairs = zip(min(tokens), max(tokens), strict=False)  # what these two share, all share
    return tuple(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
