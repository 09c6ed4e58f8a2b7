"""Rows that are changed or deleted by hand in a database are named, refused and mended."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

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
        assert connection.execute(statement).rowcount >= 1
    again = replicast.Run(made.store.url, "one")
    assert again.damage()
    with pytest.raises(StoreError, match=r"not what was stored.* replicast resume one"):
        collated(again, tmp_path / "refused")
    again.resume(workers=1)
    assert again.mended
    assert collated(again, tmp_path / "after") == whole
    assert replicast.Run(made.store.url, "one").damage() == []


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
