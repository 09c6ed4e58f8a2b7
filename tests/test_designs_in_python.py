"""Designs, comparisons and the report from Python, on a run that was really carried out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import replicast

Write = Callable[..., Path]
MODEL = "def simulate(rng, beds=1, rate=1.0):\n    return {'wait': rate * rng.exponential() / beds}\n"


@pytest.mark.parametrize(
    ("design", "names", "beds"),
    [
        ([{"beds": 2}, {"scenario": "many", "beds": 9}], ["point-0001", "many"], {2, 9}),
        ({"sobol": 2, "ranges": {"beds": [1, 2]}}, ["point-0001", "point-0002"], {1, 2}),
    ],
)
def test_a_design_is_a_list_or_a_table(
    write_model: Write, tmp_path: Path, design: Any, names: list[str], beds: set[int]
) -> None:
    run = replicast.run(str(write_model(MODEL)), n=3, seed=1, design=design, store=str(tmp_path / "runs"))
    scenarios = run.record.experiment.scenarios
    assert [scenario.name for scenario in scenarios] == names
    assert {scenario.parameters["beds"] for scenario in scenarios} == beds
    assert len(run.metrics()) == 6


def test_a_csv_file_makes_a_run_that_is_compared_ranked_and_reported(
    write_model: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("design.csv").write_text("scenario,beds\nfew,1\nmany,9\n")
    run = replicast.run(str(write_model(MODEL)), n=12, seed=1, design="design.csv", grid={"rate": [1.0, 2.0]})
    assert [s.name for s in run.record.experiment.scenarios] == [
        "few,rate=1.0", "few,rate=2.0", "many,rate=1.0", "many,rate=2.0",
    ]  # fmt: skip
    compared = run.compare(baseline="few,rate=2.0").pl()
    assert compared["verdict"].to_list() == ["lower"] * 3
    assert run.rank("wait", "lower").pl()["scenario"][0] == "many,rate=1.0"
    assert "many,rate=2.0" in run.report("page.html").read_text()
    assert run.precision() == {}
