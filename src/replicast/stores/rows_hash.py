"""A hash of rows that does not depend on how they were cut, nor on the kind of store that they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from arro3.core import Array, ChunkedArray, DataType, Table

from .reading import replications_of

KEYS = ("scenario", "replication")


class RowsHash:
    """A hash of rows by column, the same for the same rows in other chunks.

    With `doubles`, numbers and booleans do so as doubles: a metric is one or the other by the batch it was saved in.
    """

    def __init__(self, *, doubles: bool) -> None:
        self.rows = 0
        self._doubles = doubles
        self._columns: dict[str, Any] = {}

    def take_in(self, chunk: Table) -> None:
        numbers = replications_of(chunk)
        self.rows += chunk.num_rows
        for name in chunk.column_names:
            self._take_in_column(name, chunk.column(name), numbers)

    def _take_in_column(self, name: str, column: ChunkedArray, numbers: np.ndarray) -> None:
        """What is there, with the replication it belongs to; what is missing leaves no trace."""
        array = column.combine_chunks()
        kind = "double" if self._doubles and name not in KEYS else str(array.type)
        for values in _as_bytes(array, doubles=kind == "double"):
            if values is not None:
                present, content = values
                if len(present):
                    hashes = self._columns.setdefault(f"{name!r} {kind}", [hashlib.sha256(), hashlib.sha256()])
                    hashes[0].update(numbers[present].astype("<i8").tobytes())
                    hashes[1].update(content)

    def digest(self) -> str:
        whole = hashlib.sha256(str(self.rows).encode())
        for name, hashes in sorted(self._columns.items()):
            whole.update(f"{name} {hashes[0].hexdigest()} {hashes[1].hexdigest()}\n".encode())
        return whole.hexdigest()


def _as_bytes(array: Array, *, doubles: bool) -> Iterator[tuple[np.ndarray, bytes] | None]:
    """(places, content) of the values that are there."""
    if DataType.is_temporal(array.type):
        small = DataType.is_date32(array.type) or DataType.is_time32(array.type)
        array = array.cast(DataType.int32() if small else DataType.int64())
    if doubles:
        array = array.cast(DataType.float64())
    if DataType.is_numeric(array.type) and not array.null_count:
        yield np.arange(len(array)), _same_nan(array.to_numpy()).tobytes()
        return
    listed = array.to_pylist()
    present = np.array([place for place, value in enumerate(listed) if value is not None], dtype=np.int64)
    there = [listed[place] for place in present]
    if DataType.is_numeric(array.type):
        dtype = np.float64 if DataType.is_floating(array.type) else np.uint64 if "UInt" in str(array.type) else np.int64
        yield present, _same_nan(np.array(there, dtype=dtype)).tobytes()
    else:
        # PostgreSQL keeps no NUL character in a log
        texts = [str(value).replace("\0", "␀").encode() for value in there]
        yield present, b"".join(len(text).to_bytes(8, "little") + text for text in texts)


def _same_nan(values: np.ndarray) -> np.ndarray:
    """Databases know one NaN."""
    return np.where(np.isnan(values), np.nan, values) if values.dtype.kind == "f" else values


def hash_rows(chunks: Iterable[Table], *, doubles: bool = False) -> RowsHash:
    hashed = RowsHash(doubles=doubles)
    for chunk in chunks:
        if chunk.num_rows:
            hashed.take_in(chunk)
    return hashed
