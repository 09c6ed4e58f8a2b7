"""How far results depend on parameters, and how far on chance: designs for it, of points that have replications.

A point's value is its mean over replications. Two things are uncertain of an index: which points the design holds, and
the noise that replications leave in their means. Both are drawn anew (Efron and Tibshirani 1993, chapter 6): base
points with all their neighbours, and replications within points, the same ones in all points where those share random
numbers.
Sources: Saltelli et al. (2010), Computer Physics Communications 181, 259–270; Morris (1991), Technometrics 33, 161–174;
Campolongo, Cariboni and Saltelli (2007), Environmental Modelling & Software 22, 1509–1518.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .differences import ROUNDING
from .distributions import check_confidence, normal_quantile

Array = NDArray[np.float64]
Estimator = Callable[[Array, NDArray[np.intp]], dict[str, Array]]
"""Of points' means, of shape (rows, points a row), and the numbers of these rows: each measure, a value a parameter."""

STEP = 2.0 / 3.0
"""Of a Morris design of four levels, in shares of a range."""
USUAL_DRAWS = 500


@dataclass(frozen=True, slots=True)
class Index:
    """A measure of a parameter. `half_width` is of the interval that points and replications give together.

    `noise` is what replications alone give of it; None where points have one each.
    """

    measure: str
    parameter: str
    estimate: float
    half_width: float
    noise: float | None


@dataclass(frozen=True, slots=True)
class Replicated:
    """Values of shape (rows, points a row, replications), NaN where there is none; no point is without a value.

    `common`: replication i has the same random numbers in every point.
    """

    values: Array
    common: bool

    @property
    def counts(self) -> Array:
        found: Array = np.isfinite(self.values).sum(axis=2).astype(np.float64)
        return found

    @property
    def means(self) -> Array:
        found: Array = np.nanmean(self.values, axis=2)
        return found

    @property
    def has_noise(self) -> bool:
        return bool((self.counts > 1).all())

    @property
    def varies(self) -> bool:
        """Whether points' means differ by more than the rounding of a mean."""
        return bool(np.ptp(self.means) > ROUNDING * np.abs(self.means).max())

    def noise_share(self) -> float | None:
        """The share of the variance of points' means that is their error; common noise, which moves all, is none."""
        spread = float(np.var(self.means))
        if not self.has_noise or spread == 0.0:
            return None
        values = self.values
        if self.common:
            values = values - np.nanmean(values, axis=(0, 1), keepdims=True)
        return float(np.mean(np.nanvar(values, axis=2, ddof=1) / self.counts)) / spread

    def drawn_means(self, rng: np.random.Generator) -> Array:
        """Points' means over replications that are drawn anew, scaled so that their variance is that of the means."""
        n = self.values.shape[2]
        known = np.isfinite(self.values)
        shape = (n,) if self.common else (*self.values.shape[:2], n)
        times = _multiplicities(rng, shape)
        means, counts = self.means, self.counts
        gaps = np.where(known, self.values - means[:, :, None], 0.0)
        gaps[np.abs(gaps) <= ROUNDING * np.abs(means[:, :, None])] = 0.0
        weight = (known * times).sum(axis=2)
        moved = (gaps * times).sum(axis=2) / np.maximum(weight, 1)
        found: Array = means + np.sqrt(counts / np.maximum(counts - 1.0, 1.0)) * moved
        return found


def _multiplicities(rng: np.random.Generator, shape: Sequence[int]) -> NDArray[np.int64]:
    """How often each of n replications is drawn in n draws, n being the last of `shape`."""
    n = shape[-1]
    times: NDArray[np.int64] = rng.multinomial(n, np.full(n, 1.0 / n), size=tuple(shape[:-1]) or None)
    return times


def indices(
    replicated: Replicated, parameters: Sequence[str], estimate: Estimator, *, seed: int,
    draws: int = USUAL_DRAWS, confidence: float = 0.95,
) -> list[Index]:  # fmt: skip
    """Each measure of each parameter. The intervals are normal ones, from the spread of `draws`, as SALib's are."""
    check_confidence(confidence)
    rows = len(replicated.values)
    everywhere, rng = np.arange(rows), np.random.default_rng([seed % 2**32, rows])
    found = estimate(replicated.means, everywhere)
    both: dict[str, list[Array]] = {name: [] for name in found}
    noise: dict[str, list[Array]] = {name: [] for name in found}
    for _ in range(draws):
        means = replicated.drawn_means(rng) if replicated.has_noise else replicated.means
        chosen = rng.integers(rows, size=rows)
        for name, own in estimate(means[chosen], chosen).items():
            both[name].append(own)
        if replicated.has_noise:
            for name, own in estimate(means, everywhere).items():
                noise[name].append(own)
    z = normal_quantile(0.5 + 0.5 * confidence)
    listed = []
    for name, values in found.items():
        spread = z * _spread(both[name])
        alone = z * _spread(noise[name]) if replicated.has_noise else None
        for place, parameter in enumerate(parameters):
            own_noise = None if alone is None else float(alone[place])
            listed.append(Index(name, parameter, float(values[place]), float(spread[place]), own_noise))
    return listed


def _spread(drawn: Sequence[Array]) -> Array:
    """Standard deviations over draws; from the first on, so that equal ones have 0 and not their mean's rounding."""
    found: Array = np.std(np.array(drawn) - drawn[0], axis=0, ddof=1)
    return found


def elementary_effects(means: Array, settings: Array) -> Array:
    """Of each trajectory (row) and parameter: the change as the parameter rises by its whole range.

    `settings`, of shape (rows, points a row, parameters), are the parameters' values; one changes at each step.
    """
    changes = np.sign(np.diff(settings, axis=1))
    steps = np.diff(means, axis=1)
    found: Array = (steps[:, :, None] * changes).sum(axis=1) / STEP
    return found
