"""Estimators of a stored study, and one long replication's steady state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from replicast.core.errors import RequestError
from replicast.core.performance import measures
from replicast.runs import Run

MakeRun = Callable[..., Run]


def fits(_scenario: str, replication: int) -> Mapping[str, Any]:
    rng = np.random.default_rng(replication)
    return {"method": np.array([1, 2]), "b": rng.normal([0.5, 0.7], 0.1), "se": np.array([0.1, 0.05])}


def test_each_method_has_each_measure(make_run: MakeRun) -> None:
    run = make_run({"base": [{"x": 1.0}] * 50}, series=fits)
    rows = run.performance("b", true=0.5, se="se", by="method", mcse="coverage=0.5%").to_dicts()
    assert [row["by"] for row in rows] == ["1"] * 8 + ["2"] * 8
    own = np.array([fits("", i)["b"][1] for i in range(1, 51)])
    expected = measures(own, truth=0.5, se=np.full(50, 0.05))
    assert [(r["measure"], r["estimate"], r["mcse"]) for r in rows[8:]] == [
        (m.name, pytest.approx(m.estimate), pytest.approx(m.mcse)) for m in expected
    ]
    assert {r["needed"] for r in rows if r["measure"] == "coverage"} == {1900}


def test_metrics_are_estimates_and_the_truth_is_a_parameter(make_run: MakeRun) -> None:
    values = [{"b": 1.0 + 0.1 * (-1) ** i, "se": 0.1} for i in range(20)]
    values[3]["b"] = float("nan")
    run = make_run({"one": values, "two": values}, parameters={"one": {"beta": 1.0}, "two": {"beta": 2}})
    rows = [row for row in run.performance("b", true="beta", se="se").to_dicts() if row["measure"] == "bias"]
    assert [(row["true"], row["missing"]) for row in rows] == [(1.0, 1), (2.0, 1)]
    assert rows[1]["estimate"] == pytest.approx(rows[0]["estimate"] - 1.0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"estimate": "c"}, "'c'"),
        ({"estimate": "b", "se": "es"}, "no column 'es'"),
        ({"estimate": "b", "true": "betta"}, "'betta' is none"),
        ({"estimate": "b", "mcse": "power"}, "a number above 0"),
        ({"estimate": "b", "table": "fits"}, "no table 'fits'"),
    ],
)
def test_what_is_not_there_is_refused(make_run: MakeRun, options: dict[str, Any], says: str) -> None:
    run = make_run({"base": [{"x": 1.0}] * 5}, series=fits)
    with pytest.raises(RequestError, match=says):
        run.performance(**({"true": 0.5} | options))


def test_a_long_replication_has_its_steady_state(make_run: MakeRun) -> None:
    def long(_scenario: str, replication: int) -> Mapping[str, Any]:
        rng = np.random.default_rng(replication)
        return {"v": np.concatenate([np.linspace(40.0, 5.0, 200), 5.0 + rng.normal(size=4000)])}

    run = make_run({"base": [{"x": 1.0}, {"x": 2.0}]}, series=long)
    first, second = run.steady("series", "v").to_dicts()
    assert 150 <= first["left_out"] <= 500
    assert first["ci_lower"] < 5.0 < first["ci_upper"]
    assert (first["replication"], second["replication"], first["batches"]) == (1, 2, 20)
    with pytest.raises(RequestError, match=r"behind a warm-up of 4,001 need 4,201 values.*--leave-out"):
        run.steady("series", "v", left_out=4001)


def test_a_long_replication_that_does_not_vary_has_no_interval(make_run: MakeRun) -> None:
    run = make_run({"base": [{"x": 1.0}]}, series=lambda _scenario, _replication: {"v": np.full(4000, 3.0)})
    (row,) = run.steady("series", "v").to_dicts()
    assert (row["mean"], row["half_width"], row["overlapping_upper"]) == (3.0, None, None)
    assert "no interval" in row["note"]


def test_several_rows_of_a_replication_are_said_to_be_taken_for_independent(make_run: MakeRun) -> None:
    run = make_run({"base": [{"x": 1.0}] * 50}, series=fits)
    assert {row.note for row in run.performance("b", true=0.5, by="method").objects} == {""}
    mixed = run.performance("b", true=0.5).objects
    assert {row.n for row in mixed} == {100}
    assert all("have several rows" in row.note for row in mixed)
