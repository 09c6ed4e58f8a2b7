import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from replicast.core.errors import RequestError
from replicast.core.selection import allocate, eliminate, rank


def samples(rng, means, n, sd=1.0, shared=0.0):
    common = rng.normal(0.0, 1.0, n) * shared
    return {f"s{i}": mean + common + rng.normal(0.0, sd, n) for i, mean in enumerate(means)}


def test_scenarios_are_ranked_by_mean_best_first():
    values = {"a": np.array([3.0, 4.0, 5.5]), "b": np.array([1.0, 2.0, 2.5]), "c": np.array([9.0, 8.0, 9.5])}
    assert [row.scenario for row in rank(values, better="lower")] == ["b", "a", "c"]
    assert [row.scenario for row in rank(values, better="higher")] == ["c", "a", "b"]
    assert [row.rank for row in rank(values, better="higher")] == [1, 2, 3]
    assert [row.n for row in rank(values, better="higher")] == [3, 3, 3]


def test_independent_scenarios_are_screened_as_nelson_and_others_say():
    rng = np.random.default_rng(2)
    values = samples(rng, [0.0, 0.5, 1.0, 1.5, 2.0], 12)
    values["s2"] = values["s2"][:7]
    kept = {row.scenario for row in rank(values, better="higher", common=False, confidence=0.9) if row.kept}
    expected = set()
    for i, x in values.items():
        margins = []
        for j, y in values.items():
            if i != j:
                ti, tj = (stats.t.ppf(0.9**0.25, len(v) - 1) for v in (x, y))
                w = math.sqrt(ti**2 * x.var(ddof=1) / len(x) + tj**2 * y.var(ddof=1) / len(y))
                margins.append(x.mean() >= y.mean() - w)
        expected |= {i} if all(margins) else set()
    assert kept == expected
    assert 1 < len(kept) < 5


def test_paired_scenarios_are_screened_by_their_differences():
    rng = np.random.default_rng(4)
    values = samples(rng, [0.0, 0.4, 0.8], 25, sd=0.3, shared=5.0)
    assert [row.kept for row in rank(values, better="higher", common=True)] == [True, False, False]
    assert [row.beaten_by for row in rank(values, better="higher", common=True)] == [None, "s2", "s2"]
    assert all(row.kept for row in rank(values, better="higher", common=False))


@pytest.mark.parametrize("common", [True, False])
def test_the_best_is_among_those_kept_as_often_as_promised(common):
    """300 samples of 4 scenarios, one of them slightly better; a share of 0.95 has a standard error of 0.013."""
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(300):
        rows = rank(
            samples(rng, [0.0, 0.0, 0.0, 0.01], 10, shared=1.0 if common else 0.0), better="higher", common=common
        )
        held += next(row.kept for row in rows if row.scenario == "s3")
    assert held / 300 >= 0.95 - 2 * 0.013


def test_what_cannot_be_judged_is_kept_and_drops_nothing():
    values = {
        "a": np.array([1.0]),
        "b": np.array([math.nan, math.nan]),
        "c": np.array([5.0, 5.0]),
        "d": np.array([9.0, 9.0]),
    }
    for common in (True, False):
        assert all(row.kept for row in rank(values, better="higher", common=common))
    assert rank(values, better="higher")[-1].scenario == "b"
    assert [row.kept for row in rank({"only": np.array([1.0, 2.0])}, better="lower")] == [True]


@pytest.mark.parametrize("common", [True, False])
def test_a_scenario_that_another_dominates_in_every_pair_is_not_the_best(common):
    cost = {"cheap": np.full(100, 1000.0), "dear": np.full(100, 1200.0)}
    assert [(row.scenario, row.beaten_by) for row in rank(cost, better="lower", common=common)] == [
        ("cheap", None),
        ("dear", "cheap"),
    ]
    late = {"never": np.zeros(100), "always": np.ones(100), "at times": np.repeat([0.0, 1.0], [99, 1])}
    assert [row.scenario for row in rank(late, better="lower", common=common) if row.kept] == ["never", "at times"]


def test_kim_and_nelsons_margin_is_as_computed_by_hand():
    """k = 2, n0 = 3, α = 0.05: η = (0.1⁻¹ - 1)/2 = 4.5 and h² = 18; s² of the differences 0, 1, 2 is 1.

    With an indifference zone of 1, W(r) = max(0, (18 - r)/2r): 2.5, 1.75, 1.3, 1.0 at r = 3 to 6. The difference of
    means is 1, 1.05, 1.1 at r = 3 to 5, and at r = 6 it is 1.05 > 1.
    """
    differences = np.array([0.0, 1.0, 2.0, 1.2, 1.3, 0.8, 1.0])
    base = np.array([4.0, 9.0, 2.0, 7.0, 1.0, 3.0, 5.0])
    values = {"low": base, "high": base + differences}
    found = eliminate(values, better="higher", indifference=1.0, first=3)
    assert (found.best, dict(found.dropped), found.replications) == ("high", {"low": 6}, 6)
    early = {name: own[:5] for name, own in values.items()}
    assert eliminate(early, better="higher", indifference=1.0, first=3).best is None
    assert eliminate(values, better="lower", indifference=1.0, first=3).best == "low"


