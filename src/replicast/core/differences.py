"""A difference of two means: of pairs, of independent samples, of zeros and ones; and one that is certain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .distributions import student_t_tail, t_critical
from .moments import Moments
from .proportions import PairedCounts, SeparateCounts, are_zero_or_one

ROUNDING = 1e-15
"""A spread of differences below this share of the values is their rounding, and no variation."""

EXACTLY = "by exactly "


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two means. `se` and `df` are None where it has no t interval, and `note` says why.

    `certain`: it is the same in every pair, which is no chance. `counts` are those of values that are 0 or 1, whose
    test is exact; with `proportions` (the metric is a boolean) so is the interval's kind, Newcombe's.
    """

    method: Literal["paired", "welch"]
    n: int
    n_left: int
    n_right: int
    mean_left: float | None
    mean_right: float | None
    difference: float | None = None
    se: float | None = None
    df: float | None = None
    correlation: float | None = None
    note: str = ""
    certain: bool = False
    counts: PairedCounts | SeparateCounts | None = None
    proportions: bool = False

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        if self.counts is not None and self.proportions:
            return self.counts.interval(confidence)
        if self.difference is None or self.se is None or self.df is None:
            return None
        half_width = t_critical(confidence, self.df) * self.se
        return self.difference - half_width, self.difference + half_width

    @property
    def p_value(self) -> float | None:
        """The probability of a difference as large, either way, if the true means were equal."""
        if self.counts is not None:
            return self.counts.p_value
        if self.difference is None or self.se is None or self.df is None:
            return None
        return 2.0 * student_t_tail(abs(self.difference) / self.se, self.df)


def paired(left: NDArray[np.float64], right: NDArray[np.float64], *, proportions: bool = False) -> Difference:
    """The paired-t difference left - right, over the replications of which both are finite.

    Both arrays are by replication number: element i is replication i + 1, NaN where it is missing. Values that are 0 or
    1 are tested by McNemar's exact test; `proportions` says that they are booleans, and gives Newcombe's interval.
    """
    shared = min(len(left), len(right))
    both = np.isfinite(left[:shared]) & np.isfinite(right[:shared])
    a, b = left[:shared][both], right[:shared][both]
    n, gaps = len(a), Moments.of(_gaps(a, b))
    means = Moments.of(a).mean, Moments.of(b).mean
    counts = PairedCounts.of(a, b) if n > 1 and are_zero_or_one(a, b) else None
    note, certain = _why_none(n, gaps, [a, b])
    se = None if note or gaps.sd is None else gaps.sd / math.sqrt(n)
    if counts is not None and not note:
        note = "by McNemar's exact test"
    return Difference(
        "paired", n, n, n, *means, gaps.mean, se, n - 1.0 if se else None, _correlation(a, b), note,
        certain and counts is None, counts, proportions and counts is not None,
    )  # fmt: skip


def _gaps(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        gaps: NDArray[np.float64] = a - b
    return gaps


def _why_none(pairs: int, gaps: Moments, samples: Sequence[NDArray[np.float64]]) -> tuple[str, bool]:
    """Why pairs have no t interval, if they have none, and whether their difference is certain nevertheless."""
    if gaps.n < pairs:
        return "a difference is beyond the largest double", False
    if gaps.sd is None or gaps.mean is None:
        return "fewer than two pairs of replications", False
    rounding = ROUNDING * max(float(np.abs(sample).max()) for sample in samples)
    if gaps.sd > rounding:
        return "", False
    if abs(gaps.mean) <= rounding:
        return f"equal in all {pairs:,} pairs", False
    exactly = f"{abs(gaps.mean):.10g} in all {pairs:,} pairs"
    if can_be_chance(pairs, *samples):
        return f"{exactly}, which so few whole numbers may be by chance", False
    return f"{EXACTLY}{exactly}", True


FEWEST_EQUAL = 6
"""Pairs of whole numbers that differ by the same: fewer may do so by chance, as 2·½⁵ is above 0.05."""


def can_be_chance(n: int, *samples: NDArray[np.float64]) -> bool:
    """Whether `n` equal differences of these values say little: a few counts may agree where doubles cannot."""
    return n < FEWEST_EQUAL and all(bool((sample == np.rint(sample)).all()) for sample in samples)


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Pearson's; None where either does not vary."""
    a, b = within_reach(a), within_reach(b)
    if len(a) < 2 or np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
        return None
    a, b = (a - a.mean()) / np.ptp(a), (b - b.mean()) / np.ptp(b)
    found = float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))
    return min(1.0, max(-1.0, found))


FAR = 1e150


def within_reach(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values, scaled by a power of two where their squares or differences would leave the doubles."""
    finite = values[np.isfinite(values)]
    return values * 2.0**-600 if len(finite) and float(np.abs(finite).max()) > FAR else values


def welch(left: NDArray[np.float64], right: NDArray[np.float64], *, proportions: bool = False) -> Difference:
    """Welch's difference left - right of two independent samples, over the finite values of each.

    Values that are 0 or 1 are tested by Fisher's exact test; `proportions` as for `paired`.
    """
    a, b = Moments.of(left), Moments.of(right)
    means = (a.n + b.n, a.n, b.n, a.mean, b.mean)
    gap = a.mean - b.mean if a.mean is not None and b.mean is not None else None
    if a.sd is None or b.sd is None:
        few = min(a.n, b.n) < 2
        why = "fewer than two replications of one scenario" if few else "values are beyond what a double's square holds"
        return Difference("welch", *means, gap, note=why)
    finite = [own[np.isfinite(own)] for own in (left, right)]
    if are_zero_or_one(*finite):
        return _of_proportions(SeparateCounts.of(*finite), a, b, proportions)
    if not a.sd and not b.sd:
        differ = bool(gap) and not can_be_chance(min(a.n, b.n), *finite)
        note = f"{EXACTLY}{abs(gap or 0.0):.10g}, as neither scenario varies" if differ else "neither scenario varies"
        return Difference("welch", *means, gap, note=note, certain=differ)
    return Difference("welch", *means, gap, *_welch_error(a, b))


def _of_proportions(counts: SeparateCounts, a: Moments, b: Moments, proportions: bool) -> Difference:
    assert a.mean is not None  # both have values
    assert b.mean is not None
    se, df = _welch_error(a, b) if a.sd or b.sd else (None, None)
    return Difference(
        "welch", a.n + b.n, a.n, b.n, a.mean, b.mean, a.mean - b.mean, se, df,
        note="by Fisher's exact test", counts=counts, proportions=proportions,
    )  # fmt: skip


def _welch_error(a: Moments, b: Moments) -> tuple[float, float]:
    """Standard error and degrees of freedom; scaled, so that no square leaves the doubles."""
    errors = (a.sd or 0.0) / math.sqrt(a.n), (b.sd or 0.0) / math.sqrt(b.n)
    largest = max(errors)
    shares = (errors[0] / largest) ** 2, (errors[1] / largest) ** 2
    df = sum(shares) ** 2 / (shares[0] ** 2 / (a.n - 1) + shares[1] ** 2 / (b.n - 1))
    return largest * math.sqrt(sum(shares)), df
