"""The seams of the house, each with more than one thing behind it: models, executors, jobs, stores, places."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from arro3.core import Schema, Table

from .experiment import Experiment
from .parameters import Signature
from .progress import AtWork, Conclusion, Saved, Watch
from .record import RunRecord
from .replication import Batch, Outcome
from .scenarios import Scenario

Starting = Callable[[int], None]
"""Told the number of a replication right before it is simulated, so that a death has a culprit."""


class Simulate(Protocol):
    """A model that is loaded and ready: performs replications first..last of a scenario, in order.

    It yields one Outcome a replication, as each ends; whatever goes wrong inside the model is in the Outcome.
    """

    def __call__(self, scenario: Scenario, first: int, last: int, starting: Starting) -> Iterator[Outcome]: ...


class Model(Protocol):
    """What simulates. `folder` is the run's copy of the source, the working directory of every replication."""

    def describe(self) -> Signature:
        """Loads the model and says what it is. Raises ModelError."""
        ...

    def start(self) -> AbstractContextManager[Simulate]:
        """Loads the model once for many replications. Raises ModelError."""
        ...


@runtime_checkable
class Keeping(Protocol):
    """A model that can hold on to what it loaded when it was described, since loading it takes long."""

    def describe_and_keep(self) -> Signature:
        """As `Model.describe`; what was loaded stays, for `start` or to be handed over."""
        ...

    def hand_over(self, model: Model) -> None:
        """Gives what was kept to `model` where it would load the very same, and lets go of it else."""
        ...


class JobState(Enum):
    RUNNING = "running"
    ENDED = "ended"
    CANCELLED = "cancelled"


