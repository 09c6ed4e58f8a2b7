"""Control variates: what a regression on a metric of known mean leaves of the variance, and how often it covers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from replicast.core.controls import check_controls, controlled, parse_controls
from replicast.core.errors import RequestError

HALF = np.array([0.5])


def test_the_uniform_as_a_control_of_its_exponential_leaves_what_theory_says() -> None:
    """ρ² of e^U and U is (cov/sd·sd)² = 12·(3 - e)²/4 / .2420; 1 - ρ² = .01628, a residual variance of .00394."""
    u = np.random.default_rng(1).random(200_000)
    found = controlled(np.exp(u), u[:, None], HALF)
    assert found.left == pytest.approx(0.01628, rel=0.01)
    assert found.se**2 * found.n == pytest.approx(0.00394, rel=0.01)
    assert found.coefficients[0] == pytest.approx(12 * (3 - math.e) / 2, rel=0.002)
    assert found.estimate == pytest.approx(math.e - 1, abs=4 * found.se)
    assert found.df == found.n - 2


def test_the_estimate_is_the_mean_moved_by_the_slope_and_its_error_is_the_intercepts() -> None:
    """Lavenberg and Welch (1981), by hand, of one control."""
    x, y = np.array([1.0, 2.0, 4.0, 7.0, 8.0]), np.array([2.0, 3.0, 5.0, 9.0, 8.5])
    slope = np.cov(x, y)[0, 1] / np.var(x, ddof=1)
    rest = y - y.mean() - slope * (x - x.mean())
    se = math.sqrt((rest @ rest) / 3 * (1 / 5 + (x.mean() - 4) ** 2 / ((x - x.mean()) ** 2).sum()))
    found = controlled(y, x[:, None], np.array([4.0]))
    assert found.estimate == pytest.approx(y.mean() - slope * (x.mean() - 4), rel=1e-12)
    assert (found.se, found.df) == (pytest.approx(se, rel=1e-12), 3)


def test_two_controls_cost_two_degrees_of_freedom_and_explain_a_sum_wholly() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(30, 2)) * [1.0, 1e6]
    found = controlled(x.sum(axis=1) + 3.0, x, np.zeros(2))
    assert found.df == 27
    assert found.estimate == pytest.approx(3.0)
    assert found.coefficients == pytest.approx((1.0, 1.0))
    assert found.left < 1e-12


def test_small_samples_cover_as_often_as_they_say() -> None:
    """Of jointly normal values the interval is exact: 95 % of 4,000, ± 3.5 standard errors."""
    rng, covered = np.random.default_rng(3), 0
    for _ in range(4000):
        x = rng.normal(size=(8, 1))
        found = controlled(2.0 * x[:, 0] + rng.normal(size=8), x, np.zeros(1))
        covered += abs(found.estimate) <= found.half_width()
    assert abs(covered / 4000 - 0.95) < 3.5 * math.sqrt(0.95 * 0.05 / 4000)


@pytest.mark.parametrize(
    ("controls", "says"),
    [
        (np.ones((9, 1)), "does not vary"),
        (np.arange(9.0)[:, None] * [1.0, 2.0], "follow from each other"),
        (np.eye(9)[:, :7], "too few"),
    ],
)
def test_what_cannot_be_regressed_says_why(controls: np.ndarray, says: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match=says):
        controlled(np.arange(9.0) ** 2, controls, np.zeros(controls.shape[1]))


def test_a_metric_that_does_not_vary_has_no_adjusted_mean() -> None:
    with pytest.raises(ValueError, match="the metric does not vary"):
        controlled(np.full(40, 0.1), np.random.default_rng(4).random((40, 1)), HALF)


def test_what_the_controls_explain_wholly_is_known_without_error() -> None:
    x = np.random.default_rng(4).random((40, 1))
    found = controlled(2.0 * x[:, 0], x, HALF)
    assert (found.se, found.left) == (0.0, 0.0)
    assert found.estimate == pytest.approx(1.0, abs=1e-14)


def test_values_beyond_the_squares_of_doubles_have_an_estimate() -> None:
    x = np.random.default_rng(4).random((20, 1))
    assert controlled(1e200 * (x[:, 0] + x[:, 0] ** 2), x, HALF).estimate == pytest.approx(0.83e200, rel=0.2)


def test_controls_are_metrics_and_numbers() -> None:
    assert parse_controls(["u=0.5", "a=b=-1e3"]) == {"u": 0.5, "a=b": -1000.0}
    for wrong in (["u"], ["=1"], ["u=x"], ["u=nan"], ["u=1", "u=2"]):
        with pytest.raises(RequestError, match="control"):
            parse_controls(wrong)
    with pytest.raises(RequestError, match="is a number, and 'half' is not"):
        check_controls({"u": "half"})
