"""The steady-state mean of a column of a table that a long replication returned."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.core.steady import USUAL_BATCHES, Steady, steady

from .tables import RunTables
from .warming import check_columns, rows_of


@dataclass(frozen=True, slots=True)
class SteadyRow:
    """One long replication. The first interval is of batch means, the second of overlapping ones.

    `variance` is n·var(mean); `lag_one` the correlation of neighbouring batches, `lag_one_p` how probable so much is
    if they are independent. `left_out` values at the start are the warm-up and what no batch was full of.
    """

    scenario: str
    replication: int
    left_out: int
    n: int
    batches: int
    size: int
    mean: float
    half_width: float | None
    ci_lower: float | None
    ci_upper: float | None
    overlapping_half_width: float | None
    overlapping_lower: float | None
    overlapping_upper: float | None
    variance: float
    overlapping_variance: float
    lag_one: float
    lag_one_p: float
    note: str


def steady_rows(
    store: Store,
    record: RunRecord,
    *,
    table: str,
    value: str,
    scenarios: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    batches: int = USUAL_BATCHES,
    left_out: int | None = None,
    confidence: float = 0.95,
) -> list[SteadyRow]:
    """A row for each replication of each scenario, each on its own. Raises RequestError for too short a run."""
    tables = RunTables(store, record)
    check_columns(tables, table, [value], where or {})
    rows = []
    for scenario in [record.experiment.scenario(name).name for name in scenarios] or [
        s.name for s in record.experiment.scenarios
    ]:
        frame = rows_of(tables, table, scenario, where or {}, [value])
        for (number,), own in frame.partition_by("replication", as_dict=True, maintain_order=True).items():
            values = own[value].to_numpy()
            finite = values[np.isfinite(values)]
            found = steady(finite, batches=batches, left_out=left_out, confidence=confidence)
            rows.append(_row(scenario, int(number), found, len(values) - len(finite)))
    return rows


def _row(scenario: str, replication: int, found: Steady, gone: int) -> SteadyRow:
    """`gone` values were left out, since they are no numbers."""
    mean = found.mean
    notes = [found.warning, f"{gone} values are missing, NaN or infinite" if gone else ""]
    return SteadyRow(
        scenario, replication, found.left_out, found.n, found.batches, found.size,
        mean, *_interval(mean, found.half_width), *_interval(mean, found.overlapping_half_width),
        found.variance, found.overlapping_variance, found.lag_one, found.lag_one_p, "; ".join(filter(None, notes)),
    )  # fmt: skip


def _interval(mean: float, half_width: float) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if math.isnan(half_width) else (half_width, mean - half_width, mean + half_width)
