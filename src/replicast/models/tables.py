"""What a Python model returned as a table: frames of pandas, polars and Arrow, lists of dicts, dicts of columns."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from arro3.core import Array, ChunkedArray, DataType, Field, RecordBatch, Schema, Table

from replicast.core.arrow import fields_of, table_of

from .columns import Noted, UnusableResult, check_name, column_array, ignore_note, plain
from .pandas_frames import columns_of_frame, columns_of_series, free_name
from .row_objects import as_rows, reader_of

OURS = ("scenario", "replication")
"""Columns and metrics that a model calls so give way to replicast's own."""

Keys = Mapping[str, Collection[str] | None]
"""By the name of each key column, what it may hold in a table of the model's own without a word; None is anything."""

NO_KEYS: Keys = {}
ANY_KEYS: Keys = dict.fromkeys(OURS)
NUMBER_OF_ONE = "1"
"""What simmer numbers a single environment by."""

LEFT_OUT = "is the same in all rows of a replication and gives way to replicast's: under another name it is kept"


def keys_of(scenario: str, replication: int) -> Keys:
    return {"scenario": (scenario,), "replication": (str(replication), NUMBER_OF_ONE)}


VALUE = "value"
"""The column of a table that is a vector without names."""


def is_column_mapping(value: Mapping[Any, Any]) -> bool:
    """A dict of equal-length lists or arrays, which is a table; a dict of scalars, or with tables in it, is not."""
    if not value:
        return False
    columns = list(value.values())
    if not all(isinstance(column, (list, tuple, np.ndarray)) and not reader_of(type(column)) for column in columns):
        return False
    if any(isinstance(c, np.ndarray) and (c.ndim != 1 or c.dtype.names) for c in columns):
        return False
    if len({len(c) for c in columns}) != 1:
        return False
    return not any(isinstance(item, Mapping) or reader_of(type(item)) for column in columns for item in column[:1])


def as_table(value: Any, name: str, keys: Keys = NO_KEYS, noted: Noted = ignore_note) -> Table | None:
    """`value` as a table without our key columns, or None if it is not one. Raises UnusableResult for columns.

    A key column of the model's own that is not the same in all rows is kept, as `replication_1` or `scenario_1`;
    `noted` is told of one that is, unless it holds no more than the keys do.
    """
    kind = type(value)
    try:
        table = _table_of(value, kind, name, noted)
    except ARROW_ERRORS as error:
        raise UnusableResult(f"table '{name}', a {kind.__name__}, cannot be read: {error}") from None
    if table is None:
        return None
    check_names(table.column_names, name)
    for column, own in keys.items():
        if column in table.column_names:
            table = _give_way(table, column, own, name, noted)
    return plain(table, name, noted)


def _give_way(table: Table, column: str, ours: Collection[str] | None, name: str, noted: Noted) -> Table:
    values = _first_values(table.column(column))
    if len(values) < 2:
        if ours is not None and any(value is not None and str(value) not in ours for value in values):
            noted(f"the model's own column '{column}' of table '{name}' {LEFT_OUT}")
        return table.drop_columns([column])
    kept = free_name(f"{column}_1", table.column_names)
    noted(f"the model's own column '{column}' of table '{name}' is kept as '{kept}'")
    return table.rename_columns([kept if own == column else own for own in table.column_names])


def _first_values(column: ChunkedArray) -> set[Any]:
    """Of a column whose values are all equal, that value; else some of its values."""
    found = set[Any]()
    for chunk in column.chunks:
        numbers = DataType.is_integer(chunk.type) and not chunk.null_count
        found |= set(np.unique(chunk.to_numpy()).tolist()) if numbers else set(chunk.to_pylist())
        if len(found) > 1:
            break
    return found


def as_vector(value: Any, name: str, noted: Noted = ignore_note) -> Table | None:
    """An array, a series or a list of single values as a table of one column, `value`; None if it is none of these."""
    if hasattr(type(value), "iloc") and not hasattr(type(value), "columns"):
        return table_of(columns_of_series(value, name, value.name if isinstance(value.name, str) else VALUE, noted))
    if isinstance(value, np.ndarray):
        return table_of({VALUE: column_array(value, name, VALUE, noted)}) if value.ndim == 1 else None
    for listing in ("to_list", "to_pylist"):
        if hasattr(type(value), listing):
            value = getattr(value, listing)()
            break
    if not isinstance(value, (list, tuple)):
        return None
    try:
        return table_of({VALUE: column_array(list(value), name, VALUE, noted)})
    except UnusableResult:
        return None


ARROW_ERRORS = (ValueError, NotImplementedError, OverflowError)


def _table_of(value: Any, kind: type, name: str, noted: Noted) -> Table | None:
    if hasattr(kind, "dtypes") and hasattr(kind, "columns") and hasattr(kind, "to_numpy"):
        check_names(list(map(str, value.columns)), name)
        return table_of(columns_of_frame(value, name, noted)) if hasattr(kind, "iloc") else _from_polars(value)
    if hasattr(kind, "to_list"):
        return None  # a series: of what, no name says
    if (hasattr(kind, "__arrow_c_stream__") and not hasattr(kind, "num_chunks")) or (
        hasattr(kind, "__arrow_c_array__") and hasattr(kind, "schema")
    ):
        return _copied(Table.from_arrow(value))
    if isinstance(value, Mapping) and is_column_mapping(value):
        check_names(list(map(str, value)), name)
        return table_of({str(key): column_array(column, name, str(key), noted) for key, column in value.items()})
    if isinstance(value, np.ndarray) and value.dtype.names and value.ndim == 1:
        return table_of({column: column_array(value[column], name, column, noted) for column in value.dtype.names})
    rows = as_rows(value) if isinstance(value, (list, tuple)) else None
    return None if rows is None else _from_rows(rows, name, noted)


def check_names(names: Sequence[str], table: str) -> None:
    """Refuses two columns of one name: frames hold such, and all but one would be lost."""
    check_name("".join(names), f"the name of a column of table '{table}'")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UnusableResult(f"two columns of table '{table}' are called '{twice}'")


def _from_rows(rows: Sequence[Mapping[Any, Any]], name: str, noted: Noted) -> Table:
    names = list(dict.fromkeys(str(key) for row in rows for key in row))
    check_names(names, name)
    named = [row if all(type(key) is str for key in row) else {str(k): v for k, v in row.items()} for row in rows]
    return table_of({key: column_array([row.get(key) for row in named], name, key, noted) for key in names})


def _from_polars(frame: Any) -> Table:
    polars = sys.modules["polars"]  # the model imported it, so that no worker has to
    null_columns = [name for name, kind in frame.collect_schema().items() if kind == polars.Null]
    for name, kind in frame.collect_schema().items():
        if str(kind) in ("Object", "Int128", "UInt128"):
            raise ValueError(f"column '{name}' holds {kind}, which no store keeps")
    return _copied(Table.from_arrow(frame.with_columns(polars.col(name).cast(polars.Boolean) for name in null_columns)))


def _copied(table: Table) -> Table:
    """The same in memory of its own: a frame may lie over an array that the model fills anew for each replication.

    Every column may hold missing values, and notes on schema and fields are dropped: tables differ in neither.
    """
    schema = Schema([Field(field.name, field.type, nullable=True) for field in fields_of(table.schema)])
    batches = []
    for batch in table.to_batches():
        every = Array(np.arange(batch.num_rows))
        columns = [batch.column(place).take(every) for place in range(batch.num_columns)]
        batches.append(RecordBatch.from_arrays(columns, schema=schema))
    return Table.from_batches(batches, schema=schema)
