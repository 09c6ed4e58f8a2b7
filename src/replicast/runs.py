"""`run()` and `Run`: what users call. It picks the model, the store and the place by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicast.asking.continuing import changes_of, edited_in_project, ready_elsewhere, ready_to_go_on
from replicast.asking.finding import find_run
from replicast.asking.given_function import function_for
from replicast.asking.preparation import Preparation, check_working_folder
from replicast.asking.request import Request
from replicast.asking.settings import default_store, read_experiment_file
from replicast.conducting.mending import set_aside_damage
from replicast.conducting.presence import refuse_company
from replicast.conducting.status import Status, status_of
from replicast.conducting.systems import other_systems
from replicast.core.commands import command as hint
from replicast.core.errors import RequestError, StoreError
from replicast.core.given import check_choice, whole_number
from replicast.core.ports import Damage, Place, Store, Work
from replicast.core.progress import Conclusion, Watch, ignore_progress
from replicast.core.record import NAME, RunRecord, check_more
from replicast.core.segments import edits_of
from replicast.core.spoken import speaks_python
from replicast.performing.copies import damaged_source
from replicast.places import AtHand, open_place
from replicast.places.registry import kind_of
from replicast.reporting.answers import Answers
from replicast.reporting.failed import OnFailure, tell_of_failures
from replicast.reporting.keeping import Keeping
from replicast.reporting.noted import damaged_notes
from replicast.stores import open_named_store
from replicast.verifying.snippet import Snippets

if TYPE_CHECKING:
    from replicast.core.choosing import Selection
    from replicast.core.stopping import Judgement
    from replicast.executors.pool import Pool
    from replicast.reporting.summary import Summary
    from replicast.verifying.checking import Comparison


@speaks_python
def run(
    model: str | Path | Callable[..., Any] | None = None, n: int | None = None, *, seed: int | None = None,
    params: Mapping[str, Any] | None = None, scenarios: Mapping[str, Mapping[str, Any]] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    design: str | Path | Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    experiment: str | Path | None = None, command: Sequence[str] = (),
    on: str = "local", options: Mapping[str, Any] | None = None, workers: int | None = None,
    store: str | Path | None = None, name: str | None = None,
    timeout: float | None = None, memory: str | int | None = None, retries: int | None = None,
    tolerate: str | int | None = None,
    precision: str | None = None, maximum: int | None = None, look_ahead: int | None = None,
    select: str | None = None, indifference: float | None = None, budget: int | None = None,
    control: Mapping[str, float] | None = None, keep: str | None = None, collate: str | None = None,
    streams: str | None = None, common: bool | None = None, antithetic: bool | None = None,
    project: str | Path | None = None, watch: Watch | None = None, on_failure: OnFailure = "warn",
) -> Run:  # fmt: skip
    """Runs `n` replications of a model for each scenario, and returns the run, whose results are stored.

    The experiment: `model` is a file (`model.py[:function]`, `model.R[:function]`), an importable
    `package.module:function`, or a callable; `command` is a program with its arguments instead. `params` are of every
    scenario, `scenarios` their parameters by name, `grid` values of which every combination is a scenario, and `design`
    a CSV file with a scenario a row, a table as in experiment.toml (`{"sobol": 64, "ranges": {"beds": [5, 20]}}`), or a
    list of parameter sets. `seed` decides all random numbers; one that is not given is chosen, and recorded. `streams`
    is "parallel", "future", "doRNG" or "own"; with `common=False` scenarios share none; `antithetic` runs replications
    in pairs, of which the second mirrors the first. `experiment` is an experiment.toml that says what is not said here.

    How many: `precision` ("wait=5%") goes on until the half-width is that small, in `look_ahead` further replications
    too; `select` ("cost=lower") until the best scenario is found, up to an `indifference`, or by a `budget` of
    replications in all; neither beyond a `maximum` of each scenario. `control` has the known true means of metrics.

    Where and how: `on` names the place, `options` are its own (`{"partition": "long"}` of "slurm"), `workers` processes
    at once. `store` is a folder or a URL, `name` the run's ID. `timeout` is in seconds a replication, `memory` what a
    worker with all that it starts may use ("2GB"); one that died is tried again `retries` times. `tolerate` is how many
    may fail, a count or a share ("5%"). `keep` "rds" or "files" keeps these too, `collate` is the model's own
    collation, `project` the folder that travels with the model, and `watch` is called with a Progress now and then.

    Raises RequestError before anything runs where the request is wrong, ExecutorError and StoreError where the work
    cannot go on; a model's own errors are stored, see `Run.failures`. Where all replications of a scenario failed,
    `on_failure` "warn" gives a FailureWarning; "raise" raises ReplicationsFailed where more failed than `tolerate`
    allows; "ignore" leaves both.
    """
    check_choice(on_failure, ("raise", "warn", "ignore"), "on_failure")
    request = Request(
        model=model, command=command, replications=n, seed=seed, parameters=params or {}, scenarios=scenarios or {},
        grid=grid or {}, design=design, streams=streams, common=common, antithetic=antithetic, keep=keep,
        collate=collate, name=name, timeout_seconds=timeout, memory=memory, retries=retries,
        tolerate=None if tolerate is None else str(tolerate), precision=precision, maximum=maximum,
        look_ahead=look_ahead, select=select, indifference=indifference, budget=budget, control=control or {},
        workers=workers, project=project, file=None if experiment is None else read_experiment_file(Path(experiment)),
    )  # fmt: skip
    with Preparation(request, on=on, options=options, store_url=None if store is None else str(store)) as preparation:
        finished, conclusion = _carried_out(preparation, watch or ignore_progress)
    if conclusion.failed and on_failure != "ignore":
        tell_of_failures(finished, conclusion, on_failure)
    return finished


def _carried_out(preparation: Preparation, watch: Watch) -> tuple[Run, Conclusion]:
    preparation.create()
    conclusion = preparation.conduct(watch)
    finished = Run(preparation.store, preparation.record.id)
    finished._function = preparation.located.function
    finished.keep_summary()
    return finished, conclusion


class Run(Answers, Keeping, Snippets):
    """A run in its store: a handle that costs nothing and outlives whatever carried the run out.

    `store` is a URL, a folder or a store; `name` the run's ID, a unique beginning of it, or "latest".
    """

    def __init__(self, store: Store | str | Path, name: str = "latest") -> None:
        check_working_folder()
        self.store = open_named_store(str(store)) if isinstance(store, str | Path) else store
        self.left_out: list[str] = []
        """Runs that cannot be read, and so were not taken for the latest."""
        self._record = find_run(self.store, name, self.left_out)
        self._final: Summary | None = None
        self._function: Callable[..., Any] | None = None
        self._is_sound = False
        self.mended: list[Damage] = []
        """What `resume` found damaged, and computed again."""
        self.changes: list[str] = []
        """What the run is made of otherwise than when it was stored, as far as `replay` or `verify` has looked."""
        self.performed_on: list[str] = []
        """What is otherwise here than on the systems elsewhere that performed it, as far as those have looked."""

    @property
    def id(self) -> str:
        return self._record.id

    @property
    def record(self) -> RunRecord:
        return self._record

    def __repr__(self) -> str:
        return f"<Run {self.id} of {self.record.experiment.model.label} in {self.store.label}>"

    def _repr_html_(self) -> str:
        from replicast.reporting.shown import run_as_html

        found = self.status()
        return run_as_html(self.store, self.record, found.state, found.done, found.planned, found.failed)

    def status(self) -> Status:
        """How far the run is, and who is at work on it."""
        # Asked before the coverage: whoever leaves in between has stored everything by then.
        at_work = self.place().at_work(self.record, self.store)
        return status_of(self.store, self.record, at_work)

    def place(self, at_hand: AtHand | None = None) -> Place:
        """Where the run is carried out, or was last; `at_hand` is what this process has for it already."""
        return open_place(self.record.place, self.record.place_options, at_hand)

    def selection(self) -> Selection | None:
        """How the search for the best scenario stands that the run was asked for with `select`; None where none was."""
        if not self.record.options.select:
            return None
        from replicast.conducting.rules import select_run

        return select_run(self.store, self.record)

    def precision(self) -> dict[str, Judgement]:
        """How each scenario stands to the precision that the run was asked for; nothing where none was."""
        if not self.record.options.precision:
            return {}
        from replicast.conducting.rules import judge_run

        return judge_run(self.store, self.record)

    def cancel(self) -> None:
        """Asks whoever conducts the run to stop; no further replication is started after about a second."""
        self.place().cancel(self.record, self.store)

    @speaks_python
    def replay(
        self, replication: int, scenario: str | None = None, *, function: Callable[..., Any] | None = None
    ) -> Comparison:
        """Simulates the stored `replication` of a `scenario` (the first, if not given) again, here, and compares them.

        A run of a function that no file defines needs that `function` again, except in the session that made the run.
        """
        from replicast.verifying.checking import compare_again

        chosen, replication = self._replication(scenario, replication)
        with self._pool(1, function_for(self.record, function, self._function)) as pool:
            self.changes = changes_of(self.record, pool)
            self.performed_on = other_systems(self.store, self.record)
            return next(iter(compare_again(pool, self.record, self.store, {chosen.name: [replication]})))

    @speaks_python
    def verify(
        self, size: int = 5, *, workers: int | None = None, function: Callable[..., Any] | None = None
    ) -> list[Comparison]:
        """Simulates `size` stored replications of each scenario, drawn at random, again and compares them.

        `workers` are processes at once; `function` is as in `replay`.
        """
        from replicast.verifying.checking import compare_again, sample

        coverage = self.store.coverage(self.id)
        done = {s.name: coverage.done(s.name) for s in self.record.experiment.scenarios}
        with self._pool(workers, function_for(self.record, function, self._function)) as pool:
            self.changes = changes_of(self.record, pool)
            self.performed_on = other_systems(self.store, self.record)
            return list(compare_again(pool, self.record, self.store, sample(self.record, done, size)))

    def _pool(self, workers: int | None, function: Callable[..., Any] | None = None) -> Pool:
        """Processes of this machine over the run's copy of its source."""
        from replicast.executors.pool import Pool
        from replicast.performing.copies import project_of

        record = self.record
        workers = workers or record.options.workers
        pool = Pool(None, record.experiment, workers=workers, project=project_of(record), function=function)
        try:
            pool.check_out(replace(Work.of(record, self.store), files={}))  # what differs is said by who asked
        except BaseException:
            pool.close()
            raise
        return pool

    def mend(self) -> list[Damage]:
        """Sets aside what no longer is what was stored, so that `resume` computes it again; says what that is."""
        looked, self._is_sound = self._is_sound, True
        return [] if looked else set_aside_damage(self.store, self.id)

    def damage(self) -> list[str]:
        """What is stored and no longer is what was stored, by its digests; nothing is simulated, nothing changed."""
        said = [*edits_of(self.record), *damaged_source(self.store, self.id, self.record.files)]
        return [*said, *damaged_notes(self.store, self.id), *map(str, self.store.damage(self.id))]

    @speaks_python
    def resume(
        self,
        n: int | None = None,
        *,
        on: str | None = None,
        options: Mapping[str, Any] | None = None,
        retry_failed: bool = False,
        workers: int | None = None,
        watch: Watch | None = None,
        function: Callable[..., Any] | None = None,
        join: bool = False,
        accept_changes: bool = False,
    ) -> Conclusion:
        """Computes what is missing of `n` replications a scenario in all (as planned before, if not given).

        `on` has it done elsewhere than before, with that place's `options`. `retry_failed` tries failed replications
        again. A run of a callable needs that `function` again. Where another process is at work on the run, this is
        refused, unless to `join` it and share the work. `workers` and `watch` are as in `run`. Raises RunChanged where
        the run's copy, its packages or code from elsewhere are not what they were; with `accept_changes` it goes on,
        and every summary says so.
        """
        n, record = check_more(self.record, whole_number(n, "n")), self.record
        if not join:
            refuse_company(self.store, self.id)
        function = function_for(self.record, function)
        with ExitStack() as stack:
            pool = None
            if kind_of(on or record.place).own_packages:
                record = ready_elsewhere(record, self.store, accept=accept_changes)
            else:
                pool = stack.enter_context(self._pool(workers, function))
                record = ready_to_go_on(record, self.store, pool, accept=accept_changes)
            if n is not None and n > record.replications:
                record = record.with_replications(n)
            record = _placed(record, on, options)
            at_hand = AtHand(workers=workers, function=function, join=join, pool=pool)
            place = open_place(record.place, record.place_options, at_hand)
            place.check(record, self.store)
            self.mended = self.mend()
            self._write(record)
            redo = self._failed() if retry_failed else None
            conclusion = place.conduct(record, self.store, watch or ignore_progress, redo)
        self._record, self._final = find_run(self.store, self.id), None
        self.keep_summary()
        return conclusion

    def _write(self, record: RunRecord) -> None:
        if record != self.record:
            self._record = record
            self.store.write(self.id, NAME, record.to_json())

    def _failed(self) -> dict[str, Sequence[int]]:
        coverage = self.store.coverage(self.id)
        return {s.name: coverage.failed(s.name) for s in self.record.experiment.scenarios}

    def delete(self) -> None:
        """Removes the run and all its results, for good. Raises RequestError for one that is running."""
        if self.status().state == "running":
            stop = hint("cancel", self.id, self.store.label)
            raise RequestError(f"run {self.id} is running, and nothing of it was deleted; stop it with: {stop}")
        self.store.remove(self.id)

    def edited(self) -> list[str]:
        """Files that were edited in the project since; the run goes on from its copy of them."""
        return edited_in_project(self.record)


def _placed(record: RunRecord, on: str | None, options: Mapping[str, Any] | None) -> RunRecord:
    """The record, with the place and its options that were named; another place has none of those of the one before."""
    if on is None and not options:
        return record
    kept = record.place_options if on is None or on == record.place else {}
    return replace(record, place=on or record.place, place_options={**kept, **(options or {})})


def list_runs(store: str | Path | None = None, tags: Sequence[str] = ()) -> list[Run]:
    """The runs of a store that can be read, the oldest first; those with all of these `tags` alone, if any are given.

    `store` is a URL or a folder, `runs` if not given. A warning names each run that cannot be read.
    """
    place = open_named_store(str(store) if store is not None else default_store())
    found = []
    for name in place.runs():
        try:
            found.append(Run(place, name))
        except (StoreError, RequestError) as error:
            warnings.warn(f"left out: {error}", stacklevel=2)
    tagged = [handle for handle in found if not tags or set(tags) <= set(handle.labels.tags)]
    return sorted(tagged, key=lambda handle: (handle.record.created, handle.id))


__all__ = ["Run", "Status", "list_runs", "run"]
