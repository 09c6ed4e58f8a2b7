import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from replicast.core.comparison import adjusted_p_values, compare
from replicast.core.differences import paired, welch
from replicast.core.errors import RequestError

JAIN_A = np.array([5.4, 16.6, 0.6, 1.4, 0.6, 7.3])
JAIN_B = np.array([19.1, 3.5, 3.4, 2.5, 3.6, 1.7])
"""Jain (1991), The Art of Computer Systems Performance Analysis, example 13.5."""

LAW_1 = np.array([126.97, 124.31, 126.68, 122.66, 127.23])
LAW_2 = np.array([118.21, 120.22, 122.45, 122.68, 119.40])
"""Average monthly costs of two inventory policies, five replications each (Law 2015, section 10.2)."""

BRAKES = {
    "D1": [63.72, 32.24, 40.28, 36.94, 36.29, 56.94, 34.10, 63.36, 49.29, 87.20],
    "D2": [63.06, 31.78, 40.32, 37.71, 36.79, 57.93, 33.39, 62.92, 47.67, 80.79],
    "D3": [57.74, 29.65, 36.52, 35.71, 33.81, 51.54, 31.39, 57.24, 42.63, 67.27],
    "D4": [62.63, 31.56, 39.87, 37.35, 36.65, 57.15, 33.30, 62.21, 47.46, 79.60],
}
"""Response times of four brake inspection designs under common random numbers (Banks et al., chapter 12)."""

NO_DIFFERENCE = "no difference can be shown"


def brakes(**columns):
    return {
        name: {"time": np.array(own)} | {m: np.array(v) for m, v in columns.items()} for name, own in BRAKES.items()
    }


def test_jains_six_pairs_have_the_interval_that_he_prints():
    found = paired(JAIN_A, JAIN_B)
    assert found.n == 6
    assert found.difference == pytest.approx(-0.316667, abs=5e-7)
    assert found.interval(0.9) == pytest.approx((-7.748784, 7.115451), abs=5e-7)


def test_laws_inventory_policies_have_the_paired_interval_that_he_prints():
    found = paired(LAW_1, LAW_2)
    assert (found.difference, found.se**2) == pytest.approx((4.98, 2.44), abs=0.005)
    assert found.interval(0.9) == pytest.approx((1.65, 8.31), abs=0.005)


def test_laws_inventory_policies_have_the_welch_interval_that_he_prints():
    found = welch(LAW_1, LAW_2)
    assert found.df == pytest.approx(7.99, abs=0.005)
    lower, upper = found.interval(0.9)
    assert (upper - lower) / 2 == pytest.approx(2.32, abs=0.005)


@given(st.integers(0, 2**32), st.integers(2, 40), st.integers(2, 40), st.floats(0.1, 20))
def test_differences_agree_with_those_of_scipy(seed, n, m, ratio):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(3, 1, n), rng.normal(2, ratio, m)
    theirs, ours = stats.ttest_ind(a, b, equal_var=False), welch(a, b)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-9)
    assert ours.interval(0.9) == pytest.approx(tuple(theirs.confidence_interval(0.9)), rel=1e-9, abs=1e-9)
    k = min(n, m)
    theirs, ours = stats.ttest_rel(a[:k], b[:k]), paired(a, b)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-9)
    assert ours.interval(0.9) == pytest.approx(tuple(theirs.confidence_interval(0.9)), rel=1e-9, abs=1e-9)
    assert ours.correlation == pytest.approx(np.corrcoef(a[:k], b[:k])[0, 1], abs=1e-12)


def test_pairs_are_by_replication_number_where_both_are_finite():
    left = np.array([1.0, math.nan, 3.0, 9.0, math.inf, 5.0, 7.0])
    right = np.array([0.0, 1.0, math.nan, 4.0, 2.0, 1.0])
    found = paired(left, right)
    assert (found.n, found.n_left, found.n_right) == (3, 3, 3)
    assert (found.mean_left, found.mean_right, found.difference) == (5.0, 5 / 3, pytest.approx(10 / 3))


