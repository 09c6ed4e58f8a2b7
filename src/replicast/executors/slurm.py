"""Slurm as an executor: job arrays whose tasks are batches, performed through the batch door, watched by squeue.

Each task is told its batch by its index; the store's URL travels in the environment, and stands in no script, command
line or log. No accounting database is needed.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from replicast.core.errors import ExecutorError
from replicast.core.planning import cut
from replicast.core.ports import JobState, Work
from replicast.core.progress import Saved
from replicast.core.replication import Batch

from .batch_door import STORE_VARIABLE, read_round, read_trouble, write_round
from .store_progress import StoreProgress

LOOK_SECONDS = 2.0
AWAY_SECONDS = 600.0
"""A controller that restarts answers again within minutes; tasks run on meanwhile."""

GOING = {"PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED",
         "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}  # fmt: skip
WORDS = {"TIMEOUT": "ended at the time limit (--slurm-time)", "OUT_OF_MEMORY": "ran out of memory (--memory)",
         "NODE_FAIL": "lost their node", "PREEMPTED": "were preempted", "FAILED": "failed"}  # fmt: skip

OWN_MEMORY = 512 << 20
"""Of a task beside its replications: the door itself, and the machine's share of libraries."""

MOST_TASKS = 1000
"""Tasks of a round, if nothing else says how many: more cost the scheduler more than they win."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`options` are further ones of sbatch; `setup` are lines of shell before Python starts; `at_once` is N of %N."""

    options: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    cpus: int = 1
    task_seconds: float = 1800.0
    at_once: int | None = None
    replication_seconds: float | None = None
    logs: Path = field(default_factory=Path.cwd)


