"""What else a run's values say: how many replications a half-width needs, quantiles and proportions with intervals."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from replicast.core.antithetic import refuse_pairs
from replicast.core.distributions import check_confidence
from replicast.core.errors import RequestError, nearest
from replicast.core.precision import Target, parse_half_width, parse_precision, replications_needed, trials_needed
from replicast.core.proportions import exact_interval, wilson_interval
from replicast.core.quantiles import quantile_interval, quantiles
from replicast.core.statistics import SummaryRow

from .comparing import RunValues


@dataclass(frozen=True, slots=True)
class NeededRow:
    """How many values in all (`needed`) would meet the target if mean and sd stayed as they are; `more` than the `n`
    there are. Both are None where no number can be said, and `note` says why.
    """

    scenario: str
    metric: str
    planned: int
    n: int
    mean: float | None
    half_width: float | None
    target: str
    needed: int | None
    more: int | None
    note: str


def needed_rows(
    rows: Sequence[SummaryRow], wanted: str, booleans: Container[str] = (), *, paired: bool = False
) -> list[NeededRow]:
    """Of rows of a summary. `wanted` is `5%` or `0.5` for every metric, or `wait=5%,cost=10`; else RequestError.

    `paired`: the rows count antithetic pairs; what is answered counts replications.
    """
    found = _needed_rows(rows, wanted, booleans)
    return [_in_replications(row) for row in found] if paired else found


def _in_replications(row: NeededRow) -> NeededRow:
    needed, more = (None if own is None else 2 * own for own in (row.needed, row.more))
    return replace(row, planned=2 * row.planned, n=2 * row.n, needed=needed, more=more)


def _needed_rows(rows: Sequence[SummaryRow], wanted: str, booleans: Container[str]) -> list[NeededRow]:
    if "=" not in wanted:
        half_width, relative = parse_half_width(wanted)
        return [_needed_row(row, Target(row.metric, half_width, relative), booleans) for row in rows]
    targets = {target.metric: target for target in parse_precision(wanted)}
    known = {row.metric for row in rows}
    for metric in targets:
        if metric not in known:
            raise RequestError(f"no metric is called '{metric}'{nearest(metric, known)}")
    return [_needed_row(row, targets[row.metric], booleans) for row in rows if row.metric in targets]


def _needed_row(row: SummaryRow, target: Target, booleans: Container[str]) -> NeededRow:
    shown = str(target).removeprefix(f"{target.metric}=")
    mean, sd = row.mean, row.sd
    if mean is None or sd is None or row.half_width is None:
        note = "fewer than two values" if row.n < 2 else "there is no interval: see the notes"
        return NeededRow(row.scenario, row.metric, row.planned, row.n, mean, row.half_width, shown, None, None, note)
    if row.metric in booleans:
        needed = trials_needed(row.n, mean, target, confidence=row.confidence)
    else:
        needed = replications_needed(row.n, mean, sd, target, confidence=row.confidence)
    note = ""
    if needed is None:
        note = "a share of a mean of 0 cannot be met: ask for a number" if mean == 0 else "beyond any number"
    more = None if needed is None else needed - row.n
    return NeededRow(row.scenario, row.metric, row.planned, row.n, mean, row.half_width, shown, needed, more, note)


def replications_to_ask_for(rows: Sequence[NeededRow], *, paired: bool = False) -> int | None:
    """The `-n` that would give each row its values, where one can be said and more than are planned are needed.

    It is scaled up by the share of replications that gave no finite value.
    """
    open_rows = [row for row in rows if row.more]
    unit = 2 if paired else 1
    each = (unit * math.ceil((row.needed or 0) * row.planned / row.n / unit) for row in open_rows)
    return max(each, default=None)


@dataclass(frozen=True, slots=True)
class QuantileRow:
    """A quantile with its order-statistics interval; `coverage` is its exact confidence. None where none exists."""

    scenario: str
    metric: str
    p: float
    n: int
    estimate: float | None
    ci_lower: float | None
    ci_upper: float | None
    lower_rank: int | None
    upper_rank: int | None
    coverage: float | None
    note: str


def parse_probabilities(text: str) -> list[float]:
    """`0.5,0.9` → [0.5, 0.9]. Raises RequestError for anything but numbers between 0 and 1."""
    found = []
    for part in text.split(","):
        try:
            p = float(part)
        except ValueError:
            p = math.nan
        if not 0.0 < p < 1.0:
            raise RequestError(f"a quantile lies between 0 and 1, such as 0.9, and '{part.strip()}' does not")
        found.append(p)
    return found


def check_probabilities(probabilities: Sequence[float]) -> None:
    for p in probabilities:
        if not 0.0 < p < 1.0:
            raise RequestError(f"a quantile lies between 0 and 1, such as 0.9, and '{p}' does not")


def quantile_rows(values: RunValues, probabilities: Sequence[float], confidence: float = 0.95) -> list[QuantileRow]:
    check_confidence(confidence)
    refuse_pairs(values.paired, "quantiles")
    return [
        _quantile_row(scenario, metric, own, p, confidence, copies=scenario in values.copies)
        for scenario, metric, own in _columns(values)
        for p in probabilities
    ]


def _columns(values: RunValues) -> Iterator[tuple[str, str, NDArray[np.float64]]]:
    for scenario, metrics in values.by_scenario.items():
        for metric, own in metrics.items():
            yield scenario, metric, own[np.isfinite(own)]


def _quantile_row(
    scenario: str, metric: str, finite: NDArray[np.float64], p: float, confidence: float, *, copies: bool
) -> QuantileRow:
    n = len(finite)
    found = None if copies else quantile_interval(finite, p, confidence)
    if found is not None:
        return QuantileRow(
            scenario, metric, p, n, found.estimate, found.lower, found.upper,
            found.lower_rank, found.upper_rank, found.coverage, "",
        )  # fmt: skip
    why = "replications are copies" if copies else f"none exists at {100 * confidence:.6g} % for {n} values"
    return QuantileRow(scenario, metric, p, n, quantiles(finite, [p])[0], None, None, None, None, None, why)


@dataclass(frozen=True, slots=True)
class ProportionRow:
    """The share of replications in which a 0/1 metric was 1: Wilson's interval, and Clopper and Pearson's exact one."""

    scenario: str
    metric: str
    n: int
    ones: int
    share: float
    wilson_lower: float | None
    wilson_upper: float | None
    exact_lower: float | None
    exact_upper: float | None
    note: str


def proportion_rows(values: RunValues, metrics: Sequence[str] = (), confidence: float = 0.95) -> list[ProportionRow]:
    """A row for each metric that is a boolean, and for `metrics`: counts that are 0 or 1 in every replication.

    Raises RequestError for a metric that is not there, or holds anything else.
    """
    check_confidence(confidence)
    refuse_pairs(values.paired, "intervals of proportions")
    for metric in metrics:
        values.of_metric(metric)
    columns = [column for column in _columns(values) if len(column[2]) and column[1] in {*values.booleans, *metrics}]
    for scenario, metric, own in columns:
        others = own[(own != 0.0) & (own != 1.0)]
        if len(others):
            raise RequestError(f"'{metric}' is no proportion: it is {others[0]:g} in a replication of {scenario}")
    return [
        _proportion_row(scenario, metric, own, confidence, copies=scenario in values.copies)
        for scenario, metric, own in columns
    ]


def _proportion_row(
    scenario: str, metric: str, own: NDArray[np.float64], confidence: float, *, copies: bool
) -> ProportionRow:
    n, ones = len(own), int(own.sum())
    if copies:
        return ProportionRow(scenario, metric, n, ones, ones / n, None, None, None, None, "replications are copies")
    wilson, exact = wilson_interval(ones, n, confidence), exact_interval(ones, n, confidence)
    assert wilson is not None  # there are values, so both exist
    assert exact is not None
    return ProportionRow(scenario, metric, n, ones, ones / n, *wilson, *exact, "")
