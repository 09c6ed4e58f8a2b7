"""Distributions of a design's parameters, each against the distribution that it says it is."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy import stats

from replicast.core.errors import RequestError
from replicast.core.ranges import Range, check_ranges

U = np.linspace(0.0005, 0.9995, 1000)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"log": [0.1, 10.0]}, stats.loguniform(0.1, 10.0)),
        ({"normal": [10.0, 2.0]}, stats.norm(10.0, 2.0)),
        ({"lognormal": [1.0, 0.5]}, stats.lognorm(0.5, scale=np.e)),
        ({"triangular": [1.0, 2.0, 5.0]}, stats.triang(0.25, 1.0, 4.0)),
        ({"triangular": [1.0, 1.0, 5.0]}, stats.triang(0.0, 1.0, 4.0)),
        ({"truncated_normal": [8.0, 15.0, 10.0, 2.0]}, stats.truncnorm(-1.0, 2.5, 10.0, 2.0)),
        ([0.5, 2.0], stats.uniform(0.5, 1.5)),
    ],
)
def test_a_place_in_the_unit_interval_is_scipys_quantile(given: Any, expected: Any) -> None:
    own = check_ranges({"x": given})["x"]
    assert [own.at(float(u)) for u in U] == pytest.approx(expected.ppf(U).tolist(), rel=1e-9)


def test_both_ends_are_finite_and_inside() -> None:
    for given in (
        {"log": [0.1, 10.0]},
        {"normal": [0, 1]},
        {"triangular": [1, 2, 5]},
        {"truncated_normal": [0, 1, 9, 1]},
    ):
        own = check_ranges({"x": given})["x"]
        assert all(np.isfinite([own.at(0.0), own.at(1.0)]))
        if own.bounded:
            assert (own.at(0.0), own.at(1.0)) == pytest.approx((own.numbers[0], max(own.numbers[:3])), abs=1e-3) or (
                own.kind == "truncated_normal" and 0.0 <= own.at(0.0) <= own.at(1.0) <= 1.0
            )


def test_between_integers_a_log_range_gives_integers_fewer_of_the_large() -> None:
    own = check_ranges({"x": {"log": [1, 7]}})["x"]
    drawn = Counter(own.at(float(u)) for u in U)
    assert set(drawn) == set(range(1, 8))
    assert drawn[1] == pytest.approx(1000 / 3, abs=2)  # log 2 of log 8
    assert type(own.at(0.5)) is int
    assert [Range("uniform", (5, 6)).at(u) for u in (0.0, 0.49, 0.5, 1.0)] == [5, 5, 6, 6]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"log": [0, 10]}, r"log takes \[LOWEST, HIGHEST\] above 0"),
        ({"log": [5, 1]}, "above 0"),
        ({"normal": [1, 0]}, "SD above 0"),
        ({"normal": [1]}, r"\[MEAN, SD\]"),
        ({"triangular": [1, 9, 5]}, "in this order"),
        ({"truncated_normal": [1, 0, 1, 1]}, "LOWEST, HIGHEST, MEAN, SD"),
        ({"nromal": [0, 1]}, "did you mean 'normal'"),
        ({"log": [1, 2], "normal": [0, 1]}, "takes one distribution"),
        ({}, "takes one distribution"),
        ("5-20", "LOWEST, HIGHEST"),
        ([1, float("nan")], "LOWEST, HIGHEST"),
        ([True, 5], "LOWEST, HIGHEST"),
    ],
)
def test_what_is_no_range_is_refused_by_name(given: Any, says: str) -> None:
    with pytest.raises(RequestError, match=says):
        check_ranges({"x": given})