def test_each_of_four_designs_is_held_to_a_share_of_the_error():
    rows = compare(brakes(), "D1")
    assert [row.scenario for row in rows] == ["D2", "D3", "D4"]
    assert [row.verdict for row in rows] == [NO_DIFFERENCE, "lower", NO_DIFFERENCE]
    for row in rows:
        theirs = stats.ttest_rel(BRAKES[row.scenario], BRAKES["D1"])
        assert row.interval_confidence == pytest.approx(1 - 0.05 / 3)
        assert (row.ci_lower, row.ci_upper) == pytest.approx(tuple(theirs.confidence_interval(1 - 0.05 / 3)))
        assert row.adjusted_p_value == pytest.approx(min(1.0, 3 * theirs.pvalue))
        assert (row.n, row.method) == (10, "paired")
        assert row.correlation > 0.98


def test_separate_streams_are_compared_without_pairing():
    rows = compare(brakes(), "D1", common=False)
    assert {(row.method, row.n, row.n_scenario, row.correlation) for row in rows} == {("welch", 20, 10, None)}
    assert {row.verdict for row in rows} == {NO_DIFFERENCE}


def test_common_random_numbers_narrow_what_they_should():
    with_common, without = compare(brakes(), "D1")[1], compare(brakes(), "D1", common=False)[1]
    assert with_common.se < 0.3 * without.se


def test_the_family_is_all_of_the_table_or_one_metric_or_one_scenario():
    cost = np.random.default_rng(1).normal(size=10)
    values = brakes(cost=cost)
    for name in values:
        values[name]["cost"] = cost + np.random.default_rng(len(values[name]["time"]) + ord(name[1])).normal(size=10)
    tests = {"all": 6, "scenarios": 3, "metrics": 2}
    for family, m in tests.items():
        rows = compare(values, "D1", family=family)
        assert all(row.interval_confidence == pytest.approx(1 - 0.05 / m) for row in rows)
        assert all(row.adjusted_p_value == pytest.approx(min(1, m * row.p_value)) for row in rows)


def test_without_adjustment_each_row_stands_alone():
    for row in compare(brakes(), "D1", adjustment="none", confidence=0.9):
        assert row.interval_confidence == 0.9
        assert row.adjusted_p_value == row.p_value


def test_holm_agrees_with_its_published_example_and_never_exceeds_bonferroni():
    """Holm's adjusted p-values of .01, .02, .03, .04, as R's p.adjust prints them."""
    p_values = {"a": 0.04, "b": 0.01, "c": 0.03, "d": 0.02}
    assert adjusted_p_values(p_values, "holm") == pytest.approx({"a": 0.06, "b": 0.04, "c": 0.06, "d": 0.06})
    assert adjusted_p_values(p_values, "bonferroni") == pytest.approx({"a": 0.16, "b": 0.04, "c": 0.12, "d": 0.08})
    assert adjusted_p_values({"a": 0.6, "b": 0.7}, "holm") == {"a": 1.0, "b": 1.0}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_its_step_down_rule_rejects(p_values):
    adjusted = adjusted_p_values(dict(enumerate(p_values)), "holm")
    standing, m = True, len(p_values)
    for rank, i in enumerate(sorted(range(m), key=lambda i: p_values[i])):
        standing = standing and min(1.0, (m - rank) * p_values[i]) <= 0.05
        assert (adjusted[i] <= 0.05) == standing


def test_a_difference_that_is_the_same_in_every_pair_is_certain_and_needs_no_interval():
    base = np.random.default_rng(3).normal(10, 2, 100)
    for shift, verdict in ((200.0, "higher"), (0.1, "higher"), (-7.3, "lower")):
        (row,) = compare({"base": {"x": base}, "other": {"x": base + shift}}, "base")
        assert (row.ci_lower, row.p_value, row.verdict) == (None, None, verdict)
        assert row.difference == pytest.approx(shift)
        assert row.conclusion == f"{verdict}, by exactly {abs(shift):g} in all 100 pairs"


def test_pairs_that_are_all_equal_show_no_difference():
    base = np.random.default_rng(3).normal(10, 2, 30)
    (row,) = compare({"base": {"x": base}, "other": {"x": base.copy()}}, "base")
    assert (row.verdict, row.note, row.difference) == (NO_DIFFERENCE, "equal in all 30 pairs", 0.0)


def test_certain_differences_are_so_among_any_number_of_comparisons_and_with_separate_streams():
    values = {f"s{i}": {"cost": np.full(10, 1000.0 + i)} for i in range(60)}
    for common in (True, False):
        assert {row.verdict for row in compare(values, "s0", common=common)} == {"higher"}


