"""The worker processes that a job hands its batches to, as the job sees them."""

from __future__ import annotations

from typing import Protocol

from .pool_process import PoolProcess


class Crew(Protocol):
    """Processes of one run: at most `workers` of them; results wait `save_seconds` at most to be saved."""

    processes: list[PoolProcess]
    workers: int
    save_seconds: float

    def start_process(self) -> PoolProcess: ...

    def replace(self, process: PoolProcess) -> int:
        """Ends a process; returns its exit status."""
        ...
