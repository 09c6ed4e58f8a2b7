"""When Student's interval covers less often than it says: values that are skewed, or of which one decides."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .distributions import student_t_quantile

COCHRAN = 25
"""Cochran (1977), Sampling Techniques, 2.15: a normal interval is fair from n = 25·G₁² values on."""

CHANCE = 0.001
"""How rarely normal values may be called what they are not."""

NOTABLE_SHARE = 0.2
"""Of all squared distances from the mean, that of one value: an interval that hangs on it says little of the next."""

FEWEST = 5


@dataclass(frozen=True, slots=True)
class Doubt:
    """`skewness` is Fisher's G₁, where too large for so few values; `share` is what one value has of the variance.

    `enough` is how many values a skewness like this asks for.
    """

    n: int
    skewness: float | None
    share: float | None

    @property
    def enough(self) -> int:
        return math.ceil(COCHRAN * (self.skewness or 0.0) ** 2)


def doubt_of(values: NDArray[np.float64]) -> Doubt | None:
    """Of the finite values; None where a t interval of them may be taken at its word."""
    finite = values[np.isfinite(values)]
    n = len(finite)
    reach = float(np.abs(finite).max()) if n >= FEWEST else 0.0
    if n < FEWEST or reach == 0.0:
        return None
    gaps = finite / reach - float((finite / reach).mean())
    squares = gaps * gaps
    total = float(squares.sum())
    if total <= n * 1e-30:
        return None
    skewness = _skewness(gaps, total)
    share = float(squares.max()) / total
    skewed = n < COCHRAN * skewness**2 and abs(skewness) > _usual_skewness(n)
    heavy = share > max(NOTABLE_SHARE, _usual_share(n))
    return Doubt(n, skewness if skewed else None, share if heavy else None) if skewed or heavy else None


def _skewness(gaps: NDArray[np.float64], total: float) -> float:
    """G₁ of SAS, SPSS and Excel: adjusted for small samples (Joanes and Gill 1998)."""
    n = len(gaps)
    g = float((gaps**3).sum()) / n / (total / n) ** 1.5
    return float(g * math.sqrt(n * (n - 1)) / (n - 2))


def _usual_skewness(n: int) -> float:
    """What normal values reach by chance: 3.29 standard errors of G₁."""
    return 3.29 * math.sqrt(6.0 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3)))


def _usual_share(n: int) -> float:
    """The share that the furthest of n normal values reaches by chance: Grubbs' (1969) critical value."""
    t = student_t_quantile(1.0 - CHANCE / (2.0 * n), n - 2)
    return (n - 1) / n * t * t / (n - 2 + t * t)
