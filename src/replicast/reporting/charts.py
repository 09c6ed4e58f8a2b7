"""The report's pictures of one metric: intervals by scenario, distributions, and how the mean settled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from replicast.core.distributions import t_critical
from replicast.core.statistics import SummaryRow

from .drawing import (
    WIDTH,
    Scale,
    area,
    bottom_axis,
    box,
    curve,
    dot,
    figure,
    left_axis,
    length_of,
    line,
    short,
    text,
    without_middle,
)

LABELS, RIGHT = 210.0, WIDTH - 96.0
"""Where scales begin, if labels leave them so much, and end."""
LONGEST_LABEL = 30
ROW = 26.0
MOST_ROWS = 40
MOST_PANELS = 12
MOST_POINTS = 160


@dataclass(frozen=True, slots=True)
class Interval:
    """A labelled estimate; without bounds it is drawn as a dot alone."""

    label: str
    estimate: float | None
    lower: float | None
    upper: float | None


def interval_plot(
    intervals: Sequence[Interval], title: str, axis: str, *, zero: bool = False, bars: bool = False
) -> str:
    """A row an interval, on one scale; with `zero`, a line where there is no difference, with `bars` a bar from it."""
    shown = [one for one in intervals if one.estimate is not None][:MOST_ROWS]
    ends = [x for one in shown for x in (one.estimate, one.lower, one.upper) if x is not None]
    x = Scale.over([*ends, *([0.0] if zero else [])], behind([one.label for one in shown]), RIGHT)
    top, bottom = 8.0, 8.0 + ROW * max(len(shown), 1)
    marks = bottom_axis(x, top, bottom, axis)
    if zero:
        marks.append(line(x.at(0.0), top, x.at(0.0), bottom, "mark"))
    for place, one in enumerate(shown):
        y = top + ROW * (place + 0.5)
        if bars:
            marks.append(box(x.at(0.0), y - 8, x.at(one.estimate or 0.0), y + 8, "fill"))
        marks += _interval_row(one, x, y)
    said = "; ".join(_say(one) for one in shown)
    return figure(title, said or "nothing to show", bottom + 44, marks)


def behind(labels: Sequence[str]) -> float:
    """Where a scale begins beside these labels."""
    return max([LABELS, *(length_of(without_middle(label, LONGEST_LABEL)) + 16.0 for label in labels)])


def _interval_row(one: Interval, x: Scale, y: float) -> list[str]:
    assert one.estimate is not None  # rows without one are not drawn
    marks = [text(x.start - 12, y + 4, one.label, "end", longest=LONGEST_LABEL)]
    if one.lower is not None and one.upper is not None:
        marks.append(line(x.at(one.lower), y, x.at(one.upper), y, "whisker", _say(one)))
    marks.append(dot(x.at(one.estimate), y, tip=_say(one)))
    marks.append(text(RIGHT + 10, y + 4, short(one.estimate), "start", "quiet"))
    return marks


def _say(one: Interval) -> str:
    bounds = "no interval" if one.lower is None or one.upper is None else f"{short(one.lower)} to {short(one.upper)}"
    return f"{one.label}: {short(one.estimate or 0.0)}, {bounds}"


def distribution_plot(rows: Sequence[SummaryRow], values: Mapping[str, NDArray[np.float64]], metric: str) -> str:
    """A histogram for each scenario, all on one scale, with the mean and its interval below the bars."""
    shown = [row for row in rows if row.mean is not None][:MOST_PANELS]
    finite = {row.scenario: own[np.isfinite(own)] for row in shown if (own := values.get(row.scenario)) is not None}
    edges = bin_edges(list(finite.values()))
    counts = {name: np.histogram(own, edges)[0] for name, own in finite.items()}
    x = Scale(float(edges[0]), float(edges[-1]), behind([row.scenario for row in shown]), RIGHT)
    top, height = 8.0, 64.0
    bottom = top + height * max(len(shown), 1)
    marks = bottom_axis(x, top, bottom, metric)
    for place, row in enumerate(shown):
        marks += _histogram(row, counts[row.scenario], edges, x, top + height * place, height)
    said = "; ".join(
        f"{row.scenario}: {row.n} values from {short(row.min or 0.0)} to {short(row.max or 0.0)}, "
        f"median {short(row.median or 0.0)}" for row in shown
    )  # fmt: skip
    return figure(f"Distribution of {metric} over replications", said or "nothing to show", bottom + 44, marks)


def bin_edges(samples: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Between 5 and 40 equal bins over all samples: the narrowest width that Freedman and Diaconis' rule gives one.

    Whole numbers of a small range have a bin each.
    """
    pooled = np.concatenate(samples) if samples else np.zeros(1)
    low, high = float(pooled.min()), float(pooled.max())
    half = max(0.5, 4.0 * math.ulp(max(abs(low), abs(high))))
    if high - low < half:
        return np.array([low - half, high + half])
    if half == 0.5 and high - low <= 40 and bool((pooled == np.rint(pooled)).all()):
        return np.arange(low - 0.5, high + 1.0)
    widths = [
        2.0 * float(np.subtract(*np.percentile(own, [75, 25]))) / len(own) ** (1 / 3) for own in samples if len(own)
    ]
    width = min((w for w in widths if w > 0.0), default=(high - low) / 10)
    count = min(max(math.ceil((high - low) / width), 5), 40)
    edges: NDArray[np.float64] = np.linspace(low, high, count + 1)
    return edges


