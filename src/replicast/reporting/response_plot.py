"""How a metric answers to a parameter, over the scenarios of a design."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from replicast.core.experiment import Experiment
from replicast.core.statistics import SummaryRow

from .drawing import WIDTH, Scale, bottom_axis, curve, dot, figure, left_axis, line, short, text
from .scenarios import as_text

FEWEST_VALUES = 3
MOST_PARAMETERS = 6
MOST_COLOURS = 6
TOP, BOTTOM, LEFT, RIGHT = 46.0, 254.0, 76.0, WIDTH - 16.0


def varied_parameters(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """Parameters given in every scenario that are not the same in all, with their value in each."""
    found = {}
    for name in dict.fromkeys(key for scenario in experiment.scenarios for key in scenario.parameters):
        values = {s.name: s.parameters[name] for s in experiment.scenarios if name in s.parameters}
        if len(values) == len(experiment.scenarios) and len(set(map(as_text, values.values()))) > 1:
            found[name] = values
    return found


def ranged_parameters(experiment: Experiment) -> dict[str, dict[str, float]]:
    """Those of them that are numbers in every scenario and take FEWEST_VALUES or more."""
    found = {}
    for name, values in varied_parameters(experiment).items():
        numbers = {key: float(value) for key, value in values.items() if is_number(value)}
        if len(numbers) == len(values) and len(set(numbers.values())) >= FEWEST_VALUES:
            found[name] = numbers
    return dict(list(found.items())[:MOST_PARAMETERS])


def is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def colours_by(values: Mapping[str, Any]) -> tuple[dict[str, int], list[str]]:
    """Each scenario's colour by its value of a parameter, and what each colour stands for.

    Up to MOST_COLOURS values have one each; numbers that take more share the colours of as many equal ranges.
    """
    kinds = sorted(set(values.values()), key=lambda v: (str(type(v)), v)) if _sortable(values) else []
    kinds = kinds or list(dict.fromkeys(map(as_text, values.values())))
    if len(kinds) <= MOST_COLOURS:
        return {name: kinds.index(v if _sortable(values) else as_text(v)) for name, v in values.items()}, [
            as_text(kind) for kind in kinds
        ]
    if not all(is_number(value) for value in values.values()):
        return {}, []
    low, high = float(min(kinds)), float(max(kinds))
    step = (high - low) / MOST_COLOURS
    named = [f"{short(low + k * step, 3)} to {short(low + (k + 1) * step, 3)}" for k in range(MOST_COLOURS)]
    return {name: min(int((float(v) - low) / step), MOST_COLOURS - 1) for name, v in values.items()}, named


def _sortable(values: Mapping[str, Any]) -> bool:
    return all(is_number(value) for value in values.values())


def response_plot(
    rows: Sequence[SummaryRow], parameter: str, places: Mapping[str, float], metric: str,
    by: tuple[str, Mapping[str, Any]] | None = None,
) -> str:  # fmt: skip
    """A dot for each scenario's mean over its parameter's value, with a thin line for its interval.

    `by` colours the dots by a second parameter, given as its name and its value in each scenario.
    """
    shown = [(places[row.scenario], row) for row in rows if row.mean is not None]
    colours, named = colours_by(by[1]) if by else ({}, [])
    x = Scale.over([place for place, _ in shown], LEFT, RIGHT)
    ends = [end for _, row in shown for end in (row.mean, row.ci_lower, row.ci_upper) if end is not None]
    y = Scale.over(ends, BOTTOM, TOP)
    title = f"{metric} over {parameter}" + (f", by {by[0]}" if by and named else "")
    marks = [*bottom_axis(x, TOP, BOTTOM, parameter), *left_axis(y, LEFT, RIGHT), text(LEFT, 18, title)]
    marks += _legend(named)
    marks += _joined(shown, colours, x, y)
    for place, row in shown:
        if row.ci_lower is not None and row.ci_upper is not None:
            marks.append(line(x.at(place), y.at(row.ci_lower), x.at(place), y.at(row.ci_upper), "thin"))
    for place, row in shown:
        assert row.mean is not None  # rows without one are not shown
        kind = f"dot c{colours[row.scenario]}" if row.scenario in colours else "dot"
        marks.append(dot(x.at(place), y.at(row.mean), 4, kind, said(row)))
    about = f"{len(shown)} scenarios; each dot is the mean of {metric} at one value of {parameter}."
    return figure(f"{metric} over {parameter}", about, BOTTOM + 44, marks)


def said(row: SummaryRow) -> str:
    """A row's estimate in words, as the tooltip of its mark."""
    bounds = (
        "" if row.ci_lower is None or row.ci_upper is None else f" ({short(row.ci_lower)} to {short(row.ci_upper)})"
    )
    return f"{row.scenario}: {short(row.mean or 0.0)}{bounds}, n = {row.n:,}"


def _legend(named: Sequence[str]) -> list[str]:
    marks, x = [], LEFT
    for place, name in enumerate(named):
        marks += [dot(x + 5, 32, 4, f"dot c{place}"), text(x + 14, 36, name, kind="quiet", longest=18)]
        x += 30 + 7.2 * min(len(name), 18)
    return marks


def _joined(
    shown: Sequence[tuple[float, SummaryRow]], colours: Mapping[str, int], x: Scale, y: Scale
) -> list[str]:  # fmt: skip
    """A line for each colour that has one mean at each place, as in a full factorial design."""
    groups: dict[int, list[tuple[float, SummaryRow]]] = {}
    for place, row in shown:
        if row.scenario in colours:
            groups.setdefault(colours[row.scenario], []).append((place, row))
    if any(len({place for place, _ in own}) < len(own) for own in groups.values()):
        return []
    return [
        curve(
            [(x.at(place), y.at(row.mean or 0.0)) for place, row in sorted(own, key=lambda one: one[0])], f"line c{k}"
        )
        for k, own in groups.items()
        if len(own) > 1
    ]
