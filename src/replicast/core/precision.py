"""How precise a mean is wanted: targets for half-widths, as text and numbers, and how many replications they take."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from .distributions import check_confidence, normal_quantile, t_critical
from .errors import RequestError
from .proportions import wilson_half_widths

NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
FURTHEST = 10**15


@dataclass(frozen=True, slots=True)
class Target:
    """The half-width that a metric's interval is to reach: a share of |mean| if `relative`, else in its unit."""

    metric: str
    half_width: float
    relative: bool

    def allowed(self, mean: float) -> float:
        """The half-width that meets the target at this mean; 0 at a mean of 0, which no interval meets."""
        return self.half_width * abs(mean) if self.relative else self.half_width

    def __str__(self) -> str:
        return (
            f"{self.metric}={100 * self.half_width:.12g}%" if self.relative else f"{self.metric}={self.half_width:.12g}"
        )


def parse_precision(text: str) -> tuple[Target, ...]:
    """The targets of `wait=5%` (relative) or `wait=0.5,cost=2%` (absolute, relative); RequestError of anything else."""
    targets = tuple(_parse_target(part) for part in text.split(","))
    metrics = [target.metric for target in targets]
    for metric in metrics:
        if metrics.count(metric) > 1:
            raise RequestError(f"precision '{text}' asks twice for '{metric}'; keep one of the two")
    return targets


def _parse_target(text: str) -> Target:
    metric, separator, amount = text.rpartition("=")
    if not separator or not metric.strip():
        raise RequestError(f"precision is METRIC=5% or METRIC=0.5, and '{text.strip()}' is neither")
    half_width, relative = parse_half_width(amount, f"of '{metric.strip()}' ")
    return Target(metric.strip(), half_width, relative)


def parse_half_width(text: str, of: str = "") -> tuple[float, bool]:
    """`5%` → (0.05, relative), `0.5` → (0.5, absolute). Raises RequestError unless it is a number above 0."""
    stripped = text.strip()
    relative = stripped.endswith("%")
    digits = stripped.removesuffix("%").strip()
    if not NUMBER.fullmatch(digits):
        raise RequestError(
            f"the half-width {of}is a number like 0.5 or a percentage like 5%, and '{stripped}' is neither"
        )
    half_width = float(digits) / (100.0 if relative else 1.0)
    if not 0.0 < half_width < math.inf:
        raise RequestError(f"the half-width {of}is above 0, and '{stripped}' is not")
    if relative and half_width >= 1.0:
        raise RequestError(f"a relative half-width {of}is below 100%, and '{stripped}' is not")
    return half_width, relative


def replications_needed(
    n: int, mean: float, sd: float, target: Target, *, confidence: float = 0.95, adjusted: bool = True
) -> int | None:
    """How many replications in all (`n` or more) would meet `target` if the sample mean and sd stayed as they are.

    Law (2015), section 9.4.1: the least i ≥ n with t(i - 1)·sd/√i ≤ the half-width allowed. With `adjusted`, a relative
    target γ is taken as γ/(1 + γ), which holds the error to γ of the true mean and not of the estimate. None where no
    number can be said: fewer than two values, no variation, a relative target at a mean of 0, more than 10^15.
    """
    check_confidence(confidence)
    allowed = target.allowed(mean)
    if target.relative and adjusted:
        allowed /= 1.0 + target.half_width
    if n < 2 or not sd > 0.0 or not allowed > 0.0:
        return None
    if not _is_met(FURTHEST, sd, allowed, confidence):
        return None
    low, high = n - 1, n
    while not _is_met(high, sd, allowed, confidence):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _is_met(middle, sd, allowed, confidence) else (middle, high)
    return high


def trials_needed(n: int, share: float, target: Target, *, confidence: float = 0.95) -> int | None:
    """As `replications_needed` of a boolean: the least i ≥ n for which half Wilson's interval is within the target."""
    check_confidence(confidence)
    allowed, z = (
        target.allowed(share) / (1.0 + target.half_width * target.relative),
        normal_quantile(0.5 + 0.5 * confidence),
    )

    def is_met(i: int) -> bool:
        return float(wilson_half_widths(np.array([share]), np.array([float(i)]), z)[0]) <= allowed

    if n < 2 or not allowed > 0.0 or not is_met(FURTHEST):
        return None
    low, high = n - 1, n
    while not is_met(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_met(middle) else (middle, high)
    return high


def _is_met(n: int, sd: float, allowed: float, confidence: float) -> bool:
    return t_critical(confidence, n - 1) * sd <= allowed * math.sqrt(n)
