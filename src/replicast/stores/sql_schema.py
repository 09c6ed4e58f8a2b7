"""The tables of a database that holds runs (drawn and explained in docs/reference/database-schema.md).

Rows that come by the million carry small integers for the run's scenario and for the metric; the views `metrics` and
one per model table give them their names back. Those rows have no foreign key, which would cost three quarters of the
speed of loading: they are written in the transaction that writes their replication, and in no other.
"""

from __future__ import annotations

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
        name, long_name, text = text_type(server, 100), text_type(server, 250), text_type(server)
        scenario, document = text_type(server, 200), text_type(server, 620)
        whole, key, column = sa.BigInteger(), sa.Integer(), sa.Column
        double: sa.Double[float] = sa.Double()
        self.version = self._table("replicast_schema", column("version", sa.Integer(), primary_key=True))
        self.runs = self._table(
            "runs",
            column("run", name, primary_key=True), column("created", text), column("model", text),
            column("seed", whole), column("replications", whole), column("executor", text), column("host", text),
            column("code_hash", text), column("git_commit", text),
        )  # fmt: skip
        self.scenarios = self._table(
            "scenarios",
            column("scenario_id", key, primary_key=True, autoincrement=True),
            column("run", name, sa.ForeignKey("runs.run", ondelete="CASCADE"), nullable=False),
            column("scenario", scenario, nullable=False),
            column("position", sa.Integer()), column("parameters", text),
            sa.UniqueConstraint("run", "scenario", name="scenarios_by_name"),
            sqlite_autoincrement=True,
        )  # fmt: skip
        self.shapes = self._table(
            "shapes",
            column("run", name, sa.ForeignKey("runs.run", ondelete="CASCADE"), primary_key=True),
            column("shape", text_type(server, 16), primary_key=True),
            column("definition", text, nullable=False),
        )  # fmt: skip
        self.replications = self._table(
            "replications",
            column("run", name, primary_key=True), column("scenario", scenario, primary_key=True),
            column("replication", whole, primary_key=True, autoincrement=False),
            column("state", text_type(server, 10), nullable=False), column("seconds", double),
            column("worker", text), column("attempt", whole), column("saved", server.time),
            column("fingerprint", whole), column("shape", text_type(server, 16)),
            column("warning_count", whole), column("warnings", text), column("error_kind", text),
            column("error_type", text), column("error", text), column("traceback", text), column("log", text),
            sa.ForeignKeyConstraint(
                ["run", "scenario"], ["scenarios.run", "scenarios.scenario"],
                name="replications_of_scenario", ondelete="CASCADE",
            ),
        )  # fmt: skip
        failed = sa.text("state = 'failed'")
        sa.Index(
            "replications_by_state", self.replications.c.run, self.replications.c.state,
            postgresql_where=failed, sqlite_where=failed,
        )  # fmt: skip
        self.metric_names = self._table(
            "metric_names",
            column("metric_id", key, primary_key=True, autoincrement=True),
            column("metric", long_name, nullable=False, unique=True),
            sqlite_autoincrement=True,
        )
        self.metric_values = self._table(
            "metric_values",
            column("scenario_id", key, primary_key=True, autoincrement=False),
            column("metric_id", key, primary_key=True, autoincrement=False),
            column("replication", whole, primary_key=True, autoincrement=False),
            column("value", double), column("whole", whole), column("exact", text_type(server, 12)),
            sqlite_with_rowid=False,
        )  # fmt: skip
        self.summary = self._table(
            "summary",
            column("run", name, sa.ForeignKey("runs.run", ondelete="CASCADE"), primary_key=True),
            column("scenario", scenario, primary_key=True),
            column("metric", long_name, primary_key=True),
            column("position", sa.Integer()),
            *(column(number, whole) for number in ("planned", "n", "failed", "non_finite")),
            *(column(number, double) for number in SUMMARY_NUMBERS),
        )
        self.documents = self._table(
            "documents",
            column("run", name, sa.ForeignKey("runs.run", ondelete="CASCADE"), primary_key=True),
            column("name", document, primary_key=True),
            column("chunk", sa.Integer(), primary_key=True, autoincrement=False),
            column("content", server.content, nullable=False),
        )
        self.batches = self._table(
            "batches",
            column("batch_id", key, primary_key=True, autoincrement=True),
            column("run", name, sa.ForeignKey("runs.run", ondelete="CASCADE"), nullable=False, index=True),
            column("scenario", scenario, nullable=False),
            column("content", text, nullable=False),
            sqlite_autoincrement=True,
        )
        self.model_tables = self._table(
            "model_tables",
            column("table_name", long_name, primary_key=True),
            column("view_name", text_type(server, 64), nullable=False, unique=True),
            column("rows_name", text_type(server, 64), nullable=False, unique=True),
        )
        self.model_columns = self._table(
            "model_columns",
            column("table_name", long_name, sa.ForeignKey("model_tables.table_name"), primary_key=True),
            column("column_name", long_name, primary_key=True),
            column("storage", text_type(server, 10), primary_key=True),
            column("stored_as", text_type(server, 64), nullable=False),
            column("position", sa.Integer(), nullable=False),
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
            "python -m pip install --upgrade replicast"
        )
    if version < OLDEST:
        raise StoreError(
            f"the database '{label}' has schema {version}, which this replicast no longer writes: copy each run with "
            f"the version that wrote it: replicast copy RUN --from {label} --to FOLDER"
        )
