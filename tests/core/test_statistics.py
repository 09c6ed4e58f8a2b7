import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicast.core.errors import RequestError
from replicast.core.moments import Moments
from replicast.core.quantiles import quantiles
from replicast.core.statistics import SummaryRow, mean_interval, summarise, summary_row

DELAYS = np.array([1.53, 1.66, 1.24, 2.34, 2.00, 1.69, 2.69, 2.86, 1.70, 2.60])
"""Average delays of ten replications of a bank (Law 2015, chapter 9)."""

PROPORTIONS = np.array([0.917, 0.916, 0.952, 0.822, 0.840, 0.866, 0.783, 0.782, 0.873, 0.779])
"""Proportions of customers who wait under five minutes, ten replications (Law 2015, chapter 9)."""

INTERVAL = ("se", "ci_lower", "ci_upper", "half_width", "relative_half_width")


def row(values, **changes):
    values = np.asarray(values, dtype=np.float64)
    options = {"scenario": "base", "metric": "wait", "planned": len(values), "failed": 0, "confidence": 0.95}
    return summarise(values, **(options | changes))


def test_the_columns_are_those_of_the_contract_in_their_order():
    expected = "scenario metric planned n failed non_finite mean sd se confidence ci_lower ci_upper half_width"
    expected += " relative_half_width min q25 median q75 max"
    assert [field.name for field in fields(SummaryRow)] == expected.split()


def test_ten_delays_have_the_mean_variance_and_interval_that_law_prints():
    found = row(DELAYS, confidence=0.9)
    assert found.mean == pytest.approx(2.031, abs=1e-12)
    assert found.sd**2 == pytest.approx(0.309099, abs=5e-7)
    assert (found.ci_lower, found.ci_upper) == pytest.approx((1.708717, 2.353283), abs=5e-7)
    assert found.relative_half_width == pytest.approx(0.322283 / 2.031, abs=5e-7)


def test_ten_proportions_have_the_interval_that_law_prints():
    found = row(PROPORTIONS, confidence=0.9)
    assert found.mean == pytest.approx(0.853, abs=1e-12)
    assert (found.ci_lower, found.ci_upper) == pytest.approx((0.816860, 0.889140), abs=5e-7)


def test_one_value_has_a_mean_and_no_spread_at_all():
    found = row([4.0])
    assert (found.n, found.mean, found.min, found.q25, found.median, found.q75, found.max) == (1, *(6 * [4.0]))
    assert found.sd is None
    assert all(getattr(found, name) is None for name in INTERVAL)


def test_no_finite_value_leaves_every_number_empty_and_counts_them():
    found = row([math.nan, math.inf], planned=5, failed=1)
    assert (found.planned, found.n, found.failed, found.non_finite) == (5, 0, 1, 2)
    names = ("mean", "sd", "min", "q25", "median", "q75", "max", *INTERVAL)
    assert all(getattr(found, name) is None for name in names)


def test_values_that_do_not_vary_have_an_sd_of_zero_and_no_interval():
    found = row([0.1] * 30)
    assert (found.mean, found.sd) == (0.1, 0.0)
    assert all(getattr(found, name) is None for name in INTERVAL)


def test_copies_have_no_interval_even_where_their_values_vary():
    found = row([1.0, 2.0, 4.0], copies=True)
    assert found.sd == pytest.approx(math.sqrt(7 / 3))
    assert all(getattr(found, name) is None for name in INTERVAL)


def test_a_mean_of_zero_has_a_half_width_and_no_relative_one():
    found = row([-1.0, 1.0])
    assert found.half_width == pytest.approx(12.706204736432095)
    assert found.relative_half_width is None


def test_a_relative_half_width_is_of_the_size_of_the_mean_whatever_its_sign():
    assert row(-DELAYS).relative_half_width == row(DELAYS).relative_half_width > 0


def test_the_mean_is_of_the_finite_values_and_the_others_are_counted():
    found = row([1.0, math.nan, 3.0, -math.inf], planned=6, failed=1)
    assert (found.planned, found.n, found.failed, found.non_finite, found.mean) == (6, 2, 1, 2, 2.0)


@given(st.lists(st.floats() | st.sampled_from([0.0, -0.0]), max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_values_changes_no_bit_of_a_row(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    assert repr(row(shuffled)) == repr(row(values))


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, -0.5, math.nan])
def test_a_confidence_outside_nought_to_one_is_refused_with_its_value(confidence):
    with pytest.raises(RequestError, match=f"{confidence:g}"):
        row(DELAYS, confidence=confidence)


def test_a_streamed_row_equals_the_row_of_the_array():
    moments = Moments.of(DELAYS[7:]) + Moments.of(DELAYS[:7])
    quartiles = quantiles(DELAYS, (0.25, 0.5, 0.75))
    assert summary_row(moments, quartiles, scenario="base", metric="wait", planned=10, failed=0) == row(DELAYS)


def test_the_interval_covers_the_mean_as_often_as_it_says():
    """5,000 samples of 10 normal values: a share of 0.95 has a standard error of 0.0031."""
    samples = np.random.default_rng(20).normal(3.0, 2.0, (5000, 10))
    intervals = [mean_interval(10, float(x.mean()), float(x.std(ddof=1))) for x in samples]
    covered = sum(interval.lower <= 3.0 <= interval.upper for interval in intervals)
    assert covered / 5000 == pytest.approx(0.95, abs=3 * 0.0031)


@pytest.mark.parametrize(
    ("ones", "n", "lower", "upper"), [(2, 30, 0.0185, 0.2132), (0, 30, 0.0, 0.1135), (30, 30, 0.8865, 1.0)]
)
def test_a_boolean_has_wilsons_interval(ones, n, lower, upper):
    values = np.repeat([1.0, 0.0], [ones, n - ones])
    found = row(values, boolean=True)
    assert (found.ci_lower, found.ci_upper) == pytest.approx((lower, upper), abs=5e-5)
    assert found.half_width == pytest.approx((upper - lower) / 2, abs=1e-4)
    assert found.mean == ones / n


def test_a_boolean_of_one_replication_and_of_copies_has_no_interval():
    assert row(np.ones(1), boolean=True).ci_lower is None
    assert row(np.ones(9), boolean=True, copies=True).half_width is None
