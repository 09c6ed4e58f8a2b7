"""How long a model warms up: Welch's moving average to look at, MSER-5 to recommend, and what it does to the result.

All start from a series of one output: a row is a replication, a column an equal step of time or the i-th value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .differences import Difference, paired
from .errors import RequestError
from .ratios import LARGEST
from .series import Series
from .statistics import SummaryRow, summarise

BATCH = 5
"""Observations averaged before MSER is taken, which is what the 5 of MSER-5 is."""

FEWEST_BATCHES = 10


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

    `criterion[d]` is what was minimised, for d batches left out (of values whose squares are beyond doubles, of these
    scaled to 1). `warning` is empty if the answer can be relied on.
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
    reach = float(np.abs(averages).max(initial=0.0))
    scaled = averages if reach <= LARGEST else np.ldexp(averages, -int(np.frexp(reach)[1]))
    means = scaled[: count * batch].reshape(count, batch).mean(axis=1)
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
    """A replication's mean with and without the warm-up; `change` is how much that moves it, paired.

    Each replication is one value: the mean of its own observations (or over its own time), up to its own end.
    """

    whole: SummaryRow
    truncated: SummaryRow
    change: Difference


def effect(series: Series, columns: int, *, scenario: str, metric: str, confidence: float = 0.95) -> Effect:
    """What leaving out the first `columns` does to the mean over replications and to its interval."""
    if not 0 <= columns < series.values.shape[1]:
        raise RequestError(f"{columns} of {series.values.shape[1]} steps cannot be left out")
    whole, truncated = series.means_from(0), series.means_from(columns)
    rows = [
        summarise(means, scenario=scenario, metric=metric, planned=len(means), failed=0, confidence=confidence)
        for means in (whole, truncated)
    ]
    return Effect(rows[0], rows[1], paired(truncated, whole))
