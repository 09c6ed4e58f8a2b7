"""A report's pictures of tables that have a time: Welch's plot, and the series with its spread over replications."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from replicast.core.errors import RequestError

from .blocks import Block, Figure, Paragraph, Part, Picture
from .drawing import WIDTH, Scale, area, bottom_axis, curve, figure, left_axis, short, text
from .findings import Findings
from .report_results import file_name
from .tables import METRICS
from .warming import WarmUp, WarmUps, find_warm_up
from .welch_plot import describe, welch_plot

TIMES = ("time", "start_time", "t", "now", "clock", "minute", "hour", "day", "week", "month", "year", "end_time")
HELD = ("queue", "server", "system", "in_queue", "in_system", "in_use", "queue_length", "occupancy", "beds_occupied")
"""Names of columns whose value holds until the next row, as simmer's `resources` have."""
NOT_SERIES = ("id", "index", "replication", "scenario", "name", "capacity", "queue_size", "limit", "finished")
MOST_TABLES, MOST_VALUES, MOST_SCENARIOS, MOST_REPLICATIONS = 3, 2, 3, 200
NAMING, MOST_GROUPS = ("resource", "key", "variable"), 3
SHOWN_REPLICATIONS, MOST_POINTS = 3, 200
HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 230.0, 76.0, WIDTH - 16.0, 34.0, 186.0


def series(found: Findings) -> Iterator[Block]:
    """A part for each table that has a column of time, as far as it is not too much."""
    own = [name for name in found.tables.names if name not in (METRICS, found.tables.source.table)]
    timed = [(name, time, values) for name in own for time, values in [_columns(found, name)] if time and values]
    for place, (table, time, values) in enumerate(timed[:MOST_TABLES], 1):
        inside = [
            block for where in _groups(found, table) for value in values[:MOST_VALUES]
            for block in _of_value(found, table, time, value, where)
        ]  # fmt: skip
        if inside:
            yield Part(f"series-{place}", table, inside)
    if len(timed) > MOST_TABLES:
        yield Paragraph(f"The first {MOST_TABLES} of {len(timed)} tables over time; more by: replicast warmup")


def _columns(found: Findings, table: str) -> tuple[str, list[str]]:
    """The column of time, by its name, and the columns of numbers beside it."""
    schema = {name: kind for name, kind in found.tables.unified(table).schema.items() if kind.is_numeric()}
    time = next((name for known in TIMES for name in schema if name.lower() == known), "")
    return time, [name for name in schema if name.lower() not in (*TIMES, *NOT_SERIES)]


def _groups(found: Findings, table: str) -> list[dict[str, str]]:
    """One group of all rows; or the first of those that a column of names tells apart, as simmer's `resource`."""
    column = next((name for name in NAMING if name in found.tables.unified(table).schema), "")
    if not column:
        return [{}]
    first = next(found.tables.chunks(table, found.scenarios[:1]), None)
    names = [] if first is None else first[column].drop_nulls().cast(pl.String).unique(maintain_order=True).to_list()
    return [{column: name} for name in names[:MOST_GROUPS]]


def _of_value(found: Findings, table: str, time: str, value: str, where: Mapping[str, str]) -> Iterator[Block]:
    warm_ups, pictures, spread = WarmUps(table, time, value), [], []
    name, shown = file_name("-".join([table, value, *where.values()])), " of ".join([value, *where.values()])
    for place, scenario in enumerate(found.scenarios[:MOST_SCENARIOS], 1):
        try:
            own = find_warm_up(
                found.tables.store, found.record, table=table, value=value, time=time, scenarios=[scenario],
                where=where, held=value.lower() in HELD, confidence=found.confidence, first=MOST_REPLICATIONS,
            ).found[0]  # fmt: skip
        except RequestError:  # too short a series, or no rows in this scenario: nothing to draw
            continue
        warm_ups.found.append(own)
        pictures.append(Picture(f"{name}-welch-{place}", welch_plot(own, shown, time)))
        spread.append(Picture(f"{name}-series-{place}", series_plot(own, shown, time)))
    if not pictures:
        return
    more = f" The first {MOST_SCENARIOS} scenarios." if len(found.scenarios) > MOST_SCENARIOS else ""
    if found.done > MOST_REPLICATIONS * len(found.scenarios):
        more += f" Of the first {MOST_REPLICATIONS} replications."
    yield Figure(
        spread, f"{shown} over {time}: mean of replications, the middle 80 % of them, and the first few.{more}"
    )
    said = dict.fromkeys(f"{one.scenario}: {describe(one, shown, time)}" for one in warm_ups.found)
    yield Figure(pictures, f"Welch's plot: does {shown} start as it goes on? {' '.join(said)}{more}")


def series_plot(one: WarmUp, value: str, time: str) -> str:
    """Steps of time from left to right: where the middle 80 % of replications are, their mean, and some of them."""
    values = one.series.values
    places = np.unique(np.linspace(0, values.shape[1] - 1, min(values.shape[1], MOST_POINTS)).astype(int))
    places = places[np.isfinite(values[:, places]).any(axis=0)]
    low, high = np.nanpercentile(values[:, places], [10, 90], axis=0)
    mean, single = np.nanmean(values[:, places], axis=0), values[:SHOWN_REPLICATIONS][:, places]
    x = Scale(one.series.time(0), one.series.time(values.shape[1]), LEFT, RIGHT)
    y = Scale.over([*low.tolist(), *high.tolist(), *mean.tolist(), *single[np.isfinite(single)].tolist()], BOTTOM, TOP)
    across = [x.at(one.series.time(int(i))) for i in places]
    marks = [
        area(_points(across, high, y), _points(across, low, y), "band"),
        *bottom_axis(x, TOP, BOTTOM, time),
        *left_axis(y, LEFT, RIGHT),
        *(curve(_points(across, own, y), "thin") for own in single),
        curve(_points(across, mean, y), "line"),
        text(LEFT, 18, f"{one.scenario}: {value}", longest=90),
    ]
    last = f"{value} at the end: mean {short(float(mean[-1]))}, middle 80 % {short(float(low[-1]))} to "
    return figure(f"{value} over {time} in {one.scenario}", f"{last}{short(float(high[-1]))}.", HEIGHT, marks)


def _points(across: Sequence[float], values: object, y: Scale) -> list[tuple[float, float]]:
    pairs = zip(across, np.asarray(values, dtype=float).tolist(), strict=True)
    return [(place, y.inside(value)) for place, value in pairs if np.isfinite(value)]
