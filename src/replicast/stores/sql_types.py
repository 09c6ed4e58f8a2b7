"""Arrow columns as columns of a database, and back, exactly.

A value that a database cannot hold (NaN in MySQL, -0.0 in SQLite, a NUL character in PostgreSQL, a date before its
first one) leaves the nearest thing in its column, mostly nothing, and its exact text in the row's column `exact`: a
JSON object by column name.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from arro3.core import Array, ChunkedArray, DataType
from numpy.typing import NDArray

from replicast.core.errors import StoreError

from .sql_connections import Kind

Storage = Literal["key", "integer", "double", "logical", "text", "date", "time", "instant"]
"""`key` is a 32-bit integer of ours. `time` is a date and time of no zone, `instant` one in UTC."""

NOTHING = "nothing"
"""The type of a column of logicals that are all missing: it needs no column in the database, and leaves the plain name
to the type that the column has where something is in it."""

Notes = dict[int, str]
"""Exact texts of values that the database cannot hold, by row."""

INTEGERS: dict[str, DataType] = {
    f"{sign}int{bits}": getattr(DataType, f"{sign}int{bits}")() for sign in ("", "u") for bits in (8, 16, 32, 64)
}
PLAIN: dict[str, DataType] = INTEGERS | {
    "float64": DataType.float64(), "float32": DataType.float32(), "float16": DataType.float16(),
    "bool": DataType.bool(), NOTHING: DataType.bool(), "utf8": DataType.utf8(), "large_utf8": DataType.large_utf8(),
    "utf8_view": DataType.string_view(), "date32": DataType.date32(), "date64": DataType.date64(),
}  # fmt: skip
UNIT_TYPES: dict[str, Callable[..., DataType]] = {
    "time32": DataType.time32, "time64": DataType.time64, "duration": DataType.duration, "timestamp": DataType.timestamp
}  # fmt: skip
TICKS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def name_of(kind: DataType, where: str) -> str:
    """A type's name in the database's catalogue: `int64`, `timestamp[us, UTC]`. Raises StoreError for nested types."""
    for name, known in PLAIN.items():
        if kind == known:
            return name
    for name in UNIT_TYPES:
        if getattr(DataType, f"is_{name}")(kind):
            return f"{name}[{kind.time_unit}{f', {kind.tz}' if kind.tz else ''}]"
    raise StoreError(f"{where} holds {str(kind).strip()}, which a database's column cannot keep")


def type_of(name: str) -> DataType:
    """The type that `name_of` gave this name."""
    if name in PLAIN:
        return PLAIN[name]
    match = re.fullmatch(r"(\w+)\[(\w+)(?:, (.*))?\]", name)
    if match is None:
        raise StoreError(f"the database names a type '{name}' that this replicast does not know")
    made = UNIT_TYPES[match[1]]
    return made(match[2], tz=match[3]) if match[1] == "timestamp" else made(match[2])


def storage_of(name: str) -> Storage:
    if name in INTEGERS or name.startswith(("time3", "time6", "duration", "date64")):
        return "integer"
    if name.startswith("timestamp"):
        return "instant" if "," in name else "time"
    if name.startswith("float"):
        return "double"
    return {"bool": "logical", "date32": "date"}.get(name, "text")  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Constant:
    """One value for each of many rows."""

    value: str | int | None


@dataclass(slots=True)
class Values:
    """A column on its way into a database.

    `data` is a Constant, a list of texts or None, or numbers: int64 (also days since 1970 and microseconds since 1970),
    float64 or bool. `missing` marks numbers that are not there.
    """

    storage: Storage
    data: Constant | Sequence[str | None] | NDArray[Any]
    missing: NDArray[np.bool_] | None = None
    notes: Notes = field(default_factory=dict)

    def to_python(self, rows: int) -> list[Any]:
        """As a driver takes them row by row; dates and times as ISO texts."""
        if isinstance(self.data, Constant):
            return [self.data.value] * rows
        if not isinstance(self.data, np.ndarray):
            return list(self.data)
        data: Any = self.data
        if self.storage == "date":
            data = np.datetime_as_string(data.astype("datetime64[D]"))
        elif self.storage in ("time", "instant"):
            data = np.char.replace(np.datetime_as_string(data.astype("datetime64[us]")), "T", " ")
        listed: list[Any] = data.tolist()
        if self.missing is not None:
            for row in np.flatnonzero(self.missing):
                listed[row] = None
        return listed


def encode(column: ChunkedArray, name: str, server: Kind) -> Values:
    """A column of the type called `name`, as `server` holds it."""
    storage, kind = storage_of(name), type_of(name)
    if storage == "text":
        return _encode_text([text for chunk in column.chunks for text in chunk.to_pylist()], server)
    if storage == "double":
        return encode_doubles(*_numbers(column, DataType.float64(), np.float64), server)
    if storage == "logical":
        return Values("logical", *_numbers(column, DataType.bool(), np.bool_))
    if name == "uint64":
        return _encode_uint64([value for chunk in column.chunks for value in chunk.to_pylist()])
    data, missing = _numbers(column, DataType.int64(), np.int64)
    if storage == "integer":
        return Values(storage, data, missing)
    return _encode_times(storage, data, missing, "" if storage == "date" else str(kind.time_unit), server)


def _numbers(column: ChunkedArray, kind: DataType, dtype: Any) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    chunks = [chunk if chunk.type == kind else chunk.cast(kind) for chunk in column.chunks]
    if not any(chunk.null_count for chunk in chunks):
        arrays = [np.asarray(chunk.to_numpy(), dtype=dtype) for chunk in chunks]
        return (np.concatenate(arrays) if arrays else np.empty(0, dtype)), None
    listed = [value for chunk in chunks for value in chunk.to_pylist()]
    missing = np.fromiter((value is None for value in listed), dtype=np.bool_, count=len(listed))
    return np.array([0 if value is None else value for value in listed], dtype=dtype), missing


def encode_doubles(data: NDArray[Any], missing: NDArray[np.bool_] | None, server: Kind) -> Values:
    if server == "postgresql":
        return Values("double", data, missing)
    unfit = ~np.isfinite(data) if server == "mysql" else np.isnan(data)
    unfit |= (data == 0) & np.signbit(data)
    if missing is not None:
        unfit &= ~missing
    if not unfit.any():
        return Values("double", data, missing)
    notes = {int(row): text_of_double(float(data[row])) for row in np.flatnonzero(unfit)}
    gone = unfit & (data != 0)
    data = np.where(unfit, 0.0, data)
    return Values("double", data, gone if missing is None else missing | gone, notes)


def text_of_double(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def _encode_text(texts: list[str | None], server: Kind) -> Values:
    if server != "postgresql" or "\0" not in "".join(text for text in texts if text):
        return Values("text", texts)
    notes = {row: text for row, text in enumerate(texts) if text and "\0" in text}
    return Values("text", [text and text.replace("\0", "␀") for text in texts], notes=notes)


def _encode_uint64(listed: list[int | None]) -> Values:
    notes = {row: str(value) for row, value in enumerate(listed) if value is not None and value >= 2**63}
    missing = np.array([value is None or value >= 2**63 for value in listed], dtype=np.bool_)
    fitting = [0 if gone else value for value, gone in zip(listed, missing, strict=True)]
    return Values("integer", np.array(fitting, dtype=np.int64), missing, notes)


FIRST_YEAR = {"mysql": "1000-01-01", "postgresql": "0001-01-01", "sqlite": "0001-01-01"}


def _encode_times(
    storage: Storage, data: NDArray[np.int64], missing: NDArray[np.bool_] | None, unit: str, server: Kind
) -> Values:
    """Days, or ticks of `unit` cut to microseconds; what lies outside the years that all drivers read gets a note."""
    step = "D" if storage == "date" else unit
    lower, upper = (np.datetime64(day, "D") for day in (FIRST_YEAR[server], "9999-12-31"))
    if unit == "ns":
        unfit = data % 1000 != 0
    else:
        low, high = (int(limit.astype(f"datetime64[{step}]").astype(np.int64)) for limit in (lower, upper))
        unfit = (data < low) | (data >= high)
    if missing is not None:
        unfit &= ~missing
    notes = {int(row): str(int(data[row])) for row in np.flatnonzero(unfit)}
    if unit == "ns":
        data = data // 1000
    else:
        if unfit.any():
            missing = unfit if missing is None else missing | unfit
            data = np.where(unfit, 0, data)
        data = data * (TICKS["us"] // TICKS[unit]) if unit else data
    return Values(storage, data, missing, notes)


def merge_notes(columns: Mapping[str, Values], rows: int) -> Values:
    """The column `exact` of rows whose model columns are `columns`."""
    noted = {name: values.notes for name, values in columns.items() if values.notes}
    if not noted:
        return Values("text", Constant(None))
    texts: list[str | None] = [None] * rows
    for row in sorted({row for notes in noted.values() for row in notes}):
        texts[row] = json.dumps({name: notes[row] for name, notes in noted.items() if row in notes})
    return Values("text", texts)


def decode(listed: Sequence[Any], name: str, notes: Notes) -> Array:
    """The column of the type called `name` from what a driver read (times of no zone; instants in UTC)."""
    storage, kind = storage_of(name), type_of(name)
    if storage == "text":
        return Array([notes.get(row, text) for row, text in enumerate(listed)] if notes else list(listed), kind)
    if storage == "double":
        values = list(listed)
        for row, text in notes.items():
            values[row] = float(text)
        made = Array(values, DataType.float64())
        return made if name == "float64" else made.cast(kind)
    if storage == "logical":
        return Array([None if value is None else bool(value) for value in listed], kind)
    values = list(listed) if storage == "integer" else _ticks(listed, "D" if storage == "date" else str(kind.time_unit))
    for row, text in notes.items():
        values[row] = int(text)
    if name in INTEGERS:
        return Array(values, kind)
    narrow = DataType.int32() if name.startswith(("date32", "time32")) else DataType.int64()
    return Array(values, narrow).cast(kind)


def _ticks(listed: Sequence[Any], unit: str) -> list[int | None]:
    exact = np.array(listed, dtype="datetime64[D]" if unit == "D" else "datetime64[us]")
    ticks: list[int | None] = exact.astype(f"datetime64[{unit}]").astype(np.int64).tolist()
    for row in np.flatnonzero(np.isnat(exact)):
        ticks[row] = None
    return ticks
