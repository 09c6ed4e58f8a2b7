"""How fast each store takes rows in and gives them back, beside the database's own plain bulk loading in the same run.

    python benchmarks/stores.py [sqlite:///f.db postgresql://… mysql://… FOLDER]... [--department]

Two loads: many metrics (20,000 replications of 10 metrics, 1,000 a batch: 200,000 rows), and wide rows (50 replications
of a table of 2,000 rows and 6 columns, 5 a batch: 100,000 rows). `plain` loads the same values into one table with the
same key and nothing else: COPY (PostgreSQL), executemany (SQLite, MySQL). `--department` adds the emergency
department's 200 replications on two workers, into each store in turn, three times. Give empty databases.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from arro3.core import Array, DataType, Table

import replicast
from replicast.core.ports import Store
from replicast.core.replication import Outcome
from replicast.stores import open_store
from replicast.stores.sql import SqlStore

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "emergency_department"
ROUNDS = 3


def metric_batches() -> Iterator[list[Outcome]]:
    draw = random.Random(1)
    for first in range(1, 20_001, 1000):
        numbers = range(first, first + 1000)
        yield [Outcome("base", i, 0.1, {f"metric_{m}": draw.random() for m in range(10)}) for i in numbers]


def table_batches() -> Iterator[list[Outcome]]:
    draw = random.Random(2)
    table = Table.from_pydict({
        "arrival": Array([draw.random() for _ in range(2000)], DataType.float64()),
        "wait": Array([draw.random() for _ in range(2000)], DataType.float64()),
        "stay": Array([draw.random() for _ in range(2000)], DataType.float64()),
        "acuity": Array([draw.randint(1, 5) for _ in range(2000)], DataType.int64()),
        "admitted": Array([draw.random() < 0.3 for _ in range(2000)], DataType.bool()),
        "ward": Array([draw.choice(["A", "B", "short stay"]) for _ in range(2000)], DataType.utf8()),
    })  # fmt: skip
    for first in range(1, 51, 5):
        yield [Outcome("base", i, 0.1, {"value": 1.0}, {"patients": table}) for i in range(first, first + 5)]


def timed(deed: Callable[[], object]) -> float:
    started = time.perf_counter()
    deed()
    return time.perf_counter() - started


def save(store: Store, run: str, batches: Sequence[list[Outcome]]) -> None:
    for batch in batches:
        store.save(run, batch)


def read(store: Store, run: str, table: str) -> int:
    return sum(chunk.num_rows for chunk in store.rows(run, table, "base"))


def plain_rows(batch: Sequence[Outcome], table: str) -> list[tuple[Any, ...]]:
    if table == "metrics":
        return [(1, int(n[7:]), o.replication, v) for o in batch for n, v in o.metrics.items()]
    rows: list[tuple[Any, ...]] = []
    for outcome in batch:
        columns = [outcome.tables[table].column(name).to_pylist() for name in outcome.tables[table].column_names]
        rows += [(1, outcome.replication, n, *row) for n, row in enumerate(zip(*columns, strict=True))]
    return rows


PLAIN = {
    "metrics": ("a INT, b INT, c BIGINT, d {double}", "a, b, c"),
    "patients": (
        "a INT, c BIGINT, b INT, arrival {double}, wait {double}, stay {double}, acuity BIGINT, admitted BOOLEAN, "
        "ward TEXT",
        "a, c, b",
    ),
}


def load_plainly(store: SqlStore, batches: Sequence[Sequence[tuple[Any, ...]]], table: str, name: str) -> float:
    """Seconds in which the driver alone loads the same rows, a transaction a batch over one connection."""
    connection: Any = store.database.engine.raw_connection()
    driver = connection.driver_connection
    columns, key = PLAIN[table]
    kind = store.database.kind
    double = "DOUBLE PRECISION" if kind == "postgresql" else "DOUBLE"
    cursor = driver.cursor()
    cursor.execute(f"CREATE TABLE {name} ({columns.format(double=double)}, PRIMARY KEY ({key}))")
    driver.commit()
    mark = "?" if kind == "sqlite" else "%s"
    marks = ", ".join([mark] * len(batches[0][0]))

    def load() -> None:
        for rows in batches:
            if kind == "postgresql":
                with cursor.copy(f"COPY {name} FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
            else:
                if kind == "sqlite":
                    cursor.execute("BEGIN")
                cursor.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
            driver.commit()

    seconds = timed(load)
    cursor.close()
    connection.close()
    return seconds


def show(label: str, rows: int, seconds: Sequence[float]) -> None:
    best = min(seconds)
    print(f"  {label:38} {rows / best:12,.0f} rows/s   median {rows / statistics.median(seconds):12,.0f}", flush=True)


def compare(url: str) -> None:
    store = open_store(url)
    print(store.label)
    compare_load(store, "metrics", list(metric_batches()), 200_000)
    compare_load(store, "patients", list(table_batches()), 100_000)


def compare_load(store: Store, table: str, batches: Sequence[list[Outcome]], rows: int) -> None:
    saving, reading, plain = [], [], []
    flat = [plain_rows(batch, table) for batch in batches] if isinstance(store, SqlStore) else []
    for turn in range(ROUNDS):
        run = f"{table}-{time.time_ns()}"
        saving.append(timed(lambda: save(store, run, batches)))  # noqa: B023
        reading.append(timed(lambda: read(store, run, table)))  # noqa: B023
        if isinstance(store, SqlStore):
            plain.append(load_plainly(store, flat, table, f"plain_{table}_{turn}"))
    show(f"{table}: saved", rows, saving)
    if plain:
        show(f"{table}: loaded plainly by the driver", rows, plain)
    show(f"{table}: read", rows, reading)


def department(urls: Sequence[str]) -> None:
    """What storing adds to a run of the emergency department, each store in turn."""
    seconds: dict[str, list[float]] = {url: [] for url in urls}
    for _ in range(ROUNDS):
        for url in urls:
            model = str(EXAMPLE / "model.py")
            run = lambda url=url, model=model: replicast.run(model, n=200, seed=1, workers=2, store=url)  # noqa: E731
            seconds[url].append(timed(run))
    print("emergency department, 200 replications, 2 workers")
    for url in urls:
        listed = ", ".join(f"{s:.2f}" for s in seconds[url])
        print(f"  {open_store(url).label:60} best {min(seconds[url]):6.2f} s   of {listed}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("urls", nargs="*")
    parser.add_argument("--department", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        urls = [f"{folder}/runs", *(options.urls or [f"sqlite:///{folder}/runs.db"])]
        print(f"Python {sys.version.split()[0]}, {ROUNDS} rounds, best and median")
        for url in urls:
            compare(url)
        if options.department:
            department(urls)


if __name__ == "__main__":
    main()
