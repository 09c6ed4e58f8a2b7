"""When a scenario has enough replications: after a fixed number, or once its intervals are as narrow as asked for.

A rule judges replications 1 to k, in the order of their numbers, and never the order in which they arrive. So the
answer of a parallel run is the one that a single worker would have come to, on any executor, however the work was cut.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from .distributions import check_confidence, normal_quantile, t_critical
from .errors import RequestError, nearest
from .precision import Target
from .proportions import wilson_half_widths

LEAST = 3
"""The smallest number of replications that Hoad, Robinson and Davies judge."""

USUAL_LOOK_AHEAD = 5
"""Theirs, of up to 100 replications."""

USUAL_MINIMUM = 10
"""Seven more than theirs; for results that vary little, intervals then cover 1 to 2 % more often (benchmarks/)."""


@dataclass(frozen=True, slots=True)
class Done:
    """Replications 1 to `count` of a scenario, none missing.

    `values` has an array of `count` doubles for each metric: NaN where a replication failed or did not return it.
    `booleans` names those that are proportions.
    """

    count: int
    values: Mapping[str, NDArray[np.float64]]
    booleans: Collection[str] = ()

    @classmethod
    def of(
        cls, replications: NDArray[np.int64], values: Mapping[str, NDArray[np.float64]], failed: Iterable[int] = ()
    ) -> Done:
        """What is done without a gap, of rows in any order: `replications` numbers the values of each metric."""
        ended = np.union1d(replications, np.fromiter(failed, dtype=np.int64))
        gaps = np.flatnonzero(ended != np.arange(1, len(ended) + 1))
        count = int(gaps[0]) if len(gaps) else len(ended)
        inside = replications <= count
        return cls(count, {metric: _placed(replications[inside], own[inside], count) for metric, own in values.items()})


def _placed(replications: NDArray[np.int64], values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    placed = np.full(count, math.nan)
    placed[replications - 1] = values
    return placed


class StopRule(Protocol):
    def wanted(self, scenario: str, done: Done) -> int:
        """How many replications the scenario is to have in all, as far as `done` shows; it may be fewer."""
        ...


@dataclass(frozen=True, slots=True)
class FixedCount:
    """So many replications and no more."""

    n: int

    def wanted(self, scenario: str, done: Done) -> int:  # noqa: ARG002
        return self.n


@dataclass(frozen=True, slots=True)
class Judgement:
    """How far a scenario has come.

    `open`: more replications are wanted, `wanted` in all. `met`: every target has been met from replication `needed` up
    to `wanted`, the end of its look-ahead. `unmet`: `wanted` is the maximum, and at least one target is not met there.
    """

    state: Literal["open", "met", "unmet"]
    wanted: int
    needed: int | None = None


class UntilPrecise:
    """Until the half-width of every target is met and stays met.

    Hoad, Robinson and Davies (2010), Journal of the Operational Research Society 61, 1632–1644. The first number of
    replications, from `minimum` on, at which all targets are met is a candidate. It is accepted if they stay met for
    `look_ahead` more replications (in proportion above 100: at 400, four times as many; fewer where `maximum` comes
    first); if not, the search goes on behind the replication that broke it. The look-ahead is part of what is wanted.
    A metric that has shown no variation has no interval, so its target is not met, unless it is a boolean: that has
    Wilson's, whose half-width is half its length. A relative target is not met at a mean of 0. A replication that
    failed, or returned no finite value, leaves that metric's interval as it was.

    Asking again reads only the replications that are new since the last time.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        *,
        minimum: int = USUAL_MINIMUM,
        look_ahead: int = USUAL_LOOK_AHEAD,
        maximum: int = 1000,
        confidence: float = 0.95,
    ) -> None:
        check_confidence(confidence)
        if not targets:
            raise RequestError("run until precise, but of which metric? Give METRIC=5%")
        if minimum < LEAST:
            raise RequestError(
                f"an interval is judged from {LEAST} replications on, and a minimum of {minimum} is below"
            )
        if look_ahead < 0:
            raise RequestError(f"a look-ahead is 0 or more replications, and {look_ahead} is not")
        if maximum < minimum:
            raise RequestError(f"a maximum of {maximum} replications is below the minimum of {minimum}")
        self.targets = tuple(targets)
        self.minimum, self.look_ahead, self.maximum = minimum, look_ahead, maximum
        self.confidence = confidence
        self._searches: dict[str, _Search] = {}

    def wanted(self, scenario: str, done: Done) -> int:
        """See StopRule. Raises RequestError if replications returned metrics and a target's is not among them."""
        return self.judge(scenario, done).wanted

    def judge(self, scenario: str, done: Done) -> Judgement:
        """As `wanted`, and whether that is the end of it."""
        self._check_metrics(done)
        search = self._searches.get(scenario)
        shares = tuple(target.metric in done.booleans for target in self.targets)
        if search is None or search.read > done.count or search.shares != shares:
            search = self._searches[scenario] = _Search.of(self, shares)
        search.go_on(done)
        return search.judgement()

    def _check_metrics(self, done: Done) -> None:
        for target in self.targets:
            if done.values and target.metric not in done.values:
                raise RequestError(f"no metric is called '{target.metric}'{nearest(target.metric, done.values)}")


