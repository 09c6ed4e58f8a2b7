"""Which part answers for which replication, when parts may overlap.

Parts overlap when a batch was performed twice: after a crash, by two conductors, by a queue that delivers at least
once. Of several successes the first committed counts; a success counts before a failure; of failures the last counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import pairwise

from replicast.core.planning import Range, count, merge, without
from replicast.core.ports import Damage


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """A committed part: its range of replications, its token (ordered by time) and how many of them failed.

    `path` is that of what committed it: a manifest, or in 0.1.0 its metrics file.
    """

    first: int
    last: int
    token: str
    failed: int
    path: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """Replications first..last, for which `part` answers."""

    first: int
    last: int
    part: Part


@dataclass(slots=True)
class ScenarioCoverage:
    segments: list[Segment] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)

    def done(self) -> list[Range]:
        return merge((s.first, s.last) for s in self.segments)


@dataclass(slots=True)
class RunCoverage:
    """What is stored of a run, by scenario, and what was and cannot be read any more."""

    scenarios: dict[str, ScenarioCoverage] = field(default_factory=dict)
    damage: list[Damage] = field(default_factory=list)

    def of(self, scenario: str) -> ScenarioCoverage:
        return self.scenarios.get(scenario) or ScenarioCoverage()

    def done(self, scenario: str) -> list[Range]:
        """All replications that have ended, successful or failed."""
        return self.of(scenario).done()

    def failed(self, scenario: str) -> Sequence[int]:
        return self.of(scenario).failed

    def ok(self, scenario: str) -> list[Range]:
        return without(self.done(scenario), self.failed(scenario))

    def count(self, scenario: str) -> int:
        return count(self.done(scenario))


def cover(parts: Iterable[Part], failures: Mapping[Part, Sequence[int]]) -> ScenarioCoverage:
    """Resolves parts of one scenario; `failures` names the failed replications of each part that has any."""
    covered = ScenarioCoverage()
    for cluster in _clusters(sorted(parts)):
        if len(cluster) == 1:
            part = cluster[0]
            covered.segments.append(Segment(part.first, part.last, part))
            covered.failed.extend(failures.get(part, ()))
        else:
            _resolve(cluster, failures, covered)
    return covered


def _clusters(parts: Iterable[Part]) -> Iterable[list[Part]]:
    """Groups of parts, ordered by replication, such that no two groups overlap."""
    cluster: list[Part] = []
    end = 0
    for part in parts:
        if cluster and part.first > end:
            yield cluster
            cluster = []
        cluster.append(part)
        end = max(end, part.last)
    if cluster:
        yield cluster


def _resolve(cluster: Sequence[Part], failures: Mapping[Part, Sequence[int]], covered: ScenarioCoverage) -> None:
    """Stretch by stretch between the numbers where anything changes, so that their length costs nothing."""
    lost: dict[int, list[Part]] = {}
    for part in cluster:
        for replication in failures.get(part, ()):
            lost.setdefault(replication, []).append(part)
    ends = {end for part in cluster for end in (part.first, part.last + 1)}
    points = sorted(ends | {end for replication in lost for end in (replication, replication + 1)})
    waiting, there = deque(sorted(cluster)), list[tuple[str, Part]]()
    for first, following in pairwise(points):
        while waiting and waiting[0].first <= first:
            part = waiting.popleft()
            heappush(there, (part.token, part))
        while there and there[0][1].last < first:
            heappop(there)
        if there:
            _answer(first, following - 1, there, lost.get(first, ()), covered)


def _answer(
    first: int, last: int, there: Sequence[tuple[str, Part]], losers: Sequence[Part], covered: ScenarioCoverage
) -> None:
    part = there[0][1]
    if losers:
        others = [own for own in there if own[1].last >= first and own[1] not in losers]
        part = min(others)[1] if others else max(losers, key=lambda own: own.token)
        if not others:
            covered.failed.append(first)
    previous = covered.segments[-1] if covered.segments else None
    if previous and previous.part is part and previous.last == first - 1:
        covered.segments[-1] = Segment(previous.first, last, part)
    else:
        covered.segments.append(Segment(first, last, part))
