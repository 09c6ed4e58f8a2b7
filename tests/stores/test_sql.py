"""What a database store promises beyond the conformance suite: its schema, its queries, its names, its secrets."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow
import pytest
import sqlalchemy as sa
from arro3.core import Array, DataType, Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import Mariadb, Postgres

import replicast
from replicast.core.errors import RequestError, StoreError
from replicast.core.replication import Outcome
from replicast.stores import open_store
from replicast.stores.sql import SqlStore
from replicast.stores.sql_schema import VERSION
from replicast.testing.stored import column, failure, new_run, numbers, outcome, stored, with_table

KINDS = ("sqlite", "postgresql", "mysql")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "database-schema.md"
RUN = "20261123T141502-k3f9x2"
"""The run that the page's queries ask for."""

MODEL = """
def simulate(rng, beds=4):
    n = int(rng.integers(0, 4))
    waits = rng.exponential(1.0, n)
    if rng.random() < 0.1:
        raise ValueError("no beds")
    table = {"wait": waits.tolist(), "name": ["ä😀"] * n, "kind": [None] * n if n == 2 else ["x"] * n}
    if n == 3:
        table["extra"] = list(range(n))
    odd = float("nan") if n == 1 else -0.0
    return {"mean": float(waits.sum()) / beds, "n": n, "odd": odd, "patients": table, "empty": {"a": []}}
"""


def sql_store(url: str) -> SqlStore:
    store = open_store(url)
    assert isinstance(store, SqlStore)
    return store


def ask(store: SqlStore, statement: str) -> list[tuple[Any, ...]]:
    return store.database.perform(lambda c: [tuple(row) for row in c.execute(sa.text(statement))])


def model_file(folder: Path) -> Path:
    path = folder / "project" / "model.py"
    path.parent.mkdir()
    path.write_text(MODEL)
    return path


def ward(store: SqlStore) -> None:
    """A run as the page of the schema has it."""
    for scenario, shift in (("base", 0.0), ("more_beds", -1.0)):
        for i in (1, 2, 3):
            table = Table.from_pydict({"wait": Array([i + shift, 5.0], DataType.float64())})
            store.save(RUN, [Outcome(scenario, i, 0.5, {"mean_wait": i + shift, "odd": math.nan}, {"patients": table})])
    store.save(RUN, [failure(4)])
    row = {
        "scenario": "base",
        "metric": "mean_wait",
        "planned": 4,
        "n": 3,
        "mean": 2.0,
        "sd": 1.0,
        "ci_lower": math.nan,
    }
    store.keep_summary(RUN, lambda: [row])
    record = b'{"created": "2026-11-23", "experiment": {"seed": 42, "model": {"file": "m.py"}, "scenarios": []}}'
    store.write(RUN, "run.json", record)


