"""What a run answers from what is stored of it: summary, tables, comparisons, files; the methods of `Run` that read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicast.core.errors import RequestError
from replicast.core.spoken import speaks_python

from .estimates import Estimates

if TYPE_CHECKING:
    from replicast.core.comparison import Family
    from replicast.core.selection import Better
    from replicast.performing.second_look import SecondLook

    from .artefacts import Artefact
    from .collate import Collated
    from .comparing import Comparison, Ranking, RunValues
    from .plotting import Plots
    from .rows import Rows
    from .summary import Summary
    from .tables import RunTables
    from .warming import WarmUps


class Answers(Estimates):
    """Nothing is simulated and nothing of the run changes; what is damaged is refused by name."""

    _final: Summary | None = None
    _read: RunTables | None = None

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def plot(self) -> Plots:
        """Plots for a notebook: means(), running_mean(), distribution(), compare(), response(); they need Altair."""
        from .plotting import Plots

        return Plots(self.store, self.record)

    def summary(self, confidence: float = 0.95) -> Summary:
        """A row for each scenario and metric: `n`, mean, interval at `confidence`, quartiles; and notes."""
        from .summary import summarise_run

        return summarise_run(self.store, self.record, confidence=confidence)

    def keep_summary(self) -> None:
        """Has the store keep the summary beside the results, if it has a place for it."""
        self.store.keep_summary(self.id, lambda: self.final_summary().to_dicts())

    def final_summary(self) -> Summary:
        """As `summary`, made once for all who ask right after the run was carried out."""
        if self._final is None:
            from .summary import summarise_run
            from .tables import RunTables

            self._read = RunTables(self.store, self.record)
            self._final = summarise_run(self.store, self.record, self._read)
        return self._final

    def final_collate(self, folder: str | Path) -> Collated:
        """As `collate` to `folder`, right after the run was carried out: nothing is read again."""
        self.final_summary()
        return self.collate(folder, tables=self._read)

    def metrics(self) -> Rows:
        """A row per successful replication, a column per metric."""
        return self.table("metrics")

    def table(self, name: str) -> Rows:
        """The rows of the table `name` from all successful replications, ordered by scenario and replication."""
        from .rows import Rows

        return Rows.of_table(self.store, self.record, name)

    @property
    def tables(self) -> list[str]:
        from .tables import RunTables

        return RunTables(self.store, self.record).names

    def failures(self) -> Rows:
        """A row per failed replication: scenario, replication, error_kind, error_type, error, traceback, log, attempt,
        seconds, worker."""
        from .rows import Rows

        return Rows.of_failures(self.store, self.record)

    def warnings(self) -> Rows:
        """A row per replication that warned: scenario, replication, count, and the first ten warnings, one a line."""
        from .rows import Rows

        return Rows.of_warnings(self.store, self.record)

    def second_looks(self) -> list[SecondLook]:
        """The replications that were simulated again while the run was carried out, and what differed, if anything.

        One of each start of 100 replications or more on this machine; none where none was looked at: see `verify`.
        """
        from replicast.performing.second_look import second_looks

        return second_looks(self.store, self.id)

    def collate(self, folder: str | Path, **options: Any) -> Collated:
        """Writes every table to `folder`, and calls a model's own collation, unless `own=False`.

        Options are `file_format` ("csv", "parquet", "xlsx" or "safe-csv", which no spreadsheet runs), `only` (the names
        of tables), `confidence` of the summary's intervals, `report`, called with each table's name and rows, and
        `hand_on`, called with the path of each table's file once it is whole, before the next is made.

        Where not all of the store can be seen from here, the tables that were collated beside it are fetched.
        """
        if self.store.reach():
            return self._fetch_collated(Path(folder).expanduser(), options)
        from .collating import collate_run

        return collate_run(self.store, self.record, Path(folder).expanduser(), run=self, **options)

    def _fetch_collated(self, folder: Path, options: Any) -> Collated:
        from .collate import Collated

        if options.get("file_format", "csv") != "csv":
            raise RequestError(
                f"from here only the tables that were collated beside the store can be had, which are CSV: "
                f"{self.store.reach()}; leave --format out"
            )
        wanted, files = options.get("only", ()), self.store.collated(self.id, folder) or {}
        return Collated({name: path for name, path in files.items() if not wanted or name in wanted})

    def artefacts(self, folder: str | Path, scenario: str | None = None, name: str = "") -> list[Artefact]:
        """Fetches the files that successful replications left to an empty `folder`.

        Those of one `scenario` alone, and those called `name` alone, if given.
        """
        from .artefacts import fetch_from_scenarios

        return fetch_from_scenarios(self.store, self.record, Path(folder).expanduser(), scenario=scenario, only=name)

    def values(self) -> RunValues:
        """Each metric's values by scenario and replication number, as far as they count."""
        from .comparing import values_of_run

        return values_of_run(self.store, self.record)

    @speaks_python
    def compare(self, baseline: str | None = None, **options: Any) -> Comparison:
        """Each other scenario against `baseline` (the first, if not given), a row for each metric and scenario.

        Options are `metrics`, `confidence` (0.95), `adjustment` ("bonferroni", "holm" or "none") and `family`: what is
        held together, "all" comparisons, the "scenarios" of each metric, or the "metrics" of each scenario.
        """
        return self.compare_and_rank({}, baseline=baseline, **options)[0]

    def rank(self, metric: str, better: Better, confidence: float = 0.95) -> Ranking:
        """Scenarios by their mean of `metric`, and which may be the best at `confidence`.

        `better` is "lower" or "higher".
        """
        from .comparing import rank_run

        return rank_run(self.store, self.record, metric, better, confidence=confidence)

    def compare_and_rank(
        self, better: Mapping[str, Better], *, confidence: float = 0.95, **options: Any
    ) -> tuple[Comparison, list[Ranking]]:
        """As `compare` with its `options`, and as `rank` for each metric of `better`, with the values read once.

        Both at `confidence`.
        """
        from .comparing import compare_run, rank_run

        store, record, values = self.store, self.record, self.values()
        found = compare_run(store, record, confidence=confidence, values=values, **options)
        ranked = [
            rank_run(store, record, name, way, confidence=confidence, values=values) for name, way in better.items()
        ]
        return found, ranked

    def warm_up(self, table: str, value: str, time: str | None = None, **options: Any) -> WarmUps:
        """How long the column `value` of a `table` warms up over its column `time`, or over the order of its rows.

        Options are those of `replicast.reporting.warming.find_warm_up`: `scenarios`, `where`, `held`, `steps`,
        `window` and `confidence`.
        """
        from .warming import find_warm_up

        return find_warm_up(self.store, self.record, table=table, value=value, time=time, **options)

    def report(
        self, path: str | Path, *, baseline: str | None = None, confidence: float = 0.95,
        file_format: str | None = None, figures: str | Path | None = None, figure_format: str = "svg",
        control: Mapping[str, float] | None = None, ratios: Sequence[str] = (), pooled: Sequence[str] = (),
        performance: Mapping[str, Any] | None = None, steady: str | None = None, family: Family = "all",
    ) -> Path:  # fmt: skip
        """Writes one HTML page about the run, which needs no network, to `path`; or Markdown, if it ends in .md.

        Intervals are at `confidence`. `file_format` is "html" or "md" where the path does not say it. `figures` is a
        folder to which the pictures are written too, each as a file of `figure_format`: "svg" or "png". Comparisons are
        with `baseline`, the first scenario if not given. `control`, `ratios` and `pooled` are as `controlled`, `ratio`
        and `pooled` take them, `performance` holds the arguments of `performance`, and `steady` is TABLE.COLUMN: the
        page has these too. `family` is as `compare` takes it.
        """
        from replicast.core.controls import check_controls

        from .report import report
        from .report_estimates import Asked
        from .report_files import write_figures, write_report

        asked = Asked(check_controls(control or {}), ratios, pooled, performance or {}, steady or "")
        document = report(self.store, self.record, baseline=baseline, confidence=confidence, asked=asked, family=family)
        if figures is not None:
            write_figures(document, Path(figures).expanduser(), figure_format)
        return write_report(document, Path(path).expanduser(), file_format)[0]
