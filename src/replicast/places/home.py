"""Our conductor around any executor, and the two places of this machine: its processes, and this very process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from replicast.conducting.cancelling import mark_cancelled
from replicast.conducting.conductor import Redo, begin_with, conduct, noted_job
from replicast.conducting.presence import someone_at_work
from replicast.core.errors import RequestError
from replicast.core.ports import Executor, Job, JobState, Store, Work
from replicast.core.progress import AtWork, Conclusion, Watch
from replicast.core.record import RunRecord
from replicast.executors.pool import Pool
from replicast.executors.serial import Serial
from replicast.performing.copies import project_of

from .kinds import AtHand

LOG = "detached.log"


class Conducted:
    """Fulfils `core.ports.Place`: this process conducts the run, and an executor performs its batches.

    `opened` gives the executor for as long as a run takes. What the executor started goes on without this process only
    if its jobs have an ID.
    """

    def __init__(
        self,
        name: str,
        opened: Callable[[RunRecord], AbstractContextManager[Executor]],
        *,
        goes_on: bool = False,
        at_hand: AtHand | None = None,
    ) -> None:
        self.name, self.goes_on, self.opened, self.at_hand = name, goes_on, opened, at_hand or AtHand()

    def store(self) -> Store | None:
        return None

    def check(self, record: RunRecord, store: Store) -> None:
        if why := store.reach():
            raise RequestError(
                f"run {record.id} cannot keep its results in '{store.label}' from here: {why}; "
                "run it at a place from which they can be kept: see --on"
            )

    def conduct(self, record: RunRecord, store: Store, watch: Watch, redo: Redo | None = None) -> Conclusion:
        with self.opened(record) as executor:
            begin, under_way = begin_with(executor, Work.of(record, store)), self._under_way(executor, record, store)
            return conduct(record, store, begin, watch, place=self.name, redo=redo, under_way=under_way,
                           join=self.at_hand.join)  # fmt: skip

    def _under_way(self, executor: Executor, record: RunRecord, store: Store) -> Job | None:
        """The job that another process started for the run, if it runs still."""
        job = noted_job(executor, store, record.id) if self.goes_on else None
        return job if job is not None and job.poll() is JobState.RUNNING else None

    def leave(self, record: RunRecord, store: Store) -> str:
        """Has another process of this machine, which no terminal can interrupt, go on with the run."""
        output = ["-o", str(self.at_hand.output)] if self.at_hand.output is not None else []
        command = [sys.executable, "-P", "-m", "replicast", "resume", record.id, "--quiet", *output]
        log = Path(store.url) / record.id / LOG if "://" not in store.url else Path(os.devnull)
        with log.open("ab") as printed:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed, start_new_session=True,
                env=os.environ | {"REPLICAST_STORE": store.url},
            )  # fmt: skip
        return f"process {process.pid}"

    def at_work(self, record: RunRecord, store: Store) -> AtWork | None:
        return someone_at_work(store, record.id)

    def cancel(self, record: RunRecord, store: Store) -> None:
        """Asks whoever conducts the run to stop, and ends what an executor was left with."""
        mark_cancelled(store, record.id)
        if self.goes_on and someone_at_work(store, record.id) is None:
            with self.opened(record) as executor:
                job = self._under_way(executor, record, store)
                if job is not None:
                    job.cancel()


def conducted(executor: Executor, *, goes_on: bool = False) -> Conducted:
    """Our conductor around any executor, whose name is the place's; `goes_on` if its jobs outlive this process."""
    return Conducted(executor.name, lambda _record: nullcontext(executor), goes_on=goes_on)


def open_local(_address: str, _options: Mapping[str, Any], at_hand: AtHand) -> Conducted:
    @contextmanager
    def opened(record: RunRecord) -> Iterator[Executor]:
        if at_hand.pool is not None:
            at_hand.pool.looks_again = True
            yield at_hand.pool
            return
        workers = at_hand.workers or record.options.workers
        with Pool(
            None, record.experiment, workers=workers, project=project_of(record), function=at_hand.function
        ) as pool:
            pool.looks_again = True
            yield pool

    return Conducted("local", opened, at_hand=at_hand)


def open_serial(_address: str, _options: Mapping[str, Any], at_hand: AtHand) -> Conducted:
    def opened(record: RunRecord) -> Serial:
        folder = None if at_hand.pool is None else at_hand.pool.folder
        return Serial(folder, function=at_hand.function, project=project_of(record))

    return Conducted("serial", opened, at_hand=at_hand)
