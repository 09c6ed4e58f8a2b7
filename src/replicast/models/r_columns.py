"""Columns between R's raw vectors and Arrow: bit for bit, with NA as null and NaN as NaN. The R half is r_columns.R."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from arro3.core import Array, ChunkedArray, DataType, Table
from numpy.typing import NDArray

from .columns import is_zone

DOUBLE, INTEGER, LOGICAL, TEXT, DATE, TIME, INTEGER64 = range(1, 8)
NA_LOW_WORD = 1954
"""The low 32 bits by which R tells NA from the other NaNs (R sources, src/main/arithmetic.c)."""

NA_INTEGER = -(2**31)
NA_INTEGER64 = -(2**63)
NANOSECONDS = 10**9
NANOSECOND_RANGE = 9.2e9
"""Times this many seconds from 1970 still fit into 64 bits of nanoseconds."""

MICROSECOND_RANGE = 9.2e12


class Source(Protocol):
    """Where an answer is read from."""

    def take(self, size: int) -> bytes: ...
    def doubles(self, count: int) -> tuple[float, ...]: ...
    def texts(self) -> list[str]: ...


def read_table(source: Source) -> tuple[str, Table]:
    """The table that comes next: its name, and its rows."""
    width, rows = (int(number) for number in source.doubles(2))
    kinds = source.doubles(width) if width else ()
    name, *names = source.texts()
    columns: dict[str, Any] = {
        column: READERS[int(kind)](source, rows) for column, kind in zip(names, kinds, strict=True)
    }
    return name, Table.from_pydict(columns)


def _doubles(source: Source, rows: int) -> NDArray[np.float64]:
    return np.frombuffer(source.take(8 * rows), dtype=np.float64)


def _integers(source: Source, rows: int) -> NDArray[np.int32]:
    return np.frombuffer(source.take(4 * rows), dtype=np.int32)


def is_na(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which doubles are R's NA, and not just any NaN."""
    missing = np.isnan(values)
    if missing.any():
        missing &= values.view(np.uint64) & np.uint64(0xFFFFFFFF) == NA_LOW_WORD
    return missing


def with_nulls(values: NDArray[Any], missing: NDArray[np.bool_], kind: DataType) -> Array:
    """An array of numbers in which the missing ones are null."""
    if not missing.any():
        return Array.from_numpy(values)
    places = np.where(missing, len(values), np.arange(len(values)))
    longer = ChunkedArray([Array.from_numpy(values), Array([None], kind)]).combine_chunks()
    return longer.take(Array.from_numpy(places))


def _read_double(source: Source, rows: int) -> Array:
    values = _doubles(source, rows)
    return with_nulls(values, is_na(values), DataType.float64())


def _read_integer(source: Source, rows: int) -> Array:
    values = _integers(source, rows)
    return with_nulls(values.astype(np.int64), values == NA_INTEGER, DataType.int64())


def _read_logical(source: Source, rows: int) -> Array:
    values = _integers(source, rows)
    return with_nulls(values == 1, values == NA_INTEGER, DataType.bool())


def _read_text(source: Source, rows: int) -> Array:
    texts: list[str | None] = list(source.texts())
    codes = _integers(source, rows)
    missing = codes == NA_INTEGER
    if missing.any():
        codes = np.where(missing, len(texts) + 1, codes)
        texts.append(None)
    return Array(texts, DataType.utf8()).take(Array.from_numpy(codes - np.int32(1)))


def _read_date(source: Source, rows: int) -> Array:
    """Days; a fraction of a day is dropped, as R does when it shows a Date. Those beyond 32 bits become null."""
    values = _doubles(source, rows)
    missing = ~(np.abs(values) < -NA_INTEGER)
    days = np.floor(np.where(missing, 0, values)).astype(np.int32)
    return with_nulls(days, missing, DataType.int32()).cast(DataType.date32())


def _read_time(source: Source, rows: int) -> Array:
    """Nanoseconds in the zone of the column (microseconds where one is before 1678 or after 2261), or in UTC."""
    zone = source.texts()[0]
    values = _doubles(source, rows)
    missing = ~(np.abs(values) < MICROSECOND_RANGE)
    seconds = np.where(missing, 0.0, values)
    near = bool((np.abs(seconds) < NANOSECOND_RANGE).all())
    per_second = NANOSECONDS if near else NANOSECONDS // 1000
    whole = np.floor(seconds)
    ticks = whole.astype(np.int64) * per_second + np.rint((seconds - whole) * per_second).astype(np.int64)
    kind = DataType.timestamp("ns" if near else "us", tz=zone if is_zone(zone) else "UTC")
    return with_nulls(ticks, missing, DataType.int64()).cast(kind)


def _read_integer64(source: Source, rows: int) -> Array:
    values = np.frombuffer(source.take(8 * rows), dtype=np.int64)
    return with_nulls(values, values == NA_INTEGER64, DataType.int64())


READERS: dict[int, Callable[[Source, int], Array]] = {
    DOUBLE: _read_double,
    INTEGER: _read_integer,
    LOGICAL: _read_logical,
    TEXT: _read_text,
    DATE: _read_date,
    TIME: _read_time,
    INTEGER64: _read_integer64,
}
