"""Every request that this process makes to its stores, counted, and a fault struck at the one of a chosen number.

    with struck(Faults("flipped", at=17)) as faults:
        ...                                        # what is written by request 17 differs in one bit
    faults.asked                                   # what was asked for, in order

A request is an object that is put, read, listed or deleted, or a statement, a bulk insert or a commit of a database.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from obstore.exceptions import GenericError

from replicast.stores.object_documents import ObjectDocuments
from replicast.stores.objects import ObjectStore

KILLS = ("killed before", "killed after")
CHANGES = ("dropped", "cut", "flipped", "swapped")
ERRORS = ("full", "read-only", "unavailable", "timed out", "lost", "lost after")

SAID = {
    "full": "No space left on device (os error 28)",
    "read-only": "Read-only file system (os error 30)",
    "unavailable": "Server returned non-2xx status code: 503 Service Unavailable: SlowDown",
    "timed out": "operation timed out",
    "lost": "connection closed before message completed",
    "lost after": "connection closed before message completed",
}
"""What stores say in their own words."""


class Faults:
    """`way` is one of KILLS, CHANGES and ERRORS, struck at request number `at`, from 1; none at 0."""

    def __init__(self, way: str = "", at: int = 0) -> None:
        self.way, self.at = way, at
        self.asked: list[str] = []
        self.struck = False
        self._put: tuple[str, bytes] = ("", b"")
        self._counting = threading.RLock()

    def strikes(self, what: str) -> bool:
        """Counts a request; whether it is the one."""
        with self._counting:
            self.asked.append(what)
            self.struck = self.struck or len(self.asked) == self.at
            return len(self.asked) == self.at

    def around(self, deed: Callable[[], Any], error: Callable[[], BaseException]) -> Any:
        """The deed of the request that is struck, with a death or an error before or after it."""
        if self.way == "killed before":
            die()
        if self.way in ERRORS and self.way != "lost after":
            raise error()
        done = deed()
        if self.way == "killed after":
            die()
        if self.way == "lost after":
            raise error()
        return done

    def changed(self, content: bytes) -> bytes:
        return changed(content, self.way)

    def put(self, operation: Callable[..., Any], objects: Any, path: str, content: bytes, **options: Any) -> Any:
        """An object that is written; one that is swapped changes places with the one written before it."""
        strikes, before = self.strikes(f"put {path}"), self._put
        self._put = path, content
        if not strikes or self.way not in CHANGES:
            deed = partial(operation, objects, path, content, **options)
            return self.around(deed, self._error) if strikes else deed()
        if self.way == "dropped":
            return None
        if self.way == "swapped" and before[0]:
            operation(objects, before[0], content, mode="overwrite")
        return operation(objects, path, before[1] if self.way == "swapped" else self.changed(content), **options)

    def call(self, operation: Callable[..., Any], objects: Any, *arguments: Any, **options: Any) -> Any:
        if operation.__name__ == "put":
            return self.put(operation, objects, *arguments, **options)
        deed = partial(operation, objects, *arguments, **options)
        return self.around(deed, self._error) if self.strikes(f"{operation.__name__} {arguments}") else deed()

    def _error(self) -> BaseException:
        return GenericError(SAID[self.way])


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def changed(content: bytes, way: str) -> bytes:
    """`cut` to its half, or with a bit in its middle `flipped`."""
    if way == "cut" or not content:
        return content[: len(content) // 2]
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]


@contextmanager
def struck(faults: Faults) -> Iterator[Faults]:
    """All stores of this process, as long as the block lasts."""
    with ExitStack() as stack:
        stack.enter_context(_objects_struck(faults))
        stack.enter_context(_databases_struck(faults))
        yield faults


@contextmanager
def _objects_struck(faults: Faults) -> Iterator[None]:
    call, read_part = ObjectDocuments._call, ObjectStore.read_part

    def counted(store: ObjectDocuments, operation: Any, *arguments: Any, **options: Any) -> Any:
        return call(store, partial(faults.call, operation), *arguments, **options)

    def read(store: ObjectStore, run: str, name: str) -> bytes | None:
        if store.folder is None:
            return read_part(store, run, name)
        strikes = faults.strikes(f"read {run}/{name}")
        content = read_part(store, run, name)
        if not strikes or content is None:
            return content
        if faults.way in CHANGES:
            return None if faults.way == "dropped" else faults.changed(content)
        call(store, lambda _objects: faults.around(lambda: content, faults._error))
        return content

    with patch.object(ObjectDocuments, "_call", counted), patch.object(ObjectStore, "read_part", read):
        yield


@contextmanager
def _databases_struck(faults: Faults) -> Iterator[None]:
    try:
        import sqlalchemy as sa

        from replicast.stores import sql, sql_bulk
    except ImportError:
        yield
        return
    insert, commit = sql_bulk.insert_rows, sa.Connection.commit
    at_hand: list[bool] = [False]

    def before(connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        at_hand[0] = faults.strikes(statement[:80])
        if at_hand[0] and faults.way == "killed before":
            die()
        if at_hand[0] and faults.way in ERRORS and faults.way != "lost after":
            raise database_error(connection, faults.way)

    def after(connection: sa.Connection, *_: Any) -> None:
        strikes, at_hand[0] = at_hand[0], False
        if strikes and faults.way in ("killed after", "lost after"):
            faults.around(lambda: None, lambda: database_error(connection, faults.way))

    def inserting(connection: sa.Connection, table: str, *given: Any) -> None:
        deed = partial(insert, connection, table, *given)
        if faults.strikes(f"insert into {table}"):
            faults.around(deed, lambda: database_error(connection, faults.way))
        else:
            deed()

    def committing(connection: sa.Connection) -> None:
        deed = partial(commit, connection)
        if faults.strikes("commit"):
            faults.around(deed, lambda: database_error(connection, faults.way))
        else:
            deed()

    sa.event.listen(sa.Engine, "before_cursor_execute", before)
    sa.event.listen(sa.Engine, "after_cursor_execute", after)
    try:
        with patch.object(sql, "insert_rows", inserting), patch.object(sa.Connection, "commit", committing):
            yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", before)
        sa.event.remove(sa.Engine, "after_cursor_execute", after)


MYSQL = {
    "full": (1021, "Disk full"), "read-only": (1290, "running with the --read-only option"),
    "unavailable": (1040, "Too many connections"), "timed out": (1205, "Lock wait timeout exceeded"),
    "lost": (2013, "Lost connection to MySQL server during query"), "lost after": (2006, "server has gone away"),
}  # fmt: skip
SQLITE = {
    "full": ("SQLITE_FULL", "database or disk is full"), "read-only": ("SQLITE_READONLY", "readonly database"),
    "unavailable": ("SQLITE_BUSY", "database is locked"), "timed out": ("SQLITE_BUSY", "database is locked"),
    "lost": ("SQLITE_IOERR", "disk I/O error"), "lost after": ("SQLITE_IOERR", "disk I/O error"),
}  # fmt: skip
POSTGRESQL = {
    "full": "DiskFull", "read-only": "ReadOnlySqlTransaction", "unavailable": "TooManyConnections",
    "timed out": "LockNotAvailable", "lost": "ConnectionFailure", "lost after": "AdminShutdown",
}  # fmt: skip


def database_error(connection: Any, way: str) -> BaseException:
    """As the driver of that database raises it."""
    if connection.dialect.name == "sqlite":
        import sqlite3

        error = sqlite3.OperationalError(SQLITE[way][1])
        error.sqlite_errorname = SQLITE[way][0]
        return error
    if connection.dialect.name == "postgresql":
        from psycopg import errors

        kind: type[BaseException] = getattr(errors, POSTGRESQL[way])
        return kind(SAID[way])
    import pymysql

    return pymysql.err.OperationalError(*MYSQL[way])  # type: ignore[no-any-return]
