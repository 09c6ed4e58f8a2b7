"""Batches performed in this very process, one after the other: for debuggers, profilers and small machines.

A model that ends its process ends this one; the pool is there for models that may.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from replicast.core.errors import ExecutorError
from replicast.core.experiment import Experiment
from replicast.core.planning import BatchQueue, Range
from replicast.core.ports import JobState, Saved, Store
from replicast.core.replication import Batch
from replicast.machine.condition import Spoilt
from replicast.models import open_model
from replicast.models.capture import captured
from replicast.performing.worker import Assignment, Worker, started

MOST_AT_ONCE = 1000


class Serial:
    """Fulfils `core.ports.Executor`. A context manager: the model is loaded once, for all batches."""

    name = "serial"

    def __init__(
        self,
        folder: Path,
        experiment: Experiment,
        *,
        function: Callable[..., Any] | None = None,
        project: Path | None = None,
    ) -> None:
        self.folder, self.experiment, self.function, self.project = folder, experiment, function, project
        self._stack = ExitStack()
        self._news: list[Saved] = []
        self._worker: Worker | None = None

    def __enter__(self) -> Serial:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def join(self, assignment: Assignment, store: Store, timeout_seconds: float | None) -> None:
        """Loads the model for a run. Raises ModelError."""
        scratch = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="replicast-")))
        log = self._stack.enter_context(captured(scratch / "log"))
        model = open_model(
            self.folder,
            self.experiment,
            scratch=scratch,
            log=log,
            timeout_seconds=timeout_seconds,
            function=self.function,
            project=self.project,
        )
        self._worker = self._stack.enter_context(started(assignment, model, store, self._news.append))

    def start(self, batches: Sequence[Batch]) -> SerialJob:
        assert self._worker is not None
        return SerialJob(self._worker, batches, self._news)


class SerialJob:
    """Fulfils `core.ports.Job`: each poll performs one replication, or more of quick ones."""

    id = "serial"

    def __init__(self, worker: Worker, batches: Sequence[Batch], news: list[Saved]) -> None:
        self._worker, self._queue, self._news = worker, BatchQueue(batches), news
        self._size = 1
        self._cancelled = False

    def poll(self, wait_seconds: float = 0.0) -> JobState:  # noqa: ARG002
        if self._cancelled:
            return JobState.CANCELLED
        batch = self._queue.take(self._size)
        if batch is None:
            return JobState.ENDED
        before = len(self._news)
        try:
            self._worker.perform(batch)
        except Spoilt as error:
            raise ExecutorError(
                f"a replication made this process unusable: {error}; a pool replaces such a process"
            ) from None
        seconds = sum(saved.seconds for saved in self._news[before:])
        self._size = min(self._size * 2, MOST_AT_ONCE) if seconds < 0.1 else 1
        return JobState.RUNNING

    def forget(self, done: Mapping[str, list[Range]]) -> None:
        """Leaves out what another process has done meanwhile."""
        self._queue.forget(done)

    def progress(self) -> Sequence[Saved]:
        news = list(self._news)
        self._news.clear()
        return news

    def cancel(self) -> None:
        self._cancelled = True
