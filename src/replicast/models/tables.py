"""What a Python model returned as a table: frames of pandas, polars and Arrow, lists of dicts, dicts of columns."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from arro3.core import Array, Field, RecordBatch, Schema, Table

from replicast.core.arrow import fields_of, table_of

from .columns import UnusableResult, check_name, column_array, is_zone, plain, timestamps

OURS = ("scenario", "replication")
"""Columns and metrics that a model calls so give way to replicast's own."""


def is_column_mapping(value: Mapping[Any, Any]) -> bool:
    """A dict of equal-length lists or arrays, which is a table; a dict of scalars, or with tables in it, is not."""
    if not value:
        return False
    columns = list(value.values())
    if not all(isinstance(column, (list, tuple, np.ndarray)) for column in columns):
        return False
    if any(isinstance(c, np.ndarray) and c.ndim != 1 for c in columns) or len({len(c) for c in columns}) != 1:
        return False
    return not any(isinstance(item, Mapping) for column in columns for item in column[:1])


def as_table(value: Any, name: str, without: Sequence[str] = OURS) -> Table | None:
    """`value` as a table without our key columns, or None if it is not one. Raises UnusableResult for columns."""
    kind = type(value)
    try:
        table = _table_of(value, kind, name)
    except ARROW_ERRORS as error:
        raise UnusableResult(f"table '{name}', a {kind.__name__}, cannot be read: {error}") from None
    if table is None:
        return None
    check_names(table.column_names, name)
    dropped = [column for column in without if column in table.column_names]
    return plain(table.drop_columns(dropped) if dropped else table, name)


ARROW_ERRORS = (ValueError, NotImplementedError, OverflowError)


def _table_of(value: Any, kind: type, name: str) -> Table | None:
    if hasattr(kind, "dtypes") and hasattr(kind, "columns") and hasattr(kind, "to_numpy"):
        check_names(list(map(str, value.columns)), name)
        return _from_pandas(value, name) if hasattr(kind, "iloc") else _from_polars(value)
    if hasattr(kind, "to_list"):
        return None  # a series: of what, no name says
    if hasattr(kind, "__arrow_c_stream__") or (hasattr(kind, "__arrow_c_array__") and hasattr(kind, "schema")):
        return _copied(Table.from_arrow(value))
    if isinstance(value, Mapping) and is_column_mapping(value):
        check_names(list(map(str, value)), name)
        return table_of({str(key): column_array(column, name, str(key)) for key, column in value.items()})
    if isinstance(value, (list, tuple)) and all(isinstance(row, Mapping) for row in value):
        return _from_rows(value, name)
    return None


def check_names(names: Sequence[str], table: str) -> None:
    """Refuses two columns of one name: frames hold such, and all but one would be lost."""
    check_name("".join(names), f"the name of a column of table '{table}'")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UnusableResult(f"two columns of table '{table}' are called '{twice}'")


def _from_rows(rows: Sequence[Mapping[Any, Any]], name: str) -> Table:
    names = list(dict.fromkeys(str(key) for row in rows for key in row))
    check_names(names, name)
    named = [row if all(type(key) is str for key in row) else {str(k): v for k, v in row.items()} for row in rows]
    return table_of({key: column_array([row.get(key) for row in named], name, key) for key in names})


def _from_polars(frame: Any) -> Table:
    polars = sys.modules["polars"]  # the model imported it, so that no worker has to
    null_columns = [name for name, kind in frame.collect_schema().items() if kind == polars.Null]
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


def _from_pandas(frame: Any, name: str) -> Table:
    if any(index is not None for index in frame.index.names):
        frame = frame.reset_index()
        check_names(list(map(str, frame.columns)), name)
    columns = {}
    for position, key in enumerate(frame.columns):
        columns[str(key)] = _from_pandas_column(frame.iloc[:, position], name, str(key))
    return table_of(columns)


def _from_pandas_column(series: Any, table: str, name: str) -> Array:
    kind = getattr(series.dtype, "kind", "O")
    if kind in "iufb" and isinstance(series.dtype, np.dtype):
        return column_array(series.to_numpy(), table, name)
    if kind == "M":
        zone = getattr(series.dtype, "tz", None)
        ticks = series.to_numpy(dtype="datetime64[us]")
        return timestamps(ticks, None if zone is None else str(zone) if is_zone(str(zone)) else "UTC")
    if kind == "m":
        return column_array(series.dt.total_seconds().to_numpy(), table, name)
    missing = series.isna().to_numpy()
    return column_array([None if m else v for v, m in zip(series, missing, strict=True)], table, name)
