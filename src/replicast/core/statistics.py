"""The summary: one row for each scenario and metric, with an interval for the mean where there is an honest one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .distributions import check_confidence, t_critical
from .moments import Moments
from .proportions import wilson_interval
from .quantiles import quantiles

QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One metric over the replications of one scenario; the fields are the columns of the summary, in order.

    `n` is what the mean is of: the finite values of successful replications. `non_finite` counts their other values
    (NaN, infinite, missing), so that n + non_finite + failed is `planned` once all are done. None is an empty cell.
    """

    scenario: str
    metric: str
    planned: int
    n: int
    failed: int
    non_finite: int
    mean: float | None
    sd: float | None
    se: float | None
    confidence: float
    ci_lower: float | None
    ci_upper: float | None
    half_width: float | None
    relative_half_width: float | None
    min: float | None
    q25: float | None
    median: float | None
    q75: float | None
    max: float | None

    @property
    def caution(self) -> str:
        """What must be said beside a mean that is not of all replications."""
        return f"leaves out {self.failed:,} failed; they may not be like the rest" if self.failed else ""


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """An interval for a mean: Student's, mean ± t·se; of a proportion Wilson's, whose `half_width` is half its length.

    `se` is None of a proportion that has not varied.
    """

    se: float | None
    half_width: float
    lower: float
    upper: float


def mean_interval(n: int, mean: float | None, sd: float | None, confidence: float = 0.95) -> MeanInterval | None:
    """The t interval of `n` independent values (Law 2015, eq. 4.12).

    None where there is none: of fewer than two values, of values that do not vary, which say nothing of how far the
    next one would lie, and of bounds beyond the largest double.
    """
    if n < 2 or mean is None or not sd:
        return None
    se = sd / math.sqrt(n)
    half_width = t_critical(confidence, n - 1) * se
    if math.isinf(abs(mean) + half_width):
        return None
    return MeanInterval(se, half_width, mean - half_width, mean + half_width)


def share_interval(moments: Moments, confidence: float = 0.95) -> MeanInterval | None:
    """Wilson's interval for the probability that a boolean is true; None of fewer than two values."""
    if moments.n < 2 or moments.mean is None:
        return None
    bounds = wilson_interval(round(moments.mean * moments.n), moments.n, confidence)
    assert bounds is not None  # there are values
    lower, upper = bounds
    se = moments.sd / math.sqrt(moments.n) if moments.sd else None
    return MeanInterval(se, (upper - lower) / 2.0, lower, upper)


def summarise(
    values: NDArray[np.float64],
    *,
    scenario: str,
    metric: str,
    planned: int,
    failed: int,
    confidence: float = 0.95,
    copies: bool = False,
    boolean: bool = False,
) -> SummaryRow:
    """The row of one metric. `values` is 1-D: one of each successful replication, a missing value being NaN.

    The order of `values` changes no bit of the row. With `copies` (the replications are copies of one another) there is
    no standard error and no interval, whatever the values. A `boolean` has Wilson's interval. Raises RequestError for a
    confidence outside 0 to 1.
    """
    return summary_row(
        Moments.of(values),
        quantiles(values, QUARTILES),
        scenario=scenario,
        metric=metric,
        planned=planned,
        failed=failed,
        confidence=confidence,
        copies=copies,
        boolean=boolean,
    )


def summary_row(
    moments: Moments,
    quartiles: Sequence[float | None],
    *,
    scenario: str,
    metric: str,
    planned: int,
    failed: int,
    confidence: float = 0.95,
    copies: bool = False,
    boolean: bool = False,
) -> SummaryRow:
    """As `summarise`, of values too many to hold: their moments and their three quartiles."""
    check_confidence(confidence)
    mean = moments.mean
    interval = None
    if not copies:
        interval = (
            share_interval(moments, confidence) if boolean else mean_interval(moments.n, mean, moments.sd, confidence)
        )
    q25, median, q75 = quartiles
    return SummaryRow(
        scenario=scenario,
        metric=metric,
        planned=planned,
        n=moments.n,
        failed=failed,
        non_finite=moments.non_finite,
        mean=mean,
        sd=moments.sd,
        se=interval.se if interval else None,
        confidence=confidence,
        ci_lower=interval.lower if interval else None,
        ci_upper=interval.upper if interval else None,
        half_width=interval.half_width if interval else None,
        relative_half_width=_relative(interval, mean),
        min=moments.least,
        q25=q25,
        median=median,
        q75=q75,
        max=moments.greatest,
    )


def _relative(interval: MeanInterval | None, mean: float | None) -> float | None:
    """half_width / |mean|; None of a mean of 0 or so close to it that the quotient is beyond a double."""
    if interval is None or not mean:
        return None
    quotient = interval.half_width / abs(mean)
    return quotient if math.isfinite(quotient) else None
