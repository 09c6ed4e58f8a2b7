import numpy as np
import pytest

from replicast.core.errors import RequestError
from replicast.core.pooled import parse_statistic, pooled
from replicast.core.ratios import is_constant, ratio_of
from replicast.core.streams import seed_sequence

TRUTH = 79 / 30
"""Patients of a day: 1 to 39, each as likely; each waits 0.1·n on average. Σ of n² over Σ of n, times 0.1."""


def patients(replications, seed=1):
    days = []
    for i in range(1, replications + 1):
        rng = np.random.default_rng(seed_sequence(seed, i))
        n = int(rng.integers(1, 40))
        days.append(rng.exponential(0.1 * n, n))
    return days


def totals(days):
    return np.array([float(day.sum()) for day in days]), np.array([float(len(day)) for day in days])


def half(bounds):
    return (bounds[1] - bounds[0]) / 2


def test_the_ratio_of_two_thousand_days_has_both_intervals_to_the_digit():
    found = ratio_of(*totals(patients(2000)), seed=1)
    assert (found.estimate, half(found.delta)) == pytest.approx((2.64121, 0.04790), abs=5e-6)
    assert (found.jackknife, half(found.interval)) == pytest.approx((2.64141, 0.04791), abs=5e-6)
    assert found.bootstrap == pytest.approx(found.interval, abs=0.01)


def test_the_ratio_of_thirty_days_has_its_jackknife_interval_to_the_digit():
    found = ratio_of(*totals(patients(30)), seed=1)
    assert found.estimate == pytest.approx(2.57952, abs=5e-6)
    assert (found.jackknife, half(found.interval)) == pytest.approx((2.59439, 0.38383), abs=5e-6)


def test_the_pooled_mean_is_the_ratio_and_not_the_mean_of_means():
    days = patients(200)
    replication = np.repeat(np.arange(200), [len(day) for day in days])
    found, ratio = pooled(replication, np.concatenate(days), None, seed=1), ratio_of(*totals(days), seed=1)
    assert found.estimate == pytest.approx(ratio.estimate, rel=1e-12)
    assert found.interval == pytest.approx(ratio.interval, rel=1e-9)
    assert found.mean_of_replications == pytest.approx(np.mean([day.mean() for day in days]))


def test_a_pooled_quantile_is_that_of_all_rows_and_its_interval_holds_it():
    days = patients(300)
    replication, waits = np.repeat(np.arange(300), [len(day) for day in days]), np.concatenate(days)
    found = pooled(replication, waits, 0.95, seed=1)
    assert found.estimate == np.quantile(waits, 0.95)
    assert found.interval[0] < found.estimate < found.interval[1]
    assert found.bootstrap == pytest.approx(found.interval, rel=0.1)


@pytest.mark.long
def test_intervals_of_pooled_quantiles_cover_where_rows_of_a_replication_depend_on_each_other():
    """Ten values of a replication share a normal level of variance 1 and have one of their own: N(0, 2) in all."""
    rng, truth, covered, drawn = np.random.default_rng(3), 2**0.5 * 1.2815515655446004, 0, 0
    for _ in range(300):
        level = rng.normal(size=50)
        values = (level[:, None] + rng.normal(size=(50, 10))).ravel()
        found = pooled(np.repeat(np.arange(50), 10), values, 0.9, seed=1)
        covered += found.interval is not None and found.interval[0] <= truth <= found.interval[1]
        drawn += found.bootstrap[0] <= truth <= found.bootstrap[1]
    assert covered / 300 >= 0.95 - 3 * 0.0126
    assert drawn / 300 >= 0.91


def test_the_order_of_rows_and_a_second_time_change_nothing():
    days = patients(40)
    replication, waits = np.repeat(np.arange(40), [len(day) for day in days]), np.concatenate(days)
    shuffled = np.random.default_rng(1).permutation(len(waits))
    assert pooled(replication, waits, 0.9, seed=1) == pooled(replication[shuffled], waits[shuffled], 0.9, seed=1)


@pytest.mark.parametrize(
    ("top", "bottom"), [([1.0], [2.0]), ([1.0, 2.0], [0.0, 0.0]), ([], []), ([1.0, 2.0], [0.0, 5.0])]
)
def test_what_cannot_be_divided_has_no_ratio(top, bottom):
    assert ratio_of(np.array(top), np.array(bottom), seed=1) is None


def test_one_ratio_in_all_replications_has_no_interval_of_its_rounding():
    """0.1 · 3 / 0.3 is no 1, and the spread of such quotients no spread."""
    bottom = np.random.default_rng(1).random(50)
    assert is_constant(3.0 * bottom, bottom)
    assert is_constant(np.full(50, 0.1), np.full(50, 0.3))
    assert ratio_of(3.0 * bottom, bottom, seed=1) is None
    assert not is_constant(3.0 * bottom + 1e-12 * bottom**2, bottom)
    assert not is_constant(np.array([1.0, 3.0, 6.0]), np.array([0.0, 1.0, 2.0]))


@pytest.mark.parametrize("p", [None, 0.5, 0.95])
def test_rows_that_are_all_the_same_have_no_interval(p):
    found = pooled(np.repeat(np.arange(20), 3), np.full(60, 0.1), p, seed=1)
    assert found.estimate == pytest.approx(0.1)
    assert (found.interval, found.bootstrap) == (None, None)


@pytest.mark.parametrize(("text", "p"), [("mean", None), ("median", 0.5), ("p95", 0.95), ("p99.9", 0.999)])
def test_statistics_are_named_as_people_name_them(text, p):
    assert parse_statistic(text) == pytest.approx(p)


@pytest.mark.parametrize("text", ["", "p0", "p100", "95", "pp", "max"])
def test_other_statistics_are_refused(text):
    with pytest.raises(RequestError, match="percentile such as p95"):
        parse_statistic(text)
