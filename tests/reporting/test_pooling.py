"""Ratios of metrics and statistics of all rows, of a stored run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from replicast.core.errors import RequestError
from replicast.reporting.comparing import describe_method
from replicast.reporting.pooling import SAME
from replicast.runs import Run

MakeRun = Callable[..., Run]


def waits_of(_scenario: str, replication: int) -> Mapping[str, Any]:
    rng = np.random.default_rng(replication)
    n = int(rng.integers(1, 40))
    return {"wait": rng.exponential(0.1 * n, n)}


@pytest.fixture
def days(make_run: MakeRun) -> Run:
    rows = [waits_of("base", i)["wait"] for i in range(1, 61)]
    totals = [{"total": float(own.sum()), "number": len(own), "wait": float(own.mean())} for own in rows]
    return make_run({"base": totals}, series=waits_of)


def test_the_ratio_of_sums_is_the_mean_of_all_rows(days: Run) -> None:
    ratio, pooled = days.ratio("total/number").to_dicts()[0], days.pooled("series.wait:mean").to_dicts()[0]
    assert ratio["estimate"] == pytest.approx(pooled["estimate"], rel=1e-12)
    assert ratio["ci_lower"] == pytest.approx(pooled["ci_lower"])
    assert ratio["mean_of_ratios"] == pytest.approx(pooled["mean_of_replications"])
    assert ratio["mean_of_ratios"] < ratio["ci_lower"]


def test_a_pooled_percentile_is_of_all_rows(days: Run) -> None:
    (row,) = days.pooled("series.wait:p95").to_dicts()
    waits = np.concatenate([waits_of("base", i)["wait"] for i in range(1, 61)])
    assert (row["estimate"], row["rows"], row["replications"]) == (np.quantile(waits, 0.95), len(waits), 60)
    assert row["ci_lower"] < row["estimate"] < row["ci_upper"]


def test_a_metric_that_is_a_mean_of_rows_is_said_to_be_one(days: Run) -> None:
    (note,) = [note for note in days.summary().notes if "pooled" in note]
    assert note.startswith("'wait' is summarised as a mean of replications' own values")
    assert ": replicast summary made --pooled series.wait:mean --store " in note


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda run: run.ratio("total"), "METRIC/METRIC"),
        (lambda run: run.ratio("total/numbre"), "'numbre'.*number"),
        (lambda run: run.pooled("series.wiat:p95"), "no column 'wiat'.*wait"),
        (lambda run: run.pooled("sries.wait:p95"), "no table 'sries'.*series"),
        (lambda run: run.pooled("series.wait"), "TABLE.COLUMN:mean"),
        (lambda run: run.pooled("series.wait:max"), "percentile such as p95"),
    ],
)
def test_what_is_not_there_is_refused(days: Run, ask: Callable[[Run], Any], says: str) -> None:
    with pytest.raises(RequestError, match=says):
        ask(days)


def test_copies_have_a_ratio_and_no_interval(make_run: MakeRun) -> None:
    run = make_run({"base": [{"a": 1.0, "b": 2.0}] * 5}, copies=True)
    (row,) = run.ratio("a/b").to_dicts()
    assert (row["estimate"], row["ci_lower"], row["note"]) == (0.5, None, "replications are copies")


def test_what_is_the_same_in_all_replications_has_no_interval_and_says_so(make_run: MakeRun) -> None:
    u = np.random.default_rng(1).random(12)
    run = make_run({"s": [{"a": own, "b": 3.0 * own} for own in u.tolist()]})
    (row,) = run.ratio("b/a").objects
    assert (row.estimate, row.ci_lower, row.note) == (pytest.approx(3.0), None, SAME)


def test_the_scenarios_of_each_metric_are_a_family(make_run: MakeRun) -> None:
    rng = np.random.default_rng(1)
    values = {name: [{"a": float(x), "b": float(y)} for x, y in rng.normal(size=(9, 2))] for name in "xyz"}
    found = make_run(values).compare(family="scenarios")
    assert [row.interval_confidence for row in found.differences] == pytest.approx([0.975] * 4)
    assert "all 2 scenarios of each metric hold together" in describe_method(found, 0.95, "bonferroni")


def test_a_ratio_to_what_may_have_the_mean_0_says_so(make_run: MakeRun) -> None:
    rng = np.random.default_rng(1)
    run = make_run({"base": [{"a": float(a), "b": float(b)} for a, b in rng.normal(0.3, 1.0, (20, 2))]})
    (row,) = run.ratio("a/b").to_dicts()
    assert "may have the mean 0" in row["note"]
