"""Connections to a database: opened for one transaction, closed right after it, and asked for again while it is away.

A worker that computes for ten minutes holds no connection. A server that is full, restarts or finds a deadlock is
waited for, with pauses of random length so that many workers do not come back at once. Where the password is kept
elsewhere and changes meanwhile, it is asked for again. Whatever else goes wrong is one sentence without the password.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import quote, quote_plus

from replicast.core.errors import RequestError, StoreError

from .after_fork import check_frames

try:
    import sqlalchemy as sa
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
except ImportError:
    raise RequestError("results in a database need: python -m pip install 'replicast[sql]'") from None

Kind = Literal["sqlite", "postgresql", "mysql"]
Verdict = Literal["again", "away", "slow", "refused", "fatal"]
"""`again`: the server asks for another try. `away`: nobody is there. `slow`: no answer in time. `refused`: it does not
take the password, and may take the one that is kept elsewhere by now. `fatal`: all else."""


class AddressSource(Protocol):
    """Where a database's URL is kept that holds a password; the password may be another one tomorrow."""

    def __call__(self, *, anew: bool = False) -> str:
        """The URL; with `anew`, not the one that was given before, which the server refused. Raises StoreError."""
        ...


T = TypeVar("T")

DRIVERS = {
    "sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql", "mariadb": "mysql+pymysql",
}  # fmt: skip
WAIT_SECONDS = 120.0
"""How long a server may be full, locked or restarting before a save gives up."""

FIRST_WAIT_SECONDS = {"away": 3.0, "slow": 30.0}
"""How long a server that never answered this process is waited for: it may restart, or its name be wrong."""

REFUSED_SECONDS = 30.0
"""A password is changed in one place first and in the other some seconds later."""

GREETING_SECONDS, ANSWER_SECONDS = 10, 600
"""PyMySQL has one timeout for both. A server with too many callers lets one in and never greets it: ask again."""

LOCK_SECONDS = 20
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.03, 5.0


