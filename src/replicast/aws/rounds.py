"""What the cloud asks for in each round: everything missing, in batches that end well before a function must.

Pure: the conductor in the cloud (functions.py) reads the store, asks here, and writes down the answer.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from replicast.core.planning import Range, count, cut, gaps, merge
from replicast.core.replication import Batch, FailureKind

from .limits import ITEMS_A_ROUND, Capacity, usable_seconds

BATCH_SECONDS = 10.0
"""Quick replications share a function for about so long: its start, two seconds at worst, then costs little."""

SHRINK = 4
"""A batch that came back without a result is asked for again in so many pieces."""

MOST_ROUNDS_WITHOUT_PROGRESS = 3

BLAMELESS = (
    "TooManyRequests",
    "Rate Exceeded",
    "ServiceException",
    "AWSLambdaException",
    "SdkClientException",
    "StoreError",
    "TaskInterrupted",
)
"""In an error of these the service or the store was at fault, and no replication is."""


@dataclass(frozen=True, slots=True)
class Cutting:
    """How work is cut where it is performed: replications of one batch for so many, and the most batches of a round."""

    size: Callable[[int], int]
    most: int


@dataclass(frozen=True, slots=True)
class Loss:
    """A batch whose function ended without an answer: Step Functions' error name and cause."""

    batch: Batch
    error: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A replication that was alone in its function and got no result, as often as it was tried."""

    scenario: str
    replication: int
    kind: FailureKind
    type: str
    message: str


@dataclass(slots=True)
class Round:
    """One round: its number, its batches, and what is remembered of earlier ones.

    `alone` counts how often a replication was alone in its batch without getting a result; `idle` counts rounds, one
    after the other, in which nothing was stored at all.
    """

    number: int = 0
    batches: list[Batch] = field(default_factory=list)
    alone: dict[tuple[str, int], int] = field(default_factory=dict)
    idle: int = 0
    given_up: list[GivenUp] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """`given_up` is in the store by then and is not written."""
        return {
            "number": self.number,
            "idle": self.idle,
            "alone": [[scenario, number, tries] for (scenario, number), tries in self.alone.items()],
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any], items: Iterable[Mapping[str, Any]]) -> Round:
        batches = [Batch(item["scenario"], item["first"], item["last"]) for item in items]
        alone = {(scenario, number): tries for scenario, number, tries in saved["alone"]}
        return cls(saved["number"], batches, alone, saved["idle"])


def items_of(batches: Iterable[Batch]) -> list[dict[str, Any]]:
    return [{"scenario": b.scenario, "first": b.first, "last": b.last} for b in batches]


def next_round(
    missing: Sequence[Batch],
    before: Round | None,
    losses: Iterable[Loss],
    *,
    begun: Container[Batch],
    cutting: Cutting,
    retries: int,
) -> Round:
    """The batches of the next round.

    `begun` are the batches whose function began: only for those is an absence a try. What was throttled away, or lost
    on its way, comes again as it was.
    """
    size = cutting.size(sum(map(len, missing)))
    if before is None:
        return Round(1, cut(missing, size)[: cutting.most])
    following = Round(before.number + 1, alone=dict(before.alone))
    index = _by_scenario(missing)
    asked = sum(map(len, before.batches))
    left = sum(len(piece) for batch in before.batches for piece in _overlap(batch, index))
    following.idle = before.idle + 1 if asked and left == asked else 0
    reasons = {loss.batch: loss for loss in losses}
    again: list[Batch] = []
    known: list[Batch] = []
    for batch in before.batches:
        remaining = _overlap(batch, index)
        known += remaining
        if not remaining:
            continue
        stuck = count((b.first, b.last) for b in remaining) == len(batch)
        if stuck and (batch not in begun or _is_blameless(reasons.get(batch))):
            again.append(batch)
        elif stuck and len(batch) == 1:
            again += _try_alone(following, batch, reasons.get(batch), retries)
        elif stuck:
            again += cut(remaining, max(1, min(size, math.ceil(len(batch) / SHRINK))))
        else:
            again += cut(remaining, size)
    following.batches = (again + cut(_others(missing, known), size))[: cutting.most]
    return following


def _try_alone(following: Round, batch: Batch, loss: Loss | None, retries: int) -> list[Batch]:
    """The batch once more, or none if it has been tried `retries` times after the first."""
    key = (batch.scenario, batch.first)
    tries = following.alone[key] = following.alone.get(key, 0) + 1
    if tries <= retries:
        return [batch]
    kind, error, message = reason_of(loss)
    following.given_up.append(GivenUp(batch.scenario, batch.first, kind, error, message))
    return []


def _is_blameless(loss: Loss | None) -> bool:
    return loss is not None and any(name in f"{loss.error} {loss.cause}" for name in BLAMELESS)


def without_result(missing: Iterable[Batch], before: Round) -> list[int]:
    """Indices of the batches of a round that have none of their replications stored."""
    index = _by_scenario(missing)
    lengths = (sum(map(len, _overlap(batch, index))) for batch in before.batches)
    return [at for at, (batch, left) in enumerate(zip(before.batches, lengths, strict=True)) if left == len(batch)]


def reason_of(loss: Loss | None) -> tuple[FailureKind, str, str]:
    """(kind, type, message) of a replication that got no result, in the words of whoever ended its function."""
    if loss is None:
        return "lost", "Lost", "its function left neither a result nor an error"
    text = f"{loss.error} {loss.cause}".lower()
    if "timed out" in text or "timedout" in text or loss.error == "States.Timeout":
        return "timeout", "FunctionTimeout", "the replication took longer than its function may: " + loss.cause[:500]
    if "signal: killed" in text or "outofmemory" in text or "out of memory" in text:
        message = "its function was killed, most often because its memory was used up: " + loss.cause[:500]
        return "died", "FunctionKilled", message
    return "died", loss.error or "FunctionEnded", (loss.cause or "its function ended without an answer")[:1000]


def batch_size(missing: int, *, capacity: Capacity, seconds: float | None) -> int:
    """Replications of one batch: about BATCH_SECONDS, more if functions are fewer, but well within a function's time.

    Where functions have to go round more than once, all rounds are equally long. While nothing is known of the
    replications' length, there are as many batches as functions may run at once.
    """
    width = max(capacity.concurrency, 1)
    if seconds is None:
        return max(1, math.ceil(missing / width))
    fitting = max(1, math.floor(usable_seconds(capacity.function_seconds) / (1.5 * max(seconds, 1e-6))))
    waves = max(1, math.ceil(missing / (width * fitting)))
    share = math.ceil(missing / (waves * width))
    return max(1, min(max(share, math.ceil(BATCH_SECONDS / max(seconds, 1e-6))), fitting, missing))


def of_functions(capacity: Capacity, seconds: float | None) -> Cutting:
    """As the map's functions perform it. `seconds` is what a slow replication takes, None if none is known."""
    return Cutting(partial(batch_size, capacity=capacity, seconds=seconds), ITEMS_A_ROUND)


