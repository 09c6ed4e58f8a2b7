"""Values whose sums and squares no double holds: the statistics of the same values, scaled."""

from __future__ import annotations

import numpy as np
import pytest

from replicast.core.pooled import pooled
from replicast.core.ratios import ratio_of
from replicast.reporting.charts import bin_edges

RNG = np.random.default_rng(1)
TOP, BOTTOM = RNG.uniform(0.5, 1.0, 40), RNG.uniform(0.5, 1.0, 40)


@pytest.mark.parametrize(("up", "down"), [(1000, 0), (1000, 1000), (0, 900), (1023, 1000)])
def test_a_ratio_of_large_values_is_that_of_small_ones_scaled(up: int, down: int) -> None:
    small = ratio_of(TOP, BOTTOM, seed=1)
    large = ratio_of(np.ldexp(TOP, up), np.ldexp(BOTTOM, down), seed=1)
    assert small is not None
    assert large is not None
    factor = 2.0 ** (up - down)
    assert large.estimate == small.estimate * factor
    assert large.interval == (small.interval[0] * factor, small.interval[1] * factor)
    assert large.bootstrap == (small.bootstrap[0] * factor, small.bootstrap[1] * factor)


@pytest.mark.parametrize("p", [None, 0.5, 0.9])
def test_a_pooled_statistic_of_large_values_is_finite(p: float | None) -> None:
    rows = np.repeat(np.arange(40), 3)
    values = np.tile([1.7e308, -1.7e308, 1.6e308], 40)
    found = pooled(rows, values, p, seed=1)
    assert np.isfinite([found.estimate, found.mean_of_replications]).all()
    assert found.estimate == pytest.approx(1.6e308 / 3 if p is None else 1.6e308 if p == 0.5 else 1.7e308)


@pytest.mark.parametrize(
    "values", [np.full(40, 2.0**62), 2.0**62 + 512.0 * np.arange(40), np.array([2.0**53, 2.0**53 + 2])]
)
def test_bins_of_large_whole_numbers_differ(values: np.ndarray) -> None:
    edges = bin_edges([values])
    assert edges[0] < edges[-1]
    assert np.histogram(values, edges)[0].sum() == len(values)
