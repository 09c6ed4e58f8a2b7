import math

import numpy as np
import pytest

from replicast.core.errors import RequestError
from replicast.core.steady import overlapping_variance, steady, von_neumann


def autoregressive(rng, runs, n, phi=0.9):
    """Stationary: X_i = φ·X_(i-1) + noise of variance 1."""
    series, x = np.empty((n, runs)), rng.normal(size=runs) / (1 - phi**2) ** 0.5
    noise = rng.normal(size=(n, runs))
    for i in range(n):
        series[i] = x = phi * x + noise[i]
    return series.T


def waits(rng, runs, n, load=0.8):
    """In the queue of M/M/1 with service rate 1, begun empty."""
    series, wait = np.empty((n, runs)), np.zeros(runs)
    for i in range(n):
        series[i] = wait
        wait = np.maximum(0.0, wait + rng.exponential(1.0, runs) - rng.exponential(1.0 / load, runs))
    return series.T


def exact_variance(n, phi=0.9):
    """n·var of the mean of n values of the autoregression: 99.9053 at n = 10⁴."""
    return ((1 + phi) / (1 - phi) - 2 * phi * (1 - phi**n) / (n * (1 - phi) ** 2)) / (1 - phi**2)


def test_an_autoregression_has_the_variance_of_its_theory():
    assert exact_variance(10**4) == pytest.approx(99.9053, abs=5e-5)
    found = [steady(own, left_out=0) for own in autoregressive(np.random.default_rng(1), 400, 10**4)]
    assert np.mean([one.variance for one in found]) == pytest.approx(99.9053, rel=0.05)
    assert np.mean([one.overlapping_variance for one in found]) == pytest.approx(99.9053, rel=0.05)
    for half_width in ("half_width", "overlapping_half_width"):
        assert np.mean([abs(one.mean) <= getattr(one, half_width) for one in found]) >= 0.92


def test_a_queue_has_the_mean_and_the_variance_of_its_theory():
    """M/M/1 at load 0.8: the mean wait is 4, its asymptotic variance 1976; 95 % intervals of 10⁵ waits hold it."""
    found = [steady(own) for own in waits(np.random.default_rng(2), 300, 10**5)]
    assert np.mean([one.mean for one in found]) == pytest.approx(4.0, abs=0.03)
    assert np.mean([one.overlapping_variance for one in found]) == pytest.approx(1976, rel=0.10)
    assert np.mean([abs(one.mean - 4.0) <= one.half_width for one in found]) >= 0.92
    assert np.mean([abs(one.mean - 4.0) <= one.overlapping_half_width for one in found]) >= 0.92


def test_overlapping_batches_are_as_their_definition_says():
    values, size = np.random.default_rng(3).normal(size=60), 7
    means = np.array([values[i : i + size].mean() for i in range(60 - size + 1)])
    expected = 60 * size / ((60 - size + 1) * (60 - size)) * ((means - values.mean()) ** 2).sum()
    assert overlapping_variance(values, size) == pytest.approx(expected, rel=1e-12)


def test_batches_that_depend_on_each_other_are_told_from_those_that_do_not():
    rng = np.random.default_rng(4)
    assert np.mean([von_neumann(rng.normal(size=20))[1] < 0.05 for _ in range(2000)]) == pytest.approx(0.05, abs=0.015)
    lag_one, p = von_neumann(np.cumsum(rng.normal(size=40)))
    assert lag_one > 0.3
    assert p < 0.001
    short = autoregressive(rng, 1, 400, 0.99)[0]
    assert "correlated" in steady(short, left_out=0).warning


def test_the_warm_up_is_left_out():
    rng = np.random.default_rng(5)
    found = steady(np.concatenate([np.linspace(50.0, 0.0, 500), rng.normal(size=9500)]))
    assert 400 <= found.left_out <= 900
    assert abs(found.mean) < 0.1


@pytest.mark.parametrize("options", [{"batches": 4}, {"batches": 20, "left_out": 900}, {"confidence": 1.0}])
def test_what_cannot_be_cut_is_refused(options):
    with pytest.raises(RequestError):
        steady(np.random.default_rng(1).normal(size=1000), **options)


def test_a_run_that_does_not_vary_has_no_interval_and_says_so():
    found = steady(np.full(1000, 3.0), left_out=0)
    assert (found.mean, found.lag_one_p) == (3.0, 1.0)
    assert np.isnan([found.half_width, found.overlapping_half_width]).all()
    assert "no interval" in found.warning


def test_a_short_run_is_told_what_may_be_said_instead():
    with pytest.raises(RequestError, match="run longer, or say how long the warm-up is"):
        steady(np.arange(20.0))
    with pytest.raises(RequestError, match="takes 0 or more"):
        steady(np.arange(1000.0), left_out=-3)


@pytest.mark.parametrize("values", [np.full(1000, 0.1), np.tile([0.1, 0.3], 500)])
def test_a_run_whose_batches_differ_by_rounding_alone_has_no_interval(values):
    """The mean of a thousand times 0.1 is not 0.1 to the last bit, which was an interval of ±1e-17."""
    found = steady(values, left_out=0)
    assert math.isnan(found.half_width)
    assert "the same: no interval" in found.warning


def test_values_whose_squares_are_beyond_doubles_have_the_interval_of_their_shares():
    values = np.random.default_rng(3).normal(size=1000)
    small, large = steady(values), steady(np.ldexp(values, 700))
    assert (large.left_out, large.lag_one_p) == (small.left_out, small.lag_one_p)
    assert (large.mean, large.half_width) == (math.ldexp(small.mean, 700), math.ldexp(small.half_width, 700))
    assert large.variance == math.inf