@pytest.mark.parametrize("kind", KINDS)
def test_the_queries_of_the_documentation_answer(kind: str, new_url: Callable[[str], str]) -> None:
    store = sql_store(new_url(kind))
    ward(store)
    statements = re.findall(r"^```sql\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    queries = [text for text in statements if text.startswith("SELECT")]
    found = [ask(store, text) for text in queries]
    mean, progress, failed, rows, differences, summary, missing = found
    assert sorted(mean) == [("base", 3, 2.0), ("more_beds", 3, 1.0)]
    assert [(row[0], row[1], *row[2:]) for row in progress] == [
        (RUN, "m.py", "failed", 1, 0.5),
        (RUN, "m.py", "ok", 6, 3.0),
    ]
    assert failed == [("base", 4, "ValueError", "no beds")]
    assert rows[:2] == [("base", 1, 3.0, 5.0), ("base", 2, 3.5, 5.0)]
    assert differences == [(1, -1.0), (2, -1.0), (3, -1.0)]
    assert summary == [("base", "mean_wait", 3, 2.0, None, None)]
    nothing = 0 if kind == "postgresql" else 3
    assert ("base", "odd", nothing) in missing
    (deletion,) = (text for text in statements if text.startswith("DELETE"))
    for statement in deletion.strip().split(";\n"):
        store.database.perform(lambda c, text=statement: c.execute(sa.text(text.rstrip(";"))), write=True)
    for table in (
        "runs",
        "scenarios",
        "replications",
        "metric_values",
        "patients_rows",
        "documents",
        "summary",
        "metrics",
    ):
        assert ask(store, f"SELECT count(*) FROM {table}") == [(0,)], table


@pytest.mark.parametrize("kind", KINDS)
def test_ids_of_a_deleted_run_are_not_given_again(kind: str, new_url: Callable[[str], str]) -> None:
    store = sql_store(new_url(kind))
    store.save("first", [outcome(1)])
    before = ask(store, "SELECT max(scenario_id) FROM scenarios")[0][0]
    store.database.perform(lambda c: c.execute(sa.text("DELETE FROM runs")), write=True)
    fresh = SqlStore(store.url)
    fresh.save("second", [outcome(1)])
    assert ask(store, "SELECT scenario_id FROM scenarios")[0][0] > before
    assert stored(fresh, "second")["value"] == ["0.125"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_replication_has_one_key_and_its_foreign_keys(kind: str, new_url: Callable[[str], str]) -> None:
    store = sql_store(new_url(kind))
    store.save("r", [outcome(1)])
    with store.database.engine.connect() as connection:
        inspector = sa.inspect(connection)
        key = inspector.get_pk_constraint("replications")["constrained_columns"]
        foreign = inspector.get_foreign_keys("replications")
        metric_key = inspector.get_pk_constraint("metric_values")["constrained_columns"]
    assert key == ["run", "scenario", "replication"]
    assert [(f["referred_table"], f["constrained_columns"]) for f in foreign] == [("scenarios", ["run", "scenario"])]
    assert metric_key == ["scenario_id", "metric_id", "replication"]


@pytest.mark.parametrize("kind", KINDS)
def test_many_workers_may_make_the_tables_at_once(kind: str, new_url: Callable[[str], str]) -> None:
    url = new_url(kind)

    def save(place: int) -> None:
        table = Table.from_pydict({"x": Array([place], DataType.int64())})
        open_store(url).save("r", [with_table(place, table)])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(save, range(1, 9)))
    assert numbers(open_store(url), "r") == (list(range(1, 9)), [])
    assert ask(sql_store(url), "SELECT version FROM replicast_schema") == [(VERSION,)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_of_another_version_is_refused(kind: str, new_url: Callable[[str], str]) -> None:
    url = new_url(kind)
    store = sql_store(url)
    store.save("r", [outcome(1)])
    set_version = "UPDATE replicast_schema SET version = {}"
    store.database.perform(lambda c: c.execute(sa.text(set_version.format(VERSION + 1))), write=True)
    told = rf"newer replicast \(schema {VERSION + 1}; this one knows {VERSION}\): update this one, from where it was"
    with pytest.raises(StoreError, match=told):
        open_store(url).runs()
    store.database.perform(lambda c: c.execute(sa.text(set_version.format(0))), write=True)
    with pytest.raises(StoreError, match=r"schema 0, which this replicast no longer writes: .*replicast copy RUN"):
        open_store(url).save("r", [outcome(2)])


@pytest.mark.parametrize("kind", KINDS)
def test_tables_of_others_are_never_touched(kind: str, new_url: Callable[[str], str]) -> None:
    url = new_url(kind)
    store = sql_store(url)
    store.database.perform(lambda c: c.execute(sa.text("CREATE TABLE patients (name INTEGER)")), write=True)
    store.save("r", [with_table(1, Table.from_pydict({"name": Array(["a"], DataType.utf8())}))])
    assert stored(store, "r", "patients")["name"] == ["a"]
    assert ask(store, "SELECT name FROM patients") == []
    assert ask(store, "SELECT name FROM patients_2") == [("a",)]
    assert ask(store, "SELECT view_name FROM model_tables WHERE table_name = 'patients'") == [("patients_2",)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_with_tables_of_our_names_is_refused(kind: str, new_url: Callable[[str], str]) -> None:
    store = sql_store(new_url(kind))
    store.database.perform(lambda c: c.execute(sa.text("CREATE TABLE scenarios (name INTEGER)")), write=True)
    with pytest.raises(StoreError, match="a table 'scenarios' that is not replicast's: give replicast a database"):
        store.save("r", [outcome(1)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_that_is_empty_at_first_keeps_its_plain_name_for_its_values(
    kind: str, new_url: Callable[[str], str]
) -> None:
    store = sql_store(new_url(kind))
    for i, array in enumerate([Array([None], DataType.bool()), Array(["x"], DataType.utf8())], 1):
        store.save("r", [with_table(i, Table.from_pydict({"kind": array}))])
    assert ask(store, "SELECT kind FROM patients ORDER BY replication") == [(None,), ("x",)]
    assert [str(chunk.schema.field("kind").type) for chunk in store.rows("r", "patients", "base")] == [
        str(DataType.bool()),
        str(DataType.utf8()),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_metric_that_is_a_boolean_in_one_batch_and_a_number_in_another_is_what_was_stored(
    kind: str, new_url: Callable[[str], str]
) -> None:
    store, run = open_store(new_url(kind)), new_run()
    values = [True, 2, None, 2.5, False]
    for number, value in enumerate(values, 1):
        store.save(run, [Outcome("base", number, 0.1, {"x": value, "n": number})])
    assert list(store.damage(run)) == []
    read = [value for chunk in store.rows(run, "metrics", "base") for value in chunk.column("x").to_pylist()]
    assert read == values


def test_no_connection_is_held_between_saves(postgres: Postgres) -> None:
    url = postgres.new_database()
    database = url.rpartition("/")[2]
    store = open_store(url)
    store.save("r", [outcome(i) for i in range(1, 100)])
    chunks = store.rows("r", "metrics", "base")
    next(chunks)
    # a connection that was closed lives until its server process has noticed
    count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND state <> 'active'"
    for _ in range(1000):
        if postgres.execute(count) == [(0,)]:
            return
    raise AssertionError("a connection is still open")


def test_the_password_is_in_the_url_for_workers_and_nowhere_else() -> None:
    for url in ("postgresql://a:s3cret%40x@h/d?sslmode=require", "mysql://a:s3cret%40x@h:3307/d"):
        store = SqlStore(url)
        assert "s3cret%40x" in store.url
        assert "s3cret" not in store.label
        assert "***" in store.label
        assert "s3cret" not in repr(store)
    assert "s3cret" not in SqlStore("postgresql:///d?user=a&password=s3cret").label


def test_the_url_of_a_file_holds_wherever_a_process_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = SqlStore("sqlite:///new/folder/runs.db")
    store.save("r", [outcome(1)])
    monkeypatch.chdir("/")
    assert store.url == f"sqlite:///{tmp_path}/new/folder/runs.db"
    assert numbers(open_store(store.url), "r") == ([1], [])


def test_looking_into_a_file_that_is_not_there_does_not_make_it(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'none.db'}")
    assert store.runs() == []
    assert numbers(store, "r") == ([], [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["postgresql://h:port/d", "mysql://u@h:99999999x/d"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(RequestError, match="is not the URL of a database: write sqlite:///"):
        open_store(url)


def test_a_type_that_no_column_keeps_is_refused_with_its_name(tmp_path: Path) -> None:
    nested = Array.from_arrow(pyarrow.array([[1], [2]]))
    store = open_store(f"sqlite:///{tmp_path / 'runs.db'}")
    with pytest.raises(StoreError, match=r"column 'visits' of table 'patients' holds .*List"):
        store.save("r", [with_table(1, Table.from_pydict({"visits": nested}))])
    wide = Table.from_pydict({f"c{i}": Array([1], DataType.int64()) for i in range(901)})
    with pytest.raises(StoreError, match="table 'patients' has more than 900 columns"):
        store.save("r", [with_table(1, wide)])


doubles = st.lists(st.none() | st.floats(), min_size=1, max_size=20)
integers = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20)
texts = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=20)
columns = st.one_of(
    doubles.map(lambda values: Array(values, DataType.float64())),
    integers.map(lambda values: Array(values, DataType.int64())),
    texts.map(lambda values: Array(values, DataType.utf8())),
    integers.map(lambda values: Array(values, DataType.int64()).cast(DataType.timestamp("us", tz="UTC"))),
)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_any_column_comes_back_exactly(kind: str, new_url: Callable[[str], str]) -> None:
    store = open_store(new_url(kind))

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(columns)
    def check(array: Array) -> None:
        run = new_run()
        store.save(run, [with_table(1, Table.from_pydict({"x": array}))])
        assert stored(store, run, "patients")["x"] == column(array)

    check()


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_collated_files_have_the_same_bytes_as_a_folders(
    kind: str, new_url: Callable[[str], str], tmp_path: Path
) -> None:
    model = model_file(tmp_path)
    scenarios = {"base": {}, "more_beds": {"beds": 6}}
    for url in ("folder", kind):
        run = replicast.run(str(model), n=40, seed=7, scenarios=scenarios, tolerate="50%", store=new_url(url))
        run.collate(tmp_path / url)
    files = sorted(path.name for path in (tmp_path / kind).iterdir())
    assert {"metrics.csv", "patients.csv", "empty.csv", "summary.csv"} <= set(files)
    for name in files:
        assert (tmp_path / kind / name).read_bytes() == (tmp_path / "folder" / name).read_bytes(), name


@pytest.mark.long
@pytest.mark.parametrize("server", [Postgres, Mariadb])
def test_a_run_survives_a_crash_of_its_server(server: type[Postgres | Mariadb], tmp_path: Path) -> None:
    own = server()
    try:
        url = own.new_database()
        path = tmp_path / "project" / "model.py"
        path.parent.mkdir()
        path.write_text("import time\ndef simulate(rng):\n    time.sleep(0.02)\n    return float(rng.random())\n")
        command = [sys.executable, "-m", "replicast", "run", str(path), "-n", "200", "--seed", "3", "--workers", "2"]
        command += ["--name", "crashed", "--store", url]
        with subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            watch = open_store(url)
            while len(numbers(watch, "crashed")[0]) < 20:
                assert process.poll() is None, process.stderr.read() if process.stderr else ""
            own.crash()
            own.start()
            _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert numbers(watch, "crashed") == (list(range(1, 201)), [])
        there = replicast.run(str(path), n=200, seed=3, store=str(tmp_path / "runs")).metrics()
        assert replicast.Run(url, "crashed").metrics().to_dicts() == there.to_dicts()
    finally:
        own.close()


def test_a_store_that_fails_ends_the_command_with_status_3_and_one_line(postgres: Postgres, tmp_path: Path) -> None:
    postgres.execute("DROP ROLE IF EXISTS guarded")
    postgres.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
    url = postgres.url("postgres", user="guarded:hunter22")
    command = [sys.executable, "-m", "replicast", "list", "--store", url]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3, done.stderr
    assert "password authentication failed" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "hunter22" not in done.stdout + done.stderr
