"""A run's record, as a store has it."""

from __future__ import annotations

from replicast.core.errors import RunNotFound
from replicast.core.ports import Store
from replicast.core.record import NAME, RUN_NAME, RunRecord


def read_record(store: Store, run: str) -> RunRecord:
    """The record of the run that lies in the store under this ID. Raises RunNotFound and StoreError."""
    content = store.read(run, NAME) if RUN_NAME.fullmatch(run) else None
    if content is None:
        raise RunNotFound(f"there is no run '{run}' in '{store.label}'")
    return RunRecord.from_json(content, f"{NAME} of run {run}", run)
