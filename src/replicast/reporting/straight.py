"""Arrow tables straight to files: rows that lie in a store as they are to be written need no frame library.

Polars takes longer to import than most tables to write. What its writer of CSV would write otherwise, or has to unify
first, is left to it; for all else, the bytes are the same, which a test holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import arro3.io
from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema, Table, dictionary_dictionary

from replicast.core.arrow import fields_of

from .files import whole

FORMATS = ("csv", "parquet")
ROW_GROUP = 100_000
BUFFER_BYTES = 1 << 20
LARGE = 1e16
"""From here on polars writes 1e+16 where others write 1e16."""

INT32, INT64, FLOAT64 = DataType.int32(), DataType.int64(), DataType.float64()
DIGITS = DataType.decimal128(16, 0)
"""To which doubles from LARGE on, and those that are no numbers, cannot be cast."""
CODES = DataType.dictionary(INT32, DataType.utf8())


class NotStraight(Exception):
    """The table has to be written from frames after all; what was written of it does not count."""


def straight_schema(schemas: Sequence[Schema], *, booleans: bool) -> Schema | None:
    """The one schema of all rows, if they can be written as they are; metrics that are `booleans` cannot."""
    if len(schemas) != 1 or len(schemas[0].names) < 2 or "" in schemas[0].names:
        return None
    return schemas[0] if all(_is_plain(field.type, booleans) for field in fields_of(schemas[0])) else None


def _is_plain(kind: DataType, booleans: bool) -> bool:
    whole_or_text = DataType.is_int64(kind) or DataType.is_string(kind)
    return whole_or_text or DataType.is_float64(kind) or (booleans and DataType.is_boolean(kind))


def write_straight(parts: Iterable[Table], schema: Schema, path: Path, file_format: str) -> int:
    """Writes to a file beside `path`, which then takes its place; returns the number of rows. Raises NotStraight."""
    write = write_csv if file_format == "csv" else write_parquet
    with whole(path) as temporary:
        return write(_of_schema(parts, schema), schema, temporary)


def _of_schema(parts: Iterable[Table], schema: Schema) -> Iterator[Table]:
    kinds = [(field.name, field.type) for field in fields_of(schema)]
    for part in parts:
        if [(field.name, field.type) for field in fields_of(part.schema)] != kinds:
            raise NotStraight
        yield part


def write_csv(tables: Iterable[Table], schema: Schema, path: Path) -> int:
    """As polars writes it. Raises NotStraight for a value of which that is not known."""
    rows = 0
    with path.open("wb", buffering=BUFFER_BYTES) as file:
        arro3.io.write_csv(_no_rows(schema), file)
        for table in tables:
            if not all(_is_written_alike(chunk) for name in schema.names for chunk in table.column(name).chunks):
                raise NotStraight
            arro3.io.write_csv(table, file, header=False)
            rows += table.num_rows
    return rows


def _no_rows(schema: Schema) -> RecordBatch:
    """A table without a batch has no header."""
    return RecordBatch.from_arrays([Array([], field.type) for field in fields_of(schema)], schema=schema)


def _is_written_alike(column: Array) -> bool:
    """Whether a column has no text that is empty, and no double from LARGE on: these two are written otherwise."""
    if DataType.is_string(column.type):
        return "" not in dictionary_dictionary(column.cast(CODES)).to_pylist()
    if not DataType.is_float64(column.type) or column.cast(INT32).null_count == column.null_count:
        return True
    if column.cast(DIGITS).null_count == column.null_count:
        return True
    return not any(value is not None and LARGE <= abs(value) < float("inf") for value in column.to_pylist())


def write_parquet(tables: Iterable[Table], schema: Schema, path: Path) -> int:
    """Row groups of exactly ROW_GROUP rows, so that the bytes do not depend on how the rows came."""
    rows = 0
    fields = [Field(field.name, _written_type(field.type), nullable=True) for field in fields_of(schema)]
    written = Schema(fields)

    def counted() -> Iterator[RecordBatch]:
        nonlocal rows
        for batch in _regrouped(_cast(batch, written) for table in tables for batch in table.to_batches()):
            rows += batch.num_rows
            yield batch

    with path.open("wb", buffering=BUFFER_BYTES) as file:
        reader = RecordBatchReader.from_batches(written, counted())
        arro3.io.write_parquet(reader, file, compression="zstd(3)", max_row_group_size=ROW_GROUP)
    return rows


def _written_type(kind: DataType) -> DataType:
    return DataType.string_view() if DataType.is_string(kind) else kind


def _cast(batch: RecordBatch, schema: Schema) -> RecordBatch:
    columns: list[Any] = [batch.column(i) for i in range(batch.num_columns)]
    kinds = [field.type for field in fields_of(schema)]
    cast = [column if column.type == kind else column.cast(kind) for column, kind in zip(columns, kinds, strict=True)]
    return RecordBatch.from_arrays(cast, schema=schema)


def _regrouped(batches: Iterable[RecordBatch]) -> Iterator[RecordBatch]:
    """The same rows in batches of ROW_GROUP; the last one may be shorter."""
    waiting, rows = list[RecordBatch](), 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        while rows >= ROW_GROUP:
            table = Table.from_batches(waiting)
            yield from table.slice(0, ROW_GROUP).combine_chunks().to_batches()
            rows -= ROW_GROUP
            waiting = table.slice(ROW_GROUP).to_batches() if rows else []
    if rows:
        yield from Table.from_batches(waiting).combine_chunks().to_batches()
