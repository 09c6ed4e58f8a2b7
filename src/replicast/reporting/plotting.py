"""A run's plots for a notebook, `run.plot.means()` and its like: Altair charts, to be changed further as such."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from replicast.core.errors import RequestError, nearest
from replicast.core.ports import Store
from replicast.core.record import RunRecord

from .charts import running_mean
from .comparing import compare_run, values_of_run
from .scenarios import scenarios_frame
from .summary import summarise_run

MOST_POINTS = 5000


class Plots:
    """Each plot is of one `metric` (the first, if none is named), with intervals at `confidence`, and needs Altair."""

    def __init__(self, store: Store, record: RunRecord) -> None:
        self._store, self._record = store, record

    def means(self, metric: str | None = None, *, confidence: float = 0.95) -> Any:
        """Each scenario's mean and its interval."""
        rows = self._rows(metric, confidence)
        chart = altair().Chart(values_of(rows)).encode(y=_scenario())
        bars = chart.mark_rule().encode(x=_measure("X", "ci_lower:Q", rows[0]["metric"]), x2="ci_upper:Q")
        return bars + chart.mark_point(filled=True, size=60).encode(
            x="mean:Q", tooltip=["scenario:N", "mean:Q", "ci_lower:Q", "ci_upper:Q", "n:Q"]
        )

    def running_mean(self, metric: str | None = None, *, confidence: float = 0.95) -> Any:
        """The mean of replications 1 to k with the band of its interval."""
        name, rows = self._name(metric), []
        values = values_of_run(self._store, self._record)
        for scenario, own in values.of_metric(name).items():
            running = running_mean(own, confidence)
            wide = np.zeros(len(own)) if scenario in values.copies else running.half_widths
            for k, mean, half in zip(running.numbers, running.means, wide, strict=False):
                spread = float(half) if np.isfinite(half) else 0.0
                rows.append({"scenario": scenario, "replications": int(k), "mean": float(mean),
                             "lower": float(mean) - spread, "upper": float(mean) + spread})  # fmt: skip
        chart = (
            altair().Chart(values_of(rows)).encode(x="replications:Q", color=altair().Color("scenario:N", sort=None))
        )
        band = chart.mark_area(opacity=0.2).encode(y=_measure("Y", "lower:Q", name), y2="upper:Q")
        return band + chart.mark_line().encode(y="mean:Q")

    def distribution(self, metric: str | None = None) -> Any:
        """How replications are spread: a histogram a scenario, on one scale."""
        name, rows = self._name(metric), []
        for scenario, own in values_of_run(self._store, self._record).of_metric(name).items():
            finite = own[np.isfinite(own)]
            if len(finite) > MOST_POINTS:  # evenly spaced order statistics, which keep the shape
                finite = np.quantile(finite, np.linspace(0, 1, MOST_POINTS))
            rows += [{"scenario": scenario, "value": float(value)} for value in finite]
        alt = altair()
        chart = alt.Chart(values_of(rows)).mark_bar()
        bins = alt.X("value:Q", bin=alt.Bin(maxbins=40), title=name)
        return chart.encode(x=bins, y=alt.Y("count():Q", title="replications"), row=alt.Row("scenario:N", sort=None))

    def compare(self, metric: str | None = None, *, baseline: str | None = None, confidence: float = 0.95) -> Any:
        """Each other scenario's difference from the `baseline`, with its interval; the line is no difference."""
        name = self._name(metric)
        found = compare_run(self._store, self._record, baseline=baseline, confidence=confidence, metrics=[name])
        rows = [asdict(row) for row in found.differences]
        alt, title = altair(), f"{name}: difference from {found.baseline}"
        chart = alt.Chart(values_of(rows)).encode(y=_scenario())
        zero = alt.Chart(values_of([{"x": 0}])).mark_rule(strokeDash=[4, 3]).encode(x="x:Q")
        bars = chart.mark_rule().encode(x=_measure("X", "ci_lower:Q", title), x2="ci_upper:Q")
        return zero + bars + chart.mark_point(filled=True).encode(x="difference:Q", tooltip=["scenario:N", "verdict:N"])

    def response(self, parameter: str, metric: str | None = None, *, confidence: float = 0.95) -> Any:
        """Means over the values of a `parameter` that scenarios differ in."""
        frame = scenarios_frame(self._record.experiment)
        if parameter not in frame.columns or parameter == "scenario":
            raise RequestError(f"no scenario gives '{parameter}' a value{nearest(parameter, frame.columns[1:])}")
        given = dict(zip(frame["scenario"], frame[parameter], strict=True))
        rows = [{**row, "given": given[row["scenario"]]} for row in self._rows(metric, confidence)]
        chart = altair().Chart(values_of(rows)).encode(x=_measure("X", "given:Q", parameter))
        bars = chart.mark_rule().encode(y=_measure("Y", "ci_lower:Q", rows[0]["metric"]), y2="ci_upper:Q")
        return bars + chart.mark_point(filled=True).encode(y="mean:Q", tooltip=["scenario:N", "mean:Q"])

    def _rows(self, metric: str | None, confidence: float) -> list[dict[str, Any]]:
        name = self._name(metric)
        rows = summarise_run(self._store, self._record, confidence=confidence).rows
        return [asdict(row) for row in rows if row.metric == name and row.mean is not None]

    def _name(self, metric: str | None) -> str:
        known = values_of_run(self._store, self._record).metrics()
        if not known:
            raise RequestError("no replication has returned a metric, so there is nothing to plot")
        if metric is not None and metric not in known:
            raise RequestError(f"there is no metric '{metric}'{nearest(metric, known)}")
        return metric or known[0]


def altair() -> Any:
    """Raises RequestError where it is not installed."""
    try:
        import altair
    except ImportError:
        raise RequestError("plots need Altair: python -m pip install altair") from None
    altair.data_transformers.disable_max_rows()
    return altair


def values_of(rows: list[dict[str, Any]]) -> Any:
    return altair().Data(values=rows)


def _scenario() -> Any:
    return altair().Y("scenario:N", sort=None)


def _measure(channel: str, field: str, title: str) -> Any:
    """An axis that need not begin at 0."""
    alt = altair()
    return getattr(alt, channel)(field, title=title, scale=alt.Scale(zero=False))
