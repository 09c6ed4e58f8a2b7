"""Columns of a table in the few types that every store keeps."""

from __future__ import annotations

import datetime
import decimal
import enum
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from arro3.core import Array, ChunkedArray, DataType, Field, Table

from replicast.core.arrow import fields_of


class UnusableResult(Exception):
    """The model returned something that is neither numbers nor tables; the message says what came."""


Noted = Callable[[str], None]
"""Told what a reader of the results has to know of them, in one sentence."""


def ignore_note(_sentence: str) -> None:
    """For those who ask again for what was noted before."""


ROUNDED = "holds whole numbers that no double holds exactly: the nearest doubles are kept"
BEYOND = "is a whole number beyond 64 bits: the nearest double is kept"
FINER = "holds times finer than a microsecond: what is finer is cut off"
LONGER = "holds decimals of more digits than a double has: the nearest doubles are kept"
IN_SECONDS = "holds durations: they are written in seconds"


def check_name(name: str, where: str) -> None:
    """Refuses what no column can be called: it holds a NUL character or half of a surrogate pair."""
    check_text(name, where)
    if "\0" in name:
        raise UnusableResult(f"{where}, {name!r}, holds a NUL character")


def check_text(text: str, where: str) -> None:
    """Refuses what no file can hold: half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnusableResult(f"{where}, {text!r}, is not valid Unicode") from None


def column_array(values: Sequence[Any] | np.ndarray, table: str, name: str, noted: Noted = ignore_note) -> Array:
    """One column from a list or 1-D numpy array; None is a missing value, NaN stays NaN.

    Integers beside floats become floats, and `noted` is told where that loses digits; other mixtures and nested values
    are refused with the column's name.
    """
    where = f"column '{name}' of table '{table}'"
    if isinstance(values, np.ma.MaskedArray):
        values = values.tolist()  # what is masked is None
    if isinstance(values, np.ndarray):
        if values.dtype.kind == "M":
            return timestamps(in_microseconds(values, where, noted), None)
        if values.dtype.kind == "m":
            noted(f"{where} {IN_SECONDS}")
            return _seconds(values, where)
        if values.dtype.kind in "iufb" and values.dtype.itemsize <= 8 and values.dtype.str != "<f2":
            native = np.array(values, dtype=values.dtype.newbyteorder("="))  # a copy: the model may fill its own anew
            return Array.from_numpy(native) if native.dtype.kind != "b" else Array(native.tolist(), DataType.bool())
        values = values.tolist()
    kinds = set(map(type, values)) - {type(None)}
    if kinds in ({np.datetime64}, {np.timedelta64}):
        (kind,) = kinds
        return column_array(np.array([kind("NaT") if v is None else v for v in values]), table, name, noted)
    if any(kind.__name__ in MISSING for kind in kinds):
        values = [None if is_missing(v) else v for v in values]
        kinds = set(map(type, values)) - {type(None)}
    if any(issubclass(kind, (np.generic, np.ndarray)) for kind in kinds):
        values = [v.item() if isinstance(v, (np.generic, np.ndarray)) and np.ndim(v) == 0 else v for v in values]
        kinds = set(map(type, values)) - {type(None)}
    return _array_of(list(values), kinds, where, noted)


MISSING = ("NaTType", "NAType", "MaskedConstant")
"""Names of the types of what pandas and NumPy put in the place of a missing value of any type."""


def is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ in MISSING


def _array_of(values: list[Any], kinds: set[type], where: str, noted: Noted) -> Array:
    if not kinds or kinds == {bool}:
        return Array(values, DataType.bool())
    if all(issubclass(kind, int) for kind in kinds) and all(v is None or -(2**63) <= v < 2**63 for v in values):
        return Array([None if v is None else int(v) for v in values], DataType.int64())
    if kinds <= {int, float, bool}:
        return Array([None if v is None else _as_double(v, where, noted) for v in values], DataType.float64())
    if all(issubclass(kind, str) for kind in kinds):
        return _array_of_texts([None if v is None else str.__str__(v) for v in values], where)
    if all(issubclass(kind, datetime.datetime) for kind in kinds):
        return _array_of_datetimes(values, where, noted)
    if kinds == {datetime.date}:
        days = [None if v is None else (v - datetime.date(1970, 1, 1)).days for v in values]
        return Array(days, DataType.int32()).cast(DataType.date32())
    if kinds == {datetime.time}:
        return Array([None if v is None else v.isoformat() for v in values], DataType.utf8())
    if all(issubclass(kind, datetime.timedelta) for kind in kinds):
        noted(f"{where} {IN_SECONDS}")
        return Array([None if v is None else v.total_seconds() for v in values], DataType.float64())
    if all(hasattr(kind, "__float__") and not hasattr(kind, "__len__") for kind in kinds):
        if any(is_long(v) for v in values):
            noted(f"{where} {LONGER}")
        return Array([None if v is None else float(v) for v in values], DataType.float64())
    if all(issubclass(kind, enum.Enum) or kind.__name__ in LABELS for kind in kinds):
        return _array_of_texts([None if v is None else label_of(v) for v in values], where)
    named = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise UnusableResult(f"{where} holds {named}; a column holds numbers, texts, booleans, dates or times")


def is_long(value: Any) -> bool:
    """Whether a decimal has digits that are lost in a double."""
    return isinstance(value, decimal.Decimal) and value.is_finite() and decimal.Decimal(repr(float(value))) != value


def beyond_doubles(said: str, value: float) -> UnusableResult:
    """What a whole number is refused with that is greater than every double; `said` names it, up to the verb."""
    return UnusableResult(f"{said} a whole number of {int(value).bit_length()} bits, which no double holds")


def _as_double(value: float, where: str, noted: Noted) -> float:
    try:
        double = float(value)
    except OverflowError:
        raise beyond_doubles(f"{where} holds", value) from None
    if double != value and value == value:
        noted(f"{where} {ROUNDED}")
    return double


LABELS = ("Interval", "Period", "UUID", "PosixPath", "WindowsPath")
"""Types whose values are known by what they are written as: those of pandas, and of Python."""


def label_of(value: Any) -> str:
    """How a value is written; a member of an enumeration by its name."""
    return value.name if isinstance(value, enum.Enum) else str(value)


def _array_of_texts(values: Sequence[str | None], where: str) -> Array:
    try:
        return Array(values, DataType.utf8())
    except UnicodeEncodeError:
        for value in values:
            check_text(value or "", f"a text in {where}")
        raise


def _array_of_datetimes(values: Sequence[datetime.datetime | None], where: str, noted: Noted) -> Array:
    aware = {v.tzinfo is not None for v in values if v is not None}
    if len(aware) > 1:
        raise UnusableResult(f"{where} mixes times with and without a time zone")
    if any(getattr(v, "nanosecond", 0) for v in values):
        noted(f"{where} {FINER}")
    utc = datetime.UTC if aware == {True} else None
    epoch = datetime.datetime(1970, 1, 1, tzinfo=utc)
    ticks = [None if v is None else (v - epoch) // datetime.timedelta(microseconds=1) for v in values]
    return Array(ticks, DataType.int64()).cast(DataType.timestamp("us", tz="UTC" if utc else None))


def in_microseconds(values: Any, where: str, noted: Noted) -> Any:
    """Numpy's times in microseconds, in which they are kept."""
    coarse = values.astype("datetime64[us]")
    if (values != coarse)[~np.isnat(values)].any():
        noted(f"{where} {FINER}")
    return coarse


