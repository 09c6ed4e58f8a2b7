import math

import numpy as np
import pytest
from scipy import stats

from replicast.core.distributions import t_critical
from replicast.core.doubts import doubt_of


def test_skewness_is_that_of_scipy_and_says_how_many_values_it_asks_for():
    values = np.random.default_rng(1).lognormal(0.0, 2.0, 30)
    found = doubt_of(values)
    assert found is not None
    assert found.skewness == pytest.approx(stats.skew(values, bias=False), rel=1e-9)
    assert found.enough == math.ceil(25 * found.skewness**2)


@pytest.mark.parametrize("n", [5, 10, 30, 300])
def test_normal_values_are_hardly_ever_doubted(n):
    rng = np.random.default_rng(n)
    assert sum(doubt_of(rng.normal(50, 3, n)) is not None for _ in range(1000)) <= 10


def test_where_coverage_suffers_it_is_said():
    """Of a lognormal (σ = 2) 30 values cover about 65.6 %: nearly all such samples are doubted."""
    rng, covered, doubted = np.random.default_rng(1), 0, 0
    for _ in range(2000):
        values = rng.lognormal(0.0, 2.0, 30)
        half_width = t_critical(0.95, 29) * values.std(ddof=1) / math.sqrt(30)
        covered += abs(values.mean() - math.exp(2.0)) <= half_width
        doubted += doubt_of(values) is not None
    assert covered / 2000 == pytest.approx(0.656, abs=0.03)
    assert doubted / 2000 > 0.98


def test_enough_skewed_values_are_taken_at_their_word():
    rng = np.random.default_rng(2)
    assert sum(doubt_of(rng.exponential(1.0, 400)) is not None for _ in range(200)) <= 10


def test_one_value_that_decides_is_named_though_the_tails_are_even():
    values = np.concatenate([np.random.default_rng(1).normal(0, 1, 200), [400.0, -400.0]])
    found = doubt_of(values)
    assert found is not None
    assert found.share == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("values", [[], [1.0] * 9, [1.0, 2.0, 50.0], [math.nan] * 9, [0.0] * 9])
def test_nothing_is_said_of_what_says_nothing(values):
    assert doubt_of(np.array(values)) is None


def test_values_near_the_largest_double_are_judged_too():
    assert doubt_of(np.array([1e308, -1e308] * 10)) is None
