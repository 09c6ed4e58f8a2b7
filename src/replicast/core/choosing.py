"""A stopping rule that finds the best scenario: those that are out, or not worth it, get no more replications.

Judged by replication number: what is asked of the values of replications 1 to k has the same answer however many
workers computed them and in whatever order; replications that came beyond it are not part of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .differences import FEWEST_EQUAL, ROUNDING
from .distributions import check_confidence
from .errors import RequestError, nearest
from .moments import Moments
from .selection import Better, allocate, h_squared
from .stopping import Done

FIRST = 10
USUAL_MAXIMUM = 10_000
STEPS = 20
"""In how many parts what is left of a budget is spent."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What is sought: the best in `metric`, by Kim and Nelson with an `indifference` zone, or by OCBA in a `budget`."""

    metric: str
    better: Better
    indifference: float | None = None
    budget: int | None = None

    def __str__(self) -> str:
        how = f"indifference {self.indifference:g}" if self.budget is None else f"budget {self.budget:,}"
        return f"{self.metric}={self.better}, {how}"


def parse_goal(text: str, indifference: float | None, budget: int | None) -> Goal:
    """Of `cost=lower` and one of the two. Raises RequestError."""
    metric, separator, better = text.rpartition("=")
    if not separator or better not in ("lower", "higher"):
        raise RequestError(f"--select takes METRIC=lower or METRIC=higher, and '{text}' is neither")
    if (indifference is None) == (budget is None):
        raise RequestError("--select goes with --indifference (which difference is too small to matter) or --budget")
    if indifference is not None and not 0.0 < indifference < math.inf:
        raise RequestError(f"--indifference takes a number above 0, and {indifference:g} is not")
    if budget is not None and budget < 1:
        raise RequestError(f"--budget takes 1 or more replications in all, and {budget} is not")
    return Goal(metric, better, indifference, budget)  # type: ignore[arg-type]