def test_a_few_whole_numbers_that_differ_by_the_same_may_do_so_by_chance():
    few = {"a": {"deaths": np.array([2.0, 3, 2])}, "b": {"deaths": np.array([3.0, 4, 3])}}
    (row,) = compare(few, "a")
    assert (row.verdict, row.note) == (NO_DIFFERENCE, "1 in all 3 pairs, which so few whole numbers may be by chance")


@pytest.mark.parametrize(
    ("ones", "n", "p", "verdict"),
    [(5, 30, 0.0625, NO_DIFFERENCE), (4, 30, 0.125, NO_DIFFERENCE), (6, 30, 0.03125, "higher"),
     (100, 100, 2 * 0.5**100, "higher"), (3, 3, 0.25, NO_DIFFERENCE)],
)  # fmt: skip
def test_pairs_of_zeros_and_ones_are_judged_by_mcnemars_exact_test(ones, n, p, verdict):
    late = np.repeat([1.0, 0.0], [ones, n - ones])
    (row,) = compare({"none": {"late": np.zeros(n)}, "some": {"late": late}}, "none", booleans={"late"})
    assert (row.p_value, row.verdict) == (pytest.approx(p, rel=1e-9), verdict)
    assert -1.0 <= row.ci_lower < ones / n <= row.ci_upper <= 1.0


def test_booleans_that_are_equal_in_all_pairs_have_an_interval_for_what_may_differ_still():
    values = {"a": {"late": np.zeros(30)}, "b": {"late": np.zeros(30)}}
    (row,) = compare(values, "a", booleans={"late"})
    assert (row.verdict, row.note) == (NO_DIFFERENCE, "equal in all 30 pairs")
    assert (row.ci_lower, row.ci_upper) == pytest.approx((-0.1135, 0.1135), abs=5e-5)


def test_separate_zeros_and_ones_are_judged_by_fishers_exact_test():
    values = {"none": {"late": np.zeros(30)}, "some": {"late": np.repeat([1.0, 0.0], [5, 25])}}
    (row,) = compare(values, "none", common=False, booleans={"late"})
    assert row.p_value == pytest.approx(stats.fisher_exact([[5, 25], [0, 30]]).pvalue)
    assert (row.verdict, row.note) == (NO_DIFFERENCE, "by Fisher's exact test")


def test_copies_have_no_interval_whichever_side_they_are_on():
    values = brakes()
    rows = compare(values, "D1", copies={"D3"})
    assert [row.note for row in rows] == ["", "replications are copies of one another", ""]
    assert rows[1].ci_lower is None
    assert rows[0].interval_confidence == pytest.approx(1 - 0.05 / 2)
    assert {row.verdict for row in compare(values, "D1", copies={"D1"})} == {NO_DIFFERENCE}


def test_too_few_replications_are_said_to_be_so():
    values = {"a": {"x": np.array([1.0, math.nan])}, "b": {"x": np.array([2.0, 3.0])}}
    assert compare(values, "a")[0].note == "fewer than two pairs of replications"
    assert compare(values, "a", common=False)[0].note == "fewer than two replications of one scenario"
    assert (
        compare({"a": {"x": np.full(3, 7.0)}, "b": {"x": np.full(3, 7.0)}}, "a", common=False)[0].note
        == "neither scenario varies"
    )


def test_a_metric_that_one_side_lacks_is_left_out():
    values = brakes()
    values["D2"]["cost"] = np.arange(10.0)
    assert {row.metric for row in compare(values, "D1")} == {"time"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"baseline": "d1"}, "did you mean 'D1'"),
        ({"metrics": ["tine"]}, "did you mean 'time'"),
        ({"confidence": 95}, "95"),
        ({"adjustment": "holmes"}, "did you mean 'holm'"),
        ({"family": "scenario"}, "did you mean 'scenarios'"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(options, says):
    with pytest.raises(RequestError) as caught:
        compare(brakes(), **({"baseline": "D1"} | options))
    assert says in str(caught.value)


def test_false_differences_are_as_rare_as_promised():
    """400 tables of 5 equal scenarios: a share of 0.05 of tables with a false verdict has a standard error of 0.011."""
    rng = np.random.default_rng(11)
    wrong = 0
    for _ in range(400):
        shared = rng.normal(size=20)
        values = {str(k): {"x": shared + rng.normal(size=20)} for k in range(5)}
        wrong += any(row.verdict != NO_DIFFERENCE for row in compare(values, "0"))
    assert wrong / 400 <= 0.05 + 2 * 0.011
