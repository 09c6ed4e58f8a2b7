"""A run's means, adjusted by control variates: metrics whose true means are known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replicast.core.controls import controlled
from replicast.core.distributions import check_confidence, t_critical
from replicast.core.errors import RequestError
from replicast.core.moments import Moments

from .comparing import RunValues


@dataclass(frozen=True, slots=True)
class ControlledRow:
    """A metric's mean, adjusted by the `controls`, with Student's interval on `df` degrees of freedom.

    `mean` and `plain_half_width` are those without them, of the same `n` values (of antithetic pairs, their means).
    `variance_left` is the share of the variance that the controls leave, 1 - R²; `coefficients` are written as text.
    """

    scenario: str
    metric: str
    controls: str
    n: int
    mean: float | None
    plain_half_width: float | None
    estimate: float | None
    se: float | None
    df: int | None
    ci_lower: float | None
    ci_upper: float | None
    half_width: float | None
    variance_left: float | None
    coefficients: str
    note: str


def controlled_rows(values: RunValues, controls: Mapping[str, float], confidence: float = 0.95) -> list[ControlledRow]:
    """Every metric that is no control, in each scenario. Raises RequestError for a control that is no metric."""
    check_confidence(confidence)
    for name in controls:
        values.of_metric(name)
    if not [name for name in values.metrics() if name not in controls]:
        raise RequestError("every metric is a control, and none is left to be adjusted by them")
    rows = []
    for scenario, own in values.by_scenario.items():
        for metric, column in own.items():
            if metric not in controls:
                others = [own.get(name, np.full(len(column), np.nan)) for name in controls]
                rows.append(_row(scenario, metric, column, others, controls, confidence, scenario in values.copies))
    return rows


def _row(
    scenario: str, metric: str, column: NDArray[np.float64], others: list[NDArray[np.float64]],
    controls: Mapping[str, float], confidence: float, copies: bool,
) -> ControlledRow:  # fmt: skip
    table = np.column_stack([column, *others])
    known = table[np.isfinite(table).all(axis=1)]
    label = (scenario, metric, ", ".join(f"{name}={mean:.12g}" for name, mean in controls.items()))
    gone = int(np.isfinite(column).sum()) - len(known)
    note = f"left out, as a control is missing: {gone}" if gone else ""
    n = len(known)
    moments = Moments.of(known[:, 0])
    plain = t_critical(confidence, n - 1) * moments.sd / math.sqrt(n) if moments.sd and not copies else None
    try:
        if copies:
            raise ValueError("replications are copies")  # noqa: TRY301 - one way out for all reasons
        found = controlled(known[:, 0], known[:, 1:], np.array(list(controls.values())))
    except ValueError as reason:
        return ControlledRow(
            *label, n, moments.mean, plain, *(None,) * 7, "", "; ".join(filter(None, (str(reason), note)))
        )
    half_width = found.half_width(confidence)
    slopes = ", ".join(f"{name} {slope:.6g}" for name, slope in zip(controls, found.coefficients, strict=True))
    far = np.abs(known[:, 1:].mean(axis=0) - np.array(list(controls.values())))
    errors = known[:, 1:].std(axis=0, ddof=1) / math.sqrt(n)
    for name, distance in zip(controls, far / errors, strict=True):
        if distance > 4.0:
            note += f"{'; ' * bool(note)}the mean of '{name}' is {distance:.1f} standard errors from what is said of it"
    return ControlledRow(
        *label, n, moments.mean, plain, found.estimate, found.se, found.df, found.estimate - half_width,
        found.estimate + half_width, half_width, found.left, slopes, note,
    )  # fmt: skip
