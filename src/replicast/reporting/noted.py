"""What replications noted of what they returned: what was renamed, converted or not kept."""

from __future__ import annotations

from replicast.core.ports import Store
from replicast.performing.worker import NOTES


def notes_of(store: Store, run: str) -> list[str]:
    """Each sentence once, in order."""
    found = (store.read(run, name) for name in store.documents(run, NOTES))
    return sorted(content.decode() for content in found if content)