def _histogram(
    row: SummaryRow, counts: NDArray[np.int64], edges: NDArray[np.float64], x: Scale, top: float, height: float
) -> list[str]:
    floor = top + height - 18
    tallest = max(int(counts.max()), 1)
    marks = [text(x.start - 12, floor - 10, row.scenario, "end", longest=LONGEST_LABEL)]
    for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            reach = (height - 26) * int(count) / tallest
            tip = f"{int(count):,} of {short(float(left))} to {short(float(right))}"
            marks.append(box(x.at(float(left)) + 0.5, floor - reach, x.at(float(right)) - 0.5, floor, "bar", tip))
    marks.append(line(x.start, floor, x.end, floor, "axis"))
    if row.ci_lower is not None and row.ci_upper is not None:
        marks.append(line(x.inside(row.ci_lower), floor + 7, x.inside(row.ci_upper), floor + 7, "whisker"))
    marks.append(dot(x.inside(row.mean or 0.0), floor + 7, 4))
    marks.append(text(RIGHT + 10, floor - 10, f"n = {row.n:,}", "start", "quiet"))
    return marks


@dataclass(frozen=True, slots=True)
class Running:
    """The mean of replications 1 to k and its interval's half-width (NaN where there is none), at some k."""

    numbers: NDArray[np.int64]
    means: NDArray[np.float64]
    half_widths: NDArray[np.float64]


def running_mean(values: NDArray[np.float64], confidence: float) -> Running:
    """By replication number; a replication without a finite value leaves it as it was. At most MOST_POINTS of them."""
    known = np.isfinite(values)
    n = np.cumsum(known)
    first = values[known][0] if known.any() else 0.0
    gaps = np.where(known, values - first, 0.0)
    unit = float(np.abs(gaps).max(initial=0.0)) or 1.0  # squares in units of the widest stay within a double
    gaps /= unit
    means = first + unit * np.cumsum(gaps) / np.maximum(n, 1)
    spread = np.maximum(np.cumsum(gaps * gaps) - np.cumsum(gaps) ** 2 / np.maximum(n, 1), 0.0)
    se = unit * np.sqrt(spread / np.maximum(n - 1, 1) / np.maximum(n, 1))
    places = np.unique(np.linspace(0, len(values) - 1, min(len(values), MOST_POINTS)).astype(int))
    places = places[n[places] > 0]
    wide = [_t(confidence, int(n[i]) - 1) * float(se[i]) if n[i] > 1 and spread[i] > 0 else math.nan for i in places]
    return Running(places + 1, means[places], np.array(wide))


@cache
def _t(confidence: float, df: int) -> float:
    return t_critical(confidence, df)


def convergence_plot(name: str, values: NDArray[np.float64], confidence: float, metric: str, *, copies: bool) -> str:
    """The running mean by replication number, with the band of its interval, drawn to the scale of its second half."""
    running = running_mean(values, confidence)
    if copies:
        running = Running(running.numbers, running.means, np.full(len(running.means), math.nan))
    late = running.numbers >= len(values) / 10
    steady = [*(running.means + running.half_widths)[late], *(running.means - running.half_widths)[late]]
    x = Scale(1.0, float(max(len(values), 2)), 76.0, WIDTH - 16.0)
    y = Scale.over([*steady, *running.means[late]], 158.0, 30.0)
    banded = np.isfinite(running.half_widths)
    numbers = [x.at(float(k)) for k in running.numbers[banded]]
    upper = [y.inside(v) for v in (running.means + running.half_widths)[banded]]
    lower = [y.inside(v) for v in (running.means - running.half_widths)[banded]]
    marks = [area(list(zip(numbers, upper, strict=True)), list(zip(numbers, lower, strict=True)), "band")]
    marks += [*bottom_axis(x, 30, 158, "replications"), *left_axis(y, 76, WIDTH - 16)]
    points = [(x.at(float(k)), y.inside(float(m))) for k, m in zip(running.numbers, running.means, strict=True)]
    marks += [curve(points, "line"), text(76, 18, name, longest=90)]
    last = f"after {len(values)} replications {short(float(running.means[-1]))}" if len(running.means) else "no value"
    return figure(f"Running mean of {metric} in {name}", f"The mean settles: {last}.", 202, marks)
