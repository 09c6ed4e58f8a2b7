"""The report's results: the summary, each metric's pictures, and how scenarios differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from replicast.core.comparison import ComparisonRow
from replicast.core.digits import percent, shown
from replicast.core.statistics import SummaryRow
from replicast.core.stopping import Judgement

from .blocks import Block, Figure, Folded, Grid, Notes, Paragraph, Part, Picture
from .charts import MOST_PANELS, MOST_ROWS, Interval, convergence_plot, distribution_plot, interval_plot
from .comparing import describe_method
from .drawing import FURTHEST, minus, short
from .findings import Findings
from .report_design import response_figures
from .scenarios import as_text, scenarios_frame

MOST_CURVES = 6
FOLDED_SCENARIOS = 12
MARKS = "¹²³⁴⁵⁶⁷⁸⁹"


def results(found: Findings) -> Iterator[Block]:
    if not found.summary.rows:
        yield Paragraph("No replication has returned a metric.")
        return
    unit = "antithetic pair" if found.summary.paired else "replication"
    yield Paragraph(
        f"Each {unit} is one observation. The interval holds the model's true mean with {found.level} confidence "
        f"({_kinds_of_interval(found)}); it says nothing of how well the model fits the world."
    )
    if found.judgements:
        met = [f"{name}: {_judgement(judgement)}" for name, judgement in found.judgements.items()]
        yield Paragraph(f"Run until {found.record.options.precision}. " + "; ".join(met[:MOST_ROWS]) + ".")
    headers = ["scenario", "metric", "n", "mean", f"{found.level} interval", "± of mean", "sd", "min", "median", "max"]
    cautions = list(dict.fromkeys(row.caution for row in found.summary.rows if row.caution))
    rows = [_summary_cells(row, cautions) for row in found.summary.rows]
    footnotes = [f"{_mark(place)} {_sentence(caution)}" for place, caution in enumerate(cautions)]
    yield Grid("Summary over replications", headers, rows, names=(1,), footnotes=footnotes)


def _kinds_of_interval(found: Findings) -> str:
    kinds = {row.metric in found.summary.booleans for row in found.summary.rows}
    if kinds == {True}:
        return "Wilson's score interval of the share of replications"
    return f"Student's t over {'pairs' if found.summary.paired else 'replications'}" + (
        "; Wilson's score for metrics that are true or false" if True in kinds else ""
    )


def _judgement(judgement: Judgement) -> str:
    if judgement.state == "met":
        return f"met at {judgement.needed:,} of {judgement.wanted:,}"
    return f"not met within {judgement.wanted:,}" if judgement.state == "unmet" else "not met yet"


def _mark(place: int) -> str:
    return MARKS[place] if place < len(MARKS) else f"({place + 1})"


def _summary_cells(row: SummaryRow, cautions: Sequence[str]) -> list[str]:
    interval = bounds(row.ci_lower, row.ci_upper)
    relative = "" if row.relative_half_width is None else percent(row.relative_half_width)
    n = f"{row.n:,}" + (f" of {row.planned:,}" if row.n != row.planned else "")
    mark = f" {_mark(cautions.index(row.caution))}" if row.caution else ""
    return [
        row.scenario, row.metric, n + mark, minus(shown(row.mean, row.half_width)), interval, relative,
        *map(_shown, (row.sd, row.min, row.median, row.max)),
    ]  # fmt: skip


def _shown(value: float | None) -> str:
    return "" if value is None else short(value)


def bounds(lower: float | None, upper: float | None) -> str:
    if lower is None or upper is None:
        return "none"
    half_width = 0.5 * upper - 0.5 * lower
    return minus(f"{shown(lower, half_width)} to {shown(upper, half_width)}")


def metrics(found: Findings) -> Iterator[Block]:
    names = list(dict.fromkeys(row.metric for row in found.summary.rows))
    for place, name in enumerate(names, 1):
        inside = list(_metric(found, name)) or [Paragraph("It has no finite value.")]
        yield Part(f"metric-{place}", name, inside)


def _metric(found: Findings, metric: str) -> Iterator[Block]:
    rows = [row for row in found.summary.rows if row.metric == metric]
    known = found.values.of_metric(metric) if any(row.n for row in rows) else {}
    values = {name: np.clip(own, -FURTHEST, FURTHEST) for name, own in known.items()}
    if not values:
        return
    name = file_name(metric)
    if len(rows) > 1:
        intervals = [Interval(row.scenario, row.mean, row.ci_lower, row.ci_upper) for row in rows]
        plot = interval_plot(intervals, f"Mean {metric} by scenario", metric)
        caption = f"Means with their {found.level} intervals." + _only(len(rows), MOST_ROWS)
        yield Figure([Picture(f"{name}-means", plot)], caption)
    yield from response_figures(found.record.experiment, rows, metric, name, found.level)
    plot = distribution_plot(rows, values, metric)
    what = "means of antithetic pairs" if found.summary.paired else "replications"
    caption = f"How {what} are spread, each scenario to its own height; below, the mean and its interval."
    yield Figure([Picture(f"{name}-spread", plot)], caption + _only(len(rows), MOST_PANELS))
    curves = [row.scenario for row in rows if row.scenario in values][:MOST_CURVES]
    plots = [
        Picture(f"{name}-mean-so-far-{place}", convergence_plot(
            own, values[own], found.confidence, metric, copies=own in found.values.copies
        )) for place, own in enumerate(curves, 1)
    ]  # fmt: skip
    unit = "pairs" if found.summary.paired else "replications"
    caption = f"The mean of {unit} 1 to k, with the band of its interval. A curve that still drifts wants more."
    yield Figure(plots, caption + _only(len(rows), MOST_CURVES))


def file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:60] or "figure"


def _only(there: int, shown: int) -> str:
    return f" The first {shown} of {there} scenarios; all are in the tables." if there > shown else ""


def comparison(found: Findings) -> Iterator[Block]:
    own = found.comparison
    if own is None or not own.differences:
        return
    yield Paragraph(
        _sentence(describe_method(own, found.confidence, "bonferroni"))
        + " That no difference can be shown does not mean that there is none."
    )
    pairs = "pairs" if own.paired else "values"
    headers = ["scenario", "metric", pairs, "difference", "interval", "correlation", "verdict"]
    rows = [_difference_cells(row) for row in own.differences]
    yield Grid(f"Differences from {own.baseline}", headers, rows, names=(1,), words=(6,))
    for metric in dict.fromkeys(row.metric for row in own.differences):
        yield _differences(own.baseline, metric, [row for row in own.differences if row.metric == metric])
    yield Notes("About this comparison", gathered(
        (note for note in own.notes if note not in found.summary.notes), found.scenarios
    ))  # fmt: skip


def _differences(baseline: str, metric: str, rows: Sequence[ComparisonRow]) -> Figure:
    intervals = [Interval(row.scenario, row.difference, row.ci_lower, row.ci_upper) for row in rows]
    plot = interval_plot(
        intervals, f"Difference in {metric} from {baseline}", f"difference in {metric}", zero=True
    )  # fmt: skip
    caption = f"{metric}: scenario less {baseline}." + _only(len(rows), MOST_ROWS)
    return Figure([Picture(f"{file_name(metric)}-differences", plot)], caption)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _difference_cells(row: ComparisonRow) -> list[str]:
    interval = bounds(row.ci_lower, row.ci_upper)
    n = f"{row.n:,}" if row.method == "paired" else f"{row.n_scenario:,} and {row.n_baseline:,}"
    correlation = "" if row.correlation is None else short(row.correlation, 2)
    return [row.scenario, row.metric, n, _shown(row.difference), interval, correlation, row.conclusion]


def scenarios(found: Findings) -> Iterator[Block]:
    frame = scenarios_frame(found.record.experiment)
    if len(frame.columns) < 2 and len(frame) < 2:
        yield Paragraph("One scenario, with the model's own defaults.")
        return
    rows = [["" if value is None else short(value, 6) if isinstance(value, float) else as_text(value) for value in row]
            for row in frame.rows()]  # fmt: skip
    listed = Grid("Parameters that were given; an empty cell is the model's default", frame.columns, rows)
    yield Folded(f"All {len(frame)} scenarios", [listed]) if len(frame) > FOLDED_SCENARIOS else listed


def gathered(notes: Iterable[str], scenarios: Sequence[str]) -> list[str]:
    """Notes that say the same of several scenarios as one, which names them or, where they are many, some of them."""
    known, groups = set(scenarios), dict[str, list[str]]()
    for note in notes:
        name, colon, rest = note.partition(": ")
        if colon and name in known:
            groups.setdefault(rest, []).append(name)
        else:
            groups.setdefault(note, [])
    return [f"{_named(names, len(known))}: {rest}" if names else rest for rest, names in groups.items()]


def _named(names: Sequence[str], there: int) -> str:
    if len(names) == there > 1:
        return f"all {there} scenarios"
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} scenarios ({', '.join(names[:2])}, …)"
