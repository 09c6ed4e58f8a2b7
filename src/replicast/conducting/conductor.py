"""The loop: ask what is missing, have it performed, watch, ask again, until nothing is missing."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from replicast.core.errors import ExecutorError, StoreError
from replicast.core.planning import cut, merge
from replicast.core.ports import Executor, Job, JobState, Store, Work
from replicast.core.progress import Conclusion, Ending, Interrupted, Progress, Watch
from replicast.core.record import NAME, RunRecord
from replicast.core.replication import Batch
from replicast.core.so_far import SoFar
from replicast.machine.processes import available_cores
from replicast.models import language_of

from .cancelling import CANCEL, Lookout
from .presence import Attendance, Shareable
from .questions import Rule, Standing, ask, hopeless, rule_of
from .stretches import Stretch, begun, note_stretch

POLL_SECONDS = 0.1
ROUNDS_WITHOUT_PROGRESS = 3
PIECES_OF_A_SHARE = 64
JOB = "job.json"
"""The document that says which job is at work on a run, where jobs outlive the process that started them."""

Begin = Callable[[Sequence[Batch]], Job]
Redo = Mapping[str, Iterable[int]]


def conduct(
    record: RunRecord, store: Store, begin: Begin, watch: Watch, *, place: str, redo: Redo | None = None,
    under_way: Job | None = None, join: bool = False,
) -> Conclusion:  # fmt: skip
    """Has all that is missing performed, and `redo` (replications by scenario) once more.

    `begin` has batches performed; a job that is `under_way` already is waited for first. With `join`, the work is
    shared with whoever is at work on the run already, which is refused else. Raises RequestError, ExecutorError,
    StoreError, ModelError and Interrupted.
    """
    conductor = Conductor(record, store, watch, place, join=join)
    conductor.attendance.arrive()
    try:
        if not conductor.attendance.shares:
            store.delete(record.id, CANCEL)
        return conductor.conduct(begin, redo or {}, under_way)
    finally:
        conductor.note()
        conductor.attendance.leave()


class Conductor:
    def __init__(self, record: RunRecord, store: Store, watch: Watch, place: str, *, join: bool = False) -> None:
        self.record, self.store, self.watch, self.place = record, store, watch, place
        self.rule: Rule = rule_of(record)
        self.attendance, self._lookout = Attendance(store, record.id, place, join=join), Lookout(store, record.id)
        self.progress = Progress(planned=0, scenario=record.experiment.scenarios[0].name)
        self._began = time.monotonic()
        self._planned: Mapping[str, int] = {}

    def conduct(self, begin: Begin, redo: Redo, under_way: Job | None) -> Conclusion:
        rounds, missing_before = 0, None
        standing = self._ask(redo)
        while under_way is not None or standing.missing:
            rounds = rounds + 1 if standing.missing == missing_before else 0
            if rounds >= ROUNDS_WITHOUT_PROGRESS:
                raise ExecutorError(
                    f"{standing.left} replications came back from '{self.place}' without a result, again"
                )
            missing_before = standing.missing if under_way is None else None
            ending = self._attend(under_way or begin(self._portion(standing.missing)))
            under_way = None
            if ending is not Ending.DONE:
                return self._conclude(ending)
            standing = self._ask({})
        return self._settle()

    def _ask(self, redo: Redo) -> Standing:
        standing = ask(self.record, self.store, self.rule, redo)
        self._planned, progress = standing.planned, self.progress
        progress.planned, progress.done = sum(standing.planned.values()), standing.done
        progress.failed = standing.failed
        independent = not self.record.experiment.streams.antithetic
        for name, planned in standing.planned.items():
            own = progress.scenarios.setdefault(name, SoFar(independent=independent))
            own.planned = planned
            own.done = planned - sum(len(batch) for batch in standing.missing if batch.scenario == name)
        self._tell()
        return standing

    def _attend(self, job: Job) -> Ending:
        """Watches a job to its end, or until there is a reason to end it."""
        try:
            while (state := job.poll(POLL_SECONDS)) is JobState.RUNNING:
                self._take_in(job)
                self._beat(job)
                if ending := self._reason_to_stop():
                    job.cancel()
                    self._take_in(job)
                    return ending
            self._take_in(job)
        except KeyboardInterrupt:
            job.cancel()
            self._take_in(job)
            model, run = self.record.experiment.model, self.record.id
            function = "" if language_of(model).travels else model.function
            raise Interrupted(self._conclude(Ending.INTERRUPTED), run, self.store.label, function) from None
        return Ending.CANCELLED if state is JobState.CANCELLED else Ending.DONE

    def _portion(self, batches: Sequence[Batch]) -> Sequence[Batch]:
        return from_the_end(batches) if self.attendance.shares else batches

    def _beat(self, job: Job) -> None:
        """Says in the store that someone is at work here, and leaves to others what they have done."""
        if self.attendance.beat() and isinstance(job, Shareable) and self.attendance.in_company():
            coverage = self.store.coverage(self.record.id)
            job.forget({name: merge(coverage.done(name)) for name in self._planned})

    def _reason_to_stop(self) -> Ending | None:
        progress = self.progress
        if progress.done < progress.planned and hopeless(progress.failed, progress.done):
            return Ending.HOPELESS
        return Ending.CANCELLED if self._lookout.is_cancelled() else None

    def _take_in(self, job: Job) -> None:
        for saved in job.progress():
            self.progress.take_in(saved)
        self._tell()

    def _tell(self) -> None:
        self.progress.seconds = time.monotonic() - self._began
        self.watch(self.progress)

    def _settle(self) -> Conclusion:
        """Nothing is missing. A run until precise learns now how many replications that was."""
        if self.record.options.adaptive:
            self.store.write(self.record.id, NAME, replace(self.record, planned=self._planned).to_json())
        return self._conclude(Ending.DONE)

    def note(self) -> None:
        """Keeps how long that took, if anything was done; a store that fails has said so already."""
        if self.progress.simulated:
            seconds = time.monotonic() - self._began
            with suppress(StoreError):
                note_stretch(
                    self.store, self.record.id,
                    Stretch(begun(seconds), round(seconds, 3), self.place, platform.node(), available_cores(),
                            self.progress.simulated),
                )  # fmt: skip

    def _conclude(self, ending: Ending) -> Conclusion:
        progress = self.progress
        return Conclusion(ending, dict(self._planned), progress.done, progress.failed, progress.simulated)


def from_the_end(batches: Sequence[Batch]) -> list[Batch]:
    """The same replications, last ones first, so that two who share them meet in the middle."""
    return cut(batches, max(1, sum(map(len, batches)) // PIECES_OF_A_SHARE))[::-1]


def begin_with(executor: Executor, work: Work) -> Begin:
    """Has batches performed by an executor, and notes the job in the store if another process could find it."""

    def begin(batches: Sequence[Batch]) -> Job:
        job = executor.start(work, batches)
        if job.id:
            work.store.write(work.run, JOB, json.dumps({"executor": executor.name, "id": job.id}).encode())
        return job

    return begin


def noted_job(executor: Executor, store: Store, run: str) -> Job | None:
    """The job that was last noted for the run, if this executor knows it."""
    content = store.read(run, JOB)
    noted = {} if content is None else json.loads(content)
    return executor.find(noted["id"]) if noted.get("executor") == executor.name else None
