"""From a request to a run: its source copied, its parameters checked, its record written, its work done."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from replicast.asking.locating import Located, locate
from replicast.asking.missing import remedy
from replicast.asking.request import (
    Request,
    continue_record,
    draft,
    existing_record,
    new_record,
    options_of,
    replications_of,
    settle,
)
from replicast.asking.roots import choice_of
from replicast.asking.settings import default_store, inside_worker
from replicast.asking.source import find_source
from replicast.conducting.conductor import Conclusion, Ending, FixedRule, Progress, Rule, Watch, conduct
from replicast.conducting.presence import refuse_company
from replicast.core.errors import ModelError, RequestError, nearest
from replicast.core.experiment import Experiment
from replicast.core.parameters import Signature
from replicast.core.ports import Executor, Store
from replicast.core.record import NAME, Options, RunRecord
from replicast.executors.pool import Pool
from replicast.executors.serial import Serial
from replicast.performing.copies import Source, check_out
from replicast.performing.worker import Assignment
from replicast.stores import open_store

EXECUTORS = ("local", "serial", "aws")
DEFAULT_STACK = "replicast"


def local_files_of(url: str) -> list[Path]:
    """What a store keeps on this machine's disk, which is no part of a model that lies beside it."""
    if url.startswith("sqlite:///"):
        file = url.removeprefix("sqlite:///").partition("?")[0]
        return [Path(file + suffix) for suffix in ("", "-wal", "-shm", "-journal")]
    return [Path(url.removeprefix("file://"))] if "://" not in url or url.startswith("file://") else []


def open_named_store(url: str) -> Store:
    """As `open_store`, where S3 is had with boto3's credentials (profiles, single sign-on) if boto3 is there.

    `aws://STACK` is the store of a stack, be it the bucket or a database.
    """
    if url.startswith("aws://"):
        from replicast.aws.access import Aws
        from replicast.aws.commands import store_named

        return store_named(Aws(), url)
    if url.startswith("s3://") and importlib.util.find_spec("boto3"):
        from replicast.aws.access import Aws

        return Aws().store(url)
    return open_store(url)


def ignore_progress(_progress: Progress) -> None:
    """For runs that nobody watches."""


class Preparation:
    """A request on its way to a run: `create` writes the run to its store, `conduct` has it carried out."""

    def __init__(
        self,
        request: Request,
        *,
        on: str = "local",
        store_url: str | None = None,
        without: Sequence[Path] = (),
        stack: str | None = None,
        pool: Pool | None = None,
    ) -> None:
        """`pool` is one whose processes were started beforehand; whoever started it closes it."""
        if inside_worker():
            raise RequestError(
                "this model starts a run itself while it is being simulated; "
                "put what starts the run under: if __name__ == '__main__':"
            )
        if on not in EXECUTORS:
            raise RequestError(f"there is no executor '{on}'{nearest(on, EXECUTORS)}")
        self.request, self.on, self._cloud_stack = request, on, stack or DEFAULT_STACK
        self._given_url = store_url or (request.file.get("store") if request.file else None)
        self._url = self._given_url or default_store()
        self._without = [*without, *local_files_of(self._url)]
        self._stack, self._early = ExitStack(), pool
        self._record: RunRecord | None = None
        self.is_new = True

    def __enter__(self) -> Preparation:
        try:
            self.located = locate(self.request)
            self._draft = draft(self.request, self.located)
            options = options_of(self.request)
            self.pool = self._early or self._stack.enter_context(Pool(Path(), self._draft))
            self.pool.experiment, self.pool.project = self._draft, self.located.folder
            self.pool.limit(options.workers or self.pool.workers)
            self.pool.folder = self.pool.scratch / "model"
            self.pool.warm_up(self._useful_workers())
            self.store: Store = self._open_store()
            self.source = self.stage(self.pool.folder)
            self.signature = self._described()
            self.experiment = settle(self.request, self._draft, self.signature)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _described(self) -> Signature:
        """What the model says of itself. Raises ModelError, with the way to what was left out of its source."""
        try:
            return self.pool.describe()
        except ModelError as error:
            hint = remedy(f"{error}\n{error.detail}", self.source.folder, self.source.left_out)
            raise ModelError(f"{error}; {hint}" if hint else str(error), error.detail) from None

    def _open_store(self) -> Store:
        """The store asked for; for a run on AWS without one, the bucket of the stack, which has to be there."""
        if self.on == "aws" and self._given_url is None:
            from replicast.aws.access import Aws
            from replicast.aws.commands import store_of
            from replicast.aws.stack import Stack

            aws = Aws()
            return store_of(aws, Stack(aws, self._cloud_stack).require())
        store = open_named_store(self._url)
        if "://" not in self._url:
            from replicast.stores.objects import can_be_written  # imports obstore, which databases do without

            if not can_be_written(Path(self._url)):
                raise RequestError(f"the store '{store.label}' cannot be written; name another folder with --store")
        if self.on != "aws" and (why := getattr(store, "why", "")):
            raise RequestError(f"results cannot be kept in '{store.label}' from here: {why}; run it there: --on aws")
        return store

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
        source = find_source(located.folder, located.needed, self._without, choice_of(self.request))
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
            refuse_company(self.store, old.id)
            self._record = continue_record(self.request, old, self.experiment, self.source)
            self.source.only(old.files).save(self.store, old.id)
            self.store.write(old.id, NAME, self._record.to_json())
            return self._record
        record = new_record(self.request, self.experiment, self.source, self.signature)
        self._record = replace(record, executor=self.on, stack=self._cloud_stack if self.on == "aws" else "")
        if not self.store.write(record.id, NAME, self._record.to_json(), new=True):
            return self.create()
        self.source.save(self.store, record.id)
        return self._record

    def conduct(self, watch: Watch = ignore_progress) -> Conclusion:
        if self.on == "serial":
            function, project = self.located.function, self.located.folder
            with Serial(self.pool.folder, self.experiment, function=function, project=project) as serial:
                return conduct_locally(self.record, self.store, serial, watch)
        if self.on == "aws":
            return conduct_on_aws(self.record, self.store, watch)
        return conduct_locally(self.record, self.store, self.pool, watch)

    def leave_to_the_cloud(self) -> str:
        """Starts the run on AWS, which conducts it to its end; returns the execution's ARN."""
        from replicast.aws.access import Aws
        from replicast.aws.commands import executor_of, start_detached

        return start_detached(executor_of(Aws(), self.record, self.store, self._cloud_stack)).id


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
    record: RunRecord,
    store: Store,
    pool: Pool | Serial,
    watch: Watch,
    redo: Mapping[str, Iterable[int]] | None = None,
    *,
    join: bool = False,
) -> Conclusion:
    assignment = Assignment(record.id, record.experiment, record.options.retries, worker=f"{record.host}/")
    pool.join(assignment, store, record.options.timeout_seconds)
    return _conduct(record, store, pool, watch, redo, join=join)


