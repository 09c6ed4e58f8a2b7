import numpy as np
import pytest

from replicast.core.choosing import Goal, check_budget, choose, parse_goal
from replicast.core.errors import RequestError
from replicast.core.selection import allocate, eliminate, h_squared
from replicast.core.stopping import Done

GOAL = Goal("cost", "lower", indifference=1.0)


def done(values, counts=None):
    return {
        name: Done(n := (counts or {}).get(name, len(own)), {"cost": own[:n]} if n else {})
        for name, own in values.items()
    }


def searched(values, goal, workers=1, **options):
    """What a conductor does: computes what is wanted, asks again; with more `workers`, more than that is there."""
    counts, asked = dict.fromkeys(values, 0), 0
    while True:
        found = choose(done(values, counts), goal, **options)
        asked += 1
        if found.state != "open":
            return found
        missing = {name: n for name, n in found.wanted.items() if n > counts[name]}
        assert missing, found
        counts |= {name: min(n + workers - 1, len(values[name])) for name, n in missing.items()}


def samples(seed, means, n=4000, sd=2.0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=n)
    return {f"s{i}": mean + shared + rng.normal(0, sd, n) for i, mean in enumerate(means)}


@pytest.mark.parametrize(
    ("k", "first", "published"),
    [(2, 10, 6.0129), (4, 10, 10.1642), (5, 10, 11.4294), (10, 20, 11.5115), (100, 10, 32.6811)],
)
def test_the_constant_is_kim_and_nelsons(k, first, published):
    assert h_squared(k, first, 0.95) == pytest.approx(published, abs=5e-5)


def test_a_budget_of_a_thousand_is_allocated_as_chen_and_lee_do():
    shares = allocate(list(range(1, 11)), [6.0] * 10, 1000, better="lower")
    assert shares == [403, 388, 97, 43, 24, 15, 11, 8, 6, 5]


def test_scenarios_that_are_out_get_no_more_replications():
    found = searched(samples(1, [0.0, 1.0, 5.0, 9.0]), GOAL)
    assert (found.state, found.kept) == ("met", ("s0",))
    assert found.wanted["s3"] <= found.wanted["s2"] <= found.wanted["s1"] <= found.wanted["s0"]
    assert found.wanted["s3"] < found.wanted["s0"]
    assert {name: found.wanted[name] for name in found.dropped} == found.dropped


@pytest.mark.parametrize("goal", [GOAL, Goal("cost", "lower", budget=600)])
def test_the_answer_is_the_same_on_one_worker_and_on_a_thousand(goal):
    values = samples(2, [0.0, 1.0, 1.5, 4.0])
    assert len({repr(searched(values, goal, workers)) for workers in (1, 7, 1000)}) == 1


def test_the_search_agrees_with_the_elimination_over_all_that_was_computed():
    values = samples(3, [0.0, 2.0, 3.0], 2000)
    whole = eliminate(values, better="lower", indifference=1.0)
    assert (searched(values, GOAL).kept, searched(values, GOAL).dropped) == (whole.kept, whole.dropped)


def test_the_best_is_found_as_often_as_promised_in_the_slippage_configuration():
    """All others are worse by exactly the indifference zone: the hardest case."""
    found = [searched(samples(seed, [0.0, 1.0, 1.0, 1.0], 3000), GOAL) for seed in range(150)]
    assert sum(one.kept == ("s0",) for one in found) / 150 >= 0.95 - 2 * 0.0178


def test_replications_that_failed_are_passed_over():
    values = samples(4, [0.0, 5.0])
    values["s1"][[0, 3, 7]] = np.nan
    found = searched(values, GOAL)
    assert found.kept == ("s0",)
    assert found.wanted["s1"] >= 13


def test_a_tie_ends_at_the_maximum_without_a_best():
    same = np.random.default_rng(5).normal(size=500)
    found = searched({"a": same, "b": same.copy()}, GOAL, maximum=200)
    assert (found.state, found.kept, found.wanted) == ("unmet", ("a", "b"), {"a": 200, "b": 200})


