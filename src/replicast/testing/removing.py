"""What every store must do when a run is removed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from arro3.core import Array, DataType, Table

from replicast.core.ports import Store
from replicast.core.record import NAME
from replicast.core.replication import Outcome

REMOVE = """
import sys
from replicast.stores import open_store
store = open_store(sys.argv[1])
print("ready", flush=True)
store.remove(sys.argv[2])
"""


def a_removed_run_is_gone(store: Store) -> None:
    """With its tables and artefacts, and without anything of another run; one of its name starts from nothing."""
    removed, kept = "20260101T000000-removed", "20260101T000000-removed-not"
    for run in (removed, kept):
        fill(store, run)
    store.remove(removed)
    store.remove(removed)
    assert removed not in store.runs(), "a removed run is listed"
    assert not store.documents(removed, ""), "a removed run has documents"
    assert not list(store.coverage(removed).done("base")), "a removed run has replications"
    assert not sum(chunk.num_rows for chunk in store.rows(removed, "patients", "base")), "a removed run has rows"
    assert count(store, kept) == (4, 12), "removing a run took something of another"
    assert store.write(removed, NAME, b"{}", new=True), "a run cannot have the name of one that was removed"
    assert not list(store.coverage(removed).done("base")), "a new run has replications of a removed one"


def a_killed_remover_leaves_a_run_whole_or_gone(store: Store) -> None:
    for attempt in range(4):
        run = f"20260101T000000-killed{attempt}"
        fill(store, run)
        with subprocess.Popen([sys.executable, "-P", "-c", REMOVE, store.url, run], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            if attempt:
                process.kill()
        if run in store.runs():
            assert count(store, run) == (4, 12), "a run whose removal was interrupted is neither whole nor gone"
            store.remove(run)
        assert store.write(run, NAME, b"{}", new=True), "a run cannot have the name of one that is gone"
        assert not list(store.coverage(run).done("base")), "a new run has replications of a removed one"


def fill(store: Store, run: str) -> None:
    assert store.write(run, NAME, json.dumps({"id": run}).encode(), new=True), f"there is a run '{run}' already"
    store.write(run, "model/model.py", b"pass")
    table = Table.from_pydict({"x": Array([1, 2, 3], DataType.int64())})
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "result.rds").write_bytes(b"rds")
        for first in (1, 3):
            outcomes = [Outcome("base", n, 0.1, {"value": 1.0}, {"patients": table}) for n in (first, first + 1)]
            outcomes[0].folder = folder
            store.save(run, outcomes)


def count(store: Store, run: str) -> tuple[int, int]:
    """Replications, and rows of their table."""
    done = sum(last - first + 1 for first, last in store.coverage(run).done("base"))
    return done, sum(chunk.num_rows for chunk in store.rows(run, "patients", "base"))
