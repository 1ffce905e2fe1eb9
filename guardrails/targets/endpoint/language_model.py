"""A server of completions as a language model: tokens and log-probabilities are the server's."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...core.conversations import Reply
from ...core.errors import TargetError
from ...core.targets import Access
from ..chat_texts import ChatTexts
from ..language.causal_model import refuse_lone_surrogate
from .agreement import LARGEST, mean_difference
from .endpoint import Endpoint
from .options import EndpointOptions
from .scores import Scored
from .scoring import FORMS, Echo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SENTENCE = "The harbour lies a mile from the old town, and ships call there twice a week."
"""What a server is asked about first: whether it gives log-probabilities, and what it puts before a text."""
CONTEXT = 1024
"""Tokens that are taken for the longest text where the server does not say it."""
NOT_ASKED = "whether the server gives log-probabilities is asked when the audit begins"
_TOO_LONG = re.compile(r"the server answered (400|413|422)\b.*(token|length|context|long)", re.IGNORECASE | re.DOTALL)
_REFUSED = re.compile(r"the server answered (400|413|422)\b")
HALVINGS = 6
"""How often a text that is too long for the server is halved, and sent again."""
BEGINNING = 4
"""Tokens by which a text is looked up that begins as a sequence does."""


class ServedLanguageModel(ChatTexts):
    """A server of completions; a language model where it gives the log-probabilities of a text that it is sent.

    The server tokenizes. A token's number is a hash of the part of the text that it stands for. The log-probabilities
    of a sequence that a text begins with are those of the text, and are not asked for again; any other sequence is sent
    as a text, and is refused where the server reads that as other tokens.

    Parameters
    ----------
    model : Endpoint
        Of the scheme ``openai-completions``.
    """

    reads_tokens = False
    """Not any sequence of tokens can be read, only what a text is split into."""

    def __init__(self, model: Endpoint) -> None:
        super().__init__(model)
        self.access = ChatTexts.access
        self.without_logprobs = NOT_ASKED
        """Why no log-probabilities can be read; empty where they can."""
        self._endpoint = model
        self._form: type[Echo] = FORMS[0]
        self._lead: list[int] = []
        self._compared = False
        """Whether the values were compared with those of tokens that the server wrote."""
        self._parts: dict[int, str] = {}
        self._known: dict[tuple[int, ...], list[tuple[list[int], NDArray[np.float64]]]] = {}
        """Sequences that were scored, by their first tokens."""
        self._beginnings: dict[str, str] = {}
        """Of texts that are too long for the server: what it reads."""
        self._refused: dict[str, str] = {}
        """Texts that it would refuse again, and why."""
        self._unread: dict[tuple[str, int], str] = {}
        """Requests of a call that failed in part, until the engine has asked for each item by itself."""

    def learn_access(self) -> None:
        """Ask the server about one sentence: where it gives log-probabilities, it is a language model.

        They are not those of the text where tokens that it wrote have others when it reads them.
        """
        reasons = []
        for form in FORMS:
            (reply,) = self._endpoint.score([SENTENCE], form, lead=None)
            reasons.append(f"'{form.name}': {reply.error or 'all its tokens have the same one'}")
            scored = None if reply.error else _read(reply)
            if scored and len(set(scored.logprobs)) > 1:
                apart = mean_difference(self._endpoint, form, len(scored.lead))
                if apart is not None and apart > LARGEST:
                    reasons[-1] = (
                        f"'{form.name}': tokens that it wrote have others when it reads them, {apart:.2g} apart"
                    )
                    continue
                self._form, self.without_logprobs, self._compared = form, "", apart is not None
                self._lead = [self._number("", f"before a text: {token}") for token in scored.lead]
                self.access = ChatTexts.access | {Access.LOGPROBS}
                return
        self.without_logprobs = (
            f"the server gives no log-probabilities of a text that it is sent ({'; '.join(reasons)})"
        )

    @property
    def read_as(self) -> str:
        """How the model is asked, and where its log-probabilities come from."""
        if Access.LOGPROBS not in self.access:
            return f"{super().read_as}; {self.without_logprobs}"
        stated = "" if self._stated_length else ", as the server does not state its context"
        compared = "" if self._compared else ", not compared with those of tokens that it writes"
        return (
            f"{super().read_as}; tokens and log-probabilities are the server's, by '{self._form.name}'{compared}; at "
            f"most {self.context_length:,} tokens of a text are read{stated}"
        )

    @property
    def _stated_length(self) -> int:
        stated = self._endpoint.identity().get("max_model_len", "")
        return int(stated) if stated.isdecimal() else 0

    @property
    def context_length(self) -> int:
        """The longest sequence that is read: one token less than the server can, which writes one more."""
        return max(1, self._stated_length - 1) if self._stated_length else CONTEXT

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text, behind those that the server puts before it; of one that is too long, the first.

        Raises
        ------
        TargetError
            Where the server does not tell them.
        """
        refuse_lone_surrogate(text)
        if not text:
            return list(self._lead)
        given, text = text, self._beginnings.get(text, text)
        if given in self._refused:
            raise TargetError(self._refused[given])
        for halvings in range(HALVINGS + 1):
            (reply,) = self._endpoint.score([text], self._form, lead=len(self._lead))
            if halvings == HALVINGS or not _TOO_LONG.match(reply.error or ""):
                break
            text = text[: len(text) // 2].rsplit(" ", 1)[0]
        if reply.error is not None:
            if _REFUSED.match(reply.error):
                self._refused[given] = reply.error
            raise TargetError(reply.error)
        if text != given:
            self._beginnings[given] = text
        return self._learn(text, _read(reply))

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without those that the server puts before a text.

        Raises
        ------
        TargetError
            For a token that is none of the server's.
        """
        try:
            return "".join(self._parts[token] for token in tokens)
        except KeyError as error:
            raise TargetError(f"token {error} is none that the server gave") from None

    def token_logprobs(self, sequences: Sequence[Sequence[int]]) -> list[NDArray[np.float64]]:
        """Return, per sequence, log p(token | tokens before it) for every token but the first: (length − 1,), ≤ 0.

        Raises
        ------
        TargetError
            Where the server does not tell them, or reads the text of a sequence as other tokens.
        """
        given = [list(map(int, sequence)) for sequence in sequences]
        asked = [tokens for tokens in given if len(tokens) > 1 and self._scores_of(tokens) is None]
        self._ask(asked, new=1)
        return [self._logprobs(tokens) for tokens in given]

    def continue_tokens(self, prefixes: Sequence[Sequence[int]], *, n: int) -> list[list[int]]:
        """Return the greedy continuation of each prefix, n tokens long (shorter only at an end-of-text token).

        Errors as `token_logprobs`.
        """
        given = [list(map(int, prefix)) for prefix in prefixes]
        return [[self._number(part) for part in scored.written[:n]] for scored in self._ask(given, new=n)]

    def _ask(self, sequences: Sequence[list[int]], *, new: int) -> list[Scored]:
        """Return what the server says of each sequence, sent as a text, with `new` tokens written behind it."""
        texts = [self.decode(tokens) for tokens in sequences]
        again = {text: why for text in texts if (why := self._unread.pop((text, new), None)) is not None}
        fresh = [text for text in dict.fromkeys(texts) if text not in again]
        replies = self._endpoint.score(fresh, self._form, lead=len(self._lead), new=new) if fresh else []
        answers = dict(zip(fresh, replies, strict=True))
        errors = again | {text: reply.error for text, reply in answers.items() if reply.error is not None}
        if errors:
            partial = bool(again) or len(errors) < len(set(texts))
            if partial and len(sequences) > 1:
                self._unread |= {(text, new): why for text, why in errors.items()}
            raise TargetError(next(iter(errors.values())), partial=partial)
        scored = [_read(answers[text]) for text in texts]
        for tokens, text, one in zip(sequences, texts, scored, strict=True):
            if self._learn(text, one) != tokens:
                raise TargetError("the server reads the text of these tokens as other tokens")
        return scored

    def _learn(self, text: str, scored: Scored) -> list[int]:
        """Return the tokens of a text, and remember their log-probabilities."""
        import numpy as np

        tokens = [*self._lead, *(self._number(part) for part in scored.pieces(text))]
        if self._scores_of(tokens) is None and len(tokens) > 1:
            self._known.setdefault(tuple(tokens[:BEGINNING]), []).append((tokens, np.array(scored.logprobs)))
        return tokens

    def _scores_of(self, tokens: list[int]) -> NDArray[np.float64] | None:
        known = self._known.get(tuple(tokens[:BEGINNING]), ())
        return next((values[: len(tokens) - 1] for other, values in known if other[: len(tokens)] == tokens), None)

    def _logprobs(self, tokens: list[int]) -> NDArray[np.float64]:
        import numpy as np

        scores = self._scores_of(tokens) if len(tokens) > 1 else None
        return np.zeros(0) if scores is None else scores.copy()

    def _number(self, part: str, name: str = "") -> int:
        """Return the number of a token: the same in every run, whatever was asked before."""
        number = int.from_bytes(hashlib.sha256((name or f"part: {part}").encode()).digest()[:6])
        self._parts[number] = part
        return number


def _read(reply: Reply) -> Scored:
    """Return what a reply says of a text; one that was stored may have been changed since."""
    try:
        return Scored.from_json(reply.text)
    except (ValueError, TypeError, AttributeError):
        raise TargetError("a stored answer of the server is damaged") from None


def load(spec: str, options: EndpointOptions | None = None) -> ServedLanguageModel:
    """Return the target that ``openai-completions:`` names."""
    return ServedLanguageModel(Endpoint(f"openai-completions:{spec}", options))
