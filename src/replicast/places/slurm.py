"""A cluster with Slurm as a place, seen from a login node: what a run asks of it, and how it stands there."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from replicast.conducting.conductor import Redo, begin_with, noted_job
from replicast.conducting.presence import someone_at_work
from replicast.conducting.questions import ask, rule_of
from replicast.core.errors import RequestError
from replicast.core.ports import JobState, Store, Work
from replicast.core.progress import AtWork, Conclusion, Watch
from replicast.core.record import RunRecord
from replicast.core.replication import Batch
from replicast.executors.pool import Pool
from replicast.executors.slurm import Settings, SlurmExecutor, SlurmJob, tasks_of
from replicast.models import language_of
from replicast.stores import open_store

from .home import Conducted
from .kinds import AtHand

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol")
LOGS = "slurm-logs"
MINUTES = 30.0
PILOT_SECONDS = 60.0


class SlurmPlace(Conducted):
    """Fulfils `core.ports.Place`: this process conducts, and job arrays perform; they go on without it."""

    def __init__(self, options: Mapping[str, Any], at_hand: AtHand) -> None:
        super().__init__("slurm", self._executor, goes_on=True, at_hand=at_hand)
        self.options = options
        self._store: Store | None = None

    def check(self, record: RunRecord, store: Store) -> None:
        missing = [command for command in COMMANDS if shutil.which(command) is None]
        if missing:
            raise RequestError(f"there is no {' and no '.join(missing)} here: --on slurm is for a cluster's login node")
        if not language_of(record.experiment.model).travels:
            raise RequestError("a function that no file defines cannot travel to a node; put it in a file and name it")
        if int(self.options.get("cpus", 1)) < 1 or float(self.options.get("minutes", MINUTES)) <= 0:
            raise RequestError("--slurm-cpus takes 1 or more, and --slurm-minutes a number above 0")
        self._store = store
        super().check(record, store)

    def _executor(self, record: RunRecord) -> SlurmExecutor:
        given = self.options
        named = [f"--{name}={given[name]}" for name in ("partition", "account", "time") if name in given]
        return SlurmExecutor(Settings(
            options=(*named, *given.get("option", ())), setup=tuple(given.get("setup", ())),
            cpus=int(given.get("cpus", 1)), task_seconds=60 * float(given.get("minutes", MINUTES)),
            at_once=self.at_hand.workers or record.options.workers,
            replication_seconds=self._seconds(record), logs=self._logs(record),
        ))  # fmt: skip

    def _seconds(self, record: RunRecord) -> float | None:
        """What nine of ten stored replications took at most; None where none is stored."""
        chunks = [chunk for scenario in record.experiment.scenarios if self._store is not None
                  for chunk in self._store.ledger(record.id, scenario.name)]  # fmt: skip
        seconds = [s for chunk in chunks for s in chunk.column("seconds").to_pylist()]
        if not seconds and self.at_hand.pool is not None:
            return pilot_seconds(self.at_hand.pool, record)
        return float(np.quantile(seconds, 0.9)) if seconds else None

    def _logs(self, record: RunRecord) -> Path:
        """Beside the run where its store is a folder; else below the working directory, which nodes see too."""
        here = self._store is not None and "://" not in self._store.url
        return Path(self._store.url) / record.id / LOGS if here and self._store else Path.cwd() / LOGS / record.id

    def conduct(self, record: RunRecord, store: Store, watch: Watch, redo: Redo | None = None) -> Conclusion:
        self._store = store
        return super().conduct(record, store, watch, redo)

    def cancel(self, record: RunRecord, store: Store) -> None:
        self._store = store
        super().cancel(record, store)

    def leave(self, record: RunRecord, store: Store) -> str:
        """Submits all that is missing, once: what does not come back is asked for by `replicast resume`."""
        self._store = store
        standing = ask(record, store, rule_of(record))
        if not standing.missing:
            return "nobody, since nothing is missing,"
        job = begin_with(self._executor(record), Work.of(record, store))(standing.missing)
        return f"Slurm job {job.id.split(' ')[1]}"

    def at_work(self, record: RunRecord, store: Store) -> AtWork | None:
        """This or another conductor, and what squeue says of the tasks: how many run, and why others wait."""
        self._store = store
        here, job = someone_at_work(store, record.id), self._noted(record, store)
        if job is None or job.poll() is not JobState.RUNNING:
            return here
        arrays = job.id.split(" ")[1]
        tasks = Counter(state.lower() + (f" ({reason})" if state == "PENDING" else "")
                        for state, reason in tasks_of(arrays.split(",")))  # fmt: skip
        shown = ", ".join(f"{count} {state}" for state, count in tasks.items())
        who = f"Slurm job {arrays}: {shown}" + (f"; {here.who}" if here else "")
        return AtWork(who, {**(here.facts if here else {}), "slurm_jobs": arrays.split(","), "tasks": dict(tasks)})

    def _noted(self, record: RunRecord, store: Store) -> SlurmJob | None:
        executor = self._executor(record)
        executor.knows(Work.of(record, store))
        job = noted_job(executor, store, record.id)
        return job if isinstance(job, SlurmJob) else None

    def _under_way(self, executor: Any, record: RunRecord, store: Store) -> Any:
        executor.knows(Work.of(record, store))
        return super()._under_way(executor, record, store)


def pilot_seconds(pool: Pool, record: RunRecord) -> float:
    """Seconds of one replication here, which is thrown away; of a longer one, those that it was waited for."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="replicast-") as folder:
        job = pool.start(Work.of(record, open_store(folder)), [Batch(record.experiment.scenarios[0].name, 1, 1)])
        while job.poll(0.1) is JobState.RUNNING:
            if time.monotonic() - began > PILOT_SECONDS:
                job.cancel()
                return PILOT_SECONDS
        return max((saved.seconds for saved in job.progress()), default=time.monotonic() - began)


def open_place(address: str, options: Mapping[str, Any], at_hand: AtHand) -> SlurmPlace:
    if address:
        raise RequestError(f"slurm takes no address: --on slurm, where sbatch is ('{address}' was given)")
    return SlurmPlace(options, at_hand)