class Database:
    """One database, named by a URL. `label` is the URL without its password, for messages.

    A server that was `reached`, here or by another process, is waited for longer while it is away.
    With a `source`, `url` says only where the database's own URL is kept, and the source has it.
    """

    def __init__(
        self,
        url: str,
        wait_seconds: float = WAIT_SECONDS,
        source: AddressSource | None = None,
        reached: bool = False,
    ) -> None:
        self.wait_seconds, self._source, self._kept_url = wait_seconds, source, url
        self.address = parsed_address(source() if source else url)
        self._passwords = passwords_of(self.address)
        self.label = without_password(self.address.set(drivername=self.kind).render_as_string(hide_password=True))
        if source is None:
            self.label = without_password(sa.make_url(url).render_as_string(hide_password=True))
        if self.file is not None:
            self.address = self._with_whole_path(self.file)
        self._engine: sa.Engine | None = None
        self._reached = reached

    @property
    def kind(self) -> Kind:
        return self.address.drivername.partition("+")[0]  # type: ignore[return-value]

    def _with_whole_path(self, file: Path) -> sa.URL:
        prefix = "file:" if (self.address.database or "").startswith("file:") else ""
        return self.address.set(database=prefix + str(file.absolute()))

    @property
    def url(self) -> str:
        """As a process in another folder needs it: with its password or where that is kept, and a file's whole path."""
        if self._source is not None:
            return self._kept_url
        return self.address.set(drivername=self.kind).render_as_string(hide_password=False)

    @property
    def engine(self) -> sa.Engine:
        check_frames(self.label)
        if self._engine is None:
            self._engine = self._create_engine()
        return self._engine

    def _create_engine(self) -> sa.Engine:
        defaults: dict[str, dict[str, Any]] = {
            "sqlite": {"timeout": LOCK_SECONDS},
            "postgresql": {"connect_timeout": 10, "keepalives_idle": 30, "prepare_threshold": None},
            "mysql": {"connect_timeout": 10, "charset": "utf8mb4", "read_timeout": GREETING_SECONDS},
        }
        options = {key: value for key, value in defaults[self.kind].items() if key not in self.address.query}
        if self.kind == "mysql" and self._is_on_this_machine and not any("ssl" in key for key in self.address.query):
            options["ssl_disabled"] = True  # PyMySQL reads all certificates anew for each connection: 50 ms
        try:
            engine = sa.create_engine(
                self.address,
                poolclass=sa.NullPool,
                hide_parameters=True,
                connect_args=options,
                max_identifier_length=63,
            )
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise RequestError(f"'{self.label}' cannot be opened: {one_line(error, self._passwords)}") from None
        sa.event.listen(engine, "connect", {"sqlite": _set_up_sqlite, "mysql": _set_up_mysql}.get(self.kind, _nothing))
        if self._source is not None:
            sa.event.listen(engine, "do_connect", self._take_current_address)
        return engine

    def _take_current_address(
        self, dialect: sa.Dialect, _record: object, _arguments: object, parameters: dict[str, Any]
    ) -> None:
        """Each connection is made with the URL that holds now: a password that was changed changes nothing else."""
        assert self._source is not None
        address = parsed_address(self._source())
        self._passwords |= passwords_of(address)
        parameters.update(dialect.create_connect_args(address)[1])

    @property
    def _is_on_this_machine(self) -> bool:
        return self.address.host in (None, "localhost", "127.0.0.1", "::1")

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database."""
        name = self.address.database
        if self.kind != "sqlite" or not name or name == ":memory:":
            return None
        return Path(name.removeprefix("file:"))

    def perform(self, deed: Callable[[sa.Connection], T], *, write: bool = False, snapshot: bool = False) -> T:
        """What `deed` returns, done in one transaction, as often as it takes; nothing of a failed try remains.

        All that is read of a `snapshot` is of one moment, whatever is committed meanwhile. Raises StoreError.
        """
        started, pause = time.monotonic(), FIRST_PAUSE_SECONDS
        refused: float | None = None
        while True:
            try:
                with self._transaction(write, snapshot) as connection:
                    result = deed(connection)
                self._reached = True
                return result
            except (DBAPIError, self.engine.dialect.loaded_dbapi.Error) as error:
                verdict, now = self._judge(error), time.monotonic()
                refused = (refused or now) if verdict == "refused" else None
                seconds = now - (refused or started)
                if verdict == "fatal" or seconds > self._patience(verdict):
                    raise StoreError(self._say(error, verdict, seconds)) from None
                if verdict == "refused" and self._source is not None:
                    self._source(anew=True)
            time.sleep(random.uniform(pause / 3, pause))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _patience(self, verdict: Verdict) -> float:
        if verdict == "refused":
            return min(REFUSED_SECONDS, self.wait_seconds)
        first = self.wait_seconds if self._reached else FIRST_WAIT_SECONDS.get(verdict, self.wait_seconds)
        return min(first, self.wait_seconds)

    @contextmanager
    def _transaction(self, write: bool, snapshot: bool) -> Iterator[sa.Connection]:
        with self.engine.connect() as connection:
            self._reached = True
            if self.kind == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
            elif snapshot:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            elif self.kind == "postgresql" and write:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
            yield connection
            connection.commit()

    def _judge(self, error: BaseException) -> Verdict:
        original = getattr(error, "orig", None) or error
        verdict = {"sqlite": _judge_sqlite, "postgresql": _judge_postgresql, "mysql": _judge_mysql}[self.kind](original)
        if verdict == "fatal" and getattr(error, "connection_invalidated", False):
            return "away"
        if self._source is not None and REFUSED_WORDS.search(str(original)):
            return "refused"
        return verdict

    def _say(self, error: BaseException, verdict: Verdict, seconds: float) -> str:
        message = one_line(getattr(error, "orig", None) or error, self._passwords)
        waited = f" (tried for {seconds:.0f} seconds)" if verdict != "fatal" else ""
        if self.file is not None:
            message += state_of_disk(self.file)
        return f"the database '{self.label}' failed{waited}: {message}"


LITTLE_BYTES = 256 << 10


def state_of_disk(file: Path) -> str:
    """What is the matter with the disk of a file, which SQLite calls an I/O error; empty where nothing is seen."""
    try:
        found = os.statvfs(file.parent)
    except (OSError, AttributeError):
        return ""
    if found.f_flag & os.ST_RDONLY:
        return ": its disk is read-only"
    return ": its disk is full" if found.f_bavail * found.f_frsize < LITTLE_BYTES else ""


EXAMPLES = "write sqlite:///file.db, postgresql://user@host/database or mysql://user@host/database"


def parsed_address(url: str) -> sa.URL:
    """The URL with the driver that we use. Raises RequestError."""
    place = url.partition("://")[2]
    if "@" in place.partition("?")[0] or re.match(r"[^:@/?#]*:\d+/", place):
        place = re.sub(r"\?[\w.]+=.*$", "", place, flags=re.DOTALL)
    unclear = place.rpartition("@")[0]
    if ":" in unclear and re.search(r"[@/?#]", unclear):
        raise RequestError(
            f"'{without_password(url)}' can be read in two ways: in a user's name or password, write '@' as %40, "
            "'/' as %2F, '#' as %23 and '?' as %3F"
        )
    try:
        parsed = sa.make_url(url)
        return parsed.set(drivername=DRIVERS[parsed.drivername.partition("+")[0]])
    except (ArgumentError, KeyError, ValueError):
        raise RequestError(f"'{without_password(url)}' is not the URL of a database: {EXAMPLES}") from None


def passwords_of(address: sa.URL) -> set[str]:
    """The password, wherever in the URL it stands."""
    query = (value for key, value in address.query.items() if SECRET_KEY.search(key))
    return {address.password or ""} | {one for value in query for one in ([value] if isinstance(value, str) else value)}


SECRET_KEY = re.compile(r"password|passwd|secret|token", re.IGNORECASE)


def without_password(url: str) -> str:
    """A URL as it may be shown: also passwords that stand in its query are hidden."""
    url = re.sub(r"(://[^:@/?]*):.*@", r"\1:***@", url, flags=re.DOTALL)
    return re.sub(r"(?i)([?&][^=&]*(?:password|passwd|secret|token)[^=&]*=)[^&]*", r"\1***", url)


def one_line(error: BaseException, passwords: Iterable[str] = ()) -> str:
    """An error's message on one line, without these passwords wherever a driver may have put them."""
    arguments = error.args
    text = str(arguments[1]) if len(arguments) > 1 and isinstance(arguments[0], int) else str(error)
    for password in passwords:
        for written in (password, quote(password, safe=""), quote_plus(password)):
            text = text.replace(written, "***") if len(written) > 3 else text
    return " ".join(text.split())[:400] or type(error).__name__


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")


