"""The factory of results, and a reader of rendered HTML."""

from __future__ import annotations

import importlib
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

# Under importlib mode a test folder is no package: this is how its modules find one another.
sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def factory() -> ModuleType:
    """Return the module of results to render; the browser's tests use it too."""
    return importlib.import_module("report_factory")


class Reader(HTMLParser):
    """Collects what a page is made of: tags with their attributes, the style sheet, the script, all other text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.style = ""
        self.script = ""
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.style += data
        elif self._inside == "script":
            self.script += data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        """The structure without the texts."""
        return [(tag, tuple(attributes)) for tag, attributes in self.tags]

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="session")
def read() -> type[Reader]:
    return Reader
