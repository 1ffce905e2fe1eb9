from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reports
from reports.pictures import MAX_BYTES
from reports.text import visible

ALLOWED = frozenset(
    """html head meta link title style body a header p nav main section h1 h2 h3 h4 span bdi ul ol li div dl dt dd table
    caption thead tbody tr th td figure figcaption details summary pre code article strong img footer
    svg desc line rect text path circle polyline
    fieldset legend label input script""".split()  # noqa: SIM905
)


def text_of(*args, **options):
    return reports.render(*args, **options).decode()


@pytest.fixture(scope="module", params=["audit", "self_check", "hostile"])
def page(request, factory, read):
    return read(text_of(getattr(factory, request.param)(), "html"))


def test_the_policy_allows_this_style_sheet_and_this_script_and_nothing_else(page):
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    for kind, content in (("style", page.style), ("script", page.script)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert page.script == files("reports").joinpath("templates/sort.js").read_text("utf-8")
    assert page.all("script") == [{}]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert len(page.all("style")) == 1
    assert "url(" not in page.style
    assert "@import" not in page.style


def test_nothing_else_can_run_or_load(page):
    assert {tag for tag, _ in page.tags} <= ALLOWED
    for tag, attributes in page.tags:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on") or name in ("srcset", "action", "formaction")]
        assert attributes.get("src", "data:").startswith("data:")
        if tag == "input":  # what a reader chooses stays in the page: there is no form
            assert attributes["type"] == "radio"
        if tag == "a":
            assert attributes["href"].startswith(("#", "https://"))
        elif "href" in attributes:
            assert attributes["href"] == "data:,"


def test_only_web_addresses_become_links(factory, read):
    links = [a["href"] for a in read(text_of(factory.hostile(), "html")).all("a") if not a["href"].startswith("#")]
    assert links == []
    assert 'href="https://doi.org/10.6028/NIST.AI.600-1"' in text_of(factory.audit(), "html")


def test_the_page_can_be_read_without_eyes(page):
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        for reference in attributes.get("aria-labelledby", "").split() + attributes.get("aria-describedby", "").split():
            assert reference in ids
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in ids
    tables, headers = page.all("table"), page.all("th")
    assert len(page.all("caption")) == len(tables) > 0
    assert all(th["scope"] in ("col", "row") for th in headers)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    assert [len(page.all(tag)) for tag in ("main", "nav", "footer")] == [1, 1, 1]
    for svg in page.all("svg"):
        assert svg["role"] == "img"
    assert len(page.all("desc")) == len(page.all("svg"))


def test_every_payload_stays_text(factory, read):
    text = read(text_of(factory.hostile(), "html")).text
    for payload in factory.PAYLOADS:
        shown = " ".join(visible(payload, lines=True).split())
        assert shown in text, payload


def test_no_character_can_hide_or_reorder(factory):
    html = text_of(factory.hostile(), "html")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]", html)
    assert "⟨U+202E⟩" in html
    assert "⟨U+0000⟩" in html


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=120))
def test_no_text_changes_the_structure(factory, read, text):
    def shape(t: str) -> list[tuple[str, tuple[str, ...]]]:
        evidence = (
            {"kind": "excerpt", "caption": t, "text": t},
            {"kind": "table", "caption": t, "columns": (t,), "rows": ((t,),)},
        )
        m = factory.measurement(0.5, 0.4, 0.6, metric=t, method=t, explanation=t, evidence=evidence)
        f = factory.extraction(title=t, question=t, limits=t, advice=t, reason=t, measurement=m)
        target = factory.audit().targets[0].model_copy(update={"name": t, "identity": {"sha": t}})
        return read(text_of(factory.audit(findings=(f,), targets=(target,), environment={"a": t}), "html")).shape

    # Of equal length, since a report names what it shortened.
    assert shape(f"x{text}") == shape("x" * (len(text) + 1))


