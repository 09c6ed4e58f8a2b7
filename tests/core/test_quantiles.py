import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from replicast.core.quantiles import (
    quantile_interval,
    quantile_ranks,
    quantiles,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 1.0)


def test_quartiles_are_those_that_r_prints():
    """quantile(c(5.4, 16.6, .6, 1.4, .6, 7.3), type = 7)."""
    values = np.array([5.4, 16.6, 0.6, 1.4, 0.6, 7.3])
    assert quantiles(values, (0.25, 0.5, 0.75)) == pytest.approx([0.8, 3.4, 6.825], rel=1e-15)


@given(arrays(np.float64, st.integers(1, 50), elements=st.floats(-1e300, 1e300)))
def test_quantiles_equal_those_of_numpy(values):
    assert quantiles(values, SHARES) == np.quantile(values, SHARES).tolist()


@given(st.lists(FINITE | st.sampled_from([0.0, -0.0]), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_values_changes_no_bit_of_a_quantile(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    assert repr(quantiles(np.array(values), SHARES)) == repr(quantiles(np.array(shuffled), SHARES))


def test_either_order_of_the_two_zeros_has_the_same_quantiles():
    assert {repr(quantiles(np.array(zeros), (0.0, 1.0))) for zeros in ([0.0, -0.0], [-0.0, 0.0])} == {"[0.0, 0.0]"}


def test_quantiles_survive_a_range_beyond_the_largest_double():
    huge = 1.7976931348623157e308
    assert quantiles(np.array([-huge, huge]), (0.25, 0.5, 1.0)) == pytest.approx([-huge / 2, 0.0, huge])


def test_quantiles_leave_out_what_is_not_finite_and_leave_their_argument_alone():
    values = np.array([3.0, math.nan, 1.0, math.inf])
    assert quantiles(values, (0.5,)) == [2.0]
    assert values[0] == 3.0
    assert quantiles(np.array([math.nan]), (0.25, 0.5)) == [None, None]


@pytest.mark.parametrize(
    ("n", "p", "ranks", "coverage"), [(20, 0.5, (6, 15), 0.9586105), (50, 0.9, (41, 50), 0.9703083)]
)
def test_the_ranks_of_a_quantile_interval_are_those_of_the_published_tables(n, p, ranks, coverage):
    lower, upper, found = quantile_ranks(n, p)
    assert (lower, upper) == ranks
    assert found == pytest.approx(coverage, abs=5e-8)


def test_thirty_values_have_no_finite_interval_for_their_ninth_decile():
    """Even the largest of 30 values lies below the quantile with probability 0.9³⁰ = 4.2 %, above 2.5 %."""
    assert quantile_ranks(30, 0.9) is None
    assert quantile_interval(np.arange(30.0), 0.9) is None
    assert quantile_ranks(36, 0.9)[1] == 36


@given(st.integers(1, 400), st.floats(0.01, 0.99), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_a_quantile_interval_covers_as_promised_with_each_tail_held_and_no_rank_to_spare(n, p, confidence):
    found = quantile_ranks(n, p, confidence)
    tail = (1 - confidence) / 2
    if found is None:
        assert (1 - p) ** n > tail or p**n > tail
        return
    lower, upper, coverage = found
    pmf = [math.exp(log_binomial(n, k) + k * math.log(p) + (n - k) * math.log1p(-p)) for k in range(n + 1)]
    assert coverage == pytest.approx(sum(pmf[lower:upper]), rel=1e-9)
    assert sum(pmf[:lower]) <= tail * (1 + 1e-9) and sum(pmf[upper:]) <= tail * (1 + 1e-9)
    assert sum(pmf[: lower + 1]) > tail * (1 - 1e-9)
    assert sum(pmf[upper - 1 :]) > tail * (1 - 1e-9)


def log_binomial(n, k):
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def test_a_quantile_interval_holds_the_values_of_its_ranks():
    values = np.array([math.nan, *range(20, 0, -1)], dtype=np.float64)
    interval = quantile_interval(values, 0.5)
    assert (interval.estimate, interval.lower, interval.upper, interval.n) == (10.5, 6.0, 15.0, 20)
