"""Take the README's picture: the first screen of a run's report.html, by headless Chromium.

Usage: python scripts/report_picture.py RUN_FOLDER [docs/pictures/report.png]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

DEFAULT = Path(__file__).parents[1] / "docs" / "pictures" / "report.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def take(report: Path, picture: Path, *, width: int = 1200, height: int = 1000) -> None:
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        sys.exit(f"no Chromium on this machine: install one of {', '.join(BROWSERS)}")
    picture.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        page.screenshot(path=picture)
        browser.close()


def main(arguments: list[str]) -> None:
    if not 1 <= len(arguments) <= 2:
        sys.exit(__doc__)
    report = Path(arguments[0])
    report = report / "report.html" if report.is_dir() else report
    if not report.is_file():
        sys.exit(f"{report} is missing; make it with: guardrails report RUN --format html")
    take(report, Path(arguments[1]) if len(arguments) == 2 else DEFAULT)


if __name__ == "__main__":
    main(sys.argv[1:])
