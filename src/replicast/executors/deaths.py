"""A worker's death: its reason, and which replications of its batch are to be handed out again, in which pieces."""

from __future__ import annotations

from dataclasses import dataclass, replace

from replicast.core.planning import gaps, merge
from replicast.core.replication import Batch
from replicast.machine.deaths import reason_of_death

from .pool_process import PoolProcess


@dataclass(frozen=True, slots=True)
class Death:
    """How a process ended: by itself, for taking too long, or because a model had spoilt it."""

    status: int
    overdue: bool = False
    spoilt: str = ""
    memory: str = ""
    starved: bool = False

    @property
    def reason(self) -> tuple[str, str]:
        """(type, message)"""
        if self.memory:
            return "MemoryLimit", f"the worker process was ended: {self.memory}"
        if self.starved:
            return "OutOfMemory", "the system ended the worker process for want of memory while this replication ran"
        if self.spoilt:
            return "Spoilt", f"the replication made its process unusable: {self.spoilt}"
        return reason_of_death(self.status)


def around(batch: Batch, culprit: int) -> list[Batch]:
    """The batch without the culprit."""
    if not batch.first <= culprit <= batch.last:
        return [batch]
    pieces = [replace(batch, last=culprit - 1), replace(batch, first=culprit + 1)]
    return [piece for piece in pieces if piece.first <= piece.last]


def halves(batch: Batch) -> list[Batch]:
    """A batch among which nobody knows the culprit: each death in one half narrows it down."""
    middle = (batch.first + batch.last) // 2
    return [batch] if len(batch) == 1 else [replace(batch, last=middle), replace(batch, first=middle + 1)]


def unsaved(batch: Batch, process: PoolProcess) -> list[tuple[int, int]]:
    before = [(1, batch.first - 1)] if batch.first > 1 else []
    return gaps(batch.last, merge([*before, *process.saved]))
