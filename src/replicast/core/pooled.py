"""Statistics of all rows of all replications together, with intervals in which a replication is one unit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .distributions import t_critical
from .errors import RequestError
from .quantiles import quantiles
from .ratios import DRAWS, LARGEST, Bounds, bootstrap_interval, ratio_of

MOST_WORK = 2e8
FEWEST_DRAWS = 200


@dataclass(frozen=True, slots=True)
class Pooled:
    """Of `rows` rows of `n` replications. `mean_of_replications` is the mean of each one's own statistic.

    `interval` is the jackknife's for a mean, Woodruff's for a quantile; None where there is none. Where replications do
    not vary there is no `bootstrap` either.
    """

    n: int
    rows: int
    estimate: float
    mean_of_replications: float
    interval: Bounds | None
    bootstrap: Bounds | None

    def times(self, factor: float) -> Pooled:
        def grown(bounds: Bounds | None) -> Bounds | None:
            return None if bounds is None else (bounds[0] * factor, bounds[1] * factor)

        own = self.estimate * factor, self.mean_of_replications * factor
        return Pooled(self.n, self.rows, *own, grown(self.interval), grown(self.bootstrap))


def parse_statistic(text: str) -> float | None:
    """`mean` → None, `median` → 0.5, `p95` → 0.95, `p99.9` → 0.999. Raises RequestError."""
    if text == "mean":
        return None
    try:
        p = 0.5 if text == "median" else float(text.removeprefix("p")) / 100.0
    except ValueError:
        p = math.nan
    if not 0.0 < p < 1.0 or not (text == "median" or text.startswith("p")):
        raise RequestError(f"a pooled statistic is mean, median or a percentile such as p95, and '{text}' is none")
    return p


def pooled(
    replication: NDArray[np.int64], value: NDArray[np.float64], p: float | None, *, seed: int, confidence: float = 0.95
) -> Pooled:
    """The pooled mean, or with `p` the pooled quantile, of finite values (one or more) in rows of replications."""
    reach = float(np.abs(value).max())
    if reach > LARGEST:  # the statistics of value / reach, whose sums are doubles, times reach
        return pooled(replication, value / reach, p, seed=seed, confidence=confidence).times(reach)
    _, unit = np.unique(replication, return_inverse=True)
    n = int(unit.max()) + 1
    counts = np.bincount(unit, minlength=n).astype(np.float64)
    if p is None:
        sums = np.bincount(unit, value, minlength=n).astype(np.float64)
        found = ratio_of(sums, counts, seed=seed, confidence=confidence)
        bounds = (found.interval, found.bootstrap) if found else (None, None)
        return Pooled(n, len(value), float(value.sum() / len(value)), float((sums / counts).mean()), *bounds)
    estimate = _quantile(value, p)
    own = float(np.mean([_quantile(value[unit == k], p) for k in range(n)])) if n * len(value) < MOST_WORK else math.nan
    if np.ptp(value) == 0.0:
        return Pooled(n, len(value), estimate, own, None, None)
    interval = _woodruff(unit, value, counts, p, estimate, confidence)
    return Pooled(n, len(value), estimate, own, interval, _bootstrap(unit, value, n, p, seed, confidence))


def _quantile(values: NDArray[np.float64], p: float) -> float:
    found = quantiles(values, [p])[0]
    assert found is not None  # there are values
    return found


def _woodruff(
    unit: NDArray[np.int64], value: NDArray[np.float64], counts: NDArray[np.float64], p: float, estimate: float,
    confidence: float,
) -> Bounds | None:  # fmt: skip
    """Woodruff (1952), JASA 47, 635–646: an interval for the share below the quantile, read back as quantiles.

    The share is a ratio over replications. None where the share does not vary, or its interval leaves 0 to 1.
    """
    n = len(counts)
    if n < 2:
        return None
    below = np.bincount(unit, value <= estimate, minlength=n)
    residuals = below - p * counts
    centred = residuals - residuals.mean()
    half_width = t_critical(confidence, n - 1) * math.sqrt(float((centred**2).sum()) / (n - 1) / n) / counts.mean()
    lower, upper = p - half_width, p + half_width
    if not half_width or lower <= 0.0 or upper >= 1.0:
        return None
    return _quantile(value, lower), _quantile(value, upper)


def _bootstrap(
    unit: NDArray[np.int64], value: NDArray[np.float64], n: int, p: float, seed: int, confidence: float
) -> Bounds | None:
    if n < 2:
        return None
    order = np.argsort(value, kind="stable")
    ordered, owner = value[order], unit[order]

    def drawn(times: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([_weighted_quantile(ordered, row[owner], p) for row in times])

    draws = int(min(DRAWS, max(FEWEST_DRAWS, MOST_WORK / len(value))))
    return bootstrap_interval(drawn, n, seed=seed, confidence=confidence, draws=draws)


def _weighted_quantile(ordered: NDArray[np.float64], times: NDArray[np.float64], p: float) -> float:
    """The quantile (definition 7) of a sample in which each of the ordered values stands so many times."""
    upto = np.cumsum(times)
    if not upto[-1]:
        return math.nan
    place = (upto[-1] - 1.0) * p
    low, high = np.searchsorted(upto, [math.floor(place) + 1.0, math.ceil(place) + 1.0])
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - math.floor(place)))