def check_budget(budget: int | None, scenarios: int, antithetic: bool = False) -> None:
    """Raises RequestError for a budget that gives a scenario fewer than two replications (pairs): none has a spread."""
    least = 2 * scenarios * (1 + antithetic)
    if budget is not None and budget < least:
        halves = ", in pairs" if antithetic else ""
        raise RequestError(
            f"a budget of {budget} is too small for {scenarios} scenarios{halves}: each takes two to be judged by, so "
            f"{least} at least, and {FIRST * scenarios * (1 + antithetic)} before any is preferred"
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """How far the search has come. `kept` may be the best; `dropped` says after which replication each other went.

    `open`: more is wanted. `met`: one is left, or the budget is spent (`kept` is then the one with the best mean).
    `unmet`: several are left at the maximum, or share the best mean; or one is `blind`: it had no finite value in its
    first stage (in a budget, fewer than two), so that it is judged neither better nor worse.
    """

    state: Literal["open", "met", "unmet"]
    wanted: Mapping[str, int]
    kept: tuple[str, ...]
    dropped: Mapping[str, int]
    blind: tuple[str, ...] = ()


def choose(
    done: Mapping[str, Done], goal: Goal, *, first: int = FIRST, maximum: int = USUAL_MAXIMUM, confidence: float = 0.95
) -> Selection:
    """What is wanted of each scenario. Raises RequestError where metrics were returned and the goal's is none."""
    check_confidence(confidence)
    for own in done.values():
        if own.values and goal.metric not in own.values:
            raise RequestError(f"no metric is called '{goal.metric}'{nearest(goal.metric, own.values)}")
    sign = 1.0 if goal.better == "higher" else -1.0
    values = {name: sign * own.values.get(goal.metric, np.full(own.count, math.nan)) for name, own in done.items()}
    if goal.budget is not None:
        return _spend(values, goal.budget, first)
    assert goal.indifference is not None  # one of the two is given
    return _Elimination(values, goal.indifference, first, maximum, confidence).follow()


class _Elimination:
    """Kim and Nelson (2001), procedure KN with c = 1, replication by replication; larger values are better.

    A replication that one of those still in play failed, or without a finite value, is passed over for all of them.
    """

    def __init__(
        self,
        values: Mapping[str, NDArray[np.float64]],
        indifference: float,
        first: int,
        maximum: int,
        confidence: float,
    ) -> None:
        self._names, self._values = list(values), list(values.values())
        self._indifference, self._first, self._maximum = indifference, first, maximum
        k = len(self._names)
        self._scale = h_squared(k, first, confidence) if k > 1 else 0.0
        self._left = np.arange(k)
        self._sums, self._stage, self._dropped = np.zeros(k), list[NDArray[np.float64]](), dict[str, int]()
        self._spread, self._constant = np.zeros((k, k)), np.ones((k, k), dtype=bool)

    def follow(self) -> Selection:
        r, number, reached = 0, 0, min(self._maximum, *map(len, self._values))
        while len(self._left) > 1 and number < reached:
            column = np.array([self._values[i][number] for i in self._left])
            number += 1
            if not np.isfinite(column).all():
                if number == self._first and (blind := self._blind()):
                    names = tuple(self._names)
                    return Selection("unmet", dict.fromkeys(names, number), names, {}, blind)
                continue
            r += 1
            self._take(column, r)
            if r >= self._first and (lost := self._lost(r)).any():
                self._dropped |= {self._names[i]: number for i in self._left[lost]}
                self._left = self._left[~lost]
                reached = min(self._maximum, *(len(self._values[i]) for i in self._left))
        return self._selection(number)

    def _blind(self) -> tuple[str, ...]:
        """Those without a value in the first stage: no search ends, and the others would go on to the maximum."""
        stage = zip(self._names, self._values, strict=True)
        return tuple(name for name, own in stage if not np.isfinite(own[: self._first]).any())

    def _take(self, column: NDArray[np.float64], r: int) -> None:
        self._sums[self._left] += column
        if r <= self._first:
            self._stage.append(column)
        if r == self._first:
            table = np.array(self._stage).T
            self._spread = np.var(table[:, None] - table[None, :], axis=2, ddof=1)
        inside = np.ix_(self._left, self._left)
        gaps, began = column[:, None] - column[None, :], self._stage[0][self._left]
        reach = ROUNDING * max(float(np.abs(column).max()), float(np.abs(began).max()))
        self._constant[inside] &= np.abs(gaps - (began[:, None] - began[None, :])) <= reach

    def _lost(self, r: int) -> NDArray[np.bool_]:
        """Which of those left are behind another by more than the margin, or by the same every time."""
        inside, delta = np.ix_(self._left, self._left), self._indifference
        spread, means = self._spread[inside], self._sums[self._left] / r
        margin = np.maximum(delta / (2 * r) * (self._scale * spread / delta**2 - r), 0.0)
        whole = all(bool((column == np.rint(column)).all()) for column in self._stage)
        certain = self._constant[inside] & (not whole or r >= FEWEST_EQUAL)
        behind = (means[:, None] < means[None, :] - margin) & ((spread > 0.0) | certain)
        return np.array([bool(row.any()) for row in behind])

    def _selection(self, number: int) -> Selection:
        kept = tuple(self._names[i] for i in self._left)
        if len(kept) == 1:
            return Selection("met", self._planned(kept, max(number, self._first)), kept, self._dropped)
        if number >= self._maximum:
            return Selection("unmet", self._planned(kept, self._maximum), kept, self._dropped)
        further = max(self._first, number + max(self._first, math.ceil(number / 4)) if number else 0)
        return Selection("open", self._planned(kept, min(self._maximum, further)), kept, self._dropped)

    def _planned(self, kept: Sequence[str], number: int) -> dict[str, int]:
        return {name: number if name in kept else self._dropped[name] for name in self._names}


def _spend(values: Mapping[str, NDArray[np.float64]], budget: int, first: int) -> Selection:
    """OCBA in steps (Chen and Lee 2011, chapter 4): after `first` each, every step goes where it tells most.

    A scenario of which fewer than two replications gave a value has no variance to go by, and gets no more.
    """
    names, n = list(values), [min(first, max(1, budget // len(values)))] * len(values)
    step = max(len(names), math.ceil((budget - sum(n)) / STEPS))
    while all(len(values[name]) >= own for name, own in zip(names, n, strict=True)):
        moments = [Moments.of(values[name][:own]) for name, own in zip(names, n, strict=True)]
        if sum(n) >= budget or not any(map(_can_be_judged, moments)):
            return _spent(dict(zip(names, n, strict=True)), moments)
        added = _added(moments, min(step, budget - sum(n)), n)
        n = [own + extra for own, extra in zip(n, added, strict=True)]
    return Selection("open", dict(zip(names, n, strict=True)), tuple(names), {})


def _can_be_judged(moments: Moments) -> bool:
    return moments.mean is not None and moments.sd is not None


def _added(moments: Sequence[Moments], more: int, done: Sequence[int]) -> list[int]:
    """What each scenario gets of `more` replications."""
    seen = [i for i, one in enumerate(moments) if _can_be_judged(one)]
    means, sds = [moments[i].mean or 0.0 for i in seen], [moments[i].sd or 0.0 for i in seen]
    parts = allocate(means, sds, more, better="higher", done=[done[i] for i in seen])
    added = [0] * len(moments)
    for i, part in zip(seen, parts, strict=True):
        added[i] = part
    return added


def _spent(wanted: Mapping[str, int], moments: Sequence[Moments]) -> Selection:
    """The end of a budget: the best mean wins, unless several share it, to the last digits, or there is none."""
    means = {name: one.mean or 0.0 for name, one in zip(wanted, moments, strict=True) if _can_be_judged(one)}
    blind = tuple(name for name in wanted if name not in means)
    best = max(means.values(), default=0.0)
    kept = tuple(name for name, mean in means.items() if best - mean <= ROUNDING * max(abs(best), abs(mean)))
    dropped = {name: own for name, own in wanted.items() if name not in kept}
    return Selection("met" if len(kept) == 1 else "unmet", wanted, kept, dropped, blind)
