"""What the local page shows, as values for its templates: runs of a store, one run, two runs beside each other."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from replicast.core.errors import ReplicastError
from replicast.core.planning import count
from replicast.core.ports import Store
from replicast.core.record import as_people_write
from replicast.reporting.charts import Interval, distribution_plot, interval_plot
from replicast.reporting.drawing import short
from replicast.runs import Run
from replicast.stores.glance import at_a_glance
from replicast.stores.labels import Labels, labels_of

MOST_FAILURES, MOST_METRICS = 50, 12


@dataclass(frozen=True, slots=True)
class Line:
    """A run in the list. `state` is empty where it was not asked for, or `damaged`."""

    id: str
    state: str
    done: int
    planned: int
    failed: int
    model: str
    created: str
    labels: Labels


def lines(store: Store) -> list[Line]:
    """All runs of the store, the newest first; one that cannot be read is a line too."""
    found, store = [], at_a_glance(store)
    for name in store.runs():
        labels = labels_of(store, name)
        try:
            status = Run(store, name).status()
            found.append(Line(name, status.state, status.done, status.planned, status.failed, status.model,
                              as_people_write(status.created), labels))  # fmt: skip
        except ReplicastError:
            found.append(Line(name, "damaged", 0, 0, 0, "", "", labels))
    return sorted(found, key=lambda line: (line.created, line.id), reverse=True)


def search(found: list[Line], words: str, state: str) -> list[Line]:
    def text(line: Line) -> str:
        return " ".join([line.id, line.model, line.state, line.labels.note, *line.labels.tags]).casefold()

    return [line for line in found if (not state or line.state == state)
            and all(word in text(line) for word in words.casefold().split())]  # fmt: skip


def progress(run: Run) -> dict[str, Any]:
    """How far each scenario is: small enough to be sent once a second."""
    status, coverage, record = run.status(), run.store.coverage(run.id), run.record
    scenarios = []
    for scenario in record.experiment.scenarios:
        done, planned = count(coverage.done(scenario.name)), record.planned_for(scenario.name)
        failed = len(coverage.failed(scenario.name))
        scenarios.append({"name": scenario.name, "done": done, "planned": max(planned, done), "failed": failed})
    return {"state": status.state, "done": status.done, "planned": status.planned, "failed": status.failed,
            "scenarios": scenarios}  # fmt: skip


def results(run: Run) -> dict[str, Any]:
    """The summary and its pictures, as far as there are any."""
    summary = run.summary()
    rows = [
        {"scenario": row.scenario, "metric": row.metric, "n": f"{row.n:,}", "mean": _shown(row.mean),
         "interval": "none" if row.ci_lower is None or row.ci_upper is None
         else f"{short(row.ci_lower)} to {short(row.ci_upper)}",
         "sd": _shown(row.sd), "min": _shown(row.min), "median": _shown(row.median), "max": _shown(row.max)}
        for row in summary.rows
    ]  # fmt: skip
    return {"rows": rows, "notes": summary.notes, "plots": _plots(run, summary.rows)}


def _plots(run: Run, rows: list[Any]) -> list[tuple[str, str]]:
    metrics = list(dict.fromkeys(row.metric for row in rows if row.n))[:MOST_METRICS]
    if not metrics:
        return []
    values, plots = run.values(), []
    for metric in metrics:
        own = [row for row in rows if row.metric == metric and row.mean is not None]
        intervals = [Interval(row.scenario, row.mean, row.ci_lower, row.ci_upper) for row in own]
        pictures = interval_plot(intervals, f"Mean {metric} by scenario", metric)
        plots.append((metric, pictures + distribution_plot(own, values.of_metric(metric), metric)))
    return plots


def failures(run: Run) -> tuple[int, list[dict[str, Any]]]:
    """How many there are, and the first of them with their replay commands."""
    rows = run.failures()
    several = len(run.record.experiment.scenarios) > 1
    shown = []
    for _, row in zip(range(MOST_FAILURES), rows, strict=False):
        words = ["replicast", "replay", run.id, str(row["replication"])]
        words += ["--scenario", str(row["scenario"])] if several else []
        words += ["--store", run.store.label]
        shown.append({**row, "command": shlex.join(words)})
    return len(rows), shown


def side_by_side(first: Run, second: Run) -> list[dict[str, str]]:
    """Means of both runs, where scenario and metric have the same name."""
    ours = {(row.scenario, row.metric): row for row in first.summary().rows}
    theirs = {(row.scenario, row.metric): row for row in second.summary().rows}
    names = list(dict.fromkeys([*ours, *theirs]))
    return [{"scenario": name[0], "metric": name[1], "first": _estimate(ours.get(name)),
             "second": _estimate(theirs.get(name))} for name in names]  # fmt: skip


def _estimate(row: Any) -> str:
    if row is None or row.mean is None:
        return "–"
    spread = f" ± {short(row.half_width)}" if row.half_width is not None else ""
    return f"{short(row.mean)}{spread} (n = {row.n:,})"


def _shown(value: float | None) -> str:
    return "" if value is None else short(value)
