import numpy as np
import pytest
from scipy import stats

from replicast.core.proportions import (
    PairedCounts,
    SeparateCounts,
    exact_interval,
    sign_tail,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("successes", "n", "wilson", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_intervals_for_a_proportion_are_those_of_newcombe_1998_table_one(successes, n, wilson, exact):
    assert wilson_interval(successes, n) == pytest.approx(wilson, abs=5e-5)
    assert exact_interval(successes, n) == pytest.approx(exact, abs=5e-5)


def test_all_successes_mirror_no_successes_and_no_trials_have_no_interval():
    assert exact_interval(20, 20) == pytest.approx((1 - exact_interval(0, 20)[1], 1.0))
    assert wilson_interval(20, 20) == pytest.approx((1 - wilson_interval(0, 20)[1], 1.0))
    assert exact_interval(0, 0) is None
    assert wilson_interval(0, 0) is None


def test_the_exact_interval_of_no_successes_has_its_closed_form():
    assert exact_interval(0, 50, 0.9)[1] == pytest.approx(1 - 0.05 ** (1 / 50), rel=1e-12)


@pytest.mark.parametrize(
    ("successes", "n", "wilson"), [(2, 30, (0.0185, 0.2132)), (0, 30, (0.0, 0.1135)), (0, 1000, (0.0, 0.00383))]
)
def test_a_few_successes_have_the_wilson_interval_of_the_textbooks(successes, n, wilson):
    assert wilson_interval(successes, n) == pytest.approx(wilson, abs=5e-5)


@pytest.mark.parametrize(("left", "p"), [(5, 0.0625), (4, 0.125), (100, 2 * 0.5**100), (1, 1.0), (0, 1.0)])
def test_mcnemars_exact_test_is_a_sign_test_of_the_pairs_that_differ(left, p):
    assert PairedCounts(3, left, 0, 22).p_value == pytest.approx(p, rel=1e-12)
    assert PairedCounts(3, 0, left, 22).p_value == pytest.approx(p, rel=1e-12)


def test_mcnemars_exact_test_agrees_with_the_binomial_test_of_scipy():
    for b, c in [(7, 3), (10, 1), (40, 22), (5, 5)]:
        assert PairedCounts(11, b, c, 9).p_value == pytest.approx(stats.binomtest(b, b + c).pvalue, rel=1e-9)


@pytest.mark.parametrize(
    ("counts", "interval"),
    [
        ((36, 12, 2, 0), (0.0569, 0.3404)),
        ((20, 12, 2, 16), (0.0562, 0.3292)),
        ((0, 12, 2, 36), (0.0569, 0.3404)),
        ((54, 0, 0, 0), (-0.0664, 0.0664)),
    ],
)
def test_differences_of_pairs_have_the_intervals_of_newcombe_1998_table_two(counts, interval):
    assert PairedCounts(*counts).interval() == pytest.approx(interval, abs=5e-5)


@pytest.mark.parametrize(
    ("left", "n", "right", "m", "interval"),
    [
        (56, 70, 48, 80, (0.0524, 0.3339)),
        (9, 10, 3, 10, (0.1705, 0.8090)),
        (6, 7, 2, 7, (0.0582, 0.8062)),
        (10, 10, 0, 10, (0.6075, 1.0)),
        (0, 10, 0, 10, (-0.2775, 0.2775)),
    ],
)
def test_differences_of_separate_samples_have_the_intervals_of_newcombe_1998_table_two(left, n, right, m, interval):
    assert SeparateCounts(left, n, right, m).interval() == pytest.approx(interval, abs=5e-5)


def test_fishers_exact_test_agrees_with_that_of_scipy():
    for left, n, right, m in [(5, 30, 0, 30), (100, 100, 0, 100), (7, 20, 13, 35), (3, 3, 0, 0), (0, 9, 0, 9)]:
        theirs = stats.fisher_exact([[left, n - left], [right, m - right]]).pvalue
        assert SeparateCounts(left, n, right, m).p_value == pytest.approx(theirs, rel=1e-9)


def test_pairs_of_zeros_and_ones_are_counted_by_where_they_are_one():
    left, right = np.array([1.0, 1, 0, 0, 1]), np.array([1.0, 0, 1, 0, 0])
    assert PairedCounts.of(left, right) == PairedCounts(both=1, left=2, right=1, neither=1)
    assert sign_tail(2, 1) == pytest.approx(0.5)
