"""Where the rows of a model's tables lie: one table in the database per table of a model, one column per column.

A column that comes in two types (numbers in one run, texts in another) gets a column for each. Names that a database
does not take, or has given away, are changed; the catalogue (`model_tables`, `model_columns`) says how. Which columns,
and of which types, a replication returned is its shape.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from arro3.core import ChunkedArray, Field, Schema

from replicast.core.arrow import fields_of
from replicast.core.errors import StoreError
from replicast.core.replication import Outcome

from . import parts
from .parquet import schema_digest
from .sql_connections import Database
from .sql_schema import KEYS, MYSQL_OPTIONS, Server, define, lock_definitions, quote, text_type
from .sql_schema import Schema as OurSchema
from .sql_types import NOTHING, Storage, name_of, storage_of, type_of

METRICS = "metrics"
MOST_COLUMNS = 900
NAME_BYTES = 50
ColumnTypes = tuple[tuple[str, str], ...]
"""(name, type) of each column, in order."""


@dataclass(frozen=True)
class Shape:
    """What a replication returned: names and types of its metrics (those of its batch) and of its tables' columns."""

    metrics: ColumnTypes
    tables: Mapping[str, ColumnTypes]

    @cached_property
    def definition(self) -> str:
        return json.dumps({"metrics": self.metrics, "tables": self.tables}, ensure_ascii=True)

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.definition.encode()).hexdigest()[:16]

    @classmethod
    def from_definition(cls, definition: str) -> Shape:
        saved = json.loads(definition)
        tables = {name: tuple((c, t) for c, t in columns) for name, columns in saved["tables"].items()}
        return cls(tuple((c, t) for c, t in saved["metrics"]), tables)

    def columns(self, table: str) -> ColumnTypes | None:
        return self.metrics if table == METRICS else self.tables.get(table)


def shapes_of(outcomes: Sequence[Outcome]) -> dict[int, Shape]:
    """The shape of each successful outcome, by replication. Raises StoreError for types that no column keeps."""
    returned = [outcome for outcome in outcomes if outcome.failure is None]
    if not returned:
        return {}
    metrics = column_types(parts.metrics_table(returned).schema, "metrics")[2:]
    known: dict[str, ColumnTypes] = {}
    shapes: dict[str, Shape] = {}
    found = {}
    plain = Shape(metrics, {})
    for outcome in returned:
        if not outcome.tables:
            found[outcome.replication] = plain
            continue
        tables = {}
        for name, table in outcome.tables.items():
            digest = f"{name}\0{schema_digest(table.schema)}"
            columns = known.get(digest) or known.setdefault(digest, column_types(table.schema, name))
            tables[name] = tuple((c, NOTHING if t == "bool" and is_nothing(table.column(c)) else t) for c, t in columns)
        shape = Shape(metrics, tables)
        found[outcome.replication] = shapes.setdefault(shape.digest, shape)
    return found


def column_types(schema: Schema, table: str) -> ColumnTypes:
    return tuple((f.name, name_of(f.type, f"column '{f.name}' of table '{table}'")) for f in fields_of(schema))


def is_nothing(column: ChunkedArray) -> bool:
    return column.null_count == len(column)


def named(columns: ColumnTypes) -> ColumnTypes:
    """The columns with the types that a reader sees."""
    return tuple((name, "bool" if kind == NOTHING else kind) for name, kind in columns)


def stored_columns(columns: ColumnTypes) -> list[tuple[str, Storage]]:
    """Those that need a place in the database."""
    return [(name, storage_of(kind)) for name, kind in columns if kind != NOTHING]


def arrow_schema(columns: ColumnTypes) -> Schema:
    """The schema of chunks of these columns, keys first."""
    keys = (("scenario", "utf8"), ("replication", "int64"))
    return Schema([Field(name, type_of(kind), nullable=True) for name, kind in (*keys, *columns)])


@dataclass(slots=True)
class ModelTable:
    """A model's table: the view that people read, the table of its rows, and each (column, storage)'s column there."""

    view_name: str
    rows_name: str
    columns: dict[tuple[str, Storage], str] = field(default_factory=dict)

    def column(self, name: str, kind: str) -> str:
        return self.columns[name, storage_of(kind)]


