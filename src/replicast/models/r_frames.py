"""Tables on their way to R, as the data.frames that `collate` is given. The R half is r_collate.R."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from arro3.core import Table
from numpy.typing import NDArray

from replicast.core.errors import ModelError

from .r_columns import DATE, DOUBLE, INTEGER, INTEGER64, LOGICAL, NA_INTEGER, NA_INTEGER64, NA_LOW_WORD, TEXT, TIME

if TYPE_CHECKING:
    import polars as pl

NA_BITS = np.uint64(0x7FF00000_00000000 | NA_LOW_WORD)
TICKS_PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}
EXACT_LIMIT = 2**53


@dataclass(frozen=True, slots=True)
class Column:
    """One column as R reads it: its kind, its time zone where it has one, its bytes."""

    kind: int
    content: bytes
    zone: str = ""


def frame_columns(name: str, table: Table) -> dict[str, Column]:
    """The columns of a table for R: integers that fit are integers, others doubles; nulls are NA. Raises ModelError."""
    import polars as pl

    frame = pl.DataFrame(table)
    return {
        column: _column(frame.get_column(column), f"column '{column}' of table '{name}'") for column in frame.columns
    }


def request_of(tables: Mapping[str, Mapping[str, Column]], rows: Mapping[str, int]) -> list[dict[str, Any]]:
    """What R is told of the tables before their bytes come."""
    return [
        {
            "name": name,
            "rows": rows[name],
            "columns": list(columns),
            "kinds": [column.kind for column in columns.values()],
            "zones": [column.zone for column in columns.values()],
        }
        for name, columns in tables.items()
    ]


def contents(tables: Mapping[str, Mapping[str, Column]]) -> Iterator[bytes]:
    for columns in tables.values():
        for column in columns.values():
            yield column.content


def _column(values: pl.Series, where: str) -> Column:
    import polars as pl

    kind = values.dtype
    if kind == pl.Null:
        return _truths(values.cast(pl.Boolean))
    if kind == pl.Boolean:
        return _truths(values)
    if kind.is_integer():
        return _integers(values)
    if kind.is_float() or kind.is_decimal():
        return Column(DOUBLE, _doubles(values.cast(pl.Float64)))
    if isinstance(kind, pl.Enum):
        return _texts(kind.categories, values.to_physical().cast(pl.Int32) + 1)
    if kind in (pl.String, pl.Categorical):
        return _distinct_texts(values.cast(pl.String))
    if kind == pl.Date:
        return Column(DATE, _doubles(values.to_physical().cast(pl.Float64)))
    if isinstance(kind, pl.Datetime):
        return Column(TIME, _seconds(values, kind.time_unit), kind.time_zone or "UTC")
    if isinstance(kind, pl.Duration):
        return Column(DOUBLE, _seconds(values, kind.time_unit))
    raise ModelError(f"{where} holds {kind}, which has no place in an R data.frame")


def _truths(values: pl.Series) -> Column:
    import polars as pl

    return Column(LOGICAL, values.cast(pl.Int32).fill_null(NA_INTEGER).to_numpy().tobytes())


def _integers(values: pl.Series) -> Column:
    import polars as pl

    low, high = values.min() or 0, values.max() or 0
    assert isinstance(low, int) and isinstance(high, int)
    if low > NA_INTEGER and high < 2**31:
        return Column(INTEGER, values.cast(pl.Int32).fill_null(NA_INTEGER).to_numpy().tobytes())
    if max(-low, high) <= EXACT_LIMIT:
        return Column(DOUBLE, _doubles(values.cast(pl.Float64)))
    return Column(INTEGER64, values.cast(pl.Int64).fill_null(NA_INTEGER64).to_numpy().tobytes())


def _doubles(values: pl.Series) -> bytes:
    missing = values.is_null().to_numpy()
    return _with_na(values.fill_null(0.0).to_numpy(), missing)


def _with_na(values: NDArray[np.float64], missing: NDArray[np.bool_]) -> bytes:
    bits: NDArray[np.uint64] = np.ascontiguousarray(values).view(np.uint64)
    return np.where(missing, NA_BITS, bits).tobytes() if missing.any() else bits.tobytes()


def _seconds(values: pl.Series, unit: str) -> bytes:
    ticks, per_second = values.to_physical().fill_null(0).to_numpy(), TICKS_PER_SECOND[unit]
    seconds = ticks // per_second + (ticks % per_second) / per_second
    return _with_na(seconds, values.is_null().to_numpy())


def _distinct_texts(values: pl.Series) -> Column:
    import polars as pl

    texts = values.drop_nulls().unique(maintain_order=True)
    places = pl.Series(range(1, len(texts) + 1), dtype=pl.Int32)
    return _texts(texts, values.replace_strict(texts, places, default=None, return_dtype=pl.Int32))


def _texts(texts: pl.Series, codes: pl.Series) -> Column:
    """Distinct texts, each closed by a zero, then for each row the place of its text, from 1."""
    joined = b"".join(text.encode() + b"\0" for text in texts)
    head = struct.pack("2i", len(joined), len(texts))
    return Column(TEXT, head + joined + codes.fill_null(NA_INTEGER).to_numpy().tobytes())
