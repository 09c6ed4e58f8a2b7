"""Outcomes as Arrow tables: what a part of a run holds.

A part holds consecutive replications of one scenario: a `metrics` table (a row per successful replication), a
`replications` table (the ledger: how each one ended), and the model's own tables. Tables whose columns differ between
replications are kept apart by schema and never converted here, so that no value depends on how batches were cut.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from arro3.core import Array, DataType, Field, RecordBatch, Schema, Table
from numpy.typing import NDArray

from replicast.core.arrow import table_of
from replicast.core.replication import Failure, Metric, Outcome

from .parquet import schema_digest

INT64_MAX = 2**63 - 1
TEXT = DataType.utf8()


def constant_text(value: str, rows: int) -> Array:
    """Cut from behind another text: a column whose texts have no byte at all takes 30 times as long to write."""
    places = np.ones(rows + 1, dtype=np.int64)
    places[0] = 0
    return Array(["-", value], TEXT).take(Array(places)).slice(1)


def keys(scenario: str, replications: NDArray[np.int64]) -> dict[str, Array]:
    return {"scenario": constant_text(scenario, len(replications)), "replication": Array(replications)}


def metric_column(values: Sequence[Metric]) -> Array:
    """bool where all values are booleans, int64 where all are whole, else float64; a missing value is null.

    A column of nothing but missing values is of bool, and takes the type it has elsewhere.
    """
    kinds = set(map(type, values))
    if kinds == {float}:
        return Array(np.array(values, dtype=np.float64))
    if kinds <= {bool, type(None)}:
        return Array(values, DataType.bool())
    whole = not kinds - {int, bool, type(None)} and all(v is None or abs(v) <= INT64_MAX for v in values)
    if whole:
        if type(None) not in kinds:
            return Array(np.array(values, dtype=np.int64))
        return Array([None if v is None else int(v) for v in values], DataType.int64())
    return Array([None if v is None else float(v) for v in values], DataType.float64())


def metrics_table(outcomes: Sequence[Outcome]) -> Table:
    """A row per successful outcome; columns in order of first appearance."""
    returned = [outcome for outcome in outcomes if outcome.failure is None]
    replications = np.array([outcome.replication for outcome in returned], dtype=np.int64)
    columns = keys(outcomes[0].scenario, replications)
    for name in _names(returned):
        columns[name] = metric_column([outcome.metrics.get(name) for outcome in returned])
    return table_of(columns)


@dataclass(frozen=True, slots=True)
class TableGroup:
    """The rows of one table in one schema, keys first, ordered by replication; `first` to `last` returned it so.

    A replication that returned no rows has its place in `first` and `last` alone.
    """

    name: str
    first: int
    last: int
    rows: Table


def model_tables(outcomes: Sequence[Outcome]) -> list[tuple[str, Table]]:
    """(name, rows) for each table and each schema that it came in."""
    return [(group.name, group.rows) for group in table_groups(outcomes)]


def table_groups(outcomes: Sequence[Outcome]) -> list[TableGroup]:
    """A group for each table and each schema that it came in."""
    groups: dict[tuple[str, str], list[tuple[int, Table]]] = {}
    for outcome in outcomes:
        for name, table in outcome.tables.items():
            groups.setdefault((name, schema_digest(table.schema)), []).append((outcome.replication, table))
    scenario = outcomes[0].scenario
    return [
        TableGroup(name, pieces[0][0], pieces[-1][0], _stack(scenario, pieces)) for (name, _), pieces in groups.items()
    ]


def _stack(scenario: str, pieces: Sequence[tuple[int, Table]]) -> Table:
    lengths = [table.num_rows for _, table in pieces]
    numbers = np.repeat(np.array([replication for replication, _ in pieces], dtype=np.int64), lengths)
    schema = pieces[0][1].schema
    if not schema.names:
        return table_of(keys(scenario, numbers))
    body = Table.from_batches([b for _, t in pieces for b in t.to_batches()], schema=schema).combine_chunks()
    columns: dict[str, Array] = keys(scenario, numbers)
    for name in schema.names:
        chunks = body.column(name).chunks
        columns[name] = chunks[0] if chunks else Array([], TEXT).cast(schema.field(name).type)
    fields = [Field("scenario", TEXT, nullable=True), Field("replication", DataType.int64(), nullable=True)]
    fields += [schema.field(name) for name in schema.names]
    return Table.from_batches([RecordBatch.from_arrays(list(columns.values()), schema=Schema(fields))])


def ledger_table(outcomes: Sequence[Outcome]) -> Table:
    columns = keys(outcomes[0].scenario, np.array([o.replication for o in outcomes], dtype=np.int64))
    columns["seconds"] = Array(np.array([o.seconds for o in outcomes], dtype=np.float64))
    columns["attempt"] = Array(np.array([o.attempt for o in outcomes], dtype=np.int64))
    columns["warning_count"] = Array(np.array([o.warning_count for o in outcomes], dtype=np.int64))
    columns["fingerprint"] = Array(fingerprints(outcomes))
    columns["state"] = _texts(["failed" if o.failure else "ok" for o in outcomes])
    columns["worker"] = _texts([o.worker for o in outcomes])
    columns["warnings"] = _texts(["\n".join(o.warnings) for o in outcomes])
    columns |= _error_columns([o.failure for o in outcomes])
    columns["log"] = _texts([o.log for o in outcomes])
    return table_of(columns)


def _error_columns(failures: Sequence[Failure | None]) -> dict[str, Array]:
    if not any(failures):
        return dict.fromkeys(("error_kind", "error_type", "error", "traceback"), constant_text("", len(failures)))
    return {
        "error_kind": _texts([f.kind if f else "" for f in failures]),
        "error_type": _texts([f.type if f else "" for f in failures]),
        "error": _texts([f.message if f else "" for f in failures]),
        "traceback": _texts([f.traceback if f else "" for f in failures]),
    }


def _texts(texts: Sequence[str]) -> Array:
    if texts.count(texts[0]) == len(texts):
        return constant_text(texts[0].encode(errors="replace").decode(), len(texts))
    return Array([text.encode(errors="replace").decode() for text in texts], TEXT)


def fingerprints(outcomes: Sequence[Outcome]) -> NDArray[np.uint64]:
    """One 64-bit number per outcome, equal for copies of one replication; 0 for a failure.

    It depends on nothing but the outcome, so that parts may be cut anywhere: what each metric adds goes by its name.
    """
    total = _mixed(np.array([o.draws for o in outcomes], dtype=np.uint64))
    for name in _names(outcomes):
        total += _metric_marks(name, [outcome.metrics.get(name) for outcome in outcomes])
    if any(outcome.tables for outcome in outcomes):
        digests = [_tables_digest(outcome) if outcome.tables else 0 for outcome in outcomes]
        total += np.array(digests, dtype=np.uint64)
    total[[outcome.failure is not None for outcome in outcomes]] = 0
    for place, outcome in enumerate(outcomes):
        if outcome.fingerprint is not None:
            total[place] = outcome.fingerprint
    return total


def _names(outcomes: Sequence[Outcome]) -> dict[str, None]:
    """The metrics' names in order of first appearance."""
    names: dict[str, None] = {}
    for outcome in outcomes:
        if outcome.metrics.keys() != names.keys():
            names.update(dict.fromkeys(outcome.metrics))
    return names


