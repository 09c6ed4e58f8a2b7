"""One output of many replications, lined up: a row is a replication, a column a step of time or the i-th value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import RequestError


@dataclass(frozen=True, slots=True)
class Series:
    """`values[r, i]` is the output of one replication in step i, from `start + i·step`; NaN where nothing was observed.

    `replications` names the rows. With `step` 0 the columns are observations in their order, and not steps of time.
    `weights[r, i]` is what a value is the mean of: how many observations, or how much time it held. The columns reach
    as far as more than half of the replications do; what comes behind is in `beyond`: its sum and weight by row.
    `lengths` are the replications' own: rows, or the time at which each ends.
    """

    replications: tuple[int, ...]
    values: NDArray[np.float64]
    start: float = 0.0
    step: float = 0.0
    weights: NDArray[np.float64] | None = None
    beyond: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    lengths: NDArray[np.float64] | None = None

    def averages(self) -> NDArray[np.float64]:
        """The mean over replications in each step; a step that nothing was observed in has that of the step before."""
        known = np.isfinite(self.values)
        counts = known.sum(axis=0)
        means = np.where(known, self.values, 0.0).sum(axis=0) / np.maximum(counts, 1)
        seen = np.flatnonzero(counts)
        if not len(seen):
            raise RequestError("nothing was observed, so there is no series to look at")
        last = np.maximum.accumulate(np.where(counts > 0, np.arange(len(means)), seen[0]))
        filled: NDArray[np.float64] = means[last]
        return filled

    def means_from(self, column: int) -> NDArray[np.float64]:
        """Each replication's mean from a step on, to its own end: of its observations, or over its time."""
        known = np.isfinite(self.values[:, column:])
        weights = known if self.weights is None else np.where(known, self.weights[:, column:], 0.0)
        sums = (np.where(known, self.values[:, column:], 0.0) * weights).sum(axis=1)
        total = weights.sum(axis=1).astype(np.float64)
        if self.beyond is not None:
            sums, total = sums + self.beyond[0], total + self.beyond[1]
        means: NDArray[np.float64] = np.where(total > 0, sums / np.where(total > 0, total, 1.0), math.nan)
        return means

    def time(self, column: int) -> float:
        """Where a column begins: in units of time, or the number of observations before it."""
        return self.start + column * self.step if self.step else float(column)


def series_by_order(replication: NDArray[np.int64], value: NDArray[np.float64]) -> Series:
    """The i-th value of each replication, as far as more than half of them go; rows of one are in their order."""
    names, groups = _groups(replication)
    lengths = np.array([len(rows) for rows in groups])
    reached = int(_reached(lengths))
    values = np.full((len(groups), reached), math.nan)
    sums, counts = np.zeros(len(groups)), np.zeros(len(groups))
    for place, rows in enumerate(groups):
        own = value[rows]
        values[place, : min(len(own), reached)] = own[:reached]
        rest = own[reached:][np.isfinite(own[reached:])]
        sums[place], counts[place] = rest.sum(), len(rest)
    return Series(names, values, beyond=(sums, counts), lengths=lengths.astype(np.float64))


def _reached(ends: NDArray[Any]) -> Any:
    """How far more than half of the replications go."""
    return np.sort(ends)[(len(ends) - 1) // 2]


def series_by_time(
    replication: NDArray[np.int64],
    time: NDArray[np.float64],
    value: NDArray[np.float64],
    *,
    steps: int = 200,
    held: bool = False,
) -> Series:
    """Values in equal steps of time, from the earliest to where more than half of the replications have not ended.

    A step has the mean of what was observed in it. With `held`, a value holds until the next one (a queue's length,
    say), and a step has its average over time, with 0 before the first. Rows that are not finite are passed over.
    """
    if steps < 1:
        raise RequestError(f"a series has 1 step or more, and {steps} is not")
    known = np.isfinite(time) & np.isfinite(value)
    replication, time, value = replication[known], time[known], value[known]
    names, groups = _groups(replication)
    ends = np.array([float(time[rows].max()) for rows in groups])
    start, end = float(time.min()), float(_reached(ends))
    if not start < end:
        raise RequestError("all times are equal, so there is no series to look at")
    edges = np.append(np.linspace(start, end, steps + 1), max(float(ends.max()), end))
    summed = _held if held else _observed
    pairs = [summed(time[own], value[own], edges) for own in groups]
    sums, weights = np.array([own for own, _ in pairs]), np.array([own for _, own in pairs])
    values = np.where(weights > 0, sums / np.where(weights > 0, weights, 1.0), math.nan)
    beyond = sums[:, -1], weights[:, -1]
    return Series(names, values[:, :-1], start, (end - start) / steps, weights[:, :-1], beyond, ends)


def _groups(replication: NDArray[np.int64]) -> tuple[tuple[int, ...], list[NDArray[np.int64]]]:
    """The replications that have rows, and the places of each one's rows, in their order."""
    if not len(replication):
        raise RequestError("the table has no rows, so there is no series to look at")
    names, counts = np.unique(replication, return_counts=True)
    places = np.split(np.argsort(replication, kind="stable"), np.cumsum(counts)[:-1])
    return tuple(int(name) for name in names), places


SumsAndWeights = tuple[NDArray[np.float64], NDArray[np.float64]]


def _observed(time: NDArray[np.float64], value: NDArray[np.float64], edges: NDArray[np.float64]) -> SumsAndWeights:
    """Sum and number of what was observed in each step; what stands on the last regular edge is inside."""
    count = len(edges) - 1
    step = np.minimum(np.searchsorted(edges, time, side="right") - 1, count - 1)
    step = np.where(time == edges[-2], count - 2, step)
    return np.bincount(step, value, minlength=count).astype(np.float64), np.bincount(step, minlength=count).astype(
        np.float64
    )


def _held(time: NDArray[np.float64], value: NDArray[np.float64], edges: NDArray[np.float64]) -> SumsAndWeights:
    """Area under the value and time that it was known in each step: to the replication's own end."""
    order = np.argsort(time, kind="stable")
    time, value = time[order], value[order]
    area = np.concatenate([[0.0], np.cumsum(value[:-1] * np.diff(time))])
    return np.diff(np.interp(edges, time, area)), np.diff(np.minimum(edges, time[-1]))
