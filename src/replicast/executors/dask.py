"""Dask as an executor: each batch is a task that runs the worker, saves into the run's store, and returns nothing.

Scheduler and workers need replicast, and workers the store. Through Dask come dask-jobqueue (PBS, LSF, SGE),
Kubernetes and Coiled.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from replicast.core.errors import ExecutorError, ModelError, ReplicastError
from replicast.core.planning import cut
from replicast.core.ports import JobState, Work
from replicast.core.progress import Saved
from replicast.core.replication import Batch
from replicast.stores import open_store
from replicast.stores.records import read_record

from .batch_door import refuse_another_environment
from .pool import Pool
from .store_progress import StoreProgress

TASKS_A_THREAD = 4
AWAY_SECONDS = 120.0
DIED = ("KilledWorker", "CancelledError", "FutureCancelledError", "TimeoutError")
"""Errors of a future that say nothing of its task."""

_idle: dict[tuple[str, str], list[tuple[Pool, Work]]] = {}
"""On a Dask worker: processes with their model loaded, by store and run, for the tasks that follow."""


def perform(store_url: str, run: str, scenario: str, first: int, last: int) -> tuple[str, str] | None:
    """Performs a batch on a Dask worker, in processes of its own; says what kept it from that, if anything did."""
    waiting, pool = _idle.setdefault((store_url, run), []), None
    try:
        pool, work = waiting.pop() if waiting else _pool(store_url, run)
        job = pool.start(work, [Batch(scenario, first, last)])
        while job.poll(0.2) is JobState.RUNNING:
            job.progress()
    except ReplicastError as error:
        if pool is not None:
            pool.close()
        return type(error).__name__, str(error)
    waiting.append((pool, work))
    return None


def _pool(store_url: str, run: str) -> tuple[Pool, Work]:
    store = open_store(store_url, reached=True)
    record = read_record(store, run)
    pool, work = Pool(None, record.experiment, workers=1), Work.of(record, store)
    try:
        pool.check_out(work)
        refuse_another_environment(record, pool.describe().versions)
    except BaseException:
        pool.close()
        raise
    return pool, work


def let_go() -> None:
    """Ends what waits on a Dask worker for further tasks."""
    while _idle:
        _, waiting = _idle.popitem()
        for pool, _work in waiting:
            pool.close()


class DaskExecutor:
    """Fulfils `core.ports.Executor` with a `distributed.Client`."""

    name = "dask"

    def __init__(self, client: Any) -> None:
        self.client = client

    def __enter__(self) -> DaskExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):  # workers that are gone have nothing left to end
            self.client.run(let_go)
        self.client.close()

    def start(self, work: Work, batches: Sequence[Batch]) -> DaskJob:
        return DaskJob(self.client, work, batches)

    def find(self, _job_id: str) -> None:
        """Its tasks are let go when the client that asked for them ends."""
        return


class DaskJob:
    """Fulfils `core.ports.Job`: a future a batch, none of which carries a result."""

    id = ""

    def __init__(self, client: Any, work: Work, batches: Sequence[Batch]) -> None:
        self._client, self._progress = client, StoreProgress(work, list_seconds=1.0)
        threads = sum(client.nthreads().values()) or 1
        size = max(1, sum(map(len, batches)) // (TASKS_A_THREAD * threads))
        self._futures = [
            client.submit(perform, work.store.url, work.run, b.scenario, b.first, b.last, pure=False, retries=2)
            for b in cut(batches, size)
        ]
        self._state, self._heard_at = JobState.RUNNING, time.monotonic()

    def poll(self, wait_seconds: float = 0.0) -> JobState:
        """Raises ExecutorError where the scheduler stays away, ModelError where the model does not load there."""
        if self._state is not JobState.RUNNING:
            return self._state
        waiting = [future for future in self._futures if future.status in ("pending", "lost")]
        if waiting and not self._scheduler_is_away():
            time.sleep(wait_seconds)
            return JobState.RUNNING
        self._state = JobState.ENDED
        self._complain()
        return self._state

    def _scheduler_is_away(self) -> bool:
        """Whether the client lost its scheduler, and with it every task: a round that is asked for again."""
        if self._client.status == "running":
            self._heard_at = time.monotonic()
            return any(future.status == "lost" for future in self._futures)
        if time.monotonic() - self._heard_at > AWAY_SECONDS:
            raise ExecutorError(f"the Dask scheduler {self._client.scheduler.address} does not answer any more")
        return False

    def _complain(self) -> None:
        """Of what kept a batch from being performed; of workers that died with theirs, the conductor asks again."""
        for future in self._futures:
            error = future.exception(timeout=10) if future.status == "error" else None
            if error is not None and type(error).__name__ not in DIED:
                hint = "; scheduler and workers need replicast" if "deserializ" in str(error) else ""
                raise ExecutorError(f"Dask could not perform a batch: {' '.join(str(error).split())[:300]}{hint}")
            said = future.result(timeout=10) if future.status == "finished" else None
            if said is not None:
                raise (ModelError if said[0] == "ModelError" else ExecutorError)(f"on a Dask worker: {said[1]}")

    def progress(self) -> Sequence[Saved]:
        return self._progress.news(ended=self._state is not JobState.RUNNING)

    def cancel(self) -> None:
        """Takes back what has not begun; what has begun is waited for, since no task can be ended from outside."""
        self._client.cancel([future for future in self._futures if future.status == "pending"], force=True)
        until = time.monotonic() + AWAY_SECONDS
        while any(self._client.processing().values()) and time.monotonic() < until:
            time.sleep(0.2)
        self._state = JobState.CANCELLED