class Layout:
    """The catalogue as this process knows it; others may have added to it."""

    def __init__(self, database: Database, schema: OurSchema) -> None:
        self._database, self._schema = database, schema
        self.tables: dict[str, ModelTable] = {}
        self.metric_ids: dict[str, int] = {}

    def lacks(self, shapes: Iterable[Shape]) -> bool:
        """Whether something of these shapes has no place yet, as far as this process knows."""
        for shape in shapes:
            if any(name not in self.metric_ids for name, _ in shape.metrics):
                return True
            for name, columns in shape.tables.items():
                table = self.tables.get(name)
                if table is None or any(pair not in table.columns for pair in stored_columns(columns)):
                    return True
        return False

    def make_room(self, shapes: Sequence[Shape]) -> None:
        """Adds tables, columns and metrics that these shapes need and the database lacks. Raises StoreError."""
        if self.lacks(shapes):
            self._database.perform(lambda connection: self._add(connection, shapes), write=True)
            self._database.perform(self.load)

    def load(self, connection: sa.Connection) -> None:
        """One query for tables and columns, so that what others add meanwhile is seen whole or not at all."""
        table, column = self._schema.model_tables, self._schema.model_columns
        query = (
            sa.select(table, column.c.column_name, column.c.storage, column.c.stored_as)
            .select_from(table.outerjoin(column, column.c.table_name == table.c.table_name))
            .order_by(table.c.table_name, column.c.position)
        )
        tables: dict[str, ModelTable] = {}
        for row in connection.execute(query):
            known = tables.setdefault(row.table_name, ModelTable(row.view_name, row.rows_name))
            if row.stored_as is not None:
                known.columns[row.column_name, row.storage] = row.stored_as
        names = connection.execute(sa.select(self._schema.metric_names))
        self.tables, self.metric_ids = tables, {row.metric: row.metric_id for row in names}

    def _add(self, connection: sa.Connection, shapes: Sequence[Shape]) -> None:
        lock_definitions(connection)
        self.load(connection)
        for shape in shapes:
            for name, _ in shape.metrics:
                if name not in self.metric_ids:
                    connection.execute(self._schema.metric_names.insert(), {"metric": name})
                    self.metric_ids[name] = 0
        wanted: dict[str, dict[tuple[str, Storage], None]] = {}
        for shape in shapes:
            for name, columns in shape.tables.items():
                wanted.setdefault(name, {}).update(dict.fromkeys(stored_columns(columns)))
        for name, found in wanted.items():
            self._add_table(connection, name, list(found))

    def _add_table(self, connection: sa.Connection, name: str, wanted: Sequence[tuple[str, Storage]]) -> None:
        known = self.tables.get(name)
        new = [pair for pair in wanted if known is None or pair not in known.columns]
        if known is not None and not new:
            return
        if ((known is not None and len(known.columns)) or 0) + len(new) > MOST_COLUMNS:
            raise StoreError(f"table '{name}' has more than {MOST_COLUMNS} columns: keep this run in a folder instead")
        inspector = sa.inspect(connection)
        if known is None:
            existing = (*inspector.get_table_names(), *inspector.get_view_names(), *self._schema.names)
            taken = set(map(fold, existing))
            view_name = free_name(name, taken)
            known = ModelTable(view_name, free_name(f"{view_name}_rows", taken | {fold(view_name)}))
            self._create_rows(connection, known.rows_name)
            columns = self._schema.model_columns  # of a table that somebody took out of the catalogue
            connection.execute(columns.delete().where(columns.c.table_name == name))
            row = {"table_name": name, "view_name": known.view_name, "rows_name": known.rows_name}
            connection.execute(self._schema.model_tables.insert(), row)
        physical = {fold(column["name"]) for column in inspector.get_columns(known.rows_name)} | set(KEYS)
        for column, storage in new:
            stored_as = self._add_column(connection, known, column, storage, physical)
            row = {"table_name": name, "column_name": column, "storage": storage, "stored_as": stored_as}
            connection.execute(self._schema.model_columns.insert(), row | {"position": len(known.columns)})
            known.columns[column, storage] = stored_as
        self._replace_view(connection, known)

    def _create_rows(self, connection: sa.Connection, rows_name: str) -> None:
        server = self._schema.server
        table = sa.Table(
            sa.quoted_name(rows_name, quote=True), sa.MetaData(),
            sa.Column("scenario_id", sa.Integer(), primary_key=True, autoincrement=False),
            sa.Column("replication", sa.BigInteger(), primary_key=True, autoincrement=False),
            sa.Column("row_no", sa.BigInteger(), primary_key=True, autoincrement=False),
            sa.Column("exact", text_type(server)),
            **(MYSQL_OPTIONS | {"sqlite_with_rowid": False}),
        )  # fmt: skip
        table.create(connection)

    def _add_column(
        self, connection: sa.Connection, table: ModelTable, column: str, storage: Storage, physical: set[str]
    ) -> str:
        other = any(name == column for name, _ in table.columns)
        stored_as = free_name(f"{column}_{storage}" if other else column, physical)
        physical.add(fold(stored_as))
        kind = sql_type(storage, self._schema.server).compile(connection.dialect)
        server = connection.dialect.name
        rows_name, name = quote(server, table.rows_name), quote(server, stored_as)
        define(connection, f"ALTER TABLE {rows_name} ADD COLUMN {name} {kind}")
        return stored_as

    def _replace_view(self, connection: sa.Connection, table: ModelTable) -> None:
        server = connection.dialect.name
        view, rows_name = quote(server, table.view_name), quote(server, table.rows_name)
        own = [f"r.{quote(server, name)}" for name in table.columns.values()]
        listed = ", ".join(["s.run", "s.scenario", "r.replication", "r.row_no", "r.exact", *own])
        verb = "CREATE OR REPLACE VIEW"
        if server == "sqlite":
            define(connection, f"DROP VIEW IF EXISTS {view}")
            verb = "CREATE VIEW"
        source = f"{rows_name} r JOIN scenarios s ON s.scenario_id = r.scenario_id"
        define(connection, f"{verb} {view} AS SELECT {listed} FROM {source}")


def sql_type(storage: Storage, server: Server) -> sa.types.TypeEngine[Any]:
    types: dict[str, sa.types.TypeEngine[Any]] = {
        "integer": sa.BigInteger(), "double": sa.Double(), "logical": sa.Boolean(), "text": text_type(server),
        "date": sa.Text() if server.kind == "sqlite" else sa.Date(), "time": server.time,
        "instant": sa.TIMESTAMP(timezone=True) if server.kind == "postgresql" else server.time,
    }  # fmt: skip
    return types[storage]


def fold(name: str) -> str:
    """Names that some database takes for one: those that differ in case or accents only."""
    spread = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in spread if not unicodedata.combining(c))


def free_name(name: str, taken: set[str]) -> str:
    """`name` where every database takes it and it is not `taken` (folded), else the nearest that is free."""
    allowed = "".join(c if c.isprintable() and ord(c) < 0x10000 else "_" for c in name).strip() or "_"
    while len(allowed.encode()) > NAME_BYTES:
        allowed = allowed[:-1].rstrip()
    candidate, number = allowed, 1
    while fold(candidate) in taken:
        number += 1
        candidate = f"{allowed}_{number}"
    return candidate
