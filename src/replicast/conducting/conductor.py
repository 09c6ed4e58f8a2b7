"""Plan, start, watch, plan again, until nothing is missing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from replicast.core.distributions import t_critical
from replicast.core.errors import ExecutorError
from replicast.core.planning import Range, cut, merge, missing, without
from replicast.core.ports import Executor, Job, JobState, Saved, Store
from replicast.core.record import RunRecord
from replicast.core.replication import Batch

from .presence import Attendance, Shareable

POLL_SECONDS = 0.1
MARKER_SECONDS = 1.0
ROUNDS_WITHOUT_PROGRESS = 3
HOPELESS_AFTER = 10
CANCEL = "cancel"
PIECES_OF_A_SHARE = 64


class Ending(Enum):
    DONE = "done"
    HOPELESS = "hopeless"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class Rule(Protocol):
    """How many replications each scenario should have, judged by what is stored."""

    def wanted(self, store: Store, done: Mapping[str, list[Range]]) -> dict[str, int]: ...


@dataclass
class Progress:
    """How far a run is. `metric` is the first metric's name; `interval()` is of it, in the first scenario."""

    planned: int
    scenario: str = ""
    done: int = 0
    failed: int = 0
    simulated: int = 0
    started: float = field(default_factory=time.monotonic)
    metric: str = ""
    n: int = 0
    sum: float = 0.0
    squares: float = 0.0

    def take_in(self, saved: Saved) -> None:
        self.done += len(saved.batch)
        self.simulated += len(saved.batch)
        self.failed += saved.failed
        if saved.first_metric is not None and saved.batch.scenario == self.scenario:
            self.metric, n, total, squares = saved.first_metric
            self.n, self.sum, self.squares = self.n + n, self.sum + total, self.squares + squares

    @property
    def rate(self) -> float:
        """Replications a second, of those simulated by this conductor."""
        return self.simulated / max(time.monotonic() - self.started, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        return (self.planned - self.done) / self.rate if self.simulated else None

    def interval(self, confidence: float = 0.95) -> tuple[float, float | None] | None:
        """Mean and half-width so far, for the eye only: the summary computes its own from what is stored."""
        if self.n < 1:
            return None
        mean = self.sum / self.n
        variance = (self.squares - self.n * mean * mean) / (self.n - 1) if self.n > 1 else 0.0
        if self.n < 2 or not 0 < variance < math.inf:
            return mean, None
        return mean, t_critical(confidence, self.n - 1) * math.sqrt(variance / self.n)


Watch = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Conclusion:
    ending: Ending
    planned: Mapping[str, int]
    done: int
    failed: int
    simulated: int


class Interrupted(Exception):
    """Ctrl-C or SIGTERM: what was simulated is stored."""

    def __init__(self, conclusion: Conclusion) -> None:
        super().__init__("interrupted")
        self.conclusion = conclusion


def conduct(
    record: RunRecord,
    store: Store,
    executor: Executor,
    rule: Rule,
    watch: Watch,
    *,
    redo: Mapping[str, Iterable[int]] | None = None,
    join: bool = False,
) -> Conclusion:
    """Has all that is missing performed, and `redo` (replications by scenario) once more.

    With `join`, the work is shared with whoever is at work on the run already, which is refused else. Raises
    RequestError, ExecutorError, StoreError, ModelError and Interrupted.
    """
    attendance = Attendance(store, record.id, executor.name, join=join)
    conductor = Conductor(record, store, executor, rule, watch, redo or {}, attendance)
    attendance.arrive()
    try:
        if not attendance.shares:
            store.delete(record.id, CANCEL)
        return conductor.conduct()
    finally:
        conductor.leave()


class Conductor:
    def __init__(
        self,
        record: RunRecord,
        store: Store,
        executor: Executor,
        rule: Rule,
        watch: Watch,
        redo: Mapping[str, Iterable[int]],
        attendance: Attendance,
    ) -> None:
        self.record, self.store, self.executor, self.rule, self.watch = record, store, executor, rule, watch
        self._redo, self._attendance = redo, attendance
        first = record.experiment.scenarios[0].name
        self.progress = Progress(planned=0, scenario=first)
        self._looked_at = 0.0
        self._planned: dict[str, int] = {}

    def conduct(self) -> Conclusion:
        rounds, left_before = 0, None
        while batches := self._missing():
            left = sum(map(len, batches))
            rounds = rounds + 1 if left == left_before else 0
            if rounds >= ROUNDS_WITHOUT_PROGRESS:
                raise ExecutorError(
                    f"{left} replications came back from '{self.executor.name}' without a result, again"
                )
            left_before = left
            ending = self._perform(batches)
            if ending is not Ending.DONE:
                return self._conclude(ending)
        return self._conclude(Ending.DONE)

    def _missing(self) -> list[Batch]:
        coverage = self.store.coverage(self.record.id)
        names = [scenario.name for scenario in self.record.experiment.scenarios]
        done = {name: merge(coverage.done(name)) for name in names}
        self._planned = self.rule.wanted(self.store, done)
        progress = self.progress
        progress.planned = sum(self._planned.values())
        again = {name: frozenset(self._redo.get(name, ())) for name in names}
        self._redo = {}
        batches = missing(self._planned, {name: without(done[name], again[name]) for name in names})
        progress.done = progress.planned - sum(map(len, batches))
        progress.failed = sum(len(set(coverage.failed(name)) - again[name]) for name in names)
        self.watch(progress)
        return batches

    def _perform(self, batches: list[Batch]) -> Ending:
        if self._attendance.shares:
            batches = from_the_end(batches)
        job = self.executor.start(batches)
        try:
            return self._watch_job(job)
        except KeyboardInterrupt:
            job.cancel()
            self._take_in(job)
            raise Interrupted(self._conclude(Ending.INTERRUPTED)) from None

    def _watch_job(self, job: Job) -> Ending:
        while job.poll(POLL_SECONDS) is JobState.RUNNING:
            self._take_in(job)
            self._beat(job)
            if self._hopeless():
                job.cancel()
                self._take_in(job)
                return Ending.HOPELESS
            if self._cancelled():
                job.cancel()
                self._take_in(job)
                return Ending.CANCELLED
        self._take_in(job)
        return Ending.DONE

    def _take_in(self, job: Job) -> None:
        for saved in job.progress():
            self.progress.take_in(saved)
        self.watch(self.progress)

    def _hopeless(self) -> bool:
        """All that was tried failed, and more than a few were: the rest would fail too."""
        progress = self.progress
        return progress.failed >= HOPELESS_AFTER and progress.failed == progress.done < progress.planned

    def _cancelled(self) -> bool:
        now = time.monotonic()
        if now - self._looked_at < MARKER_SECONDS:
            return False
        self._looked_at = now
        return self.store.read(self.record.id, CANCEL) is not None

    def _beat(self, job: Job) -> None:
        """Says in the store that someone is at work here, and leaves to others what they have done."""
        if self._attendance.beat() and isinstance(job, Shareable) and self._attendance.in_company():
            coverage = self.store.coverage(self.record.id)
            job.forget({name: merge(coverage.done(name)) for name in self._planned})

    def leave(self) -> None:
        self._attendance.leave()

    def _conclude(self, ending: Ending) -> Conclusion:
        progress = self.progress
        return Conclusion(ending, dict(self._planned), progress.done, progress.failed, progress.simulated)


def from_the_end(batches: Sequence[Batch]) -> list[Batch]:
    """The same replications, last ones first, so that two who share them meet in the middle."""
    return cut(batches, max(1, sum(map(len, batches)) // PIECES_OF_A_SHARE))[::-1]


@dataclass(frozen=True, slots=True)
class FixedRule:
    """Every scenario should have the same number of replications."""

    scenarios: tuple[str, ...]
    replications: int

    def wanted(self, _store: Store, _done: Mapping[str, list[Range]]) -> dict[str, int]:
        return dict.fromkeys(self.scenarios, self.replications)
