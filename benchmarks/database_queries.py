"""How long the queries of docs/reference/database-schema.md take in a database with very many metric rows.

    python benchmarks/database_queries.py postgresql://root@127.0.0.1/empty --rows 100000000

The rows are made by the server: runs of 10 scenarios, 10 metrics and 10,000 replications, and one run of a tenth of all
rows in a single scenario. Each query is timed three times; the least and the largest time are shown.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import sqlalchemy as sa

from replicast.stores.sql import SqlStore
from replicast.stores.sql_runs import add_run, add_scenario

SCENARIOS, METRICS, REPLICATIONS = 10, 10, 10_000
SERIES = {
    "postgresql": "(SELECT generate_series(1, {n}) AS seq) AS g",
    "mysql": "seq_1_to_{n} AS g",
    "sqlite": (
        "(WITH RECURSIVE c(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM c WHERE seq < {n}) SELECT seq FROM c) AS g"
    ),
}
QUERIES = {
    "mean of one metric, a run of 10^5 replications": (
        "SELECT scenario, count(value), avg(value) FROM metrics WHERE run = :middle AND metric = 'm3' GROUP BY scenario"
    ),
    "mean of all metrics, the same run": (
        "SELECT scenario, metric, count(value), avg(value) FROM metrics WHERE run = :middle GROUP BY scenario, metric"
    ),
    "mean of one metric, the large run": (
        "SELECT count(value), avg(value) FROM metrics WHERE run = :large AND metric = 'm3'"
    ),
    "metrics of one replication of the large run": (
        "SELECT metric, value FROM metrics WHERE run = :large AND scenario = 's0' AND replication = 7777"
    ),
    "ten largest values of one metric": (
        "SELECT scenario, replication, value FROM metrics WHERE run = :middle AND metric = 'm3' "
        "ORDER BY value DESC LIMIT 10"
    ),
}


def record(scenarios: int, replications: int) -> bytes:
    model = {"language": "python", "file": "model.py", "function": "simulate", "module": "", "command": []}
    named = [{"name": f"s{place}", "parameters": {"beds": place}} for place in range(scenarios)]
    experiment = {"model": model, "scenarios": named, "seed": 1}
    return json.dumps({"created": "2026-01-01", "replications": replications, "experiment": experiment}).encode()


def fill(store: SqlStore, rows: int) -> None:
    """Makes runs `r0`, `r1`, … and `large`."""
    large = rows // 10 // METRICS
    runs = [
        (f"r{n}", SCENARIOS, REPLICATIONS) for n in range((rows - rows // 10) // (SCENARIOS * METRICS * REPLICATIONS))
    ]
    for run, scenarios, replications in [*runs, ("large", 1, large)]:
        store.write(run, "run.json", record(scenarios, replications))
        store.database.perform(lambda c, of=(run, scenarios, replications): fill_run(c, store, *of), write=True)


def fill_run(connection: sa.Connection, store: SqlStore, run: str, scenarios: int, replications: int) -> None:
    known = {row.metric: row.metric_id for row in connection.execute(sa.select(store.schema.metric_names))}
    for metric in range(METRICS):
        if f"m{metric}" not in known:
            made = connection.execute(store.schema.metric_names.insert(), {"metric": f"m{metric}"})
            known[f"m{metric}"] = int(made.inserted_primary_key[0])  # type: ignore[index]
    add_run(connection, store.schema, run)
    series = SERIES[store.database.kind].format(n=replications)
    for place in range(scenarios):
        scenario = add_scenario(connection, store.schema, run, f"s{place}")
        for metric_id in known.values():
            value = "(g.seq % 10007) * 7919 % 10007 * 0.001"
            connection.execute(
                sa.text(
                    "INSERT INTO metric_values (scenario_id, metric_id, replication, value) "
                    f"SELECT {scenario}, {metric_id}, g.seq, {value} FROM {series}"
                )
            )


def time_query(store: SqlStore, text: str, names: dict[str, str]) -> tuple[float, float, int]:
    wanted = {name: value for name, value in names.items() if f":{name}" in text}
    seconds, rows = [], 0
    for _ in range(3):
        started = time.perf_counter()
        rows = len(store.database.perform(lambda c: c.execute(sa.text(text), wanted).fetchall()))
        seconds.append(time.perf_counter() - started)
    return min(seconds), max(seconds), rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--rows", type=int, default=10_000_000)
    options = parser.parse_args()
    store = SqlStore(options.url)
    if not store.runs():
        started = time.perf_counter()
        fill(store, options.rows)
        print(f"filled in {time.perf_counter() - started:.0f} s")
        if store.database.kind == "postgresql":
            with store.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")
    runs: Any = [run for run in store.runs() if run != "large"]
    count = store.database.perform(lambda c: c.scalar(sa.text("SELECT count(*) FROM metric_values")))
    print(f"{store.label}: {count:,} metric rows in {len(runs) + 1} runs")
    for title, text in QUERIES.items():
        least, most, rows = time_query(store, text, {"middle": runs[len(runs) // 2], "large": "large"})
        print(f"  {title:50} {least * 1000:9.1f} to {most * 1000:9.1f} ms  ({rows} rows)")


if __name__ == "__main__":
    main()
