"""Passwords that a secret keeps: read once, read again when the server refuses them, and never said."""

from __future__ import annotations

import json
import threading

import pytest

from replicast.aws.access import Aws
from replicast.aws.database import OVER_TLS, secret_url
from replicast.aws.secret import Secret, database_url, open_reachable
from replicast.core.errors import RequestError, StoreError
from replicast.stores import open_store
from replicast.stores.sql import SqlStore
from replicast.stores.sql_connections import parsed_address
from replicast.testing.stored import new_run, numbers, outcome

from .conftest import free_port
from .guarded import Guarded

RDS = {"username": "replicast", "password": "p/w@%", "engine": "postgres", "host": "db.example", "dbname": "runs"}


@pytest.fixture(params=["postgres", "mariadb"])
def guarded(request: pytest.FixtureRequest, aws: Aws) -> Guarded:
    return Guarded.create(request.getfixturevalue(request.param), aws)


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Fills as secrets are read."""
    done: list[str] = []
    real = Secret._read

    def read(secret: Secret) -> str:
        done.append(secret.arn)
        return real(secret)

    monkeypatch.setattr(Secret, "_read", read)
    return done


def test_the_secret_is_read_once_for_many_connections_and_is_in_no_url(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, run = reads(monkeypatch), new_run()
    store = open_store(guarded.store_url)
    for number in range(1, 6):
        store.save(run, [outcome(number)])
    assert numbers(open_store(store.url), run) == ([1, 2, 3, 4, 5], [])
    assert done == [guarded.arn]
    for said in (store.url, store.label, repr(store)):
        assert guarded.password not in said
        assert "s3cr3t" not in said


def test_a_secret_is_read_again_when_it_is_old(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    done = reads(monkeypatch)
    monkeypatch.setattr("replicast.aws.secret.KEPT_SECONDS", 0.0)
    store, run = open_store(guarded.store_url), new_run()
    store.save(run, [outcome(1)])
    assert len(done) > 1


@pytest.mark.long
def test_a_password_that_was_changed_is_read_again_and_nothing_is_lost(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replicast.aws.secret.READ_AGAIN_SECONDS", 0.0)
    store, run = open_store(guarded.store_url), new_run()
    for number in range(1, 4):
        store.save(run, [outcome(number)])
        guarded.change_password()
    assert numbers(store, run) == ([1, 2, 3], [])


@pytest.mark.long
def test_a_save_waits_while_the_server_has_the_new_password_and_the_secret_still_the_old_one(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replicast.aws.secret.READ_AGAIN_SECONDS", 0.0)
    store, run = open_store(guarded.store_url), new_run()
    store.save(run, [outcome(1)])
    guarded.change_password(tell=False)
    refused = threading.Event()
    real = Secret.__call__

    def call(secret: Secret, *, anew: bool = False) -> str:
        if anew:
            refused.set()
        return real(secret, anew=anew)

    monkeypatch.setattr(Secret, "__call__", call)
    saving = threading.Thread(target=store.save, args=(run, [outcome(2)]))
    saving.start()
    assert refused.wait(30)
    guarded.tell()
    saving.join(30)
    assert numbers(store, run) == ([1, 2], [])


def test_a_secret_that_stays_wrong_is_one_sentence_without_any_password(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replicast.stores.sql_connections.REFUSED_SECONDS", 0.2)
    old = guarded.password
    store = open_store(guarded.store_url)
    guarded.change_password(tell=False)
    with pytest.raises(StoreError, match=r"guarded:\*\*\*@127.0.0.1.*(authentication failed|Access denied)") as caught:
        store.runs()
    assert old not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_driver_that_repeats_a_password_is_not_believed(guarded: Guarded) -> None:
    store = open_store(guarded.store_url)
    assert isinstance(store, SqlStore)
    error = ValueError(f"connection to 'guarded:{guarded.password}' or s3cr3t%2F failed")
    said = store.database._say(error, "fatal", 0.0)
    assert guarded.password not in said
    assert "guarded:***" in said


@pytest.mark.parametrize(
    ("content", "facts", "url"),
    [
        ("postgresql://u:p@h/d\n", {}, "postgresql://u:p@h/d"),
        (json.dumps({"url": "mysql://u:p@h:3307/d"}), {}, "mysql://u:p@h:3307/d"),
        (json.dumps(RDS), {}, "postgresql://replicast:p%2Fw%40%25@db.example/runs"),
        (json.dumps(RDS | {"port": 5433}), {}, "postgresql://replicast:p%2Fw%40%25@db.example:5433/runs"),
        (json.dumps(RDS), {"host": "proxy.example", "sslmode": "require"},
         "postgresql://replicast:p%2Fw%40%25@proxy.example/runs?sslmode=require"),
        (json.dumps({"username": "a", "password": "b"}),
         {"engine": "mysql", "host": "h", "port": "3306", "database": "d"}, "mysql://a:b@h:3306/d"),
    ],
)  # fmt: skip
def test_what_a_secret_may_hold(content: str, facts: dict[str, str], url: str) -> None:
    assert database_url(content, facts, "arn") == url


@pytest.mark.parametrize(("engine", "option"), [("postgres", "sslmode"), ("mysql", "ssl")])
def test_a_made_database_is_asked_over_tls_by_either_driver(engine: str, option: str) -> None:
    address = parsed_address(database_url(json.dumps(RDS | {"engine": engine}), OVER_TLS[engine], "arn"))
    arguments = address.get_dialect()().create_connect_args(address)[1]
    assert arguments[option] in ("require", {"check_hostname": False})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("hunter22", "neither a URL nor JSON"),
        ("oracle://me:hunter22@h/d", "no URL of a database"),
        ("{hunter22", "begins like JSON and is none"),
        (json.dumps({"username": "me", "password": "hunter22"}), "lacks engine, host, database"),
        (json.dumps(RDS | {"engine": "oracle-ee", "password": "hunter22"}), "engine 'oracle-ee'"),
        (json.dumps(RDS | {"password": ""}), "lacks password"),
    ],
)
def test_a_secret_that_says_no_database_is_refused_without_repeating_it(content: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        database_url(content, {}, "arn:secret")
    assert "hunter22" not in str(caught.value)
    assert "arn:secret" in str(caught.value)


def test_a_secret_that_cannot_be_read_says_which_and_why(aws: Aws) -> None:
    arn = f"arn:aws:secretsmanager:{aws.region}:{aws.account}:secret:gone-AbCdEf"
    with pytest.raises(StoreError, match=r"gone-AbCdEf.*ResourceNotFound"):
        open_store(secret_url(arn))
    with pytest.raises(RequestError, match="is not the ARN of a secret"):
        open_store(secret_url("results"))


def test_a_database_that_does_not_answer_is_said_soon(aws: Aws) -> None:
    content = json.dumps(RDS | {"host": "127.0.0.1", "port": free_port()})
    arn = aws.client("secretsmanager").create_secret(Name="away", SecretString=content)["ARN"]
    with pytest.raises(StoreError, match=r"127.0.0.1:\d+: .*refused"):
        open_reachable(secret_url(arn))