def timestamps(values: Any, zone: str | None) -> Array:
    missing = np.isnat(values)
    ticks = values.astype(np.int64)
    kind = DataType.timestamp("us", tz=zone)
    if missing.any():
        return Array([None if m else int(t) for t, m in zip(ticks, missing, strict=True)], DataType.int64()).cast(kind)
    return Array.from_numpy(ticks).cast(kind)


def _seconds(values: Any, where: str) -> Array:
    """Durations as doubles; a missing one is null. Raises UnusableResult for months and years, of no certain length."""
    missing = np.isnat(values)
    try:
        seconds = (values / np.timedelta64(1, "s")).tolist()
    except TypeError:
        raise UnusableResult(f"{where} holds months or years, which have no one length in seconds") from None
    return Array([None if m else s for s, m in zip(seconds, missing, strict=True)], DataType.float64())


@functools.cache
def is_zone(name: str) -> bool:
    """Whether a time zone has a name that every reader knows; an offset (`+01:00`) is none."""
    try:
        Array([0], DataType.int64()).cast(DataType.timestamp("us", tz=name)).cast(DataType.utf8())
    except Exception:  # arro3 raises no narrower class
        return False
    return name[:1] not in "+-"


KEPT = ("Int64", "Float64", "Boolean", "Utf8", "Date32")
NARROW = ("Int8", "Int16", "Int32", "UInt8", "UInt16", "UInt32")
REFUSED = ("List", "Struct", "Map", "Binary", "Union", "RunEnd", "Interval")


