"""Which process of a pool takes a second look at a job's first replication, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from replicast.core.replication import Batch

from .pool_process import PoolProcess

FEWEST = 100
"""Replications of a job from which on one more costs no more than one in a hundred."""


class Again:
    """The first replication of a job of many is simulated once more, by a process that has simulated others before.

    That is another process than the one which simulated it first, where there is another. It is done as soon as it
    can be, among the rest, so that nobody waits for it alone.
    """

    def __init__(self, batches: Sequence[Batch], *, wanted: bool) -> None:
        self._single: Batch | None = None
        if wanted and sum(map(len, batches)) >= FEWEST:
            self._single = Batch(batches[0].scenario, batches[0].first, batches[0].first)
        self._first: PoolProcess | None = None
        self._did = Counter[PoolProcess]()
        self.process: PoolProcess | None = None
        """Who is at it."""

    def saved(self, process: PoolProcess, batch: Batch) -> None:
        single = self._single
        if single and batch.scenario == single.scenario and batch.first <= single.first <= batch.last:
            self._first = process

    def done(self, process: PoolProcess) -> None:
        if self._single:
            self._did[process] += 1

    def take(self, process: PoolProcess, *, waits_for_other: bool) -> Batch | None:
        """The replication, if it is for this process: not the first's, where another may still be had."""
        if self._single is None or self._first is None or not self._did[process]:
            return None
        if process is self._first and (waits_for_other or len(self._did) > 1 or self._did[process] < 2):
            return None
        single, self._single, self.process = self._single, None, process
        return single

    def over(self) -> None:
        self.process = None
