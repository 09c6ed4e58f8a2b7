"""How a run stands: how much of it is stored, and whether anybody is at work on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from replicast.core.planning import count
from replicast.core.ports import Store
from replicast.core.progress import AtWork
from replicast.core.record import RunRecord

from .cancelling import is_cancelled


@dataclass(frozen=True, slots=True)
class Status:
    """How a run stands. `state`: running, done, cancelled, or incomplete (nobody is at work on it)."""

    id: str
    state: str
    planned: int
    done: int
    failed: int
    created: str
    model: str
    scenarios: int
    seed: int
    at_work: Mapping[str, Any] | None


def status_of(store: Store, record: RunRecord, at_work: AtWork | None) -> Status:
    coverage = store.coverage(record.id)
    names = [scenario.name for scenario in record.experiment.scenarios]
    planned = sum(record.planned_for(name) for name in names)
    done = sum(count(coverage.done(name)) for name in names)
    cancelled = is_cancelled(store, record.id)
    state = "running" if at_work else "done" if done >= planned else "cancelled" if cancelled else "incomplete"
    return Status(
        record.id, state, max(planned, done), done, sum(len(coverage.failed(name)) for name in names),
        record.created, record.experiment.model.label, len(names), record.experiment.seed,
        None if at_work is None else {"who": at_work.who, **at_work.facts},
    )  # fmt: skip
