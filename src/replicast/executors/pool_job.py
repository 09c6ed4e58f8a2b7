"""A run's batches in the hands of the local pool: handed out in pieces, judged when a process dies, cancelled."""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from replicast.core.errors import ExecutorError, ModelError, StoreError
from replicast.core.planning import BatchQueue, Range
from replicast.core.ports import JobState, Work
from replicast.core.progress import Saved
from replicast.core.replication import Batch, Failure, Outcome
from replicast.machine.deaths import reason_of_death
from replicast.models import language_of

from .again import Again
from .crew import Crew
from .deaths import Death, around, halves, unsaved
from .memory_watch import MemoryWatch
from .pool_process import PoolProcess

GROWTH = 16
LARGEST_BATCH = 100_000
WORTH_A_SAVE_SECONDS = 0.03
GRACE_SECONDS = 3.0
TIMEOUT_MARGIN_SECONDS = 2.0
DEATHS_WITHOUT_CULPRIT = 3


class PoolJob:
    """Fulfils `core.ports.Job`: hands pieces of batches to idle processes, sized by the seconds observed so far."""

    id = ""

    def __init__(self, pool: Crew, batches: Sequence[Batch], work: Work) -> None:
        self._pool, self._work, self._timeout = pool, work, work.timeout_seconds
        self._queue = BatchQueue(batches)
        self._attempts: Counter[tuple[str, int]] = Counter()
        self._seconds: float | None = None
        self._observed = (0.0, 0.0)
        self._largest = 1
        self._news: list[Saved] = []
        self._blameless_deaths = 0
        self._cancelled = False
        self._memory = MemoryWatch(work.memory_bytes)
        self._alone: list[Batch] = []
        self._alone_now: Batch | None = None
        self._too_large: list[str] = []
        self._again = Again(batches, wanted=pool.looks_again)
        self._selector = selectors.DefaultSelector()
        for process in pool.processes:
            self._selector.register(process.news, selectors.EVENT_READ, process)

    def progress(self) -> Sequence[Saved]:
        news, self._news = self._news, []
        return news

    def poll(self, wait_seconds: float = 0.0) -> JobState:
        if self._cancelled:
            return JobState.CANCELLED
        self._hand_out()
        busy = [process for process in self._pool.processes if process.batch is not None]
        if not busy and not self._queue.left and not self._alone:
            if self._too_large:
                raise ExecutorError(self._too_large[0])
            return JobState.ENDED
        limit = min(wait_seconds, 0.1) if self._timeout else wait_seconds
        for key, _ in self._selector.select(limit):
            self._listen(key.data)
        self._bury_the_dead()
        self._end_overdue()
        if self._memory.is_due():
            self._spare_memory()
        return JobState.RUNNING

    def _hand_out(self) -> None:
        if self._alone or self._alone_now:
            self._hand_out_alone()
            return
        busy = sum(process.batch is not None for process in self._pool.processes)
        while len(self._pool.processes) < min(self._pool.workers, self._queue.left + busy):
            process = self._pool.start_process()
            self._selector.register(process.news, selectors.EVENT_READ, process)
        for process in self._pool.processes:
            if not process.ready or process.batch is not None:
                continue
            if single := self._again.take(process, waits_for_other=self._other_may_come()):
                process.look_again(single)
            elif batch := self._queue.take(self._size()):
                process.do(batch)

    def _other_may_come(self) -> bool:
        return self._pool.workers > 1 and bool(self._queue.left)

    def _hand_out_alone(self) -> None:
        """What the machine had too little memory for, with nothing else under way."""
        processes = self._pool.processes
        if any(process.batch is not None for process in processes):
            return
        self._alone_now = None
        if not self._alone:
            return
        for process in processes[1:]:
            self._selector.unregister(process.news)
            self._pool.replace(process)
        if not processes:
            process = self._pool.start_process()
            self._selector.register(process.news, selectors.EVENT_READ, process)
        elif processes[0].ready:
            self._alone_now = self._alone.pop(0)
            processes[0].do(self._alone_now)

    def _spare_memory(self) -> None:
        """Ends who uses more memory than it may, or the largest where the machine has hardly any left."""
        for process, why in self._memory.over_limit(self._pool.processes):
            self._bury(process, memory=why)
        largest = self._memory.largest(self._pool.processes)
        if largest is not None:
            self._bury(largest, short=True)

    def _size(self) -> int:
        """Replications of about `save_seconds`, growing from one, and small enough that the last ones are shared.

        No smaller than is worth a save of its own.
        """
        if self._seconds is None:
            return 1
        fitting, worth_a_save = (
            int(seconds / self._seconds) for seconds in (self._pool.save_seconds, WORTH_A_SAVE_SECONDS)
        )
        share = -(-self._queue.left // (2 * self._pool.workers))
        self._largest = min(self._largest * GROWTH, LARGEST_BATCH)
        return max(1, min(fitting, max(share, worth_a_save), self._largest))

    def _listen(self, process: PoolProcess) -> None:
        heard = process.hear()
        if heard is None:
            process.find_out_why()
            self._bury(process)
            return
        for news in heard:
            self._take_in(process, news)

    def _bury_the_dead(self) -> None:
        """Those whose pipe is held open by what they started, and those that a model has spoilt."""
        for process in list(self._pool.processes):
            if process.spoilt or process.has_ended():
                self._bury(process)

    def _take_in(self, process: PoolProcess, news: Mapping[str, Any]) -> None:
        if "saved" in news:
            where, failed, seconds, first_metric = news["saved"]
            batch = Batch(*where)
            process.saved.append((batch.first, batch.last))
            self._again.saved(process, batch, seconds)
            self._news.append(Saved(batch, failed, seconds, tuple(first_metric) if first_metric else None))
        elif "done" in news:
            if process.batch is not None:
                self._observe(process.batch, process.busy_seconds())
            process.batch = None
            process.forget_time()
            self._again.done(process)
            self._blameless_deaths = 0
        elif "again" in news:
            process.batch = None
            process.forget_time()
            self._again.over()
        elif "ready" in news:
            process.ready = True
        elif "store_error" in news:
            raise StoreError(news["store_error"])
        elif "model_error" in news:
            raise ModelError(*news["model_error"])
        elif "spoilt" in news:
            process.spoilt = news["spoilt"]

    def _observe(self, batch: Batch, seconds: float) -> None:
        """Takes in how long a batch took, with all that it took beside the model; later and larger ones count more."""
        self._observed = (0.5 * self._observed[0] + seconds, 0.5 * self._observed[1] + len(batch))
        self._seconds = max(self._observed[0] / self._observed[1], 1e-7)

    def _end_overdue(self) -> None:
        """Ends processes whose replication takes too long; R and command models end theirs themselves, just before."""
        if self._timeout is None:
            return
        own = language_of(self._work.experiment.model).ends_overdue
        limit = self._timeout + (TIMEOUT_MARGIN_SECONDS if own else 0.0)
        for process in list(self._pool.processes):
            if process.batch is not None and process.silent_seconds() > limit:
                self._bury(process, overdue=True)

    def _bury(self, process: PoolProcess, *, overdue: bool = False, memory: str = "", short: bool = False) -> None:
        """Takes a dead process out, finds the guilty replication, and gives the rest of its batch back."""
        for news in process.hear() or []:
            self._take_in(process, news)
        self._selector.unregister(process.news)
        batch, culprit, tail = process.batch, process.current(), process.log_tail()
        status = self._pool.replace(process)
        if batch is None:
            self._count_blameless(status, tail)
            return
        if process is self._again.process:
            self._again.over()
            if not (overdue or memory or short):
                self._note_died_again(batch, Death(status, spoilt=process.spoilt))
            return
        rest = [Batch(batch.scenario, *r) for r in unsaved(batch, process)]
        if sum(map(len, rest)) == 1:
            culprit, certain = rest[0].first, True
        else:
            certain = not process.spoilt and any(piece.first <= culprit <= piece.last for piece in rest)
        for piece in reversed(rest):
            for part in reversed(around(piece, culprit) if certain else halves(piece)):
                self._queue.put_back(part)
        if not certain:
            return
        single = Batch(batch.scenario, culprit, culprit)
        if short:
            self._try_alone(single)
        elif memory and len(batch) > 1:
            self._queue.put_back(single)  # others before it may have used the memory: it is tried by itself
        else:
            by_itself = status == -signal.SIGKILL and not (overdue or memory or process.spoilt)
            starved = by_itself and self._memory.system_killed()
            self._judge(single, Death(status, overdue, process.spoilt, memory, starved), tail)

    def _try_alone(self, single: Batch) -> None:
        """An absence, not a failure: what a model returns must not depend on the machine's memory."""
        if single == self._alone_now:
            self._too_large.append(
                f"replication {single.first} of scenario '{single.scenario}' needs more memory than this machine has, "
                "even by itself; all others are stored. Resume the run on a larger machine, or limit it with --memory"
            )
        else:
            self._alone.append(single)

    def _judge(self, single: Batch, death: Death, log: str) -> None:
        """Tries a replication again whose process died, or records it as failed after the last attempt."""
        key = (single.scenario, single.first)
        self._attempts[key] += 1
        if self._attempts[key] <= self._work.retries:
            self._queue.put_back(single)
            return
        seconds = 0.0
        if death.overdue:
            seconds = self._timeout or 0.0
            failure = Failure("timeout", "Timeout", f"the replication took longer than {self._timeout:g} seconds")
        else:
            failure = Failure("memory" if death.memory or death.starved else "died", *death.reason)
        outcome = Outcome(*key, seconds, failure=failure, log=log, attempt=self._attempts[key], worker="pool")
        self._work.store.save(self._work.run, [outcome])
        self._news.append(Saved(single, 1, seconds))

    def _note_died_again(self, single: Batch, death: Death) -> None:
        from replicast.performing.second_look import SecondLook, note_second_look  # imports numpy

        look = SecondLook(single.scenario, single.first, (f"it succeeded; then {death.reason[1]}",))
        note_second_look(self._work.store, self._work.run, look)

    def _count_blameless(self, status: int, log: str) -> None:
        self._blameless_deaths += 1
        if self._blameless_deaths >= DEATHS_WITHOUT_CULPRIT:
            reason = reason_of_death(status)[1].replace(" while this replication ran", "")
            raise ExecutorError(f"worker processes die before they simulate anything: {reason}\n{log}".rstrip())

    def forget(self, done: Mapping[str, list[Range]]) -> None:
        """Leaves out what another process has done meanwhile."""
        self._queue.forget(done)

    def cancel(self) -> None:
        """Has every process save what it has and leave; kills what has not left after GRACE_SECONDS."""
        self._cancelled = True
        for process in self._pool.processes:
            _signal(process.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while self._pool.processes and time.monotonic() < deadline:
            for key, _ in self._selector.select(0.1):
                process = key.data
                heard = process.hear()
                for news in heard or []:
                    if "saved" in news:
                        self._take_in(process, news)
                if heard is None:
                    self._selector.unregister(process.news)
                    self._pool.replace(process)
        for process in list(self._pool.processes):
            self._selector.unregister(process.news)
            self._pool.replace(process)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
