"""``python:module:function``: a grader that is a function of the user's own."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import ConfigurationError, TargetError
from ..core.grading import Gradable, Grade, Grader

BOOLEANS = {True: "yes", False: "no"}


class CallableGrader(Grader):
    """Asks a function for the labels.

    Parameters
    ----------
    function : str or callable
        ``module:function``, found beside the caller too, or the function itself. It takes a list of items, which are
        strings or `Exchange`, and returns for each a label, or None where it cannot say, or a `Grade`. Its attribute
        ``labels`` names the labels; without it they are ``yes`` and ``no``, for True and False.

    Raises
    ------
    ConfigurationError
        Where there is no such function, or its ``labels`` are none.
    TargetError
        Where its module fails to import.
    """

    id = "python"
    title = "A function of your own"
    question = "Which label does your function give to the text?"
    limits = "Whatever the function cannot see."
    takes = "the function: MODULE:FUNCTION"

    def __init__(self, function: str | Callable[[list[Gradable]], Sequence[Any]]) -> None:
        self._function = _imported(function) if isinstance(function, str) else function
        module, name = (getattr(self._function, a, "") for a in ("__module__", "__qualname__"))
        self._name = function if isinstance(function, str) else f"{module}:{name}"
        if not callable(self._function):
            raise ConfigurationError(f"python:{self._name} is no function")
        labels = getattr(self._function, "labels", tuple(BOOLEANS.values()))
        sound = isinstance(labels, Sequence) and not isinstance(labels, str) and all(isinstance(x, str) for x in labels)
        if not sound or len({label.strip() for label in labels} - {""}) < max(2, len(labels)):
            raise ConfigurationError(f"python:{self._name}: its labels have to be two different strings or more")
        self.labels = tuple(labels)

    def identity(self) -> dict[str, str]:
        """Return the function's name and the hash of its file: what else it reads cannot be known."""
        try:
            content = Path(inspect.getsourcefile(inspect.unwrap(self._function)) or "").read_bytes()
        except (TypeError, OSError):  # an object with __call__, or one typed in by hand
            return {"callable": self._name}
        return {"callable": self._name, "file": hashlib.sha256(content).hexdigest()}

    def label_items(self, items: Sequence[Gradable]) -> list[Grade]:
        """Return what the function says of the items."""
        answers = self._function(list(items))
        if isinstance(answers, str | Mapping) or not hasattr(answers, "__len__") or len(answers) != len(items):
            raise TargetError(f"python:{self._name} has to return a list with one label for each of {len(items)} items")
        return [self._grade(answer) for answer in answers]

    def _grade(self, answer: Any) -> Grade:
        import numpy as np

        match answer:
            case Grade(label) if label is None or label in self.labels:
                return answer
            case None:
                return Grade(None, reason="the function gave no label")
            case bool() | np.bool_() if self.labels == tuple(BOOLEANS.values()):
                return Grade(BOOLEANS[bool(answer)])
            case str() if answer in self.labels:
                return Grade(str(answer))
            case Grade(label):
                answer = label
        shown = f"'{answer[:50]}'" if isinstance(answer, str) else type(answer).__name__
        raise TargetError(f"python:{self._name} returned {shown}; its labels are {', '.join(self.labels)}")


def _imported(spec: str) -> Any:
    from ..targets.callable import load_object

    return load_object(spec)
