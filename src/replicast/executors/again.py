"""Which process of a pool takes a second look at a job's first replication, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from replicast.core.replication import Batch

from .pool_process import PoolProcess

FEWEST = 100
"""Replications of a job from which on one more is one in a hundred."""

SHARE = 0.01
"""Of the seconds that a job is expected to simulate: what a second look may cost at most."""

NEGLIGIBLE_SECONDS = 0.1
JUDGED_FROM = 10
"""Replications from whose seconds it is judged what a job will take."""

MOST_CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A replication that was simulated once, by `process`, in about `seconds`."""

    single: Batch
    process: PoolProcess
    seconds: float


class Again:
    """An early replication of a job of many is simulated once more, by a process that has simulated others before.

    That is another process than the one which simulated it first, where there is another. It is done as soon as it
    can be, among the rest, so that nobody waits for it alone. The first replication is taken, or one of the next if
    that takes too long to be done twice.
    """

    def __init__(self, batches: Sequence[Batch], *, wanted: bool) -> None:
        self._planned = sum(map(len, batches))
        self._first = Batch(batches[0].scenario, batches[0].first, batches[0].first) if batches else None
        self._wanted = wanted and self._planned >= FEWEST
        self._candidates: list[Candidate] = []
        self._saved, self._seconds = 0, 0.0
        self._did = Counter[PoolProcess]()
        self.process: PoolProcess | None = None
        """Who is at it."""

    def saved(self, process: PoolProcess, batch: Batch, seconds: float) -> None:
        self._saved, self._seconds = self._saved + len(batch), self._seconds + seconds
        if self._wanted and self._first and batch.scenario == self._first.scenario:
            single = Batch(batch.scenario, batch.first, batch.first)
            self._candidates.append(Candidate(single, process, seconds / len(batch)))
            self._candidates.sort(key=lambda candidate: candidate.single.first)
            del self._candidates[MOST_CANDIDATES:]

    def done(self, process: PoolProcess) -> None:
        if self._wanted:
            self._did[process] += 1

    def take(self, process: PoolProcess, *, waits_for_other: bool) -> Batch | None:
        """The replication, if it is for this process: not the first's, where another may still be had."""
        chosen = self._chosen()
        if chosen is None or not self._did[process]:
            return None
        if process is chosen.process and (waits_for_other or len(self._did) > 1 or self._did[process] < 2):
            return None
        self._wanted, self.process = False, process
        return chosen.single

    def _chosen(self) -> Candidate | None:
        """The first that may be done twice, once it is known what the others take."""
        if not self._wanted or self._saved < JUDGED_FROM or not self._candidates:
            return None
        return (
            next(filter(self._is_cheap, self._candidates), None) if self._candidates[0].single == self._first else None
        )

    def _is_cheap(self, one: Candidate) -> bool:
        others = (self._seconds - one.seconds) / (self._saved - 1)
        return one.seconds <= max(NEGLIGIBLE_SECONDS, SHARE * self._planned * others)

    def over(self) -> None:
        self.process = None
