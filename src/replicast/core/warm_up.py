"""How long a model warms up: Welch's moving average to look at, MSER-5 to recommend, and what it does to the result.

All start from a series of one output: a row is a replication, a column an equal step of time or the i-th value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .differences import Difference, paired
from .errors import RequestError
from .statistics import SummaryRow, summarise

BATCH = 5
"""Observations averaged before MSER is taken, which is what the 5 of MSER-5 is."""

FEWEST_BATCHES = 10


@dataclass(frozen=True, slots=True)
class Series:
    """`values[r, i]` is the output of one replication in step i, from `start + i·step`; NaN where nothing was observed.

    `replications` names the rows. With `step` 0 the columns are observations in their order, and not steps of time.
    """

    replications: tuple[int, ...]
    values: NDArray[np.float64]
    start: float = 0.0
    step: float = 0.0

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

    def time(self, column: int) -> float:
        """Where a column begins: in units of time, or the number of observations before it."""
        return self.start + column * self.step if self.step else float(column)


def series_by_order(replication: NDArray[np.int64], value: NDArray[np.float64]) -> Series:
    """The i-th value of each replication, as far as the shortest goes; rows of one replication are in their order."""
    names, groups = _groups(replication)
    length = min(len(rows) for rows in groups)
    return Series(names, np.array([value[rows[:length]] for rows in groups], dtype=np.float64))


def series_by_time(
    replication: NDArray[np.int64],
    time: NDArray[np.float64],
    value: NDArray[np.float64],
    *,
    steps: int = 200,
    held: bool = False,
) -> Series:
    """Values in equal steps of time, from the earliest to where the first replication ends.

    A step has the mean of what was observed in it. With `held`, a value holds until the next one (a queue's length,
    say), and a step has its average over time, with 0 before the first. Rows that are not finite are passed over.
    """
    if steps < 1:
        raise RequestError(f"a series has 1 step or more, and {steps} is not")
    known = np.isfinite(time) & np.isfinite(value)
    replication, time, value = replication[known], time[known], value[known]
    names, groups = _groups(replication)
    start, end = float(time.min()), min(float(time[rows].max()) for rows in groups)
    if not start < end:
        raise RequestError("all times are equal, so there is no series to look at")
    edges = np.linspace(start, end, steps + 1)
    average = _held if held else _observed
    rows = [average(time[own], value[own], edges) for own in groups]
    return Series(names, np.array(rows), start, (end - start) / steps)


def _groups(replication: NDArray[np.int64]) -> tuple[tuple[int, ...], list[NDArray[np.int64]]]:
    """The replications that have rows, and the places of each one's rows, in their order."""
    if not len(replication):
        raise RequestError("the table has no rows, so there is no series to look at")
    names, counts = np.unique(replication, return_counts=True)
    places = np.split(np.argsort(replication, kind="stable"), np.cumsum(counts)[:-1])
    return tuple(int(name) for name in names), places


def _observed(time: NDArray[np.float64], value: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = time <= edges[-1]
    step = np.minimum(np.searchsorted(edges, time[inside], side="right") - 1, len(edges) - 2)
    counts = np.bincount(step, minlength=len(edges) - 1)
    sums = np.bincount(step, value[inside], minlength=len(edges) - 1)
    means: NDArray[np.float64] = np.where(counts > 0, sums / np.maximum(counts, 1), math.nan)
    return means


def _held(time: NDArray[np.float64], value: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    order = np.argsort(time, kind="stable")
    time, value = time[order], value[order]
    area = np.concatenate([[0.0], np.cumsum(value[:-1] * np.diff(time))])
    averages: NDArray[np.float64] = np.diff(np.interp(edges, time, area)) / np.diff(edges)
    return averages


def moving_average(averages: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Welch's (1983) moving average of means over replications (Law 2015, section 9.5.1), for steps 1 to m - window.

    The i-th is the mean of the 2·window + 1 values around it, or near the start of the 2i - 1 that are there on both
    sides. `window` is at most a quarter of the series.
    """
    m = len(averages)
    if not 0 <= window <= m // 4:
        raise RequestError(f"the window of {m} steps lies between 0 and {m // 4}, and {window} does not")
    sums = np.concatenate([[0.0], np.cumsum(averages)])
    i = np.arange(m - window)
    reach = np.minimum(i, window)
    smooth: NDArray[np.float64] = (sums[i + reach + 1] - sums[i - reach]) / (2 * reach + 1)
    return smooth


@dataclass(frozen=True, slots=True)
class Truncation:
    """What MSER recommends to leave out: the first `columns` of a series of `length`.

    `criterion[d]` is what was minimised, for d batches left out. `warning` is empty if the answer can be relied on.
    """

    columns: int
    length: int
    batch: int
    criterion: NDArray[np.float64]
    warning: str


def recommend(averages: NDArray[np.float64], batch: int = BATCH) -> Truncation:
    """MSER-5: the truncation that minimises the standard error of what is left, taken over batch means of 5.

    White (1997), Simulation 69, 323–334; White, Cobb and Spratt (2000), Winter Simulation Conference. The last five
    batches are no candidates, as a few values may be alike by chance (Hoad and Robinson 2011). Where the least is in
    the last half, the series is too short to tell. Raises RequestError for fewer than ten batches.
    """
    count = len(averages) // batch
    if count < FEWEST_BATCHES:
        raise RequestError(f"a warm-up is judged from {FEWEST_BATCHES * batch} steps on, and there are {len(averages)}")
    means = averages[: count * batch].reshape(count, batch).mean(axis=1)
    criterion = _squared_errors(means)[: count - 5]
    least = int(criterion.argmin())
    warning = ""
    if 2 * least > count:
        warning = "the least is in the last half of the series, which is too short to tell where the warm-up ends"
    return Truncation(least * batch, len(averages), batch, criterion, warning)


def _squared_errors(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ(z - z̄)²/(m - d)² over z_d … z_m, for each d; distances from the median keep the sums small."""
    gaps = (means - np.median(means))[::-1]
    left = np.arange(1, len(means) + 1)
    spread = np.cumsum(gaps * gaps) - np.cumsum(gaps) ** 2 / left
    errors: NDArray[np.float64] = (np.maximum(spread, 0.0) / left**2)[::-1]
    return errors


@dataclass(frozen=True, slots=True)
class Effect:
    """A replication's mean over its series with and without the warm-up; `change` is how much that moves it, paired."""

    whole: SummaryRow
    truncated: SummaryRow
    change: Difference


def effect(series: Series, columns: int, *, scenario: str, metric: str, confidence: float = 0.95) -> Effect:
    """What leaving out the first `columns` does to the mean over replications and to its interval."""
    if not 0 <= columns < series.values.shape[1]:
        raise RequestError(f"{columns} of {series.values.shape[1]} steps cannot be left out")
    whole, truncated = _row_means(series.values), _row_means(series.values[:, columns:])
    rows = [
        summarise(means, scenario=scenario, metric=metric, planned=len(means), failed=0, confidence=confidence)
        for means in (whole, truncated)
    ]
    return Effect(rows[0], rows[1], paired(truncated, whole))


def _row_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(values)
    counts = known.sum(axis=1)
    sums = np.where(known, values, 0.0).sum(axis=1)
    means: NDArray[np.float64] = np.where(counts > 0, sums / np.maximum(counts, 1), math.nan)
    return means