class SlurmExecutor:
    """Fulfils `core.ports.Executor`. A context manager that holds nothing: its jobs go on without this process."""

    name = "slurm"

    def __init__(self, settings: Settings | None = None, look_seconds: float = LOOK_SECONDS) -> None:
        self.settings, self.look_seconds = settings or Settings(), look_seconds
        self._works: dict[str, Work] = {}

    def __enter__(self) -> SlurmExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def start(self, work: Work, batches: Sequence[Batch]) -> SlurmJob:
        """Submits as many arrays as the cluster's MaxArraySize takes. Raises ExecutorError with what sbatch says."""
        if not batches:
            return SlurmJob(self, work, (), "")
        pieces = cut(batches, self._size(sum(map(len, batches))))
        name = f"slurm/{secrets.token_hex(4)}.json"
        write_round(work.store, work.run, name, pieces)
        self.settings.logs.mkdir(parents=True, exist_ok=True)
        most, ids = array_size(), []
        for first in range(0, len(pieces), most):
            count = min(most, len(pieces) - first)
            ids.append(self._submit(work, name, first, count))
        return SlurmJob(self, work, tuple(ids), name)

    def _size(self, replications: int) -> int:
        """Replications of a task: as many as fill its time, and few enough that all processors have some."""
        settings = self.settings
        at_once = settings.at_once or MOST_TASKS
        share = -(-replications // at_once)
        if settings.replication_seconds is None:
            return share
        fitting = int(settings.task_seconds * settings.cpus / max(settings.replication_seconds, 1e-6))
        return max(1, min(fitting, share) if replications / max(fitting, 1) <= at_once else fitting)

    def _submit(self, work: Work, name: str, first: int, count: int) -> str:
        script = self.script(work.run, name, first)
        limit = f"%{self.settings.at_once}" if self.settings.at_once else ""
        command = ["sbatch", "--parsable", f"--array=0-{count - 1}{limit}", f"--job-name=replicast-{work.run}",
                   f"--output={self.settings.logs}/%A_%a.log", "--open-mode=append", "--requeue", "--export=ALL",
                   "--ntasks=1", f"--cpus-per-task={self.settings.cpus}", *self._memory(work),
                   *self.settings.options]  # fmt: skip
        said = _ask(command, script, {STORE_VARIABLE: work.store.url})
        return said.strip().partition(";")[0]

    def _memory(self, work: Work) -> list[str]:
        """What a task asks of Slurm, in MiB, where each of its replications may use that much."""
        if work.memory_bytes is None:
            return []
        return [f"--mem={-(-(work.memory_bytes * self.settings.cpus + OWN_MEMORY) >> 20)}M"]

    def script(self, run: str, name: str, first: int) -> str:
        python = shlex.quote(sys.executable)
        worker = '"slurm/${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID} on $(hostname)/"'
        task = f"$((SLURM_ARRAY_TASK_ID + {first}))"
        return "\n".join([
            "#!/bin/bash",
            *self.settings.setup,
            f"if ! [ -x {python} ]; then",
            f'  echo "replicast: there is no {python} on $(hostname): install it there, or see --slurm-setup" >&2',
            "  exit 3",
            "fi",
            f"exec {python} -P -m replicast.executors.batch_door {shlex.quote(run)} {shlex.quote(name)} {task} "
            f"--workers {self.settings.cpus} --worker {worker}",
            "",
        ])  # fmt: skip

    def find(self, job_id: str) -> SlurmJob | None:
        """A job of a run that this executor was told of by `knows`, or started itself."""
        run, _, rest = job_id.partition(" ")
        ids, _, name = rest.partition(" ")
        work = self._works.get(run)
        return None if work is None or not ids else SlurmJob(self, work, tuple(ids.split(",")), name)

    def knows(self, work: Work) -> None:
        self._works[work.run] = work


class SlurmJob:
    """Fulfils `core.ports.Job`: the arrays of a round."""

    def __init__(self, executor: SlurmExecutor, work: Work, arrays: tuple[str, ...], name: str) -> None:
        executor.knows(work)
        self._executor, self._work, self._arrays, self._name = executor, work, arrays, name
        self.id = f"{work.run} {','.join(arrays)} {name}" if arrays else ""
        self._progress = StoreProgress(work)
        self._state = JobState.RUNNING if arrays else JobState.ENDED
        self._looked_at, self._heard_at = 0.0, time.monotonic()

    def poll(self, wait_seconds: float = 0.0) -> JobState:
        wait = self._looked_at + self._executor.look_seconds - time.monotonic()
        if self._state is not JobState.RUNNING:
            return self._state
        if wait > 0:
            time.sleep(min(wait, wait_seconds))
            return JobState.RUNNING
        self._looked_at = time.monotonic()
        try:
            states = states_of(self._arrays)
        except ExecutorError:
            if time.monotonic() - self._heard_at > AWAY_SECONDS:
                raise
            return JobState.RUNNING
        self._heard_at = time.monotonic()
        if not GOING.isdisjoint(states):
            return JobState.RUNNING
        self._state = JobState.CANCELLED if "CANCELLED" in states else JobState.ENDED
        if self._state is JobState.ENDED:
            self._complain(states)
        return self._state

    def _complain(self, states: Mapping[str, int]) -> None:
        """Raises ExecutorError where the tasks performed nothing at all, with what Slurm and the first of them say."""
        trouble = read_trouble(self._work.store, self._work.run, self._name)
        if trouble:
            raise ExecutorError(f"{trouble[0]['message']} (so said {len(trouble)} tasks; logs: {self._logs})")
        coverage = self._work.store.coverage(self._work.run)
        for batch in read_round(self._work.store, self._work.run, self._name):
            if any(first <= batch.last and last >= batch.first for first, last in coverage.done(batch.scenario)):
                return
        ends = [f"{count} {WORDS.get(state, state)}" for state, count in states.items() if state != "COMPLETED"]
        said = _last_words(self._executor.settings.logs, self._arrays)
        if ends or said:
            raise ExecutorError(f"no task of Slurm job {', '.join(self._arrays)} stored anything; "
                                f"of its tasks, {' and '.join(ends) or 'all ended by themselves'}; "
                                f"the last line of a log is: {said or 'none'} (logs: {self._logs})")  # fmt: skip

    @property
    def _logs(self) -> str:
        return f"{self._executor.settings.logs}/{self._arrays[0]}_*.log"

    def progress(self) -> Sequence[Saved]:
        return self._progress.news(ended=self._state is not JobState.RUNNING)

    def cancel(self) -> None:
        """Has Slurm end all tasks, which save what they have; returns when none of them is left."""
        _ask(["scancel", *self._arrays])
        while not GOING.isdisjoint(states_of(self._arrays)):
            time.sleep(min(self._executor.look_seconds, 1.0))
        self._state = JobState.CANCELLED


def array_size() -> int:
    """How many tasks an array may have on this cluster; their indices go up to one less than MaxArraySize."""
    found = re.search(r"MaxArraySize\s*=\s*(\d+)", _ask(["scontrol", "show", "config"]))
    return max(1, int(found[1]) - 1) if found else 1000


def states_of(arrays: Sequence[str]) -> Counter[str]:
    """How many tasks are in which of Slurm's states, as far as its controller remembers them."""
    return Counter(state for state, _reason in tasks_of(arrays))


def tasks_of(arrays: Sequence[str]) -> list[tuple[str, str]]:
    """(state, reason) of each task, or of many that wait alike; none of jobs that are long gone."""
    try:
        said = _ask(["squeue", "--noheader", "--states=all", "--format=%T|%r", "--jobs=" + ",".join(arrays)])
    except ExecutorError as error:
        if "Invalid job id" in str(error):
            return []
        raise
    return [(state, reason) for state, _, reason in (line.partition("|") for line in said.splitlines()) if state]


def _ask(command: Sequence[str], given: str = "", environment: Mapping[str, str] | None = None) -> str:
    """What one of Slurm's commands prints. Raises ExecutorError with what it complains of."""
    try:
        ended = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=120, check=False,
            env=os.environ | dict(environment or {}),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExecutorError(f"{command[0]}: {error}") from None
    if ended.returncode:
        raise ExecutorError(f"{command[0]}: {ended.stderr.strip() or ended.stdout.strip()}")
    return ended.stdout


def _last_words(logs: Path, arrays: Sequence[str]) -> str:
    for array in arrays:
        for path in sorted(logs.glob(f"{array}_*.log")):
            lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
            if lines:
                return lines[-1]
    return ""
