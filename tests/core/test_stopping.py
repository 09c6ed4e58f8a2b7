import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicast.core.errors import RequestError
from replicast.core.precision import parse_precision
from replicast.core.proportions import wilson_interval
from replicast.core.statistics import mean_interval
from replicast.core.stopping import Done, FixedCount, Judgement, UntilPrecise


def rule(text="x=10%", **options):
    return UntilPrecise(parse_precision(text), **({"minimum": 3, "maximum": 500} | options))


def done(values, **more):
    columns = {"x": np.asarray(values, dtype=np.float64)} | {
        k: np.asarray(v, dtype=np.float64) for k, v in more.items()
    }
    return Done(len(columns["x"]), columns)


def half_width(values):
    finite = [x for x in values if math.isfinite(x)]
    if len(finite) < 2:
        return math.inf
    interval = mean_interval(len(finite), float(np.mean(finite)), float(np.std(finite, ddof=1)))
    return interval.half_width if interval else math.inf


def by_the_book(values, precision, minimum, look_ahead, maximum):
    """Hoad, Robinson and Davies (2010), written as their flow chart: one replication after another, all afresh."""
    needed = None
    for n in range(minimum, min(len(values), maximum) + 1):
        finite = [x for x in values[:n] if math.isfinite(x)]
        if half_width(values[:n]) <= precision * abs(np.mean(finite) if finite else 0.0):
            needed = needed or n
            if n == min(maximum, needed + look_ahead * max(needed, 100) // 100):
                return needed
        else:
            needed = None
    return None


@pytest.mark.parametrize(("mean", "sd", "needed", "wanted"), [(100, 4, 3, 13), (1, 1, 332, 365), (44, 27, 171, 188)])
def test_normal_results_need_what_sim_tools_says(mean, sd, needed, wanted):
    """Its dummy model seeds replication r with r, from 0; 10 % at 95 %, look-ahead 10, budget 500."""
    values = [np.random.default_rng(r).normal(mean, sd) for r in range(500)]
    assert rule(look_ahead=10).judge("base", done(values)) == Judgement("met", wanted, needed)


@settings(max_examples=300)
@given(
    seed=st.integers(0, 2**32),
    mean=st.sampled_from([-5.0, 0.3, 1.0]),
    precision=st.sampled_from([0.2, 0.9]),
    look_ahead=st.integers(0, 40),
    minimum=st.integers(3, 20),
    lost=st.sampled_from([0.0, 0.1]),
    maximum=st.integers(60, 140),
    chunk=st.integers(1, 150),
)
def test_the_answer_is_that_of_the_algorithm_by_the_book(
    seed, mean, precision, look_ahead, minimum, lost, maximum, chunk
):
    rng = np.random.default_rng(seed)
    values = rng.normal(mean, 1.0, 150)
    values[rng.random(150) < lost] = math.nan
    asked = rule(f"x={precision:.0%}", minimum=minimum, look_ahead=look_ahead, maximum=maximum)
    for k in range(chunk, 150, chunk):
        asked.judge("base", done(values[:k]))
    judgement = asked.judge("base", done(values))
    assert judgement.needed == by_the_book(values, precision, minimum, look_ahead, maximum)
    assert judgement.state == ("met" if judgement.needed else "unmet")


@given(st.integers(0, 2**32), st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_however_the_replications_arrive_the_answer_is_the_same(seed, steps):
    values = np.random.default_rng(seed).normal(1.0, 0.6, 400)
    other = np.random.default_rng(seed + 1).exponential(3.0, 400)
    at_once = rule("x=10%,y=0.5").judge("base", done(values, y=other))
    patient = rule("x=10%,y=0.5")
    for k in np.minimum(np.cumsum(steps), 400):
        judgement = patient.judge("base", done(values[:k], y=other[:k]))
        assert judgement.wanted > k or judgement.state != "open"
    last = patient.judge("base", done(values, y=other))
    assert last == at_once


def test_following_what_is_wanted_ends_at_the_answer_and_asks_for_little_beyond_it():
    values = np.random.default_rng(7).exponential(2.0, 5000)
    asked, count = rule(maximum=5000), 0
    while (judgement := asked.judge("base", done(values[:count]))).state == "open":
        assert judgement.wanted > count
        count = judgement.wanted
    assert judgement == rule(maximum=5000).judge("base", done(values))
    assert judgement.wanted <= count <= 2.2 * judgement.wanted


def test_a_candidate_that_breaks_within_its_look_ahead_is_dropped():
    calm, wild = [10.0, 10.1, 9.9, 10.0], [14.0]
    values = calm + wild + [10.0 + 0.1 * (-1) ** i for i in range(60)]
    assert rule("x=5%", look_ahead=0).judge("base", done(values)).needed == 3
    judgement = rule("x=5%", look_ahead=3).judge("base", done(values))
    assert judgement.needed > 5
    assert half_width(values[: judgement.needed]) <= 0.05 * np.mean(values[: judgement.needed])
    assert half_width(values[: judgement.needed - 1]) > 0.05 * np.mean(values[: judgement.needed - 1])


def test_a_negative_mean_takes_as_many_as_its_mirror_image():
    values = np.random.default_rng(3).normal(5.0, 3.0, 500)
    assert rule().judge("base", done(-values)) == rule().judge("base", done(values))


@pytest.mark.parametrize("seed", range(200))
def test_a_mean_of_zero_never_stops_early_on_a_relative_target(seed):
    values = np.random.default_rng(seed).normal(0.0, 1.0, 500)
    assert rule().judge("base", done(values)) == Judgement("unmet", 500)


def test_a_mean_of_zero_stops_on_an_absolute_target():
    values = np.random.default_rng(1).normal(0.0, 1.0, 500)
    assert rule("x=0.2").judge("base", done(values)).state == "met"


@pytest.mark.parametrize("value", [0.0, 7.0, 0.1])
def test_values_that_do_not_vary_never_count_as_precise(value):
    assert rule().judge("base", done([value] * 500)) == Judgement("unmet", 500)


def test_all_targets_are_met_at_once_and_not_one_after_the_other():
    rng = np.random.default_rng(5)
    x, y = rng.normal(10, 3, 500), rng.normal(10, 6, 500)
    both = rule("x=10%,y=10%").judge("base", done(x, y=y))
    assert both.needed >= max(rule("x=10%").judge("s", done(x)).needed, rule("y=10%").judge("s", done(x, y=y)).needed)
    for values in (x, y):
        assert half_width(values[: both.wanted]) <= 0.1 * values[: both.wanted].mean()


def test_each_scenario_is_judged_by_itself():
    narrow, wide = np.random.default_rng(1).normal(10, 1, 500), np.random.default_rng(1).normal(10, 9, 500)
    asked = rule()
    assert asked.wanted("narrow", done(narrow)) < asked.wanted("wide", done(wide)) < 500
    assert asked.wanted("narrow", done(narrow)) == rule().wanted("narrow", done(narrow))


def test_nothing_done_asks_for_the_minimum_and_its_look_ahead():
    assert rule(minimum=10, look_ahead=5).judge("base", Done(0, {})) == Judgement("open", 15)


def test_the_maximum_is_never_passed_and_may_cut_a_look_ahead_short():
    values = np.random.default_rng(0).normal(1.0, 1.0, 40)
    assert rule(maximum=40).judge("base", done(values)) == Judgement("unmet", 40)
    assert rule(maximum=5, look_ahead=10).judge("base", done([10.0, 10.1, 9.9, 10.0, 10.0])) == Judgement("met", 5, 3)


def test_replications_that_all_failed_leave_the_rule_asking():
    judgement = rule().judge("base", Done(20, {}))
    assert judgement.state == "open"
    assert judgement.wanted > 20
    assert rule().judge("base", Done(500, {})) == Judgement("unmet", 500)


def test_asking_about_fewer_replications_than_before_judges_them_afresh():
    values = np.random.default_rng(3).normal(5.0, 3.0, 500)
    asked = rule()
    asked.judge("base", done(values))
    assert asked.judge("base", done(values[:20])) == rule().judge("base", done(values[:20]))


def test_a_metric_that_no_replication_returns_is_refused_with_the_nearest_name():
    with pytest.raises(RequestError, match=r"'wiat'.*did you mean 'wait'"):
        rule("wiat=5%").judge("base", Done(3, {"wait": np.ones(3)}))


@pytest.mark.parametrize(
    "options", [{"minimum": 2}, {"minimum": 0}, {"look_ahead": -1}, {"maximum": 2}, {"maximum": -3}, {"confidence": 95}]
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(RequestError):
        rule(**options)
    with pytest.raises(RequestError):
        UntilPrecise([])


def test_rows_in_any_order_are_laid_out_by_number_up_to_the_first_gap():
    numbers = np.array([5, 1, 2, 8, 4])
    found = Done.of(numbers, {"x": numbers * 10.0}, failed=[3, 7])
    assert found.count == 5
    np.testing.assert_array_equal(found.values["x"], [10.0, 20.0, math.nan, 40.0, 50.0])


def test_a_run_whose_first_replication_is_missing_has_nothing_to_judge():
    assert Done.of(np.array([2, 3]), {"x": np.ones(2)}).count == 0
    assert Done.of(np.array([], dtype=np.int64), {}).count == 0


def test_a_fixed_count_wants_its_count_whatever_is_done():
    assert FixedCount(100).wanted("base", Done(0, {})) == FixedCount(100).wanted("base", Done(250, {})) == 100


def test_a_boolean_is_precise_by_wilsons_interval_and_not_by_students():
    """1 of 105: the t interval's half-width is .0189 and Wilson's .0252."""
    late = np.zeros(105)
    late[50] = 1.0
    done = {"late": late}
    assert rule("late=0.02", look_ahead=0).judge("base", Done(105, done)).state == "met"
    shares = rule("late=0.02", look_ahead=0).judge("base", Done(105, done, {"late"}))
    assert shares.state == "open"
    assert shares.wanted > 105


def test_a_boolean_that_has_not_varied_is_precise_once_wilsons_interval_is():
    judged = rule("late=0.02", look_ahead=0).judge("base", Done(300, {"late": np.zeros(300)}, {"late"}))
    assert judged == Judgement("met", 93, 93)
    assert wilson_interval(0, 93)[1] / 2 <= 0.02 < wilson_interval(0, 92)[1] / 2
    assert rule("late=5%").judge("base", Done(300, {"late": np.zeros(300)}, {"late"})).state == "open"


def test_a_metric_found_to_be_no_boolean_after_all_is_judged_anew():
    until = rule("late=0.02", look_ahead=0)
    values = {"late": np.zeros(300)}
    assert until.judge("base", Done(300, values, {"late"})).state == "met"
    assert until.judge("base", Done(300, values)).state == "open"
