"""Many runs of a store at a glance: what a listing showed not to be there is not asked for, run by run."""

from __future__ import annotations

from copy import copy

from replicast.core.ports import Store

from .object_documents import ObjectDocuments


def folders_of(store: Store) -> list[str]:
    """What may be a run, at one request of a bucket, where `runs` takes one for each."""
    return store.folders() if isinstance(store, ObjectDocuments) and store.folder is None else store.runs()


def at_a_glance(store: Store) -> Store:
    """Of a bucket, three requests a run tell how it stands: its documents, its record, its parts."""
    if not isinstance(store, ObjectDocuments) or store.folder is not None:
        return store
    seen = copy(store)
    seen.listed = store.documents_by_run()
    return seen
