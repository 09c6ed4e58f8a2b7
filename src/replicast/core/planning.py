"""The one question, "what is missing?", and how the answer is cut into batches."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Collection, Iterable, Mapping

from .replication import Batch

Range = tuple[int, int]
"""Replications from the first to the second number, both included."""


def merge(ranges: Iterable[Range]) -> list[Range]:
    """The same replications as ordered ranges that neither overlap nor touch."""
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def gaps(wanted: int, done: Iterable[Range]) -> list[Range]:
    """The ranges of 1..wanted that are not in `done`."""
    missing, following = [], 1
    for first, last in merge(done):
        if first > wanted:
            break
        if first > following:
            missing.append((following, first - 1))
        following = last + 1
    if following <= wanted:
        missing.append((following, wanted))
    return missing


def without(ranges: Iterable[Range], replications: Collection[int]) -> list[Range]:
    """Ordered ranges that do not overlap, less some replications."""
    remaining: list[Range] = []
    crossed = sorted(replications)
    for first, last in ranges:
        start = first
        for replication in crossed[bisect_left(crossed, first) : bisect_right(crossed, last)]:
            if replication > start:
                remaining.append((start, replication - 1))
            start = replication + 1
        if start <= last:
            remaining.append((start, last))
    return remaining


def less(ranges: Iterable[Range], others: Iterable[Range]) -> list[Range]:
    """Ordered ranges that do not overlap, less all replications of `others`, which are such ranges too."""
    remaining: list[Range] = []
    taken = deque(others)
    for first, last in ranges:
        start = first
        while taken and taken[0][1] < start:
            taken.popleft()
        while start <= last and taken and taken[0][0] <= last:
            if taken[0][0] > start:
                remaining.append((start, taken[0][0] - 1))
            start = taken[0][1] + 1
            if start <= last:
                taken.popleft()
        if start <= last:
            remaining.append((start, last))
    return remaining


def count(ranges: Iterable[Range]) -> int:
    return sum(last - first + 1 for first, last in ranges)


def missing(wanted: Mapping[str, int], done: Mapping[str, Iterable[Range]]) -> list[Batch]:
    """What is missing, as the largest batches there are, scenario by scenario."""
    return [
        Batch(scenario, first, last)
        for scenario, number in wanted.items()
        for first, last in gaps(number, done.get(scenario, ()))
    ]


def cut(batches: Iterable[Batch], size: int) -> list[Batch]:
    """The same replications in batches of at most `size`, scenarios taking turns so that all progress together."""
    queue = BatchQueue(batches)
    pieces = []
    while (piece := queue.take(size)) is not None:
        pieces.append(piece)
    return pieces


def _left(batch: Batch, done: list[Range]) -> list[Range]:
    return [(max(first, batch.first), last) for first, last in gaps(batch.last, done) if last >= batch.first]


class BatchQueue:
    """Batches to be performed, from which pieces of any size are taken; scenarios take turns."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._waiting: dict[str, deque[Batch]] = {}
        self._turn: deque[str] = deque()
        self.left = 0
        for batch in batches:
            self._append(batch, at_front=False)

    def _append(self, batch: Batch, *, at_front: bool) -> None:
        waiting = self._waiting.setdefault(batch.scenario, deque())
        if not waiting:
            (self._turn.appendleft if at_front else self._turn.append)(batch.scenario)
        (waiting.appendleft if at_front else waiting.append)(batch)
        self.left += len(batch)

    def forget(self, done: Mapping[str, Iterable[Range]]) -> None:
        """Leaves out what has been done elsewhere meanwhile."""
        for scenario, waiting in self._waiting.items():
            ranges = merge(done.get(scenario, ()))
            kept = [Batch(scenario, *left) for batch in waiting for left in _left(batch, ranges)]
            self.left += sum(map(len, kept)) - sum(map(len, waiting))
            waiting.clear()
            waiting.extend(kept)
        self._turn = deque(scenario for scenario in self._turn if self._waiting[scenario])

    def put_back(self, batch: Batch) -> None:
        """Returns replications that were taken and not performed, to be taken next."""
        self._append(batch, at_front=True)

    def take(self, size: int) -> Batch | None:
        """The next piece of at most `size` replications, or None when nothing is left."""
        if not self._turn:
            return None
        scenario = self._turn.popleft()
        waiting = self._waiting[scenario]
        batch = waiting.popleft()
        piece = Batch(scenario, batch.first, min(batch.last, batch.first + max(size, 1) - 1))
        if piece.last < batch.last:
            waiting.appendleft(Batch(scenario, piece.last + 1, batch.last))
        if waiting:
            self._turn.append(scenario)
        self.left -= len(piece)
        return piece
