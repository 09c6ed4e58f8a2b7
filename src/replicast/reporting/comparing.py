"""A run's scenarios against each other: differences from a baseline, and which of them may be the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from replicast.conducting.rules import metric_values
from replicast.core.comparison import Adjustment, ComparisonRow, Family, compare
from replicast.core.errors import RequestError, nearest
from replicast.core.experiment import Experiment
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.core.segments import notes_on_record
from replicast.core.selection import Better, RankedRow, rank
from replicast.stores.metric_rows import metric_source

from .pairing import pairs_of
from .rows import Rows
from .summary import copies_note, count_distinct

COUNTS = ("n", "n_scenario", "n_baseline", "rank")
TEXTS = ("metric", "scenario", "baseline", "method", "verdict", "note", "beaten_by")


@dataclass(slots=True)
class RunValues:
    """Each metric's values by scenario and replication number (NaN where there is none), as far as they count.

    `copies` are scenarios whose replications are copies of one another; `notes` say what a comparison leaves out;
    `booleans` are the metrics that are proportions. `paired`: a value is the mean of an antithetic pair.
    """

    by_scenario: dict[str, dict[str, NDArray[np.float64]]] = field(default_factory=dict)
    copies: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    booleans: set[str] = field(default_factory=set)
    paired: bool = False

    def metrics(self) -> list[str]:
        """In order of first appearance."""
        return list(dict.fromkeys(metric for own in self.by_scenario.values() for metric in own))

    def of_metric(self, metric: str) -> dict[str, NDArray[np.float64]]:
        """Of the scenarios that have the metric. Raises RequestError where none has."""
        if metric not in self.metrics():
            raise RequestError(f"no metric is called '{metric}'{nearest(metric, self.metrics())}")
        return {scenario: own[metric] for scenario, own in self.by_scenario.items() if metric in own}


def values_of_run(store: Store, record: RunRecord) -> RunValues:
    values = RunValues(paired=record.experiment.streams.antithetic)
    coverage, source = store.coverage(record.id), metric_source(store, record)
    numeric: set[str] = set()
    values.notes += [*notes_on_record(record), *source.notes]
    for scenario in (s.name for s in record.experiment.scenarios):
        reached = max((last for _, last in coverage.done(scenario)), default=0)
        planned = record.planned.get(scenario, max(reached, record.replications))
        if record.experiment.streams.antithetic:
            pairs = pairs_of(store, record, scenario, source)
            values.by_scenario[scenario] = {name: own.means for name, own in pairs.metrics.items()}
            numeric |= pairs.metrics.keys()
            values.notes += pairs.notes()
        else:
            found = metric_values(store, record.id, scenario, min(planned, reached), source)
            values.by_scenario[scenario] = found.values
            numeric |= found.values.keys() - found.booleans
        copies = count_distinct(store, record.id, scenario, planned)
        if copies.found:
            values.copies.add(scenario)
            values.notes.append(copies_note(scenario, copies))
        failed = sum(number <= planned for number in coverage.failed(scenario))
        if failed and not values.paired:
            are = "is" if failed == 1 else "are"
            values.notes.append(f"{scenario}: {failed} of {planned} replications failed and {are} left out")
    values.booleans = set(values.metrics()) - numeric
    return values


class Comparison(Rows):
    """A row for each metric and scenario but the baseline; `differences` are the same rows as objects."""

    def __init__(
        self, differences: Sequence[ComparisonRow], baseline: str, notes: Sequence[str] = (), *, paired: bool = True,
        family: Family = "all",
    ) -> None:  # fmt: skip
        super().__init__(frame_of(differences, ComparisonRow))
        self.differences, self.baseline, self.notes = list(differences), baseline, list(notes)
        self.paired, self.family = paired, family


class Ranking(Rows):
    """Scenarios by their mean of one metric, best first; `kept` are those that may be the best."""

    def __init__(self, ranked: Sequence[RankedRow], metric: str, better: Better, notes: Sequence[str] = ()) -> None:
        super().__init__(frame_of(ranked, RankedRow).insert_column(0, pl.Series("metric", [metric] * len(ranked))))
        self.ranked, self.metric, self.better, self.notes = list(ranked), metric, better, list(notes)


def frame_of(rows: Sequence[Any], kind: type) -> pl.DataFrame:
    """A column for each field of the dataclass `kind`, in the type that it has even where no row has a value."""
    schema = {f.name: _column_type(f.name) for f in fields(kind)}
    return pl.DataFrame([asdict(row) for row in rows], schema=schema)


def _column_type(name: str) -> pl.DataType:
    if name in COUNTS:
        return pl.Int64()
    return pl.String() if name in TEXTS else pl.Boolean() if name == "kept" else pl.Float64()


def compare_run(
    store: Store,
    record: RunRecord,
    *,
    baseline: str | None = None,
    metrics: Sequence[str] | None = None,
    confidence: float = 0.95,
    adjustment: Adjustment = "bonferroni",
    family: Family = "all",
    values: RunValues | None = None,
) -> Comparison:
    """Every other scenario against `baseline` (the first one, if not given), over what is stored now.

    Raises RequestError for a run of one scenario, and for a baseline, metric, confidence or adjustment that is none.
    """
    experiment = record.experiment
    _check_several(record)
    chosen = experiment.scenario(baseline).name if baseline is not None else experiment.scenarios[0].name
    values = values or values_of_run(store, record)
    rows = compare(
        values.by_scenario, chosen, metrics=metrics, common=experiment.streams.common,
        copies=values.copies, booleans=values.booleans, confidence=confidence, adjustment=adjustment,
        family=family,
    )  # fmt: skip
    notes = [*values.notes, *_notes_on_streams(experiment), *_notes_on_metrics(values.by_scenario, chosen)]
    return Comparison(rows, chosen, notes, paired=experiment.streams.common, family=family)


def rank_run(
    store: Store,
    record: RunRecord,
    metric: str,
    better: Better,
    *,
    confidence: float = 0.95,
    values: RunValues | None = None,
) -> Ranking:
    """All scenarios in the order of a metric, and which may be the best. Raises RequestError, as `compare_run`."""
    _check_several(record)
    values = values or values_of_run(store, record)
    own = values.of_metric(metric)
    ranked = rank(own, better=better, common=record.experiment.streams.common, confidence=confidence)
    copies = [f"{name}: its replications are copies, so its rank says nothing" for name in own if name in values.copies]
    return Ranking(ranked, metric, better, copies)


def _check_several(record: RunRecord) -> None:
    scenarios = record.experiment.scenarios
    if len(scenarios) < 2:
        raise RequestError(
            f"run {record.id} has one scenario, '{scenarios[0].name}', and nothing to compare it with: "
            "run the model with --scenario NAME:PARAMETER=VALUE for each, or with a --grid"
        )


def _notes_on_streams(experiment: Experiment) -> list[str]:
    if experiment.streams.antithetic:
        return ["replications are antithetic pairs: each value that is compared is the mean of a pair"]
    if experiment.streams.common and experiment.streams.kind == "own":
        return ["the model seeds itself, so replications are pairs only as far as it seeds itself by `replication`"]
    return []


def _notes_on_metrics(values: Mapping[str, Mapping[str, Any]], baseline: str) -> list[str]:
    notes, ours = [], values[baseline]
    for scenario, own in values.items():
        notes += [
            f"'{name}' of {scenario} is left out: {baseline} does not have it" for name in own if name not in ours
        ]
        notes += [f"'{name}' of {scenario} is left out: it does not have it" for name in ours if name not in own]
    return notes


def describe_method(comparison: Comparison, confidence: float, adjustment: Adjustment) -> str:
    """One sentence on how the intervals were made."""
    pairs = "paired by replication (common random numbers)" if comparison.paired else "Welch's, as streams are separate"
    levels = {row.interval_confidence for row in comparison.differences if row.interval_confidence is not None}
    groups: dict[str, int] = {}
    for row in comparison.differences:
        if row.p_value is not None:
            group = {"all": "", "scenarios": row.metric, "metrics": row.scenario}[comparison.family]
            groups[group] = groups.get(group, 0) + 1
    count = max(groups.values(), default=0)
    those = {"all": "", "scenarios": " scenarios of each metric", "metrics": " metrics of each scenario"}
    held = f"intervals at {100 * confidence:.6g} %"
    if adjustment != "none" and count > 1 and levels:
        how = "Bonferroni" if adjustment == "bonferroni" else "Bonferroni; verdicts by Holm"
        together = f"so that all {count}{those[comparison.family]} hold together at {100 * confidence:.6g} % ({how})"
        held = f"intervals at {100 * max(levels):.6g} % each, {together}"
    elif count > 1:
        held += f" each: of {count} such comparisons, some will show a difference by chance"
    return f"difference = scenario less baseline '{comparison.baseline}', {pairs}; {held}"
