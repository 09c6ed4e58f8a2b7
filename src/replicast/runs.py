"""`run()` and `Run`: what users call. It picks the model, the store and the place by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from replicast.asking.continuing import changes_of, edited_in_project, ready_elsewhere, ready_to_go_on
from replicast.asking.finding import find_run
from replicast.asking.given_function import function_for
from replicast.asking.preparation import Preparation, check_working_folder
from replicast.asking.request import Request
from replicast.asking.settings import default_store, read_experiment_file
from replicast.conducting.cancelling import is_cancelled
from replicast.conducting.mending import set_aside_damage
from replicast.conducting.presence import refuse_company
from replicast.core.errors import FailureWarning, ReplicationsFailed, RequestError, StoreError
from replicast.core.given import check_choice, whole_number
from replicast.core.planning import count
from replicast.core.ports import Damage, Place, Store, Work
from replicast.core.progress import Conclusion, Watch, ignore_progress
from replicast.core.record import NAME, RunRecord, check_more
from replicast.core.spoken import speaks_python
from replicast.performing.copies import damaged_source
from replicast.places import AtHand, open_place
from replicast.places.registry import kind_of
from replicast.reporting.estimates import Estimates
from replicast.reporting.keeping import Keeping
from replicast.stores import open_named_store

if TYPE_CHECKING:
    from replicast.core.choosing import Selection
    from replicast.core.comparison import Family
    from replicast.core.selection import Better
    from replicast.core.stopping import Judgement
    from replicast.executors.pool import Pool
    from replicast.performing.second_look import SecondLook
    from replicast.reporting.artefacts import Artefact
    from replicast.reporting.collate import Collated
    from replicast.reporting.comparing import Comparison as ScenarioComparison
    from replicast.reporting.comparing import Ranking, RunValues
    from replicast.reporting.plotting import Plots
    from replicast.reporting.rows import Rows
    from replicast.reporting.summary import Summary
    from replicast.reporting.warming import WarmUps
    from replicast.verifying.checking import Comparison


OnFailure = Literal["raise", "warn", "ignore"]


@speaks_python
def run(
    model: str | Path | Callable[..., Any] | None = None,
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
    options: Mapping[str, Any] | None = None,
    workers: int | None = None,
    store: str | Path | None = None,
    name: str | None = None,
    timeout: float | None = None,
    memory: str | int | None = None,
    retries: int | None = None,
    tolerate: str | int | None = None,
    precision: str | None = None,
    maximum: int | None = None,
    look_ahead: int | None = None,
    select: str | None = None,
    indifference: float | None = None,
    budget: int | None = None,
    control: Mapping[str, float] | None = None,
    keep: str | None = None,
    collate: str | None = None,
    streams: str | None = None,
    common: bool | None = None,
    antithetic: bool | None = None,
    project: str | Path | None = None,
    watch: Watch | None = None,
    on_failure: OnFailure = "warn",
) -> Run:
    """Runs `n` replications of a model for each scenario, and returns the run, whose results are stored.

    `model` is a file (`model.py[:function]`, `model.R[:function]`), an importable `package.module:function`, or a
    callable. `design` is a CSV file with a scenario a row, a table as in experiment.toml (`{"sobol": 64, "ranges":
    {"beds": [5, 20]}}`), or a list of parameter sets. `timeout` is in seconds a replication, `memory` what a
    worker with all that it starts may use ("2GB"). `tolerate` is a count or a
    share such as "5%". A `seed` that is not given is chosen, and recorded. `project` is the folder that travels with
    the model, where that is not the model's own. `antithetic` runs
    replications in pairs, of which the second mirrors the first. `control` names metrics whose true means are known.
    `options` are those of the place, as {"partition": "long"} of `on="slurm"`.

    Raises RequestError before anything runs where the request is wrong, ExecutorError and StoreError where the work
    cannot go on; a model's own errors are stored, see `Run.failures`. Where all replications of a scenario failed,
    `on_failure` "warn" gives a FailureWarning; "raise" raises ReplicationsFailed where more failed than `tolerate`
    allows; "ignore" leaves both.
    """
    check_choice(on_failure, ("raise", "warn", "ignore"), "on_failure")
    request = Request(
        model=model, command=command, replications=n, seed=seed, parameters=params or {}, scenarios=scenarios or {},
        grid=grid or {}, design=design, streams=streams, common=common, antithetic=antithetic, keep=keep,
        collate=collate, name=name,
        timeout_seconds=timeout, memory=memory, retries=retries, tolerate=None if tolerate is None else str(tolerate),
        precision=precision, maximum=maximum, look_ahead=look_ahead, select=select,
        indifference=indifference, budget=budget, control=control or {}, workers=workers, project=project,
        file=None if experiment is None else read_experiment_file(Path(experiment)),
    )  # fmt: skip
    with Preparation(request, on=on, options=options, store_url=None if store is None else str(store)) as preparation:
        preparation.create()
        conclusion = preparation.conduct(watch or ignore_progress)
        finished = Run(preparation.store, preparation.record.id)
        finished._function = preparation.located.function
        finished.keep_summary()
    if conclusion.failed and on_failure != "ignore":
        _tell_of_failures(finished, conclusion, on_failure)
    return finished


def _tell_of_failures(finished: Run, conclusion: Conclusion, on_failure: OnFailure) -> None:
    """Raises ReplicationsFailed, or warns the caller of `run`."""
    from replicast.reporting.failed import about_failures, scenarios_without_result

    store, record, planned = finished.store, finished.record, sum(conclusion.planned.values())
    if on_failure == "raise" and not record.options.tolerance.allows(conclusion.failed, planned):
        raise ReplicationsFailed(about_failures(store, record, conclusion.failed, planned), finished)
    if on_failure == "warn" and any(scenarios_without_result(store, record)):
        # from `run` and what wraps it to its caller
        warnings.warn(about_failures(store, record, conclusion.failed, planned), FailureWarning, stacklevel=4)


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


class Run(Estimates, Keeping):
    """A run in its store: a handle that costs nothing and outlives whatever carried the run out."""

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

    @property
    def plot(self) -> Plots:
        """Plots for a notebook: means(), running_mean(), distribution(), compare(), response(); they need Altair."""
        from replicast.reporting.plotting import Plots

        return Plots(self.store, self.record)

    def status(self) -> Status:
        """How far the run is, and who is at work on it."""
        # Asked before the coverage: whoever leaves in between has stored everything by then.
        at_work = self.place().at_work(self.record, self.store)
        record, coverage = self.record, self.store.coverage(self.id)
        names = [scenario.name for scenario in record.experiment.scenarios]
        planned = sum(record.planned_for(name) for name in names)
        done = sum(count(coverage.done(name)) for name in names)
        cancelled = is_cancelled(self.store, self.id)
        state = "running" if at_work else "done" if done >= planned else "cancelled" if cancelled else "incomplete"
        return Status(
            self.id, state, max(planned, done), done, sum(len(coverage.failed(name)) for name in names),
            record.created, record.experiment.model.label, len(names), record.experiment.seed,
            None if at_work is None else {"who": at_work.who, **at_work.facts},
        )  # fmt: skip

    def place(self, at_hand: AtHand | None = None) -> Place:
        """Where the run is carried out, or was last; `at_hand` is what this process has for it already."""
        return open_place(self.record.place, self.record.place_options, at_hand)

    def summary(self, confidence: float = 0.95) -> Summary:
        """A row for each scenario and metric: `n`, mean, interval at `confidence`, quartiles; and notes."""
        from replicast.reporting.summary import summarise_run

        return summarise_run(self.store, self.record, confidence=confidence)

    def keep_summary(self) -> None:
        """Has the store keep the summary beside the results, if it has a place for it."""
        self.store.keep_summary(self.id, lambda: self.final_summary().to_dicts())

    def final_summary(self) -> Summary:
        """As `summary`, made once for all who ask right after the run was carried out."""
        if self._final is None:
            self._final = self.summary()
        return self._final

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
        """A row per failed replication: scenario, replication, error_kind, error_type, error, traceback, log, attempt,
        seconds, worker."""
        from replicast.reporting.rows import Rows

        return Rows.of_failures(self.store, self.record)

    def warnings(self) -> Rows:
        """A row per replication that warned: scenario, replication, count, and the first ten warnings, one a line."""
        from replicast.reporting.rows import Rows

        return Rows.of_warnings(self.store, self.record)

    def second_looks(self) -> list[SecondLook]:
        """The replications that were simulated again while the run was carried out, and what differed, if anything.

        One of each start of 100 replications or more on this machine; none where none was looked at: see `verify`.
        """
        from replicast.performing.second_look import second_looks

        return second_looks(self.store, self.id)

    def collate(self, folder: str | Path, **options: Any) -> Collated:
        """Writes every table to `folder`; see `replicast.reporting.collate`. A model's own collate is called too.

        Where not all of the store can be seen from here, the tables that were collated beside it are fetched.
        """
        if self.store.reach():
            return self._fetch_collated(Path(folder).expanduser(), options)
        from replicast.reporting.own_collation import collate_run

        return collate_run(self.store, self.record, Path(folder).expanduser(), run=self, **options)

    def _fetch_collated(self, folder: Path, options: Any) -> Collated:
        from replicast.reporting.collate import Collated

        if options.get("file_format", "csv") != "csv":
            raise RequestError(
                f"from here only the tables that were collated beside the store can be had, which are CSV: "
                f"{self.store.reach()}; leave --format out"
            )
        wanted, files = options.get("only", ()), self.store.collated(self.id, folder) or {}
        return Collated({name: path for name, path in files.items() if not wanted or name in wanted})

    def artefacts(self, folder: str | Path, scenario: str | None = None, name: str = "") -> list[Artefact]:
        """Fetches the files that successful replications left (those called `name`, if given) to an empty folder."""
        from replicast.reporting.artefacts import fetch_from_scenarios

        return fetch_from_scenarios(self.store, self.record, Path(folder).expanduser(), scenario=scenario, only=name)

    def values(self) -> RunValues:
        """Each metric's values by scenario and replication number, as far as they count."""
        from replicast.reporting.comparing import values_of_run

        return values_of_run(self.store, self.record)

    @speaks_python
    def compare(self, baseline: str | None = None, **options: Any) -> ScenarioComparison:
        """Each other scenario against `baseline` (the first, if not given), a row for each metric and scenario.

        Options are `metrics`, `confidence` (0.95), `adjustment` ("bonferroni", "holm" or "none") and `family`: what is
        held together, "all" comparisons, the "scenarios" of each metric, or the "metrics" of each scenario.
        """
        return self.compare_and_rank({}, baseline=baseline, **options)[0]

    def rank(self, metric: str, better: Better, confidence: float = 0.95) -> Ranking:
        """Scenarios by their mean of `metric`, and which of them may be the best; `better` is "lower" or "higher"."""
        from replicast.reporting.comparing import rank_run

        return rank_run(self.store, self.record, metric, better, confidence=confidence)

    def compare_and_rank(
        self, better: Mapping[str, Better], *, confidence: float = 0.95, **options: Any
    ) -> tuple[ScenarioComparison, list[Ranking]]:
        """As `compare`, and as `rank` for each metric of `better`, with the values read once."""
        from replicast.reporting.comparing import compare_run, rank_run

        store, record, values = self.store, self.record, self.values()
        found = compare_run(store, record, confidence=confidence, values=values, **options)
        ranked = [
            rank_run(store, record, name, way, confidence=confidence, values=values) for name, way in better.items()
        ]
        return found, ranked

    def warm_up(self, table: str, value: str, time: str | None = None, **options: Any) -> WarmUps:
        """How long `value` of a table warms up over its column `time`, or over the order of its rows.

        Options are those of `replicast.reporting.warming.find_warm_up`: `scenarios`, `where`, `held`, `steps`,
        `window` and `confidence`.
        """
        from replicast.reporting.warming import find_warm_up

        return find_warm_up(self.store, self.record, table=table, value=value, time=time, **options)

    def report(
        self, path: str | Path, *, baseline: str | None = None, confidence: float = 0.95,
        file_format: str | None = None, figures: str | Path | None = None, figure_format: str = "svg",
        control: Mapping[str, float] | None = None, ratios: Sequence[str] = (), pooled: Sequence[str] = (),
        performance: Mapping[str, Any] | None = None, steady: str | None = None, family: Family = "all",
    ) -> Path:  # fmt: skip
        """Writes one HTML page about the run, which needs no network, to `path`; or Markdown, if it ends in .md.

        `file_format` is "html" or "md" where the path does not say it. `figures` is a folder to which the pictures are
        written too, each as a file of `figure_format`: "svg" or "png". Comparisons are with `baseline`, the first
        scenario if not given. `control`, `ratios` and `pooled` are as `controlled`, `ratio` and `pooled` take them,
        `performance` holds the arguments of `performance`, and `steady` is TABLE.COLUMN: the page has these too.
        `family` is as `compare` takes it.
        """
        from replicast.core.controls import check_controls
        from replicast.reporting.report import report
        from replicast.reporting.report_estimates import Asked
        from replicast.reporting.report_files import write_figures, write_report

        asked = Asked(check_controls(control or {}), ratios, pooled, performance or {}, steady or "")
        document = report(self.store, self.record, baseline=baseline, confidence=confidence, asked=asked, family=family)
        if figures is not None:
            write_figures(document, Path(figures).expanduser(), figure_format)
        return write_report(document, Path(path).expanduser(), file_format)[0]

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
        """Simulates one stored replication again, here, and compares it with what is stored.

        A run of a function that no file defines needs that `function` again, except in the session that made the run.
        """
        from replicast.verifying.checking import compare_again

        chosen = self.record.experiment.scenario(scenario) if scenario else self.record.experiment.scenarios[0]
        replication = whole_number(replication, "replay") or 0
        if replication < 1:
            raise RequestError(f"replications are numbered from 1, and {replication} is not")
        with self._pool(1, function_for(self.record, function, self._function)) as pool:
            self.changes = changes_of(self.record, pool)
            return next(iter(compare_again(pool, self.record, self.store, {chosen.name: [replication]})))

    def snippet(self, replication: int, scenario: str | None = None, folder: str = "<the model's files>") -> str:
        """The lines of R that simulate one replication from the model's files in `folder`; none for other languages."""
        from replicast.verifying.snippet import has_snippet, r_snippet

        chosen = self.record.experiment.scenario(scenario) if scenario else self.record.experiment.scenarios[0]
        return r_snippet(self.record, chosen, replication, folder) if has_snippet(self.record) else ""

    def write_snippet(self, replication: int, file: Path, source: Path, scenario: str | None = None) -> None:
        """Writes `snippet` to `file`, and the model's files to the folder `source`.

        Raises RequestError for a model that is not R's, and where `source` is there already.
        """
        from replicast.performing.copies import check_out
        from replicast.reporting.files import write_text

        if source.exists():
            raise RequestError(f"'{source}' is there already; name another file")
        lines = self.snippet(replication, scenario, str(source.absolute()))
        if not lines:
            raise RequestError(f"{self.record.experiment.model.label} is no R model, so that R has no lines for it")
        check_out(self.store, self.id, source, self.record.files)
        write_text(file, lines)

    @speaks_python
    def verify(
        self, size: int = 5, *, workers: int | None = None, function: Callable[..., Any] | None = None
    ) -> list[Comparison]:
        """Simulates a random sample of each scenario's stored replications again and compares them.

        `function` is as in `replay`.
        """
        from replicast.verifying.checking import compare_again, sample

        coverage = self.store.coverage(self.id)
        done = {s.name: coverage.done(s.name) for s in self.record.experiment.scenarios}
        with self._pool(workers, function_for(self.record, function, self._function)) as pool:
            self.changes = changes_of(self.record, pool)
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
        if not self._is_sound:
            self._is_sound, found = True, set_aside_damage(self.store, self.id)
            return found
        return []

    def damage(self) -> list[str]:
        """What is stored and no longer is what was stored, by its digests; nothing is simulated, nothing changed."""
        source = damaged_source(self.store, self.id, self.record.files)
        return [*source, *map(str, self.store.damage(self.id))]

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
        refused, unless to `join` it and share the work. Raises RunChanged where the run's copy, its packages or code
        from elsewhere are not what they were; with `accept_changes` it goes on, and every summary says so.
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
            if on is not None or options:
                kept = record.place_options if on is None or on == record.place else {}
                record = replace(record, place=on or record.place, place_options={**kept, **(options or {})})
            at_hand = AtHand(workers=workers, function=function, join=join, pool=pool)
            place = open_place(record.place, record.place_options, at_hand)
            place.check(record, self.store)
            self.mended = self.mend()
            if record != self.record:
                self._record = record
                self.store.write(self.id, NAME, record.to_json())
            conclusion = place.conduct(
                record, self.store, watch or ignore_progress, self._failed() if retry_failed else None
            )
        self._record, self._final = find_run(self.store, self.id), None
        self.keep_summary()
        return conclusion

    def _failed(self) -> dict[str, Sequence[int]]:
        coverage = self.store.coverage(self.id)
        return {s.name: coverage.failed(s.name) for s in self.record.experiment.scenarios}

    def delete(self) -> None:
        """Removes the run and all its results, for good. Raises RequestError for one that is running."""
        if self.status().state == "running":
            raise RequestError(f"run {self.id} is running, and nothing of it was deleted: replicast cancel it first")
        self.store.remove(self.id)

    def edited(self) -> list[str]:
        """Files that were edited in the project since; the run goes on from its copy of them."""
        return edited_in_project(self.record)


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
    tagged = [handle for handle in found if set(tags) <= set(handle.labels.tags)]
    return sorted(tagged, key=lambda handle: (handle.record.created, handle.id))


__all__ = ["Run", "Status", "list_runs", "run"]
