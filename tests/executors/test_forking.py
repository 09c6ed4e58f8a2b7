"""Workers that are forked from a process which has loaded their modules, and what a fork must not hand on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import replicast
from replicast import Run
from replicast.cli import early
from replicast.executors import pool as pools
from replicast.executors.forking import Zygote
from replicast.executors.pool import Pool
from replicast.executors.surroundings import POOL_VARIABLE, WORKER_VARIABLE
from replicast.machine.forks import can_fork
from replicast.machine.processes import THIS_SYSTEM

pytestmark = pytest.mark.skipif(not can_fork(), reason="workers are forked on Linux")
Write = Callable[..., Path]


def run(path: Path, n: int, **options: Any) -> Run:
    return replicast.run(str(path), n=n, seed=1, store=str(path.parent.parent / "runs"), **options)


# Descriptors of the store (its event loop, parts that are being written) are there after the first save alone.
ABOUT_ITSELF = """
import os, random, sys, time
from pathlib import Path
import numpy as np
FIRST = np.random.get_state()[1][:4].sum() % 2**53
def simulate(rng, meet):
    Path(meet, str(os.getpid())).touch()
    until = time.monotonic() + 20
    while len(os.listdir(meet)) < 2 and time.monotonic() < until: time.sleep(.01)
    parent, session = os.getppid(), os.getsid(0)
    return {"pid": os.getpid(), "parent": parent, "session": session, "group": os.getpgid(0), "global": float(FIRST),
            "hash": hash("a"), "cores": int(os.environ["OPENBLAS_NUM_THREADS"]), "x": rng.random(),
            "of_user": sum(path == os.environ.get("USERS") for path in sys.path),
            "open": sum("anon_inode:" not in path and "/parts/" not in path for path in opened())}

def opened():
    for number in os.listdir("/proc/self/fd"):
        try: yield os.readlink(f"/proc/self/fd/{number}")
        except OSError: pass
