"""The worker processes that a job hands its batches to, as the job sees them."""

from __future__ import annotations

from typing import Protocol

from .pool_process import PoolProcess


class Crew(Protocol):
    """Processes of one run: at most `workers` of them; results wait `save_seconds` at most to be saved.

    `looks_again` where a job of many replications simulates its first one twice, see `again`.
    """

    processes: list[PoolProcess]
    workers: int
    save_seconds: float
    looks_again: bool

    def start_process(self) -> PoolProcess: ...

    def replace(self, process: PoolProcess) -> int:
        """Ends a process; returns its exit status."""
        ...
