"""Plan, start, watch, plan again, until nothing is missing."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Protocol

import msgspec

from replicast.core.distributions import t_critical
from replicast.core.errors import ExecutorError
from replicast.core.planning import Range, merge, missing, without
from replicast.core.ports import Executor, Job, JobState, Saved, Store
from replicast.core.record import RunRecord
from replicast.core.replication import Batch
from replicast.machine.processes import THIS_SYSTEM, is_alive

POLL_SECONDS = 0.1
MARKER_SECONDS = 1.0
BEAT_SECONDS = 5.0
SILENT_SECONDS = 20.0
CLOCKS_APART_SECONDS = 300.0
ROUNDS_WITHOUT_PROGRESS = 3
HOPELESS_AFTER = 10
CANCEL, CONDUCTOR = "cancel", "conductor.json"


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
) -> Conclusion:
    """Has all that is missing performed, and `redo` (replications by scenario) once more.

    Raises ExecutorError, StoreError, ModelError and Interrupted.
    """
    conductor = Conductor(record, store, executor, rule, watch, redo or {})
    store.delete(record.id, CANCEL)
    try:
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
    ) -> None:
        self.record, self.store, self.executor, self.rule, self.watch = record, store, executor, rule, watch
        self._redo = redo
        first = record.experiment.scenarios[0].name
        self.progress = Progress(planned=0, scenario=first)
        self._beat_at = self._looked_at = 0.0
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
            self._beat()
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

    def _beat(self) -> None:
        """Says in the store that someone is at work here, for `status`."""
        now = time.monotonic()
        if now - self._beat_at >= BEAT_SECONDS:
            self._beat_at = now
            pid, host, created = os.getpid(), platform.node(), THIS_SYSTEM.created(os.getpid())
            presence = Presence(pid, host, time.time(), self.executor.name, created)
            self.store.write(self.record.id, CONDUCTOR, msgspec.json.encode(presence))

    def leave(self) -> None:
        if self._beat_at:
            self.store.delete(self.record.id, CONDUCTOR)

    def _conclude(self, ending: Ending) -> Conclusion:
        progress = self.progress
        return Conclusion(ending, dict(self._planned), progress.done, progress.failed, progress.simulated)


class Presence(msgspec.Struct, frozen=True):
    """Who conducts a run, as conductor.json says it; `time` and when it was `created` are in seconds since 1970."""

    pid: Annotated[int, msgspec.Meta(gt=0, lt=2**31)]
    host: str
    time: float
    executor: str
    created: float | None = None


@dataclass(frozen=True, slots=True)
class FixedRule:
    """Every scenario should have the same number of replications."""

    scenarios: tuple[str, ...]
    replications: int

    def wanted(self, _store: Store, _done: Mapping[str, list[Range]]) -> dict[str, int]:
        return dict.fromkeys(self.scenarios, self.replications)


def someone_at_work(store: Store, run: str) -> dict[str, Any] | None:
    """Who conducts the run at this moment, if anyone does."""
    content = store.read(run, CONDUCTOR)
    try:
        presence = msgspec.json.decode(content or b"", type=Presence)
    except msgspec.MsgspecError:  # a beat that was torn is followed by another, if anyone is there
        return None
    silent = time.time() - presence.time
    if not -CLOCKS_APART_SECONDS < silent < SILENT_SECONDS:
        return None
    if presence.host == platform.node() and not is_alive(presence.pid, presence.created):
        return None
    return msgspec.structs.asdict(presence)
