import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.assay.audit.journal import Journal
from guardrails.assay.log import Entry
from guardrails.core.batch import Arm, Batch, Item, in_batches
from guardrails.core.errors import ConfigurationError, JournalError


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "journal.sqlite") as journal:
        yield journal


def planned(journal, batches=3, size=4):
    plan = in_batches([Item(f"{i:04}", Arm.CORPUS, {"place": i}) for i in range(batches * size)], size, {"length": 8})
    journal.add_plan([("s", plan)], {"planned": True})
    return plan


def rows(batch):
    return [{"item": item.id, "value": item.fields["place"]} for item in batch.items]


def test_the_journal_is_in_wal_mode(journal):
    assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_finished_batch_is_pending_no_more_and_its_rows_come_back_in_order(journal):
    plan = planned(journal)
    journal.finish("s", plan[1], rows(plan[1])[::-1], 0.5)
    journal.finish("s", plan[0], rows(plan[0]))
    assert journal.pending("s") == [plan[2]]
    assert [row["value"] for row in journal.rows("s")] == list(range(8))
    assert journal.progress() == (2, 3)
    assert journal.seconds("s") == 0.5


def test_a_batch_that_repeats_an_item_is_refused_whole(journal):
    plan = planned(journal)
    journal.finish("s", plan[0], rows(plan[0]))
    with pytest.raises(JournalError, match=r"name the item .0000."):
        journal.finish("s", plan[1], [*rows(plan[1]), *rows(plan[0])])
    assert journal.pending("s") == plan[1:]
    assert len(journal.rows("s")) == 4


def test_a_plan_is_whole_or_absent(journal):
    planned(journal)
    with pytest.raises(JournalError):
        journal.add_plan([("t", [Batch(0)]), ("s", [Batch(0)])], {"second": True})
    assert journal.series() == ["s"]
    assert journal.get("second") is None


def test_nan_never_enters_the_journal(journal):
    plan = planned(journal)
    with pytest.raises(ValueError, match="JSON"):
        journal.finish("s", plan[0], [{"item": "a", "value": float("nan")}])
    assert journal.rows("s") == []


def test_what_is_no_journal_is_said_so(tmp_path):
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"this is no database, and long enough to tell" * 40)
    with pytest.raises(JournalError, match="not a database"):
        Journal(path)


def test_a_full_disk_leaves_a_journal_that_can_be_read(tmp_path):
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        plan = planned(journal, batches=200, size=50)
        pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
        journal._db.execute(f"PRAGMA max_page_count = {pages + 8}")

        def fill():
            for batch in plan:
                journal.finish("s", batch, [{**row, "text": "x" * 200} for row in rows(batch)])

        with pytest.raises(JournalError, match=r"full.*--resume"):
            fill()
        done = journal.progress()[0]
    with Journal(path) as journal:
        assert journal.progress()[0] == done
        assert len(journal.rows("s")) == 50 * done
        assert len(journal.pending("s")) == 200 - done


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.text() | st.integers() | st.booleans() | st.none()), max_size=5)
)
def test_rows_come_back_as_they_went_in(tmp_path_factory, content):
    content = [{**row, "item": str(i)} for i, row in enumerate(content)]
    with Journal(tmp_path_factory.mktemp("j") / "journal.sqlite") as journal:
        journal.add_plan([("s", [Batch(0)])], {})
        journal.finish("s", Batch(0), content)
        assert journal.rows("s") == content


def test_settings_survive_a_new_connection(tmp_path):
    with Journal(tmp_path / "j.sqlite") as journal:
        journal.put("settings", {"seed": 3})
    with Journal(tmp_path / "j.sqlite") as journal:
        assert journal.get("settings") == {"seed": 3}
        assert journal.get("absent") is None


def test_a_second_run_in_the_folder_is_told_that_one_is_under_way(tmp_path):
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        planned(journal)
        with pytest.raises(ConfigurationError, match="a run is under way in"):
            Journal(path)
    with Journal(path) as journal:
        assert len(journal.pending("s")) == 3


def test_a_killed_run_leaves_no_lock(tmp_path):
    path = tmp_path / "journal.sqlite"
    code = (
        "import os, sys, pathlib; from guardrails.assay.audit.journal import Journal;"
        " Journal(pathlib.Path(sys.argv[1])); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 9
    with Journal(path) as journal:
        assert journal.series() == []


def test_an_interruption_while_it_closes_frees_the_lock(tmp_path):
    class Interrupted:
        def close(self):
            raise KeyboardInterrupt

    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    db, journal._db = journal._db, Interrupted()
    with pytest.raises(KeyboardInterrupt):
        journal.close()
    db.close()
    with Journal(path) as again:
        assert again.series() == []


@pytest.mark.parametrize("body", ['{"items": [0, 1], "start": 0}', '{"items": [{"item": "x"}], "prefix": 8}', "[]"])
def test_a_plan_of_another_version_is_refused(tmp_path, body):
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.append([Entry("plan", "s", body, 0)])
        with pytest.raises(JournalError, match="nothing that a run writes; start a new run"):
            journal.pending("s")
