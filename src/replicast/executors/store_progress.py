"""How far a job is, seen from its run's store alone: for executors whose workers tell us nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

from replicast.core.planning import Range, count, gaps, merge
from replicast.core.ports import Work
from replicast.core.progress import Saved
from replicast.core.replication import Batch

LIST_SECONDS = 2.0


class StoreProgress:
    """What has come to the store since the job began, looked up now and then."""

    def __init__(self, work: Work, list_seconds: float = LIST_SECONDS) -> None:
        self._work, self._list_seconds = work, list_seconds
        self._looked_at = time.monotonic()
        self._done, self._failed = self._look()

    def _look(self) -> tuple[dict[str, list[Range]], int]:
        coverage = self._work.store.coverage(self._work.run)
        names = [scenario.name for scenario in self._work.experiment.scenarios]
        return {name: merge(coverage.done(name)) for name in names}, sum(len(coverage.failed(n)) for n in names)

    def news(self, *, ended: bool) -> list[Saved]:
        """`ended` says that there will be no more, so that it is looked now."""
        if not ended and time.monotonic() - self._looked_at < self._list_seconds:
            return []
        done, failed = self._look()
        new = [Batch(name, *r) for name, own in done.items() for r in _beyond(own, self._done.get(name, []))]
        found = [Saved(batch, 0, 0.0) for batch in new]
        if found:
            found[0] = Saved(new[0], max(0, failed - self._failed), 0.0)
        self._done, self._failed, self._looked_at = done, failed, time.monotonic()
        return found


def _beyond(now: list[Range], before: list[Range]) -> Iterator[Range]:
    """Ranges of `now` that are not in `before`."""
    if count(now) == count(before):
        return
    free = gaps(now[-1][1], before)
    for first, last in now:
        for low, high in free:
            if max(first, low) <= min(last, high):
                yield max(first, low), min(last, high)
