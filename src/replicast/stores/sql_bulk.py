"""Many rows into one table by each database's fast way: COPY, multi-row INSERT, executemany."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from .sql_schema import quote
from .sql_types import Constant, Storage, Values

STATEMENT_BYTES = 4 << 20
"""A multi-row INSERT stays well below the 16 MiB that servers take in one packet by default."""

COPY_ROWS = 65_536
Columns = Mapping[str, Values]


def insert_rows(connection: sa.Connection, table: str, columns: Columns, rows: int) -> None:
    """Adds `rows` rows to `table` within the connection's transaction."""
    if rows == 0:
        return
    insert = {"postgresql": _copy, "mysql": _insert_many, "sqlite": _execute_many}[connection.dialect.name]
    insert(connection, table, columns, rows)


def _names(connection: sa.Connection, table: str, columns: Columns) -> str:
    kind = connection.dialect.name
    return f"{quote(kind, table)} ({', '.join(quote(kind, name) for name in columns)})"


def _execute_many(connection: sa.Connection, table: str, columns: Columns, rows: int) -> None:
    marks = ", ".join("?" * len(columns))
    lists = [values.to_python(rows) for values in columns.values()]
    statement = f"INSERT INTO {_names(connection, table, columns)} VALUES ({marks})"
    cursor = connection.connection.cursor()
    cursor.executemany(statement, list(zip(*lists, strict=True)))
    cursor.close()


def _insert_many(connection: sa.Connection, table: str, columns: Columns, rows: int) -> None:
    """Literals are written here: numbers need no escaping, and texts that repeat are escaped once."""
    driver: Any = connection.connection.driver_connection
    literals = [_literals(values, rows, driver.escape) for values in columns.values()]
    head = f"INSERT INTO {_names(connection, table, columns)} VALUES "
    with driver.cursor() as cursor:
        for statement in _statements(head, map(",".join, zip(*literals, strict=True))):
            cursor.execute(statement)


def _statements(head: str, rows: Iterator[str]) -> Iterator[str]:
    pieces: list[str] = []
    size = 0
    for row in rows:
        if size + len(row) > STATEMENT_BYTES and pieces:
            yield head + "(" + "),(".join(pieces) + ")"
            pieces, size = [], 0
        pieces.append(row)
        size += 4 * len(row) if not row.isascii() else len(row)
    if pieces:
        yield head + "(" + "),(".join(pieces) + ")"


def _literals(values: Values, rows: int, escape: Callable[[str], str]) -> list[str]:
    if isinstance(values.data, Constant):
        value = values.data.value
        return ["NULL" if value is None else escape(value) if isinstance(value, str) else str(value)] * rows
    listed = values.to_python(rows)
    if values.storage in ("key", "integer", "logical"):
        return ["NULL" if value is None else str(int(value)) for value in listed]
    if values.storage == "double":
        return ["NULL" if value is None else _double(value) for value in listed]
    known = {text: "NULL" if text is None else escape(text) for text in set(listed)}
    return [known[text] for text in listed]


def _double(value: float) -> str:
    """With an exponent, since MySQL reads a literal without one as a decimal number."""
    text = repr(value)
    return text if "e" in text else text + "e0"


def _copy(connection: sa.Connection, table: str, columns: Columns, rows: int) -> None:
    driver: Any = connection.connection.driver_connection
    statement = f"COPY {_names(connection, table, columns)} FROM STDIN (FORMAT BINARY)"
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(COPY_HEADER)
        for start in range(0, rows, COPY_ROWS):
            copy.write(copy_bytes(list(columns.values()), start, min(start + COPY_ROWS, rows)))
        copy.write(COPY_TRAILER)


COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
COPY_TRAILER = struct.pack("!h", -1)
DAYS_TO_2000, MICROSECONDS_TO_2000 = 10_957, 946_684_800_000_000
"""PostgreSQL counts days and microseconds from 2000 on."""


