"""The table of scenarios: a row each, a column for each parameter, beside the other tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from replicast.runs import Run

MakeRun = Callable[..., Run]
ONE = [{"wait": 1.0}, {"wait": 2.0}]


def test_scenarios_come_with_their_parameters_in_the_types_that_they_have(make_run: MakeRun, tmp_path: Path) -> None:
    parameters = {
        "base": {"beds": 5, "rate": 1, "open": True, "ward": "A, left", "times": [1, 2]},
        "more": {"beds": 7, "rate": 0.5, "scenario": 3},
    }
    run = make_run({"base": ONE, "more": ONE}, parameters=parameters)
    collated = run.collate(tmp_path / "out")
    assert list(collated.files) == ["metrics", "scenarios", "summary"]
    text = collated.files["scenarios"].read_text()
    assert text.splitlines() == [
        "scenario,beds,rate,open,ward,times,params.scenario",
        'base,5,1.0,true,"A, left","[1, 2]",',
        "more,7,0.5,,,,3",
    ]
    parquet = run.collate(tmp_path / "out", file_format="parquet", only=["scenarios"])
    assert pl.read_parquet(parquet.files["scenarios"])["beds"].to_list() == [5, 7]


def test_one_scenario_needs_no_table(make_run: MakeRun, tmp_path: Path) -> None:
    assert list(make_run({"base": ONE}).collate(tmp_path / "out").files) == ["metrics", "summary"]
