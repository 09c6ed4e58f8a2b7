"""The summary: a row per scenario and metric, and what must be said beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from replicast.core.doubts import Doubt, doubt_of
from replicast.core.moments import Moments
from replicast.core.ports import Store
from replicast.core.quantiles import quantiles
from replicast.core.record import RunRecord
from replicast.core.segments import notes_on_record
from replicast.core.statistics import QUARTILES, SummaryRow, summary_row
from replicast.performing.second_look import second_looks
from replicast.stores.reading import doubles, replications_of

from .noted import Warned, not_the_same_again, notes_of
from .pairing import UNIT_NOTE, pairs_of
from .summary_notes import beyond_notes, doubtful_notes, estimand_notes, gathered, no_metric_notes, notes_on
from .tables import METRICS, RunTables

if TYPE_CHECKING:
    import polars as pl
    from arro3.core import Table

    from .rows import Rows

EXACT_BELOW = 2.0**53
"""Whole numbers from here on are no doubles of all their digits."""

COUNTS_FROM = 5
"""From so many replications on, values that go up by one with each of them are taken for a count of them."""

INTEGERS = ("planned", "n", "failed", "non_finite")
TEXTS = ("scenario", "metric")


@dataclass(frozen=True, slots=True)
class Copies:
    """How many replications of a scenario are distinct, of those that succeeded."""

    successful: int
    distinct: int

    @property
    def found(self) -> bool:
        return self.distinct < self.successful


@dataclass(slots=True)
class Summary:
    """`rows` in the order of the experiment's scenarios and of the metrics' first appearance.

    `booleans` are the metrics that are proportions, with Wilson's interval. `paired`: counts are of antithetic pairs.
    `looked_again` replications were simulated twice, see `Run.second_looks`.
    """

    rows: list[SummaryRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    distinct: Mapping[str, Copies] = field(default_factory=dict)
    booleans: frozenset[str] = frozenset()
    paired: bool = False
    looked_again: int = 0

    def frame(self) -> pl.DataFrame:
        import polars as pl

        return pl.DataFrame([asdict(row) for row in self.rows], schema=summary_schema())

    def table(self) -> Table:
        """As `frame`, as an Arrow table, for which no frame library is imported."""
        from arro3.core import Array, DataType

        from replicast.core.arrow import table_of

        kinds = {name: DataType.utf8() for name in TEXTS} | {name: DataType.int64() for name in INTEGERS}
        names = [f.name for f in fields(SummaryRow)]
        return table_of({n: Array([getattr(r, n) for r in self.rows], kinds.get(n, DataType.float64())) for n in names})

    def to_dicts(self) -> list[dict[str, Any]]:
        return [asdict(row) for row in self.rows]

    def pl(self) -> pl.DataFrame:
        return self.frame()

    def df(self) -> Any:
        """A pandas DataFrame; needs pandas."""
        return self._as_rows().df()

    def arrow(self) -> Table:
        return self._as_rows().arrow()

    def _as_rows(self) -> Rows:
        from .rows import Rows

        return Rows(self.frame())

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return self._as_rows()._repr_html_() + (f"<ul>{notes}</ul>" if notes else "")


def summary_schema() -> dict[str, pl.DataType]:
    import polars as pl

    return {
        f.name: pl.String() if f.name in TEXTS else pl.Int64() if f.name in INTEGERS else pl.Float64()
        for f in fields(SummaryRow)
    }


def summarise_run(
    store: Store, record: RunRecord, tables: RunTables | None = None, *, confidence: float = 0.95
) -> Summary:
    """Statistics of every metric of every scenario over what is stored now; of the same `tables`, made once."""
    tables = tables or RunTables(store, record)
    if confidence not in tables.summaries:
        tables.summaries[confidence] = _summarised(tables, confidence)
    summary: Summary = tables.summaries[confidence]
    return summary


def _summarised(tables: RunTables, confidence: float) -> Summary:
    store, record = tables.store, tables.record
    coverage = store.coverage(record.id)
    paired = record.experiment.streams.antithetic
    summary, distinct = Summary(booleans=frozenset() if paired else frozenset(tables.booleans), paired=paired), {}
    doubts: dict[str, dict[str, Doubt]] = {}
    summary.notes += notes_on_record(record)
    looks = second_looks(store, record.id)
    summary.looked_again = len(looks)
    summary.notes += not_the_same_again(store, record, looks)
    summary.notes += [*tables.source.notes, *notes_of(store, record.id)]
    warned, place_of_warned = Warned(), len(summary.notes)
    for scenario in (s.name for s in record.experiment.scenarios):
        counted = record.planned.get(scenario, math.inf)
        failed = sum(number <= counted for number in coverage.failed(scenario))
        distinct[scenario] = copies = count_distinct(store, record.id, scenario, counted, warned.take_in)
        planned = min(counted, max(record.replications, copies.successful + failed))
        if copies.found:
            summary.notes.append(copies_note(scenario, copies))
        if paired:
            doubted = _summarise_pairs(summary, tables, scenario, int(planned), confidence, copies=copies.found)
            for metric, own in doubted.items():
                doubts.setdefault(metric, {})[scenario] = own
            continue
        for metric, column in _metric_columns(tables, scenario).items():
            row = summary_row(
                column.moments, quantiles(column.values, QUARTILES), scenario=scenario, metric=metric,
                planned=int(planned), failed=failed, confidence=confidence, copies=copies.found,
                boolean=metric in tables.booleans,
            )  # fmt: skip
            summary.rows.append(row)
            summary.notes += notes_on(row, copies=copies.found, counts=column.counts)
            if row.ci_lower is not None and metric not in tables.booleans and (doubt := doubt_of(column.values)):
                doubts.setdefault(metric, {})[scenario] = doubt
        if failed and any(row.scenario == scenario for row in summary.rows[-1:]):
            summary.notes.append(f"{scenario}: every mean {summary.rows[-1].caution}")
    summary.notes[place_of_warned:place_of_warned] = warned.notes()
    if paired and summary.rows:
        summary.notes.insert(0, UNIT_NOTE)
    summary.notes += [*beyond_notes(record, coverage), *estimand_notes(tables)]
    summary.notes += doubtful_notes(doubts, confidence, tables)
    summary.notes += [] if summary.rows or tables.source.notes else no_metric_notes(tables)
    summary.notes = gathered(summary.notes, list(distinct))
    summary.distinct = distinct
    return summary


def _summarise_pairs(
    summary: Summary, tables: RunTables, scenario: str, planned: int, confidence: float, *, copies: bool
) -> dict[str, Doubt]:
    """Adds the rows and notes of a scenario of antithetic pairs; returns what is to be doubted, by metric."""
    pairs, doubts = pairs_of(tables.store, tables.record, scenario, tables.source), dict[str, Doubt]()
    for metric in tables.metric_names():
        if metric not in pairs.metrics:
            continue
        row = pairs.row(metric, planned=planned, confidence=confidence, copies=copies)
        summary.rows.append(row)
        summary.notes += notes_on(row, copies=copies, unit="pairs")
        if row.ci_lower is not None and (own := doubt_of(pairs.means(metric))):
            doubts[metric] = own
    summary.notes += pairs.notes()
    return doubts


@dataclass(slots=True)
class _Column:
    """A metric's values over all successful replications, a missing one as NaN, and their moments, which are exact.

    `ahead` is by how much values are ahead of their replications' numbers: the least and the greatest of each part,
    as long as there is one.
    """

    values: NDArray[np.float64]
    moments: Moments
    ahead: set[float]

    @property
    def counts(self) -> bool:
        """Whether it counts the replications, as an own run number does, and measures nothing."""
        return len(self.ahead) == 1 and math.isfinite(*self.ahead) and len(self.values) >= COUNTS_FROM


def _metric_columns(tables: RunTables, scenario: str) -> dict[str, _Column]:
    names = tables.metric_names()
    pieces: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
    moments, ahead = dict.fromkeys(names, Moments()), {name: set[float]() for name in names}
    counts = tables.metric_types.whole  # of all parts, since how replications are cut into parts changes no digit
    for part in tables.parts(METRICS, [scenario]):
        there, numbers = set(part.column_names), replications_of(part)
        for name in names:
            known = name in there
            own = doubles(part, name) if known else np.full(part.num_rows, np.nan)
            pieces[name].append(own)
            if len(ahead[name]) < 2:
                ahead[name] |= {float((own - numbers).min()), float((own - numbers).max())}
            whole = known and name in counts and (np.abs(own) >= EXACT_BELOW).any()
            moments[name] += _of_whole(part, name) if whole else Moments.of(own)
    values = {name: np.concatenate(own) if own else np.empty(0) for name, own in pieces.items()}
    return {name: _Column(values[name], moments[name], ahead[name]) for name in names}


def _of_whole(part: Table, name: str) -> Moments:
    listed = part.column(name).to_pylist()
    present = [value for value in listed if value is not None]
    return Moments(non_finite=len(listed) - len(present)) + Moments.of_whole(present)


def count_distinct(
    store: Store, run: str, scenario: str, planned: float, look: Callable[[Table], None] = lambda _chunk: None
) -> Copies:
    """Counts the fingerprints of successful replications 1..planned, without holding more than those.

    Lets others `look` at each chunk of the ledger, which is read for this.
    """
    marks = [np.empty(0, dtype=np.uint64)]
    for chunk in store.ledger(run, scenario):
        look(chunk)
        ok = [state == "ok" for state in chunk.column("state").to_pylist()]
        counted = np.array(ok, dtype=bool) & (replications_of(chunk) <= planned)
        for piece in chunk.column("fingerprint").chunks:
            marks.append(piece.to_numpy()[counted[: len(piece)]])
            counted = counted[len(piece) :]
    everything = np.sort(np.concatenate(marks))
    distinct = np.count_nonzero(np.diff(everything)) + 1  # np.unique imports numpy.ma
    return Copies(len(everything), int(distinct) if len(everything) else 0)


def copies_note(scenario: str, copies: Copies) -> str:
    one = "all are copies of one" if copies.distinct == 1 else f"only {copies.distinct} are distinct"
    return (
        f"{scenario}: of {copies.successful} replications {one}, so no interval is given. Does the model seed itself "
        "with a constant? It should draw from the stream that replicast gives it, or seed itself with `seed`."
    )
