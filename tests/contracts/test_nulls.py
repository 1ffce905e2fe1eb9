"""The shipped null runs: false alarms and power are counted again from the arrays, and a stale hash is flagged."""

import importlib
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from guardrails.core.registry import load_probe

EVIDENCE = Path(__file__).parents[2] / "evidence"
FOUND = 57
"""Of 60 planted runs: by one attack of each case at least."""


def load(name):
    sys.path.insert(0, str(EVIDENCE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(EVIDENCE))


nulls, null_runs = load("nulls"), load("null_runs")


@pytest.fixture(params=sorted({case.probe for case in nulls.CASES}))
def file(request):
    return nulls.stored(request.param)


def test_null_runs_were_made_by_this_code(file):
    since = nulls.changed_files(file, nulls.null_files(load_probe(file["probe"])))
    assert not since, "changed since the runs were made; type: python evidence/nulls.py --confirm"


def test_every_case_has_all_its_runs(file):
    assert nulls.complete(file, file["probe"], nulls.RUNS), "type: python evidence/nulls.py"


def test_no_attack_raises_more_false_alarms_than_its_interval_allows(file):
    for case in file["cases"]:
        for attack, column in case["null"].items():
            assert len(column["value"]) == len(column["low"]) == nulls.RUNS
            alarms = nulls.alarms(column["low"], case["chance"][attack])
            assert alarms <= nulls.MOST, f"{attack} on {case['asked']}"


def test_the_same_attacks_were_run_on_the_planted_case(file):
    for stored, case in zip(file["cases"], (c for c in nulls.CASES if c.probe == file["probe"]), strict=True):
        assert (stored["source"], stored["asked"]) == (case.source, case.asked)
        if case.planted == 0:
            assert not stored["planted"]
            assert stored["why"]
            continue
        assert stored["planted"].keys() == stored["null"].keys()
        power = Counter({k: nulls.alarms(v["low"], stored["chance"][k]) for k, v in stored["planted"].items()})
        assert {len(v["low"]) for v in stored["planted"].values()} == {nulls.PLANTED_RUNS}
        assert power.most_common(1)[0][1] >= FOUND, power


def test_bounds_lie_below_the_statistics(file):
    for case in file["cases"]:
        for column in (*case["null"].values(), *case["planted"].values()):
            for value, low in zip(column["value"], column["low"], strict=True):
                assert (value is None) == (low is None)
                assert value is None or low <= value + 1e-4


def pool(n, shift=0.0, seed=0):
    """Return 2 n rows of one law, with one attack that sees nothing and one that sees the shift."""
    rng = np.random.default_rng(seed)
    rows = []
    for arm in ("corpus", "holdout"):
        for i in range(n):
            scores = {"blunt": rng.normal(), "sharp": rng.normal() + shift * (arm == "corpus")}
            rows.append({"item": f"{arm}:{i}", "arm": arm, "index": i, "scores": scores})
    return rows


def low(reading, attack):
    return [reading[attack][1]]


def test_a_planted_difference_is_found_and_by_the_attack_that_sees_it():
    separations = null_runs.separations(pool(100, shift=1.0))
    assert set(separations) == {"blunt", "blunt, first 12", "sharp", "sharp, first 12", "best", "best, first 12"}
    assert nulls.alarms(low(separations, "sharp"), 0.5) == nulls.alarms(low(separations, "best"), 0.5) == 1
    assert nulls.alarms(low(separations, "blunt"), 0.5) == 0


def test_the_same_pool_split_at_random_alarms_as_often_as_its_interval_errs():
    rows = pool(100, shift=1.0)  # whatever the scores are, a random split knows nothing of them
    rng = np.random.default_rng(1)
    runs = [null_runs.separations(null_runs.split(rows, rng)) for _ in range(200)]
    alarms = {attack: nulls.alarms([run[attack][1] for run in runs], 0.5) for attack in runs[0]}
    assert max(alarms.values()) <= 12  # 5 are expected of a one-sided 97.5% bound; 13 come once in 2,000 times
    assert alarms["sharp"] >= 1


def test_few_planted_items_are_ranked_alone_and_counted_among_all_for_the_precision():
    rows = pool(100)
    for row in rows[:6]:
        row["scores"]["sharp"] += 100
    drawn = null_runs.draw(rows, np.random.default_rng(0), 50, planted=6)
    assert Counter(r["arm"] for r in drawn) == {"corpus": 50, "holdout": 50}
    assert sum("planted" in r for r in drawn) == 6
    separations = null_runs.separations(drawn)
    assert separations["sharp"][0] == 1.0
    assert 0.5 <= separations["sharp, first 12"][0] < 1.0


def test_a_split_deals_each_row_once_and_keeps_the_sizes():
    rows = pool(30)
    dealt = null_runs.split(rows, np.random.default_rng(0))
    assert Counter(r["arm"] for r in dealt) == Counter(r["arm"] for r in rows)
    assert sorted(r["item"] for r in dealt) == sorted(r["item"] for r in rows)
    few = null_runs.split(rows, np.random.default_rng(0), 10)
    assert Counter(r["arm"] for r in few) == {"corpus": 10, "holdout": 10}
    assert len({r["item"] for r in few}) == 20


def test_what_is_dealt_anew_stays_the_same_in_sum_and_alone_changes():
    rows = [{"item": i, "side": "x" if i < 30 else "y", "s": float(i)} for i in range(60)]
    dealt = null_runs.dealt("sides", rows, np.random.default_rng(3))
    assert [(r["item"], r["s"]) for r in dealt] == [(r["item"], r["s"]) for r in rows]
    assert Counter(r["side"] for r in dealt) == {"x": 30, "y": 30}
    assert 5 < sum(a["side"] != b["side"] for a, b in zip(dealt, rows, strict=True)) < 55


@pytest.mark.parametrize("source", ["reference:gpt-text,memorize=1", "canaries:gpt-text,memorize=1"])
def test_null_documents_stand_in_no_corpus(source):
    case = next(c for c in nulls.CASES if c.asked == source)
    base, subject = null_runs.control_subject(source), null_runs.null_subject(case, 3)
    fresh = {*subject.corpus, *subject.holdout}
    assert not fresh & {*base.corpus}
    assert len(fresh) == len(subject.corpus) + len(subject.holdout)
    if source.startswith("reference:"):
        assert not fresh & {*base.holdout}
        assert (len(subject.corpus), len(subject.holdout)) == (len(base.corpus), len(base.holdout))


def test_null_tables_are_as_large_as_the_controls_and_differ_by_run():
    case = next(c for c in nulls.CASES if c.probe == "privacy.linkability")
    base = null_runs.control_subject(case.source)
    one, other = (null_runs.null_subject(case, seed) for seed in (0, 1))
    assert (len(one.corpus), len(one.holdout)) == (len(base.corpus), len(base.holdout))
    assert not one.corpus.equals(other.corpus)
    assert one.target is base.target


def test_what_is_written_is_read_back_and_rounding_makes_no_alarm(tmp_path, monkeypatch):
    monkeypatch.setattr(nulls, "NULLS", tmp_path / "nulls")
    case = nulls.CASES[0]
    columns = null_runs.columns([{"loss": (0.61239, 0.50004)}, {"loss": None}])
    assert columns == {"loss": {"value": [0.6124, None], "low": [0.5, None]}}
    stored = {"source": case.source, "asked": case.asked, "why": "because", "chance": {"loss": 0.5}}
    file = {
        "probe": case.probe,
        "files": {"a.py": "abc"},
        "confirmed": None,
        "cases": [stored | {"null": columns, "planted": {}}],
    }
    nulls.write(file)
    assert nulls.stored(case.probe) == file
    assert nulls.alarms(columns["loss"]["low"], 0.5) == 0


def test_runs_of_one_pool_are_one_job():
    jobs = nulls.jobs(["membership.language-model", "membership.generative-image"], 200, 60)
    for place, kind, seeds in jobs:
        assert len({seed // nulls.CASES[place].share for seed in seeds}) == 1 or nulls.CASES[place].share < 10
        assert kind in ("null", "planted")
    runs = Counter((place, kind) for place, kind, seeds in jobs for _ in seeds)
    assert {runs[k] for k in runs if k[1] == "null"} == {200}
    assert {runs[k] for k in runs if k[1] == "planted"} == {60}


def reading(value):
    return {"membership_auc": (value, value - 0.1)}


@pytest.fixture
def one_probe(tmp_path, monkeypatch):
    """A probe whose every run is its seed over 1,000, in a folder of its own; returns how many runs were asked for."""
    asked = []

    def work(jobs):
        for job in jobs:
            asked.append(job)
            yield job, [(seed, reading(seed / 1000)) for seed in job[2]], set()

    monkeypatch.setattr(nulls, "NULLS", tmp_path)
    monkeypatch.setattr(nulls, "in_processes", lambda _, jobs, *rest: work(jobs))
    return asked


def test_an_interrupted_run_goes_on_where_it_stopped(one_probe, monkeypatch):
    name, whole = "privacy.table-membership", nulls.in_processes

    def cut_off(*arguments):
        for i, result in enumerate(whole(*arguments)):
            if i == 5:
                raise KeyboardInterrupt
            yield result

    monkeypatch.setattr(nulls, "in_processes", cut_off)
    with pytest.raises(KeyboardInterrupt):
        nulls.make(name, nulls.RUNS, nulls.PLANTED_RUNS, 1)
    monkeypatch.setattr(nulls, "in_processes", whole)
    before = len(one_probe)
    nulls.make(name, nulls.RUNS, nulls.PLANTED_RUNS, 1)
    assert len(one_probe) - before == len(nulls.jobs([name], nulls.RUNS, nulls.PLANTED_RUNS)) - 5
    (case,) = nulls.stored(name)["cases"]
    assert case["null"]["membership_auc"]["value"] == [seed / 1000 for seed in range(nulls.RUNS)]
    assert len(case["planted"]["membership_auc"]["low"]) == nulls.PLANTED_RUNS
    assert not list(nulls.NULLS.glob("*.unfinished"))
    assert nulls.make(name, nulls.RUNS, nulls.PLANTED_RUNS, 1) == f"{name}: complete"


def test_runs_are_confirmed_only_where_each_of_the_sample_is_equal(one_probe):
    name = "privacy.table-membership"
    nulls.make(name, nulls.RUNS, nulls.PLANTED_RUNS, 1)
    made = nulls.stored(name)
    stale = made | {"files": made["files"] | {"guardrails/core/probe.py": "another"}}
    nulls.write(stale)
    assert nulls.confirm(name, 2, 1) == (True, f"{name}: confirmed by 4 of 260 runs")
    assert nulls.stored(name)["files"] == made["files"]
    assert nulls.stored(name)["confirmed"] == {"runs": 4, "of": 260}
    for column in stale["cases"][0]["null"].values():
        column["low"] = [-0.1001 for _ in column["low"]]
    nulls.write(stale)
    stands, line = nulls.confirm(name, 2, 1)
    assert not stands
    assert "2 of 4 runs differ" in line
    assert nulls.stored(name)["files"] == stale["files"]


def test_people_are_exchanged_in_whole_templates():
    rows = [{"cluster": str(k % 4), "reading": ("stereotype", "other", "unknown")[k % 3]} for k in range(24)]
    dealt = null_runs.dealt("people", rows, np.random.default_rng(0))
    pairs = list(zip(rows, dealt, strict=True))
    turned = {(r["cluster"], r["reading"] != d["reading"]) for r, d in pairs if r["reading"] != "unknown"}
    assert len(turned) == 4
    assert {change for _, change in turned} == {True, False}
    assert all(d["reading"] == "unknown" for r, d in pairs if r["reading"] == "unknown")


def test_answers_to_a_prompt_are_dealt_to_its_groups():
    rows = [
        {"feature": "age", "case": k % 3, "record": 0, "group": "old" if k % 2 else "young", "decision": str(k)}
        for k in range(24)
    ]
    dealt = null_runs.dealt("answers", rows, np.random.default_rng(0))
    assert [r["decision"] for r in dealt] == [r["decision"] for r in rows]
    assert any(r["group"] != d["group"] for r, d in zip(rows, dealt, strict=True))
    for case in range(3):
        before, after = (Counter(r["group"] for r in some if r["case"] == case) for some in (rows, dealt))
        assert before == after


def test_all_translations_of_a_profession_change_their_gender_together():
    names = {"nurse": ("La enfermera rió.", "El enfermero rió."), "cook": ("La cocinera rió.", "El cocinero rió.")}
    cases = null_runs.dealt.__globals__["built_in"]()
    places = [n for n, case in enumerate(cases) if case.profession in names][:40]
    rows = [{"n": n, "translation": names[cases[n].profession][n % 2]} for n in places]
    seen = set()
    for seed in range(12):
        dealt = null_runs.dealt("genders", rows, np.random.default_rng(seed))
        turned = {}
        for row, after in zip(rows, dealt, strict=True):
            forms = names[cases[row["n"]].profession]
            assert after["translation"] in forms
            turned.setdefault(cases[row["n"]].profession, set()).add(row["translation"] != after["translation"])
        assert all(len(changes) == 1 for changes in turned.values())
        seen |= {change for changes in turned.values() for change in changes}
    assert seen == {True, False}
