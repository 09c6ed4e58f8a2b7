"""Which worker process uses more memory than it may, or than the machine can spare: the largest goes first."""

from __future__ import annotations

import time
from collections.abc import Sequence

from replicast.core.sizes import size_text
from replicast.machine.memory import available_share, out_of_memory_kills, tree_bytes

from .pool_process import PoolProcess

LOOK_SECONDS = 0.25
LEAST_SHARE = 0.05


class MemoryWatch:
    """Looks now and then. Without a limit it asks the machine alone, which costs microseconds."""

    def __init__(self, limit_bytes: int | None) -> None:
        self._limit = limit_bytes
        self._looked_at = time.monotonic()
        self._kills: int | None = None

    def is_due(self) -> bool:
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = now
        if self._kills is None:
            self._kills = out_of_memory_kills()
        return True

    def over_limit(self, processes: Sequence[PoolProcess]) -> list[tuple[PoolProcess, str]]:
        """Busy processes that use more than they may, with what is to be said of each."""
        if self._limit is None:
            return []
        busy = {process.process.pid: process for process in processes if process.batch is not None}
        used, allowed = tree_bytes(busy), size_text(self._limit)
        return [
            (busy[pid], f"it used {size_text(size)} of memory, and --memory allows {allowed}")
            for pid, size in used.items()
            if size > self._limit
        ]

    def largest(self, processes: Sequence[PoolProcess]) -> PoolProcess | None:
        """The busy process that uses most, where hardly any memory is left on the machine."""
        busy = {process.process.pid: process for process in processes if process.batch is not None}
        if not busy or available_share() >= LEAST_SHARE:
            return None
        used = tree_bytes(busy)
        return busy[max(used, key=lambda pid: used[pid])]

    def system_killed(self) -> bool:
        """Whether the system says that it has ended a process for want of memory since the last time."""
        before, self._kills = self._kills, out_of_memory_kills()
        return before is not None and self._kills > before
