"""Creating the tables of a database, or bringing those of an earlier replicast up to this one's."""

from __future__ import annotations

import sqlalchemy as sa

from replicast.core.errors import StoreError

from .sql_batches import rows_without_digests
from .sql_connections import Database
from .sql_schema import METRICS_VIEW, VERSION, Schema, lock_definitions, stored_version


def create_schema(database: Database, schema: Schema) -> None:
    """Creates what is missing; many processes may do so at once. Raises StoreError."""

    def create(connection: sa.Connection) -> None:
        lock_definitions(connection)
        version = stored_version(connection)
        if version is None:
            _refuse_foreign(connection, schema, database.label)
            schema.version.create(connection, checkfirst=True)
            schema.all.create_all(connection)
            if "metrics" not in sa.inspect(connection).get_view_names():
                connection.exec_driver_sql(METRICS_VIEW)
        elif version < VERSION:
            schema.batches.create(connection, checkfirst=True)
            if rows := rows_without_digests(connection, schema):
                connection.execute(schema.batches.insert(), rows)
        if version != VERSION:
            connection.execute(schema.version.insert(), {"version": VERSION})

    if database.kind == "sqlite":
        _prepare_file(database)
    database.perform(create, write=True)


def _refuse_foreign(connection: sa.Connection, schema: Schema, label: str) -> None:
    """Tables of the same names that somebody else made are not touched; those of an interrupted creation are ours."""
    inspector = sa.inspect(connection)
    existing = {*inspector.get_table_names(), *inspector.get_view_names()}
    taken = sorted(existing & schema.names)
    if taken and "replicast_schema" not in existing:
        raise StoreError(
            f"the database '{label}' has a table '{taken[0]}' that is not replicast's: "
            "give replicast a database (or a PostgreSQL schema) of its own"
        )


def _prepare_file(database: Database) -> None:
    """A write-ahead log lets readers and one writer of a file work at once; the setting stays with the file."""
    if database.file is not None:
        try:
            database.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the folder of '{database.label}': {error.strerror}") from None

    def set_mode(connection: sa.Connection) -> None:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    database.perform(set_mode)
