"""A database whose URL, or user name and password, a secret of Secrets Manager holds.

    aws-secret:///ARN?engine=postgresql&host=db.example&port=5432&database=replicast&sslmode=require

names such a database to other processes; no password is in it. The secret is either a whole URL (as plain text, or as
{"url": …}), or JSON as RDS keeps it: username, password and, where the query does not say them, engine, host, port and
dbname. Where the query names `authorities`, s3://BUCKET/code/DIGEST.pem, the server's certificate is verified by them.
"""

from __future__ import annotations

import functools
import json
import socket
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from replicast.core.errors import RequestError, StoreError
from replicast.stores import StoreKind
from replicast.stores.sql import SqlStore
from replicast.stores.sql_connections import parsed_address

from .access import Aws, error_code, error_message
from .database import SCHEME
from .verification import AUTHORITIES, local_copy, verified

KEPT_SECONDS = 600.0
"""A secret is read again after so long; sooner, if the server does not take its password any more."""

READ_AGAIN_SECONDS = 0.5
"""Several connections that are refused at once ask for the secret once."""

ENGINES = {
    "postgres": "postgresql", "postgresql": "postgresql", "aurora-postgresql": "postgresql",
    "mysql": "mysql", "mariadb": "mysql", "aurora-mysql": "mysql", "aurora": "mysql",
}  # fmt: skip
PORTS = {"postgresql": 5432, "mysql": 3306}
AWAY_SECONDS = 300.0
"""An instance of RDS that is patched or restarts is back after a minute or three."""

REACH_SECONDS = 3.0
"""A database in a private network does not answer from outside, and does not refuse either."""

OWN_KEYS = ("engine", "host", "port", "database")


def open_store(url: str) -> SqlStore:
    """The store in the database that `url` names, once it was reached. Raises RequestError, StoreError.

    A worker learns before its first replication, and not after it, that it has nowhere to save.
    """
    store = SqlStore(url, wait_seconds=AWAY_SECONDS, source=secret_of(url))
    store.reach()
    return store


def open_reachable(url: str) -> SqlStore:
    """As `open_store`; raises StoreError soon where the database cannot be reached from this machine."""
    store = SqlStore(url, wait_seconds=AWAY_SECONDS, source=secret_of(url))
    address = store.database.address
    where = (address.host or "localhost", address.port or PORTS.get(store.database.kind, 0))
    try:
        socket.create_connection(where, timeout=REACH_SECONDS).close()
    except OSError as error:
        raise StoreError(f"{where[0]}:{where[1]}: {error}") from None
    store.reach()
    return store


@functools.cache
def secret_of(url: str) -> Secret:
    """One for all stores of a process, so that it is read once."""
    arn, _, query = url.removeprefix(f"{SCHEME}://").lstrip("/").partition("?")
    return Secret(arn, dict(parse_qsl(query)))


class Secret:
    """Fulfils `stores.sql_connections.AddressSource`."""

    def __init__(self, arn: str, facts: Mapping[str, str]) -> None:
        if len(arn.split(":")) < 7 or not arn.startswith("arn:"):
            raise RequestError(f"'{arn}' is not the ARN of a secret: arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME")
        self.arn, self.facts = arn, dict(facts)
        self._url, self._read_at = "", 0.0

    def __call__(self, *, anew: bool = False) -> str:
        age = time.monotonic() - self._read_at
        if not self._url or age > (READ_AGAIN_SECONDS if anew else KEPT_SECONDS):
            self._url = self._verified(database_url(self._read(), self._said, self.arn))
            self._read_at = time.monotonic()
        return self._url

    @property
    def _said(self) -> dict[str, str]:
        return {name: value for name, value in self.facts.items() if name != AUTHORITIES}

    def _verified(self, url: str) -> str:
        file, (_, _, _, region, account, *_) = self.facts.get(AUTHORITIES), self.arn.split(":")
        return verified(url, local_copy(file, account, region)) if file else url

    @functools.cached_property
    def _client(self) -> Any:
        return Aws(region=self.arn.split(":")[3]).client("secretsmanager")

    def _read(self) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            found = self._client.get_secret_value(SecretId=self.arn)
        except ClientError as error:
            raise StoreError(f"cannot read '{self.arn}': {error_code(error)}: {error_message(error)}") from None
        except BotoCoreError as error:
            raise StoreError(f"cannot read '{self.arn}': {error}") from None
        if "SecretString" not in found:
            raise StoreError(f"'{self.arn}' holds bytes; it has to hold text: {WANTED}")
        return str(found["SecretString"])


WANTED = 'a URL such as postgresql://USER:PASSWORD@HOST/DATABASE, or {"username": …, "password": …, "host": …}'


def database_url(text: str, facts: Mapping[str, str], name: str) -> str:
    """The URL of the database. Raises StoreError, in which nothing of the secret stands."""
    content = _content(text, name)
    if isinstance(content, str):
        try:
            parsed_address(content)
        except RequestError:
            raise StoreError(f"'{name}' holds no URL of a database; it has to hold {WANTED}") from None
        return content
    said = {"database": content.get("dbname") or content.get("database", "")}
    said |= {key: str(content[key]) for key in OWN_KEYS if content.get(key)} | dict(facts)
    missing = [key for key in ("username", "password") if not content.get(key)]
    missing += [key for key in ("engine", "host", "database") if not said.get(key)]
    if missing:
        raise StoreError(f"'{name}' lacks {', '.join(missing)}; it has to hold {WANTED}")
    if said["engine"] not in ENGINES:
        raise StoreError(f"'{name}' is of engine '{said['engine']}', and replicast knows {', '.join(ENGINES)}")
    user, password = (quote(str(content[key]), safe="") for key in ("username", "password"))
    port = f":{said['port']}" if said.get("port") else ""
    rest = {key: value for key, value in said.items() if key not in OWN_KEYS}
    query = f"?{urlencode(rest)}" if rest else ""
    database = quote(said["database"], safe="")
    return f"{ENGINES[said['engine']]}://{user}:{password}@{said['host']}{port}/{database}{query}"


def _content(text: str, name: str) -> str | dict[str, Any]:
    """A URL, or what JSON says."""
    text = text.strip()
    if not text.startswith("{"):
        if "://" in text:
            return text
        raise StoreError(f"'{name}' holds neither a URL nor JSON; it has to hold {WANTED}")
    try:
        content: dict[str, Any] = json.loads(text)
    except ValueError:
        raise StoreError(f"'{name}' begins like JSON and is none; it has to hold {WANTED}") from None
    url = content.get("url")
    return str(url) if url else content


def open_secret(url: str, *, reached: bool = False) -> SqlStore:  # noqa: ARG001 - it is waited for in any case
    return open_store(url)


KIND = StoreKind(open_secret)
