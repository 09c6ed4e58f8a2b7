"""`--on dask`, with a real scheduler and real workers."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import replicast
from replicast.core.planning import count
from replicast.testing import check_place

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


def collated(run: replicast.Run, folder: Path) -> dict[str, bytes]:
    run.collate(folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.long
def test_a_local_cluster_does_what_every_place_must() -> None:
    check_place("dask", workers=2)


def test_a_run_on_dask_has_the_bytes_of_a_run_at_home_though_a_worker_is_killed(
    write_model: Write, tmp_path: Path, address: str
) -> None:
    model, store = str(write_model(MODEL)), tmp_path / "there"
    here = replicast.run(model, n=8, seed=3, params={"pause": 0.4}, store=str(tmp_path / "here"))
    doomed = worker(address)

    def kill_when_something_is_stored() -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until and not list(store.glob("*/parts/metrics/*/*.parquet")):
            time.sleep(0.05)
        doomed.send_signal(signal.SIGKILL)

    killing = threading.Thread(target=kill_when_something_is_stored)
    killing.start()
    there = replicast.run(model, n=8, seed=3, params={"pause": 0.4}, store=str(store), on=f"dask://{address}")
    killing.join()
    assert doomed.wait(30) == -signal.SIGKILL
    assert count(there.store.coverage(there.id).done("base")) == 8
    assert collated(here, tmp_path / "a") == collated(there, tmp_path / "b")


@pytest.mark.long
def test_no_scheduler_is_one_sentence(write_model: Write, tmp_path: Path) -> None:
    with pytest.raises(replicast.ExecutorError, match="there is no Dask scheduler at"):
        replicast.run(str(write_model(MODEL)), n=2, store=str(tmp_path), on=f"dask://127.0.0.1:{free_port()}")
