"""Outcomes to be saved by a store under test, and what it holds, in a form that compares exactly."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from arro3.core import Array, DataType, Table

from replicast.core.ports import Store
from replicast.core.replication import Failure, Metric, Outcome


def new_run() -> str:
    return f"20260101T000000-{secrets.token_hex(6)}"


def outcome(replication: int, scenario: str = "base", **metrics: Metric) -> Outcome:
    return Outcome(scenario, replication, 0.25, metrics or {"value": replication / 8}, worker="checker")


def failure(replication: int, message: str = "no beds") -> Outcome:
    failed = Failure("error", "ValueError", message, "Traceback: line 1")
    return Outcome("base", replication, 0.5, failure=failed, log="some output\n", attempt=2)


def with_table(replication: int, table: Table, name: str = "patients", scenario: str = "base") -> Outcome:
    return Outcome(scenario, replication, 0.25, {"value": 1.0}, {name: table})


def column(array: Array) -> list[Any]:
    """Values that compare exactly: doubles by their text, dates and times by their number."""
    if DataType.is_temporal(array.type):
        narrow = DataType.is_date32(array.type) or DataType.is_time32(array.type)
        array = array.cast(DataType.int32() if narrow else DataType.int64())
    return [repr(v) if isinstance(v, float) else v for v in array.to_pylist()]


def stored(store: Store, run: str, table: str = "metrics", scenario: str = "base") -> dict[str, list[Any]]:
    """All rows of a table by column; a column that some chunk lacks is empty there."""
    found: dict[str, list[Any]] = {}
    rows = 0
    for chunk in store.rows(run, table, scenario):
        for name in chunk.column_names:
            values = [value for part in chunk.column(name).chunks for value in column(part)]
            found.setdefault(name, [None] * rows).extend(values)
        rows += chunk.num_rows
        for values in found.values():
            values.extend([None] * (rows - len(values)))
    return found


def numbers(store: Store, run: str, scenario: str = "base") -> tuple[list[int], list[int]]:
    """The replications that succeeded, and those that failed."""
    coverage = store.coverage(run)
    ok = [i for first, last in coverage.ok(scenario) for i in range(first, last + 1)]
    return ok, list(coverage.failed(scenario))


def ledger(store: Store, run: str, scenario: str = "base") -> list[Mapping[str, Any]]:
    chunks = list(store.ledger(run, scenario))
    rows: list[Mapping[str, Any]] = []
    for chunk in chunks:
        columns = [chunk.column(name).to_pylist() for name in chunk.column_names]
        rows += [dict(zip(chunk.column_names, row, strict=True)) for row in zip(*columns, strict=True)]
    return rows


def expect(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise AssertionError(f"{what}: wanted {_shortly(wanted)}, found {_shortly(found)}")


def _shortly(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 600 else f"{text[:600]}…"
