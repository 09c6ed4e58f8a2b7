"""Arrow tables as Parquet: without numpy, which those who only read need not wait for."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence

import arro3.io
from arro3.core import Schema, Table

from replicast.core.arrow import fields_of


def schema_digest(schema: Schema) -> str:
    """Eight hexadecimal digits that name a table's columns and types."""
    text = "\n".join(f"{field.name!r}\t{field.type}" for field in fields_of(schema))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def to_parquet(table: Table) -> bytes:
    """Parquet bytes; text is dictionary-encoded, numbers are not, since those of a simulation hardly repeat."""
    text_columns: dict[str | Sequence[str], bool] = {
        field.name: True for field in fields_of(table.schema) if "Utf8" in str(field.type)
    }
    buffer = io.BytesIO()
    arro3.io.write_parquet(
        table, buffer, compression="zstd(1)", dictionary_enabled=False, column_dictionary_enabled=text_columns
    )
    return buffer.getvalue()


def from_parquet(content: bytes) -> Table:
    return arro3.io.read_parquet(io.BytesIO(content), batch_size=1 << 20).read_all()