@dataclass(slots=True)
class _Running:
    """Mean and standard error of one metric's values so far, at each new replication, and whether its target is met.

    Of a boolean, a `share`, `errors` are the half-widths of Wilson's interval.
    Sums are of distances from the first value, each added to the one before: however the values are cut, the same bits.
    That value being one of the sample, its distance from the mean is at most √n standard deviations, so little cancels.
    """

    target: Target
    confidence: float
    z: float
    share: bool = False
    first: float | None = None
    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    bound: float = math.inf
    counts: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    errors: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    allowed: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def take(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """At which of the next replications the target may be met: Student's t is never below the normal quantile."""
        finite = np.isfinite(values)
        if self.first is None:
            self.first = float(values[finite][0]) if finite.any() else None
        gaps = values[finite] - (self.first or 0.0)
        total = np.add.accumulate(np.concatenate([[self.total], gaps]))
        squares = np.add.accumulate(np.concatenate([[self.squares], gaps * gaps]))
        upto = np.cumsum(finite)
        self.counts = (self.n + upto).astype(np.float64)
        spread = np.maximum(squares - total * total / np.maximum(self.n + np.arange(len(total)), 1.0), 0.0)[upto]
        self.errors = np.sqrt(spread / np.maximum(self.counts - 1.0, 1.0) / np.maximum(self.counts, 1.0))
        means = (self.first or 0.0) + total[upto] / np.maximum(self.counts, 1.0)
        if self.share:
            self.errors = wilson_half_widths(means, self.counts, self.z)
        self.allowed = self.target.half_width * (np.abs(means) if self.target.relative else np.ones(len(means)))
        self.n, self.total, self.squares = self.n + len(gaps), float(total[-1]), float(squares[-1])
        if self.share:
            return (self.counts > 1.0) & (self.errors <= self.allowed)
        possible: NDArray[np.bool_] = (self.counts > 1.0) & (spread > 0.0) & (self.z * self.errors <= self.allowed)
        return possible

    def is_met(self, i: int) -> bool:
        """At the i-th of the replications last taken. The t of fewer degrees of freedom mostly decides for more."""
        error, allowed = float(self.errors[i]), float(self.allowed[i])
        if self.share:
            return error <= allowed
        if self.bound * error > allowed:
            self.bound = t_critical(self.confidence, float(self.counts[i]) - 1.0)
        return self.bound * error <= allowed

    def expected(self) -> float:
        """About how many replications would meet the target, as the half-width shrinks with their root."""
        if not len(self.counts) or not self.allowed[-1] > 0.0 or not (self.squares > 0.0 or self.share):
            return math.inf
        if self.share:
            return float(self.errors[-1] / self.allowed[-1]) ** 2 * self.n
        ratio = t_critical(self.confidence, self.n - 1) * float(self.errors[-1] / self.allowed[-1])
        return ratio * ratio * self.n


@dataclass(slots=True)
class _Search:
    """The rule at work on one scenario: replications 1 to `read` are behind it, `needed` is the candidate."""

    rule: UntilPrecise
    running: list[_Running]
    shares: tuple[bool, ...]
    read: int = 0
    needed: int | None = None
    met: bool = False

    @classmethod
    def of(cls, rule: UntilPrecise, shares: tuple[bool, ...]) -> _Search:
        z = normal_quantile(0.5 + 0.5 * rule.confidence)
        running = [
            _Running(target, rule.confidence, z, share) for target, share in zip(rule.targets, shares, strict=True)
        ]
        return cls(rule, running, shares)

    def go_on(self, done: Done) -> None:
        before, last = self.read, min(done.count, self.rule.maximum)
        if self.met or before >= last:
            return
        self.read = last
        possible = np.arange(before + 1, last + 1) >= self.rule.minimum
        absent = np.full(last - before, math.nan)
        with np.errstate(over="ignore", invalid="ignore"):
            for running in self.running:
                own = done.values.get(running.target.metric)
                possible &= running.take(absent if own is None else own[before:last])
        self._follow(before, np.flatnonzero(possible).tolist())

    def _follow(self, before: int, possible: list[int]) -> None:
        """Walks through the replications at which all targets may be met; one is not between two that do not adjoin."""
        latest = before
        for i in possible:
            number = before + i + 1
            if number != latest + 1:
                self.needed = None
            if all(running.is_met(i) for running in self.running):
                self.needed = self.needed or number
                self.met = number >= self._end(self.needed)
            else:
                self.needed = None
            latest = number
            if self.met:
                return
        if latest != self.read:
            self.needed = None

    def _end(self, needed: int) -> int:
        """Where the look-ahead of a candidate ends: Hoad et al.'s f(kLimit, n) behind it, or at the maximum."""
        return min(needed + self.rule.look_ahead * max(needed, 100) // 100, self.rule.maximum)

    def judgement(self) -> Judgement:
        if self.needed is not None:
            return Judgement("met" if self.met else "open", self._end(self.needed), self.needed)
        if self.read >= self.rule.maximum:
            return Judgement("unmet", self.rule.maximum)
        return Judgement("open", self._next())

    def _next(self) -> int:
        """More than was read: what the half-widths so far let expect, but no more than twice as many at a time."""
        expected = max(running.expected() for running in self.running)
        candidate = math.ceil(max(self.rule.minimum, min(expected, 2.0 * self.read), self.read + 1.0))
        return self._end(candidate)