def conduct_on_aws(
    record: RunRecord, store: Store, watch: Watch, redo: Mapping[str, Iterable[int]] | None = None
) -> Conclusion:
    """Has the stack's state machine carry the run out, and watches. Raises RequestError where there is no stack."""
    from replicast.aws.access import Aws
    from replicast.aws.commands import executor_of

    executor = executor_of(Aws(), record, store, record.stack or DEFAULT_STACK)
    return _conduct(record, executor.store, executor, watch, redo)


def _conduct(
    record: RunRecord,
    store: Store,
    executor: Executor,
    watch: Watch,
    redo: Mapping[str, Iterable[int]] | None,
    *,
    join: bool = False,
) -> Conclusion:
    conclusion = conduct(record, store, executor, rule_of(record), watch, redo=redo, join=join)
    if record.options.precision and conclusion.ending is Ending.DONE:
        record = replace(record, planned=conclusion.planned)
        store.write(record.id, NAME, record.to_json())
    keep_summary(record, store)
    return conclusion


def keep_summary(record: RunRecord, store: Store) -> None:
    """Puts the aggregate beside the replications, in stores that have a place for it: databases."""
    save = getattr(store, "save_summary", None)
    if save is not None:
        from replicast.reporting.summary import summarise_run

        save(record.id, summarise_run(store, record).to_dicts())


def rule_of(record: RunRecord) -> Rule:
    """The rule that a run was started with."""
    if not record.options.precision:
        return FixedRule(tuple(s.name for s in record.experiment.scenarios), record.replications)
    from replicast.conducting.rules import precise_rule  # imports numpy, which the first result does not wait for

    return precise_rule(record)


def given_function(record: RunRecord, function: Callable[..., Any] | None) -> Callable[..., Any]:
    if function is None:
        raise RequestError(
            f"run {record.id} is of a function that no file defines, so this process does not have it; "
            "resume it from Python with Run.resume(function=...)"
        )
    return function


def project_of(record: RunRecord) -> Path:
    """The folder that a run's source was copied from, where it is on this machine; else the working directory."""
    project = Path(record.project) if record.project else None
    return project if project is not None and project.is_dir() else Path.cwd()


def pool_for(
    store: Store,
    record: RunRecord,
    *,
    workers: int | None = None,
    function: Callable[..., Any] | None = None,
    experiment: Experiment | None = None,
) -> Pool:
    """A pool over the run's stored copy of its source."""
    workers = workers or record.options.workers
    pool = Pool(Path(), experiment or record.experiment, workers=workers, project=project_of(record))
    try:
        pool.folder = pool.scratch / "model"
        if record.experiment.model.language == "callable":
            stage_callable(given_function(record, function), pool.folder)
        else:
            check_out(store, record.id, pool.folder, list(record.files))
    except BaseException:
        pool.close()
        raise
    return pool