def _set_up_mysql(connection: Any, _record: object) -> None:
    if connection._read_timeout == GREETING_SECONDS:
        connection._read_timeout = ANSWER_SECONDS
    with connection.cursor() as cursor:
        cursor.execute(
            "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', "
            f"innodb_lock_wait_timeout = {LOCK_SECONDS}"
        )
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")


def _nothing(_connection: object, _record: object) -> None:
    """PostgreSQL's defaults are the ones wanted."""


DUPLICATES = ("SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE")


def _judge_sqlite(error: BaseException) -> Verdict:
    name = getattr(error, "sqlite_errorname", "")
    return "again" if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", *DUPLICATES)) else "fatal"


AGAIN_STATES = ("23505", "40001", "40P01", "53300", "55P03", "57P01", "57P02", "57P03")
"""Unique violation (somebody was faster), serialisation, deadlock, too many connections, lock timeout, shutdowns."""

AGAIN_WORDS = re.compile(r"too many (clients|connections)|remaining connection slots|the database system is")
AWAY_WORDS = re.compile(
    r"refused|No such file|closed the connection|could not (receive|send)|reset by peer|"
    r"consuming input failed|the connection is (closed|lost)|broken pipe|SSL connection has been closed|unreachable",
    re.IGNORECASE,
)


REFUSED_WORDS = re.compile(
    r"password authentication failed|password that was provided|has no credentials|"
    r"Access denied for user.*using password",
    re.IGNORECASE,
)
"""PostgreSQL's words, those of a proxy before it, and MySQL's."""

SLOW_WORDS = re.compile(r"timeout|timed out", re.IGNORECASE)


def _judge_postgresql(error: BaseException) -> Verdict:
    state, text = getattr(error, "sqlstate", None), str(error)
    if state in AGAIN_STATES or (state is None and AGAIN_WORDS.search(text)):
        return "again"
    if state is None and SLOW_WORDS.search(text):
        return "slow"
    return "away" if (state or "").startswith("08") or (state is None and AWAY_WORDS.search(text)) else "fatal"


AGAIN_CODES = (1040, 1053, 1062, 1203, 1205, 1213, 1226, 1412, 1684)
"""Too many connections, shutdown, duplicate key, lock wait, deadlock, and definitions that changed meanwhile."""

AWAY_CODES = (2002, 2003, 2006, 2013, 2055, 1927, 1152, 1158, 1159, 1160, 1161)


def _judge_mysql(error: BaseException) -> Verdict:
    code = error.args[0] if error.args else 0
    if code in AGAIN_CODES:
        return "again"
    if code in AWAY_CODES and SLOW_WORDS.search(str(error)):
        return "slow"
    unverified = "certificate verify failed" in str(error)
    return "away" if code in (*AWAY_CODES, 0) and not unverified else "fatal"
