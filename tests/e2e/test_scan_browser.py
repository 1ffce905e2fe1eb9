"""The gallery of a scan in a real browser: it loads nothing, hostile names stay text, axe-core finds nothing."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.gallery import render_gallery

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
TRIED = "document.querySelectorAll('script, iframe, object, embed, form, input, video, math, base').length"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = Path(__file__).parents[1] / "reports" / "gallery_data.py"
    spec = importlib.util.spec_from_file_location("gallery_data_of_browser", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = tmp_path_factory.mktemp("gallery") / "gallery.html"
    page.write_text(render_gallery(module.gallery()), encoding="utf-8")
    return page.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    contexts = []

    def open_page(**options: Any) -> tuple[Any, list[str]]:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_offline(True)
        tried: list[str] = []
        page = context.new_page()
        page.on("console", lambda message: tried.append(message.text))
        page.on("pageerror", lambda error: tried.append(str(error)))
        page.on("request", lambda request: tried.append(request.url) if request.url.startswith("http") else None)
        page.on("dialog", lambda dialog: (tried.append(dialog.message), dialog.dismiss()))
        page.goto(address)
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        return page, tried

    yield open_page
    for context in contexts:
        context.close()


def test_it_runs_nothing_and_names_stay_text(visit: Any) -> None:
    page, tried = visit()
    assert tried == []
    assert page.evaluate(TRIED) == 0
    assert "<script>alert(1)</script>" in page.locator("main").text_content()
    assert page.locator(".gallery > li").count() == 4
    assert page.locator("img").first.evaluate("e => e.naturalWidth") == 120
    assert page.locator(".timeline .stretch").first.bounding_box()["width"] > 10


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(visit: Any, scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed; type: npm ci --prefix tests/e2e")
    page, _ = visit(color_scheme=scheme, bypass_csp=True)
    page.evaluate(AXE.read_text("utf-8"))
    axe_results = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [(v["id"], [node["html"][:200] for node in v["nodes"][:3]]) for v in axe_results["violations"]] == []


def test_a_narrow_screen_needs_no_sideways_scrolling(visit: Any) -> None:
    page, _ = visit(viewport={"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
