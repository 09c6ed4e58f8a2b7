"""The Python interface as the reference tells it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from arro3.core import Table

import replicast

Write = Callable[..., Path]


@pytest.fixture
def run(write_model: Write, tmp_path: Path) -> replicast.Run:
    model = write_model(
        "def simulate(replication, rng, shift=0.0):\n"
        "    if replication == 4: raise ValueError('four')\n"
        "    return {'x': shift + rng.random(), 'rows': {'k': [1, 2], 'label': ['a', None]}}\n"
    )
    return replicast.run(
        str(model), n=6, seed=42, scenarios={"a": {}, "b": {"shift": 1.0}}, store=str(tmp_path / "runs"), workers=2
    )


@pytest.mark.parametrize("what", ["metrics", "rows", "failures", "summary"])
def test_whatever_returns_rows_has_them_as_pandas_polars_and_arrow(run: replicast.Run, what: str) -> None:
    rows = {
        "metrics": run.metrics,
        "rows": lambda: run.table("rows"),
        "failures": run.failures,
        "summary": run.summary,
    }[what]()
    assert isinstance(rows.df(), pd.DataFrame)
    assert isinstance(rows.pl(), pl.DataFrame)
    assert isinstance(rows.arrow(), Table)
    assert len(rows.df()) == len(rows.pl()) == rows.arrow().num_rows > 0
    assert "<table" in rows._repr_html_()


def test_a_run_is_found_again_by_its_store_and_name(run: replicast.Run, tmp_path: Path) -> None:
    again = replicast.Run(str(tmp_path / "runs"))
    assert again.id == run.id
    assert again.metrics().pl().equals(run.metrics().pl())
    assert repr(again).startswith(f"<Run {run.id} of model.py")


def test_status_counts_both_scenarios(run: replicast.Run) -> None:
    status = run.status()
    assert (status.state, status.planned, status.done, status.failed) == ("done", 12, 12, 2)


@pytest.mark.long
def test_a_replication_is_replayed_and_a_sample_verified(run: replicast.Run) -> None:
    assert run.replay(2, "b").found == []
    assert run.replay(4).again.ledger["error_type"] == "ValueError"
    assert [comparison.found for comparison in run.verify(2)] == [[], [], [], []]


def test_a_function_of_a_file_travels_as_that_file(
    write_model: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_model("def waiting(rng):\n    return rng.random()\n", "queueing.py")
    monkeypatch.syspath_prepend(path.parent)
    import queueing  # type: ignore[import-not-found]

    run = replicast.run(queueing.waiting, n=3, seed=1, store=str(tmp_path / "runs"))
    assert run.record.experiment.model.label == "queueing.py:waiting"
    assert run.replay(2).found == []


def test_a_function_that_no_file_defines_runs_here_and_goes_on_when_given_again(tmp_path: Path) -> None:
    scale = 3.0

    def local(rng) -> float:  # type: ignore[no-untyped-def]
        return float(scale * rng.random())

    run = replicast.run(local, n=3, seed=1, store=str(tmp_path / "runs"))
    assert len(run.metrics()) == 3
    with pytest.raises(replicast.RequestError, match="resume it from Python"):
        run.resume(n=5)
    assert run.resume(n=5, function=local).simulated == 2


def test_numbers_of_numpy_and_paths_are_taken_for_what_they_are(write_model: Write, tmp_path: Path) -> None:
    model = write_model("def simulate(replication, beds=1, rate=1.0):\n    return beds * rate\n")
    given = {"beds": np.int64(3), "rate": np.float32(0.5)}
    run = replicast.run(model, n=np.int64(2), seed=np.int32(7), params=given, store=tmp_path / "runs")  # type: ignore[arg-type]
    assert run.metrics().df()["value"].tolist() == [1.5, 1.5]
    assert run.record.experiment.seed == 7
    assert replicast.Run(tmp_path / "runs", run.id).id == run.id


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"n": 2.5}, "n takes an integer, and 2.5 is not"),
        ({"n": True}, "n takes an integer, and True is not"),
        ({"seed": 1.5}, "seed takes an integer"),
        ({"seed": "1"}, "seed takes an integer"),
        ({"workers": 1.5}, "workers takes an integer"),
        ({"timeout": "5"}, "timeout takes seconds, and '5' is not a number"),
        ({"name": 3}, "name takes text, and 3 is not"),
        ({"precision": 5}, "precision takes text"),
        ({"params": ["beds"]}, "params takes a dict"),
        ({"params": {"beds": object()}}, "parameter 'beds' is a object"),
        ({"scenarios": ["a", "b"]}, "scenarios takes a dict"),
        ({"scenarios": {"a": 3}}, "scenarios['a'] takes a dict, and 3 is not"),
        ({"scenarios": {1: {}}}, "the names in scenarios are texts, and 1 is not"),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_before_anything_is_written(
    write_model: Write, tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    model = write_model("def simulate(replication, beds=1):\n    return beds\n")
    with pytest.raises(replicast.RequestError) as refusal:
        replicast.run(model, store=tmp_path / "runs", **given)
    assert said in str(refusal.value)
    assert not (tmp_path / "runs").exists()


def test_an_unknown_table_is_refused_naming_the_nearest(run: replicast.Run) -> None:
    with pytest.raises(replicast.RequestError, match="did you mean 'rows'"):
        run.table("row")
