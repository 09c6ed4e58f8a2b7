"""A database whose certificate is verified: real servers over TLS, signed by authorities of the tests' own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from servers import Authority, Mariadb, Postgres

from replicast.aws import certificates, commands
from replicast.aws.access import Aws
from replicast.aws.bucket import bucket_exists
from replicast.aws.certificates import amazons_roots, authorities, checked, fetched, organisation, with_fact
from replicast.aws.database import Wanted, secret_url
from replicast.aws.settings import Settings
from replicast.aws.stack import Stack
from replicast.aws.verification import local_copy
from replicast.core.errors import RequestError, StoreError
from replicast.stores import open_store
from replicast.testing.stored import new_run, numbers, outcome

from .conftest import SMALL, Deploy
from .guarded import USER, Guarded
from .test_by_hand import MODEL, execute, give_model
from .test_permissions import allowed, role_of

Server = Postgres | Mariadb
KINDS = {"postgres": Postgres, "mariadb": Mariadb}


@pytest.fixture(scope="module", params=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    found = KINDS[request.param](tls=True)
    yield found
    found.close()


@pytest.fixture
def guarded(server: Server, aws: Aws) -> Guarded:
    found = Guarded.create(server, aws)
    if isinstance(server, Mariadb):
        server.execute(f"ALTER USER {USER} REQUIRE SSL")
    return found


def kept(aws: Aws, authority: Path | None) -> str:
    """The name of a file of authorities in a stack's bucket."""
    assert authority is not None
    stack = Stack(aws)
    if not bucket_exists(aws, stack.bucket_name):
        aws.client("s3").create_bucket(
            Bucket=stack.bucket_name, CreateBucketConfiguration={"LocationConstraint": aws.region}
        )
    settings, _ = certificates.with_authorities(
        stack, stack.state(), Settings(database=secret_url("arn")), str(authority)
    )
    return f"s3://{stack.bucket_name}/{settings.database_authorities}"


def test_a_store_is_opened_where_authority_and_name_are_right(aws: Aws, server: Server, guarded: Guarded) -> None:
    store = open_store(with_fact(guarded.store_url, kept(aws, server.authority)))
    run = new_run()
    store.save(run, [outcome(1)])
    assert numbers(open_store(store.url), run) == ([1], [])
    assert "authorities=" in store.url


def test_a_server_with_a_certificate_of_another_authority_is_refused_at_once(
    aws: Aws, guarded: Guarded, tmp_path: Path
) -> None:
    another = Authority(tmp_path / "another").file
    with pytest.raises(StoreError, match="certificate verify failed") as refused:
        open_store(with_fact(guarded.store_url, kept(aws, another)))
    assert guarded.password not in str(refused.value)
    assert "tried for" not in str(refused.value)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_server_of_another_name_is_refused(aws: Aws, kind: str) -> None:
    server = KINDS[kind](tls=True, names="DNS:another.example")
    try:
        guarded = Guarded.create(server, aws)
        with pytest.raises(StoreError, match=r"does not match host name|certificate is not valid for '127.0.0.1'"):
            open_store(with_fact(guarded.store_url, kept(aws, server.authority)))
    finally:
        server.close()


def test_a_secret_that_says_how_to_connect_is_verified_all_the_same(aws: Aws, server: Server, guarded: Guarded) -> None:
    loose = {"postgresql": "?sslmode=disable", "mysql": "?ssl_check_hostname=false"}
    kind = "postgresql" if isinstance(server, Postgres) else "mysql"
    url = f"{kind}://{USER}:{quote(guarded.password, safe='')}@127.0.0.1:{server.port}/{guarded.name}{loose[kind]}"
    aws.client("secretsmanager").put_secret_value(SecretId=guarded.arn, SecretString=url)
    open_store(with_fact(guarded.store_url, kept(aws, server.authority)))


def test_a_file_of_authorities_that_was_replaced_is_refused(aws: Aws, server: Server, tmp_path: Path) -> None:
    file = kept(aws, server.authority)
    bucket, _, key = file.removeprefix("s3://").partition("/")
    aws.client("s3").put_object(Bucket=bucket, Key=key, Body=Authority(tmp_path / "x").file.read_bytes())
    with pytest.raises(StoreError, match="is not what was put there"):
        local_copy(file, aws.account, aws.region)


