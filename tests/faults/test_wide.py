"""Wide results cost in proportion to their width: counted in calls of Python, since no test asserts a time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from replicast.core.experiment import Experiment, ModelReference
from replicast.core.record import RunRecord
from replicast.core.replication import Outcome
from replicast.core.scenarios import Scenario
from replicast.models.results import read_result
from replicast.reporting.summary import summarise_run
from replicast.reporting.tables import RunTables
from replicast.stores.objects import ObjectStore

REPLICATIONS = 4


def calls_of(work: Callable[[], object]) -> int:
    """How many functions, of Python and of C, `work` calls."""
    found = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal found
        found += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


def metrics(width: int) -> dict[str, Any]:
    return {f"m{i}": i + 0.5 for i in range(width)}


def tables(width: int) -> dict[str, Any]:
    return {name: [{f"c{i}": i + 0.5 for i in range(width)}] * 3 for name in ("one", "two", "three")}


@pytest.mark.parametrize("returned", [metrics, tables])
def test_reading_storing_summarising_and_collating_are_linear_in_the_width(
    tmp_path: Path, returned: Callable[[int], dict[str, Any]]
) -> None:
    def whole_way(width: int, folder: str) -> None:
        store = ObjectStore(str(tmp_path / folder))
        record = RunRecord(
            "r", Experiment(ModelReference("python", "m.py"), (Scenario("base", {}, 0),), 1), REPLICATIONS, ""
        )
        store.save(
            "r", [Outcome("base", i, 0.1, *read_result(returned(width)), draws=i) for i in range(1, REPLICATIONS + 1)]
        )
        made = RunTables(store, record)
        summarise_run(store, record, made)
        for name in made.names:
            list(made.chunks(name))

    whole_way(10, "imports")
    narrow, middle, wide = (calls_of(lambda w=w: whole_way(w, str(w))) for w in (200, 400, 800))
    assert wide - middle < 2.2 * (middle - narrow), (narrow, middle, wide)
