"""The report in a real browser: offline, with and without scripts, wide and narrow, light and dark, by axe-core."""

from __future__ import annotations

import importlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import reports
from guardrails.core.results import Status

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
KINDS = ("audit", "self_check", "broken", "hostile")
COMPARISONS = ("compare", "trend")
SCHEMES = {"light": 1280, "dark": 390}
"""Each with the width at which axe-core looks at a report. It looks at comparisons at 390 pixels in both."""


@pytest.fixture(scope="module")
def factory() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "reports")
        importlib.import_module("result_kinds")
        return importlib.import_module("report_factory")


@pytest.fixture(scope="module")
def pages(factory: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("report")
    kinds = importlib.import_module("result_kinds")
    results = {
        "audit": factory.with_pictures(folder),
        "self_check": factory.self_check(),
        "broken": factory.self_check(broken=True),
        "hostile": factory.hostile(),
        "compare": kinds.comparison(),
        "trend": kinds.trend(),
    }
    for name, result in results.items():
        reports.render(result, "html", folder / f"{name}.html", run_folder=folder)
    return {name: (folder / f"{name}.html").as_uri() for name in results}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclass
class Watch:
    """What a page tried that it must not."""

    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def nothing(self) -> bool:
        return not (self.requests or self.console or self.dialogs)


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    """Return a function that opens a page offline and says what it tried."""
    contexts = []

    def open_page(address: str, **options: Any) -> tuple[Any, Watch]:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_offline(True)
        watch = Watch()

        def refuse(route: Any) -> None:
            watch.requests.append(route.request.url)
            route.abort()

        context.route(lambda url: not url.startswith(("file:", "data:")), refuse)
        page = context.new_page()
        page.on(
            "console",
            lambda message: watch.console.append(message.text) if message.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: watch.console.append(str(error)))
        page.on("dialog", lambda dialog: (watch.dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(address)
        return page, watch

    yield open_page
    for context in contexts:
        context.close()


def unfold(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")


@pytest.mark.parametrize("name", KINDS)
def test_it_loads_nothing_and_complains_of_nothing(visit, pages, name):
    page, watch = visit(pages[name])
    unfold(page)
    assert page.locator("h1").is_visible()
    assert watch.nothing(), watch
    assert (
        page.evaluate("performance.getEntriesByType('resource').filter(r => !r.name.startsWith('data:')).length") == 0
    )


@pytest.mark.parametrize("name", KINDS)
def test_it_reads_without_scripts(visit, pages, name):
    page, watch = visit(pages[name], java_script_enabled=False)
    assert page.locator("h1").is_visible()
    assert page.locator("#not-tested").is_visible()
    folded = page.locator("article:last-of-type details.body")
    question = folded.locator("p").first
    assert not question.is_visible()
    folded.locator("summary").first.click()
    assert question.is_visible()
    assert watch.nothing(), watch


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["audit", "broken", "hostile", *COMPARISONS])
def test_axe_finds_no_violation(visit, pages, name, scheme):
    if not AXE.is_file():
        pytest.skip("axe-core is not installed; type: npm ci --prefix tests/e2e")
    width = 390 if name in COMPARISONS else SCHEMES[scheme]
    page, _ = visit(pages[name], color_scheme=scheme, bypass_csp=True, viewport={"width": width, "height": 844})
    unfold(page)
    page.evaluate(AXE.read_text("utf-8"))
    axe_results = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert axe_results["passes"]
    assert [(v["id"], [node["html"][:200] for node in v["nodes"][:3]]) for v in axe_results["violations"]] == []


def test_the_schemes_differ(visit, pages):
    papers = set()
    for scheme in ("light", "dark"):
        page, _ = visit(pages["audit"], color_scheme=scheme)
        papers.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(papers) == 2


@pytest.mark.parametrize("name", [*KINDS, *COMPARISONS])
def test_a_narrow_screen_needs_no_sideways_scrolling(visit, pages, name):
    page, _ = visit(pages[name], viewport={"width": 320, "height": 640})
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_verdict_and_the_gaps_are_on_the_first_screen(visit, pages):
    page, _ = visit(pages["audit"], viewport={"width": 1200, "height": 1000})
    for selector in ("h1", ".headlines li", "#audited", "#not-tested"):
        box = page.locator(selector).first.bounding_box()
        assert box["y"] + box["height"] <= 1000, selector
    page, _ = visit(pages["self_check"], viewport={"width": 1200, "height": 1000})
    for selector in ("h1", ".tally", ".matrix th >> nth=0", ".matrix td >> nth=2"):
        box = page.locator(selector).first.bounding_box()
        assert box["y"] + box["height"] <= 1000, selector


def test_payloads_stay_text(visit, pages, factory):
    page, watch = visit(pages["hostile"])
    unfold(page)
    page.mouse.move(200, 200)
    page.keyboard.press("Tab")
    assert watch.nothing(), watch
    never = (
        "script:not(body > script:last-child), iframe, object, embed, form, input:not(.filter input), video, math, base"
    )
    assert page.locator(never).count() == 0
    assert page.evaluate("document.querySelectorAll('h1').length") == 1
    assert page.evaluate("document.querySelectorAll('a[href^=javascript], a[href^=http]').length") == 0
    assert (
        page.evaluate(
            "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => /^on/.test(a.name))).length"
        )
        == 0
    )
    text = page.locator("main").text_content()
    for payload in (
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "</style><script>alert(1)</script>",
        "{{ 7 * 7 }}",
    ):
        assert payload in text


def test_pictures_are_shown_as_pixels(visit, pages):
    page, _ = visit(pages["audit"])
    image = page.locator("img").first
    assert image.evaluate("e => e.naturalWidth") == 32
    assert image.evaluate("e => getComputedStyle(e).imageRendering") == "pixelated"
    assert image.bounding_box()["width"] == 128


def test_pictures_that_may_show_training_data_are_blurred_until_pointed_at_or_focused(visit, pages):
    page, _ = visit(pages["audit"])
    figure = page.locator("figure.blurred").first
    item, sharp = figure.locator("li").first, "e => getComputedStyle(e).filter"
    assert "Tab key" in figure.locator("figcaption").inner_text()
    assert item.locator("img").evaluate(sharp).startswith("blur(")
    item.focus()
    assert item.locator("img").evaluate(sharp) == "none"
    item.evaluate("e => e.blur()")
    item.hover()
    assert item.locator("img").evaluate(sharp) == "none"
    page.mouse.move(0, 0)
    page.emulate_media(media="print")
    assert item.locator("img").evaluate(sharp).startswith("blur(")


def test_findings_are_chosen_by_their_outcome_without_a_script(visit, pages):
    page, _ = visit(pages["self_check"])
    findings = page.locator("article.finding")
    everything = findings.count()

    def shown() -> int:
        return sum(findings.nth(i).is_visible() for i in range(everything))

    assert shown() == everything
    for choice in page.locator(".filter input").all()[1:]:
        choice.check()
        tone = choice.get_attribute("id").removeprefix("show-")
        assert shown() == page.locator(f"article.finding.{tone}").count() < everything
        assert f"({shown():,})" in choice.locator("xpath=..").inner_text()
    page.emulate_media(media="print")
    assert shown() == everything


@pytest.mark.parametrize("scripts", [True, False])
def test_a_table_of_findings_is_sorted_by_a_column_where_scripts_run(visit, pages, scripts):
    page, watch = visit(pages["self_check"], java_script_enabled=scripts)
    table = page.locator("table.sortable")
    column = table.locator("thead th").all_inner_texts().index("Reading [interval]")
    before = table.locator(f"tbody td:nth-child({column + 1})").all_inner_texts()
    if not scripts:
        assert table.locator("button").count() == 0
        return
    button = table.locator("thead button").nth(column)
    for direction in ("ascending", "descending"):
        button.press("Enter")
        assert table.locator("thead th").nth(column).get_attribute("aria-sort") == direction
        shown = table.locator(f"tbody td:nth-child({column + 1})").all_inner_texts()
        assert sorted(shown) == sorted(before)
        values = [float(text.split("%")[0]) for text in shown]
        assert values == sorted(values, reverse=direction == "descending") != values[::-1]
    assert watch.nothing(), watch


def test_print_opens_what_is_folded_and_cuts_nothing(visit, pages):
    page, _ = visit(pages["audit"], viewport={"width": 718, "height": 1000})  # A4 without its margins
    page.emulate_media(media="print")
    assert not page.locator(".top nav").is_visible()
    for folded in page.locator("details:not([open]):not(.said)").all():
        assert folded.locator("p, dl, svg, table, pre").first.is_visible()
    widths = "[...document.querySelectorAll('table, pre, .chart, img')].map(e => e.getBoundingClientRect().right)"
    assert max(page.evaluate(widths)) <= 719


def test_an_audit_of_seven_checks_prints_on_twelve_pages(visit, factory, tmp_path):
    seven = [f for f in factory.findings() if f.status is not Status.NOT_APPLICABLE]
    seven = [seven[i % len(seven)].model_copy(update={"id": f"a/{i}"}) for i in range(7)]
    absent = [f.model_copy(update={"id": f"b/{i}", "status": Status.NOT_APPLICABLE}) for i, f in enumerate(seven * 3)]
    result = factory.audit(findings=(*seven, *absent))
    reports.render(result, "html", tmp_path / "report.html")
    page, _ = visit((tmp_path / "report.html").as_uri())
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) in range(4, 13)


def test_the_skip_link_comes_first(visit, pages):
    page, _ = visit(pages["audit"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
