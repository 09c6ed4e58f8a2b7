"""Ratios of means over replications: the pooled mean of what replications counted in unequal numbers.

The mean wait of a patient is the sum of all waits over the number of all patients, and not the mean of replications'
means, in which the few patients of a quiet day weigh as much as the many of a busy one. A replication is one unit, so
that patients of one replication may depend on each other. Sources: Cochran (1977), Sampling Techniques, chapter 6
(delta method); Iglehart (1975), Naval Research Logistics Quarterly 22, 553–565 (jackknife); Davison and Hinkley (1997),
Bootstrap Methods, 2.4 and 3.8 (whole units drawn anew).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .differences import ROUNDING
from .distributions import t_critical

DRAWS = 2000
AT_ONCE = 1 << 22
"""Multiplicities held at a time."""

Bounds = tuple[float, float]
LARGEST = 1e150
"""Above it a value's square is beyond the largest double."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of `n` pairs: `estimate` is Σy/Σx with its delta-method interval, `jackknife` is nearly free of its bias."""

    n: int
    estimate: float
    jackknife: float
    se: float
    delta: Bounds
    interval: Bounds
    bootstrap: Bounds


def is_constant(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> bool:
    """Whether all pairs have one ratio, but for its rounding, over which there is no interval."""
    divided = bottom != 0.0
    if top[~divided].any() or divided.sum() < 2:
        return False
    own = top[divided] / bottom[divided]
    return bool(np.ptp(own) <= ROUNDING * np.abs(own).max())


def ratio_of(
    top: NDArray[np.float64], bottom: NDArray[np.float64], *, seed: int, confidence: float = 0.95, draws: int = DRAWS
) -> Ratio | None:
    """Of pairs of finite values, by replication; None of fewer than two, or where there is no interval for their ratio.

    There is none where the denominators add up to 0, and where all pairs have one ratio.
    """
    n = len(top)
    if n and max(np.abs(top).max(), np.abs(bottom).max()) > LARGEST:
        return _scaled(top, bottom, seed=seed, confidence=confidence, draws=draws)
    if n < 2 or (mean := float(bottom.mean())) == 0.0 or is_constant(top, bottom):
        return None
    without = bottom.sum() - bottom
    if (without == 0.0).any():
        return None
    estimate, t = float(top.sum() / bottom.sum()), t_critical(confidence, n - 1)
    residuals = top - estimate * bottom
    delta = t * math.sqrt(float((residuals**2).sum()) / (n - 1) / n) / abs(mean)
    pseudo = n * estimate - (n - 1) * (top.sum() - top) / without
    se = float(pseudo.std(ddof=1)) / math.sqrt(n)
    jackknife = float(pseudo.mean())

    def drawn(times: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            found: NDArray[np.float64] = (times @ top) / (times @ bottom)
        return found

    return Ratio(
        n, estimate, jackknife, se, (estimate - delta, estimate + delta), (jackknife - t * se, jackknife + t * se),
        bootstrap_interval(drawn, n, seed=seed, confidence=confidence, draws=draws),
    )  # fmt: skip


def _scaled(
    top: NDArray[np.float64], bottom: NDArray[np.float64], *, seed: int, confidence: float, draws: int
) -> Ratio | None:
    """The ratio of values too large to be summed, brought to about 1 by powers of two, and back."""
    powers = [int(np.frexp(np.abs(values).max())[1]) for values in (top, bottom)]
    small = [np.ldexp(values, -power) for values, power in zip((top, bottom), powers, strict=True)]
    found = ratio_of(small[0], small[1], seed=seed, confidence=confidence, draws=draws)
    if found is None:
        return None
    with np.errstate(over="ignore"):
        factor = float(np.ldexp(1.0, powers[0] - powers[1]))
    bounds = [(low * factor, high * factor) for low, high in (found.delta, found.interval, found.bootstrap)]
    return Ratio(found.n, found.estimate * factor, found.jackknife * factor, found.se * factor, *bounds)


def bootstrap_interval(
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    n: int,
    *,
    seed: int,
    confidence: float = 0.95,
    draws: int = DRAWS,
) -> Bounds:
    """The percentile interval of a statistic of `n` units, drawn with replacement `draws` times.

    `statistic` takes a row of multiplicities a draw. The same seed gives the same interval, on any machine.
    """
    rng, found = np.random.default_rng([seed % 2**63, n]), []
    at_once = max(1, AT_ONCE // max(n, 1))
    for start in range(0, draws, at_once):
        times = rng.multinomial(n, np.full(n, 1.0 / n), size=min(at_once, draws - start))
        found.append(statistic(times.astype(np.float64)))
    values = np.concatenate(found)
    tail = 0.5 * (1.0 - confidence)
    lower, upper = np.nanquantile(values, [tail, 1.0 - tail])
    return float(lower), float(upper)
