"""`--on dask`, with a real scheduler and real workers."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import distributed
import pytest

import replicast
from replicast.core.planning import count
from replicast.executors.dask import DaskExecutor, DaskJob
from replicast.testing import check_executor, check_place

from .conftest import free_port

Write = Callable[..., Path]
MODEL = """
import time
def simulate(rng, replication, pause=0.0):
    time.sleep(pause)
    return {"x": float(rng.normal()), "rows": [{"k": k} for k in range(replication % 3)]}
"""


def started(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:], "--no-dashboard"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def worker(address: str) -> subprocess.Popen[bytes]:
    return started("dask_worker", f"tcp://{address}", "--nworkers", "1", "--nthreads", "1", "--no-nanny")


@pytest.fixture
def address() -> Iterator[str]:
    """A scheduler and two workers; yields HOST:PORT, and ends them."""
    port = free_port()
    scheduler = started("dask_scheduler", "--host", "127.0.0.1", "--port", str(port))
    workers = [worker(f"127.0.0.1:{port}") for _ in range(2)]
    try:
        yield f"127.0.0.1:{port}"
    finally:
        for process in (*workers, scheduler):
            process.terminate()
            process.wait(30)


def stored_something(store: Path) -> None:
    """Waits until a part is there."""
    until = time.monotonic() + 60
    while time.monotonic() < until and not list(store.glob("*/parts/metrics/*/*.parquet")):
        time.sleep(0.05)


def collated(run: replicast.Run, folder: Path) -> dict[str, bytes]:
    run.collate(folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.long
def test_a_local_cluster_does_what_every_place_must() -> None:
    check_place("dask", workers=2)


@pytest.mark.long
def test_its_executor_does_what_every_executor_must() -> None:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=None, silence_logs=50
    ) as cluster:
        check_executor(lambda: DaskExecutor(distributed.Client(cluster, set_as_default=False)))


def test_a_run_on_dask_has_the_bytes_of_a_run_at_home_though_a_worker_is_killed(
    write_model: Write, tmp_path: Path, address: str
) -> None:
    model, store = str(write_model(MODEL)), tmp_path / "there"
    here = replicast.run(model, n=8, seed=3, params={"pause": 0.4}, store=str(tmp_path / "here"))
    doomed = worker(address)

    def kill_when_something_is_stored() -> None:
        stored_something(store)
        doomed.send_signal(signal.SIGKILL)

    killing = threading.Thread(target=kill_when_something_is_stored)
    killing.start()
    there = replicast.run(model, n=8, seed=3, params={"pause": 0.4}, store=str(store), on=f"dask://{address}")
    killing.join()
    assert doomed.wait(30) == -signal.SIGKILL
    assert count(there.store.coverage(there.id).done("base")) == 8
    assert collated(here, tmp_path / "a") == collated(there, tmp_path / "b")


@pytest.mark.long
def test_a_run_outlives_its_scheduler_which_is_started_again(write_model: Write, tmp_path: Path) -> None:
    """All tasks of the old one are lost with it; its workers end themselves, and others come to the new one."""
    model, store, port = str(write_model(MODEL)), tmp_path / "there", free_port()
    here = replicast.run(model, n=12, seed=3, params={"pause": 0.4}, store=str(tmp_path / "here"))
    place, options = f"127.0.0.1:{port}", ("--host", "127.0.0.1", "--port", str(port))
    processes = [started("dask_scheduler", *options), worker(place)]
    ended: list[replicast.Run] = []

    def carry_out() -> None:
        asked = {"n": 12, "seed": 3, "params": {"pause": 0.4}}
        ended.append(replicast.run(model, store=str(store), on=f"dask://{place}", **asked))

    running = threading.Thread(target=carry_out)
    running.start()
    try:
        stored_something(store)
        processes[0].send_signal(signal.SIGKILL)
        processes[0].wait(30)
        processes += [started("dask_scheduler", *options), worker(place)]
        running.join(120)
        assert ended, "the run did not end"
        assert collated(here, tmp_path / "a") == collated(ended[0], tmp_path / "b")
    finally:
        for process in processes:
            process.kill()
            process.wait(30)


@pytest.mark.long
def test_a_cluster_that_scales_with_its_work_begins_with_nobody(write_model: Write, tmp_path: Path) -> None:
    model = str(write_model(MODEL))
    here = replicast.run(model, n=8, seed=3, params={"pause": 0.2}, store=str(tmp_path / "here"))
    with distributed.LocalCluster(
        n_workers=0, threads_per_worker=1, dashboard_address=None, silence_logs=50, host="127.0.0.1"
    ) as cluster:
        cluster.adapt(minimum=0, maximum=2, interval="200ms")
        address = cluster.scheduler_address.removeprefix("tcp://")
        asked = {"n": 8, "seed": 3, "params": {"pause": 0.2}}
        there = replicast.run(model, store=str(tmp_path / "there"), on=f"dask://{address}", **asked)
    assert collated(here, tmp_path / "a") == collated(there, tmp_path / "b")


class Future:
    status = "error"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def exception(self, timeout: float) -> Exception:
        assert timeout
        return self.error


def test_what_kept_dask_from_a_task_is_said_and_a_worker_that_died_is_asked_again() -> None:
    """A scheduler without replicast cannot read the graph: batches came back without a result, and nobody knew why."""
    job = object.__new__(DaskJob)
    job._futures = [Future(RuntimeError("Error during deserialization of\n  the task graph."))]
    with pytest.raises(replicast.ExecutorError, match=r"of the task graph\.; scheduler and workers need replicast"):
        job._complain()
    job._futures = [Future(distributed.KilledWorker("task", None, 3))]
    job._complain()


@pytest.mark.long
def test_no_scheduler_is_one_sentence(write_model: Write, tmp_path: Path) -> None:
    with pytest.raises(replicast.ExecutorError, match="there is no Dask scheduler at"):
        replicast.run(str(write_model(MODEL)), n=2, store=str(tmp_path), on=f"dask://127.0.0.1:{free_port()}")
