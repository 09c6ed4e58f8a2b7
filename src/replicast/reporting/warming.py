"""How long a run's model warms up, judged from a table that its replications returned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from replicast.core.errors import RequestError, nearest
from replicast.core.ports import Store
from replicast.core.ratios import LARGEST
from replicast.core.record import RunRecord
from replicast.core.series import Series, series_by_order, series_by_time
from replicast.core.spoken import counted
from replicast.core.warm_up import Effect, Truncation, effect, moving_average, recommend

from .tables import RunTables

STEPS = 200


@dataclass(frozen=True, slots=True)
class WarmUp:
    """One scenario's series, what to leave out of it, and what that does. `window` is Welch's, in steps."""

    scenario: str
    series: Series
    averages: NDArray[np.float64]
    smooth: NDArray[np.float64]
    window: int
    truncation: Truncation
    effect: Effect

    @property
    def time(self) -> float:
        """Where the warm-up ends: in the unit of time, or as a number of observations."""
        return self.series.time(self.truncation.columns)

    @property
    def share(self) -> float:
        return self.truncation.columns / self.truncation.length


@dataclass(slots=True)
class WarmUps:
    """Of each scenario that was asked about. `time` is empty where observations were counted instead."""

    table: str
    time: str
    value: str
    found: list[WarmUp] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_warm_up(
    store: Store,
    record: RunRecord,
    *,
    table: str,
    value: str,
    time: str | None = None,
    scenarios: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    held: bool = False,
    steps: int = STEPS,
    window: int | None = None,
    confidence: float = 0.95,
    first: int | None = None,
) -> WarmUps:
    """MSER-5 and Welch's curve of column `value` over column `time`, or over the order of rows without one.

    `where` keeps the rows in which columns have these values, written as text. `held`: a value holds until the next
    one, as the length of a queue does. `first` looks at so many replications alone. Raises RequestError for what is
    not there, or too short a series.
    """
    tables = RunTables(store, record)
    check_columns(tables, table, [value, *([time] if time else [])], where or {})
    if held and time is None:
        raise RequestError("a value is held over time, so say which column is the time")
    warm_ups = WarmUps(table, time or "", value)
    for scenario in [record.experiment.scenario(name).name for name in scenarios] or [
        s.name for s in record.experiment.scenarios
    ]:
        rows = rows_of(tables, table, scenario, where or {}, [value, *([time] if time else [])], first)
        warm_ups.found.append(_warm_up(scenario, rows, value, time, held, steps, window, confidence))
    warm_ups.notes += _notes(warm_ups)
    if record.experiment.streams.antithetic:
        warm_ups.notes.append("replications are antithetic pairs: these intervals take them for independent")
    return warm_ups


def check_columns(tables: RunTables, table: str, numbers: Sequence[str], where: Iterable[str]) -> None:
    """Raises RequestError for columns that are not there, and for `numbers` that are none."""
    schema = tables.unified(table).schema
    for column in (*numbers, *where):
        if column not in schema:
            raise RequestError(f"table '{table}' has no column '{column}'{nearest(column, schema)}")
    for column in numbers:
        if not (schema[column].is_numeric() or schema[column] == pl.Boolean()):
            raise RequestError(f"column '{column}' of table '{table}' holds no numbers")


def rows_of(
    tables: RunTables, table: str, scenario: str, where: Mapping[str, str], columns: Sequence[str],
    first: int | None = None,
) -> pl.DataFrame:  # fmt: skip
    """The columns that are needed, of the rows that are: read in chunks, so that no more is held."""
    kept = []
    for chunk in tables.chunks(table, [scenario]):
        wanted = chunk.filter([pl.col(name).cast(pl.String) == value for name, value in where.items()] or True)
        counted = wanted if first is None else wanted.filter(pl.col("replication") <= first)
        kept.append(
            counted.select("replication", *(pl.col(name).cast(pl.Float64).fill_null(np.nan) for name in columns))
        )
        if first is not None and int(chunk["replication"][-1]) > first:
            break
    frame = pl.concat(kept) if kept else pl.DataFrame()
    if frame.is_empty():
        narrowed = " where " + " and ".join(f"{k} is {v}" for k, v in where.items()) if where else ""
        raise RequestError(f"table '{table}' has no rows of scenario '{scenario}'{narrowed}")
    return frame


def _warm_up(
    scenario: str,
    rows: pl.DataFrame,
    value: str,
    time: str | None,
    held: bool,
    steps: int,
    window: int | None,
    confidence: float,
) -> WarmUp:
    replication, values = rows["replication"].to_numpy(), rows[value].to_numpy()
    if np.abs(values, where=np.isfinite(values), out=np.zeros(len(values))).max() > LARGEST:
        raise RequestError(f"column '{value}' holds values beyond {LARGEST:g}, whose squares no double holds: scale it")
    if time is None:
        series = series_by_order(replication, values)
    else:
        series = series_by_time(replication, rows[time].to_numpy(), values, steps=steps, held=held)
    averages = series.averages()
    width = max(1, len(averages) // 20) if window is None else window
    truncation = recommend(averages)
    moved = effect(series, truncation.columns, scenario=scenario, metric=value, confidence=confidence)
    return WarmUp(scenario, series, averages, moving_average(averages, width), width, truncation, moved)


def _notes_on_lengths(one: WarmUp, time: str) -> Iterator[str]:
    """That replications are of unequal length, which is the shortest, and whether it ends within the warm-up."""
    lengths = one.series.lengths
    if lengths is None or lengths.max() <= 1.05 * lengths.min():
        return
    shortest = int(lengths.argmin())
    unit = "rows" if not time else f"of {time}"
    yield (
        f"{one.scenario}: replications are of unequal length: replication {one.series.replications[shortest]} is the "
        f"shortest with {lengths.min():g} {unit}, the longest has {lengths.max():g}. The curve is of those that "
        "are still there, as far as more than half of them go; each mean goes to the replication's own end"
    )
    ended = one.effect.whole.n - one.effect.truncated.n
    if ended > 0:
        yield f"{one.scenario}: {ended} replication{'s' * (ended > 1)} ended within the warm-up: not in the mean behind"


def _notes(warm_ups: WarmUps) -> list[str]:
    notes = [f"{one.scenario}: {one.truncation.warning}" for one in warm_ups.found if one.truncation.warning]
    notes += [note for one in warm_ups.found for note in _notes_on_lengths(one, warm_ups.time)]
    few = {one.scenario: len(one.series.replications) for one in warm_ups.found if len(one.series.replications) < 5}
    notes += [f"{name}: an average over {counted(n, 'replication')} is rough; run 5 or more" for name, n in few.items()]
    if len(warm_ups.found) > 1 and any(one.truncation.columns for one in warm_ups.found):
        longest = max(warm_ups.found, key=lambda one: one.time)
        notes.append(
            f"scenarios that are to be compared leave out the same: the longest, {longest.time:g} of {longest.scenario}"
        )
    return notes
