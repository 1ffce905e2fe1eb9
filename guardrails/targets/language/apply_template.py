"""A program of its own: applies a chat template to conversations, within limits of memory and size.

A template comes with a model and is hostile until shown otherwise. `transformers` runs it in a sandbox that keeps it
from Python's objects; this process, which `chat_template` starts and ends, keeps its loops and texts from the audit.
It imports nothing of this library. Standard input and output hold JSON.
"""

import json
import sys

MEMORY = 4 << 30
"""Bytes of address space."""
LONGEST, TIMES_LONGER = 100_000, 20
"""Characters that a conversation may have in the template: this many, or this many times its own."""


def main() -> None:
    """Write, for each conversation, its text or what is wrong."""
    from transformers.utils.chat_template_utils import render_jinja_template

    _limit_memory()
    request = json.load(sys.stdin)
    answers = []
    for conversation in request["conversations"]:
        most = max(LONGEST, TIMES_LONGER * len(json.dumps(conversation)))
        try:
            texts, _ = render_jinja_template(
                [conversation],
                chat_template=request["template"],
                add_generation_prompt=request["to_answer"],
                **request["special_tokens"],
            )
            too_long = len(texts[0]) > most
            answers.append({"error": f"more than {most:,} characters"} if too_long else {"text": texts[0]})
        except Exception as error:  # a template raises anything
            answers.append({"error": f"{type(error).__name__}: {str(error)[:200]}"})
    json.dump(answers, sys.stdout)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit; that of time holds there, too
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    main()
