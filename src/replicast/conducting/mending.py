"""Before a run goes on: what is stored of it and no longer is what was stored counts as missing."""

from __future__ import annotations

from replicast.core.ports import Damage, Store


def set_aside_damage(store: Store, run: str) -> list[Damage]:
    """Reads all that is stored of the run, once. What does not fit its digest is missing from now on, and returned."""
    found = list(store.damage(run))
    store.set_aside(run, found)
    return found
