"""Control variates: a mean adjusted by what is known of others, and an interval with the degrees of freedom for it.

A metric is regressed on controls whose true means are known; what the regression says at those means is the estimate,
and the error of its intercept is the error. Exact where metric and controls are jointly normal, else for many values.
Sources: Lavenberg and Welch (1981), Management Science 27, 322–335; Law (2015), section 11.4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .distributions import check_confidence, t_critical
from .errors import RequestError

NOISE = 1e-26
"""Less than this share of a variance is what rounding leaves of a metric that the controls explain wholly."""

LEAST_DF = 2
"""With fewer degrees of freedom an interval is too wide to say anything."""


@dataclass(frozen=True, slots=True)
class Controlled:
    """Of `n` values: the adjusted `estimate`, its `se` on `df` degrees of freedom, and each control's coefficient.

    `left` is the share of the variance that the controls leave, 1 - R².
    """

    n: int
    estimate: float
    se: float
    df: int
    coefficients: tuple[float, ...]
    left: float

    def half_width(self, confidence: float = 0.95) -> float:
        check_confidence(confidence)
        return t_critical(confidence, self.df) * self.se


def parse_controls(texts: list[str] | tuple[str, ...]) -> dict[str, float]:
    """Of `u=0.5` each, a metric and the mean that is known of it. Raises RequestError."""
    found: dict[str, float] = {}
    for text in texts:
        metric, separator, mean = text.rpartition("=")
        try:
            known = float(mean)
        except ValueError:
            known = math.nan
        if not separator or not metric.strip() or not math.isfinite(known):
            raise RequestError(f"a control is METRIC=MEAN, with the mean that is known of it, and '{text}' is not")
        if metric.strip() in found:
            raise RequestError(f"the control '{metric.strip()}' is given twice; keep one of the two")
        found[metric.strip()] = known
    return found


def check_controls(controls: Mapping[str, object]) -> dict[str, float]:
    """Raises RequestError unless each is a finite number by the name of a metric."""
    found: dict[str, float] = {}
    for metric, mean in controls.items():
        if isinstance(mean, bool) or not isinstance(mean, (int, float)) or not math.isfinite(mean):
            raise RequestError(f"the mean that is known of the control '{metric}' is a number, and {mean!r} is not")
        found[str(metric)] = float(mean)
    return found


def controlled(values: NDArray[np.float64], controls: NDArray[np.float64], means: NDArray[np.float64]) -> Controlled:
    """Of n finite values and the controls beside them, of shape (n, q), whose true means are `means`.

    Raises ValueError, saying why, where no regression can be had: too few values, or controls that do not vary or
    follow from each other.
    """
    n, q = controls.shape
    df = n - q - 1
    if df < LEAST_DF:
        raise ValueError(f"{n} values are too few for {q} control{'s' * (q > 1)}")
    if float(np.ptp(values)) <= 1e-12 * float(np.abs(values).max()):
        raise ValueError("the metric does not vary")
    spread = controls.std(axis=0)
    if (spread <= 1e-12 * np.abs(controls).max(axis=0)).any():
        raise ValueError("a control does not vary")
    scale = float(np.abs(values).max()) or 1.0
    design = np.column_stack([np.ones(n), (controls - means) / spread])
    if np.linalg.matrix_rank((controls - controls.mean(axis=0)) / spread) < q:
        raise ValueError("the controls follow from each other")
    upper = np.linalg.qr(design, mode="r")
    solution, *_ = np.linalg.lstsq(design, values / scale, rcond=None)
    residuals = values / scale - design @ solution
    inverse = np.linalg.inv(upper)
    rest = float(residuals @ residuals)
    total = float(((values / scale - (values / scale).mean()) ** 2).sum())
    if rest <= NOISE * total:
        rest = 0.0
    se = math.sqrt(rest / df * float(inverse[0] @ inverse[0]))
    return Controlled(
        n, scale * float(solution[0]), scale * se, df, tuple(scale * solution[1:] / spread),
        rest / total,
    )  # fmt: skip
