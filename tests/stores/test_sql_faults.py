"""Databases that are away, full, locked, restarted or not ours: nothing is lost, and what is said is one sentence."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from arro3.core import Array, DataType, Table
from servers import Mariadb, Postgres, Server, free_port

from replicast.core.errors import StoreError
from replicast.core.replication import Outcome
from replicast.stores import open_store, sql_connections
from replicast.stores.sql import SqlStore
from replicast.testing.stored import new_run, numbers, outcome, stored

SERVERS = {"postgresql": Postgres, "mysql": Mariadb}
LIMIT_SECONDS = 60


@pytest.fixture(params=SERVERS)
def own_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    server: Server = SERVERS[request.param]()
    yield server
    server.close()


def batch(first: int, size: int = 5, rows: int = 20) -> list[Outcome]:
    table = Table.from_pydict({"x": Array([i / 7 for i in range(rows)], DataType.float64())})
    return [Outcome("base", i, 0.1, {"value": i / 3}, {"patients": table}) for i in range(first, first + size)]


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < give_up, "what was waited for did not happen"


@pytest.mark.long
def test_nothing_is_lost_when_the_server_crashes_under_savers(own_server: Postgres | Mariadb) -> None:
    url, run = own_server.new_database(), new_run()
    open_store(url).write(run, "run.json", b"{}")
    batches_saved = threading.Semaphore(0)

    def save(place: int) -> None:
        store = open_store(url)
        for number in range(25):
            store.save(run, batch(1 + 5 * (25 * place + number)))
            batches_saved.release()

    with ThreadPoolExecutor(4) as threads:
        savers = [threads.submit(save, place) for place in range(4)]
        for _ in range(3):
            for _ in range(8):
                assert batches_saved.acquire(timeout=LIMIT_SECONDS)
            own_server.crash()
            own_server.start()
        for saver in savers:
            saver.result(timeout=LIMIT_SECONDS)
    everything = list(range(1, 501))
    assert numbers(open_store(url), run) == (everything, [])
    assert stored(open_store(url), run)["replication"] == everything
    assert stored(open_store(url), run, "patients")["replication"] == [i for i in everything for _ in range(20)]


@pytest.mark.long
@pytest.mark.parametrize("kind", SERVERS)
def test_two_hundred_writers_share_a_handful_of_connections(kind: str) -> None:
    server: Postgres | Mariadb = SERVERS[kind](connections=15)
    try:
        url, run = server.new_database(), new_run()
        open_store(url).save(run, batch(10_001))
        idle = [server.connect() for _ in range(8)]

        def save(place: int) -> None:
            store = open_store(url)
            store.save(run, batch(1 + 10 * place))
            store.save(run, batch(6 + 10 * place))

        with ThreadPoolExecutor(200) as threads:
            list(threads.map(save, range(200)))
        for connection in idle:
            connection.close()
        ok, failed = numbers(open_store(url), run)
        assert (ok, failed) == ([*range(1, 2001), *range(10_001, 10_006)], [])
        assert len(stored(open_store(url), run, "patients")["x"]) == 20 * len(ok)
    finally:
        server.close()


def test_a_server_that_another_process_reached_is_waited_for_where_one_that_nobody_saw_is_not(
    own_server: Postgres | Mariadb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sql_connections.FIRST_WAIT_SECONDS, "away", 0.1)
    url, run = own_server.new_database(), new_run()
    open_store(url).write(run, "run.json", b"{}")
    own_server.crash()
    with pytest.raises(StoreError, match="tried for"):
        open_store(url).save(run, batch(1))
    coming_back = threading.Timer(0.5, own_server.start)
    coming_back.start()
    open_store(url, reached=True).save(run, batch(1))
    coming_back.join()
    assert numbers(open_store(url), run) == ([1, 2, 3, 4, 5], [])


def forward(source: socket.socket, target: socket.socket) -> None:
    """What one says to the other, until one of them hangs up."""
    with contextlib.suppress(OSError):
        while content := source.recv(1 << 16):
            target.sendall(content)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def silent_at_first(port: int) -> Iterator[int]:
    """A port before another; the first caller is let in and hears nothing, as from a server with too many callers."""
    kept: list[socket.socket] = []

    def serve(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                kept.append(listening.accept()[0])
                if len(kept) > 1:
                    caller, server = kept[-1], socket.create_connection(("127.0.0.1", port))
                    kept.append(server)
                    for pair in ((caller, server), (server, caller)):
                        threading.Thread(target=forward, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=[listening], daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    for one in kept:
        one.close()


def test_a_server_that_lets_in_and_never_greets_is_asked_again_and_may_take_its_time_to_answer(
    mariadb: Mariadb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_connections, "GREETING_SECONDS", 1)
    with silent_at_first(mariadb.port) as port:
        store, run = SqlStore(mariadb.new_database().replace(str(mariadb.port), str(port))), new_run()
        store.save(run, batch(1))
        assert store.database.perform(lambda c: c.exec_driver_sql("SELECT SLEEP(1.5)").scalar()) == 0
        assert numbers(store, run) == ([1, 2, 3, 4, 5], [])


@pytest.mark.parametrize("scheme", SERVERS)
def test_a_server_that_is_not_there_is_one_sentence(scheme: str) -> None:
    port = free_port()
    store = SqlStore(f"{scheme}://modeller:hunter22@127.0.0.1:{port}/results", wait_seconds=0.1)
    with pytest.raises(
        StoreError, match=rf"'{scheme}://modeller:\*\*\*@127.0.0.1:{port}/results' failed.*refused"
    ) as caught:
        store.runs()
    assert caught.value.exit_code == 3
    assert "hunter22" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_password_is_said_once_and_never_echoed(postgres: Postgres, mariadb: Mariadb) -> None:
    url = postgres.new_database()
    postgres.execute("DROP ROLE IF EXISTS guarded")
    postgres.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
    with pytest.raises(StoreError, match="password authentication failed") as caught:
        open_store(url.replace("root@", "guarded:hunter22@")).write("r", "run.json", b"")
    assert "hunter22" not in str(caught.value)
    assert "tried for" not in str(caught.value)
    url = mariadb.new_database()
    mariadb.execute("CREATE OR REPLACE USER guarded IDENTIFIED BY 'right'")
    with pytest.raises(StoreError, match="Access denied for user 'guarded'") as caught:
        open_store(url.replace("root@", "guarded:hunter22@")).write("r", "run.json", b"")
    assert "hunter22" not in str(caught.value)


def test_a_password_in_the_query_of_a_url_is_hidden_as_well() -> None:
    store = SqlStore("postgresql://db.example/results?user=me&password=hunter22")
    assert "hunter22" not in store.label
    assert "hunter22" not in store.database._say(ValueError("no route for hunter22"), "fatal", 0.0)


def test_missing_rights_are_said(postgres: Postgres, mariadb: Mariadb) -> None:
    postgres.execute("DROP ROLE IF EXISTS reader")
    postgres.execute("CREATE ROLE reader LOGIN")
    with pytest.raises(StoreError, match="permission denied for schema public"):
        open_store(postgres.new_database().replace("root@", "reader@")).write("r", "run.json", b"")
    mariadb.execute("CREATE OR REPLACE USER reader")
    url = mariadb.new_database()
    mariadb.execute(f"GRANT SELECT ON {url.rpartition('/')[2]}.* TO reader")
    with pytest.raises(StoreError, match="CREATE command denied"):
        open_store(url.replace("root@", "reader@")).write("r", "run.json", b"")


def test_a_reader_needs_no_right_to_write(tmp_path: Path, postgres: Postgres) -> None:
    run, file = new_run(), tmp_path / "runs.db"
    open_store(f"sqlite:///{file}").save(run, [outcome(1)])
    assert numbers(open_store(f"sqlite:///file:{file}?mode=ro&uri=true"), run) == ([1], [])
    url = postgres.new_database()
    open_store(url).save(run, [outcome(1)])
    postgres.execute("DROP ROLE IF EXISTS analyst")
    postgres.execute("CREATE ROLE analyst LOGIN")
    postgres.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO analyst", url.rpartition("/")[2])
    assert numbers(open_store(url.replace("root@", "analyst@")), run) == ([1], [])


def test_savers_wait_for_a_lock_that_another_connection_holds(postgres: Postgres) -> None:
    url, run = postgres.new_database(), new_run()
    store, database = open_store(url), url.rpartition("/")[2]
    store.save(run, [outcome(1)])
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with postgres.connect(database) as holder, ThreadPoolExecutor(1) as threads:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE replications IN ACCESS EXCLUSIVE MODE")
        saver = threads.submit(store.save, run, [outcome(2)])
        until(lambda: postgres.execute(waiting, database)[0][0] == 1)
        assert not saver.done()
        holder.execute("COMMIT")
        saver.result(timeout=LIMIT_SECONDS)
    assert numbers(store, run) == ([1, 2], [])


def test_a_lock_that_is_never_let_go_ends_in_an_error(
    tmp_path: Path, postgres: Postgres, mariadb: Mariadb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_connections, "LOCK_SECONDS", 1)
    run = new_run()
    url = postgres.new_database()
    store = SqlStore(url, wait_seconds=0.5)
    store.save(run, [outcome(1)])
    with postgres.connect(url.rpartition("/")[2]) as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE metric_values IN EXCLUSIVE MODE")
        with pytest.raises(StoreError, match=r"tried for.*lock timeout"):
            store.save(run, [outcome(2)])
    url = mariadb.new_database()
    store = SqlStore(url, wait_seconds=0.5)
    store.save(run, [outcome(1)])
    with mariadb.connect(url.rpartition("/")[2]) as holder, holder.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM replications FOR UPDATE")
        with pytest.raises(StoreError, match=r"tried for.*Lock wait timeout"):
            store.save(run, [outcome(2)])
    store = SqlStore(f"sqlite:///{tmp_path / 'runs.db'}", wait_seconds=0.5)
    store.save(run, [outcome(1)])
    holder = sqlite3.connect(tmp_path / "runs.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"tried for.*database is locked"):
        store.save(run, [outcome(2)])
    holder.close()
    store.save(run, [outcome(2)])
    assert numbers(store, run) == ([1, 2], [])


@pytest.mark.long
def test_a_full_disk_keeps_what_was_saved_and_nothing_half(own_server: Postgres | Mariadb) -> None:
    own_server.restart(most_bytes=20 << 20)
    url, run = own_server.new_database(), new_run()
    store = open_store(url)
    store.save(run, batch(1, rows=1))
    with pytest.raises(StoreError, match=r"'.*' failed: .*(File too large|is full)"):
        for first in range(6, 2000, 5):
            store.save(run, batch(first, rows=20_000))
    own_server.crash()
    own_server.start()
    ok, failed = numbers(store, run)
    assert failed == []
    assert len(ok) % 5 == 0
    assert len(stored(store, run, "patients")["x"]) == 5 + 20_000 * (len(ok) - 5)
    store.save(run, batch(ok[-1] + 1))
    assert numbers(store, run)[0] == list(range(1, ok[-1] + 6))


def test_a_full_disk_of_a_file_is_said(tmp_path: Path) -> None:
    run = new_run()
    store = SqlStore(f"sqlite:///{tmp_path / 'runs.db'}")
    store.save(run, batch(1, rows=1))

    def limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 100")

    sql_connections.sa.event.listen(store.database.engine, "connect", limit)
    with pytest.raises(StoreError, match="database or disk is full"):
        for first in range(6, 2000, 5):
            store.save(run, batch(first, rows=2000))
    sql_connections.sa.event.remove(store.database.engine, "connect", limit)
    ok, _ = numbers(store, run)
    assert len(stored(store, run)["value"]) == len(ok)
    store.save(run, batch(ok[-1] + 1))


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database, " * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        open_store(f"sqlite:///{tmp_path / 'notes.txt'}").write("r", "run.json", b"")
    with pytest.raises(StoreError, match="unable to open database file"):
        open_store(f"sqlite:///{tmp_path}").runs()
