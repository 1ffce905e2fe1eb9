"""A chat that is told what to answer, so that the answer takes the path of every other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...core.targets import TextTarget
from ._spiked import Spiked

REPEAT = "Reply with exactly the following text and nothing else:\n\n"


class RepeatingChat(Spiked[TextTarget]):
    """A chat that is asked, in place of some prompts, to repeat a text.

    What is planted is written by the model itself, and read as any of its answers. A model that does not do as it is
    told shows no spike: it would not follow the instructions of the prompts either.

    Parameters
    ----------
    target : TextTarget
        The user's chat.
    answers : mapping of str to str
        What it is asked to repeat, by prompt.
    """

    def __init__(self, target: TextTarget, answers: Mapping[str, str]) -> None:
        super().__init__(target, repr(sorted(answers.items())))
        self.answers = dict(answers)

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        """Return the target's answers to the prompts, or to the request that takes the place of one.

        A model that gives back whatever it is asked did not do as it was told: the request is taken out of its answer.
        """
        asked = [REPEAT + self.answers[prompt] if prompt in self.answers else prompt for prompt in prompts]
        texts = self.target.generate(asked, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
        return [
            text.replace(request, "") if prompt in self.answers and request in text else text
            for prompt, request, text in zip(prompts, asked, texts, strict=True)
        ]
