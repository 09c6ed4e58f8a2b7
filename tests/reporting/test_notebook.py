"""A run in a notebook: how it shows itself, its plots, and all of it in a real kernel."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from replicast import Run, run
from replicast.core.errors import RequestError

Write = Callable[..., Path]
MODEL = """
def simulate(rng, replication, mean=1.0):
    if replication == 2:
        raise ValueError("<script>")
    return {"wait.in [min]": rng.exponential(mean)}
"""
CELLS = [
    "import replicast\ndef simulate(rng, mean=1.0):\n    return {'wait': rng.exponential(mean)}",
    "run = replicast.run(simulate, n=20, seed=1, scenarios={'a': {}, 'b': {'mean': 2.0}}, store='runs')\nrun",
    "run.plot.means()", "run.plot.running_mean()", "run.plot.distribution()", "run.plot.compare()",
]  # fmt: skip


@pytest.fixture
def finished(write_model: Write, tmp_path: Path) -> Run:
    scenarios = {"a": {"mean": 1.0}, "b": {"mean": 2.0}}
    return run(write_model(MODEL), 20, seed=1, scenarios=scenarios, store=tmp_path / "runs", on="serial", tolerate=9)


def test_a_run_shows_its_state_its_summary_and_what_failed(finished: Run) -> None:
    shown = finished._repr_html_()
    assert "done, 40 of 40 replications" in shown
    assert "2 failed" in shown
    assert "ValueError: &lt;script&gt;" in shown
    assert "<script>" not in shown


@pytest.mark.parametrize("kind", ["means", "running_mean", "distribution", "compare"])
def test_each_plot_holds_what_the_run_found(finished: Run, kind: str) -> None:
    drawn = getattr(finished.plot, kind)().to_dict()
    assert "vega-lite" in drawn["$schema"]
    rows = [row for data in (drawn.get("data"), *(layer.get("data") for layer in drawn.get("layer", ()))) if data
            for row in data["values"]]  # fmt: skip
    assert {row["scenario"] for row in rows if "scenario" in row} >= {"b"}


def test_means_and_responses_are_those_of_the_summary(finished: Run) -> None:
    means = [row.mean for row in finished.summary().rows]
    drawn = finished.plot.response("mean").to_dict()
    values = drawn.get("data", drawn["layer"][0].get("data"))["values"]
    assert [(row["given"], row["mean"]) for row in values] == [(1.0, means[0]), (2.0, means[1])]


def test_a_metric_or_parameter_that_is_none_is_refused(finished: Run) -> None:
    with pytest.raises(RequestError, match="there is no metric 'weight'"):
        finished.plot.means("weight")
    with pytest.raises(RequestError, match="no scenario gives 'means' a value"):
        finished.plot.response("means")


@pytest.mark.notebook
def test_a_model_defined_in_a_cell_runs_and_is_plotted_in_a_real_kernel(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python", "language": "python"}
    done = NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [[kind for output in cell.outputs for kind in output.get("data", {})] for cell in done.cells]
    assert "text/html" in outputs[1]
    assert all(any("vega" in kind for kind in own) or "text/html" in own for own in outputs[2:]), sys.executable
