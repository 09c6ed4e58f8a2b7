"""A run's record, and what else is said of a run, as a store has it."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from replicast.core.errors import RunNotFound
from replicast.core.ports import Store
from replicast.core.record import NAME, RUN_NAME, RunRecord


def read_record(store: Store, run: str) -> RunRecord:
    """The record of the run that lies in the store under this ID. Raises RunNotFound and StoreError."""
    content = store.read(run, NAME) if RUN_NAME.fullmatch(run) else None
    if content is None:
        raise RunNotFound(f"there is no run '{run}' in '{store.label}'")
    return RunRecord.from_json(content, f"{NAME} of run {run}", run)


Said = TypeVar("Said", bound=msgspec.Struct)


def all_said(store: Store, run: str, folder: str, kind: type[Said]) -> list[Said]:
    """What documents of a folder say, in any order; one that cannot be read is passed over: no number hangs on it."""
    found = []
    for name in store.documents(run, folder):
        try:
            found.append(msgspec.json.decode(store.read(run, name) or b"", type=kind))
        except msgspec.MsgspecError:
            continue
    return found
