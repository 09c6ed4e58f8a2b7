"""Documents in a database, and the database itself: connected to, looked at and made ready when it is first used."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from replicast.core.record import NAME

from .names import artefact_folder, encode_name
from .sql_connections import WAIT_SECONDS, AddressSource, Database
from .sql_creation import create_schema
from .sql_layout import Layout
from .sql_removing import remove_run
from .sql_runs import add_run, describe_run
from .sql_schema import VERSION, Schema, Server, check_version, schema_of, stored_version

CHUNK_BYTES = 4 << 20
"""Documents are kept in pieces that fit into one packet of any server."""


class SqlDocuments:
    """The documents of all runs. `url` holds the password, for other processes; `label` does not, for people.

    With a `source`, the password is kept there, and `url` only says where that is.
    """

    def __init__(
        self,
        url: str,
        *,
        wait_seconds: float = WAIT_SECONDS,
        source: AddressSource | None = None,
        reached: bool = False,
    ) -> None:
        self.database = Database(url, wait_seconds, source, reached)
        self.url, self.label = self.database.url, self.database.label
        self._schema: Schema | None = None
        self._layout: Layout | None = None
        self._exists = self._has_digests = False
        self._known_shapes: set[tuple[str, str]] = set()
        self._scenario_ids: dict[tuple[str, str], int] = {}

    def __repr__(self) -> str:
        return f"<SqlStore {self.label}>"

    @property
    def schema(self) -> Schema:
        if self._schema is None:
            of_file = self.database.kind == "sqlite"
            self._schema = schema_of(Server("sqlite") if of_file else self.database.perform(Server.of))
        return self._schema

    @property
    def layout(self) -> Layout:
        if self._layout is None:
            self._layout = Layout(self.database, self.schema)
        return self._layout

    def _is_there(self) -> bool:
        """Whether the database holds our tables; nothing is created. Raises StoreError for another version's."""
        if not self._exists:
            if self.database.file is not None and not self.database.file.exists():
                return False
            server, version = self.database.perform(
                lambda connection: (Server.of(connection), stored_version(connection))
            )
            self._schema = schema_of(server)
            if version is not None:
                check_version(version, self.label)
                self._exists, self._has_digests = True, version >= VERSION
        return self._exists

    def reach(self) -> str:
        """Connects once: a server that was there and is away later is waited for longer. Raises StoreError."""
        self._is_there()
        return ""

    def _make_sure(self) -> None:
        if not self._is_there() or not self._has_digests:
            create_schema(self.database, self.schema)
            self._exists = self._has_digests = True

    def runs(self) -> list[str]:
        if not self._is_there():
            return []
        documents = self.schema.documents.c
        query = sa.select(documents.run).distinct().where(documents.name == NAME)
        return sorted(self.database.perform(lambda connection: connection.scalars(query).all()))

    def write(self, run: str, name: str, content: bytes, *, new: bool = False) -> bool:
        self._make_sure()

        def write(connection: sa.Connection) -> bool:
            documents = self.schema.documents
            this = (documents.c.run == run) & (documents.c.name == name)
            add_run(connection, self.schema, run)
            if new and connection.execute(sa.select(documents.c.chunk).where(this).limit(1)).first() is not None:
                return False
            connection.execute(documents.delete().where(this))
            connection.execute(documents.insert(), chunks_of(run, name, content))
            if name == NAME:
                describe_run(connection, self.schema, run, content)
            return True

        return self.database.perform(write, write=True)

    def read(self, run: str, name: str) -> bytes | None:
        if not self._is_there():
            return None
        documents = self.schema.documents.c
        this = sa.select(documents.content).where(documents.run == run, documents.name == name)
        query = this.order_by(documents.chunk)
        chunks = self.database.perform(lambda connection: connection.scalars(query).all())
        return b"".join(map(bytes, chunks)) if chunks else None

    def documents(self, run: str, prefix: str) -> list[str]:
        if not self._is_there():
            return []
        documents = self.schema.documents.c
        query = sa.select(documents.name).where(documents.run == run, documents.chunk == 0)
        if prefix:
            query = query.where(documents.name.startswith(prefix.rstrip("/") + "/", autoescape=True))
        return sorted(self.database.perform(lambda connection: connection.scalars(query).all()))

    def delete(self, run: str, name: str) -> None:
        if self._is_there():
            documents = self.schema.documents
            statement = documents.delete().where(documents.c.run == run, documents.c.name == name)
            self.database.perform(lambda connection: connection.execute(statement), write=True)

    def remove(self, run: str) -> None:
        if self._is_there():
            self.database.perform(lambda connection: remove_run(connection, self.schema, self.layout, run), write=True)
            self._scenario_ids = {key: number for key, number in self._scenario_ids.items() if key[0] != run}
            self._known_shapes = {key for key in self._known_shapes if key[0] != run}

    def artefacts(self, run: str, scenario: str | None = None, replication: int | None = None) -> list[str]:
        if scenario is None:
            return self.documents(run, "artefacts")
        if replication is None:
            return self.documents(run, f"artefacts/scenario={encode_name(scenario)}")
        return self.documents(run, artefact_folder(scenario, replication))


def chunks_of(run: str, name: str, content: bytes) -> list[dict[str, Any]]:
    starts = range(0, max(len(content), 1), CHUNK_BYTES)
    pieces = (content[start : start + CHUNK_BYTES] for start in starts)
    return [{"run": run, "name": name, "chunk": number, "content": piece} for number, piece in enumerate(pieces)]