Ranges = Mapping[str, Sequence[Range]]


def _by_scenario(batches: Iterable[Batch]) -> dict[str, list[Range]]:
    found: dict[str, list[Range]] = {}
    for batch in batches:
        found.setdefault(batch.scenario, []).append((batch.first, batch.last))
    return {scenario: merge(ranges) for scenario, ranges in found.items()}


def _overlap(batch: Batch, index: Ranges) -> list[Batch]:
    """What of the batch is in `index`, whose ranges are in order."""
    ranges = index.get(batch.scenario, ())
    at = bisect_left(ranges, batch.first, key=lambda r: r[1])
    found = []
    while at < len(ranges) and ranges[at][0] <= batch.last:
        first, last = ranges[at]
        found.append(Batch(batch.scenario, max(batch.first, first), min(batch.last, last)))
        at += 1
    return found


def _others(missing: Iterable[Batch], known: Iterable[Batch]) -> list[Batch]:
    """What is missing and was not asked for in the round before."""
    covered, others = _by_scenario(known), []
    for batch in missing:
        before = [(1, batch.first - 1)] if batch.first > 1 else []
        inside = [(b.first, b.last) for b in _overlap(batch, covered)]
        others += [Batch(batch.scenario, *r) for r in gaps(batch.last, [*before, *inside])]
    return others
