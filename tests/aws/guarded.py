"""A real database that asks for a password, which an emulated Secrets Manager keeps and which is changed meanwhile."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace

from servers import Mariadb, Postgres

from replicast.aws.access import Aws
from replicast.aws.database import secret_url
from replicast.aws.settings import Settings

from .conftest import SMALL

USER = "guarded"


@dataclass
class Guarded:
    """A database of its own in a server, the role that owns it, and the secret with that role's password."""

    server: Postgres | Mariadb
    aws: Aws
    name: str
    arn: str = ""
    password: str = ""

    @classmethod
    def create(cls, server: Postgres | Mariadb, aws: Aws, name: str = "", *, master: bool = False) -> Guarded:
        """A `master` may make roles too, as RDS's master user may, and is no superuser either."""
        if name:
            server.execute(f"CREATE DATABASE {name}")
        found = cls(server, aws, name or server.new_database().rpartition("/")[2])
        if isinstance(server, Postgres):
            server.execute(f"DO $$ BEGIN CREATE ROLE {USER} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
            server.execute(f"ALTER DATABASE {found.name} OWNER TO {USER}")
            server.execute(f"ALTER ROLE {USER} {'CREATEROLE' if master else 'NOCREATEROLE'}")
        else:
            server.execute(f"CREATE USER IF NOT EXISTS {USER}")
            server.execute(f"GRANT ALL ON {found.name}.* TO {USER}" + " WITH GRANT OPTION" * master)
            server.execute(f"GRANT CREATE USER ON *.* TO {USER}" if master else f"GRANT USAGE ON *.* TO {USER}")
        found.change_password(tell=False)
        created = aws.client("secretsmanager").create_secret(Name=f"results-{found.name}", SecretString=found.content)
        found.arn = created["ARN"]
        return found

    @property
    def engine(self) -> str:
        return "postgres" if isinstance(self.server, Postgres) else "mysql"

    def change_password(self, *, tell: bool = True) -> None:
        """Another password, in the server at once, and in the secret as soon as it is told."""
        self.password = f"s3cr3t/{secrets.token_hex(8)}@%:?"
        if isinstance(self.server, Postgres):
            self.server.execute(f"ALTER ROLE {USER} PASSWORD '{self.password}'")
        else:
            self.server.execute(f"ALTER USER {USER} IDENTIFIED BY '{self.password}'")
        if tell:
            self.tell()

    @property
    def content(self) -> str:
        """As RDS keeps it."""
        return json.dumps({
            "username": USER, "password": self.password, "engine": self.engine, "host": "127.0.0.1",
            "port": self.server.port, "dbname": self.name,
        })  # fmt: skip

    def tell(self) -> None:
        self.aws.client("secretsmanager").put_secret_value(SecretId=self.arn, SecretString=self.content)

    @property
    def store_url(self) -> str:
        return secret_url(self.arn)

    @property
    def settings(self) -> Settings:
        return replace(SMALL, database=self.store_url, database_secret=self.arn)

    @property
    def trusted_url(self) -> str:
        """As somebody sees it whom the server asks for no password."""
        return self.server.url(self.name)

    def connections(self) -> int:
        """How many connections the role holds at this moment."""
        query = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{USER}'"
        if isinstance(self.server, Mariadb):
            query = f"SELECT count(*) FROM information_schema.processlist WHERE user = '{USER}'"
        return int(self.server.execute(query)[0][0])
