"""How a metric answers to a parameter, over the scenarios of a design."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from replicast.core.experiment import Experiment
from replicast.core.statistics import SummaryRow

from .drawing import WIDTH, Scale, bottom_axis, dot, figure, left_axis, line, text

FEWEST_VALUES = 5
MOST_PARAMETERS = 6
TOP, BOTTOM, LEFT, RIGHT = 30.0, 238.0, 76.0, WIDTH - 16.0


def ranged_parameters(experiment: Experiment) -> dict[str, dict[str, float]]:
    """Parameters that are numbers in every scenario and take FEWEST_VALUES or more, with their value in each."""
    found = {}
    for name in dict.fromkeys(key for scenario in experiment.scenarios for key in scenario.parameters):
        values = {scenario.name: scenario.parameters.get(name) for scenario in experiment.scenarios}
        numbers = {key: float(value) for key, value in values.items() if _is_number(value)}
        if len(numbers) == len(values) and len(set(numbers.values())) >= FEWEST_VALUES:
            found[name] = numbers
    return dict(list(found.items())[:MOST_PARAMETERS])


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def response_plot(rows: Sequence[SummaryRow], parameter: str, places: Mapping[str, float], metric: str) -> str:
    """A dot for each scenario's mean over its parameter's value, with a thin line for its interval."""
    shown = [(places[row.scenario], row) for row in rows if row.mean is not None]
    x = Scale.over([place for place, _ in shown], LEFT, RIGHT)
    ends = [end for _, row in shown for end in (row.mean, row.ci_lower, row.ci_upper) if end is not None]
    y = Scale.over(ends, BOTTOM, TOP)
    marks = [
        *bottom_axis(x, TOP, BOTTOM, parameter),
        *left_axis(y, LEFT, RIGHT),
        text(LEFT, 18, f"{metric} over {parameter}"),
    ]
    marks += [
        line(x.at(place), y.at(row.ci_lower), x.at(place), y.at(row.ci_upper), "thin")
        for place, row in shown
        if row.ci_lower is not None and row.ci_upper is not None
    ]
    marks += [dot(x.at(place), y.at(row.mean), 3.5) for place, row in shown if row.mean is not None]
    said = f"{len(shown)} scenarios; each dot is the mean of {metric} at one value of {parameter}."
    return figure(f"{metric} over {parameter}", said, BOTTOM + 44, marks)
