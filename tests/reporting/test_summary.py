"""The summary of a run: what was counted, what was not, and no interval where none is honest."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicast.core.errors import RequestError
from replicast.core.experiment import Experiment, ModelReference
from replicast.core.record import RunRecord
from replicast.core.replication import Failure, Outcome
from replicast.core.scenarios import Scenario
from replicast.core.statistics import SummaryRow
from replicast.models.results import read_result
from replicast.reporting.summary import Summary, count_distinct, summarise_run, summary_schema
from replicast.reporting.summary_notes import gathered
from replicast.runs import Run
from replicast.stores.objects import ObjectStore

MakeRun = Callable[..., Run]
RUN = "run"
NAN, INF = math.nan, math.inf


def record(*scenarios: str, planned: int = 5) -> RunRecord:
    made = tuple(Scenario(name, {}, i) for i, name in enumerate(scenarios or ("base",)))
    return RunRecord(RUN, Experiment(ModelReference("python", "model.py"), made, 1), planned, "")


def outcome(replication: int, returned: Any, scenario: str = "base", draws: int = 0) -> Outcome:
    return Outcome(scenario, replication, 0.1, *read_result(returned), draws=draws or replication)


def failed(replication: int, scenario: str = "base") -> Outcome:
    return Outcome(scenario, replication, 0.1, failure=Failure("error", "ValueError", "no"))


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(str(tmp_path))


def summary_of(store: ObjectStore, values: list[Any], **options: Any) -> Summary:
    """Of one scenario whose replications returned `values`; an exception in the list stands for a failure."""
    store.save(RUN, [failed(i) if v is failed else outcome(i, v) for i, v in enumerate(values, 1)])
    return summarise_run(store, record(planned=options.pop("planned", len(values))), **options)


def test_the_figures_of_ten_delays_are_those_of_the_textbook(store: ObjectStore) -> None:
    """Law (2015), example 4.26 and section 4.5: mean 2.031, s² 0.309, 90 % interval [1.71, 2.35]."""
    delays = [1.53, 1.66, 1.24, 2.34, 2.00, 1.69, 2.69, 2.86, 1.70, 2.60]
    (row,) = summary_of(store, delays, confidence=0.9).rows
    assert (row.scenario, row.metric, row.planned, row.n, row.failed, row.non_finite) == ("base", "value", 10, 10, 0, 0)
    assert row.mean == pytest.approx(2.031, abs=1e-15)
    assert row.sd is not None
    assert row.sd**2 == pytest.approx(0.309099, abs=5e-7)
    assert (row.ci_lower, row.ci_upper) == (pytest.approx(1.708717, abs=5e-7), pytest.approx(2.353283, abs=5e-7))
    assert row.half_width == pytest.approx((2.353283 - 1.708717) / 2, abs=1e-6)
    assert row.relative_half_width == pytest.approx(row.half_width / 2.031, rel=1e-12)
    assert (row.min, row.max, row.confidence) == (1.24, 2.86, 0.9)
    assert row.median == statistics.median(delays)


COUNTS = "base: 'value' only counts the replications: its mean and interval say nothing"


@pytest.mark.parametrize("first", [0, 1, 2.0, 100])
def test_a_run_number_among_the_metrics_is_told_to_be_none(store: ObjectStore, first: float) -> None:
    assert summary_of(store, [first + i for i in range(5)]).notes == [COUNTS]


@pytest.mark.parametrize(
    "values",
    [[1, 2, 3, 4], [1, 2, 3, 4, 6, 7], [5, 4, 3, 2, 1], [1, 2, NAN, 4, 5], [NAN] * 6, [1, 2, 3, 4, 5, *[9] * 9]],
)
def test_other_values_are_not_taken_for_one(store: ObjectStore, values: list[float]) -> None:
    assert COUNTS not in summary_of(store, values).notes


def test_a_run_of_tables_alone_says_how_to_summarise_one(store: ObjectStore) -> None:
    """Models of the field return their KPIs as a table of one row beside the others: no metrics, by the rule."""
    patients = [{"id": 1, "wait": 0.5}, {"id": 2, "wait": 1.5}]
    summary = summary_of(store, [{"names": [{"who": "x"}], "patients": patients, "kpi": [{"use": 0.5}]}] * 3)
    (note,) = [note for note in summary.notes if "only tables" in note]
    assert note == (
        "no replication returned a metric, only tables (kpi, names, patients): a number that is returned by its name "
        "is a metric; of the rows of a column: summary --pooled kpi.use:mean"
    )


def test_a_run_of_tables_without_a_number_names_no_column(store: ObjectStore) -> None:
    (note,) = [note for note in summary_of(store, [{"names": [{"who": "x"}]}] * 3).notes if "only tables" in note]
    assert "--pooled" not in note


def test_a_run_that_returned_nothing_or_failed_is_not_said_to_have_tables(store: ObjectStore) -> None:
    assert "only tables" not in str(summary_of(store, [failed, failed]).notes)


def test_what_is_no_finite_number_is_counted_and_told(store: ObjectStore) -> None:
    summary = summary_of(store, [1.0, NAN, {"value": None}, INF, 3.0, failed, {"value": -INF}, 5.0])
    (row,) = summary.rows
    assert (row.planned, row.n, row.failed, row.non_finite) == (8, 3, 1, 4)
    assert row.mean == 3.0
    assert (row.min, row.max) == (1.0, 5.0)
    assert summary.notes == [
        "base: 4 values are missing, NaN or infinite in 'value': the mean is of the other 3",
        "base: every mean leaves out 1 failed; they may not be like the rest",
    ]


def test_one_such_value_is_told_as_one(store: ObjectStore) -> None:
    assert "1 value is missing" in summary_of(store, [1.0, NAN, 3.0]).notes[0]


def test_a_metric_of_nothing_but_such_values_has_no_mean_of_others(store: ObjectStore) -> None:
    (note,) = summary_of(store, [NAN, NAN, {"value": None}]).notes
    assert note.endswith("3 values are missing, NaN or infinite in 'value': there is no other, and no mean")


def test_a_metric_that_some_replications_lack_is_missing_there(store: ObjectStore) -> None:
    rows = {row.metric: row for row in summary_of(store, [{"a": 1.0}, {"a": 2.0, "b": 5}, {"b": 7, "a": 4.0}]).rows}
    assert list(rows) == ["a", "b"]
    assert (rows["b"].n, rows["b"].non_finite, rows["b"].mean) == (2, 1, 6.0)


def test_a_metric_of_one_scenario_is_missing_in_the_other(store: ObjectStore) -> None:
    for name, metric in (("one", "a"), ("two", "b")):
        store.save(RUN, [outcome(i, {metric: float(i)}, name) for i in (1, 2, 3)])
    rows = summarise_run(store, record("two", "one", planned=3)).rows
    found = [(row.scenario, row.metric, row.n, row.non_finite, row.mean) for row in rows]
    assert sorted(found, key=str) == sorted(
        [("one", "a", 3, 0, 2.0), ("one", "b", 0, 3, None), ("two", "a", 0, 3, None), ("two", "b", 3, 0, 2.0)], key=str
    )
    assert [row.scenario for row in rows] == ["two", "two", "one", "one"]


@pytest.mark.parametrize("values", [[5.0], [5.0, failed, NAN], [5.0, {"value": None}]])
def test_fewer_than_two_values_have_no_interval_and_never_one_of_width_0(store: ObjectStore, values: list[Any]) -> None:
    (row,) = summary_of(store, values).rows
    assert (row.n, row.mean, row.min, row.max) == (1, 5.0, 5.0, 5.0)
    assert (row.sd, row.se, row.ci_lower, row.ci_upper, row.half_width, row.relative_half_width) == (None,) * 6


def test_no_value_has_no_figure_at_all(store: ObjectStore) -> None:
    (row,) = summary_of(store, [{"value": None}, NAN, failed]).rows
    assert (row.n, row.non_finite, row.failed) == (0, 2, 1)
    assert (row.mean, row.sd, row.min, row.q25, row.median, row.q75, row.max, row.ci_lower) == (None,) * 8


def test_nothing_stored_is_an_empty_summary(store: ObjectStore) -> None:
    summary = summarise_run(store, record())
    assert (summary.rows, summary.notes) == ([], [])
    assert summary.frame().schema == summary_schema()
    assert list(summary.frame().columns) == [
        "scenario", "metric", "planned", "n", "failed", "non_finite", "mean", "sd", "se", "confidence", "ci_lower",
        "ci_upper", "half_width", "relative_half_width", "min", "q25", "median", "q75", "max",
    ]  # fmt: skip


def test_what_is_true_of_many_scenarios_is_said_once() -> None:
    of_each = [f"p{i}: {what}" for i in range(9) for what in ("'k' was the same", "3 values are missing")]
    few = [f"p{i}: 1 value is missing" for i in range(3)]
    assert gathered(["of all: x", *of_each, *few], [f"p{i}" for i in range(9)]) == [
        "of all: x", "9 scenarios, as in p0: 'k' was the same", "9 scenarios, as in p0: 3 values are missing", *few,
    ]  # fmt: skip


def test_a_constant_metric_has_no_interval_and_that_is_said(store: ObjectStore) -> None:
    summary = summary_of(store, [{"beds": 12, "wait": float(i)} for i in range(4)])
    beds, wait = summary.rows
    assert (beds.mean, beds.sd, beds.se, beds.ci_lower, beds.half_width) == (12.0, 0.0, None, None, None)
    assert wait.ci_lower is not None
    assert summary.notes == ["base: 'beds' was the same in all 4 replications: no interval"]


def test_planned_is_what_was_asked_for_while_a_run_is_incomplete(store: ObjectStore) -> None:
    (row,) = summary_of(store, [1.0, 2.0, failed], planned=100).rows
    assert (row.planned, row.n, row.failed) == (100, 2, 1)


def test_a_scenario_with_more_than_was_planned_shows_them(store: ObjectStore) -> None:
    (row,) = summary_of(store, [1.0, 2.0, failed], planned=2).rows
    assert row.planned == 3


def test_what_lies_beyond_where_a_run_until_precise_stopped_does_not_count(store: ObjectStore) -> None:
    store.save(RUN, [outcome(i, float(i)) for i in (1, 2, 3)] + [failed(4), outcome(5, 3.0)])
    stopped = replace(record(planned=3), planned={"base": 3})
    summary = summarise_run(store, stopped)
    (row,) = summary.rows
    assert (row.planned, row.n, row.failed, row.mean) == (3, 3, 0, 2.0)
    assert "2 more replications were under way when the run had enough: kept, and left out of every table" in (
        summary.notes
    )


def test_failed_counts_each_replication_once_and_a_later_success_mends_it(store: ObjectStore) -> None:
    store.save(RUN, [outcome(1, 1.0), failed(2), failed(3)])
    store.save(RUN, [failed(2)])
    store.save(RUN, [outcome(3, 3.0)])
    (row,) = summarise_run(store, record(planned=3)).rows
    assert (row.planned, row.n, row.failed) == (3, 2, 1)


def test_a_replication_stored_twice_counts_once(store: ObjectStore) -> None:
    for first in (1, 3, 1):
        store.save(RUN, [outcome(i, float(i)) for i in range(first, first + 5)])
    (row,) = summarise_run(store, record(planned=7)).rows
    assert (row.n, row.mean) == (7, 4.0)


def test_a_confidence_out_of_range_is_refused(store: ObjectStore) -> None:
    with pytest.raises(RequestError, match="confidence lies between 0 and 1"):
        summary_of(store, [1.0, 2.0], confidence=95)


class TestCopies:
    def test_an_interval_over_copies_is_refused_and_they_are_counted(self, store: ObjectStore) -> None:
        store.save(RUN, [Outcome("base", i, 0.1, {"wait": (i % 3) + 0.25}) for i in range(1, 31)])
        summary = summarise_run(store, record(planned=30))
        (row,) = summary.rows
        assert (row.n, row.mean) == (30, 1.25)
        assert row.sd is not None
        assert (row.se, row.ci_lower, row.ci_upper, row.half_width, row.relative_half_width) == (None,) * 5
        assert summary.distinct["base"].distinct == 3
        (note,) = summary.notes
        assert note.startswith("base: of 30 replications only 3 are distinct, so no interval is given.")

    def test_one_pair_among_a_thousand_is_found(self, store: ObjectStore) -> None:
        values = [i / 7 for i in range(999)]
        store.save(RUN, [Outcome("base", i, 0.1, {"wait": v}) for i, v in enumerate([*values, values[500]], 1)])
        assert summarise_run(store, record(planned=1000)).rows[0].half_width is None

    def test_copies_in_different_parts_are_found_also_where_metrics_differ_in_name(self, store: ObjectStore) -> None:
        store.save(RUN, [Outcome("base", 1, 0.1, {"wait": 0.5}), Outcome("base", 2, 0.1, {"other": 1.5})])
        store.save(RUN, [Outcome("base", 3, 0.1, {"wait": 0.5})])
        copies = count_distinct(store, RUN, "base", 3)
        assert (copies.successful, copies.distinct) == (3, 2)

    def test_all_copies_of_one_are_said_to_be(self, store: ObjectStore) -> None:
        store.save(RUN, [Outcome("base", i, 0.1, {"wait": 0.5, "los": 2.5}) for i in (1, 2, 3)])
        summary = summarise_run(store, record(planned=3))
        assert all(row.ci_lower is None for row in summary.rows)
        assert summary.notes[0].startswith("base: of 3 replications all are copies of one")
        assert len(summary.notes) == 1

    def test_the_same_results_in_two_scenarios_are_no_copies(self, store: ObjectStore) -> None:
        """Common random numbers, and a parameter that makes no difference."""
        for name in ("a", "b"):
            store.save(RUN, [Outcome(name, i, 0.1, {"wait": i / 3}) for i in range(1, 6)])
        summary = summarise_run(store, record("a", "b"))
        assert summary.notes == []
        assert all(row.ci_lower is not None for row in summary.rows)

    def test_failures_are_no_copies_of_one_another(self, store: ObjectStore) -> None:
        summary = summary_of(store, [1.5, failed, failed, 2.5])
        assert summary.distinct["base"].successful == 2
        assert not summary.distinct["base"].found

    def test_counts_that_repeat_by_chance_keep_their_interval(self, store: ObjectStore) -> None:
        (row,) = summary_of(store, [i % 2 for i in range(50)]).rows
        assert row.half_width is not None

    def test_where_distinct_is_counted_a_replication_stored_twice_is_one(self, store: ObjectStore) -> None:
        for _ in range(2):
            store.save(RUN, [outcome(i, i / 3) for i in range(1, 6)])
        copies = count_distinct(store, RUN, "base", 5)
        assert (copies.successful, copies.distinct) == (5, 5)


@settings(max_examples=15)
@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(NAN) | st.none(), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_the_order_of_saving_and_the_cutting_change_no_bit(
    tmp_path_factory: pytest.TempPathFactory, values: list[float | None], chance: Any
) -> None:
    outcomes = [outcome(i, {"value": v}) for i, v in enumerate(values, 1)]
    rows = []
    for size in (len(outcomes), 1, 3):
        store = ObjectStore(str(tmp_path_factory.mktemp("s")))
        pieces = [outcomes[i : i + size] for i in range(0, len(outcomes), size)]
        chance.shuffle(pieces)
        for piece in pieces:
            store.save(RUN, piece)
        rows.append(repr(summarise_run(store, record(planned=len(values))).rows))
    assert len(set(rows)) == 1


def test_a_summary_is_a_frame_of_its_rows() -> None:
    row = SummaryRow("a", "m", 2, 2, 0, 0, 1.5, 0.5, 0.25, 0.95, 1.0, 2.0, 0.5, 0.3, 1.0, 1.2, 1.5, 1.7, 2.0)
    frame = Summary([row]).frame()
    assert frame.to_dicts() == Summary([row]).to_dicts()
    assert isinstance(frame, pl.DataFrame)


def test_booleans_are_proportions_and_integers_are_counts_whatever_they_hold(make_run: MakeRun) -> None:
    late = [i < 2 for i in range(30)]
    run = make_run({"base": [{"late": one, "deaths": int(one), "never": False} for one in late]})
    found = run.summary()
    rows = {row.metric: row for row in found.rows}
    assert (rows["late"].ci_lower, rows["late"].ci_upper) == pytest.approx((0.0185, 0.2132), abs=5e-5)
    assert rows["deaths"].ci_lower < 0
    assert (rows["never"].ci_lower, rows["never"].ci_upper) == pytest.approx((0.0, 0.1135), abs=5e-5)
    assert found.booleans == {"late", "never"}
    assert not [note for note in found.notes if "never" in note]
    assert run.metrics().pl()["late"].to_list()[:3] == [1, 1, 0]
    assert run.proportions().pl()["metric"].to_list() == ["late", "never"]
    assert run.proportions(["deaths"]).pl()["metric"].to_list() == ["late", "deaths", "never"]


def test_a_metric_that_is_a_boolean_in_some_replications_only_is_a_count(make_run: MakeRun) -> None:
    run = make_run({"base": [{"n": True}, {"n": False}, {"n": 2}], "other": [{"n": True}]})
    assert run.summary().booleans == frozenset()
    with pytest.raises(RequestError, match="'n' is no proportion: it is 2 in a replication of base"):
        run.proportions(["n"])


def test_missing_values_leave_a_boolean_what_it_is(make_run: MakeRun) -> None:
    run = make_run({"base": [{"late": True}, {"late": None}, {"late": False}, {}]})
    (row,) = run.summary().rows
    assert (run.summary().booleans, row.n, row.non_finite) == ({"late"}, 2, 2)


LARGEST = 1.7976931348623157e308


def test_values_up_to_the_largest_double_give_a_summary_a_comparison_and_a_report(
    make_run: MakeRun, tmp_path: Path
) -> None:
    far = [{"x": LARGEST if i % 2 else -LARGEST} for i in range(30)]
    run = make_run({"base": far, "other": far[::-1]})
    row = run.summary().rows[0]
    assert (row.mean, row.sd, row.ci_lower, row.half_width, row.max) == (0.0, None, None, None, LARGEST)
    assert "base: the spread of 'x' is beyond the largest double: no interval" in run.summary().notes
    assert run.compare().differences[0].note == "a difference is beyond the largest double"
    assert all(ranked.kept for ranked in run.rank("x", "lower").ranked)
    assert run.report(tmp_path / "r.html").stat().st_size > 10_000
    run.collate(tmp_path / "out")


def test_whole_numbers_above_2_to_the_53_keep_their_spread(make_run: MakeRun) -> None:
    run = make_run({"base": [{"id": 2**62 + k} for k in range(10)]})
    (row,) = run.summary().rows
    assert row.sd == pytest.approx(statistics.stdev(range(10)), rel=1e-15)
    assert row.mean == float(2**62 + 4)


def test_a_mean_says_beside_it_which_replications_failed(make_run: MakeRun) -> None:
    run = make_run({"base": [{"x": 1.0}, {"x": 2.0}, None, None, None], "fine": [{"x": 1.0}] * 5})
    found = run.summary()
    said = "leaves out 3 failed; they may not be like the rest"
    assert [row.caution for row in found.rows] == [said, ""]
    assert [note for note in found.notes if "failed" in note] == [f"base: every mean {said}"]


def test_many_skewed_metrics_share_one_note_with_the_worst_first(make_run: MakeRun) -> None:
    draws = np.random.default_rng(1).lognormal(0, [[1.5 + i / 10] for i in range(8)], (8, 30))
    values = [{f"m{i}": float(x) for i, x in enumerate(row)} for row in draws.T]
    (note,) = make_run({"base": values}).summary().notes
    assert note.startswith("intervals of so few skewed values cover the mean less often than 95 %: 'm")
    assert re.search(r"and \d more; or look at the median: replicast summary made --quantiles 0.5 --store \S+$", note)
    wanted = [int(number.replace(",", "")) for number in re.findall(r"run ([\d,]+) or more", note)]
    assert len(wanted) == 6
    assert wanted == sorted(wanted, reverse=True)


def test_skewed_values_are_said_to_be_so_with_what_to_do(make_run: MakeRun) -> None:
    rng = np.random.default_rng(1)
    values = [
        {"cost": float(x), "wait": float(y)} for x, y in zip(rng.lognormal(0, 2, 30), rng.normal(9, 1, 30), strict=True)
    ]
    (note,) = make_run({"base": values}).summary().notes
    assert note.startswith("base: 'cost' is skewed (skewness ")
    assert "covers the mean less often than 95 %; run " in note
    assert "or look at the median: replicast summary made --quantiles 0.5 --store " in note


def test_the_ledger_is_read_once_for_a_scenario_and_its_warnings_are_counted_over_all_parts(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    ledger = store.ledger
    monkeypatch.setattr(store, "ledger", lambda run, scenario: (read.append(scenario), ledger(run, scenario))[1])
    for first in (1, 3, 5):
        saved = [outcome(first, 1.0), outcome(first + 1, 2.0)]
        if first > 1:
            saved[1].warnings, saved[1].warning_count = (f"low in {first + 1}\nand more",), 2
        store.save(RUN, saved)
    store.save(RUN, [outcome(1, 3.0, "other")])
    made = summarise_run(store, record("base", "other", planned=6))
    assert read == ["base", "other"]
    assert "2 of 7 replications warned, the first: low in 4" in made.notes