def copy_bytes(columns: Sequence[Values], start: int, end: int) -> bytes:
    """Rows start..end-1 in PostgreSQL's binary COPY format: a count of fields, then each one's length and bytes.

    All rows are laid out at once: the fields' places follow from their lengths.
    """
    fields = [_field(values, start, end) for values in columns]
    rows = end - start
    sizes = np.full(rows, 2, dtype=np.int64)
    for lengths, _ in fields:
        sizes += 4 + np.maximum(lengths, 0)
    ends = np.cumsum(sizes)
    out = np.zeros(int(ends[-1]), dtype=np.uint8)
    place = ends - sizes
    _put(out, place, np.full(rows, len(columns), dtype=">i2").view(np.uint8).reshape(rows, 2))
    place += 2
    for lengths, content in fields:
        _put(out, place, lengths.astype(">i4").view(np.uint8).reshape(rows, 4))
        place += 4
        filled = np.maximum(lengths, 0)
        _scatter(out, place, filled, content)
        place += filled
    return out.tobytes()


def _put(out: NDArray[np.uint8], places: NDArray[np.int64], content: NDArray[np.uint8]) -> None:
    for offset in range(content.shape[1]):
        out[places + offset] = content[:, offset]


def _scatter(
    out: NDArray[np.uint8], places: NDArray[np.int64], lengths: NDArray[np.int64], content: NDArray[np.uint8]
) -> None:
    """Puts `lengths[i]` bytes of `content`, which holds them one after the other, to `places[i]`."""
    if len(lengths) and (lengths == lengths[0]).all():
        _put(out, places, content.reshape(len(lengths), -1))
        return
    before = np.cumsum(lengths) - lengths
    out[np.repeat(places - before, lengths) + np.arange(len(content))] = content


Field = tuple[NDArray[np.int64], NDArray[np.uint8]]
"""Each row's length (-1: nothing there), and the bytes of all rows one after the other."""


def _field(values: Values, start: int, end: int) -> Field:
    rows = end - start
    if isinstance(values.data, Constant):
        return _constant_field(values.data.value, values.storage, rows)
    if not isinstance(values.data, np.ndarray):
        return _text_field(values.data[start:end])
    content = _binary(values.data[start:end], values.storage)
    lengths = np.full(rows, content.shape[1], dtype=np.int64)
    if values.missing is not None and (gone := values.missing[start:end]).any():
        lengths[gone] = -1
        content = content[~gone]
    return lengths, content.reshape(-1)


def _constant_field(value: str | int | None, storage: Storage, rows: int) -> Field:
    if value is None:
        return np.full(rows, -1, dtype=np.int64), np.empty(0, dtype=np.uint8)
    content = value.encode() if isinstance(value, str) else struct.pack("!i" if storage == "key" else "!q", value)
    return np.full(rows, len(content), dtype=np.int64), np.tile(np.frombuffer(content, dtype=np.uint8), rows)


def _text_field(texts: Sequence[str | None]) -> Field:
    encoded = [None if text is None else text.encode() for text in texts]
    lengths = np.fromiter((-1 if text is None else len(text) for text in encoded), dtype=np.int64, count=len(texts))
    return lengths, np.frombuffer(b"".join(text for text in encoded if text), dtype=np.uint8)


def _binary(data: NDArray[Any], storage: Storage) -> NDArray[np.uint8]:
    if storage == "double":
        made: NDArray[Any] = data.astype(">f8")
    elif storage == "logical":
        made = data.astype(np.uint8)
    elif storage == "date":
        made = (data - DAYS_TO_2000).astype(">i4")
    elif storage == "key":
        made = data.astype(">i4")
    elif storage in ("time", "instant"):
        made = (data - MICROSECONDS_TO_2000).astype(">i8")
    else:
        made = data.astype(">i8")
    return made.view(np.uint8).reshape(len(data), -1)
