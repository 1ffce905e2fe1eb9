"""Take the pictures of pages that the documentation shows, by headless Chromium.

Usage: python scripts/report_picture.py RUN_FOLDER [docs/pictures/report.png]
       python scripts/report_picture.py --gallery [docs/pictures/gallery.png]
       python scripts/report_picture.py --controls [docs/pictures/controls.png]

The first is the first screen of a run's report.html; the README shows that of the audit that it prints. The second
scans outputs of reference generators and photographs that scikit-image ships, and shows the files of its gallery. The
third audits a generator that leaks rows, and shows a part of its control matrix.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee")
GENERATORS = ("diffusion-photo", "gan-art")
COLOURS = 256
"""Of the saved picture: a page of flat colours and small pictures needs no more, and is a third of the size."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def take(report: Path, picture: Path, *, width: int = 1200, height: int = 1000, start: str = "body") -> None:
    from PIL import Image
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        sys.exit(f"no Chromium on this machine: install one of {', '.join(BROWSERS)}")
    picture.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        page.locator(start).first.evaluate("element => element.scrollIntoView()")
        page.screenshot(path=picture)
        browser.close()
    with Image.open(picture) as taken:
        flat = taken.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE)  # keeps a colour of few pixels
        flat.save(picture, optimize=True)


def gallery(picture: Path, *, detector: str = "deepfake.fusion") -> None:
    """Scan pictures of known origin, and take the gallery."""
    from PIL import Image
    from skimage import data

    from guardrails.cli import run
    from guardrails.targets import load_target

    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "files"
        files.mkdir()
        for name in PHOTOGRAPHS:
            Image.fromarray(getattr(data, name)()).save(files / f"photograph-{name}.jpg", quality=92)
        for name in GENERATORS:
            for i, made in enumerate(load_target(f"reference:{name}").sample_images(3, seed=0)):
                Image.fromarray(made).save(files / f"{name}-{i}.png")
        scan = Path(folder) / "scan"
        if run(["scan", str(files), "--detectors", detector, "--format", "html", "--out", str(scan)]):
            sys.exit("the scan failed")
        page = scan / "gallery.html"
        page.write_text(page.read_text("utf-8").replace(f"{files}/", ""), "utf-8")
        take(page, picture, height=1130, start="section[aria-labelledby=files]")


def controls(picture: Path) -> None:
    """Audit a generator that leaks rows under the policy of the AI Act, and take what stands of Article 15."""
    from guardrails.cli import run

    with tempfile.TemporaryDirectory() as folder:
        audit = ["audit", "reference:tabular,leak=0.25", "--policy", "eu-ai-act", "--budget", "quick"]
        run([*audit, "--out", f"{folder}/run"])
        take(Path(folder) / "run" / "report.html", picture, height=900, start='tr:has-text("Art. 15(4)")')


def main(arguments: list[str]) -> None:
    if not 1 <= len(arguments) <= 2:
        sys.exit(__doc__)
    if make := {"--gallery": gallery, "--controls": controls}.get(arguments[0]):
        make(Path(arguments[1]) if len(arguments) == 2 else PICTURES / f"{arguments[0].removeprefix('--')}.png")
        return
    report = Path(arguments[0])
    report = report / "report.html" if report.is_dir() else report
    if not report.is_file():
        sys.exit(f"{report} is missing; make it with: guardrails report RUN --format html")
    take(report, Path(arguments[1]) if len(arguments) == 2 else PICTURES / "report.png")


if __name__ == "__main__":
    main(sys.argv[1:])