@pytest.mark.long
def test_a_stack_verifies_its_database_and_with_another_authority_no_run_begins(
    aws: Aws, server: Server, guarded: Guarded, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    def deploy(authority: Path | None, secret: str | None = guarded.arn) -> commands.Deployed:
        wanted = Wanted(secret=secret, authorities=str(authority) if authority else None)
        return commands.deploy(
            aws, contents=commands.Contents(dependencies=False), settings=SMALL, wanted=wanted, poll_seconds=0.1
        )

    loud = [note for note in deploy(None).notes if "CERTIFICATE IS NOT VERIFIED" in note]
    assert len(loud) == 1
    done = deploy(server.authority)
    assert not [note for note in done.notes if "NOT VERIFIED" in note]
    key = done.state.parameters["DatabaseAuthorities"]
    for name in commands.FUNCTIONS:
        role, root = role_of(aws, f"replicast-{name}"), f"arn:aws:s3:::{done.state.bucket}"
        assert allowed(aws, role, "s3:GetObject", f"{root}/{key}")
        assert not allowed(aws, role, "s3:PutObject", f"{root}/{key}")
    give_model(aws, done.state, write_model(MODEL), tmp_path / "home", replications=10, seed=42)
    ended = execute(aws, done.state, repetitions=10, seed=42)
    assert ended["status"] == "SUCCEEDED", ended
    # A deploy that says nothing of the database leaves it as it is, and so does one that names it again.
    assert deploy(None, None).state.parameters["Database"] == done.state.parameters["Database"]
    assert deploy(None).state.parameters["Database"] == done.state.parameters["Database"]
    state = deploy(Authority(tmp_path / "another").file).state
    failed = execute(aws, state, repetitions=10, seed=43)
    assert failed["status"] == "FAILED"
    assert "certificate verify failed" in failed["cause"]
    assert guarded.server.execute("SELECT count(*) FROM replications", guarded.name) == [(10,)]
    none = commands.deploy(
        aws, contents=commands.Contents(dependencies=False), settings=SMALL, wanted=Wanted(engine="none"),
        poll_seconds=0.1,
    )  # fmt: skip
    assert none.state.parameters["DatabaseAuthorities"] == ""
    assert not [note for note in none.notes if "NOT VERIFIED" in note]


def test_authorities_without_a_database_are_refused(aws: Aws, deploy: Deploy, tmp_path: Path) -> None:
    state = deploy()
    with pytest.raises(RequestError, match="--database-ca is of results in a database"):
        certificates.with_authorities(Stack(aws), state, SMALL, str(tmp_path / "x.pem"))
    with pytest.raises(RequestError, match="there is no file"):
        certificates.with_authorities(
            Stack(aws), state, replace(SMALL, database=secret_url("arn")), str(tmp_path / "x.pem")
        )


def test_what_is_published_is_taken_with_amazons_roots_if_it_is_amazons(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "is_here", lambda _aws: False)

    def publish(content: bytes) -> None:
        (tmp_path / "bundle.pem").write_bytes(content)
        monkeypatch.setitem(certificates.PUBLISHED, "aws", (tmp_path / "bundle.pem").as_uri())

    ours = Authority(tmp_path / "a", "Amazon Web Services, Inc.").file.read_bytes()
    publish(ours)
    content, why = fetched(aws)
    assert (content.startswith(ours), why) == (True, "")
    assert len(authorities(content)) == 1 + len(authorities(amazons_roots()))
    publish(ours + Authority(tmp_path / "b", "Somebody").file.read_bytes())
    content, why = fetched(aws)
    assert content == b""
    assert "a certificate of 'Somebody'" in why
    publish(b"<html>Forbidden</html>")
    assert "holds no certificates" in fetched(aws)[1]
    (tmp_path / "bundle.pem").unlink()
    assert "No such file" in fetched(aws)[1]


def test_the_roots_of_a_proxys_certificate_are_among_those_that_boto3_trusts() -> None:
    found = authorities(amazons_roots())
    assert {organisation(one) for one in found} == {"Amazon"}
    names = {value for one in found for part in one["subject"] for key, value in part if key == "commonName"}
    assert {f"Amazon Root CA {number}" for number in (1, 2, 3, 4)} <= names


def test_authorities_that_have_all_expired_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = Authority(tmp_path / "a").file.read_bytes()
    assert checked(content, "a.pem") == content
    later = time.time() + 3 * 86_400
    monkeypatch.setattr(certificates.time, "time", lambda: later)
    with pytest.raises(RequestError, match=r"every certificate in 'a\.pem' has expired"):
        checked(content, "a.pem")


def test_in_an_emulator_nothing_is_fetched_and_that_is_said(aws: Aws) -> None:
    content, why = fetched(aws)
    assert (content, "emulator" in why) == (b"", True)
    url = secret_url("arn", host="h", engine="postgres")
    _, said = certificates.with_authorities(Stack(aws), Stack(aws).state(), Settings(database=url), None)
    assert "NOT VERIFIED" in said
    assert "--database-ca FILE" in said
