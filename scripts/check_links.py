"""Holds the documents together: every relative link resolves, and every page can be reached from docs/index.md."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[1]
START = ROOT / "docs" / "index.md"
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)


def main() -> int:
    pages = sorted(documents(ROOT))
    problems = [problem for page in pages for problem in broken_links(page)]
    reached = reachable(START)
    unreached = [page for page in pages if page.is_relative_to(ROOT / "docs") and page not in reached]
    problems += [f"{page.relative_to(ROOT)}: no way here from {START.relative_to(ROOT)}" for page in unreached]
    print(*problems, sep="\n", end="\n" if problems else "")
    return 1 if problems else 0


def documents(root: Path) -> Iterator[Path]:
    """Yield the Markdown files that belong to the project, tracked or new."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.md"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (root / name).is_file():
            yield root / name


def links(page: Path) -> Iterator[str]:
    """Yield the relative links of a page, outside code."""
    text = CODE.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))
    for match in LINK.finditer(text):
        target = unquote(match[1])
        if not re.match(r"[a-z][a-z0-9+.-]*:", target):
            yield target


def broken_links(page: Path) -> Iterator[str]:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            yield f"{page.relative_to(ROOT)}: {link}: no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            yield f"{page.relative_to(ROOT)}: {link}: no such heading"


def anchors(page: Path) -> set[str]:
    """Return the anchors that the headings of a page get on common forges."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)}


def reachable(start: Path) -> set[Path]:
    seen: set[Path] = set()
    todo = [start]
    while todo:
        page = todo.pop()
        if page in seen or not page.is_file():
            continue
        seen.add(page)
        paths = [link.partition("#")[0] for link in links(page)]
        todo += [(page.parent / path).resolve() for path in paths if path.endswith(".md")]
    return seen


if __name__ == "__main__":
    sys.exit(main())
