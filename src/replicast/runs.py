"""`run()` and `Run`: what users call. It picks the model, the store and the executor by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicast.conductor import (
    CANCEL,
    Conclusion,
    Ending,
    FixedRule,
    Progress,
    Rule,
    Watch,
    conduct,
    someone_at_work,
)
from replicast.core.errors import RequestError, RunNotFound, nearest
from replicast.core.experiment import Experiment, Signature
from replicast.core.planning import count
from replicast.core.ports import Store
from replicast.core.record import NAME, Options, RunRecord, check_replications
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
from replicast.settings import default_store, inside_worker, read_experiment_file
from replicast.source import Source, check_out, find_source
from replicast.stores import open_store
from replicast.worker import Assignment

if TYPE_CHECKING:
    from replicast.checking import Comparison
    from replicast.reporting.collate import Collated
    from replicast.reporting.rows import Rows
    from replicast.reporting.summary import Summary

EXECUTORS = ("local", "serial", "aws")


def ignore_progress(_progress: Progress) -> None:
    """For runs that nobody watches."""


def run(
    model: str | Callable[..., Any] | None = None,
    n: int | None = None,
    *,
    seed: int | None = None,
    params: Mapping[str, Any] | None = None,
    scenarios: Mapping[str, Mapping[str, Any]] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    design: str | Path | Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    experiment: str | Path | None = None,
    command: Sequence[str] = (),
    on: str = "local",
    workers: int | None = None,
    store: str | None = None,
    name: str | None = None,
    timeout: float | None = None,
    retries: int | None = None,
    tolerate: str | int | None = None,
    precision: str | None = None,
    maximum: int | None = None,
    keep: str | None = None,
    collate: str | None = None,
    streams: str | None = None,
    common: bool | None = None,
    watch: Watch = ignore_progress,
) -> Run:
    """Runs `n` replications of a model for each scenario, and returns the run, whose results are stored.

    `model` is a file (`model.py[:function]`, `model.R[:function]`), an importable `package.module:function`, or a
    callable. `design` is a CSV file with a scenario a row, a table as in experiment.toml (`{"sobol": 64, "ranges":
    {"beds": [5, 20]}}`), or a list of parameter sets. `timeout` is in seconds a replication.
    `tolerate` is a count or a share such as "5%". A `seed` that is not given is chosen, and recorded. Raises RequestError before anything runs where the request is wrong, ExecutorError
    and StoreError where the work cannot go on; a model's own errors are stored, see `Run.failures`.
    """
    request = Request(
        model=model, command=command, replications=n, seed=seed, parameters=params or {}, scenarios=scenarios or {},
        grid=grid or {}, design=design, streams=streams, common=common, keep=keep, collate=collate, name=name,
        timeout_seconds=timeout, retries=retries, tolerate=None if tolerate is None else str(tolerate),
        precision=precision, maximum=maximum, workers=workers,
        file=None if experiment is None else read_experiment_file(Path(experiment)),
    )  # fmt: skip
    with Preparation(request, on=on, store_url=store) as preparation:
        preparation.create()
        preparation.conduct(watch)
        return preparation.run


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

    @property
    def run(self) -> Run:
        return Run(self.store, self.record.id)

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


def find_run(store: Store, name: str) -> RunRecord:
    """The run of that ID, that unique prefix of one, or the `latest`. Raises RunNotFound."""
    known = store.runs()
    if name == "latest":
        if not known:
            raise RunNotFound(f"there is no run in '{store.label}'")
        records = [_read_record(store, run) for run in known]
        return max(records, key=lambda record: (record.created, record.id))
    matching = [run for run in known if run == name] or [run for run in known if run.startswith(name)]
    if len(matching) > 1:
        listed = ", ".join(matching[:5])
        raise RunNotFound(f"'{name}' is the beginning of {len(matching)} runs: {listed}; give more of it")
    if not matching:
        raise RunNotFound(f"there is no run '{name}' in '{store.label}'{nearest(name, known)}")
    return _read_record(store, matching[0])


def _read_record(store: Store, run: str) -> RunRecord:
    content = store.read(run, NAME)
    if content is None:
        raise RunNotFound(f"there is no run '{run}' in '{store.label}'")
    return RunRecord.from_json(content, f"{NAME} of run {run}")


@dataclass(frozen=True, slots=True)
class Status:
    """How a run stands. `state`: running, done, cancelled, or incomplete (nobody is at work on it)."""

    id: str
    state: str
    planned: int
    done: int
    failed: int
    created: str
    model: str
    scenarios: int
    seed: int
    at_work: Mapping[str, Any] | None


class Run:
    """A run in its store: a handle that costs nothing and outlives whatever carried the run out."""

    def __init__(self, store: Store | str, name: str = "latest") -> None:
        self.store = open_store(store) if isinstance(store, str) else store
        self._record = find_run(self.store, name)

    @property
    def id(self) -> str:
        return self._record.id

    @property
    def record(self) -> RunRecord:
        return self._record

    def __repr__(self) -> str:
        return f"<Run {self.id} of {self.record.experiment.model.label} in {self.store.label}>"

    def status(self) -> Status:
        record, coverage = self.record, self.store.coverage(self.id)
        names = [scenario.name for scenario in record.experiment.scenarios]
        planned = sum(record.planned_for(name) for name in names)
        done = sum(count(coverage.done(name)) for name in names)
        at_work = someone_at_work(self.store, self.id)
        cancelled = self.store.read(self.id, CANCEL) is not None
        state = "running" if at_work else "done" if done >= planned else "cancelled" if cancelled else "incomplete"
        return Status(
            self.id, state, max(planned, done), done, sum(len(coverage.failed(name)) for name in names),
            record.created, record.experiment.model.label, len(names), record.experiment.seed, at_work,
        )  # fmt: skip

    def summary(self, confidence: float = 0.95) -> Summary:
        from replicast.reporting.summary import summarise_run

        return summarise_run(self.store, self.record, confidence=confidence)

    def metrics(self) -> Rows:
        """A row per successful replication, a column per metric."""
        return self.table("metrics")

    def table(self, name: str) -> Rows:
        """The rows of a model's table from all successful replications, ordered by scenario and replication."""
        from replicast.reporting.rows import Rows

        return Rows.of_table(self.store, self.record, name)

    @property
    def tables(self) -> list[str]:
        from replicast.reporting.tables import RunTables

        return RunTables(self.store, self.record).names

    def failures(self) -> Rows:
        """A row per failed replication: scenario, replication, kind, type, message, traceback, log, attempts."""
        from replicast.reporting.rows import Rows

        return Rows.of_failures(self.store, self.record)

    def collate(self, folder: str | Path, **options: Any) -> Collated:
        """Writes every table to `folder`; see `replicast.reporting.collate`. A model's own collate is called too."""
        from replicast.reporting.own_collation import collate_run

        return collate_run(self.store, self.record, Path(folder), run=self, **options)

    def cancel(self) -> None:
        """Asks whoever conducts the run to stop; no further replication is started after about a second."""
        self.store.write(self.id, CANCEL, json.dumps({"time": datetime.now(UTC).isoformat()}).encode())

    def replay(self, replication: int, scenario: str | None = None) -> Comparison:
        """Simulates one stored replication again, here, and compares it with what is stored."""
        from replicast.checking import compare_again

        chosen = self.record.experiment.scenario(scenario) if scenario else self.record.experiment.scenarios[0]
        if replication < 1:
            raise RequestError(f"replications are numbered from 1, and {replication} is not")
        with pool_for(self.store, self.record, workers=1) as pool:
            return next(iter(compare_again(pool, self.record, self.store, {chosen.name: [replication]})))

    def verify(self, size: int = 5, *, workers: int | None = None) -> list[Comparison]:
        """Simulates a random sample of each scenario's stored replications again and compares them."""
        from replicast.checking import compare_again, sample

        coverage = self.store.coverage(self.id)
        done = {s.name: coverage.done(s.name) for s in self.record.experiment.scenarios}
        with pool_for(self.store, self.record, workers=workers) as pool:
            return list(compare_again(pool, self.record, self.store, sample(self.record, done, size)))

    def resume(
        self,
        n: int | None = None,
        *,
        retry_failed: bool = False,
        workers: int | None = None,
        watch: Watch = ignore_progress,
        function: Callable[..., Any] | None = None,
    ) -> Conclusion:
        """Computes what is missing of `n` replications a scenario in all (as planned before, if not given).

        `retry_failed` tries failed replications again. A run of a callable needs that `function` again.
        """
        if n is not None and check_replications(n) > self.record.replications:
            self._record = self.record.with_replications(n)
            self.store.write(self.id, NAME, self._record.to_json())
        redo = None
        if retry_failed:
            coverage = self.store.coverage(self.id)
            redo = {s.name: coverage.failed(s.name) for s in self.record.experiment.scenarios}
        with pool_for(self.store, self.record, workers=workers, function=function) as pool:
            conclusion = conduct_locally(self.record, self.store, pool, watch, redo)
        self._record = find_run(self.store, self.id)
        return conclusion


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


__all__ = ["Conclusion", "Ending", "Preparation", "Run", "Signature", "Status", "find_run", "pool_for", "run"]
