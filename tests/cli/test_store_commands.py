"""`copy` and `sql` as users type them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

Call = Callable[..., subprocess.CompletedProcess[str]]
MODEL = "def simulate(rng, shift=0.0):\n    return {'x': shift + rng.random(), 'rows': {'k': [1, 2, 3]}}\n"


def test_a_copied_run_collates_to_the_same_bytes_and_goes_on(
    replicast: Call, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = write_model(MODEL)
    assert replicast("run", model, "-n", 7, "--seed", 1, "--name", "x", "-o", "one").returncode == 0
    copied = replicast("copy", "x", "--from", "runs", "--to", "sqlite:///copy.db", "--json")
    assert copied.returncode == 0, copied.stderr
    assert json.loads(copied.stdout)["replications"] == 7
    assert replicast("collate", "x", "--store", "sqlite:///copy.db", "-o", "two").returncode == 0
    for name in ("metrics.csv", "rows.csv", "summary.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    more = replicast("resume", "x", "-n", 9, "--store", "sqlite:///copy.db", "--json")
    assert json.loads(more.stdout)["simulated"] == 2


def test_a_query_in_sql_is_answered_from_any_store(replicast: Call, write_model: Callable[..., Path]) -> None:
    model = write_model(MODEL)
    replicast("run", model, "-n", 4, "--seed", 1, "--name", "x", "--scenario", "a:", "--scenario", "b:shift=1")
    text = "select scenario, count(*) as n from rows group by scenario order by scenario"
    assert replicast("sql", "x", text, "--csv").stdout == "scenario,n\na,12\nb,12\n"
    assert json.loads(replicast("sql", "x", text, "--json").stdout) == [
        {"scenario": "a", "n": 12},
        {"scenario": "b", "n": 12},
    ]
    refused = replicast("sql", "x", "drop table metrics")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr


def test_a_database_keeps_the_summary_and_is_no_part_of_the_model(
    replicast: Call, write_model: Callable[..., Path]
) -> None:
    model = write_model(MODEL)
    done = replicast(
        "run", "model.py", "-n", 5, "--seed", 1, "--store", "sqlite:///f.db", "--name", "x", cwd=model.parent
    )
    assert done.returncode == 0, done.stderr
    again = replicast(
        "run", "model.py", "-n", 6, "--store", "sqlite:///f.db", "--name", "x", "--json", cwd=model.parent
    )
    assert json.loads(again.stdout)["simulated"] == 1, again.stderr
    with closing(sqlite3.connect(model.parent / "f.db")) as connection:
        rows = connection.execute("select scenario, metric, n from summary").fetchall()
    assert rows == [("base", "x", 6)]


def test_a_detached_run_goes_on_in_a_database(
    replicast: Call, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = write_model(MODEL)
    url = f"sqlite:///{tmp_path}/secret.db"
    assert replicast("run", model, "-n", 3, "--name", "x", "--detach", "--store", url).returncode == 0
    for _ in range(100):
        if json.loads(replicast("status", "x", "--store", url, "--json").stdout)["state"] == "done":
            break
    assert json.loads(replicast("status", "x", "--store", url, "--json").stdout)["done"] == 3
