"""From a request to a run: its source copied, its parameters checked, its record written, its work done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from replicast.conductor import Conclusion, Ending, FixedRule, Progress, Rule, Watch, conduct
from replicast.core.errors import RequestError, nearest
from replicast.core.experiment import Experiment
from replicast.core.ports import Store
from replicast.core.record import NAME, Options, RunRecord
from replicast.executors.pool import Pool
from replicast.executors.serial import Serial
from replicast.request import (
    Located,
    Request,
    continue_record,
    draft,
    existing_record,
    locate,
    new_record,
    options_of,
    replications_of,
    settle,
)
from replicast.settings import default_store, inside_worker
from replicast.source import Source, check_out, find_source
from replicast.stores import open_store
from replicast.worker import Assignment

EXECUTORS = ("local", "serial", "aws")


def ignore_progress(_progress: Progress) -> None:
    """For runs that nobody watches."""


class Preparation:
    """A request on its way to a run: `create` writes the run to its store, `conduct` has it carried out."""

    def __init__(
        self, request: Request, *, on: str = "local", store_url: str | None = None, without: Sequence[Path] = ()
    ) -> None:
        if inside_worker():
            raise RequestError(
                "this model starts a run itself while it is being simulated; "
                "put what starts the run under: if __name__ == '__main__':"
            )
        if on not in EXECUTORS:
            raise RequestError(f"there is no executor '{on}'{nearest(on, EXECUTORS)}")
        self.request, self.on = request, on
        self._url = store_url or (request.file.get("store") if request.file else None) or default_store()
        self._without = [*without, *([Path(self._url)] if "://" not in self._url else [])]
        self._stack = ExitStack()
        self._record: RunRecord | None = None
        self.is_new = True

    def __enter__(self) -> Preparation:
        try:
            self.located = locate(self.request)
            self._draft = draft(self.request, self.located)
            options = options_of(self.request)
            self.pool = self._stack.enter_context(Pool(Path(), self._draft, workers=options.workers))
            self.pool.folder = self.pool.scratch / "model"
            self.pool.warm_up(self._useful_workers())
            self.store: Store = open_store(self._url)
            self.source = self.stage(self.pool.folder)
            self.signature = self.pool.describe()
            self.experiment = settle(self.request, self._draft, self.signature)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _useful_workers(self) -> int:
        """Processes that are worth starting at once, while this one still gets ready."""
        if self.on != "local":
            return 1
        return replications_of(self.request) * len(self._draft.scenarios)

    @property
    def options(self) -> Options:
        return options_of(self.request)

    def stage(self, folder: Path) -> Source:
        """Copies the source to `folder`, where workers run it."""
        located: Located = self.located
        if located.function is not None:
            return stage_callable(located.function, folder)
        source = find_source(located.folder, located.needed, self._without)
        source.copy_to(folder)
        return source

    @property
    def record(self) -> RunRecord:
        assert self._record is not None
        return self._record

    def create(self) -> RunRecord:
        """Writes the run's record and source, or finds the run of that name and goes on with it. Raises RunChanged."""
        old = existing_record(self.store, self.request)
        if old is not None:
            self.is_new = False
            self._record = continue_record(self.request, old, self.experiment, self.source)
            self.store.write(old.id, NAME, self._record.to_json())
            return self._record
        self._record = new_record(self.request, self.experiment, self.source, self.signature)
        self.source.save(self.store, self._record.id)
        if not self.store.write(self._record.id, NAME, self._record.to_json(), new=True):
            return self.create()
        return self._record

    def conduct(self, watch: Watch = ignore_progress) -> Conclusion:
        if self.on == "serial":
            with Serial(self.pool.folder, self.experiment, function=self.located.function) as serial:
                return conduct_locally(self.record, self.store, serial, watch)
        return conduct_locally(self.record, self.store, self.pool, watch)


def stage_callable(function: Callable[..., Any], folder: Path) -> Source:
    """Keeps a function that no file defines for the worker processes of this machine; it is stored nowhere else."""
    try:
        import cloudpickle
    except ImportError:
        raise RequestError(
            "a function that no file defines needs cloudpickle: python -m pip install 'replicast[notebook]'; "
            "or put the function in a file and name it"
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "callable.pickle").write_bytes(cloudpickle.dumps(function))
    return Source(folder, {})


def conduct_locally(
    record: RunRecord, store: Store, pool: Pool | Serial, watch: Watch, redo: Mapping[str, Iterable[int]] | None = None
) -> Conclusion:
    assignment = Assignment(record.id, record.experiment, record.options.retries, worker=f"{record.host}/")
    pool.join(assignment, store, record.options.timeout_seconds)
    conclusion = conduct(record, store, pool, rule_of(record), watch, redo=redo)
    if record.options.precision and conclusion.ending is Ending.DONE:
        store.write(record.id, NAME, replace(record, planned=conclusion.planned).to_json())
    return conclusion


def rule_of(record: RunRecord) -> Rule:
    """The rule that a run was started with."""
    if not record.options.precision:
        return FixedRule(tuple(s.name for s in record.experiment.scenarios), record.replications)
    from replicast.rules import precise_rule  # imports numpy, which the first result does not wait for

    return precise_rule(record)


def given_function(record: RunRecord, function: Callable[..., Any] | None) -> Callable[..., Any]:
    if function is None:
        raise RequestError(
            f"run {record.id} is of a function that no file defines, so this process does not have it; "
            "resume it from Python with Run.resume(function=...)"
        )
    return function


def pool_for(
    store: Store,
    record: RunRecord,
    *,
    workers: int | None = None,
    function: Callable[..., Any] | None = None,
    experiment: Experiment | None = None,
) -> Pool:
    """A pool over the run's stored copy of its source."""
    pool = Pool(Path(), experiment or record.experiment, workers=workers or record.options.workers)
    try:
        pool.folder = pool.scratch / "model"
        if record.experiment.model.language == "callable":
            stage_callable(given_function(record, function), pool.folder)
        else:
            check_out(store, record.id, pool.folder)
    except BaseException:
        pool.close()
        raise
    return pool
