"""Scenarios of a run against each other: which values are compared, how, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from replicast.core.errors import RequestError
from replicast.core.record import NAME
from replicast.core.replication import Metric
from replicast.reporting.comparing import describe_method
from replicast.runs import Run

MakeRun = Callable[..., Run]
LEFT = [5.4, 16.6, 0.6, 1.4, 0.6, 7.3]
RIGHT = [19.1, 3.5, 3.4, 2.5, 3.6, 1.7]
"""Jain (1991), example 13.5: paired 90 % interval [-7.748784, 7.115451] of the same order of subtraction."""


def returns(values: list[float], metric: str = "time") -> list[dict[str, Metric]]:
    return [{metric: value} for value in values]


def test_replications_are_paired_by_number_under_common_random_numbers(make_run: MakeRun) -> None:
    run = make_run({"right": returns(RIGHT), "left": returns(LEFT)})
    found = run.compare(confidence=0.9)
    row = found.differences[0]
    assert (row.scenario, row.baseline, row.method, row.n) == ("left", "right", "paired", 6)
    assert row.ci_lower == pytest.approx(-7.748784, abs=1e-6)
    assert row.ci_upper == pytest.approx(7.115451, abs=1e-6)
    assert row.verdict == "no difference can be shown"
    assert row.correlation == pytest.approx(np.corrcoef(LEFT, RIGHT)[0, 1])


def test_separate_streams_are_compared_by_welch(make_run: MakeRun) -> None:
    run = make_run({"right": returns(RIGHT), "left": returns(LEFT)}, common=False)
    found = run.compare()
    row = found.differences[0]
    assert (row.method, row.n_scenario, row.n_baseline, row.correlation) == ("welch", 6, 6, None)
    assert "separate" in describe_method(found, 0.95, "bonferroni")


def test_a_failed_replication_costs_its_pair_and_is_named(make_run: MakeRun) -> None:
    run = make_run({"base": returns(RIGHT), "more": [*returns(LEFT[:5]), None]})
    found = run.compare()
    assert found.differences[0].n == 5
    assert found.differences[0].mean_baseline == pytest.approx(np.mean(RIGHT[:5]))
    assert found.notes == ["more: 1 of 6 replications failed and is left out"]


def test_replications_past_what_counts_are_left_out(make_run: MakeRun) -> None:
    run = make_run({"base": returns(RIGHT), "more": returns(LEFT)})
    precise = replace(run.record, planned={"base": 4, "more": 4})
    run.store.write(run.id, NAME, precise.to_json())
    run = Run(run.store, run.id)
    assert run.compare().differences[0].n == 4
    assert {row.n for row in run.summary().rows} == {4}


def test_a_run_that_has_barely_begun_takes_no_room_for_what_is_planned(make_run: MakeRun) -> None:
    run = make_run({"base": returns(RIGHT), "more": returns(LEFT[:4])}, planned=2_000_000_000)
    assert run.compare().differences[0].n == 4


def test_no_interval_is_given_over_copies(make_run: MakeRun) -> None:
    run = make_run({"base": returns(RIGHT), "copied": returns([7.0] * 6)}, copies=True)
    found = run.compare()
    row = found.differences[0]
    assert (row.ci_lower, row.verdict, row.note) == (
        None, "no difference can be shown", "replications are copies of one another",
    )  # fmt: skip
    assert "all are copies of one" in found.notes[0]


def test_the_baseline_is_the_first_scenario_or_the_one_named(make_run: MakeRun) -> None:
    run = make_run({"base": returns(RIGHT), "more": returns(LEFT)})
    assert run.compare().baseline == "base"
    assert run.compare(baseline="more").differences[0].scenario == "base"
    with pytest.raises(RequestError, match="did you mean 'more'"):
        run.compare(baseline="mroe")


def test_a_run_of_one_scenario_has_nothing_to_be_compared_with(make_run: MakeRun) -> None:
    run = make_run({"base": returns(RIGHT)})
    with pytest.raises(RequestError, match="nothing to compare it with"):
        run.compare()
    with pytest.raises(RequestError, match="nothing to compare it with"):
        run.rank("time", "lower")


def test_a_metric_that_one_scenario_lacks_is_left_out_and_named(make_run: MakeRun) -> None:
    run = make_run({"base": returns(RIGHT), "more": [{"time": v, "cost": v} for v in LEFT]})
    found = run.compare()
    assert [row.metric for row in found.differences] == ["time"]
    assert found.notes == ["'cost' of more is left out: base does not have it"]


def test_the_confidence_is_held_over_all_comparisons_unless_told_otherwise(make_run: MakeRun) -> None:
    run = make_run({"a": returns(RIGHT), "b": returns(LEFT), "c": returns([v + 1 for v in LEFT])})
    assert {row.interval_confidence for row in run.compare().differences} == {0.975}
    assert {row.interval_confidence for row in run.compare(adjustment="none").differences} == {0.95}
    assert "all 2 hold together at 95 %" in describe_method(run.compare(), 0.95, "bonferroni")
    assert "by chance" in describe_method(run.compare(adjustment="none"), 0.95, "none")


def test_the_rows_come_as_pandas_polars_and_arrow_with_the_same_columns(make_run: MakeRun) -> None:
    found = make_run({"base": returns(RIGHT), "more": returns(LEFT)}).compare()
    assert found.pl().columns == list(found.df().columns) == found.arrow().column_names
    assert found.pl()["n"].to_list() == [6]
    assert found.to_dicts()[0]["verdict"] == "no difference can be shown"


def test_a_ranking_keeps_what_may_be_the_best(make_run: MakeRun) -> None:
    rng = np.random.default_rng(1)
    shared = rng.normal(10, 3, 40)
    values = {name: returns(list(shared + gap + rng.normal(0, 0.1, 40))) for name, gap in
              {"middle": 2.0, "best": 0.0, "close": 0.01, "worst": 5.0}.items()}  # fmt: skip
    ranking = make_run(values).rank("time", "lower")
    assert [row.scenario for row in ranking.ranked if row.kept] == [r.scenario for r in ranking.ranked[:2]]
    assert {row.scenario for row in ranking.ranked if row.kept} == {"best", "close"}
    assert ranking.pl()["metric"].to_list() == ["time"] * 4
    with pytest.raises(RequestError, match="neither"):
        make_run(values).rank("time", "larger")  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="no metric is called 'tim'"):
        make_run(values).rank("tim", "lower")
