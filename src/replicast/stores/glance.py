"""Many runs of a store at a glance: what a listing showed not to be there is not asked for, run by run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from replicast.core.ports import Store
from replicast.core.record import NAME

from .object_documents import ObjectDocuments


class Glance:
    """A store whose runs' own documents (`labels.json`, `cancel`, …) are those that a listing showed a moment ago."""

    def __init__(self, store: Store, there: Mapping[str, frozenset[str]]) -> None:
        self._store, self._there = store, there

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def runs(self) -> list[str]:
        return sorted(run for run, names in self._there.items() if NAME in names)

    def read(self, run: str, name: str) -> bytes | None:
        known = self._there.get(run) if "/" not in name else None
        return None if known is not None and name not in known else self._store.read(run, name)


def folders_of(store: Store) -> list[str]:
    """What may be a run, at one request of a bucket, where `runs` takes one for each."""
    return store.folders() if isinstance(store, ObjectDocuments) and store.folder is None else store.runs()


def at_a_glance(store: Store) -> Store:
    """Of a bucket, three requests a run tell how it stands: its documents, its record, its parts."""
    if not isinstance(store, ObjectDocuments) or store.folder is not None:
        return store
    return cast(Store, Glance(store, store.documents_by_run()))
