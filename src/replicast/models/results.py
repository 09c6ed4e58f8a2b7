"""What a Python model returned, as metrics and tables (the rules of "what a model returns" in the reference)."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from arro3.core import Array, ChunkedArray, DataType, Table

from replicast.core.arrow import fields_of, table_of
from replicast.core.replication import Metric

OURS = ("scenario", "replication")
"""Columns and metrics that a model calls so give way to replicast's own."""

REFUSED_TABLES = ("metrics", "replications", "summary")
DEFAULT_TABLE = "table"
Returned = tuple[dict[str, Metric], dict[str, Table]]


class UnusableResult(Exception):
    """The model returned something that is neither numbers nor tables; the message says what came."""


def read_result(returned: Any) -> Returned:
    """Metrics and tables of what a model returned. Raises UnusableResult."""
    if type(returned) is float or type(returned) is int:
        return {"value": returned}, {}
    if isinstance(returned, Mapping) and not is_column_mapping(returned):
        return _read_mapping(returned)
    number = as_number(returned)
    if number is not NOT_A_NUMBER and returned is not None:
        return {"value": number}, {}
    table = as_table(returned, DEFAULT_TABLE)
    if table is None:
        raise UnusableResult(f"the model returned {describe(returned)}; {EXPECTED}")
    metrics: dict[str, Metric] = {}
    _add_one_row(metrics, table)
    return metrics, {DEFAULT_TABLE: table}


EXPECTED = "it must return a number, named numbers (a dict), a table, or a dict of numbers and tables"


def _read_mapping(returned: Mapping[Any, Any]) -> Returned:
    metrics: dict[str, Metric] = {}
    tables: dict[str, Table] = {}
    for key, value in returned.items():
        if type(value) is float and type(key) is str and key not in OURS and key not in metrics:
            metrics[key] = value
        else:
            _read_item(str(key), value, metrics, tables)
    if not metrics and not tables:
        raise UnusableResult(f"the model returned an empty {type(returned).__name__}; {EXPECTED}")
    return metrics, tables


def _read_item(name: str, value: Any, metrics: dict[str, Metric], tables: dict[str, Table]) -> None:
    number = as_number(value)
    if number is not NOT_A_NUMBER:
        _add_metric(metrics, name, number)
        return
    if isinstance(value, Mapping) and value and all(as_number(v) is not NOT_A_NUMBER for v in value.values()):
        for inner, item in value.items():
            _add_metric(metrics, str(inner), as_number(item))
        return
    table = as_table(value, name)
    if table is None:
        raise UnusableResult(f"'{name}' of what the model returned is {describe(value)}, not a number or a table")
    if name in REFUSED_TABLES:
        raise UnusableResult(f"a table cannot be called '{name}': replicast writes one of that name itself")
    tables[name] = table
    _add_one_row(metrics, table)


def _add_one_row(metrics: dict[str, Metric], table: Table) -> None:
    if table.num_rows != 1:
        return
    for name in table.column_names:
        number = as_number(table.column(name)[0].as_py())
        if number is not NOT_A_NUMBER and number is not None:
            _add_metric(metrics, name, number)


def _add_metric(metrics: dict[str, Metric], name: str, value: Any) -> None:
    if name in OURS:
        return
    if name in metrics:
        raise UnusableResult(f"two metrics are called '{name}'")
    metrics[name] = value


class _NotANumber:
    pass


NOT_A_NUMBER = _NotANumber()


def as_number(value: Any) -> Any:
    """A metric's value (bool → 0/1, numpy scalars and arrays of one element unpacked), or NOT_A_NUMBER."""
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, (int, float)):
        return _fit(value)
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        item = value.item()
        return as_number(item) if isinstance(item, (bool, int, float)) else NOT_A_NUMBER
    if isinstance(value, (str, bytes, Mapping, Sequence, np.ndarray)) or not hasattr(value, "__float__"):
        return NOT_A_NUMBER
    if hasattr(value, "__arrow_c_stream__") or hasattr(value, "__len__"):
        return NOT_A_NUMBER
    try:
        return float(value)
    except (TypeError, ValueError):
        return NOT_A_NUMBER


