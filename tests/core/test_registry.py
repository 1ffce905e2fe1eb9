"""Finding probes and detectors: by walking, by entry points, and never at the price of a heavy import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from guardrails.core import plug_ins, registry
from guardrails.core.batch import Batch, Row
from guardrails.core.control import Control
from guardrails.core.errors import ConfigurationError, NotApplicable
from guardrails.core.probe import Budget, Probe
from guardrails.core.results import Measurement
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality


class Toy(Probe):
    id = "toys.toy"
    title = "Toy"
    question = "?"
    limits = ""
    risk = "quality"
    modalities = frozenset({Modality.TEXT})
    requires = frozenset({Access.SAMPLING, Access.LOGPROBS})
    needs = frozenset({"corpus"})
    headline = "toy"
    controls = (Control("reference:gpt-text", "clear"),)

    def plan(self, subject: Subject, budget: Budget, *, seed: int) -> list[Batch]:
        return [Batch(0)]

    def collect(self, subject: Subject, batch: Batch, *, seed: int) -> list[Row]:
        return [{"item": "0"}]

    def measure(self, rows: Any, subject: Subject, *, seed: int) -> list[Measurement]:
        return []


class FakeTarget:
    name = "fake"
    modality = Modality.TEXT
    access = frozenset({Access.SAMPLING})

    def identity(self) -> dict[str, str]:
        return {}


class Point:
    """An entry point."""

    value = "elsewhere:thing"

    def __init__(self, name: str, thing: Any) -> None:
        self.name, self.thing = name, thing

    def load(self) -> Any:
        if isinstance(self.thing, Exception):
            raise self.thing
        return self.thing


def module_with(*classes: type) -> ModuleType:
    module = ModuleType("guardrails.toys.toy")
    for cls in classes:
        setattr(module, cls.__name__, cls)
    return module


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a function that sets what walking and entry points find."""

    def set_up(modules: list[ModuleType], points: list[Point]) -> None:
        monkeypatch.setattr(registry, "_family_modules", lambda: iter(modules))
        monkeypatch.setattr(plug_ins, "entry_points", lambda group: points if group == "guardrails.probes" else [])
        registry.probes.cache_clear()
        registry.detectors.cache_clear()

    yield set_up
    registry.probes.cache_clear()
    registry.detectors.cache_clear()


def toy(name: str, module: str = "guardrails.toys.toy", base: type = Toy) -> type:
    return type(name.title(), (base,), {"id": f"toys.{name}", "__module__": module})


def test_walking_finds_what_a_module_defines_and_nothing_it_imports(install):
    install([module_with(toy("b"), toy("a"), toy("borrowed", module="elsewhere"), Probe)], [])
    assert list(registry.probes()) == ["toys.a", "toys.b"]
    assert registry.detectors() == {}


def test_an_abstract_class_is_no_probe(install):
    half = type("Half", (Probe,), {"id": "toys.half", "__module__": "guardrails.toys.toy"})
    install([module_with(half)], [])
    assert registry.probes() == {}


def test_an_entry_point_adds_a_probe(install):
    install([module_with(toy("a"))], [Point("mine", toy("mine"))])
    assert list(registry.probes()) == ["toys.a", "toys.mine"]
    assert registry.load_probe("toys.mine").id == "toys.mine"


def test_a_broken_plug_in_is_a_warning(install):
    install([module_with(toy("a"))], [Point("broken", ImportError("no such thing"))])
    with pytest.warns(UserWarning, match=r"plug-in broken \(elsewhere:thing\) is left out: ImportError: no such thing"):
        assert list(registry.probes()) == ["toys.a"]


