"""The steady-state mean from one long run: its values depend on each other, its long batches hardly do.

Sources: Law (2015), section 9.5.3; Meketon and Schmeiser (1984), Overlapping batch means, Winter Simulation Conference,
226–230; von Neumann (1941), Annals of Mathematical Statistics 12, 367–395, as a test of batches by Alexopoulos and
Seila (1998), Handbook of Simulation, chapter 7.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .differences import ROUNDING
from .distributions import check_confidence, normal_cdf, t_critical
from .errors import RequestError
from .ratios import LARGEST
from .warm_up import recommend

USUAL_BATCHES = 20
FEWEST_BATCHES, FEWEST_IN_BATCH = 5, 10
CORRELATED_BELOW = 0.05
NO_SPREAD = "the means of all batches are the same: no interval"

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Steady:
    """The mean of `n` values behind the first `left_out`, by batches of `size` and by overlapping ones.

    `variance` is n·var(mean) as batches see it; `lag_one` the correlation of neighbouring batches, with the probability
    of so much if they were independent. `warning` is empty if the answer can be relied on. Half-widths are NaN where
    batches do not vary.
    """

    left_out: int
    n: int
    batches: int
    size: int
    mean: float
    half_width: float
    variance: float
    overlapping_half_width: float
    overlapping_variance: float
    lag_one: float
    lag_one_p: float
    warning: str


def steady(
    values: Array, *, batches: int = USUAL_BATCHES, left_out: int | None = None, confidence: float = 0.95
) -> Steady:
    """Of finite values in the order in which they were observed; without `left_out`, the warm-up is MSER-5's.

    Raises RequestError for a run that is too short to be cut into batches.
    """
    check_confidence(confidence)
    if batches < FEWEST_BATCHES:
        raise RequestError(f"a run is cut into {FEWEST_BATCHES} batches or more, and {batches} are fewer")
    if left_out is not None and left_out < 0:
        raise RequestError(f"--leave-out takes 0 or more values, and {left_out} is fewer")
    reach, warning = float(np.abs(values).max(initial=0.0)), ""
    if reach > LARGEST:
        return _steady_of_large(values, int(np.frexp(reach)[1]), batches, left_out, confidence)
    if left_out is None:
        try:
            found = recommend(values)
        except RequestError as short:
            raise RequestError(f"{short}: run longer, or say how long the warm-up is (--leave-out)") from None
        left_out, warning = found.columns, found.warning
    rest = values[left_out:]
    size = len(rest) // batches
    if size < FEWEST_IN_BATCH:
        needed = left_out + batches * FEWEST_IN_BATCH
        behind = f" behind a warm-up of {left_out:,}" if left_out else ""
        raise RequestError(
            f"{batches} batches of {FEWEST_IN_BATCH}{behind} need {needed:,} values, and there are {len(values):,}: "
            "run longer, cut fewer batches (--batches), or say how long the warm-up is (--leave-out)"
        )
    rest = rest[len(rest) - batches * size :]
    mean, n = float(rest.mean()), batches * size
    means = rest.reshape(batches, size).mean(axis=1)
    variance, overlapping = size * float(means.var(ddof=1)), overlapping_variance(rest, size)
    lag_one, p = von_neumann(means)
    if variance <= size * (ROUNDING * reach) ** 2:
        return Steady(len(values) - n, n, batches, size, mean, math.nan, 0.0, math.nan, 0.0, lag_one, p, NO_SPREAD)
    if p < CORRELATED_BELOW and not warning:
        warning = "neighbouring batches are correlated: the interval is too narrow; run longer, or in fewer batches"
    return Steady(
        len(values) - n, n, batches, size, mean,
        t_critical(confidence, batches - 1) * math.sqrt(variance / n), variance,
        t_critical(confidence, 1.5 * (batches - 1)) * math.sqrt(overlapping / n), overlapping, lag_one, p, warning,
    )  # fmt: skip


def _steady_of_large(values: Array, power: int, batches: int, left_out: int | None, confidence: float) -> Steady:
    """Of values whose squares are beyond doubles: brought to 1 at most by a power of two, and back."""
    found = steady(np.ldexp(values, -power), batches=batches, left_out=left_out, confidence=confidence)

    def grown(number: float, times: int = 1) -> float:
        with np.errstate(over="ignore"):
            return float(np.ldexp(number, power * times))

    return replace(
        found, mean=grown(found.mean), half_width=grown(found.half_width), variance=grown(found.variance, 2),
        overlapping_half_width=grown(found.overlapping_half_width),
        overlapping_variance=grown(found.overlapping_variance, 2),
    )  # fmt: skip


def overlapping_variance(values: Array, size: int) -> float:
    """Meketon and Schmeiser's estimate of n·var(mean), from all n - size + 1 batches; df about 1.5·(n/size - 1)."""
    n, mean = len(values), values.mean()
    sums = np.concatenate([[0.0], np.cumsum(values - mean)])
    gaps = (sums[size:] - sums[:-size]) / size
    return float(n * size / ((n - size + 1) * (n - size)) * (gaps**2).sum())


def von_neumann(means: Array) -> tuple[float, float]:
    """The lag-1 correlation of batch means, and the one-sided probability of as much if they are independent."""
    k, gaps = len(means), means - means.mean()
    squares = float((gaps**2).sum())
    if squares == 0.0:
        return 0.0, 1.0
    ratio = float((np.diff(means) ** 2).sum()) / squares
    lag_one = 1.0 - 0.5 * (ratio + float(gaps[0] ** 2 + gaps[-1] ** 2) / squares)
    z = math.sqrt((k * k - 1.0) / (k - 2.0)) * (1.0 - 0.5 * ratio)
    return lag_one, normal_cdf(-z)
