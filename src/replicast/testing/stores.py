"""What every store must do, as checks that anyone can run against a store of their own.

    from replicast.testing import check_store
    check_store(lambda: MyStore("somewhere"))

Each check takes a store, works in runs of its own, and raises AssertionError with a sentence. Two of them reach the
same store by its URL, from other threads and from processes that are killed: `open_store(store.url)` must open it.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from arro3.core import Array, DataType, Table

from replicast.core.ports import Store
from replicast.core.replication import Metric, Outcome
from replicast.stores import open_store

from .removing import a_killed_remover_leaves_a_run_whole_or_gone, a_removed_run_is_gone
from .store_types import TYPED_COLUMNS
from .stored import column, expect, failure, ledger, new_run, numbers, outcome, stored, with_table

Check = Callable[[Store], None]
BATCH, ROWS = 5, 200
"""What the process that is killed saves at once: replications, and rows of each."""


def check_store(make_store: Callable[[], Store], checks: Sequence[Check] | None = None) -> None:
    """Runs `checks`, all if not given, each with a store that `make_store` returns. Raises AssertionError."""
    for check in CHECKS if checks is None else checks:
        check(make_store())


def an_unknown_run_is_empty(store: Store) -> None:
    run = new_run()
    expect(store.read(run, "run.json"), None, "reading a document that is not there")
    expect(store.documents(run, "model"), [], "listing documents that are not there")
    expect(numbers(store, run), ([], []), "coverage of a run that is not there")
    expect(list(store.rows(run, "metrics", "base")), [], "rows of a run that is not there")
    expect(list(store.ledger(run, "base")), [], "the ledger of a run that is not there")
    expect(list(store.artefacts(run)), [], "artefacts of a run that is not there")
    expect(run in store.runs(), False, "a run that is not there among the runs")


def documents_are_kept(store: Store) -> None:
    run, large = new_run(), secrets.token_bytes(9 << 20)
    contents = {
        "model/a.R": b"x <- 1\n",
        "model/data/ä b.csv": b"",
        "model/large.rds": large,
        "models/b": b"\0\xff'\"\\%",
    }
    for name, content in contents.items():
        expect(store.write(run, name, content), True, f"writing '{name}'")
    for name, content in contents.items():
        expect(store.read(run, name) == content, True, f"'{name}' read back equals what was written")
    listed = ["model/a.R", "model/data/ä b.csv", "model/large.rds"]
    expect(store.documents(run, "model"), listed, "documents below 'model', in order")
    store.write(run, "model/a.R", b"x <- 2\n")
    expect(store.read(run, "model/a.R"), b"x <- 2\n", "a document written twice")
    store.delete(run, "model/a.R")
    expect(store.read(run, "model/a.R"), None, "a document that was deleted")
    store.delete(run, "model/a.R")


def a_new_document_is_never_overwritten(store: Store) -> None:
    run = new_run()
    expect(store.write(run, "run.json", b"first", new=True), True, "writing a new document")
    expect(store.write(run, "run.json", b"second", new=True), False, "writing it anew")
    expect(store.read(run, "run.json"), b"first", "the document after that")
    runs = [new_run() for _ in range(8)]

    def claim(place: int) -> int:
        own = open_store(store.url)
        return sum(own.write(run, "run.json", b"%d" % place, new=True) for run in runs)

    with ThreadPoolExecutor(4) as threads:
        expect(sum(threads.map(claim, range(4))), len(runs), "of four writers of each new document, those who won")


def runs_are_listed_in_order(store: Store) -> None:
    runs = sorted(new_run() for _ in range(3))
    for run in reversed(runs):
        store.write(run, "model/model.py", b"")
        expect(run in store.runs(), False, "a run without run.json among the runs")
        store.write(run, "run.json", b"{}")
    expect([run for run in store.runs() if run in runs], runs, "runs that have a run.json, in order")


def outcomes_come_back(store: Store) -> None:
    run = new_run()
    done = outcome(1, wait=1.5, served=7)
    done.warnings, done.warning_count, done.draws = ("slow", "läuft\n😀"), 12, 77
    store.save(run, [done, failure(2), outcome(3, wait=-0.5, served=9)])
    expect(numbers(store, run), ([1, 3], [2]), "successful and failed replications")
    rows = {"scenario": ["base"] * 2, "replication": [1, 3], "wait": ["1.5", "-0.5"], "served": [7, 9]}
    expect(stored(store, run), rows, "metrics")
    first, second, _ = ledger(store, run)
    wanted = {
        "scenario": "base", "replication": 1, "state": "ok", "seconds": 0.25, "worker": "checker", "attempt": 1,
        "warning_count": 12, "warnings": "slow\nläuft\n😀", "error": "",
    }  # fmt: skip
    expect({name: first[name] for name in wanted}, wanted, "the ledger of a success")
    wanted = {
        "state": "failed", "seconds": 0.5, "attempt": 2, "error_kind": "error", "error_type": "ValueError",
        "error": "no beds", "traceback": "Traceback: line 1", "log": "some output\n", "fingerprint": 0,
    }  # fmt: skip
    expect({name: second[name] for name in wanted}, wanted, "the ledger of a failure")
    expect(first["fingerprint"] > 0, True, "a success has a fingerprint")


def a_long_log_is_kept(store: Store) -> None:
    run, failed = new_run(), failure(1)
    failed.log = "😀 zeile\n" * 6000
    store.save(run, [failed])
    expect(ledger(store, run)[0]["log"] == failed.log, True, "a log of 64 KiB comes back whole")


def saving_again_changes_nothing(store: Store) -> None:
    run = new_run()
    store.save(run, [outcome(i, value=float(i)) for i in (1, 2, 3)])
    before = stored(store, run), ledger(store, run)
    store.save(run, [outcome(i, value=float(i)) for i in (1, 2, 3)])
    expect((stored(store, run), ledger(store, run)), before, "a run after a batch was saved twice")
    store.save(run, [outcome(2, value=99.0)])
    expect(stored(store, run)["value"], ["1.0", "2.0", "3.0"], "the first success counts")
    expect(numbers(store, run), ([1, 2, 3], []), "replications after that")


def overlapping_batches_count_once(store: Store) -> None:
    run, table = new_run(), Table.from_pydict({"x": Array([1, 2], DataType.int64())})
    for first, last in ((1, 4), (8, 9), (3, 8), (1, 10)):
        store.save(run, [with_table(i, table) for i in range(first, last + 1)])
    expect(numbers(store, run), (list(range(1, 11)), []), "replications")
    expect(stored(store, run)["replication"], list(range(1, 11)), "rows of metrics")
    expect(stored(store, run, "patients")["replication"], [i for i in range(1, 11) for _ in "ab"], "rows of a table")


def a_success_replaces_a_failure(store: Store) -> None:
    run = new_run()
    store.save(run, [outcome(1), failure(2, "first"), failure(3, "first")])
    store.save(run, [failure(2, "second")])
    expect([row["error"] for row in ledger(store, run)], ["", "second", "first"], "of failures the last counts")
    store.save(run, [outcome(2, value=5.0)])
    expect(numbers(store, run), ([1, 2], [3]), "replications after a success")
    store.save(run, [failure(1), failure(2), failure(3, "third")])
    expect(numbers(store, run), ([1, 2], [3]), "replications after a failure that came too late")
    expect([row["error"] for row in ledger(store, run)], ["", "", "third"], "errors in the ledger")
    expect(stored(store, run)["value"], ["0.125", "5.0"], "metrics after that")


def savers_at_once_lose_nothing(store: Store) -> None:
    """Eight savers of overlapping batches of one run, in which table and columns are new to all of them."""
    run = new_run()

    def save(place: int) -> None:
        own = open_store(store.url)
        for first in range(1 + place, 41, 4):
            table = Table.from_pydict({f"c{first % 3}": Array([first], DataType.int64())})
            own.save(run, [with_table(i, table, f"table {run}") for i in range(first, first + 8)])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(save, range(8)))
    ok, failed = numbers(store, run)
    expect((ok, failed), (list(range(1, ok[-1] + 1)), []), "replications")
    expect(stored(store, run)["replication"], ok, "rows of metrics")
    expect(stored(store, run, f"table {run}")["replication"], ok, "rows of a table")


def scenarios_are_kept_apart(store: Store) -> None:
    run, names = (
        new_run(),
        ["base", "Base", "base ", "basé", "arrival_rate=5.0,beds=12", "100% 'quoted' \"name\"", "医院"],
    )
    for place, name in enumerate(names):
        store.save(run, [outcome(1, name, value=float(place)), outcome(2, name, value=0.5)])
    for place, name in enumerate(names):
        expect(numbers(store, run, name), ([1, 2], []), f"replications of scenario '{name}'")
        expect(stored(store, run, scenario=name)["value"], [repr(float(place)), "0.5"], f"metrics of scenario '{name}'")


def metrics_are_exact(store: Store) -> None:
    nan, inf = float("nan"), float("inf")
    doubles = [nan, inf, -inf, -0.0, 0.0, 0.1 + 0.2, 5e-324, 1.7976931348623157e308, 1 / 3, 1e22, -2.5]
    integers = [2**63 - 1, -(2**63) + 1, 2**53 + 1, 0, -1]
    run = new_run()
    store.save(run, [outcome(i, value=value) for i, value in enumerate(doubles, 1)])
    expect(stored(store, run)["value"], [repr(value) for value in doubles], "doubles")
    run = new_run()
    store.save(run, [outcome(i, value=value) for i, value in enumerate(integers, 1)])
    expect(stored(store, run)["value"], integers, "integers")
    run = new_run()
    store.save(run, [outcome(1, a=None, b=1.0), outcome(2, a=2.5), outcome(3, c=3)])
    found = stored(store, run)
    wanted = {"a": [None, "2.5", None], "b": ["1.0", None, None], "c": [None, None, 3]}
    expect({name: found[name] for name in wanted}, wanted, "metrics that some replications lack")
    run = new_run()
    store.save(run, [outcome(1, a=True, b=True), outcome(2, a=None, b=2), outcome(3, a=False, b=False)])
    shown = [repr(stored(store, run)[name]) for name in "ab"]
    expect(shown, ["[True, None, False]", "[1, 2, 0]"], "booleans, alone and beside a count")


def types_are_exact(store: Store) -> None:
    run = new_run()
    table = Table.from_pydict(dict(TYPED_COLUMNS))
    store.save(run, [with_table(1, table), with_table(2, table)])
    found = stored(store, run, "patients")
    for name, array in TYPED_COLUMNS.items():
        expect(found[name], column(array) * 2, f"a column of {str(array.type).strip()}")
    (schema,) = store.tables(run)["patients"]
    for name, array in TYPED_COLUMNS.items():
        expect(str(schema.field(name).type), str(array.type), f"the type of column '{name}'")


def columns_may_differ_between_replications(store: Store) -> None:
    run = new_run()
    shapes = [
        {"x": Array([1, 2], DataType.int64())},
        {"x": Array([1.5, None], DataType.float64()), "y": Array(["a", None], DataType.utf8())},
        {"x": Array([None, None], DataType.bool())},
        {"y": Array(["b", "c"], DataType.utf8()), "x": Array([2**60 + 1, 3], DataType.int64())},
    ]
    tables = [Table.from_pydict(dict(columns)) for columns in shapes]
    store.save(run, [with_table(i, table) for i, table in enumerate(tables, 1)])
    store.save(run, [with_table(5, tables[1])])
    found = stored(store, run, "patients")
    expect(found["replication"], [i for i in range(1, 6) for _ in "ab"], "replications")
    expect(found["x"], [1, 2, "1.5", None, None, None, 2**60 + 1, 3, "1.5", None], "a column of several types")
    expect(found["y"], [None, None, "a", None, None, None, "b", "c", "a", None], "a column that some lack")
    known = [[(n, str(schema.field(n).type)) for n in schema.names[2:]] for schema in store.tables(run)["patients"]]
    wanted = [[(n, str(table.schema.field(n).type)) for n in table.column_names] for table in tables]
    expect(sorted(known), sorted(wanted), "the schemas of the table")


def names_may_be_anything(store: Store) -> None:
    run, one = new_run(), Array([1], DataType.int64())
    names = [
        "select", "Age", "age", "AGE ", " age", "âge", "a.b", "a/b", "100%", "a:b", 'say "x"', "it's", "`tick`", "run",
        "row_no", "exact", "scenario_id", "x" * 100, "x" * 101, "名前", "😀", "", "a\tb", "\\",
    ]  # fmt: skip
    table = Table.from_pydict(dict.fromkeys(names, one))
    for name in ("select", "Runs", "runs", "documents", "a/b c.d", "x" * 90, "😀", "100% 'x'"):
        store.save(run, [with_table(1, table, name, scenario=f"of {len(name)} {name.replace('/', '_')}")])
        found = stored(store, run, name, f"of {len(name)} {name.replace('/', '_')}")
        expect(list(found), ["scenario", "replication", *names], f"columns of table '{name}'")
        expect([found[column] for column in names], [[1]] * len(names), f"values of table '{name}'")
    metrics: dict[str, Metric] = {name or "empty": 1.0 for name in names}
    store.save(run, [Outcome("base", 1, 0.25, metrics)])
    expect(list(stored(store, run)), ["scenario", "replication", *metrics], "metrics' names, in order")


def tables_may_be_empty(store: Store) -> None:
    run = new_run()
    empty = Table.from_pydict({"x": Array([], DataType.float64()), "name": Array([], DataType.utf8())})
    store.save(run, [with_table(1, empty), with_table(2, Table.from_pydict({}), "nothing")])
    tables = store.tables(run)
    expect(next(iter(tables)), "metrics", "the first table")
    expect([schema.names for schema in tables["patients"]], [["scenario", "replication", "x", "name"]], "its schema")
    expect([schema.names for schema in tables["nothing"]], [["scenario", "replication"]], "a table without columns")
    expect(stored(store, run, "patients").get("x", []), [], "rows of an empty table")
    expect(numbers(store, run), ([1, 2], []), "replications")


def many_rows_come_in_chunks(store: Store) -> None:
    run, rows = new_run(), 30_000
    table = Table.from_pydict({"i": Array(range(rows), DataType.int64())})
    store.save(run, [with_table(i, table) for i in (1, 2, 3)])
    found = stored(store, run, "patients")
    expect(found["i"] == list(range(rows)) * 3, True, "rows keep the order in which the model gave them")
    expect(found["replication"] == [i for i in (1, 2, 3) for _ in range(rows)], True, "replications are in order")


def artefacts_are_kept(store: Store) -> None:
    run = new_run()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "sub").mkdir()
        Path(folder, "result.rds").write_bytes(b"\0rds" * 1000)
        Path(folder, "sub", "ä plot.pdf").write_bytes(b"")
        first, second = outcome(17, "more beds"), outcome(18, "more beds")
        first.folder = folder
        store.save(run, [first, second])
    place = "artefacts/scenario=more beds/replication=000017"
    names = [f"{place}/result.rds", f"{place}/sub/ä plot.pdf"]
    expect(list(store.artefacts(run)), names, "artefacts of the run")
    expect(list(store.artefacts(run, "more beds", 17)), names, "artefacts of the replication")
    expect(list(store.artefacts(run, "more beds", 18)), [], "artefacts of one that left none")
    expect(store.read(run, names[0]), b"\0rds" * 1000, "an artefact's content")
    expect(store.read(run, names[1]), b"", "an empty artefact")


def a_killed_saver_leaves_nothing_half(store: Store) -> None:
    """A process saves batches and is killed, again and again, in the middle of whatever it does."""
    run = new_run()
    for attempt in range(5):
        announced = _save_until_killed(store.url, run, after=1 + attempt % 3)
        ok, failed = numbers(store, run)
        expect(failed, [], "failures")
        expect(
            [i for i in range(1, announced + 1) if i not in ok], [], "replications that were saved and are not there"
        )
        expect(len(ok) % BATCH, 0, "replications beyond whole batches")
        expect(stored(store, run)["replication"], ok, "rows of metrics")
        expect(stored(store, run, "patients")["replication"], [i for i in ok for _ in range(ROWS)], "rows of a table")
        expect([row["replication"] for row in ledger(store, run)], ok, "rows of the ledger")


def _save_until_killed(url: str, run: str, after: int) -> int:
    """The last replication that the process said to be saved; it said so `after` times."""
    command = [sys.executable, "-P", "-m", "replicast.testing.saving", url, run]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(after)]
        process.kill()
        lines += process.stdout.readlines()
    said = [int(line) for line in lines if line.endswith("\n")]
    expect(len(said) >= after, True, f"a process could save batches into '{run}'")
    return max(said)


CHECKS: tuple[Check, ...] = (
    an_unknown_run_is_empty,
    documents_are_kept,
    a_new_document_is_never_overwritten,
    runs_are_listed_in_order,
    outcomes_come_back,
    a_long_log_is_kept,
    saving_again_changes_nothing,
    overlapping_batches_count_once,
    a_success_replaces_a_failure,
    savers_at_once_lose_nothing,
    scenarios_are_kept_apart,
    metrics_are_exact,
    types_are_exact,
    columns_may_differ_between_replications,
    names_may_be_anything,
    tables_may_be_empty,
    many_rows_come_in_chunks,
    artefacts_are_kept,
    a_killed_saver_leaves_nothing_half,
    a_removed_run_is_gone,
    a_killed_remover_leaves_a_run_whole_or_gone,
)