def _fit(value: Metric) -> Metric:
    if isinstance(value, int) and abs(value) >= 2**63:
        return float(value)
    return value if value is None or type(value) in (int, float) else float(value)


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


def as_table(value: Any, name: str) -> Table | None:
    """`value` as a table without our key columns, or None if it is not one. Raises UnusableResult for columns."""
    if hasattr(value, "dtypes") and hasattr(value, "columns") and hasattr(value, "to_numpy"):
        table = _from_pandas(value, name) if hasattr(value, "iloc") else _from_polars(value)
    elif hasattr(value, "__arrow_c_stream__") or (hasattr(value, "__arrow_c_array__") and hasattr(value, "schema")):
        table = Table.from_arrow(value)
    elif isinstance(value, Mapping) and is_column_mapping(value):
        columns = {str(key): column_array(column, name, str(key)) for key, column in value.items()}
        table = table_of(columns)
    elif isinstance(value, (list, tuple)) and all(isinstance(row, Mapping) for row in value):
        table = _from_rows(value, name)
    else:
        return None
    return _plain(
        table.drop_columns([c for c in OURS if c in table.column_names]) if table.num_columns else table, name
    )


def _from_rows(rows: Sequence[Mapping[Any, Any]], name: str) -> Table:
    names = list(dict.fromkeys(str(key) for row in rows for key in row))
    named = [row if all(type(key) is str for key in row) else {str(k): v for k, v in row.items()} for row in rows]
    return table_of({key: column_array([row.get(key) for row in named], name, key) for key in names})


def _from_polars(frame: Any) -> Table:
    polars = sys.modules["polars"]  # the model imported it, so that no worker has to
    null_columns = [name for name, kind in frame.collect_schema().items() if kind == polars.Null]
    return Table.from_arrow(frame.with_columns(polars.col(name).cast(polars.Boolean) for name in null_columns))


def _from_pandas(frame: Any, name: str) -> Table:
    if any(index is not None for index in frame.index.names):
        frame = frame.reset_index()
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
        return _timestamps(ticks, None if zone is None else str(zone))
    if kind == "m":
        return column_array(series.dt.total_seconds().to_numpy(), table, name)
    missing = series.isna().to_numpy()
    return column_array([None if m else v for v, m in zip(series, missing, strict=True)], table, name)


def column_array(values: Sequence[Any] | np.ndarray, table: str, name: str) -> Array:
    """One column from a list or 1-D numpy array; None is a missing value, NaN stays NaN.

    Integers beside floats become floats; other mixtures and nested values are refused with the column's name.
    """
    if isinstance(values, np.ndarray):
        if values.dtype.kind == "M":
            return _timestamps(values.astype("datetime64[us]"), None)
        if values.dtype.kind in "iufb" and values.dtype.itemsize <= 8 and values.dtype.str != "<f2":
            native = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
            return Array.from_numpy(native) if native.dtype.kind != "b" else Array(native.tolist(), DataType.bool())
        values = values.tolist()
    kinds = set(map(type, values)) - {type(None)}
    if any(issubclass(kind, (np.generic, np.ndarray)) for kind in kinds):
        values = [v.item() if isinstance(v, (np.generic, np.ndarray)) and np.ndim(v) == 0 else v for v in values]
        kinds = set(map(type, values)) - {type(None)}
    return _array_of(list(values), kinds, f"column '{name}' of table '{table}'")


