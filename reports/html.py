"""HTML: one self-contained file that loads nothing, runs nothing, and shows a model's output as text."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrails.core.results import AuditResult

from .charts import Chart, svg
from .glossary import GLOSSARY
from .pictures import load_pictures
from .renderer import Renderer
from .sections import page
from .text import visible
from .tree import Facts, Page, Pictures
from .trend_chart import TrendChart, trend_svg
from .trim import Caps, fitted

if TYPE_CHECKING:
    from jinja2 import Environment


class AuditHtml(Renderer[AuditResult]):
    """The page, two megabytes at most: where it would be larger, less evidence is shown and the page says so."""

    format = "html"
    accepts = AuditResult
    title = "the report as one self-contained page, with charts and pictures"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        return fitted(lambda caps: _render(result, caps, run_folder)).encode()


def render_fragment(result: AuditResult) -> str:
    """Return a short summary for a notebook: no style sheet, no script, nothing to load."""
    template = _environment().get_template("fragment.html.j2")
    return fitted(lambda caps: template.render(page=page(result, caps)))


def _render(result: AuditResult, caps: Caps, run_folder: Path | None) -> str:
    tree = page(result, caps)
    pictures, left_out = load_pictures(_picture_paths(tree), run_folder, limit=caps.pictures)
    context = {
        "page": tree,
        "shown": pictures,
        "left_out": left_out,
        "glossary": Facts(GLOSSARY),
        "cut": tree.cut + ((f"{len(left_out):,} pictures not embedded",) if left_out else ()),
    }
    return page_of("page.html.j2", context)


def page_of(template: str, context: dict[str, Any]) -> str:
    """Return a page from a template, with the style sheet that all pages share and the script that sorts tables."""
    style, script = _style(), _file("sort.js")
    hashes = {"style_hash": csp_hash(style), "script_hash": csp_hash(script)}
    return (
        _environment().get_template(template).render(**context, **hashes, style=_markup(style), script=_markup(script))
    )


def _picture_paths(tree: Page) -> list[str]:
    blocks = [block for item in tree.items for part in item.parts for block in part.blocks]
    return [path for block in blocks if isinstance(block, Pictures) for path in block.paths]


def csp_hash(content: str) -> str:
    """Return the source expression by which the page's policy allows exactly this style sheet or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii")


def _style() -> str:
    return _file("style.css")


@cache
def _file(name: str) -> str:
    return files("reports").joinpath("templates", name).read_text("utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,  # by name it would miss our .j2 endings
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["draw"] = _draw
    environment.filters["visible"] = visible
    environment.tests["cell"] = lambda value: not isinstance(value, str)
    return environment


def _draw(chart: Chart | TrendChart, key: str) -> Any:
    return _markup(trend_svg(chart, key) if isinstance(chart, TrendChart) else svg(chart, key))


def _markup(trusted: str) -> Any:
    """Mark our own style sheet and charts, whose texts are escaped where they are written."""
    from markupsafe import Markup

    return Markup(trusted)
