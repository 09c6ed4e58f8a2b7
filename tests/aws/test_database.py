"""A stack whose results go to a database: the password stands in a secret, and nowhere else."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from servers import Postgres

from replicast.aws.access import Aws
from replicast.aws.secret import secret_url
from replicast.aws.stack import Settings, StackState
from replicast.runs import Run
from replicast.stores import open_store

from .conftest import SMALL, Deploy
from .test_by_hand import MODEL, execute, give_model


@dataclass
class Guarded:
    """A PostgreSQL database that asks for a password, and the secret that holds it."""

    server: Postgres
    aws: Aws
    name: str
    arn: str = ""
    password: str = ""

    def change_password(self, *, tell: bool = True) -> None:
        """Another password, in the server at once, and in the secret as soon as it is told."""
        self.password = f"s3cr3t/{secrets.token_hex(8)}@%"
        self.server.execute(f"ALTER ROLE guarded PASSWORD '{self.password}'")
        if tell:
            self.tell()

    @property
    def content(self) -> str:
        return json.dumps({
            "username": "guarded", "password": self.password, "engine": "postgres", "host": "127.0.0.1",
            "port": self.server.port, "dbname": self.name,
        })  # fmt: skip

    def tell(self) -> None:
        self.aws.client("secretsmanager").put_secret_value(SecretId=self.arn, SecretString=self.content)

    @property
    def settings(self) -> Settings:
        return Settings(**{n: getattr(SMALL, n) for n in ("runtime", "architecture", "memory", "seconds")},
                        concurrency=2, database=secret_url(self.arn), database_secret=self.arn)  # fmt: skip

    @property
    def url(self) -> str:
        """As seen by somebody whom the server trusts."""
        return self.server.url(self.name)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def guarded(postgres: Postgres, aws: Aws) -> Guarded:
    name = postgres.new_database().rpartition("/")[2]
    postgres.execute("DO $$ BEGIN CREATE ROLE guarded LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    postgres.execute(f"ALTER DATABASE {name} OWNER TO guarded")
    found = Guarded(postgres, aws, name)
    found.change_password(tell=False)
    created = aws.client("secretsmanager").create_secret(Name="results", SecretString=found.content)
    found.arn = created["ARN"]
    return found


@pytest.fixture
def stack(deploy: Deploy, guarded: Guarded) -> StackState:
    return deploy(settings=guarded.settings)


def test_ten_repetitions_end_with_the_aggregate_in_the_database_and_the_bytes_of_a_run_at_home(
    aws: Aws, stack: StackState, guarded: Guarded, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    home = give_model(aws, stack, write_model(MODEL), tmp_path / "home", replications=10, seed=42)
    ended = execute(aws, stack, repetitions=10, seed=42)
    assert ended["status"] == "SUCCEEDED", ended
    output = json.loads(ended["output"])
    expected = Run(home.store, home.record.id).summary().to_dicts()
    rows = guarded.server.execute("SELECT metric, n, mean, half_width FROM summary ORDER BY position", guarded.name)
    assert rows == [tuple(row[key] for key in ("metric", "n", "mean", "half_width")) for row in expected]
    stored = guarded.server.execute("SELECT count(*) FROM replications WHERE state = 'ok'", guarded.name)
    assert stored == [(10,)]
    for path in sorted((tmp_path / "home" / "tables").iterdir()):
        assert aws.store(f"s3://{stack.bucket}/runs").read(output["run"], f"collated/{path.name}") == path.read_bytes()
    run = Run(open_store(guarded.url), output["run"])
    assert run.collate(tmp_path / "again").files.keys() == {"metrics", "waits", "summary"}
    assert (tmp_path / "again" / "waits.csv").read_bytes() == (tmp_path / "home" / "tables" / "waits.csv").read_bytes()
