"""Batches performed in this very process, one after the other: for debuggers, profilers and small machines.

A model that ends its process ends this one; the pool is there for models that may.
"""

from __future__ import annotations

import platform
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from replicast.core.errors import ExecutorError, RequestError
from replicast.core.planning import BatchQueue, Range
from replicast.core.ports import JobState, Work
from replicast.core.progress import Saved
from replicast.core.replication import Batch
from replicast.machine.condition import Spoilt
from replicast.models import open_model
from replicast.models.capture import captured
from replicast.performing.copies import check_out_or_stage
from replicast.performing.worker import Assignment, Worker, started

MOST_AT_ONCE = 1000


class Serial:
    """Fulfils `core.ports.Executor`. A context manager: the model is loaded once, for all batches of a run.

    `folder` holds the source that is simulated; without one it is taken from the run's store, or `function` is.
    """

    name = "serial"

    def __init__(
        self,
        folder: Path | None = None,
        *,
        function: Callable[..., Any] | None = None,
        project: Path | None = None,
    ) -> None:
        self.folder, self.function, self.project = folder, function, project
        self._stack = ExitStack()
        self._news: list[Saved] = []
        self._work: Work | None = None
        self._worker: Worker | None = None

    def __enter__(self) -> Serial:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, work: Work, batches: Sequence[Batch]) -> SerialJob:
        """Loads the model for a run that is new to it. Raises ModelError."""
        if work != self._work or self._worker is None:
            self._stack.close()
            self._work, self._worker = work, self._started(work)
        return SerialJob(self._worker, batches, self._news)

    def find(self, _job_id: str) -> None:
        """Its jobs end with this process."""
        return

    def _started(self, work: Work) -> Worker:
        if work.memory_bytes is not None:
            raise RequestError("--memory limits worker processes, of which --on serial has none: use --on local")
        scratch = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="replicast-")))
        log = self._stack.enter_context(captured(scratch / "log"))
        folder = self.folder
        if folder is None:
            folder = scratch / "model"
            if self.function is None:
                check_out_or_stage(work, folder)
            folder.mkdir(exist_ok=True)
        model = open_model(
            folder,
            work.experiment,
            scratch=scratch,
            log=log,
            timeout_seconds=work.timeout_seconds,
            function=self.function,
            project=self.project,
        )
        assignment = Assignment(work.run, work.experiment, work.retries, f"{platform.node()}/")
        return self._stack.enter_context(started(assignment, model, work.store, self._news.append))


class Interruption(BaseException):
    """Someone wants this process to stop. A model may raise a KeyboardInterrupt of its own, which is its failure."""


@contextmanager
def interruptions_told_apart() -> Iterator[None]:
    """Has signals that raise a KeyboardInterrupt do so behind the model, whose replication is absent then."""
    before = dict[int, Callable[[int, FrameType | None], Any]]()

    def interrupt(number: int, frame: FrameType | None) -> None:
        try:
            before[number](number, frame)
        except KeyboardInterrupt:
            raise Interruption from None

    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        before = {number: handler for number, handler in handlers.items() if callable(handler)}
    try:
        for number in before:
            signal.signal(number, interrupt)
        yield
    except Interruption:
        raise KeyboardInterrupt from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class SerialJob:
    """Fulfils `core.ports.Job`: each poll performs one replication, or more of quick ones."""

    id = ""

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
            with interruptions_told_apart():
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