def test_sequential_elimination_finds_the_best_as_often_as_promised():
    """200 searches among 4 scenarios, the best better by exactly the indifference zone."""
    rng = np.random.default_rng(6)
    found = [
        eliminate(samples(rng, [0.0, 0.0, 0.0, 0.5], 600, shared=1.0), better="higher", indifference=0.5)
        for _ in range(200)
    ]
    assert all(each.best for each in found)
    assert sum(each.best == "s3" for each in found) / 200 >= 0.95 - 2 * 0.0154


def test_elimination_passes_over_replications_that_a_scenario_lacks():
    rng = np.random.default_rng(1)
    values = samples(rng, [0.0, 3.0], 40)
    whole = eliminate(values, better="higher", indifference=0.5)
    gaps = {name: np.insert(own, 5, np.nan if name == "s0" else 1e9) for name, own in values.items()}
    with_gap = eliminate(gaps, better="higher", indifference=0.5)
    assert (with_gap.best, with_gap.replications) == (whole.best, whole.replications + 1)


def test_elimination_waits_for_its_first_stage():
    values = samples(np.random.default_rng(1), [0.0, 100.0], 9)
    assert eliminate(values, better="higher", indifference=0.5, first=10).kept == ("s0", "s1")


def test_a_difference_that_does_not_vary_is_certain_unless_a_few_counts_have_it():
    base = np.random.default_rng(1).exponential(10.0, 30)
    values = {"base": base, "shifted": base + 0.1}
    assert [row.scenario for row in rank(values, better="higher") if row.kept] == ["shifted"]
    exact = {"base": np.arange(30.0), "shifted": np.arange(30.0) + 8.0}
    assert eliminate(exact, better="higher", indifference=0.5).best == "shifted"
    assert eliminate({k: v[:4] for k, v in exact.items()}, better="higher", indifference=0.5, first=3).best is None


def test_a_pair_that_begins_to_vary_after_the_first_stage_is_not_certain():
    rare = {"never": np.zeros(40), "once": np.repeat([0.0, 1.0, 0.0], [20, 1, 19])}
    assert eliminate(rare, better="lower", indifference=0.5).kept == ("never", "once")


@pytest.mark.parametrize(
    "options", [{"indifference": 0.0}, {"first": 1}, {"better": "more"}, {"confidence": 0.3}, {"confidence": 1.0}]
)
def test_options_that_make_no_sense_are_refused(options):
    values = samples(np.random.default_rng(1), [0.0, 1.0], 20)
    with pytest.raises(RequestError):
        eliminate(values, **({"better": "higher", "indifference": 0.5} | options))


def test_a_budget_of_fifty_is_allocated_as_chen_and_lee_do():
    """Means 1 to 5, variances 1, 1, 9, 9, 4, the smallest best: 11, 9, 19, 9, 2."""
    sds = [1.0, 1.0, 3.0, 3.0, 2.0]
    assert allocate([1, 2, 3, 4, 5], sds, 50, better="lower") == [11, 9, 19, 9, 2]
    assert allocate([-1, -2, -3, -4, -5], sds, 50, better="higher") == [11, 9, 19, 9, 2]


def test_what_has_been_run_counts_and_no_scenario_gives_any_back():
    further = allocate([1, 2, 3, 4, 5], [1, 1, 3, 3, 2], 30, better="lower", done=[4, 4, 4, 4, 4])
    assert [a + 4 for a in further] == [11, 8, 19, 8, 4]
    assert allocate([1, 2], [1, 1], 5, better="lower", done=[0, 100]) == [5, 0]


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 3), st.integers(0, 50)), min_size=1, max_size=8),
    st.integers(0, 300),
)
def test_every_budget_is_spent_whole(scenarios, budget):
    means, sds, done = zip(*scenarios, strict=True)
    found = allocate(means, sds, budget, better="lower", done=done)
    assert sum(found) == budget
    assert min(found) >= 0


def test_allocation_without_anything_to_go_by_is_even():
    assert allocate([1, 1, 1], [1, 2, 3], 9, better="lower") == [3, 3, 3]
    assert allocate([1, 2, 3], [0, 0, 0], 9, better="lower") == [3, 3, 3]