"""


@pytest.fixture
def answers(write_model: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    def asked() -> list[dict[str, Any]]:
        meet = tmp_path / f"meet-{time.monotonic_ns()}"
        meet.mkdir()
        monkeypatch.setenv("USERS", str(Path.cwd()))
        finished = run(write_model(ABOUT_ITSELF), 6, params={"meet": str(meet)}, workers=2, streams="own")
        rows = finished.metrics().pl().rows(named=True)
        return list({row["pid"]: row for row in rows}.values())

    return asked


def test_workers_are_forked_from_one_process_into_sessions_of_their_own(
    answers: Callable[[], list[dict[str, Any]]],
) -> None:
    a, b = answers()
    assert a["parent"] == b["parent"] != os.getpid()
    assert a["session"] == a["group"] == a["pid"] != b["pid"] == b["session"]
    assert not psutil.pid_exists(int(a["parent"]))


def test_forked_workers_have_what_started_ones_have_and_nothing_random_in_common(
    answers: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    forked = answers()
    monkeypatch.setattr(pools, "can_fork", lambda: False)
    started = answers()
    assert {row["parent"] for row in started} == {os.getpid()}
    for name in ("hash", "cores", "of_user", "open"):
        assert len({row[name] for row in [*forked, *started]}) == 1, name
    assert len({row["global"] for row in [*forked, *started]}) == 4
    assert forked[0]["of_user"] == 0


def test_the_numbers_are_those_of_workers_that_are_started_by_themselves(
    write_model: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_model("import random\ndef simulate(rng):\n    return {'a': rng.random(), 'b': random.random()}\n")
    forked = run(model, 40, workers=2).metrics().pl()
    monkeypatch.setattr(pools, "can_fork", lambda: False)
    assert forked.rows() == run(model, 40, workers=2).metrics().pl().rows()


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(workers=2) as opened:
        opened.warm_up(2)
        yield opened


def test_a_worker_is_found_by_its_own_name_in_the_environment_that_others_read(pool: Pool) -> None:
    for process in pool.processes:
        wait_until(lambda pid=process.process.pid: THIS_SYSTEM.environment(pid)[WORKER_VARIABLE].endswith(("1", "2")))
        shown = THIS_SYSTEM.environment(process.process.pid)
        assert shown[WORKER_VARIABLE] == process.token
        assert shown[POOL_VARIABLE] == pool.token
    assert pool.processes[0].token != pool.processes[1].token


def test_the_process_that_is_forked_has_one_thread_and_nothing_heavy(pool: Pool) -> None:
    assert pool.zygote is not None
    assert pool.processes[1].process.pid
    asked = psutil.Process(pool.zygote.pid)
    assert asked.num_threads() == 1
    mapped = {Path(one.path).name.split(".")[0] for one in asked.memory_maps()}
    assert not {name for name in mapped if name.startswith(("polars", "_polars", "pandas", "scipy"))}


def test_after_a_death_another_worker_is_forked_from_the_same_process(pool: Pool) -> None:
    first = pool.processes[0]
    os.kill(first.process.pid, signal.SIGKILL)
    assert first.process.wait(20) == -signal.SIGKILL
    assert pool.replace(first) == -signal.SIGKILL
    pool.warm_up(2)
    assert pool.zygote is not None
    assert psutil.Process(pool.processes[1].process.pid).ppid() == pool.zygote.pid


@pytest.mark.parametrize("when", ["before", "after"])
def test_workers_are_started_by_themselves_where_the_process_to_fork_is_killed(when: str) -> None:
    with Pool(workers=2) as pool:
        pool.start_process()
        assert pool.zygote is not None
        if when == "after":
            assert pool.processes[0].process.pid
        os.kill(pool.zygote.pid, signal.SIGKILL)
        os.waitid(os.P_PID, pool.zygote.pid, os.WEXITED | os.WNOWAIT)
        pool.start_process()
        pids = [process.process.pid for process in pool.processes]
        assert psutil.Process(pids[1]).ppid() == os.getpid()
        assert all(process.process.poll() is None for process in pool.processes)
        assert pool.replace(pool.processes[0]) == -signal.SIGKILL
    assert not [pid for pid in pids if THIS_SYSTEM.created(pid) is not None]


def test_a_run_goes_on_where_the_process_to_fork_is_killed_meanwhile(write_model: Write) -> None:
    model = write_model(
        "import os, signal\n"
        "def simulate(replication, rng, us):\n"
        "    if replication == 5 and os.getppid() not in (1, us): os.kill(os.getppid(), signal.SIGKILL)\n"
        "    if replication == 9: os._exit(4)\n"
        "    return rng.random()\n"
    )
    finished = run(model, 20, workers=2, params={"us": os.getpid()}, tolerate=1)
    assert finished.metrics().pl()["replication"].to_list() == [i for i in range(1, 21) if i != 9]
    assert [row["replication"] for row in finished.failures()] == [9]


def test_what_is_said_twice_after_an_interruption_changes_nothing() -> None:
    with Pool(workers=2) as pool:
        process = pool.start_process()
        pid = process.process.pid
        assert isinstance(pool.zygote, Zygote)
        pool.zygote._follow("forked", process.number, pid)
        pool.zygote._follow("ended", process.number, 3)
        pool.zygote._follow("ended", process.number, 3)
        assert process.process.poll() == 3
        os.kill(pid, signal.SIGKILL)


def test_nothing_is_started_ahead_for_help_or_for_what_only_reads() -> None:
    reading = (["run", "--help"], ["run", "m.py", "-h"], ["run"], ["list"], ["help", "run"], [])
    for arguments in reading:
        early.begin(arguments)
        assert not early.BEGUN, arguments


def test_a_request_that_is_refused_leaves_no_process(tmp_path: Path) -> None:
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    command = [sys.executable, "-m", "replicast", "run", "missing.py", "-n", "5"]
    ended = subprocess.run(command, cwd=tmp_path, env=os.environ | {"MARK": mark}, capture_output=True, check=False)
    assert ended.returncode == 2
    assert not [pid for pid in THIS_SYSTEM.parents() if THIS_SYSTEM.environment(pid).get("MARK") == mark]


def wait_until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
