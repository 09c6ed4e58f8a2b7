"""What is 0 or 1: intervals for a probability and for a difference of two, and the exact tests of such a difference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .distributions import beta_quantile, binomial_cdf, normal_quantile


def are_zero_or_one(*samples: NDArray[np.float64]) -> bool:
    """Of finite values; of no values it is not said."""
    return all(len(sample) and bool(((sample == 0.0) | (sample == 1.0)).all()) for sample in samples)


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float] | None:
    """Wilson's (1927) score interval for the probability of a 0/1 metric, without correction; None of no trials."""
    if n < 1:
        return None
    z = normal_quantile(0.5 + 0.5 * confidence)
    share, weight = successes / n, z * z / n
    centre = share + 0.5 * weight
    reach = z * math.sqrt(share * (1.0 - share) / n + 0.25 * weight / n)
    lower = 0.0 if successes == 0 else (centre - reach) / (1.0 + weight)
    upper = 1.0 if successes == n else (centre + reach) / (1.0 + weight)
    return lower, upper


def wilson_half_widths(shares: NDArray[np.float64], counts: NDArray[np.float64], z: float) -> NDArray[np.float64]:
    """Half the length of Wilson's interval at each of many shares and counts; `z` is the normal quantile."""
    n = np.maximum(counts, 1.0)
    widths: NDArray[np.float64] = z * np.sqrt(shares * (1.0 - shares) / n + 0.25 * z * z / n**2) / (1.0 + z * z / n)
    return widths


def exact_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float] | None:
    """Clopper and Pearson's (1934) interval for the probability of a 0/1 metric; None of no trials."""
    if n < 1:
        return None
    tail = 0.5 * (1.0 - confidence)
    lower = 0.0 if successes == 0 else beta_quantile(tail, successes, n - successes + 1)
    upper = 1.0 if successes == n else beta_quantile(1.0 - tail, successes + 1, n - successes)
    return lower, upper


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """Pairs of 0/1 values: how many are 1 on both sides, on the left or the right alone, and on neither."""

    both: int
    left: int
    right: int
    neither: int

    @classmethod
    def of(cls, left: NDArray[np.float64], right: NDArray[np.float64]) -> PairedCounts:
        ones, others = left == 1.0, right == 1.0
        both, either = int((ones & others).sum()), int((ones | others).sum())
        return cls(both, int(ones.sum()) - both, int(others.sum()) - both, len(left) - either)

    @property
    def p_value(self) -> float:
        """McNemar's (1947) exact test, two-sided."""
        return min(1.0, 2.0 * sign_tail(max(self.left, self.right), min(self.left, self.right)))

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Of P(left) - P(right): Newcombe (1998, Statistics in Medicine 17, 2635–2650), method 10."""
        n = self.both + self.left + self.right + self.neither
        a, b = self.both + self.left, self.both + self.right
        return _newcombe(a, n, b, n, self._phi(), confidence)

    def _phi(self) -> float:
        """The correlation of both sides, corrected for continuity where it is positive."""
        product = self.both * self.neither - self.left * self.right
        n = self.both + self.left + self.right + self.neither
        margins = (self.both + self.left) * (self.right + self.neither)
        margins *= (self.both + self.right) * (self.left + self.neither)
        if not margins:
            return 0.0
        corrected = max(product - 0.5 * n, 0.0) if product > 0 else float(product)
        return corrected / math.sqrt(margins)


@dataclass(frozen=True, slots=True)
class SeparateCounts:
    """Two independent samples of 0/1 values: ones of values, on the left and on the right."""

    left: int
    n_left: int
    right: int
    n_right: int

    @classmethod
    def of(cls, left: NDArray[np.float64], right: NDArray[np.float64]) -> SeparateCounts:
        return cls(int(left.sum()), len(left), int(right.sum()), len(right))

    @property
    def p_value(self) -> float:
        """Fisher's exact test, two-sided: the tables that are no more probable than this one, as in R."""
        n, ones = self.n_left + self.n_right, self.left + self.right
        low, high = max(0, ones - self.n_right), min(ones, self.n_left)
        k = np.arange(low, high + 1)
        logs = np.array([_log_choose(self.n_left, int(i)) + _log_choose(self.n_right, ones - int(i)) for i in k])
        chances = np.exp(logs - _log_choose(n, ones))
        return min(1.0, float(chances[chances <= chances[self.left - low] * (1.0 + 1e-7)].sum()))

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Of P(left) - P(right): Newcombe (1998, Statistics in Medicine 17, 873–890), method 10."""
        return _newcombe(self.left, self.n_left, self.right, self.n_right, 0.0, confidence)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _newcombe(a: int, n: int, b: int, m: int, phi: float, confidence: float) -> tuple[float, float]:
    """The difference of two shares, a/n - b/m, from the Wilson interval of each and their correlation."""
    p, q = a / n, b / m
    own, other = wilson_interval(a, n, confidence), wilson_interval(b, m, confidence)
    assert own is not None  # both have values
    assert other is not None
    (low, high), (below, above) = own, other
    down = (p - low) ** 2 - 2.0 * phi * (p - low) * (above - q) + (above - q) ** 2
    up = (high - p) ** 2 - 2.0 * phi * (high - p) * (q - below) + (q - below) ** 2
    return p - q - math.sqrt(max(down, 0.0)), p - q + math.sqrt(max(up, 0.0))


@lru_cache(maxsize=1 << 16)
def sign_tail(more: int, fewer: int) -> float:
    """The probability that of `more` + `fewer` tosses of a coin `more` or more come up heads."""
    return binomial_cdf(fewer, more + fewer, 0.5) if more + fewer else 1.0
