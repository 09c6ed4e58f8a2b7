"""The tables of a database that holds runs (drawn and explained in docs/reference/database-schema.md).

Rows that come by the million carry small integers for the run's scenario and for the metric; the views `metrics` and
one per model table give them their names back. Those rows have no foreign key, which would cost three quarters of the
speed of loading: they are written in the transaction that writes their replication, and in no other.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa

from replicast.core.errors import StoreError

from .sql_connections import Kind

VERSION = 2
OLDEST = 1
"""1 had no `batches`, and so no digests; it is read, and gets the table when it is first written to."""
KEYS = ("run", "scenario", "replication", "row_no", "exact")
"""Columns of every table of rows that are not the model's."""

MYSQL_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_row_format": "DYNAMIC"}
LONGEST = 2**32 - 1
"""In MySQL the length decides which type of text or content it is."""

WHOLE, KEY = sa.BigInteger(), sa.Integer()

LOCK_NAME = "replicast"
LOCK_NUMBER = 0x7265706C
LOCK_WAIT_SECONDS = 60


def text_type(server: Server, length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that is compared byte by byte: names differ in case, accents and spaces at the end."""
    if server.kind == "postgresql":
        return sa.Text(collation="C") if length else sa.Text()
    if server.kind == "mysql":
        collation = "utf8mb4_nopad_bin" if server.is_mariadb else "utf8mb4_0900_bin"
        return sa.String(length, collation=collation) if length else sa.Text(LONGEST, collation=collation)
    return sa.Text()


@dataclass(frozen=True, slots=True)
class Server:
    """What the tables' definitions depend on."""

    kind: Kind
    is_mariadb: bool = False

    @classmethod
    def of(cls, connection: sa.Connection) -> Server:
        return cls(connection.dialect.name, is_mariadb=bool(getattr(connection.dialect, "is_mariadb", False)))  # type: ignore[arg-type]

    @property
    def time(self) -> sa.types.TypeEngine[Any]:
        """A point in time in UTC, to the microsecond; in SQLite an ISO text."""
        if self.kind == "mysql":
            from sqlalchemy.dialects.mysql import DATETIME

            return DATETIME(fsp=6)
        return sa.Text() if self.kind == "sqlite" else sa.TIMESTAMP()

    @property
    def content(self) -> sa.types.TypeEngine[bytes]:
        return sa.LargeBinary(LONGEST)


class Schema:
    """Our tables, as this server takes them."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.all = sa.MetaData()
        self._name, self._long_name, self._text = text_type(server, 100), text_type(server, 250), text_type(server)
        self._scenario, self._short = text_type(server, 200), text_type(server, 64)
        self._double: sa.Double[float] = sa.Double()
        self.version = self._table("replicast_schema", sa.Column("version", sa.Integer(), primary_key=True))
        self.runs = self._runs()
        self.scenarios = self._scenarios()
        self.shapes = self._shapes()
        self.replications = self._replications()
        self.metric_names = self._metric_names()
        self.metric_values = self._metric_values()
        self.summary = self._summary()
        self.documents = self._documents()
        self.batches = self._batches()
        self.model_tables = self._model_tables()
        self.model_columns = self._model_columns()

    def _runs(self) -> sa.Table:
        name, text, column = self._name, self._text, sa.Column
        return self._table(
            "runs",
            column("run", name, primary_key=True), column("created", text), column("model", text),
            column("seed", WHOLE), column("replications", WHOLE), column("executor", text), column("host", text),
            column("code_hash", text), column("git_commit", text),
        )  # fmt: skip

    def _of_run(self, **options: Any) -> sa.Column[str]:
        """The column `run` of what goes when the run goes."""
        return sa.Column("run", self._name, sa.ForeignKey("runs.run", ondelete="CASCADE"), **options)

    def _scenarios(self) -> sa.Table:
        column = sa.Column
        return self._table(
            "scenarios",
            column("scenario_id", KEY, primary_key=True, autoincrement=True),
            self._of_run(nullable=False),
            column("scenario", self._scenario, nullable=False),
            column("position", sa.Integer()), column("parameters", self._text),
            sa.UniqueConstraint("run", "scenario", name="scenarios_by_name"),
            sqlite_autoincrement=True,
        )  # fmt: skip

    def _shapes(self) -> sa.Table:
        return self._table(
            "shapes",
            self._of_run(primary_key=True),
            sa.Column("shape", text_type(self.server, 16), primary_key=True),
            sa.Column("definition", self._text, nullable=False),
        )

    def _replications(self) -> sa.Table:
        text, column = self._text, sa.Column
        table = self._table(
            "replications",
            column("run", self._name, primary_key=True), column("scenario", self._scenario, primary_key=True),
            column("replication", WHOLE, primary_key=True, autoincrement=False),
            column("state", text_type(self.server, 10), nullable=False), column("seconds", self._double),
            column("worker", text), column("attempt", WHOLE), column("saved", self.server.time),
            column("fingerprint", WHOLE), column("shape", text_type(self.server, 16)),
            column("warning_count", WHOLE), column("warnings", text), column("error_kind", text),
            column("error_type", text), column("error", text), column("traceback", text), column("log", text),
            sa.ForeignKeyConstraint(
                ["run", "scenario"], ["scenarios.run", "scenarios.scenario"],
                name="replications_of_scenario", ondelete="CASCADE",
            ),
        )  # fmt: skip
        failed = sa.text("state = 'failed'")
        sa.Index("replications_by_state", table.c.run, table.c.state, postgresql_where=failed, sqlite_where=failed)
        return table

    def _metric_names(self) -> sa.Table:
        return self._table(
            "metric_names",
            sa.Column("metric_id", KEY, primary_key=True, autoincrement=True),
            sa.Column("metric", self._long_name, nullable=False, unique=True),
            sqlite_autoincrement=True,
        )

    def _metric_values(self) -> sa.Table:
        column = sa.Column
        return self._table(
            "metric_values",
            column("scenario_id", KEY, primary_key=True, autoincrement=False),
            column("metric_id", KEY, primary_key=True, autoincrement=False),
            column("replication", WHOLE, primary_key=True, autoincrement=False),
            column("value", self._double), column("whole", WHOLE), column("exact", text_type(self.server, 12)),
            sqlite_with_rowid=False,
        )  # fmt: skip

    def _summary(self) -> sa.Table:
        return self._table(
            "summary",
            self._of_run(primary_key=True),
            sa.Column("scenario", self._scenario, primary_key=True),
            sa.Column("metric", self._long_name, primary_key=True),
            sa.Column("position", sa.Integer()),
            *(sa.Column(number, WHOLE) for number in ("planned", "n", "failed", "non_finite")),
            *(sa.Column(number, self._double) for number in SUMMARY_NUMBERS),
        )

    def _documents(self) -> sa.Table:
        return self._table(
            "documents",
            self._of_run(primary_key=True),
            sa.Column("name", text_type(self.server, 620), primary_key=True),
            sa.Column("chunk", sa.Integer(), primary_key=True, autoincrement=False),
            sa.Column("content", self.server.content, nullable=False),
        )

    def _batches(self) -> sa.Table:
        return self._table(
            "batches",
            sa.Column("batch_id", KEY, primary_key=True, autoincrement=True),
            self._of_run(nullable=False, index=True),
            sa.Column("scenario", self._scenario, nullable=False),
            sa.Column("content", self._text, nullable=False),
            sqlite_autoincrement=True,
        )

    def _model_tables(self) -> sa.Table:
        return self._table(
            "model_tables",
            sa.Column("table_name", self._long_name, primary_key=True),
            sa.Column("view_name", self._short, nullable=False, unique=True),
            sa.Column("rows_name", self._short, nullable=False, unique=True),
        )

    def _model_columns(self) -> sa.Table:
        return self._table(
            "model_columns",
            sa.Column("table_name", self._long_name, sa.ForeignKey("model_tables.table_name"), primary_key=True),
            sa.Column("column_name", self._long_name, primary_key=True),
            sa.Column("storage", text_type(self.server, 10), primary_key=True),
            sa.Column("stored_as", self._short, nullable=False),
            sa.Column("position", sa.Integer(), nullable=False),
        )

    def _table(self, name: str, *parts: sa.schema.SchemaItem, **options: Any) -> sa.Table:
        return sa.Table(name, self.all, *parts, **(MYSQL_OPTIONS | options))

    @property
    def names(self) -> set[str]:
        return {*self.all.tables, "metrics"}


@cache
def schema_of(server: Server) -> Schema:
    return Schema(server)


SUMMARY_NUMBERS = (
    "mean", "sd", "se", "confidence", "ci_lower", "ci_upper", "half_width", "relative_half_width",
    "min", "q25", "median", "q75", "max",
)  # fmt: skip

METRICS_VIEW = (
    "CREATE VIEW metrics AS SELECT s.run, s.scenario, v.replication, n.metric, v.value, v.whole, v.exact "
    "FROM metric_values v JOIN scenarios s ON s.scenario_id = v.scenario_id "
    "JOIN metric_names n ON n.metric_id = v.metric_id"
)


def quote(kind: str, name: str) -> str:
    """A name as this kind of server takes it in a statement that has no parameters."""
    mark = "`" if kind == "mysql" else '"'
    return mark + name.replace(mark, mark * 2) + mark


def define(connection: sa.Connection, statement: str) -> None:
    """Executes a definition as it stands, whatever signs its names hold."""
    cursor = connection.connection.cursor()
    cursor.execute(statement)
    cursor.close()


def lock_definitions(connection: sa.Connection) -> None:
    """Makes whoever else changes definitions wait until this transaction ends (MySQL: until the connection does)."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK_NUMBER)))
    elif connection.dialect.name == "mysql":
        held = sa.text("SELECT GET_LOCK(CONCAT(:name, MD5(DATABASE())), :seconds)")
        if connection.execute(held, {"name": LOCK_NAME, "seconds": LOCK_WAIT_SECONDS}).scalar() != 1:
            raise StoreError("another process has been changing the database's definitions for a minute; try again")


def stored_version(connection: sa.Connection) -> int | None:
    """The version of the schema in the database, None where there is none."""
    if not sa.inspect(connection).has_table("replicast_schema"):
        return None
    return connection.execute(sa.text("SELECT max(version) FROM replicast_schema")).scalar()


def check_version(version: int, label: str) -> None:
    """Raises StoreError for a schema that this replicast does not read."""
    if version > VERSION:
        raise StoreError(
            f"the database '{label}' was made by a newer replicast (schema {version}; this one knows {VERSION}): "
            "update this one, from where it was installed"
        )
    if version < OLDEST:
        raise StoreError(
            f"the database '{label}' has schema {version}, which this replicast no longer writes: copy each run with "
            f"the version that wrote it: replicast copy RUN --from {shlex.quote(label)} --to FOLDER"
        )
