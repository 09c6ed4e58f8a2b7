"""What to say of a run whose replications failed: how many, the first one's own words, and the way to it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, Literal

from replicast.core.commands import command as hint
from replicast.core.errors import FailureWarning, ReplicationsFailed
from replicast.core.ports import Store
from replicast.core.progress import Conclusion
from replicast.core.record import RunRecord
from replicast.models import language_or_any

OnFailure = Literal["raise", "warn", "ignore"]

LONGEST_LOG = 2000
FIELDS = ("replication", "error_type", "error", "traceback", "log")


def first_failure(store: Store, record: RunRecord) -> tuple[str, int, str] | None:
    """(scenario, replication, what happened, with its traceback or the end of its log)"""
    for scenario in (s.name for s in record.experiment.scenarios):
        for chunk in store.ledger(record.id, scenario):
            states = list(chunk.column("state").to_pylist())
            if "failed" in states:
                place = states.index("failed")
                row = {name: chunk.column(name)[place].as_py() for name in FIELDS}
                detail = (row["traceback"] or row["log"][-LONGEST_LOG:]).rstrip()
                said = f"{row['error_type']}: {row['error']}" + (f"\n{detail}" if detail else "")
                return scenario, int(row["replication"]), said
    return None


def scenarios_without_result(store: Store, record: RunRecord) -> Iterator[str]:
    """Scenarios of which replications are stored and none succeeded."""
    coverage = store.coverage(record.id)
    for scenario in (s.name for s in record.experiment.scenarios):
        if coverage.failed(scenario) and not coverage.ok(scenario):
            yield scenario


def about_failures(store: Store, record: RunRecord, failed: int, planned: int) -> str:
    """`failed` of `planned` replications, the first failure, and how it is had again."""
    found = first_failure(store, record)
    if found is None:
        return f"{failed:,} of {planned:,} replications failed"
    scenario, replication, said = found
    several = len(record.experiment.scenarios) > 1
    which, more = (f", scenario={scenario!r}", ["--scenario", scenario]) if several else ("", [])
    return (
        f"{failed:,} of {planned:,} replications of {record.experiment.model.label} failed; replication {replication}"
        + (f" of scenario '{scenario}'" if several else "")
        + f" with {said}\nagain, here: run.replay({replication}{which})"
        + ("" if given_function(record) else ", or " + hint("replay", record.id, store.label, replication, *more))
    )


def given_function(record: RunRecord) -> str:
    """The name of the function that a run is of, where no file defines it; commands cannot simulate it again."""
    model = record.experiment.model
    return "" if language_or_any(model).travels else model.function


def tell_of_failures(finished: Any, conclusion: Conclusion, on_failure: OnFailure) -> None:
    """Raises ReplicationsFailed for a `Run`, or warns the caller of `replicast.run`."""
    store, record, planned = finished.store, finished.record, sum(conclusion.planned.values())
    if on_failure == "raise" and not record.options.tolerance.allows(conclusion.failed, planned):
        raise ReplicationsFailed(about_failures(store, record, conclusion.failed, planned), finished)
    if on_failure == "warn" and any(scenarios_without_result(store, record)):
        # from `run` and what wraps it to its caller
        warnings.warn(about_failures(store, record, conclusion.failed, planned), FailureWarning, stacklevel=4)
