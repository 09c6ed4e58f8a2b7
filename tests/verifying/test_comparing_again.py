"""What counts as the same result when a replication is simulated again."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

from replicast.verifying.checking import Stored, differences


def stored(value: Any) -> Stored:
    frame = pl.DataFrame({"scenario": ["base"], "replication": [1], "x": [value]}, strict=False)
    return Stored("base", 1, {"state": "ok", "fingerprint": 1}, {"metrics": frame})


@pytest.mark.parametrize(("one", "again"), [(1.0, 1), (1, 1.0), (1, True), (False, 0.0), (2.0**62, 2**62 + 1)])
def test_a_metric_of_another_type_is_the_same_by_its_value(one: Any, again: Any) -> None:
    assert differences(stored(one), stored(again)) == []


@pytest.mark.parametrize(("one", "again"), [(1.0, 2), (0.0, -0.0), (1, None), (math.nan, 1), (0.1 + 0.2, 0.3)])
def test_a_metric_of_another_value_is_another(one: Any, again: Any) -> None:
    assert differences(stored(one), stored(again)) == [f"x: {one!r}; {again!r}"]
