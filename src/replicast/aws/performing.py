"""A batch inside a function: the local pool on one machine of Amazon's, for as long as the function may run.

The model runs in processes of its own, so its death costs one replication and not the function; what does not fit into
the function's time is left undone, and the next round asks for it.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from obstore.exceptions import PermissionDeniedError

import replicast
from replicast.conducting.cancelling import CANCEL
from replicast.core.errors import StoreError
from replicast.core.planning import count, gaps, merge
from replicast.core.ports import JobState, Store, Work
from replicast.core.record import RunRecord
from replicast.core.replication import Batch, Failure, Outcome
from replicast.executors.pool import Pool

from .limits import SAVING_SECONDS

WAVE_SECONDS = 10.0
"""Work handed out at once; between two portions the function looks at its clock and at the run's cancel mark."""

POLL_SECONDS = 0.25
CANCEL_SECONDS = 5.0
MOST_OF = 0.5
MEGABYTES_A_PROCESSOR = 1769
"""A function has one processor for each so many megabytes of memory."""

OVERLONG = (
    "give the function a longer timeout (900 s at most) or more memory, or run it where it may take longer: "
    "--aws-compute batch, --on local"
)

Clock = Callable[[], float]
"""Seconds that the function has left."""


@dataclass(frozen=True, slots=True)
class Performed:
    """What an invocation did of its batch: how many replications are stored, and how many it left."""

    stored: int
    left: int


class Performer:
    """Performs batches of one run, with its model loaded once for as long as the function's machine stays warm."""

    def __init__(
        self, store: Store, record: RunRecord, *, processors: int, worker: str, advice: str = OVERLONG
    ) -> None:
        self.store, self.record, self._advice = store, record, advice
        self.pool = Pool(
            workers=processors, environment={"PYTHONPATH": import_path()}, worker=worker, save_seconds=WAVE_SECONDS
        )
        self.work = Work.of(record, store)
        try:
            self.pool.join(self.work)
        except BaseException:
            self.pool.close()
            raise
        self._seconds: float | None = None

    def close(self) -> None:
        self.pool.close()

    def perform(self, batch: Batch, left: Clock) -> Performed:
        """Simulates as much as the function's time allows. Raises ModelError, ExecutorError, StoreError."""
        total = left()
        margin = min(SAVING_SECONDS, total / 4)
        following = batch.first
        while following <= batch.last:
            if self._is_cancelled():
                break
            if following > batch.first and left() - margin < 1.5 * (self._seconds or 0.0):
                break
            wave = Batch(batch.scenario, following, min(batch.last, following + self._wave() - 1))
            overlong = self._perform_wave(wave, left, margin)
            if overlong is not None:
                return self._out_of_time(batch, overlong, total, margin)
            following = wave.last + 1
        return Performed(following - batch.first, batch.last - following + 1)

    def _wave(self) -> int:
        share = 1 if self._seconds is None else max(1, int(WAVE_SECONDS / max(self._seconds, 1e-6)))
        return share * self.pool.workers

    def _perform_wave(self, wave: Batch, left: Clock, margin: float) -> dict[int, float] | None:
        """None, or if the time was up: the replications under way then, with the seconds that each had had."""
        started, job = time.monotonic(), self.pool.start(self.work, [wave])
        looked = started
        while job.poll(POLL_SECONDS) is JobState.RUNNING:
            under_way = {p.current(): p.silent_seconds() for p in self.pool.processes if p.batch is not None}
            if left() < margin:
                job.cancel()
                return under_way
            if time.monotonic() - looked > CANCEL_SECONDS:
                looked = time.monotonic()
                if self._is_cancelled():
                    job.cancel()
                    return {}
        passed = (time.monotonic() - started) / math.ceil(len(wave) / self.pool.workers)
        self._seconds = max(passed, 0.7 * (self._seconds or 0.0))
        return None

    def _out_of_time(self, batch: Batch, under_way: Mapping[int, float], total: float, margin: float) -> Performed:
        """Records what began with the function and had most of its time as too long: trying again would not help."""
        for replication, seconds in under_way.items():
            began = batch.first <= replication < batch.first + self.pool.workers
            if began and seconds > MOST_OF * (total - margin):
                self._record_overlong(batch.scenario, replication, total)
        done = merge(self.store.coverage(self.record.id).done(batch.scenario))
        before = [(1, batch.first - 1)] if batch.first > 1 else []
        left = count(gaps(batch.last, [*before, *done]))
        return Performed(len(batch) - left, left)

    def _record_overlong(self, scenario: str, replication: int, total: float) -> None:
        message = f"the replication had {total:.0f} s, all that there was for it, and was not done; {self._advice}"
        failure = Failure("timeout", "FunctionTimeout", message)
        outcome = Outcome(
            scenario, replication, total, failure=failure, worker=os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        )
        self.store.save(self.record.id, [outcome])

    def _is_cancelled(self) -> bool:
        """By the document of that name; S3 says of one that is not there to whom may not list that it is forbidden."""
        try:
            return self.store.read(self.record.id, CANCEL) is not None
        except StoreError as error:
            if isinstance(error.__cause__, PermissionDeniedError):
                return False
            raise


def import_path() -> str:
    """Where worker processes find replicast and the packages beside it."""
    root = str(Path(replicast.__file__).resolve().parent.parent)
    return os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))


def processors(megabytes: int) -> int:
    return max(1, round(megabytes / MEGABYTES_A_PROCESSOR))
