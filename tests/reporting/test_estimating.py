"""How many replications are needed, quantiles and proportions, against published numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from replicast.core.errors import RequestError
from replicast.reporting.estimating import (
    needed_rows,
    parse_probabilities,
    proportion_rows,
    quantile_rows,
    replications_to_ask_for,
)
from replicast.runs import Run

MakeRun = Callable[..., Run]
DELAYS = [1.53, 1.66, 1.24, 2.34, 2.00, 1.69, 2.69, 2.86, 1.70, 2.60]
"""Law (2015), example 9.14: mean 2.031, s² 0.3091."""


@pytest.fixture
def delays(make_run: MakeRun) -> Run:
    return make_run({"base": [{"delay": value, "late": float(value > 2), "same": 3} for value in DELAYS]})


def test_needed_replications_are_those_of_the_textbook(delays: Run) -> None:
    rows = delays.summary(confidence=0.9).rows
    absolute = next(row for row in needed_rows(rows, "0.25") if row.metric == "delay")
    relative = next(row for row in needed_rows(rows, "10%") if row.metric == "delay")
    assert (absolute.needed, absolute.more) == (16, 6)
    assert (relative.needed, relative.more) == (27, 17)


def test_a_metric_without_an_interval_needs_no_number_that_can_be_said(delays: Run) -> None:
    row = next(row for row in needed_rows(delays.summary().rows, "5%") if row.metric == "same")
    assert (row.needed, row.more) == (None, None)
    assert "no interval" in row.note


def test_targets_may_differ_by_metric_and_must_name_one_that_is_there(delays: Run) -> None:
    rows = needed_rows(delays.summary().rows, "delay=5%,late=0.1")
    assert [(row.metric, row.target) for row in rows] == [("delay", "5%"), ("late", "0.1")]
    with pytest.raises(RequestError, match="did you mean 'delay'"):
        needed_rows(delays.summary().rows, "dely=5%")


def test_what_is_met_needs_no_more(delays: Run) -> None:
    rows = needed_rows(delays.summary().rows, "delay=1.5")
    assert rows[0].more == 0
    assert replications_to_ask_for(rows) is None


def test_failures_are_allowed_for_in_what_to_ask_for(make_run: MakeRun) -> None:
    run = make_run({"base": [*({"delay": value} for value in DELAYS), None, None]})
    rows = needed_rows(run.summary(confidence=0.9).rows, "0.25")
    assert rows[0].needed == 16
    assert replications_to_ask_for(rows) == 20


def test_a_quantile_has_its_order_statistics_or_is_said_to_have_none(make_run: MakeRun) -> None:
    run = make_run({"base": [{"wait": float(i)} for i in range(20, 0, -1)]})
    median, high = quantile_rows(run.values(), [0.5, 0.9])
    assert (median.lower_rank, median.upper_rank, median.ci_lower, median.ci_upper) == (6, 15, 6.0, 15.0)
    assert median.coverage == pytest.approx(0.9586105, abs=1e-7)
    assert (high.ci_lower, high.note) == (None, "none exists at 95 % for 20 values")


def test_a_quantile_of_copies_has_no_interval(make_run: MakeRun) -> None:
    run = make_run({"base": [{"wait": 1.0}] * 20}, copies=True)
    assert quantile_rows(run.values(), [0.5])[0].note == "replications are copies"
    assert proportion_rows(run.values(), ["wait"])[0].note == "replications are copies"


@pytest.mark.parametrize("text", ["0", "1", "1.5", "half", "0.5,", "nan"])
def test_a_quantile_outside_0_to_1_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="between 0 and 1"):
        parse_probabilities(text)


def test_a_metric_of_zeros_and_ones_is_a_proportion(delays: Run) -> None:
    (row,) = proportion_rows(delays.values(), ["late"])
    assert (row.metric, row.ones, row.n, row.share) == ("late", 4, 10, 0.4)
    # R: prop.test(4, 10, correct = FALSE), binom.test(4, 10)
    assert (row.wilson_lower, row.wilson_upper) == pytest.approx((0.1681803, 0.6873262), abs=1e-7)
    assert (row.exact_lower, row.exact_upper) == pytest.approx((0.1215523, 0.7376219), abs=1e-7)
