"""How a causal model with a chat template answers conversations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.conversations import Conversation, Decoding, Finish, Reply, Usage
from ...core.errors import TargetError
from ...core.seeding import derive_seed
from ...kit.lm import scoring
from ...kit.lm.mode import context_length
from .chat_template import write_out
from .tokenizer import TextTokenizer


def answer(
    model: Any,
    tokenizer: TextTokenizer,
    conversations: Sequence[Conversation],
    decoding: Decoding,
    seed: int,
    *,
    end: frozenset[int],
) -> list[Reply]:
    """Return one reply per conversation, written after the beginning of an answer as the chat template has it.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        A causal language model, in evaluation mode.
    tokenizer : TextTokenizer
        Of the model.
    conversations : sequence of conversations
        What is to be answered.
    decoding : Decoding
        How.
    seed : int
        Each conversation has a seed of its own, from this and its place.
    end : frozenset of int
        The tokens that end an answer. They count neither as text nor in the usage.

    Returns
    -------
    list of Reply
        An error where the template refuses a conversation, leaves out what it says, or it does not fit the context:
        it is never cut.
    """
    outcomes: list[list[int] | str] = [_unfit(conversation) for conversation in conversations]
    fit = [place for place, why in enumerate(outcomes) if not why]
    try:
        for place, written in zip(fit, _written_out(tokenizer, [conversations[p] for p in fit]), strict=True):
            outcomes[place] = _prompt(model, tokenizer, written, conversations[place], decoding)
    except TargetError as error:
        outcomes = [f"the chat template cannot be used: {error}"] * len(conversations)
    places = [place for place, outcome in enumerate(outcomes) if not isinstance(outcome, str)]
    prompts = [outcome for outcome in outcomes if not isinstance(outcome, str)]
    answers = scoring.sample(
        model,
        prompts,
        decoding.max_new_tokens,
        temperature=decoding.temperature,
        seed=[derive_seed(seed, place) for place in places],
        end=end,
    )
    replies = [Reply(finish="error", error=outcome if isinstance(outcome, str) else "") for outcome in outcomes]
    for place, prompt, tokens in zip(places, prompts, answers, strict=True):
        replies[place] = _reply(tokenizer, prompt, tokens, decoding)
    return replies


def _unfit(conversation: Conversation) -> str:
    """Return why a conversation cannot be asked; empty where it can. A template would write None out as a word."""
    if not conversation:
        return "the conversation holds no message"
    texts = (message.get(name) for message in conversation for name in ("role", "content"))
    return "" if all(isinstance(text, str) for text in texts) else "a message has no role or no text"


def _written_out(tokenizer: TextTokenizer, conversations: Sequence[Conversation]) -> list[dict[str, str]]:
    if tokenizer.chat_template is None:
        raise TargetError("there is none")
    return write_out(tokenizer, conversations, to_answer=True) if conversations else []


def _prompt(
    model: Any, tokenizer: TextTokenizer, written: dict[str, str], conversation: Conversation, decoding: Decoding
) -> list[int] | str:
    """Return the tokens that an answer is written after, or why there is none."""
    if "error" in written:
        return f"the chat template refuses this conversation: {written['error']}"
    if role := _left_out(written["text"], conversation):
        return f"the chat template leaves out a message of the role '{role}'"
    try:
        tokens = tokenizer.encode_as_is(written["text"])
    except TargetError as error:
        return str(error)
    if not tokens:
        return "the chat template writes nothing out"
    room = context_length(model) - decoding.max_new_tokens
    if len(tokens) > room:
        return (
            f"the conversation has {len(tokens):,} tokens; with {decoding.max_new_tokens:,} of an answer it does not "
            f"fit into the model's context of {context_length(model):,}"
        )
    return tokens


def _left_out(text: str, conversation: Conversation) -> str | None:
    """Return the role of a message that is not in the text; of an answer, templates drop its reasoning on purpose.

    What a message says has to stand there as often as in all messages: one can hold what another says.

    >>> talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "'Be brief.' in French?"}]
    >>> _left_out("<user> 'Be  brief.' in French?", talk)
    'system'
    """
    plain = " ".join(text.split())
    messages = [(m["role"], " ".join(m["content"].split())) for m in conversation]
    asked = [(role, content) for role, content in messages if role != "assistant"]
    holders = [content for role, content in messages if role != "assistant" or content in plain]
    times = {content: sum(other.count(content) for other in holders) for _, content in asked}
    return next((role for role, content in asked if content and plain.count(content) < times[content]), None)


def _reply(tokenizer: TextTokenizer, prompt: Sequence[int], tokens: Sequence[int], decoding: Decoding) -> Reply:
    try:
        text = tokenizer.decode(tokens)
    except TargetError as error:
        return Reply(finish="error", error=str(error), usage=Usage(len(prompt), len(tokens)))
    finish: Finish = "length" if len(tokens) == decoding.max_new_tokens else "stop"
    return Reply(text, finish, usage=Usage(len(prompt), len(tokens)))
