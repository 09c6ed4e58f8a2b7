"""Quantiles of samples, and intervals for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .distributions import binomial_cdf


def quantiles(values: NDArray[np.float64], probabilities: Sequence[float]) -> list[float | None]:
    """Quantiles of the finite values by Hyndman and Fan's (1996) definition 7, as in R and numpy; None of no values."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return [None] * len(probabilities)
    finite += 0.0  # one zero of the two, whose order is not defined
    places = [(len(finite) - 1) * p for p in probabilities]
    ranks = sorted({rank for place in places for rank in (math.floor(place), math.ceil(place))})
    finite.partition(ranks)
    return [_between(float(finite[math.floor(h)]), float(finite[math.ceil(h)]), h - math.floor(h)) for h in places]


def _between(low: float, high: float, share: float) -> float:
    """Linear interpolation that meets both ends exactly and survives a range beyond the largest double."""
    gap = high - low
    if math.isinf(gap):
        return low * (1.0 - share) + high * share
    return low + gap * share if share < 0.5 else high - gap * (1.0 - share)


@dataclass(frozen=True, slots=True)
class QuantileInterval:
    """From the `lower_rank`-th to the `upper_rank`-th smallest of `n` values; `coverage` is exact where none tie."""

    estimate: float
    lower: float
    upper: float
    lower_rank: int
    upper_rank: int
    coverage: float
    n: int


def quantile_interval(values: NDArray[np.float64], p: float, confidence: float = 0.95) -> QuantileInterval | None:
    """The order-statistics interval for the quantile `p` of the finite values; None where ranks do not reach.

    See `quantile_ranks`. With ties (a discrete metric) the interval covers at least as often as `coverage` says.
    """
    finite = np.sort(values[np.isfinite(values)] + 0.0)
    ranks = quantile_ranks(len(finite), p, confidence)
    if ranks is None:
        return None
    lower, upper, coverage = ranks
    estimate = quantiles(finite, [p])[0]
    assert estimate is not None  # ranks exist, so values do
    return QuantileInterval(
        estimate, float(finite[lower - 1]), float(finite[upper - 1]), lower, upper, coverage, len(finite)
    )


def quantile_ranks(n: int, p: float, confidence: float = 0.95) -> tuple[int, int, float] | None:
    """The ranks (from 1) between which the quantile `p` lies, and the exact probability that it does.

    The number of values below the quantile is binomial(n, p); each tail is held to (1 - confidence) / 2 (Conover 1999,
    Practical Nonparametric Statistics, 3.2). None where no value is far enough out: 30 values have none for p = 0.9.
    """
    if n < 1 or not 0.0 < p < 1.0:
        return None
    tail = 0.5 * (1.0 - confidence)
    lower = _first_above(n, p, tail)
    upper = _first_above(n, p, 1.0 - tail, at_least=True) + 1
    if lower < 1 or upper > n:
        return None
    return lower, upper, binomial_cdf(upper - 1, n, p) - binomial_cdf(lower - 1, n, p)


def _first_above(n: int, p: float, level: float, at_least: bool = False) -> int:
    """The least k of which the binomial distribution function exceeds `level` (or, with `at_least`, reaches it)."""
    low, high = -1, n
    while high - low > 1:
        middle = (low + high) // 2
        reached = binomial_cdf(middle, n, p)
        if reached > level or (at_least and reached == level):
            high = middle
        else:
            low = middle
    return high
