"""Rows that are changed or deleted by hand in a database are named, refused and mended."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

import replicast
from replicast.core.errors import StoreError
from replicast.core.replication import Outcome
from replicast.stores import open_store

MODEL = """
def simulate(rng, beds=3):
    if rng.random() < 0.2:
        raise ValueError("no beds")
    stays = rng.exponential(beds, size=3)
    return {"wait": float(rng.random() * beds), "served": 7,
            "patients": {"stay": stays.tolist(), "ward": ["a", "b", None]}, "empty": []}
"""
COPIED = (
    "INSERT INTO replications SELECT run, {scenario}, {number}, state, seconds, worker, attempt, saved, fingerprint, "
    "shape, warning_count, warnings, error_kind, error_type, error, traceback, log FROM replications "
    "WHERE replication = 4"
)
EDITS = {
    "a metric changed": "UPDATE metric_values SET value = value + 0.125 WHERE replication = 4",
    "a metric deleted": "DELETE FROM metric_values WHERE replication = 4",
    "a count changed": "UPDATE metric_values SET whole = 8 WHERE replication = 4 AND whole = 7",
    "rows deleted": "DELETE FROM patients_rows WHERE replication = 4",
    "a cell changed": "UPDATE patients_rows SET stay = 0.5 WHERE replication = 4 AND row_no = 1",
    "a text changed": "UPDATE patients_rows SET ward = 'c' WHERE replication = 4 AND row_no = 1",
    "a replication deleted": "DELETE FROM replications WHERE replication = 4",
    "all replications deleted": "DELETE FROM replications",
    "a fingerprint changed": "UPDATE replications SET fingerprint = 5 WHERE replication = 4",
    "a number changed": "UPDATE replications SET replication = 99 WHERE replication = 4",
    "a number changed, and its metrics'": (
        "UPDATE metric_values SET replication = 99 WHERE replication = 4;"
        "UPDATE patients_rows SET replication = 99 WHERE replication = 4;"
        "UPDATE replications SET replication = 99 WHERE replication = 4"
    ),
    "a row added": COPIED.format(scenario="scenario", number=99),
    "a scenario renamed": "UPDATE replications SET scenario = 'more'",
    "a scenario renamed where it is numbered": "UPDATE scenarios SET scenario = 'more'",
    "a batch forgotten": "DELETE FROM batches",
    "a batch given to another scenario": "UPDATE batches SET scenario = 'more'",
    "a batch given to another run": "UPDATE batches SET run = 'two'",
    "a batch cut": "UPDATE batches SET content = substr(content, 1, 40)",
    "a batch that says less": """UPDATE batches SET content = replace(content, '"ok":[[1,', '"ok":[[2,')""",
    "a failure's error changed": "UPDATE replications SET error = 'no doctors' WHERE state = 'failed'",
    "a failure made a success": "UPDATE replications SET state = 'ok' WHERE state = 'failed'",
    "a success made a failure": "UPDATE replications SET state = 'failed' WHERE replication = 4",
    "a table forgotten": "DELETE FROM model_tables",
    "a shape forgotten": "UPDATE replications SET shape = NULL WHERE replication = 4",
}


@pytest.fixture
def made(tmp_path: Path) -> replicast.Run:
    (tmp_path / "model.py").write_text(MODEL)
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    return replicast.run(tmp_path / "model.py", 12, seed=5, store=url, name="one", on="serial", tolerate="90%")


def rows_table(connection: sqlite3.Connection) -> str:
    (name,) = connection.execute("SELECT rows_name FROM model_tables WHERE table_name = 'patients'").fetchone()
    return str(name)


def collated(made: replicast.Run, folder: Path) -> dict[str, bytes]:
    made.collate(folder)
    return {path.name: path.read_bytes() for path in folder.glob("*.csv")}


@pytest.mark.parametrize("edit", EDITS)
def test_what_was_edited_by_hand_is_named_refused_and_mended(made: replicast.Run, edit: str, tmp_path: Path) -> None:
    whole = collated(made, tmp_path / "before")
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        statement = EDITS[edit].replace("patients_rows", f'"{rows_table(connection)}"')
        for one in statement.split(";"):
            assert connection.execute(one).rowcount >= 1
    again = replicast.Run(made.store.url, "one")
    assert again.damage()
    with pytest.raises(StoreError, match=r"not what was stored.* replicast resume one"):
        collated(again, tmp_path / "refused")
    again.resume(workers=1)
    assert again.mended
    assert collated(again, tmp_path / "after") == whole
    assert replicast.Run(made.store.url, "one").damage() == []


LEFT_OVER = {
    "a row of a scenario that is none": COPIED.format(scenario="'more'", number=15),
    "metrics of no replication": "INSERT INTO metric_values SELECT scenario_id, metric_id, 15, 0.5, NULL, NULL "
    "FROM metric_values WHERE replication = 4",
    "rows of no replication": "INSERT INTO patients_rows (scenario_id, replication, row_no) "
    "SELECT scenario_id, 15, 1 FROM metric_values WHERE replication = 4 LIMIT 1",
}


@pytest.mark.parametrize("edit", LEFT_OVER)
def test_values_under_a_number_that_no_replication_has_are_named_and_mended(
    made: replicast.Run, edit: str, tmp_path: Path
) -> None:
    whole = collated(made, tmp_path / "before")
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        statement = LEFT_OVER[edit].replace("patients_rows", f'"{rows_table(connection)}"')
        assert connection.execute(statement).rowcount >= 1
    again = replicast.Run(made.store.url, "one")
    damage, *_ = again.damage()
    assert "replications 15 to 15" in damage
    assert collated(again, tmp_path / "beside") == whole
    again.resume(workers=1)
    assert replicast.Run(made.store.url, "one").damage() == []


@pytest.mark.parametrize("number", [4, 15])
def test_a_kept_file_that_no_replication_left_is_named_and_taken_out(made: replicast.Run, number: int) -> None:
    name = f"artefacts/scenario=base/replication={number:06d}/plan.txt"
    made.store.write("one", name, b"added by hand")
    again = replicast.Run(made.store.url, "one")
    (damage,) = again.damage()
    assert f"'{name}' is of no replication that was stored" in damage
    again.resume(workers=1)
    assert replicast.Run(made.store.url, "one").damage() == []
    assert made.store.artefacts("one") == []


@pytest.mark.parametrize("edit", ["DELETE FROM replications WHERE replication = 4", *list(LEFT_OVER.values())[1:]])
def test_what_is_left_of_rows_deleted_by_hand_keeps_nothing_from_being_saved(
    made: replicast.Run, edit: str, tmp_path: Path
) -> None:
    """No wait for a key that is taken by values of no replication."""
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        connection.execute(edit.replace("patients_rows", f'"{rows_table(connection)}"'))
        connection.execute("DELETE FROM batches")
    store = open_store(made.store.url)
    number = 4 if edit.startswith("DELETE") else 15
    store.database.wait_seconds = 2
    store.save("one", [Outcome("base", number, 0.1, {"wait": 1.0, "served": 7})])
    (chunk,) = (t for t in store._stored_rows("one", "metrics", "base"))
    assert chunk.column("wait").to_pylist()[chunk.column("replication").to_pylist().index(number)] == 1.0


def test_a_batch_that_is_saved_while_rows_are_read_is_no_damage(made: replicast.Run) -> None:
    store, other = open_store(made.store.url), open_store(made.store.url)
    read_batches, seen = store._batches, []

    def batches_then_a_save(run: str, scenario: str | None = None) -> object:
        found = read_batches(run, scenario)
        if not seen:
            other.save("one", [Outcome("base", 13, 0.1, {"wait": 1.0}), Outcome("base", 14, 0.1, {"wait": 1.0})])
        seen.append(len(found))
        return found

    store._batches = batches_then_a_save
    assert sum(chunk.num_rows for chunk in store.ledger("one", "base")) == 14
    assert seen == [seen[0], seen[0] + 1]


@pytest.mark.long
def test_what_nobody_touched_is_sound_in_every_database(new_url: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    for kind in ("sqlite", "postgresql", "mysql"):
        made = replicast.run(
            tmp_path / "model.py", 12, seed=5, store=new_url(kind), name="one", on="serial", tolerate="90%"
        )
        assert made.damage() == []
        assert len(made.metrics()) == made.status().done - made.status().failed
        made.resume(20, retry_failed=True, workers=1)
        assert made.damage() == []
        renumbered = sa.text("UPDATE replications SET replication = 99 WHERE replication = 4")
        made.store.database.perform(partial(sa.Connection.execute, statement=renumbered), write=True)
        again = replicast.Run(made.store.url, "one")
        assert again.status().done == 19
        with pytest.raises(StoreError, match="not what was stored"):
            again.metrics()
        again.resume(workers=1)
        assert again.damage() == []
        assert again.status().done == 20


def test_an_edited_artefact_is_damage(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a.rds").write_bytes(b"right")
    store = open_store(f"sqlite:///{tmp_path / 'runs.db'}")
    store.save("one", [Outcome("base", 1, 0.1, {"value": 1.0}, folder=str(tmp_path / "kept"))])
    assert list(store.damage("one")) == []
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        connection.execute("UPDATE documents SET content = x'00' WHERE name LIKE 'artefacts/%'")
    (damage,) = store.damage("one")
    assert "artefacts/scenario=base/replication=000001/a.rds" in damage.name


def test_a_database_of_schema_1_is_read_and_gets_digests_when_it_is_written_to(
    made: replicast.Run, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        connection.execute("DROP TABLE batches")
        connection.execute("UPDATE replicast_schema SET version = 1")
    again = replicast.Run(made.store.url, "one")
    assert len(again.metrics()) == 12 - again.status().failed
    assert again.damage() == []
    again.resume(14, workers=1)
    assert again.status().done == 14
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        assert connection.execute("SELECT max(version) FROM replicast_schema").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM batches").fetchone()[0] >= 1
    assert again.damage() == []
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        connection.execute("UPDATE replications SET replication = 99 WHERE replication = 4")
    (damage,) = replicast.Run(made.store.url, "one").damage()[:1]
    assert "replications 99 to 99" in damage
