"""Performance of the estimators of a Monte Carlo study: a run whose replications return estimates."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from replicast.core.antithetic import refuse_pairs
from replicast.core.errors import RequestError, nearest
from replicast.core.performance import measures, parse_mcse, replications_for
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.core.scenarios import Scenario

from .tables import METRICS, RunTables

SEVERAL = "replications have several rows, taken for independent data sets: if they are methods, part them by a column"


@dataclass(frozen=True, slots=True)
class PerformanceRow:
    """One measure of one estimator. `missing` estimates were not finite: left out, and not missing at random.

    `needed` is how many replications would bring `mcse` to what was asked for. `note` says where replications have
    several rows each, which count as independent.
    """

    scenario: str
    by: str
    measure: str
    n: int
    missing: int
    true: float
    estimate: float
    mcse: float
    needed: int | None
    note: str = ""


def performance_rows(
    store: Store,
    record: RunRecord,
    *,
    estimate: str,
    true: float | str,
    se: str | None = None,
    df: str | None = None,
    by: str | None = None,
    table: str | None = None,
    mcse: str | None = None,
    confidence: float = 0.95,
) -> list[PerformanceRow]:
    """Of metrics or, with `table` or `by`, of a table's columns. `true` is a number, a parameter or a column.

    Raises RequestError for what is not there.
    """
    refuse_pairs(record.experiment.streams.antithetic, "Monte Carlo standard errors")
    wanted = parse_mcse(mcse) if mcse else {}
    tables = RunTables(store, record)
    source = _source(tables, estimate, table, by)
    schema = tables.unified(source).schema
    columns = [name for name in (estimate, se, df, by) if name is not None]
    truth_column = [true] if isinstance(true, str) and true in schema else []
    _check_columns(columns, schema, source)
    rows: list[PerformanceRow] = []
    for scenario in record.experiment.scenarios:
        chunks = [
            chunk.select(["replication", *columns, *truth_column]) for chunk in tables.chunks(source, [scenario.name])
        ]
        if not chunks:
            continue
        for label, own in _groups(pl.concat(chunks), by):
            truth = _truth(true, own, scenario)
            values = _doubles(own, estimate)
            known = np.isfinite(values)
            errors, degrees = (None if name is None else _doubles(own, name)[known] for name in (se, df))
            found = measures(values[known], truth=truth, se=errors, df=degrees, confidence=confidence)
            several = SEVERAL if own["replication"].n_unique() < len(own) else ""
            rows += [
                PerformanceRow(
                    scenario.name, label, one.name, one.n, len(own) - one.n, truth, one.estimate, one.mcse,
                    replications_for(one, wanted[one.name], confidence=confidence) if one.name in wanted else None,
                    several,
                )
                for one in found
            ]  # fmt: skip
    return rows


def _check_columns(columns: Iterable[str], schema: Collection[str], source: str) -> None:
    for name in columns:
        if name not in schema:
            raise RequestError(f"{_where(source)} has no column '{name}'{nearest(name, schema)}")


def _where(source: str) -> str:
    return "the run's metrics" if source == METRICS else f"table '{source}'"


def _source(tables: RunTables, estimate: str, table: str | None, by: str | None) -> str:
    """Metrics, if the estimate is one; else the table that has it."""
    if table is not None:
        return table
    having = [name for name in tables.names if name != METRICS and estimate in tables.unified(name).schema]
    if by is None and estimate in tables.metric_names():
        return METRICS
    having = [name for name in having if by is None or by in tables.unified(name).schema]
    if len(having) == 1:
        return having[0]
    if len(having) > 1:
        raise RequestError(f"'{estimate}' is a column of {' and '.join(having)}: say which with --table")
    known = [*tables.metric_names(), *(c for name in tables.names for c in tables.unified(name).schema)]
    missing = estimate if by is None or estimate not in known else by
    raise RequestError(f"no metric and no column is called '{missing}'{nearest(missing, known)}")


def _groups(frame: pl.DataFrame, by: str | None) -> Iterator[tuple[str, pl.DataFrame]]:
    if by is None:
        yield "", frame
        return
    for (label,), own in frame.partition_by(by, as_dict=True, maintain_order=True).items():
        yield str(label), own


def _doubles(frame: pl.DataFrame, name: str) -> Any:
    try:
        return frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
    except pl.exceptions.InvalidOperationError:
        raise RequestError(f"column '{name}' holds no numbers") from None


def _truth(true: float | str, own: pl.DataFrame, scenario: Scenario) -> float:
    if not isinstance(true, str):
        return float(true)
    try:
        return float(true)
    except ValueError:
        pass
    if true in own.columns:
        values = np.unique(_doubles(own, true))
        if len(values) == 1 and math.isfinite(values[0]):
            return float(values[0])
        raise RequestError(f"the true value '{true}' is not one number in scenario '{scenario.name}'")
    given = dict(scenario.parameters)
    if isinstance(given.get(true), (int, float)):
        return float(given[true])
    known = [*given, *own.columns]
    hint = nearest(true, known)
    raise RequestError(f"the true value is a number, a parameter or a column, and '{true}' is none{hint}")
