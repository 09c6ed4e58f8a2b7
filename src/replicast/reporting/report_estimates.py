"""What a report was asked to estimate beside means: adjusted means, ratios, pooled statistics, studies, selection."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from replicast.core.choosing import Selection
from replicast.core.digits import shown
from replicast.core.errors import RequestError

from .blocks import Block, Grid, Paragraph
from .controlling import controlled_rows
from .drawing import minus, short
from .findings import Findings
from .pooling import pooled_rows, ratio_rows
from .report_results import bounds
from .steadying import steady_rows
from .studies import performance_rows


@dataclass(frozen=True, slots=True)
class Asked:
    """`control`: metrics of known mean; those of the run itself where none are given. `ratios` as `cost/patients`.

    `pooled` as `patients.wait:p95`. `performance` holds the arguments of `Run.performance`, `steady` is TABLE.COLUMN.
    """

    control: Mapping[str, float] = field(default_factory=dict)
    ratios: Sequence[str] = ()
    pooled: Sequence[str] = ()
    performance: Mapping[str, Any] = field(default_factory=dict)
    steady: str = ""


def options_of(asked: Asked) -> list[str]:
    """The options of `replicast summary` that print the same estimates again."""
    controls = " ".join(f"--control {shlex.quote(f'{name}={mean:.17g}')}" for name, mean in asked.control.items())
    ratios = [f"--ratio {shlex.quote(ratio)}" for ratio in asked.ratios]
    return [*([controls] if controls else []), *ratios, *(f"--pooled {shlex.quote(own)}" for own in asked.pooled)]


def estimates(found: Findings, asked: Asked) -> Iterator[Block]:
    yield from _selected(found)
    if asked.control:
        yield from _controlled(found, asked.control)
    elif found.record.options.control and found.summary.rows:
        yield from _own_controlled(found)
    yield from (_ratios(found, ratio) for ratio in asked.ratios)
    yield from (_pooled(found, statistic) for statistic in asked.pooled)
    if asked.performance:
        yield from _performance(found, asked.performance)
    if asked.steady:
        yield _steady(found, asked.steady)


def _selected(found: Findings) -> Iterator[Block]:
    selection, options = found.selection, found.record.options
    if selection is None:
        return
    how = "Kim and Nelson's (2001) elimination" if options.budget is None else "OCBA (Chen and Lee 2011)"
    yield Paragraph(f"The best scenario was sought in {options.select}, by {how}: {_state(selection)}.")
    means = {row.scenario: row for row in found.summary.rows if row.metric == (options.select or "").rpartition("=")[0]}
    rows = [
        [name, f"{wanted:,}", short(means[name].mean or 0.0) if name in means else "",
         "may be the best" if name in selection.kept else "out" if name in selection.dropped else ""]
        for name, wanted in selection.wanted.items()
    ]  # fmt: skip
    yield Grid(f"Search for the best in {options.select}", ["scenario", "replications", "mean", ""], rows, words=(3,))


def _state(selection: Selection) -> str:
    if selection.state == "open":
        return f"not settled yet, {len(selection.kept)} may be the best"
    if selection.state == "unmet":
        blind = f"; no value to judge by from {', '.join(selection.blind)}" if selection.blind else ""
        return f"not told apart: {', '.join(selection.kept) or 'none has a mean'}{blind}"
    return f"{selection.kept[0]} is selected"


def _own_controlled(found: Findings) -> Iterator[Block]:
    """By the controls that the run was asked for with, which its metrics may not be."""
    try:
        yield from list(_controlled(found, found.record.options.control))
    except RequestError as error:
        yield Paragraph(f"Means are not adjusted by control variates: {error}.")


def _controlled(found: Findings, control: Mapping[str, float]) -> Iterator[Block]:
    rows = controlled_rows(found.values, control, found.confidence)
    yield Paragraph(
        f"Adjusted by a regression on metrics whose true means are known ({rows[0].controls if rows else ''}), with "
        "a degree of freedom less for each (Lavenberg and Welch 1981); exact where metrics are jointly normal."
    )
    cells = [
        [row.scenario, row.metric, f"{row.n:,}", minus(shown(row.mean, row.plain_half_width)),
         minus(shown(row.estimate, row.half_width)), bounds(row.ci_lower, row.ci_upper),
         "" if row.variance_left is None else f"{row.variance_left:.2%}", row.note]
        for row in rows
    ]  # fmt: skip
    headers = ["scenario", "metric", "n", "mean", "adjusted", f"{found.level} interval", "variance left", ""]
    yield Grid("Means adjusted by control variates", headers, cells, names=(1,), words=(7,))


def _ratios(found: Findings, ratio: str) -> Grid:
    rows = ratio_rows(found.values, ratio, seed=found.record.experiment.seed, confidence=found.confidence)
    cells = [
        [row.scenario, f"{row.n:,}", minus(shown(row.estimate, row.half_width)),
         minus(shown(row.jackknife, row.half_width)), bounds(row.ci_lower, row.ci_upper),
         bounds(row.bootstrap_lower, row.bootstrap_upper),
         "" if row.mean_of_ratios is None else short(row.mean_of_ratios), row.note]
        for row in rows
    ]  # fmt: skip
    headers = ["scenario", "n", "of means", "jackknife", f"{found.level} interval", "bootstrap", "mean of ratios", ""]
    return Grid(f"Ratio of means {ratio}", headers, cells, words=(7,))


def _pooled(found: Findings, statistic: str) -> Grid:
    store, record = found.tables.store, found.record
    cells = [
        [row.scenario, f"{row.replications:,}", f"{row.rows:,}", "" if row.estimate is None else short(row.estimate),
         bounds(row.ci_lower, row.ci_upper), bounds(row.bootstrap_lower, row.bootstrap_upper),
         "" if row.mean_of_replications is None else short(row.mean_of_replications), row.note]
        for row in pooled_rows(store, record, statistic, confidence=found.confidence)
    ]  # fmt: skip
    headers = ["scenario", "n", "rows", "of all rows", f"{found.level} interval", "bootstrap", "mean of own", ""]
    return Grid(f"{statistic} of all rows; a replication is one unit of its interval", headers, cells, words=(7,))


def _performance(found: Findings, asked: Mapping[str, Any]) -> Iterator[Block]:
    rows = performance_rows(found.tables.store, found.record, confidence=found.confidence, **asked)
    yield Paragraph(
        "Performance of an estimator over replications, each measure with its Monte Carlo standard error "
        "(Morris, White and Crowther 2019, doi 10.1002/sim.8086)."
    )
    cells = [
        [row.scenario, row.by, row.measure.replace("_", " "), f"{row.n:,}", minus(shown(row.estimate, row.mcse)),
         short(row.mcse), f"{row.missing:,}" if row.missing else ""]
        for row in rows
    ]  # fmt: skip
    yield from (Paragraph(f"Note: {note}.") for note in dict.fromkeys(row.note for row in rows if row.note))
    headers = ["scenario", str(asked.get("by") or ""), "measure", "n", "estimate", "MCSE", "missing"]
    yield Grid(f"Performance of {asked['estimate']}, whose true value is {asked['true']}", headers, cells, names=(1, 2))


def _steady(found: Findings, asked: str) -> Grid:
    table, separator, column = asked.partition(".")
    if not separator or not column:
        raise RequestError(f"a steady-state mean is of TABLE.COLUMN, and '{asked}' is not")
    rows = steady_rows(found.tables.store, found.record, table=table, value=column, confidence=found.confidence)
    cells = [
        [row.scenario, f"{row.replication:,}", f"{row.left_out:,}", f"{row.n:,}", f"{row.batches} of {row.size:,}",
         minus(shown(row.mean, row.half_width)), bounds(row.ci_lower, row.ci_upper),
         bounds(row.overlapping_lower, row.overlapping_upper), short(row.lag_one, 2), row.note]
        for row in rows
    ]  # fmt: skip
    headers = ["scenario", "replication", "left out", "values", "batches", "mean", "batch means", "overlapping",
               "lag 1", ""]  # fmt: skip
    return Grid(f"Steady-state mean of {asked}, behind the warm-up that MSER-5 finds", headers, cells, words=(9,))
