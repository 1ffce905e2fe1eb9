"""Texts that lie in a temporary file, so that a large file of them takes little memory."""

from __future__ import annotations

import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from typing import TypeVar, cast, overload

T = TypeVar("T", bound="str | None")
_NONE = b"\xff"
"""Stands for None: a byte that UTF-8 never uses."""


class Spooled(Sequence[T]):
    """Texts in a temporary file without a name, each read when it is looked at; in memory are eight bytes of each.

    Halves of surrogate pairs come out as they went in. It is equal to any sequence of the same texts.

    Parameters
    ----------
    texts : iterable of str or None

    Raises
    ------
    OSError
        Where the folder for temporary files (``TMPDIR``) is full, by its name.

    Examples
    --------
    >>> texts = Spooled(["one", "zwölf"])
    >>> texts[1], len(texts), texts == ["one", "zwölf"]
    ('zwölf', 2, True)
    """

    def __init__(self, texts: Iterable[T] = ()) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  closed with the last that refers to this
        weakref.finalize(self, self._file.close)
        self._ends = array("q", [0])
        self._lock = Lock()
        for text in texts:
            self.append(text)

    def append(self, text: T) -> None:
        """Add a text at the end."""
        data = _NONE if text is None else text.encode("utf-8", "surrogatepass")
        end = self._ends[-1] + len(data)
        try:
            with self._lock:
                self._file.seek(self._ends[-1])  # not to the end of the file: a part of a text may lie there
                while data:
                    data = data[self._file.write(data) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, tempfile.gettempdir()) from None
        self._ends.append(end)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self._text(i) for i in range(*index.indices(len(self)))]
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(f"text {index} of {len(self)}")
        return self._text(number)

    def __iter__(self) -> Iterator[T]:
        return map(self._text, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as that of a list

    def _text(self, number: int) -> T:
        begin, end = self._ends[number], self._ends[number + 1]
        with self._lock:
            self._file.seek(begin)
            data = self._file.read(end - begin)
        return cast(T, None if data == _NONE else data.decode("utf-8", "surrogatepass"))


class Joined(Sequence[str]):
    """Texts followed by others, without a copy of either.

    >>> list(Joined(["a"], ["b", "c"]))
    ['a', 'b', 'c']
    """

    def __init__(self, first: Sequence[str], second: Sequence[str]) -> None:
        self.first, self.second = first, second

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        return self.first[number] if number < len(self.first) else self.second[number - len(self.first)]
