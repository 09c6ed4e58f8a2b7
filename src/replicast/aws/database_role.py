"""Setup, the one function that may read the master user's password: it makes the role whose rights all others have.

A role that owns replicast's tables, and may make more, in the database of the stack, and nothing else in that server:
no other database, no other role. Its password is in a secret of its own. Done again it gives the role the password
that the secret has by then; tables that an earlier stack's functions made as the master user become the role's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import sqlalchemy as sa

from replicast.core.errors import ReplicastError
from replicast.stores.sql_connections import Database, parsed_address

from .certificates import facts_of
from .database import secret_url
from .functions import named
from .secret import open_store, secret_of

RIGHTS = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP, REFERENCES, CREATE VIEW, SHOW VIEW"
"""Of MySQL, for all that a store does; on one database."""

OTHERS_TABLES = (
    "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles r ON r.oid = c.relowner "
    "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND r.rolname = current_user"
)


def setup(_event: Mapping[str, Any], _context: object) -> dict[str, str]:
    """Makes the role of REPLICAST_DATABASE as the user of the secret REPLICAST_MASTER, and connects as it once."""
    url = os.environ["REPLICAST_DATABASE"]
    try:
        return {"role": make_role(secret_url(os.environ["REPLICAST_MASTER"], **facts_of(url)), url)}
    except ReplicastError as error:
        raise named(error) from None


def make_role(master: str, url: str) -> str:
    """The role's name. Both are URLs of secrets. Raises StoreError, in which no password stands."""
    secret_of.cache_clear()  # a warm function may know the secrets of yesterday
    address = parsed_address(secret_of(url)())
    user, password = str(address.username), str(address.password)
    database = Database(master, source=secret_of(master))
    deeds: dict[str, Callable[..., None]] = {"postgresql": in_postgresql, "mysql": in_mysql}
    database.perform(partial(deeds[database.kind], user=user, password=password, name=str(address.database)))
    open_store(url)
    return user


def in_postgresql(connection: sa.Connection, *, user: str, password: str, name: str) -> None:
    """The server is sent what proves the password, as its log may repeat statements, and never the password."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    known = connection.exec_driver_sql("SELECT 1 FROM pg_roles WHERE rolname = %s", (user,)).first()
    driver: Any = connection.connection.driver_connection
    verifier = driver.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()
    role, verb = quote(user), "ALTER" if known else "CREATE"
    for statement in (
        f"{verb} ROLE {role} LOGIN PASSWORD '{verifier}'",
        f"GRANT {role} TO CURRENT_USER",
        f"GRANT CONNECT, TEMPORARY ON DATABASE {quote(name)} TO {role}",
        f"GRANT USAGE, CREATE ON SCHEMA public TO {role}",
    ):
        connection.exec_driver_sql(statement)
    for (table,) in connection.exec_driver_sql(OTHERS_TABLES).all():
        connection.exec_driver_sql(f"ALTER TABLE public.{quote(table)} OWNER TO {role}")


def in_mysql(connection: sa.Connection, *, user: str, password: str, name: str) -> None:
    """PyMySQL puts quoted values in the places of `%s` itself, so that they may stand where MySQL takes no parameter.

    In a GRANT `_` and `%` are patterns.
    """
    quote = connection.dialect.identifier_preparer.quote_identifier
    pattern = quote(name.replace("_", r"\_").replace("%", r"\%")).replace("%", "%%")
    connection.exec_driver_sql("CREATE USER IF NOT EXISTS %s@'%%' IDENTIFIED BY %s REQUIRE SSL", (user, password))
    connection.exec_driver_sql("ALTER USER %s@'%%' IDENTIFIED BY %s REQUIRE SSL", (user, password))
    connection.exec_driver_sql(f"GRANT {RIGHTS} ON {pattern}.* TO %s@'%%'", (user,))