def plain(table: Table, name: str, noted: Noted = ignore_note) -> Table:
    """The table in the few types that every store keeps: int64, float64, bool, utf8, date32, timestamp."""
    for position, field in enumerate(fields_of(table.schema)):
        kind = str(field.type).removeprefix("arro3.core.DataType<").split(">")[0]
        if kind in KEPT:
            continue
        if kind.startswith(("Large", "FixedSize", *REFUSED)) and not kind.startswith("LargeUtf8"):
            raise UnusableResult(f"column '{field.name}' of table '{name}' holds {_not_kept(kind)}")
        chunks, target = _plain_chunks(field, table.column(position).chunks)
        if kind == "UInt64" and target == DataType.float64():
            noted(f"column '{field.name}' of table '{name}' {ROUNDED}")
        if DataType.is_duration(field.type):
            noted(f"column '{field.name}' of table '{name}' {IN_SECONDS}")
        if kind.startswith("Decimal") and any(map(is_long, table.column(position).to_pylist())):
            noted(f"column '{field.name}' of table '{name}' {LONGER}")
        if target is not None:
            table = table.set_column(position, field.with_type(target), ChunkedArray(chunks, type=target))
    return table


def _not_kept(kind: str) -> str:
    if "Binary" in kind:
        return "binary values (bytes), which are neither numbers nor text; write it as text, or as a file of its own"
    return f"nested values ({kind})"


def _plain_chunks(field: Field, chunks: Sequence[Array]) -> tuple[list[Array], DataType | None]:
    """The chunks in the type to keep them in, and that type; None for one that is kept as it is."""
    kind = field.type
    if kind.value_type is not None:
        chunks = [chunk.cast(kind.value_type) for chunk in chunks]
        decoded, target = _plain_chunks(Field(field.name, kind.value_type), chunks)
        return decoded, target or kind.value_type
    if DataType.is_duration(kind):
        ticks = [chunk.cast(DataType.int64()) for chunk in chunks]
        return [_divided(chunk, PER_SECOND[kind.time_unit or "s"]) for chunk in ticks], DataType.float64()
    target = _target_type(kind, chunks)
    return ([chunk.cast(target) for chunk in chunks], target) if target is not None else (list(chunks), None)


PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def _divided(chunk: Array, divisor: int) -> Array:
    return Array([None if v is None else v / divisor for v in chunk.to_pylist()], DataType.float64())


def _target_type(kind: DataType, chunks: Sequence[Array]) -> DataType | None:
    text = str(kind).removeprefix("arro3.core.DataType<").split(">")[0].strip()
    if text == "UInt64":
        return DataType.int64() if all(_below_2_63(chunk) for chunk in chunks) else DataType.float64()
    if text in NARROW:
        return DataType.int64()
    if text in ("Float16", "Float32") or text.startswith("Decimal"):
        return DataType.float64()
    if text in ("LargeUtf8", "Utf8View") or DataType.is_time(kind):
        return DataType.utf8()
    if text == "Date64":
        return DataType.date32()
    if DataType.is_timestamp(kind) and kind.tz is not None and not is_zone(kind.tz):
        return DataType.timestamp(kind.time_unit or "us", tz="UTC")
    return DataType.bool() if text == "Null" else None


def _below_2_63(chunk: Array) -> bool:
    return all(value is None or value < 2**63 for value in chunk.to_pylist())
