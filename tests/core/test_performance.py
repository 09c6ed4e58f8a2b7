import math

import numpy as np
import pytest

from replicast.core.errors import RequestError
from replicast.core.performance import Measure, measures, parse_mcse, replications_for

N, TRUE = 1000, 0.5
MISIM = {
    "bias": (0.0167661607, 0.0047786757),
    "empirical_se": (0.1511149941, 0.0033807247),
    "mse": (0.0230940096, 0.0011338388),
    "model_se": (0.1470962651, 0.0005274100),
    "relative_error": (-2.6593847275, 2.2054817677),
}
"""What rsimsum prints of its data MIsim, method CC (complete cases): estimate and Monte Carlo standard error."""


def of_moments(mean, sd, fourth):
    """1,000 values, symmetric about their mean, with these moments: 100 pairs far out and 400 near.

    `fourth` is the mean of (value - mean)⁴ that is wanted.
    """
    spread = sd**2 * (N - 1) / N
    rest = math.sqrt((fourth - spread**2) * 4.0)
    far, near = math.sqrt(spread + rest), math.sqrt(spread - rest / 4.0)
    return mean + np.concatenate([np.repeat([far, -far], 100), np.repeat([near, -near], 400)])


def misim():
    (bias, _), (sd, _), (mse, mse_error) = MISIM["bias"], MISIM["empirical_se"], MISIM["mse"]
    spread = sd**2 * (N - 1) / N
    fourth_about_truth = mse_error**2 * (N - 1) + mse**2
    fourth = fourth_about_truth - bias**4 - 6.0 * bias**2 * spread
    estimate = of_moments(TRUE + bias, sd, fourth)
    (model, model_error) = MISIM["model_se"]
    reach = 2.0 * model * model_error * math.sqrt(N) * math.sqrt((N - 1) / N)
    se = np.sqrt(model**2 + np.where(np.arange(N) % 2 == 0, reach, -reach))
    return estimate, se


def test_rsimsums_complete_cases_have_its_numbers_rebuilt_from_their_moments():
    found = {one.name: one for one in measures(misim()[0], truth=TRUE, se=misim()[1])}
    for name, (estimate, mcse) in MISIM.items():
        assert found[name].estimate == pytest.approx(estimate, rel=2e-7), name
        assert found[name].mcse == pytest.approx(mcse, rel=2e-6), name


@pytest.mark.parametrize(("hits", "mcse"), [(943, 0.0073315), (946, 0.0071473)])
def test_coverage_and_power_have_the_errors_that_rsimsum_prints(hits, mcse):
    estimate = np.where(np.arange(N) < hits, 0.0, 10.0) + np.where(np.arange(N) % 2 == 0, 0.01, -0.01)
    found = {one.name: one for one in measures(estimate, truth=0.0, se=np.ones(N))}
    assert (found["coverage"].estimate, found["coverage"].mcse) == (hits / N, pytest.approx(mcse, abs=5e-8))
    assert found["power"].estimate == pytest.approx(1 - hits / N)
    assert found["power"].mcse == pytest.approx(mcse, abs=5e-8)


def test_bias_is_eliminated_from_coverage_by_centring_on_the_mean_estimate():
    estimate = np.random.default_rng(1).normal(5.0, 1.0, 2000)
    found = {one.name: one.estimate for one in measures(estimate, truth=0.0, se=np.ones(2000))}
    assert found["coverage"] == pytest.approx(0.0, abs=0.01)
    assert found["bias_eliminated_coverage"] == pytest.approx(0.95, abs=0.02)


def test_intervals_with_degrees_of_freedom_are_students():
    rng = np.random.default_rng(2)
    samples = rng.normal(size=(4000, 5))
    mean, se = samples.mean(axis=1), samples.std(axis=1, ddof=1) / math.sqrt(5)
    coverage = [
        next(one.estimate for one in measures(mean, truth=0.0, se=se, df=df) if one.name == "coverage")
        for df in (None, np.full(4000, 4.0))
    ]
    assert coverage[0] < 0.90
    assert coverage[1] == pytest.approx(0.95, abs=0.012)


def test_an_error_of_half_a_percent_in_coverage_takes_1900_replications():
    assert replications_for(Measure("coverage", 0.93, 0.008, 1000), 0.005) == 1900
    assert replications_for(Measure("bias", 0.1, 0.02, 500), 0.01) == 2000
    assert replications_for(Measure("power", 1.0, 0.0, 500), 0.01) is None


def test_what_is_asked_of_an_error_is_read_or_refused():
    assert parse_mcse("coverage=0.5%,bias=0.01") == {"coverage": 0.005, "bias": 0.01}
    for text in ("covrage=1%", "coverage", "coverage=0", "coverage=x"):
        with pytest.raises(RequestError):
            parse_mcse(text)


def test_estimates_without_errors_have_the_measures_that_need_none():
    assert [one.name for one in measures(np.arange(5.0), truth=2.0)] == ["bias", "empirical_se", "mse"]
    assert measures(np.array([1.0]), truth=0.0) == []
    names = [one.name for one in measures(np.ones(5), truth=0.0, se=np.zeros(5))]
    assert names == ["bias", "empirical_se", "mse", "model_se", "coverage", "bias_eliminated_coverage", "power"]


def test_standard_errors_that_do_not_vary_have_no_error_of_their_own() -> None:
    """Their mean is rounded, and the spread around it is no spread."""
    estimate = np.array([0.4, 0.6, 0.5] * 10)
    found = {one.name: one for one in measures(estimate, truth=0.5, se=np.full(30, 0.1))}
    assert (found["model_se"].estimate, found["model_se"].mcse) == (0.1, 0.0)


def test_estimates_that_do_not_vary_have_no_standard_error() -> None:
    found = {one.name: one for one in measures(np.full(30, 0.1), truth=0.0)}
    assert (found["empirical_se"].estimate, found["bias"].mcse, found["mse"].mcse) == (0.0, 0.0, 0.0)
