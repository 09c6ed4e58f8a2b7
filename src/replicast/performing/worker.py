"""The one worker: `Worker.perform(batch)` is the same code in the local pool, in a cloud function and anywhere else.

It starts the model once, simulates, and saves outcomes into the store: at the end of each batch, and within about half
a second of being simulated where a batch takes longer.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from replicast.core.experiment import Experiment
from replicast.core.ports import Model, Simulate, Starting, Store
from replicast.core.progress import Saved
from replicast.core.replication import RETRIED, Batch, Outcome

from .saving import SAVE_SECONDS

SAVE_BYTES = 64 << 20
SavedCallback = Callable[[Saved], None]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker has to know of a run: where its results go, and how often a death is retried.

    Results wait `save_seconds` at most to be saved. Where each save costs money, they may wait longer.
    """

    run: str
    experiment: Experiment
    retries: int = 1
    worker: str = ""
    save_seconds: float = SAVE_SECONDS


def ignore_start(_replication: int) -> None:
    """For callers that need no culprit."""


class Worker:
    """Performs batches of one run with one started model."""

    def __init__(self, assignment: Assignment, simulate: Simulate, saver: Saver) -> None:
        self.assignment, self.simulate, self.saver = assignment, simulate, saver

    def perform(self, batch: Batch, starting: Starting = ignore_start) -> None:
        """Simulates the batch and returns when all of it is in the store. Raises StoreError."""
        scenario = self.assignment.experiment.scenario(batch.scenario)
        worker, put, again = self.assignment.worker, self.saver.put, list[Outcome]()
        for outcome in self.simulate(scenario, batch.first, batch.last, starting):
            if outcome.failure and outcome.failure.kind in RETRIED and self.assignment.retries:
                again.append(outcome)
            else:
                outcome.worker = worker
                put(outcome)
        for outcome in again:
            self._retry(outcome, starting)
        self.saver.flush()

    def _retry(self, outcome: Outcome, starting: Starting) -> None:
        """Asks again for a replication whose process died or took too long, as often as `retries` says.

        Only when the batch is through: before that, its other replications may be under way in the same process.
        """
        scenario, attempt = self.assignment.experiment.scenario(outcome.scenario), 1
        while outcome.failure and outcome.failure.kind in RETRIED and attempt <= self.assignment.retries:
            attempt += 1
            (outcome,) = self.simulate(scenario, outcome.replication, outcome.replication, starting)
        outcome.attempt, outcome.worker = attempt, self.assignment.worker
        self.saver.put(outcome)


@contextmanager
def started(
    assignment: Assignment, model: Model, store: Store, saved: SavedCallback = lambda _saved: None
) -> Iterator[Worker]:
    """A worker with its model loaded. Raises ModelError."""
    with ExitStack() as stack:
        simulate = stack.enter_context(model.start())
        saver = stack.enter_context(Saver(store, assignment.run, saved, assignment.save_seconds))
        yield Worker(assignment, simulate, saver)


class Saver:
    """Collects outcomes of consecutive replications and saves them, from a thread of its own when none comes for long.

    The thread makes a replication safe while the next one computes for minutes.
    """

    def __init__(self, store: Store, run: str, saved: SavedCallback, save_seconds: float = SAVE_SECONDS) -> None:
        self._store, self._run, self._saved, self._save_seconds = store, run, saved, save_seconds
        self._waiting: deque[Outcome] = deque()
        self._bytes = 0
        self._noted = set[tuple[str, bytes]]()
        self._saving = threading.Lock()
        self._closing = threading.Event()
        self._error: Exception | None = None
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._save_now_and_then, name="replicast-saver", daemon=True)

    def __enter__(self) -> Saver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        self.flush()

    def put(self, outcome: Outcome) -> None:
        self._waiting.append(outcome)
        if outcome.tables:
            self._bytes += sum(table.nbytes for table in outcome.tables.values())
            if self._bytes > SAVE_BYTES:
                self.flush()

    def flush(self) -> None:
        """Saves all that waits. Raises the StoreError that saving met, here or in the thread."""
        self._save()
        if self._error is not None:
            raise self._error

    def _save_now_and_then(self) -> None:
        while not self._closing.wait(self._save_seconds) and self._error is None:
            self._save()

    def _save(self) -> None:
        if os.getpid() != self._process:
            os._exit(0)  # a child that the model forked, and let go on: its parent saves
        with self._saving:
            outcomes = [self._waiting.popleft() for _ in range(len(self._waiting))]
            self._bytes = 0
            if not outcomes or self._error is not None:
                return
            try:
                self._save_notes(outcomes)
                for group in consecutive(outcomes):
                    self._store.save(self._run, group)
                    self._saved(summary_of(group))
            except Exception as error:  # handed to the thread that simulates
                self._error = error
            for outcome in outcomes:
                remove_folder_of(outcome)

    def _save_notes(self, outcomes: Sequence[Outcome]) -> None:
        """Each sentence, and each set of levels, once, as a document of the run: most replications say the same."""
        found = {(NOTES, note.encode()) for outcome in outcomes for note in outcome.notes}
        found |= {(LEVELS, levels.to_json()) for outcome in outcomes for levels in outcome.levels}
        for folder, content in found - self._noted:
            self._store.write(self._run, document_of(folder, content), content, new=True)
            self._noted.add((folder, content))


def document_of(folder: str, content: bytes) -> str:
    """Where what is said is kept once, however often it is said."""
    return f"{folder}/{hashlib.sha256(content).hexdigest()[:16]}"


NOTES, LEVELS = "noted", "levels"
"""Folders of the run's documents that hold what its replications noted, and the levels of their factors."""


def remove_folder_of(outcome: Outcome) -> None:
    if outcome.folder is not None:
        import shutil

        shutil.rmtree(outcome.folder, ignore_errors=True)


def consecutive(outcomes: Sequence[Outcome]) -> Iterator[Sequence[Outcome]]:
    """Runs of outcomes of one scenario whose numbers follow each other."""
    start, number, scenario = 0, outcomes[0].replication, outcomes[0].scenario
    for i, outcome in enumerate(outcomes):
        if outcome.replication != number or outcome.scenario != scenario:
            yield outcomes[start:i]
            start, number, scenario = i, outcome.replication, outcome.scenario
        number += 1
    yield outcomes[start:]


def summary_of(outcomes: Sequence[Outcome]) -> Saved:
    """What progress needs to know of a saved part: how many, how long, and sums of its first metric."""
    batch = Batch(outcomes[0].scenario, outcomes[0].replication, outcomes[-1].replication)
    failed = sum(outcome.failure is not None for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    named = next((outcome.metrics for outcome in outcomes if outcome.metrics), None)
    if named is None:
        return Saved(batch, failed, seconds)
    name = next(iter(named))
    values = [v for o in outcomes if (v := o.metrics.get(name)) is not None and -1e300 < v < 1e300]
    return Saved(batch, failed, seconds, (name, len(values), float(sum(values)), float(sum(v * v for v in values))))