def test_a_certain_difference_ends_the_search_at_once():
    cost = {"cheap": np.full(100, 1000.0), "dear": np.full(100, 1200.0)}
    assert searched(cost, GOAL).wanted == {"cheap": 10, "dear": 10}


def test_a_budget_is_spent_whole_and_mostly_on_those_that_are_close():
    found = searched(samples(6, [0.0, 1.0, 9.0, 9.0]), Goal("cost", "lower", budget=1000))
    assert (found.state, found.kept) == ("met", ("s0",))
    assert sum(found.wanted.values()) == 1000
    assert found.wanted["s0"] + found.wanted["s1"] > 800


def test_a_metric_that_is_not_there_is_refused():
    with pytest.raises(RequestError, match="no metric is called 'cost'"):
        choose({"a": Done(2, {"costs": np.ones(2)}), "b": Done(0, {})}, GOAL)


@pytest.mark.parametrize(
    ("text", "indifference", "budget"),
    [("cost", 1.0, None), ("cost=low", 1.0, None), ("cost=lower", None, None), ("cost=lower", 1.0, 5),
     ("cost=lower", 0.0, None), ("cost=lower", None, 0)],
)  # fmt: skip
def test_a_goal_that_is_none_is_refused(text, indifference, budget):
    with pytest.raises(RequestError):
        parse_goal(text, indifference, budget)


def test_a_scenario_without_a_value_ends_the_search_at_its_first_stage_and_is_named():
    """It would go on to the maximum for all: 10,000 replications each, of which none could tell."""
    values = samples(7, [0.0, 5.0, 9.0], 200)
    values["s1"][:] = np.nan
    found = {repr(searched(values, GOAL, workers)) for workers in (1, 7, 1000)}
    assert len(found) == 1
    ended = searched(values, GOAL)
    assert (ended.state, ended.blind, ended.wanted) == ("unmet", ("s1",), {"s0": 10, "s1": 10, "s2": 10})


def test_a_late_first_value_is_waited_for_within_the_first_stage():
    values = samples(7, [0.0, 5.0], 200)
    values["s1"][:9] = np.nan
    assert searched(values, GOAL).kept == ("s0",)


def test_a_budget_goes_by_what_is_known_of_the_others_where_a_scenario_has_no_value():
    values = samples(6, [0.0, 1.0, 9.0, 9.0])
    values["s3"][:] = np.nan
    goal = Goal("cost", "lower", budget=1000)
    found = searched(values, goal)
    assert (found.state, found.kept, found.blind, found.wanted["s3"]) == ("met", ("s0",), ("s3",), 10)
    assert found.wanted["s0"] + found.wanted["s1"] > 900
    assert len({repr(searched(values, goal, workers)) for workers in (1, 7, 1000)}) == 1


def test_scenarios_that_share_the_best_mean_are_not_told_apart_by_a_budget():
    same = np.random.default_rng(5).normal(size=500)
    found = searched({"a": same, "b": same.copy(), "c": same + 1.0}, Goal("cost", "lower", budget=90))
    assert (found.state, found.kept) == ("unmet", ("a", "b"))


def test_a_budget_over_nothing_but_failures_selects_none():
    nothing = {name: np.full(500, np.nan) for name in "ab"}
    found = searched(nothing, Goal("cost", "lower", budget=90))
    assert (found.state, found.kept, found.wanted) == ("unmet", (), {"a": 10, "b": 10})


@pytest.mark.parametrize(("budget", "antithetic", "least"), [(7, False, 8), (14, True, 16)])
def test_a_budget_in_which_no_scenario_has_a_spread_is_refused(budget, antithetic, least):
    with pytest.raises(RequestError, match=f"so {least} at least"):
        check_budget(budget, 4, antithetic)
    check_budget(least, 4, antithetic)
    check_budget(None, 4, antithetic)
