"""What a report says of a design: responses to parameters, which of them matter most, and which metrics go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replicast.core.distributions import t_critical
from replicast.core.experiment import Experiment
from replicast.core.statistics import SummaryRow

from .blocks import Block, Figure, Grid, Paragraph, Picture
from .charts import Interval, interval_plot
from .comparing import RunValues
from .drawing import short
from .findings import Findings
from .response_plot import is_number, ranged_parameters, response_plot, varied_parameters

MOST_CORRELATED = 12
FEWEST_PAIRS = 5


@dataclass(frozen=True, slots=True)
class Swing:
    """How far a metric moves as one parameter goes from its lowest to its highest value, the others held."""

    parameter: str
    low: float
    high: float
    change: float
    half_width: float | None


def response_figures(
    experiment: Experiment, rows: Sequence[SummaryRow], metric: str, name: str, level: str
) -> Iterator[Block]:
    ranged, varied = ranged_parameters(experiment), varied_parameters(experiment)
    swings, share = swings_of(experiment, rows)
    if ranged:
        pictures = []
        for place, (parameter, places) in enumerate(ranged.items(), 1):
            second = _second(parameter, varied, swings)
            by = (second, varied[second]) if second else None
            pictures.append(Picture(f"{name}-response-{place}", response_plot(rows, parameter, places, metric, by)))
        others = "; its colour is a second parameter, and all others differ too" if len(varied) > 1 else ""
        yield Figure(pictures, f"Each dot is a scenario's mean, with its {level} interval{others}.")
    if len(swings) > 1:
        yield _tornado(swings, share, metric, name, level)


def _second(first: str, varied: Mapping[str, Mapping[str, object]], swings: Sequence[Swing]) -> str:
    """The other parameter that moves the metric most, or the next one, where none can be reckoned."""
    ranked = [swing.parameter for swing in swings] + list(varied)
    return next((name for name in ranked if name != first), "")


def swings_of(experiment: Experiment, rows: Sequence[SummaryRow]) -> tuple[list[Swing], float]:
    """By least squares over the scenarios' means, the largest first; and the share of their variance it explains.

    Of parameters that are numbers in every scenario; none where there are too few scenarios to tell, or where one
    parameter follows from others. Intervals are those of the fit, at the rows' own confidence.
    """
    means = {row.scenario: row.mean for row in rows if row.mean is not None and abs(row.mean) < 1e150}
    numbers = {
        name: [float(values[s]) for s in means]
        for name, values in varied_parameters(experiment).items()
        if all(is_number(value) for value in values.values())
    }
    numbers = {name: values for name, values in numbers.items() if len(set(values)) > 1}
    spare = len(means) - len(numbers) - 1
    if not numbers or spare < 1:
        return [], 0.0
    y = np.array([float(value) for value in means.values() if value is not None])
    scaled = [(np.array(v) - min(v)) / (max(v) - min(v)) for v in numbers.values()]
    x = np.column_stack([np.ones(len(y)), *scaled])
    if np.linalg.matrix_rank(x) < x.shape[1]:
        return [], 0.0
    fit = np.linalg.lstsq(x, y, rcond=None)[0]
    left, around = float(((y - x @ fit) ** 2).sum()), float(((y - y.mean()) ** 2).sum())
    if around == 0.0:
        return [], 0.0
    errors = np.sqrt(np.diag(np.linalg.inv(x.T @ x)) * left / spare)
    reach = t_critical(rows[0].confidence, spare)
    found = [
        Swing(name, min(values), max(values), float(fit[k]), reach * float(errors[k]))
        for k, (name, values) in enumerate(numbers.items(), 1)
    ]
    return sorted(found, key=lambda swing: -abs(swing.change)), 1.0 - left / around


def _tornado(swings: Sequence[Swing], share: float, metric: str, name: str, level: str) -> Figure:
    intervals = [
        Interval(
            f"{one.parameter}: {short(one.low)} to {short(one.high)}", one.change,
            None if one.half_width is None else one.change - one.half_width,
            None if one.half_width is None else one.change + one.half_width,
        ) for one in swings
    ]  # fmt: skip
    plot = interval_plot(intervals, f"What moves {metric} most", f"change of {metric}", zero=True, bars=True)
    caption = (
        f"How far {metric} moves as each parameter goes from its lowest value to its highest, by a plane through the "
        f"scenarios' means that explains {100 * max(share, 0.0):.0f} % of their variance; {level} intervals of the fit."
    )
    return Figure([Picture(f"{name}-tornado", plot)], caption + " Read it with care where that share is low.")


def correlations(found: Findings) -> Iterator[Block]:
    """Of the first metrics with one another, over replications, within scenarios."""
    names, matrix = correlation_matrix(found.values)
    if len(names) < 2:
        return
    yield Paragraph(
        "How metrics go together from replication to replication, within scenarios (Pearson's r of deviations from "
        "each scenario's mean). Metrics near 1 or −1 say nearly the same, and are not independent evidence."
    )
    rows = [[name, *("" if np.isnan(r) else short(round(float(r), 2), 2) for r in own)]
            for name, own in zip(names, matrix, strict=True)]  # fmt: skip
    more = f", the first {MOST_CORRELATED}" if len(found.values.metrics()) > MOST_CORRELATED else ""
    yield Grid(f"Correlation of metrics{more}", ["metric", *names], rows)


def correlation_matrix(values: RunValues) -> tuple[list[str], NDArray[np.float64]]:
    """Of metrics that vary, at most MOST_CORRELATED; NaN for two that have fewer than FEWEST_PAIRS values together."""
    centred = {name: _centred(values, name) for name in values.metrics()[:MOST_CORRELATED]}
    names = [name for name, own in centred.items() if np.isfinite(own).any() and np.nanmax(np.abs(own)) > 0.0]
    matrix = np.full((len(names), len(names)), np.nan)
    for i, first in enumerate(names):
        for j, second in enumerate(names[: i + 1]):
            matrix[i, j] = matrix[j, i] = 1.0 if i == j else _correlation(centred[first], centred[second])
    return names, matrix


def _centred(values: RunValues, metric: str) -> NDArray[np.float64]:
    """Deviations from each scenario's mean, by scenario and replication, in one unit so that none is too large."""
    pieces = []
    for own in values.by_scenario.values():
        length = max((len(one) for one in own.values()), default=0)
        value = own.get(metric, np.full(length, np.nan))
        kept = np.full(length, np.nan)
        kept[: len(value)] = np.where(np.isfinite(value) & (np.abs(value) < 1e150), value, np.nan)
        pieces.append(kept - np.nanmean(kept) if np.isfinite(kept).any() else kept)
    return np.concatenate(pieces) if pieces else np.zeros(0)


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    both = np.isfinite(first) & np.isfinite(second)
    a, b = first[both], second[both]
    if len(a) < FEWEST_PAIRS or not a.any() or not b.any():
        return float("nan")
    a, b = a / np.abs(a).max(), b / np.abs(b).max()
    return float(np.clip((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()), -1.0, 1.0))
