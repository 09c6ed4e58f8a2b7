"""A run by its name: its ID, a unique beginning of one, or the latest."""

from __future__ import annotations

from replicast.core.errors import RunNotFound, StoreError, nearest
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.stores.glance import folders_of
from replicast.stores.records import read_record


def find_run(store: Store, name: str, left_out: list[str] | None = None) -> RunRecord:
    """The run of that ID, that unique prefix of one, or the `latest`. Raises RunNotFound.

    Each run is judged alone: `left_out` is told of those that cannot be read, and so cannot be the latest.
    """
    if name == "latest":
        return _latest(store, [] if left_out is None else left_out)
    try:
        return read_record(store, name)
    except RunNotFound:
        matching = [run for run in folders_of(store) if run.startswith(name)]
    if len(matching) != 1:
        known = store.runs()
        matching = [run for run in known if run.startswith(name)]
    if len(matching) > 1:
        listed = ", ".join(matching[:5])
        raise RunNotFound(f"'{name}' is the beginning of {len(matching)} runs: {listed}; give more of it")
    if not matching:
        raise RunNotFound(f"there is no run '{name}' in '{store.label}'{nearest(name, known)}")
    return read_record(store, matching[0])


def _latest(store: Store, left_out: list[str]) -> RunRecord:
    records = []
    for run in folders_of(store):
        try:
            records.append(read_record(store, run))
        except RunNotFound:
            continue  # a folder of something else, or a run that was removed meanwhile
        except StoreError as error:
            left_out.append(str(error))
    if records:
        return max(records, key=lambda record: (record.created, record.id))
    if left_out:
        raise StoreError(f"no run in '{store.label}' can be read: {left_out[0]}")
    raise RunNotFound(f"there is no run in '{store.label}'")
