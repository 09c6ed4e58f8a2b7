"""The role that functions have in a database made for a stack: in real servers, made by who is no superuser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import psycopg
import pymysql
import pytest
from servers import Mariadb, Postgres

from replicast.aws.access import Aws
from replicast.aws.database import OVER_TLS, secret_url
from replicast.aws.database_role import make_role
from replicast.core.errors import StoreError
from replicast.core.replication import Outcome
from replicast.stores import open_store
from replicast.testing.stored import new_run, numbers, outcome

from .guarded import Guarded

Server = Postgres | Mariadb
KINDS = {"postgres": Postgres, "mariadb": Mariadb}
REFUSED = (psycopg.Error, pymysql.err.MySQLError)
ROLE = "replicast_runs"


@pytest.fixture(scope="module", params=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    found = KINDS[request.param](tls=True)
    yield found
    found.close()


@dataclass
class Made:
    """A database with its master user, and the secret of the role that is to be made."""

    master: Guarded
    arn: str
    password: str = "Aa1/@%:'\\"

    @property
    def url(self) -> str:
        return self._url(self.arn)

    @property
    def masters_url(self) -> str:
        return self._url(self.master.arn)

    def _url(self, arn: str) -> str:
        engine = self.master.engine
        return secret_url(
            arn, engine=engine, host="127.0.0.1", port=str(self.master.server.port), database=self.master.name,
            **OVER_TLS[engine],
        )  # fmt: skip

    def tell(self, password: str) -> None:
        self.password = password
        content = json.dumps({"username": ROLE, "password": password})
        self.master.aws.client("secretsmanager").put_secret_value(SecretId=self.arn, SecretString=content)

    def try_out(self, statement: str, database: str = "") -> None:
        """Done as the role. Raises the driver's error."""
        server, name = self.master.server, database or self.master.name
        if isinstance(server, Postgres):
            login = f"{ROLE}:{quote(self.password, safe='')}"
            url = f"postgresql://{login}@127.0.0.1:{server.port}/{name}?sslmode=require"
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(statement)  # type: ignore[call-overload]
            return
        with (
            pymysql.connect(
                host="127.0.0.1", port=server.port, user=ROLE, password=self.password, database=name,
                ssl={"check_hostname": False},
            ) as connected,
            connected.cursor() as cursor,
        ):  # fmt: skip
            cursor.execute(statement)


@pytest.fixture
def made(server: Server, aws: Aws) -> Made:
    master = Guarded.create(server, aws, master=True)
    secret = aws.client("secretsmanager").create_secret(Name="runs", SecretString="{}")
    found = Made(master, secret["ARN"])
    found.tell(found.password)
    return found


def wide(replication: int, **columns: float) -> Outcome:
    return Outcome("base", replication, 1.0, {"value": 1.0}, tables={"patients": [columns]})


def test_the_role_keeps_runs_and_may_nothing_else_in_the_server(made: Made, server: Server) -> None:
    assert make_role(made.masters_url, made.url) == ROLE
    store, run = open_store(made.url), new_run()
    store.save(run, [outcome(1)])
    assert numbers(open_store(made.url), run) == ([1], [])
    server.execute("CREATE DATABASE IF NOT EXISTS others" if isinstance(server, Mariadb) else "SELECT 1")
    if isinstance(server, Mariadb):
        server.execute("CREATE TABLE IF NOT EXISTS others.private (x INT)")
    else:
        server.execute("CREATE TABLE IF NOT EXISTS private (x INT)", "postgres")
    another = "others" if isinstance(server, Mariadb) else "postgres"
    for statement, database in (
        ("CREATE DATABASE more", ""),
        ("CREATE USER somebody", ""),
        ("SELECT * FROM private", another),
        ("CREATE TABLE more (x INT)", another),
        (f"DROP DATABASE {made.master.name}" if isinstance(server, Postgres) else "DROP DATABASE mysql", ""),
        ("SET ROLE guarded" if isinstance(server, Postgres) else "GRANT ALL ON *.* TO replicast_runs", ""),
        ("COPY (SELECT 1) TO PROGRAM 'cat'" if isinstance(server, Postgres) else "SHUTDOWN", ""),
    ):
        with pytest.raises(REFUSED):
            made.try_out(statement, database)
    made.try_out("CREATE TABLE more (x INT)")


def test_without_tls_the_role_is_not_let_in(made: Made, server: Server) -> None:
    make_role(made.masters_url, made.url)
    with pytest.raises(REFUSED):
        if isinstance(server, Postgres):
            login = f"{ROLE}:{quote(made.password, safe='')}"
            psycopg.connect(f"postgresql://{login}@127.0.0.1:{server.port}/postgres?sslmode=disable")
        else:
            pymysql.connect(host="127.0.0.1", port=server.port, user=ROLE, password=made.password, ssl_disabled=True)


def test_what_the_master_user_made_before_becomes_the_roles_who_goes_on_with_it(made: Made) -> None:
    before, run = open_store(made.masters_url), new_run()
    before.save(run, [outcome(1)])
    make_role(made.masters_url, made.url)
    store = open_store(made.url)
    store.save(run, [outcome(2)])
    store.save(run, [outcome(3)])
    assert numbers(store, run) == ([1, 2, 3], [])


def test_done_again_the_role_has_the_password_that_the_secret_has_by_then(made: Made) -> None:
    make_role(made.masters_url, made.url)
    first = made.password
    made.tell("another-password")
    make_role(made.masters_url, made.url)
    made.try_out("SELECT 1")
    made.password = first
    with pytest.raises(REFUSED):
        made.try_out("SELECT 1")


@pytest.mark.parametrize("server", ["postgres"], indirect=True)
def test_the_log_of_a_server_that_repeats_every_statement_has_no_password(made: Made, server: Server) -> None:
    server.execute("ALTER SYSTEM SET log_statement = 'all'")
    server.execute("SELECT pg_reload_conf()")
    made.tell("neverToBeSeen")
    make_role(made.masters_url, made.url)
    log = (server.folder / "server.log").read_text()
    assert f'ROLE "{ROLE}"' in log
    assert "SCRAM-SHA-256$" in log
    assert "neverToBeSeen" not in log


def test_a_master_who_may_make_no_roles_is_said_without_a_password(made: Made, server: Server) -> None:
    if isinstance(server, Postgres):
        server.execute(f"DROP OWNED BY {ROLE}", made.master.name) if exists(server) else None
        server.execute("ALTER ROLE guarded NOCREATEROLE")
    else:
        server.execute("REVOKE CREATE USER ON *.* FROM guarded")
    with pytest.raises(StoreError, match="denied") as refused:
        make_role(made.masters_url, made.url)
    for password in (made.password, made.master.password):
        assert password not in str(refused.value)


def exists(server: Postgres) -> bool:
    return bool(server.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'"))
