"""The shipped evidence: each reading is judged again, each figure computed again, and what changed since is named."""

import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from guardrails.core.registry import load_probe

ROOT = Path(__file__).parents[2]
EVIDENCE = ROOT / "evidence"
SEEDS = 60


def load(name):
    """Return a module of evidence/, whose modules import each other by name as scripts do."""
    sys.path.insert(0, str(EVIDENCE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(EVIDENCE))


make, readings, dependencies = load("make"), load("readings"), load("dependencies")


def load_page():
    spec = importlib.util.spec_from_file_location("guardrails_write_evidence", ROOT / "scripts" / "write_evidence.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


page = load_page()


@pytest.fixture(params=readings.known_probes())
def probe(request):
    return load_probe(request.param)


def wrong_readings(file):
    """Return the stored readings that are not what their own numbers, judged by the default policy, say."""
    return [row for row in file["readings"] if readings.judged(file, row) != row["status"]]


def test_every_probe_has_evidence_from_every_source_under_every_seed(probe):
    assert make.SEEDS == SEEDS
    assert make.complete(make.stored(probe.id), probe), f"type: python evidence/make.py --probes {probe.id}"


def test_the_evidence_was_made_by_this_code(probe):
    since = make.changed_files(make.stored(probe.id), readings.code_files(probe))
    assert not since, "changed since the readings were made; type: python evidence/make.py --confirm"


def test_no_evidence_is_of_a_probe_that_there_is_not():
    assert {path.stem for path in EVIDENCE.glob("*.json")} == set(readings.known_probes())


def test_each_stored_reading_is_judged_again(probe):
    assert wrong_readings(make.stored(probe.id)) == []


def test_power_in_reports_is_computed_from_the_arrays():
    shipped = json.loads(make.POWER.read_text(encoding="utf-8"))
    computed = {name: make.power(load_probe(name), make.stored(name)["readings"]) for name in readings.known_probes()}
    assert shipped == {name: power.model_dump(mode="json") for name, power in computed.items()}


def test_the_page_of_evidence_is_computed_from_the_arrays():
    assert page.PAGE.read_text(encoding="utf-8") == page.text(), "type: python scripts/write_evidence.py"


def test_every_planted_fault_is_found_at_full_dose_and_no_clean_one_alarms(probe):
    power = make.power(probe, make.stored(probe.id)["readings"])
    assert power.runs == SEEDS
    assert power.power == 1.0
    assert power.false_alarms == 0.0


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """Evidence of a probe in a folder of its own, so that it can be forged."""
    file = make.stored("privacy.linkability")
    monkeypatch.setattr(make, "HERE", tmp_path)
    make.write(file)
    assert make.stored("privacy.linkability") == file
    return file


@pytest.mark.parametrize(
    ("source", "forged"),
    [
        ("reference:tabular,leak=1", {"status": "pass"}),
        ("reference:tabular", {"value": 0.5, "low": 0.4, "high": 0.6}),
        ("reference:tabular", {"low": 0.3}),
        ("reference:tabular", {"errors": 700}),
    ],
)
def test_a_forged_reading_is_noticed(copy, source, forged):
    probe = load_probe("privacy.linkability")
    assert wrong_readings(copy) == []
    assert wrong_readings(copy | {"headline": copy["headline"] | {"higher_is_worse": False}})
    row = next(r for r in copy["readings"] if r["source"] == source)
    row |= forged
    make.write(copy)
    (wrong,) = wrong_readings(make.stored(probe.id))
    assert (wrong["source"], wrong["seed"]) == (source, row["seed"])


def test_a_source_or_a_seed_that_is_missing_is_noticed(copy):
    probe = load_probe("privacy.linkability")
    assert make.complete(copy, probe)
    for row in (copy["readings"][0], copy["readings"][-1]):
        assert not make.complete(copy | {"readings": [r for r in copy["readings"] if r is not row]}, probe)
    assert not make.complete(make.empty(probe.id), probe)


def test_readings_are_confirmed_only_where_each_of_the_sample_is_equal(copy, monkeypatch):
    probe, original = load_probe("privacy.linkability"), {(r["source"], r["seed"]): dict(r) for r in copy["readings"]}

    def work(jobs):
        for _, source, seeds in jobs:
            rows = [dict(original[source, seed]) for seed in seeds]
            yield rows, copy["headline"], {dependencies.ROOT / "generators" / "weights" / "tabular.safetensors"}, 1.0

    monkeypatch.setattr(make, "in_processes", lambda _, jobs, *rest: work(jobs))
    make.write(copy | {"files": {"guardrails/core/probe.py": "another"}})
    stands, line = make.confirm(probe.id, 2, 1)
    confirmed = make.stored(probe.id)
    assert stands
    assert "confirmed by 8 of 240" in line
    assert confirmed["confirmed"]["readings"] == 8
    assert "generators/weights/tabular.safetensors" in confirmed["files"]
    assert make.changed_files(confirmed, readings.code_files(probe)) == []
    assert make.confirm(probe.id, 2, 1) == (True, f"{probe.id}: unchanged")

    seed = make.chosen_seeds(confirmed["files"], 2)[0]
    for change, by, stands in (("low", 1e-12, True), ("high", 0.1, False), ("n", 1, False), ("errors", 1, False)):
        rows = [
            r | {change: r.get(change, 0) + by} if (r["source"], r["seed"]) == ("reference:tabular", seed) else r
            for r in copy["readings"]
        ]
        files = {"guardrails/core/probe.py": "another"} | {
            n: h for n, h in confirmed["files"].items() if not n.endswith(".py")
        }
        forged = copy | {"readings": rows, "files": files}
        make.write(forged)
        assert make.confirm(probe.id, 2, 1)[0] is stands, change
        assert (make.stored(probe.id)["files"] == files) is not stands, change


def test_the_seeds_of_the_sample_follow_from_the_files():
    one = make.chosen_seeds({"a.py": "1"}, 2)
    assert one == make.chosen_seeds({"a.py": "1"}, 2)
    assert len({make.chosen_seeds({"a.py": str(i)}, 2) for i in range(50)}) > 40
    assert len(set(make.chosen_seeds({}, 60))) == 60


def test_the_closure_holds_what_is_imported_inside_functions_and_through_packages():
    names = {str(p.relative_to(dependencies.ROOT)) for p in readings.code_files(load_probe("memorization.copies"))}
    assert {
        "guardrails/kit/pictures/descriptor.py",  # imported inside a function
        "guardrails/core/statistics/intervals.py",  # through the package's __init__
        "guardrails/targets/reference.py",
        "generators/vae_medical/phantoms.py",  # what the model learns from
        "evidence/readings.py",
    } <= names
    assert not [name for name in names if name.startswith(("guardrails/cli/", "guardrails/assay/", "reports/"))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f():\n    from ..kit.content import facts_of", {"guardrails.kit.content"}),
        ("from ..kit import content, io as bounded", {"guardrails.kit.content", "guardrails.kit.io"}),
        ("from . import overlap", {"guardrails.memorization.overlap"}),
        ("import guardrails.core.seeding as s", {"guardrails.core.seeding"}),
        ("if TYPE_CHECKING:\n    from ..kit.content import x\nelse:\n    from ..kit import io", {"guardrails.kit.io"}),
    ],
)
def test_each_way_of_importing_is_understood(text, expected):
    import ast

    visitor = dependencies._Imports("guardrails.memorization")
    visitor.visit(ast.parse(text))
    assert visitor.names == expected


def test_comments_and_docstrings_change_no_hash_and_code_does(tmp_path):
    def meaning(text):
        return dependencies._meaning(text)

    assert meaning("def f():\n    '''One.'''\n    return 1") == meaning("def f():\n    return 1  # why")
    assert meaning("def f():\n    return 1") != meaning("def f():\n    return 2")


PROGRAM = """
import json, sys
sys.path.insert(0, {evidence!r})
from dependencies import PACKAGES, ROOT, closure, opened, start_recording
start_recording()
ran = set()
from readings import code_files, loaded, measurement, reading
from guardrails.assay.audit.controls import control_subject
code = code_files(loaded({probe!r}))  # imports all generators to find some by name
assert not opened(), "a data file is opened by importing"
sys.setprofile(lambda frame, event, arg: ran.add(frame.f_code.co_filename) if event == "call" else None)
made = measurement({probe!r}, {source!r}, 0)
sys.setprofile(None)
ours = [p for p in ran if p.startswith(tuple(str(ROOT / name) + "/" for name in PACKAGES))]
print(json.dumps([ours, [str(p) for p in code], [str(p) for p in opened()], reading(made, {source!r}, 0)]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("probe", "source"),
    [
        ("privacy.linkability", "reference:tabular,leak=1"),
        ("privacy.dp-bound-classifier", "classifier:tabular,private=1"),
    ],
)
def test_all_code_that_a_reading_runs_and_all_data_that_it_opens_is_hashed(probe, source):
    program = PROGRAM.format(evidence=str(EVIDENCE), probe=probe, source=source)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    ran, code, opened, made = json.loads(done.stdout.splitlines()[-1])
    package = str(dependencies.ROOT / "guardrails")
    rest = (f"{package}/assay/", f"{package}/__init__.py")
    finders = {f"{package}/core/registry.py"}  # finds the probe by its name
    assert {path for path in ran if not path.startswith(rest)} - finders <= set(code)
    assert ran
    names = {str(Path(path).relative_to(dependencies.ROOT)) for path in opened}
    assert [name for name in names if name.endswith(".safetensors")]
    file = make.stored(probe)
    assert names <= file["files"].keys()
    stored = next(r for r in file["readings"] if (r["source"], r["seed"]) == (source, 0))
    assert made["n"] == stored["n"]
    assert stored["low"] <= made["value"] <= stored["high"]  # another processor may draw other samples
