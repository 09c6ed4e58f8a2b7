"""How well an estimator does in a Monte Carlo study: each measure with its own Monte Carlo standard error.

Morris, White and Crowther (2019), Using simulation studies to evaluate statistical methods, Statistics in Medicine 38,
2074–2102, doi 10.1002/sim.8086, table 6. θ̂_i are the estimates, se_i what the method says of each one's error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .distributions import check_confidence, normal_quantile, t_critical
from .errors import RequestError, nearest
from .moments import Moments

MEASURES = (
    "bias", "empirical_se", "mse", "model_se", "relative_error", "coverage", "bias_eliminated_coverage", "power",
)  # fmt: skip
"""`relative_error` is that of the model SE, in percent; `power` is the share of tests that reject θ = 0."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measure:
    """`mcse` is its Monte Carlo standard error; `n` are the replications that it is of."""

    name: str
    estimate: float
    mcse: float
    n: int


def measures(
    estimate: Array, *, truth: float, se: Array | None = None, df: Array | None = None, confidence: float = 0.95
) -> list[Measure]:
    """Of finite estimates, two or more; those that need `se` are of replications in which it is finite and not below 0.

    Intervals are estimate ± z·se, or with `df` ± t·se. Order as in MEASURES.
    """
    check_confidence(confidence)
    n = len(estimate)
    if n < 2:
        return []
    found = [*_of_estimates(estimate, truth)]
    if se is not None:
        known = np.isfinite(se) & (se >= 0.0)
        if known.sum() >= 2:
            own = estimate[known], se[known]
            found += _of_errors(*own)
            found += _of_intervals(*own, truth, None if df is None else df[known], confidence)
    return found


def _of_estimates(estimate: Array, truth: float) -> Iterator[Measure]:
    n, sd = len(estimate), _sd(estimate)
    squares = (estimate - truth) ** 2
    yield Measure("bias", float((estimate - truth).mean()), sd / math.sqrt(n), n)
    yield Measure("empirical_se", sd, sd / math.sqrt(2.0 * (n - 1)), n)
    yield Measure("mse", float(squares.mean()), _sd(squares) / math.sqrt(n), n)


def _of_errors(estimate: Array, se: Array) -> Iterator[Measure]:
    n, empirical, squares = len(se), _sd(estimate), se**2
    spread = _sd(squares) ** 2
    model = math.sqrt(float(squares.mean())) if spread else float(se[0])
    yield Measure("model_se", model, math.sqrt(spread / (4.0 * n)) / model if model else 0.0, n)
    if empirical and model:
        ratio = model / empirical
        error = 100.0 * ratio * math.sqrt(spread / (4.0 * n * model**4) + 1.0 / (2.0 * (n - 1)))
        yield Measure("relative_error", 100.0 * (ratio - 1.0), error, n)


def _sd(values: Array) -> float:
    """Of finite values; 0 of equal ones, of which a mean that was rounded would leave some spread."""
    return Moments.of(values).sd or 0.0


def _of_intervals(estimate: Array, se: Array, truth: float, df: Array | None, confidence: float) -> Iterator[Measure]:
    if df is None:
        reach = normal_quantile(0.5 + 0.5 * confidence) * se
    else:
        critical = {own: t_critical(confidence, own) for own in np.unique(df).tolist()}
        reach = np.array([critical[own] for own in df.tolist()]) * se
    yield _share("coverage", np.abs(estimate - truth) <= reach)
    yield _share("bias_eliminated_coverage", np.abs(estimate - estimate.mean()) <= reach)
    yield _share("power", np.abs(estimate) > reach)


def _share(name: str, hits: NDArray[np.bool_]) -> Measure:
    share, n = float(hits.mean()), len(hits)
    return Measure(name, share, math.sqrt(share * (1.0 - share) / n), n)


def replications_for(found: Measure, mcse: float, *, confidence: float = 0.95) -> int | None:
    """How many replications would bring the Monte Carlo standard error to `mcse`, as it shrinks with their root.

    Coverage is taken at what it should be: at 95 %, an error of 0.5 % takes 1,900.
    """
    if found.name in ("coverage", "bias_eliminated_coverage"):
        return math.ceil(confidence * (1.0 - confidence) / mcse**2 - 1e-6)
    return math.ceil(found.n * (found.mcse / mcse) ** 2 - 1e-6) if found.mcse else None


def parse_mcse(text: str) -> Mapping[str, float]:
    """`coverage=0.5%,bias=0.01` → {"coverage": 0.005, "bias": 0.01}. Raises RequestError."""
    wanted: dict[str, float] = {}
    for part in text.split(","):
        name, _, amount = (piece.strip() for piece in part.partition("="))
        if name not in MEASURES:
            raise RequestError(f"no measure is called '{name}'{nearest(name, MEASURES)}")
        try:
            value = float(amount.removesuffix("%")) / (100.0 if amount.endswith("%") else 1.0)
        except ValueError:
            value = math.nan
        if not 0.0 < value < math.inf:
            raise RequestError(f"a Monte Carlo standard error is a number above 0, and '{amount}' for {name} is not")
        wanted[name] = value
    return wanted
