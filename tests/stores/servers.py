"""Private database servers for tests: on free ports of this machine, in temporary folders, free to be killed."""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

START_SECONDS = 60


def find_program(*names: str) -> str:
    places = [
        *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)),
        os.environ["PATH"],
        "/usr/sbin",
    ]
    for name in names:
        found = shutil.which(name, path=os.pathsep.join(places))
        if found:
            return found
    pytest.skip(f"'{names[0]}' is not installed (Debian: apt install postgresql mariadb-server)")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Authority:
    """One that signs certificates of servers, as a test's own."""

    def __init__(self, folder: Path, organisation: str = "Tests") -> None:
        self.folder, self.file = folder, folder / "authority.pem"
        folder.mkdir(parents=True, exist_ok=True)
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/O={organisation}/CN=authority",
                      "-days", "2", "-out", str(self.file), "-keyout", str(folder / "authority.key"))  # fmt: skip

    def sign(self, certificate: Path, key: Path, names: str) -> None:
        """Writes both, for a server of these `names`, as openssl takes them."""
        request, extension = self.folder / "request.csr", self.folder / "names"
        extension.write_text(f"subjectAltName={names}\n")
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server", "-out", str(request),
                      "-keyout", str(key))  # fmt: skip
        self._openssl("x509", "-req", "-in", str(request), "-CA", str(self.file), "-CAkey",
                      str(self.folder / "authority.key"), "-CAcreateserial", "-days", "2", "-extfile", str(extension),
                      "-out", str(certificate))  # fmt: skip

    @staticmethod
    def _openssl(*arguments: str) -> None:
        subprocess.run([find_program("openssl"), *arguments], check=True, capture_output=True, timeout=60)


THIS_MACHINE = "DNS:localhost,IP:127.0.0.1"


class Server(ABC):
    """A server process of its own user, as servers refuse to be root's."""

    user = ""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rc-db-", dir="/tmp"))
        self.port = free_port()
        self.most_bytes = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.authority: Path | None = None
        if os.getuid() == 0:
            shutil.chown(self.folder, self.owner)

    @property
    def owner(self) -> str:
        if os.getuid() != 0:
            return getpass.getuser()
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(self.user).pw_name
        return "nobody"

    @property
    def as_owner(self) -> dict[str, Any]:
        if os.getuid() != 0:
            return {"cwd": self.folder}
        entry = pwd.getpwnam(self.owner)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": self.folder}

    def certify(self, folder: Path, names: str) -> None:
        """Puts server.crt and server.key into the folder, signed by an authority of its own."""
        authority = Authority(self.folder / "authority")
        self.authority, key = authority.file, folder / "server.key"
        authority.sign(folder / "server.crt", key, names)
        key.chmod(0o600)
        if os.getuid() == 0:
            shutil.chown(key, self.owner)

    def install(self, *command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, timeout=120, **self.as_owner)

    def launch(self, *command: str) -> None:
        with (self.folder / "server.log").open("ab") as log:
            options = self.as_owner | {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            self._process = subprocess.Popen(command, start_new_session=True, **options)
        give_up = time.monotonic() + START_SECONDS
        while not self.answers():
            ended = self._process.poll()
            if ended is not None or time.monotonic() > give_up:
                raise RuntimeError((self.folder / "server.log").read_text(errors="replace")[-3000:])

    @abstractmethod
    def answers(self) -> bool:
        """Whether it takes connections."""

    @abstractmethod
    def start(self) -> None:
        """Starts it and returns when it answers."""

    def restart(self, most_bytes: int) -> None:
        """Starts anew with room for only so many bytes, as if the disk were nearly full."""
        self.crash()
        self.most_bytes = most_bytes
        self.start()
        self.most_bytes = 0

    def crash(self) -> None:
        """Ends the server with no chance to tidy up."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        self._end(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            self._process.wait()
            self._process = None


class Postgres(Server):
    user = "postgres"

    def __init__(self, *, connections: int = 100, tls: bool = False, names: str = THIS_MACHINE) -> None:
        """With `tls`, the role `guarded` is let in over TLS alone; the certificate is of these `names`."""
        super().__init__()
        self.connections, self.tls = connections, tls
        data = str(self.folder / "data")
        program = find_program("initdb")
        self.install(program, "-D", data, "-U", "root", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync")
        if tls:
            self.certify(self.folder / "data", names)
        rules = f"{'hostssl' if tls else 'host'} all guarded,replicast_runs 127.0.0.1/32 scram-sha-256\n"
        rules += "host all guarded,replicast_runs 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 trust\n"
        (self.folder / "data" / "pg_hba.conf").write_text(rules)
        self.start()

    def start(self) -> None:
        options = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
            "max_connections": self.connections, "fsync": "off", "max_wal_size": "64MB", "shared_buffers": "32MB",
            "ssl": "on" if self.tls else "off",
        }  # fmt: skip
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        limits = ["prlimit", f"--fsize={self.most_bytes}"] if self.most_bytes else []
        self.launch(*limits, find_program("postgres"), "-D", str(self.folder / "data"), *settings)

    def _end(self, number: signal.Signals) -> None:
        # SIGQUIT is PostgreSQL's own way to crash: SIGKILL would leave its children holding the shared memory
        super()._end(signal.SIGQUIT if number == signal.SIGKILL else number)

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)

    def answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def url(self, database: str, user: str = "root") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        with self.connect(database) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"t{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)


class Mariadb(Server):
    user = "mysql"

    def __init__(self, *, connections: int = 100, tls: bool = False, names: str = THIS_MACHINE) -> None:
        super().__init__()
        self.connections = connections
        program = find_program("mariadb-install-db", "mysql_install_db")
        folder = f"--datadir={self.folder / 'data'}"
        self.install(program, "--no-defaults", folder, "--auth-root-authentication-method=normal", "--skip-test-db")
        if tls:
            self.certify(self.folder, names)
        self.start()

    def start(self) -> None:
        limits = []
        if self.most_bytes:
            limits = [
                "--innodb-file-per-table=0",
                f"--innodb-data-file-path=ibdata1:12M:autoextend:max:{self.most_bytes}",
            ]
        over_tls = []
        if self.authority:
            over_tls = [f"--ssl-cert={self.folder / 'server.crt'}", f"--ssl-key={self.folder / 'server.key'}"]
        self.launch(
            find_program("mariadbd", "mysqld"), "--no-defaults", f"--datadir={self.folder / 'data'}",
            f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.folder / 's'}",
            f"--pid-file={self.folder / 'pid'}", f"--max-connections={self.connections}",
            *limits, *over_tls, "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=16M",
        )  # fmt: skip

    def connect(self, database: str | None = None) -> Any:
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", database=database, autocommit=True, ssl_disabled=True
        )

    def answers(self) -> bool:
        try:
            self.connect().close()
        except pymysql.err.OperationalError:
            return False
        return True

    def url(self, database: str, user: str = "root") -> str:
        return f"mysql://{user}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str | None = None) -> list[Any]:
        with self.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"t{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Mariadb]:
    server = Mariadb()
    yield server
    server.close()