class Job(Protocol):
    """Batches under way somewhere."""

    id: str
    """Finds it again, from any process on any day; empty where it ends with the process that started it."""

    def poll(self, wait_seconds: float = 0.0) -> JobState:
        """Waits at most `wait_seconds` for news. Raises ExecutorError or StoreError if the work cannot go on."""
        ...

    def progress(self) -> Sequence[Saved]:
        """What was saved since the last call, where the executor can tell at no cost; else nothing."""
        ...

    def cancel(self) -> None:
        """Stops what runs; returns when nothing of it is left."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """Which run an executor works for, and how. Others open its store by `store.url`, which may hold a password.

    What else a worker has to know it reads there, from the run's record. `files` of the model's source have these
    SHA-256, or nothing is simulated; of none, whatever the store has is taken.
    """

    run: str
    store: Store
    experiment: Experiment
    retries: int = 1
    timeout_seconds: float | None = None
    memory_bytes: int | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, record: RunRecord, store: Store) -> Work:
        options = record.options
        limits = options.timeout_seconds, options.memory_bytes
        return cls(record.id, store, record.experiment, options.retries, *limits, files=record.files)


class Executor(Protocol):
    """What gets batches performed. It never carries results: those travel through the store alone."""

    name: str

    def start(self, work: Work, batches: Sequence[Batch]) -> Job:
        """Has exactly these batches performed, each at least once; returns at once. It may cut them smaller."""
        ...

    def find(self, job_id: str) -> Job | None:
        """A job that this or another process started; None where it is not known any more."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """A replication in the ledger: how it ended, not what it returned."""

    scenario: str
    replication: int
    state: str
    seconds: float
    worker: str
    attempt: int
    fingerprint: int
    warning_count: int
    warnings: str
    error_kind: str
    error_type: str
    error: str
    traceback: str
    log: str


@dataclass(frozen=True, slots=True)
class Damage:
    """Replications first..last that were stored and no longer are what was stored: `name` says what of them, and how.

    `part` is what `Store.set_aside` knows them by.
    """

    scenario: str
    first: int
    last: int
    name: str
    part: str

    def __str__(self) -> str:
        return f"{self.name} (replications {self.first} to {self.last} of scenario '{self.scenario}')"


class Coverage(Protocol):
    """Which replications of a run are stored, by scenario: ranges that do not overlap, in order.

    `done` are all that have ended: `ok` and `failed`. `damage` is what can be seen of it without opening anything; it
    is not among the done, and nothing else is stored in its place.
    """

    @property
    def damage(self) -> Sequence[Damage]: ...

    def done(self, scenario: str) -> Sequence[tuple[int, int]]: ...
    def ok(self, scenario: str) -> Sequence[tuple[int, int]]: ...
    def failed(self, scenario: str) -> Sequence[int]: ...


class Store(Protocol):
    """Where results live. What is saved is there whole or not at all; saving a replication twice changes nothing.

    Whatever reads refuses with StoreError what does not fit the digest that it was saved with.
    """

    url: str
    """Opens the same store from any process and working directory; may hold a password."""
    label: str
    """Names the store to a person: as it was given, without a password."""

    def reach(self) -> str:
        """Makes sure that the store answers; says why results can be neither saved nor wholly seen from here, if so.

        Empty where they can. Raises StoreError.
        """
        ...

    def runs(self) -> list[str]:
        """The IDs of all runs, in order of time."""
        ...

    def write(self, run: str, name: str, content: bytes, *, new: bool = False) -> bool:
        """Writes a document of the run. With `new`, an existing one is left alone and False is returned."""
        ...

    def read(self, run: str, name: str) -> bytes | None: ...

    def documents(self, run: str, prefix: str) -> list[str]: ...

    def delete(self, run: str, name: str) -> None: ...

    def remove(self, run: str) -> None:
        """Removes a run and all that is stored of it. Whoever is killed meanwhile leaves it whole or gone."""
        ...

    def save(self, run: str, outcomes: Sequence[Outcome]) -> None:
        """Commits outcomes of consecutive replications of one scenario, all at once. Raises StoreError."""
        ...

    def coverage(self, run: str) -> Coverage: ...

    def ledger(self, run: str, scenario: str) -> Iterator[Table]:
        """How each stored replication ended, ordered by replication, in chunks (columns: see Row)."""
        ...

    def tables(self, run: str) -> Mapping[str, Sequence[Schema]]:
        """Each table of the run (`metrics` first) with the distinct schemas in which it was stored."""
        ...

    def rows(self, run: str, table: str, scenario: str) -> Iterator[Table]:
        """The rows of a table that successful replications returned, ordered by replication, in chunks.

        Chunks begin with the columns `scenario` and `replication`; their other columns may differ in presence and type.
        """
        ...

    def damage(self, run: str) -> Iterator[Damage]:
        """Reads everything that is stored of the run's replications, and says what does not fit its digest."""
        ...

    def set_aside(self, run: str, damage: Sequence[Damage]) -> None:
        """From now on these count as missing, and what is saved in their place answers; nothing is overwritten.

        What writers that died left half-written is removed, also where there is no damage.
        """
        ...

    def artefacts(self, run: str, scenario: str | None = None, replication: int | None = None) -> Iterable[str]: ...

    def keep_summary(self, run: str, make: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
        """Puts the summary beside the results, if there is a place for it; else `make` is not called."""
        ...

    def collated(self, run: str, folder: Path) -> dict[str, Path] | None:
        """Copies what was collated beside the store to `folder`, where not all can be seen from here; else None."""
        ...


class Place(Protocol):
    """Carries a run to its end. Named by text: `local`, `serial`, `slurm`, `dask://HOST:PORT`, `NAME://ADDRESS`."""

    name: str
    """Opens the same place from any process."""

    goes_on: bool
    """Whether what was started there goes on when the process that watches it ends."""

    def store(self) -> Store | None:
        """Its own, where the user names none. Raises RequestError where it should be there and is not."""
        ...

    def check(self, record: RunRecord, store: Store) -> None:
        """Raises RequestError before anything is spent: for limits, price, access, a store that is out of reach."""
        ...

    def conduct(
        self, record: RunRecord, store: Store, watch: Watch, redo: Mapping[str, Iterable[int]] | None = None
    ) -> Conclusion:
        """Has all that is missing performed, and `redo` (replications by scenario) once more.

        Raises ExecutorError, StoreError, ModelError and Interrupted.
        """
        ...

    def leave(self, record: RunRecord, store: Store) -> str:
        """Has the run go on without this process; returns what goes on with it, for a person."""
        ...

    def at_work(self, record: RunRecord, store: Store) -> AtWork | None:
        """Who is at work on the run at this moment."""
        ...

    def cancel(self, record: RunRecord, store: Store) -> None:
        """Stops what is at work on the run, whoever started it."""
        ...