def without(name):
    broken = toy("mine")
    setattr(broken, name, None)
    return broken


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (toy, "it is no Probe class"),
        (without("id"), "its id None is not of the form family.name"),
        (without("controls"), "its controls is of type NoneType"),
        (without("title"), "its title is of type NoneType"),
        (
            type("Short", (Probe,), {"id": "toys.short"}),
            r"it has no collect\(\); it has no measure\(\); .* no headline",
        ),
        (type("Mine", (Toy,), {"id": "toys|mine"}), "its id 'toys|mine'"),
        (type("Mine", (Toy,), {"id": "toys.mine", "thresholds": (0.1,)}), "0.1 in thresholds is no Threshold"),
        (type("Mine", (Toy,), {"id": "toys.mine", "controls": ("x",)}), "'x' in controls is no Control"),
    ],
)
def test_an_incomplete_plug_in_is_left_out_and_every_reason_is_named(install, thing, message):
    install([module_with(toy("a"))], [Point("mine", thing)])
    with pytest.warns(UserWarning, match=message):
        assert list(registry.probes()) == ["toys.a"]


def test_a_plug_in_that_ends_the_program_when_imported_is_left_out(install, monkeypatch):
    class Ends(Point):
        def load(self) -> Any:
            raise SystemExit(3)

    install([module_with(toy("a"))], [Ends("ends", None)])
    with pytest.warns(UserWarning, match="is left out: SystemExit: 3"):
        assert list(registry.probes()) == ["toys.a"]


def test_a_plug_in_cannot_take_a_known_id(install):
    first = toy("a")
    install([module_with(first)], [Point("a", toy("a"))])
    with pytest.warns(UserWarning, match=r"elsewhere:thing\) is left out: another one has the id toys\.a"):
        assert registry.probes() == {"toys.a": first}


def test_an_unknown_name_gets_the_nearest_known_one(install):
    install([module_with(toy("extraction"))], [])
    with pytest.raises(ConfigurationError, match=r"unknown probe 'toys\.extractoin'\. Did you mean 'toys\.extraction'"):
        registry.load_probe("toys.extractoin")
    with pytest.raises(ConfigurationError, match=r"unknown detector 'x'\. Known: none\."):
        registry.load_detector("x")


def test_a_family_that_is_not_there_is_passed_over(monkeypatch):
    monkeypatch.setattr(registry, "FAMILIES", ("no_such_family",))
    assert list(registry._family_modules()) == []


def test_a_family_that_fails_to_import_something_is_not(monkeypatch):
    def fail(name: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'other'", name="other")

    monkeypatch.setattr(registry.importlib, "import_module", fail)
    with pytest.raises(ModuleNotFoundError, match="other"):
        list(registry._family_modules())


def test_a_probe_says_what_is_missing():
    assert Toy().missing(Subject(FakeTarget())) == ["access 'logprobs' to the target", "--corpus"]
    assert Toy().missing(Subject(FakeTarget(), corpus=["a"])) == ["access 'logprobs' to the target"]


def test_a_probe_declines_another_modality():
    Toy().applicable(Subject(FakeTarget()))
    picture = FakeTarget()
    picture.modality = Modality.IMAGE
    with pytest.raises(NotApplicable, match=r"toys\.toy looks at text, not image"):
        Toy().applicable(Subject(picture))


def test_every_id_is_the_place():
    for name, cls in (registry.probes() | registry.detectors()).items():
        if cls.__module__.startswith("guardrails."):
            assert f"guardrails.{name.replace('-', '_')}" == cls.__module__


def test_listing_imports_nothing_heavy():
    code = "from guardrails.core import registry as r; r.probes(); r.detectors(); import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"torch", "cv2", "transformers", "scipy.stats", "sklearn", "skimage", "pandas", "fairlearn"}
    assert not heavy & set(loaded)


@pytest.mark.parametrize("argument", ["a" * 300, "a/" * 3000, "a\udcff"])
@pytest.mark.parametrize("id", ["deepfake.classifier", "deepfake.network", "deepfake.reconstruction"])
def test_a_name_that_no_file_can_have_is_a_mistake(id: str, argument: str) -> None:
    from guardrails.assay.scan.detector_controls import kept_outcome

    with pytest.raises(ConfigurationError):
        registry.load_detector(f"{id}:{argument}")
    assert kept_outcome(f"{id}:{argument}") is None
