"""A second look: a replication simulated again in another process, after others, and compared with what is stored.

What is not the same again hangs on what ran before it, on the clock, or on randomness that nobody seeded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from arro3.core import DataType, Table

from replicast.core.ports import Simulate, Starting, Store
from replicast.core.replication import Batch, Outcome
from replicast.core.scenarios import Scenario
from replicast.stores.parts import metrics_table, model_tables
from replicast.stores.reading import keep_replications
from replicast.stores.records import all_said

from .worker import remove_folder_of

FOLDER = "second-look"
KEYS = ("scenario", "replication")
MOST_NAMED = 3
LONGEST_SHOWN = 60


class SecondLook(msgspec.Struct, frozen=True):
    """A replication that was simulated twice; `differences` say what came out otherwise (stored; again), if anything"""

    scenario: str
    replication: int
    differences: tuple[str, ...] = ()


def second_looks(store: Store, run: str) -> list[SecondLook]:
    return all_said(store, run, FOLDER, SecondLook)


def note_second_look(store: Store, run: str, look: SecondLook) -> None:
    name = hashlib.sha256(f"{look.replication} {look.scenario}".encode()).hexdigest()[:16]
    store.write(run, f"{FOLDER}/{name}", msgspec.json.encode(look))


def look_again(
    store: Store, run: str, simulate: Simulate, scenario: Scenario, replication: int, starting: Starting
) -> None:
    """Simulates a stored replication again, and notes with the run what came of it."""
    (again,) = simulate(scenario, replication, replication, starting)
    remove_folder_of(again)
    if (found := _differences(store, run, again)) is not None:
        note_second_look(store, run, SecondLook(scenario.name, replication, tuple(found[:MOST_NAMED])))


def _differences(store: Store, run: str, again: Outcome) -> list[str] | None:
    """None where the replication is not stored, or failed for what need not come again."""
    batch = Batch(again.scenario, again.replication, again.replication)
    ledger = _rows(store.ledger(run, again.scenario), batch)
    if not ledger:
        return None
    kind, type_, error = (
        str(ledger[0].column(name)[0].as_py() or "") for name in ("error_kind", "error_type", "error")
    )
    if kind not in ("", "error"):
        return None
    before = f"failed with {type_}: {error}" if kind else "succeeded"
    after = f"failed with {again.failure.type}: {again.failure.message}" if again.failure else "succeeded"
    if before != after:
        return [f"it {before}; it {after}"]
    return [] if again.failure else [*_metric_differences(store, run, again, batch), *_tables(store, run, again, batch)]


def _rows(chunks: Iterator[Table], batch: Batch) -> list[Table]:
    """The batch's rows, of chunks that are ordered by replication."""
    found = []
    for chunk in chunks:
        if own := keep_replications(chunk, batch.first, batch.last):
            found.append(own)
        if chunk.num_rows and chunk.column("replication")[chunk.num_rows - 1].as_py() > batch.last:
            break
    return [chunk for chunk in found if chunk.num_rows]


def _metric_differences(store: Store, run: str, again: Outcome, batch: Batch) -> Iterator[str]:
    stored = [_first_row(chunk) for chunk in _rows(store.rows(run, "metrics", again.scenario), batch)]
    one = {name: value for row in stored for name, value in row.items() if value is not None}
    other = {name: value for name, value in _first_row(metrics_table([again])).items() if value is not None}
    for name in dict.fromkeys([*one, *other]):
        if not _same(one.get(name), other.get(name)):
            yield f"{name}: {_shown(one.get(name))}; {_shown(other.get(name))}"


def _first_row(table: Table) -> dict[str, Any]:
    return {name: table.column(name)[0].as_py() for name in table.column_names if name not in KEYS}


def _tables(store: Store, run: str, again: Outcome, batch: Batch) -> Iterator[str]:
    now = dict[str, list[Table]]()
    for name, rows in model_tables([again]):
        now.setdefault(name, []).append(rows)
    for name in dict.fromkeys([*(t for t in store.tables(run) if t != "metrics"), *now]):
        stored, own = _rows(store.rows(run, name, again.scenario), batch), now.get(name, [])
        lengths = [sum(table.num_rows for table in tables) for tables in (stored, own)]
        if lengths[0] != lengths[1]:
            yield f"table '{name}': {lengths[0]} rows; {lengths[1]} rows"
        elif lengths[0]:
            yield from _column_differences(name, stored, own)


def _column_differences(table: str, stored: Sequence[Table], again: Sequence[Table]) -> Iterator[str]:
    names = dict.fromkeys(name for part in (*stored, *again) for name in part.column_names if name not in KEYS)
    for name in names:
        if _bits(stored, name) != _bits(again, name):
            pairs = zip(_values(stored, name), _values(again, name), strict=True)
            for row, (one, other) in enumerate(pairs, 1):
                if not _same(one, other):
                    yield f"table '{table}', row {row}, {name}: {_shown(one)}; {_shown(other)}"
                    break


def _bits(tables: Sequence[Table], name: str) -> list[bytes] | object:
    """A column of doubles as it is in memory; else what is equal to nothing."""
    chunks = [chunk for table in tables if name in table.column_names for chunk in table.column(name).chunks]
    if not chunks or any(chunk.null_count or not DataType.is_floating(chunk.type) for chunk in chunks):
        return object()
    return [np.concatenate([chunk.to_numpy() for chunk in chunks]).tobytes()]


def _values(tables: Sequence[Table], name: str) -> Iterator[Any]:
    for table in tables:
        yield from table.column(name).to_pylist() if name in table.column_names else [None] * table.num_rows


def _same(one: Any, other: Any) -> bool:
    """By value where one of two numbers was stored in a column of another type."""
    if type(one) is type(other) or not {type(one), type(other)} <= {bool, int, float}:
        return repr(one) == repr(other)
    return bool(one == other)


def _shown(value: Any) -> str:
    text = "missing" if value is None else repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