def _metric_marks(name: str, values: Sequence[Metric]) -> NDArray[np.uint64]:
    column = np.array(values, dtype=np.float64) + 0.0
    words = np.where(np.isnan(column), np.uint64(1), column.view(np.uint64)) ^ np.uint64(_digest(name.encode()))
    marks = _mixed(words)
    if None in values:
        marks[[value is None for value in values]] = 0
    return marks


def _mixed(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A hash of each word (SplitMix64; Steele, Lea & Flood 2014)."""
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ word >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ word >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return word ^ word >> np.uint64(31)


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())


def _tables_digest(outcome: Outcome) -> int:
    """Of the tables' names and lengths, and of all they hold where no generator tells replications apart."""
    content = hashlib.blake2b(digest_size=8)
    for name in sorted(outcome.tables):
        table = outcome.tables[name]
        content.update(repr((name, table.num_rows)).encode(errors="replace"))
        for column in table.column_names if not outcome.draws else ():
            content.update(column.encode(errors="replace"))
            for chunk in table.column(column).chunks:
                content.update(_content(chunk))
    return int.from_bytes(content.digest())


def _content(chunk: Array) -> bytes:
    if DataType.is_temporal(chunk.type):
        chunk = chunk.cast(DataType.int32() if DataType.is_date32(chunk.type) else DataType.int64())
    if not chunk.null_count and (DataType.is_floating(chunk.type) or DataType.is_integer(chunk.type)):
        return chunk.to_numpy().tobytes()
    return repr(chunk.to_pylist()).encode(errors="replace")
