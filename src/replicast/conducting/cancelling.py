"""The mark in a run's store that asks whoever is at work on it to stop."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

from replicast.core.ports import Store

CANCEL = "cancel"
LOOK_SECONDS = 1.0


def mark_cancelled(store: Store, run: str) -> None:
    store.write(run, CANCEL, json.dumps({"time": datetime.now(UTC).isoformat()}).encode())


def is_cancelled(store: Store, run: str) -> bool:
    return store.read(run, CANCEL) is not None


class Lookout:
    """Looks for the mark about once a second."""

    def __init__(self, store: Store, run: str) -> None:
        self._store, self._run, self._looked_at = store, run, 0.0

    def is_cancelled(self) -> bool:
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = now
        return is_cancelled(self._store, self._run)
