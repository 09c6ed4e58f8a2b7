"""What a run answers about its numbers beside the summary: the methods of `Run` that estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from replicast.core.errors import RequestError

if TYPE_CHECKING:
    from replicast.core.ports import Store
    from replicast.core.record import RunRecord
    from replicast.reporting.rows import Rows


class Estimates:
    """Everything is judged by replication number: the same answer however many workers there were."""

    store: Store

    @property
    def record(self) -> RunRecord:
        raise NotImplementedError

    def quantiles(self, probabilities: Sequence[float] = (0.5, 0.9), confidence: float = 0.95) -> Rows:
        """Quantiles of each metric at `probabilities`, each between two of the ordered values.

        That interval needs no distribution; it covers with the `confidence` asked for, or a little more.
        """
        from .comparing import values_of_run
        from .estimating import QuantileRow, check_probabilities, quantile_rows
        from .rows import Rows

        check_probabilities(probabilities)
        return Rows.of(quantile_rows(values_of_run(self.store, self.record), probabilities, confidence), QuantileRow)

    def proportions(self, metrics: Sequence[str] = (), confidence: float = 0.95) -> Rows:
        """The share of each boolean metric, and of `metrics` that count 0 or 1, with their intervals.

        Wilson's and exact ones, at `confidence`.
        """
        from .comparing import values_of_run
        from .estimating import ProportionRow, proportion_rows
        from .rows import Rows

        return Rows.of(proportion_rows(values_of_run(self.store, self.record), metrics, confidence), ProportionRow)

    def needed(self, target: str, confidence: float = 0.95) -> Rows:
        """How many replications it would take to bring each interval's half-width to a `target`.

        `5%` or `0.5` of every metric, or `wait=5%,cost=10`; intervals are at `confidence`.
        """
        from .estimating import NeededRow, needed_rows
        from .rows import Rows
        from .summary import summarise_run

        summary = summarise_run(self.store, self.record, confidence=confidence)
        return Rows.of(needed_rows(summary.rows, target, summary.booleans, paired=summary.paired), NeededRow)

    def ratio(self, ratio: str, confidence: float = 0.95) -> Rows:
        """The `ratio` of two metrics' means (`total/number`) by scenario.

        With jackknife, delta and bootstrap intervals at `confidence`.
        """
        from .comparing import values_of_run
        from .pooling import RatioRow, ratio_rows
        from .rows import Rows

        values, seed = values_of_run(self.store, self.record), self.record.experiment.seed
        return Rows.of(ratio_rows(values, ratio, seed=seed, confidence=confidence), RatioRow)

    def controlled(self, control: Mapping[str, float] | None = None, confidence: float = 0.95) -> Rows:
        """Means adjusted by control variates: `control` has metrics whose true means are known, as `{"u": 0.5}`.

        Those that the run was asked for with, where none are given. Intervals, at `confidence`, are exact where metrics
        are jointly normal.
        """
        from replicast.core.controls import check_controls

        from .comparing import values_of_run
        from .controlling import ControlledRow, controlled_rows
        from .rows import Rows

        known = check_controls(control or self.record.options.control)
        if not known:
            raise RequestError("a control is a metric whose mean is known: give one, as {'arrivals': 100.0}")
        return Rows.of(controlled_rows(values_of_run(self.store, self.record), known, confidence), ControlledRow)

    def performance(self, estimate: str, true: float | str, confidence: float = 0.95, **options: Any) -> Rows:
        """How well an estimator does over replications: bias, errors, coverage, power, each with its Monte Carlo error.

        `estimate` is a metric or column; `true` is a number, a parameter or a column. Options are `se` (with its
        standard error), `df`, `by` (a column that tells methods apart), `table`, and `mcse` ("coverage=0.5%": how many
        replications that takes). Coverage is of intervals at `confidence`.
        """
        from .rows import Rows
        from .studies import PerformanceRow, performance_rows

        store, record = self.store, self.record
        rows = performance_rows(store, record, estimate=estimate, true=true, confidence=confidence, **options)
        return Rows.of(rows, PerformanceRow)

    def sensitivity(self, metrics: Sequence[str] = (), confidence: float = 0.95, draws: int = 500) -> Rows:
        """How far each of `metrics` (all, if none) depends on each parameter of `[design] saltelli` or `morris`.

        Sobol' indices S1 and ST, or Morris's mu, mu_star and sigma, with an interval at `confidence` of points and
        replications, and beside it what replications alone give of it, from so many `draws` of both. Needs SALib.
        """
        from .comparing import values_of_run
        from .rows import Rows
        from .sensing import SensitivityRow, sensitivity_rows

        values = values_of_run(self.store, self.record)
        rows = sensitivity_rows(values, self.record, metrics=metrics, draws=draws, confidence=confidence)
        return Rows.of(rows, SensitivityRow)

    def steady(self, table: str, value: str, confidence: float = 0.95, **options: Any) -> Rows:
        """The steady-state mean of a long replication's column `value` of a `table`, by batch means.

        Behind the warm-up of MSER-5, with an interval at `confidence`. Options are `scenarios`, `where`, `batches` (20)
        and `left_out` (a number of values, instead of MSER-5's).
        """
        from .rows import Rows
        from .steadying import SteadyRow, steady_rows

        rows = steady_rows(self.store, self.record, table=table, value=value, confidence=confidence, **options)
        return Rows.of(rows, SteadyRow)

    def pooled(self, statistic: str, confidence: float = 0.95) -> Rows:
        """A `statistic` of a table's rows over all replications together, with intervals at `confidence`.

        `patients.wait:p95`, `:mean` or `:median`.
        """
        from .pooling import PooledRow, pooled_rows
        from .rows import Rows

        return Rows.of(pooled_rows(self.store, self.record, statistic, confidence=confidence), PooledRow)