class TestPictures:
    def test_they_are_embedded(self, factory, read, tmp_path):
        result = factory.with_pictures(tmp_path)
        images = read(text_of(result, "html", run_folder=tmp_path)).all("img")
        assert len(images) == 6
        for i, image in enumerate(images):
            data = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))
            assert data == (tmp_path / f"media/pair-{i}.png").read_bytes()
            assert (image["width"], image["height"]) == ("128", "128")
            assert image["alt"].endswith(f"picture {i + 1} of 6")

    def test_a_contact_sheet_keeps_its_size(self, factory, read, tmp_path):
        factory.png(tmp_path / "media/sheet.png", 544)
        evidence = {"kind": "images", "caption": "Outputs", "media": ("media/sheet.png",)}
        f = factory.extraction(measurement=factory.measurement(0.5, 0.4, 0.6, evidence=(evidence,)))
        image = read(text_of(factory.audit(findings=(f,)), "html", run_folder=tmp_path)).all("img")[0]
        assert (image["width"], image["height"]) == ("544", "544")

    def test_many_large_pictures_do_not_make_the_page_too_large(self, factory, read, tmp_path):
        result = factory.with_pictures(tmp_path, 20)
        for i in range(20):
            with (tmp_path / f"media/pair-{i}.png").open("ab") as file:
                file.write(bytes(200 * 1024))
        text = text_of(result, "html", run_folder=tmp_path)
        assert len(text) <= 2_000_000
        assert 1 <= len(read(text).all("img")) < 20
        assert "the pictures would make the page too large" in text

    def test_without_a_folder_they_are_named(self, factory, read):
        evidence = {"kind": "images", "caption": "Pairs", "media": ("media/a.png",)}
        f = factory.extraction(measurement=factory.measurement(0.5, 0.4, 0.6, evidence=(evidence,)))
        page = read(text_of(factory.audit(findings=(f,)), "html"))
        assert not page.all("img")
        assert "media/a.png: not shown, no run folder was given" in page.text
        assert "1 pictures not embedded" in page.text

    def test_a_page_holds_two_dozen(self, factory, read, tmp_path):
        result = factory.with_pictures(tmp_path, 40)
        page = read(text_of(result, "html", run_folder=tmp_path))
        assert len(page.all("img")) == 24
        assert "16 pictures" in page.text

    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("media/../secret.png", "outside the run’s media folder"),
            ("../secret.png", "outside the run’s media folder"),
            ("/etc/hostname", "outside the run’s media folder"),
            ("media/link.png", "outside the run’s media folder"),
            ("media/absent.png", "the file is missing"),
            ("media", "the file is missing"),
            ("media/text.png", "not a PNG file"),
            ("media/empty.png", "not a PNG file"),
            ("media/large.png", "larger than 256 KB"),
            ("media/bomb.png", "larger than 1024 pixels on a side"),
            ("media/nul\0.png", "cannot be read"),
        ],
    )
    def test_what_is_no_small_png_of_this_run_is_left_out(self, factory, read, tmp_path, path, reason):
        factory.png(tmp_path / "secret.png")
        good = factory.png(tmp_path / "media/good.png").read_bytes()
        (tmp_path / "media/link.png").symlink_to(tmp_path / "secret.png")
        (tmp_path / "media/text.png").write_text("<script>alert(1)</script>" * 9)
        (tmp_path / "media/empty.png").write_bytes(b"")
        (tmp_path / "media/large.png").write_bytes(good + b"\0" * MAX_BYTES)
        (tmp_path / "media/bomb.png").write_bytes(good[:16] + b"\0\0\x80\0\0\0\x80\0" + good[24:])
        evidence = {"kind": "images", "caption": "Pairs", "media": (path,)}
        f = factory.extraction(measurement=factory.measurement(0.5, 0.4, 0.6, evidence=(evidence,)))
        page = read(text_of(factory.audit(findings=(f,)), "html", run_folder=tmp_path))
        assert not page.all("img")
        assert f"not shown, {reason}" in page.text

    def test_a_media_folder_that_is_a_link_is_not_followed(self, factory, read, tmp_path):
        factory.png(tmp_path / "private/a.png")
        (tmp_path / "run").mkdir()
        (tmp_path / "run/media").symlink_to(tmp_path / "private")
        evidence = {"kind": "images", "caption": "Pairs", "media": ("media/a.png",)}
        f = factory.extraction(measurement=factory.measurement(0.5, 0.4, 0.6, evidence=(evidence,)))
        page = read(text_of(factory.audit(findings=(f,)), "html", run_folder=tmp_path / "run"))
        assert not page.all("img")
        assert "not shown, outside the run’s media folder" in page.text
