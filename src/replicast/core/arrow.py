"""Two things that arro3's own types make clumsy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arro3.core import Array, Field, Schema, Table


def table_of(columns: Mapping[str, Array]) -> Table:
    """A table of columns of one length."""
    exportable: dict[str, Any] = dict(columns)
    return Table.from_pydict(exportable)


def fields_of(schema: Schema) -> list[Field]:
    return [schema.field(name) for name in schema.names]
