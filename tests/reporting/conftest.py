"""Runs whose values are chosen, in a store of their own, so that what is reported of them is known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from arro3.core import Array, Table

from replicast.core.experiment import Experiment, ModelReference, Streams
from replicast.core.record import NAME, RunRecord
from replicast.core.replication import Failure, Metric, Outcome
from replicast.core.scenarios import Scenario
from replicast.runs import Run
from replicast.stores.objects import ObjectStore

MakeRun = Callable[..., Run]
Values = Mapping[str, Sequence[Mapping[str, Metric] | None]]
"""Scenario → what each replication returned, or None for one that failed."""


def record_of(scenarios: Mapping[str, Mapping[str, Any]], n: int, *, common: bool = True) -> RunRecord:
    listed = tuple(Scenario(name, parameters, i) for i, (name, parameters) in enumerate(scenarios.items()))
    experiment = Experiment(ModelReference("python", "model.py"), listed, 42, Streams(common=common))
    return RunRecord("made", experiment, n, "2026-11-23T10:00:00+00:00")


def outcome_of(
    scenario: str, replication: int, returned: Mapping[str, Metric] | None, rows: Any = None, draws: int = 0
) -> Outcome:
    if returned is None:
        failure = Failure("error", "ZeroDivisionError", "division by <zero>", "Traceback: <here>")
        return Outcome(scenario, replication, 0.1, failure=failure)
    tables = {} if rows is None else {"series": Table.from_pydict({k: Array(v) for k, v in rows.items()})}
    return Outcome(scenario, replication, 0.1, metrics=returned, tables=tables, draws=draws)


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    def make(
        values: Values,
        *,
        parameters: Mapping[str, Mapping[str, Any]] | None = None,
        planned: int | None = None,
        common: bool = True,
        copies: bool = False,
        series: Callable[[str, int], Mapping[str, Any]] | None = None,
        **changes: Any,
    ) -> Run:
        """The stored run in which each scenario's replications returned `values` and the rows of `series`.

        With `copies`, replications that returned the same are taken for copies of one another.
        """
        store = ObjectStore(str(tmp_path / "runs"))
        n = planned or max(map(len, values.values()))
        record = record_of({name: (parameters or {}).get(name, {}) for name in values}, n, common=common)
        store.write(record.id, NAME, replace(record, **changes).to_json())
        for scenario, own in values.items():
            outcomes = []
            for i, returned in enumerate(own, 1):
                rows = series(scenario, i) if series and returned is not None else None
                outcomes.append(outcome_of(scenario, i, returned, rows, draws=0 if copies else i))
            store.save(record.id, outcomes)
        return Run(store, record.id)

    return make
