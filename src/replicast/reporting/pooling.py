"""A run's ratios of metrics, and statistics of a table's rows over all replications together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from replicast.core.distributions import check_confidence, t_critical
from replicast.core.errors import RequestError, nearest
from replicast.core.pooled import Pooled, parse_statistic, pooled
from replicast.core.ports import Store
from replicast.core.ratios import is_constant, ratio_of
from replicast.core.record import RunRecord

from .comparing import RunValues
from .pairing import pairs_of
from .summary import count_distinct
from .tables import RunTables


@dataclass(frozen=True, slots=True)
class RatioRow:
    """The ratio of two metrics' means. `ci_lower` and `ci_upper` are the jackknife's, about `jackknife`.

    `mean_of_ratios` is another quantity: each replication's own ratio, averaged.
    """

    scenario: str
    ratio: str
    n: int
    estimate: float | None
    jackknife: float | None
    se: float | None
    ci_lower: float | None
    ci_upper: float | None
    half_width: float | None
    delta_lower: float | None
    delta_upper: float | None
    bootstrap_lower: float | None
    bootstrap_upper: float | None
    mean_of_ratios: float | None
    note: str


def ratio_rows(values: RunValues, text: str, *, seed: int, confidence: float = 0.95) -> list[RatioRow]:
    """Of `A/B`, two metrics, in each scenario. Raises RequestError for anything else."""
    check_confidence(confidence)
    top, bottom = _two_metrics(values, text)
    rows = []
    for scenario, own in values.by_scenario.items():
        if top in own and bottom in own:
            both = np.isfinite(own[top]) & np.isfinite(own[bottom])
            pair = own[top][both], own[bottom][both]
            rows.append(_ratio_row(scenario, text, *pair, seed, confidence, copies=scenario in values.copies))
    return rows


def _two_metrics(values: RunValues, text: str) -> tuple[str, str]:
    known = values.metrics()
    for place in (i for i, letter in enumerate(text) if letter == "/"):
        if text[:place] in known and text[place + 1 :] in known:
            return text[:place], text[place + 1 :]
    names = text.split("/")
    if len(names) != 2:
        raise RequestError(f"a ratio is METRIC/METRIC, and '{text}' is not")
    unknown = next(name for name in names if name not in known)
    raise RequestError(f"no metric is called '{unknown}'{nearest(unknown, known)}")


def _ratio_row(
    scenario: str, text: str, top: NDArray[np.float64], bottom: NDArray[np.float64], seed: int, confidence: float,
    *, copies: bool,
) -> RatioRow:  # fmt: skip
    ratios = top[bottom != 0.0] / bottom[bottom != 0.0]
    own = float(ratios.mean()) if len(ratios) else None
    found = None if copies else ratio_of(top, bottom, seed=seed, confidence=confidence)
    total = float(bottom.sum())
    if found is None:
        why = "fewer than two replications, or nothing to divide by"
        if copies or is_constant(top, bottom):
            why = "replications are copies" if copies else SAME
        estimate = float(top.sum()) / total if total else None
        return RatioRow(scenario, text, len(top), estimate, *(None,) * 9, own, why)
    notes = [] if len(ratios) == len(top) else [f"{len(top) - len(ratios)} have 0 below: not in the mean of ratios"]
    below = bottom / np.abs(bottom).max()
    if abs(below.mean()) <= t_critical(confidence, found.n - 1) * below.std(ddof=1) / math.sqrt(found.n):
        notes.append("what is divided by may have the mean 0: no interval can be relied on")
    return RatioRow(
        scenario, text, found.n, found.estimate, found.jackknife, found.se, *found.interval,
        0.5 * (found.interval[1] - found.interval[0]), *found.delta, *found.bootstrap, own, "; ".join(notes),
    )  # fmt: skip


SAME = "the same in all replications: no interval"


@dataclass(frozen=True, slots=True)
class PooledRow:
    """A statistic of all rows together. The interval is the jackknife's (mean) or Woodruff's (quantile).

    `mean_of_replications` is another quantity: each replication's own statistic, averaged.
    """

    scenario: str
    table: str
    column: str
    statistic: str
    replications: int
    rows: int
    estimate: float | None
    ci_lower: float | None
    ci_upper: float | None
    bootstrap_lower: float | None
    bootstrap_upper: float | None
    mean_of_replications: float | None
    note: str


def pooled_rows(store: Store, record: RunRecord, text: str, *, confidence: float = 0.95) -> list[PooledRow]:
    """Of `TABLE.COLUMN:STATISTIC` in each scenario. Raises RequestError for what is not there, or no number."""
    check_confidence(confidence)
    tables = RunTables(store, record)
    table, column, statistic = _parse_pooled(tables, text)
    p = parse_statistic(statistic)
    rows = []
    for scenario in (s.name for s in record.experiment.scenarios):
        replication, value = _column(tables, table, column, scenario)
        if record.experiment.streams.antithetic:
            replication, value = _by_pair(store, record, tables, scenario, replication, value)
        known = np.isfinite(value)
        label = (scenario, table, column, statistic)
        left_out = int((~known).sum())
        note = f"{left_out} rows are missing, NaN or infinite" if left_out else ""
        if not known.any():
            rows.append(PooledRow(*label, 0, 0, *(None,) * 6, note or "no rows"))
            continue
        found = pooled(replication[known], value[known], p, seed=record.experiment.seed, confidence=confidence)
        copies = count_distinct(store, record.id, scenario, record.planned.get(scenario, math.inf)).found
        rows.append(_pooled_row(label, found, "replications are copies" if copies else note, copies=copies))
    return rows


def _pooled_row(label: tuple[str, str, str, str], found: Pooled, note: str, *, copies: bool) -> PooledRow:
    none: tuple[float | None, float | None] = (None, None)
    interval = none if copies or found.interval is None else found.interval
    bootstrap = none if copies or found.bootstrap is None else found.bootstrap
    own = found.mean_of_replications if math.isfinite(found.mean_of_replications) else None
    if found.n > 1 and not copies and found.interval is found.bootstrap is None:
        note = "; ".join(filter(None, (note, SAME)))
    return PooledRow(*label, found.n, found.rows, found.estimate, *interval, *bootstrap, own, note)


def _parse_pooled(tables: RunTables, text: str) -> tuple[str, str, str]:
    place, separator, statistic = text.rpartition(":")
    known = [name for name in tables.names if name != "metrics"]
    for table in known:
        if separator and place.startswith(f"{table}."):
            column, schema = place.removeprefix(f"{table}."), tables.unified(table).schema
            if column not in schema:
                raise RequestError(f"table '{table}' has no column '{column}'{nearest(column, schema)}")
            if not (schema[column].is_numeric() or schema[column] == pl.Boolean()):
                raise RequestError(f"column '{column}' of table '{table}' holds no numbers")
            return table, column, statistic
    if not separator or "." not in place:
        raise RequestError(f"a pooled statistic is TABLE.COLUMN:mean or TABLE.COLUMN:p95, and '{text}' is neither")
    wanted = place.partition(".")[0]
    raise RequestError(f"the run has no table '{wanted}'{nearest(wanted, known)}")


def _by_pair(
    store: Store, record: RunRecord, tables: RunTables, scenario: str, replication: NDArray[np.int64],
    value: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:  # fmt: skip
    """The rows of whole pairs, each under its pair's number: an antithetic pair is one unit."""
    pair = (replication - 1) // 2
    kept = pairs_of(store, record, scenario, tables.source).whole[pair]
    return pair[kept], value[kept]


def _column(tables: RunTables, table: str, column: str, scenario: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    numbers, values = [np.empty(0, dtype=np.int64)], [np.empty(0)]
    for chunk in tables.chunks(table, [scenario]):
        numbers.append(chunk["replication"].to_numpy())
        values.append(chunk[column].cast(pl.Float64).fill_null(np.nan).to_numpy())
    return np.concatenate(numbers), np.concatenate(values)