def _array_of(values: list[Any], kinds: set[type], where: str) -> Array:
    if not kinds or kinds == {bool}:
        return Array(values, DataType.bool())
    if kinds <= {int, bool} and all(v is None or -(2**63) <= v < 2**63 for v in values):
        return Array([None if v is None else int(v) for v in values], DataType.int64())
    if kinds <= {int, float, bool}:
        return Array([None if v is None else float(v) for v in values], DataType.float64())
    if all(issubclass(kind, str) for kind in kinds):
        return Array([None if v is None else str(v) for v in values], DataType.utf8())
    if all(issubclass(kind, datetime.datetime) for kind in kinds):
        return _array_of_datetimes(values)
    if kinds == {datetime.date}:
        days = [None if v is None else (v - datetime.date(1970, 1, 1)).days for v in values]
        return Array(days, DataType.int32()).cast(DataType.date32())
    if kinds == {datetime.timedelta}:
        return Array([None if v is None else v.total_seconds() for v in values], DataType.float64())
    if all(hasattr(kind, "__float__") and not hasattr(kind, "__len__") for kind in kinds):
        return Array([None if v is None else float(v) for v in values], DataType.float64())
    named = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise UnusableResult(f"{where} holds {named}; a column holds numbers, texts, booleans, dates or times")


def _array_of_datetimes(values: Sequence[datetime.datetime | None]) -> Array:
    aware = {v.tzinfo is not None for v in values if v is not None}
    if len(aware) > 1:
        raise UnusableResult("a column mixes times with and without a time zone")
    utc = datetime.UTC if aware == {True} else None
    epoch = datetime.datetime(1970, 1, 1, tzinfo=utc)
    ticks = [None if v is None else (v - epoch) // datetime.timedelta(microseconds=1) for v in values]
    return Array(ticks, DataType.int64()).cast(DataType.timestamp("us", tz="UTC" if utc else None))


def _timestamps(values: Any, zone: str | None) -> Array:
    missing = np.isnat(values)
    ticks = values.astype(np.int64)
    kind = DataType.timestamp("us", tz=zone)
    if missing.any():
        return Array([None if m else int(t) for t, m in zip(ticks, missing, strict=True)], DataType.int64()).cast(kind)
    return Array.from_numpy(ticks).cast(kind)


NARROW = ("Int8", "Int16", "Int32", "UInt8", "UInt16", "UInt32")


def _plain(table: Table, name: str) -> Table:
    """The table in the few types that every store keeps: int64, float64, bool, utf8, date32, timestamp."""
    for position, field in enumerate(fields_of(table.schema)):
        kind, column = str(field.type).removeprefix("arro3.core.DataType<").split(">")[0], table.column(field.name)
        if any(mark in kind for mark in ("List", "Struct", "Map", "Binary", "Union")):
            raise UnusableResult(f"column '{field.name}' of table '{name}' holds nested values ({kind})")
        target = _target_type(kind)
        if target is not None:
            cast = ChunkedArray([_cast(chunk, target) for chunk in column.chunks], type=target)
            table = table.set_column(position, field.with_type(target), cast)
    return table


def _cast(array: Array, target: DataType) -> Array:
    return array.cast(target)


def _target_type(kind: str) -> DataType | None:
    if kind.strip() in NARROW:
        return DataType.int64()
    if "Float16" in kind or "Float32" in kind or "Decimal" in kind or "UInt64" in kind:
        return DataType.float64()
    if "Dictionary" in kind or "LargeUtf8" in kind or "Utf8View" in kind:
        return DataType.utf8()
    if kind.strip() == "Null":
        return DataType.bool()
    return None


def describe(value: Any) -> str:
    """What came, for a message: its type, and its beginning where that helps."""
    if value is None:
        return "nothing (None)"
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    text = repr(value) if isinstance(value, (str, bytes, list, tuple, set, dict)) else ""
    shown = f" {text if len(text) <= 60 else text[:57] + '…'}" if text else ""
    hint = "; give its numbers names, as in {'wait': 1.5}" if _is_row_of_numbers(value) else ""
    return f"a {kind}{shown}{hint}"


def _is_row_of_numbers(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(as_number(v) is not NOT_A_NUMBER for v in value)
