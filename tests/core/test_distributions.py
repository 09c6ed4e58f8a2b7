import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from replicast.core.distributions import (
    beta_quantile,
    binomial_cdf,
    incomplete_beta,
    normal_cdf,
    normal_quantile,
    student_t_cdf,
    student_t_quantile,
    student_t_tail,
    t_critical,
)
from replicast.core.errors import RequestError

DEGREES = [1, 1.5, 2, 2.314, 3, 4, 5, 9, 10.5, 19, 29, 99, 999, 12345.6, 1e5, 1e6, 1e7]
CONFIDENCES = [0.5, 0.68, 0.6827, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999]


@pytest.mark.parametrize(
    ("df", "confidence", "printed"),
    [(1, 0.95, 12.706), (9, 0.90, 1.833), (9, 0.95, 2.262), (29, 0.95, 2.045), (99, 0.95, 1.984), (4, 0.99, 4.604)],
)
def test_t_critical_is_the_number_of_the_printed_tables(df, confidence, printed):
    assert t_critical(confidence, df) == pytest.approx(printed, abs=5e-4)


def test_t_with_one_two_and_four_degrees_of_freedom_equals_its_closed_form():
    for p in (5e-5, 0.001, 0.2, 0.6, 0.975):
        assert student_t_quantile(p, 1) == pytest.approx(-1 / math.tan(math.pi * p), rel=1e-13)
        assert student_t_quantile(p, 2) == pytest.approx((2 * p - 1) / math.sqrt(2 * p * (1 - p)), rel=1e-13)
        alpha = 4 * p * (1 - p)
        q = math.cos(math.acos(math.sqrt(alpha)) / 3) / math.sqrt(alpha)
        assert student_t_quantile(p, 4) == pytest.approx(math.copysign(2 * math.sqrt(q - 1), p - 0.5), rel=1e-12)


@pytest.mark.parametrize("df", DEGREES)
def test_t_critical_agrees_with_scipy_to_thirteen_digits(df):
    for confidence in CONFIDENCES:
        assert t_critical(confidence, df) == pytest.approx(-stats.t.ppf((1 - confidence) / 2, df), rel=2e-13)


@pytest.mark.parametrize("df", DEGREES)
def test_tails_of_t_agree_with_scipy_where_they_are_large_and_where_they_are_tiny(df):
    for t in (0.0, 0.01, 0.5, 0.999, 1.0, 1.7, 1.74, 2.5, 6.0, 20.0):
        expected = stats.t.sf(t, df)
        assert student_t_tail(t, df) == pytest.approx(expected, rel=2e-13, abs=1e-300)
        assert student_t_cdf(t, df) == pytest.approx(stats.t.cdf(t, df), rel=1e-13)


def test_t_keeps_its_digits_close_to_the_median():
    """With one degree of freedom the tail is 1/2 - atan(t)/π."""
    assert student_t_tail(1e-9, 1) == pytest.approx(0.5 - 1e-9 / math.pi, rel=1e-15)


def test_t_keeps_its_digits_where_two_hundred_zeros_come_first():
    """Computed with mpmath at 50 digits."""
    assert student_t_tail(30.0, 1e7) == pytest.approx(5.0073067877e-198, rel=1e-9)
    assert student_t_tail(1e200, 1) == pytest.approx(1 / (math.pi * 1e200), rel=1e-12)
    assert student_t_tail(math.inf, 5) == 0.0


@given(st.floats(1e-12, 1 - 1e-12), st.floats(1.0, 1e7))
def test_the_t_quantile_undoes_the_t_cdf(p, df):
    assert student_t_cdf(student_t_quantile(p, df), df) == pytest.approx(p, rel=1e-11)


@given(st.floats(0.5, 0.9999), st.floats(1.0, 1e6), st.floats(1.0, 1e6))
def test_more_degrees_of_freedom_never_widen_the_interval(confidence, df, more):
    assert t_critical(confidence, df + more) <= t_critical(confidence, df) * (1 + 1e-13)


def test_normal_quantiles_agree_with_scipy_from_one_tail_to_the_other():
    for p in (1e-300, 1e-20, 1e-6, 0.01, 0.2, 0.25, 0.3, 0.4999999, 0.5, 0.51, 0.74, 0.76, 0.975, 1 - 1e-9):
        assert normal_quantile(p) == pytest.approx(stats.norm.ppf(p), rel=2e-14, abs=1e-300)
    assert (normal_quantile(0.0), normal_quantile(1.0)) == (-math.inf, math.inf)


def test_the_normal_cdf_agrees_with_scipy_in_the_far_tail():
    for z in (-37.0, -8.0, -1.0, 0.0, 0.5, 6.0):
        assert normal_cdf(z) == pytest.approx(stats.norm.cdf(z), rel=1e-13)


@given(st.floats(-1, 5), st.floats(-1, 5), st.floats(1e-12, 1.0))
def test_the_incomplete_beta_function_agrees_with_scipy(log_a, log_b, p):
    a, b = 10**log_a, 10**log_b
    x = float(special.betaincinv(a, b, p))
    expected = float(special.betainc(a, b, x))
    assert incomplete_beta(a, b, x) == pytest.approx(expected, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (1, 1), (3, 8), (82, 182), (0.2, 900), (5000.5, 17)])
def test_beta_quantiles_agree_with_scipy(a, b):
    for p in (0.0, 0.025, 0.5, 0.975, 1.0):
        assert beta_quantile(p, a, b) == pytest.approx(float(special.betaincinv(a, b, p)), rel=1e-12)


@pytest.mark.parametrize(("n", "p"), [(1, 0.5), (20, 0.5), (50, 0.9), (1000, 0.01), (1_000_000, 0.3)])
def test_binomial_probabilities_agree_with_scipy(n, p):
    for k in {-1, 0, n // 3, int(n * p), int(n * p) + 1, n - 1, n}:
        assert binomial_cdf(k, n, p) == pytest.approx(stats.binom.cdf(k, n, p), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(
    "call", [(-0.1, 5), (1.1, 5), (math.nan, 5), (0.9, 0), (0.9, -2), (0.9, math.nan), (0.9, math.inf)]
)
def test_nonsense_is_refused_rather_than_answered(call):
    with pytest.raises(ValueError, match=r"and .* (is|does) not"):
        student_t_quantile(*call)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, -0.1, math.nan])
def test_a_confidence_that_is_none_is_refused_as_a_wrong_request(confidence):
    with pytest.raises(RequestError, match=f"{confidence:g}"):
        t_critical(confidence, 5)
