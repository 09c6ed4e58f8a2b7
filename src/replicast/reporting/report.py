"""The report of a run: one page with what ran, what came out, how sure it is, and how to get every number again."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from html import escape

import numpy as np

from replicast.conducting.rules import judge_run
from replicast.core.comparison import ComparisonRow
from replicast.core.digits import percent, shown
from replicast.core.planning import count
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.core.statistics import SummaryRow
from replicast.core.stopping import Judgement

from . import html
from .as_toml import experiment_as_toml
from .charts import MOST_PANELS, MOST_ROWS, Interval, convergence_plot, distribution_plot, interval_plot
from .comparing import Comparison, RunValues, compare_run, describe_method, values_of_run
from .drawing import FURTHEST, minus, short
from .report_failures import failures_section
from .response_plot import ranged_parameters, response_plot
from .rows import failures_frame
from .scenarios import as_text, scenarios_frame
from .summary import Summary, summarise_run

MOST_CURVES = 6
FOLDED_SCENARIOS = 12


@dataclass(slots=True)
class Findings:
    """All that the page is made of."""

    record: RunRecord
    summary: Summary
    values: RunValues
    comparison: Comparison | None
    judgements: dict[str, Judgement]
    failures: list[dict[str, str]]
    done: int
    planned: int
    failed: int
    confidence: float

    @property
    def level(self) -> str:
        return f"{100 * self.confidence:.6g} %"

    @property
    def scenarios(self) -> list[str]:
        return [scenario.name for scenario in self.record.experiment.scenarios]


def find(store: Store, record: RunRecord, *, baseline: str | None = None, confidence: float = 0.95) -> Findings:
    coverage, values = store.coverage(record.id), values_of_run(store, record)
    names = [scenario.name for scenario in record.experiment.scenarios]
    comparison = None
    if len(names) > 1 or baseline is not None:
        comparison = compare_run(store, record, baseline=baseline, confidence=confidence, values=values)
    return Findings(
        record=record,
        summary=summarise_run(store, record, confidence=confidence),
        values=values,
        comparison=comparison,
        judgements=judge_run(store, record) if record.options.precision else {},
        failures=failures_frame(store, record).to_dicts(),
        done=sum(count(coverage.done(name)) for name in names),
        planned=sum(record.planned_for(name) for name in names),
        failed=sum(len(coverage.failed(name)) for name in names),
        confidence=confidence,
    )


def report_page(store: Store, record: RunRecord, *, baseline: str | None = None, confidence: float = 0.95) -> str:
    """The page, the same for the same run. Raises RequestError for a baseline or a confidence that is none."""
    found = find(store, record, baseline=baseline, confidence=confidence)
    sections = {
        "results": ("Results", _results(found)),
        "metrics": ("Metric by metric", _metrics(found)),
        "comparison": ("Comparison", _comparison(found)),
        "scenarios": ("Scenarios", _scenarios(found)),
        "failures": ("Failures", _failures(found)),
        "again": ("Every number again", _again(found)),
        "origin": ("How it was made", _origin(found)),
    }
    present = {identity: (title, inside) for identity, (title, inside) in sections.items() if inside}
    main = "\n".join(html.section(identity, title, inside) for identity, (title, inside) in present.items())
    links = "".join(f'<li><a href="#{identity}">{title}</a></li>' for identity, (title, _) in present.items())
    header = f'{_header(found)}\n<nav aria-label="Contents"><ul>{links}</ul></nav>\n{_first_to_know(found)}'
    version = escape(record.versions.get("replicast", ""))
    footer = f"Run {escape(record.id)}, by replicast {version}. This page needs no network."
    return html.page(f"{record.experiment.model.label}: run {record.id}", header, main, footer)


def _header(found: Findings) -> str:
    record, experiment = found.record, found.record.experiment
    scenarios = len(experiment.scenarios)
    each = {record.planned_for(name) for name in found.scenarios}
    replications = f"{min(each):,}" if len(each) == 1 else f"{min(each):,} to {max(each):,}"
    pairs = {
        "Replications": replications + (f" of each of {scenarios} scenarios" if scenarios > 1 else ""),
        "Done": f"{found.done:,} of {max(found.planned, found.done):,}",
        "Failed": f"{found.failed:,}",
        "Seed": str(experiment.seed),
    }
    return (
        f"<h1>{escape(experiment.model.label)}</h1>\n"
        + html.paragraph(f"Run {record.id}, begun {record.created.replace('T', ' ')}", "quiet")
        + html.facts(pairs)
    )


def _first_to_know(found: Findings) -> str:
    """What a reader must know before the first number: what is missing, failed, copied or not precise."""
    lines = []
    if found.done < found.planned:
        lines.append(f"The run is not finished: {_are(found.planned - found.done)} missing.")
    if found.failed:
        lines.append(
            f"{found.failed:,} replication{'s' * (found.failed != 1)} failed, and no mean is of them. Failures "
            "are not missing at random: a model that fails when it is busy leaves the mean of quiet days."
        )
    unmet = [name for name, judgement in found.judgements.items() if judgement.state != "met"]
    if unmet:
        lines.append(f"The precision asked for ({found.record.options.precision}) was not met in: {', '.join(unmet)}.")
    return html.notes("First to know", [*lines, *found.summary.notes])


def _are(number: int) -> str:
    return "1 replication is" if number == 1 else f"{number:,} replications are"


def _results(found: Findings) -> str:
    rows = [_summary_cells(row) for row in found.summary.rows]
    if not rows:
        return html.paragraph("No replication has returned a metric yet.")
    headers = [
        "scenario",
        "metric",
        "n",
        "mean",
        f"{found.level} interval",
        "± of mean",
        "sd",
        "min",
        "median",
        "max",
        "",
    ]
    about = html.paragraph(
        f"Each replication is one observation. The interval holds the model's true mean with {found.level} confidence "
        "(Student's t over replications); it says nothing of how well the model fits the world."
    )
    goal = ""
    if found.judgements:
        met = [f"{name}: {_judgement(judgement)}" for name, judgement in found.judgements.items()]
        goal = html.paragraph(f"Run until {found.record.options.precision}. " + "; ".join(met[:MOST_ROWS]) + ".")
    return about + goal + html.table("Summary over replications", headers, rows, names=(1,), words=(10,))


def _judgement(judgement: Judgement) -> str:
    if judgement.state == "met":
        return f"met at {judgement.needed:,} of {judgement.wanted:,}"
    return f"not met within {judgement.wanted:,}" if judgement.state == "unmet" else "not met yet"


def _summary_cells(row: SummaryRow) -> list[str]:
    interval = _bounds(row.ci_lower, row.ci_upper)
    relative = "" if row.relative_half_width is None else percent(row.relative_half_width)
    n = f"{row.n:,}" + (f" of {row.planned:,}" if row.n != row.planned else "")
    return [
        row.scenario, row.metric, n, minus(shown(row.mean, row.half_width)), interval, relative,
        *map(_shown, (row.sd, row.min, row.median, row.max)), row.caution,
    ]  # fmt: skip


def _shown(value: float | None) -> str:
    return "" if value is None else short(value)


def _bounds(lower: float | None, upper: float | None) -> str:
    if lower is None or upper is None:
        return "none"
    half_width = 0.5 * upper - 0.5 * lower
    return minus(f"{shown(lower, half_width)} to {shown(upper, half_width)}")


def _metrics(found: Findings) -> str:
    names = list(dict.fromkeys(row.metric for row in found.summary.rows))
    return "\n".join(_metric(found, name, place) for place, name in enumerate(names))


def _metric(found: Findings, metric: str, place: int) -> str:
    rows = [row for row in found.summary.rows if row.metric == metric]
    known = found.values.of_metric(metric) if any(row.n for row in rows) else {}
    values = {name: np.clip(own, -FURTHEST, FURTHEST) for name, own in known.items()}
    if not values:
        return html.section(f"metric-{place + 1}", metric, html.paragraph("It has no finite value."), level=3)
    pieces = []
    if len(rows) > 1:
        intervals = [Interval(row.scenario, row.mean, row.ci_lower, row.ci_upper) for row in rows]
        plot = interval_plot(intervals, f"Mean {metric} by scenario", metric)
        pieces.append(html.figure(plot, f"Means with their {found.level} intervals." + _only(len(rows), MOST_ROWS)))
    if (ranged := ranged_parameters(found.record.experiment)) and len(rows) > FOLDED_SCENARIOS:
        plots = [response_plot(rows, name, places, metric) for name, places in ranged.items()]
        about = f"A dot a scenario, with its {found.level} interval; the other parameters differ too."
        pieces.append(html.figure("\n".join(plots), about))
    plot = distribution_plot(rows, values, metric)
    caption = "How replications are spread, each scenario to its own height; below, the mean and its interval."
    pieces.append(html.figure(plot, caption + _only(len(rows), MOST_PANELS)))
    curves = [row.scenario for row in rows if row.scenario in values][:MOST_CURVES]
    plots = [
        convergence_plot(name, values[name], found.confidence, metric, copies=name in found.values.copies)
        for name in curves
    ]
    caption = "The mean of replications 1 to k, with the band of its interval. A curve that still drifts wants more."
    pieces.append(html.figure("\n".join(plots), caption + _only(len(rows), MOST_CURVES)))
    return html.section(f"metric-{place + 1}", metric, *pieces, level=3)


def _only(there: int, shown: int) -> str:
    return f" The first {shown} of {there} scenarios; all are in the tables." if there > shown else ""


def _comparison(found: Findings) -> str:
    comparison = found.comparison
    if comparison is None or not comparison.differences:
        return ""
    headers = [
        "scenario",
        "metric",
        "pairs" if comparison.paired else "values",
        "difference",
        "interval",
        "correlation",
        "verdict",
    ]
    rows = [_difference_cells(row) for row in comparison.differences]
    about = html.paragraph(
        _sentence(describe_method(comparison, found.confidence, "bonferroni"))
        + " That no difference can be shown does not mean that there is none."
    )
    plots = []
    for metric in dict.fromkeys(row.metric for row in comparison.differences):
        own = [row for row in comparison.differences if row.metric == metric]
        intervals = [Interval(row.scenario, row.difference, row.ci_lower, row.ci_upper) for row in own]
        plot = interval_plot(
            intervals, f"Difference in {metric} from {comparison.baseline}", f"difference in {metric}", zero=True
        )
        plots.append(html.figure(plot, f"{metric}: scenario less {comparison.baseline}." + _only(len(own), MOST_ROWS)))
    extra = [note for note in comparison.notes if note not in found.summary.notes]
    return (
        about
        + html.table(f"Differences from {comparison.baseline}", headers, rows, names=(1,), words=(6,))
        + "\n".join(plots)
        + html.notes("About this comparison", extra)
    )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _difference_cells(row: ComparisonRow) -> list[str]:
    interval = _bounds(row.ci_lower, row.ci_upper)
    n = f"{row.n:,}" if row.method == "paired" else f"{row.n_scenario:,} and {row.n_baseline:,}"
    correlation = "" if row.correlation is None else short(row.correlation, 2)
    return [row.scenario, row.metric, n, _shown(row.difference), interval, correlation, row.conclusion]


def _scenarios(found: Findings) -> str:
    frame = scenarios_frame(found.record.experiment)
    if len(frame.columns) < 2 and len(frame) < 2:
        return html.paragraph("One scenario, with the model's own defaults.")
    rows = [["" if value is None else short(value, 6) if isinstance(value, float) else as_text(value) for value in row]
            for row in frame.rows()]  # fmt: skip
    listed = html.table("Parameters that were given; an empty cell is the model's default", frame.columns, rows)
    return html.folded(f"All {len(frame)} scenarios", listed) if len(frame) > FOLDED_SCENARIOS else listed


def _failures(found: Findings) -> str:
    return failures_section(found.record.id, found.failures, several_scenarios=len(found.scenarios) > 1)


def _again(found: Findings) -> str:
    record = found.record
    run = shlex.quote(record.id)
    scenario = f" --scenario {shlex.quote(found.scenarios[0])}" if len(found.scenarios) > 1 else ""
    commands = [
        f"replicast summary {run} --confidence {found.confidence:g}",
        f"replicast collate {run} -o results",
        *([f"replicast compare {run} --baseline {shlex.quote(found.comparison.baseline)}"] if found.comparison else []),
        *([f"replicast failures {run}"] if found.failures else []),
        f"replicast replay {run} 1{scenario}",
        f"replicast verify {run}",
    ]
    return (
        html.paragraph("From the stored run: the summary, every table, one replication again, and a sample checked.")
        + html.code("\n".join(commands))
        + html.paragraph(
            "From nothing: the model's source as it ran lies in the run's folder model/. Beside it, this "
            "experiment.toml gives the same numbers with: replicast run --experiment experiment.toml"
        )
        + html.folded("experiment.toml", html.code(experiment_as_toml(record)))
    )


def _origin(found: Findings) -> str:
    record, experiment = found.record, found.record.experiment
    streams = "the same for every scenario" if experiment.streams.common else "separate for each scenario"
    options = record.options
    commit = record.git_commit.removesuffix("+")
    changed = " with uncommitted changes" if record.git_commit.endswith("+") else ""
    pairs = {
        "run": record.id,
        "begun": record.created,
        "model": f"{experiment.model.label} ({experiment.model.language})",
        "hash of the source": record.code_hash,
        "git commit": commit + changed if commit else "none",
        "seed": str(experiment.seed),
        "random number streams": f"{experiment.streams.kind}, {streams}",
        "place": record.place,
        "machine": record.host,
        "user": record.user,
        "timeout": f"{options.timeout_seconds:g} s" if options.timeout_seconds else "none",
        **{f"version of {name}": version for name, version in record.versions.items()},
    }
    rows = [[name, value] for name, value in pairs.items() if value]
    return html.table("What decided the numbers, and where they were computed", ["what", "which"], rows, words=(1,))
