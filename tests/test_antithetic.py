"""Runs of antithetic pairs, carried out: what is paired, what is refused, and what of it is kept."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import replicast
from replicast.core.distributions import t_critical
from replicast.core.errors import ModelError, RequestError, RunChanged

Write = Callable[..., Path]
PYTHON = """
import math

def simulate(rng, replication, seed, antithetic=False, shift=0.0, fail=0):
    if replication == fail:
        raise ValueError("a half is missing")
    u = rng.uniforms()
    return {"y": math.exp(u) + shift, "u": u, "mirrored": antithetic, "seed": seed % 1000, "late": u > 0.7}
"""
R = """simulate <- function(antithetic = FALSE, shift = 0) {
  service <- replicast_stream("service")
  u <- replicast_uniform(1)
  list(y = exp(u) + shift, u = u, v = service(replicast_uniform(1)), mirrored = antithetic)
}
"""


def pair_run(write_model: Write, tmp_path: Path, n: int = 40, source: str = PYTHON, **options: Any) -> replicast.Run:
    model = write_model(source, "model.R") if source is R else write_model(source)
    options = {"seed": 3, "store": str(tmp_path / "runs"), "antithetic": True} | options
    return replicast.run(str(model), n=n, **options)


@pytest.mark.parametrize("source", [PYTHON, pytest.param(R, marks=pytest.mark.r)])
def test_both_halves_draw_the_same_mirrored_and_the_pair_is_the_unit(
    write_model: Write, tmp_path: Path, source: str
) -> None:
    run = pair_run(write_model, tmp_path, source=source)
    rows = run.metrics().pl()
    first, second = rows[0::2], rows[1::2]
    assert second["u"].to_list() == [1.0 - u for u in first["u"]]
    assert first["mirrored"].to_list() == [False] * 20
    assert second["mirrored"].to_list() == [True] * 20
    means = (0.5 * first["y"] + 0.5 * second["y"]).to_numpy()
    row = next(row for row in run.summary().rows if row.metric == "y")
    assert (row.n, row.planned) == (20, 20)
    assert row.mean == pytest.approx(means.mean(), rel=1e-14)
    assert row.half_width == pytest.approx(t_critical(0.95, 19) * means.std(ddof=1) / math.sqrt(20), rel=1e-12)
    assert (row.min, row.max) == (rows["y"].min(), rows["y"].max())
    assert not any(copies.found for copies in run.summary().distinct.values())


def test_the_odd_ones_are_the_run_without_pairs(write_model: Write, tmp_path: Path) -> None:
    paired = pair_run(write_model, tmp_path, 8).metrics().pl()
    plain = pair_run(write_model, tmp_path, 8, antithetic=False).metrics().pl()
    assert paired[0::2].equals(plain[0::2])
    assert paired["seed"][0] == paired["seed"][1]
    assert plain["mirrored"].sum() == 0


@pytest.mark.r
def test_streams_by_name_are_mirrored_too(write_model: Write, tmp_path: Path) -> None:
    rows = pair_run(write_model, tmp_path, 6, source=R, streams="future").metrics().pl()
    assert rows["v"][1::2].to_list() == [1.0 - v for v in rows["v"][0::2]]


def test_a_pair_with_a_failed_half_is_left_out_and_said(write_model: Write, tmp_path: Path) -> None:
    run = pair_run(write_model, tmp_path, 10, params={"fail": 4}, tolerate="1")
    row, summary = run.summary().rows[0], run.summary()
    assert (row.planned, row.n, row.failed, row.non_finite) == (5, 4, 1, 0)
    kept = [i for i in range(10) if i not in (2, 3)]
    values = run.metrics().pl().filter(run.metrics().pl()["replication"] != 3)["y"].to_list()
    assert len(values) == len(kept)
    assert row.mean == pytest.approx(np.mean(values), rel=1e-14)
    assert any(note.startswith("base: 1 pair is left out of every mean, as a half failed") for note in summary.notes)


def test_scenarios_are_compared_by_pairs(write_model: Write, tmp_path: Path) -> None:
    model = PYTHON.replace("+ shift", "* (1.0 + shift)")
    run = pair_run(write_model, tmp_path, 40, model, scenarios={"today": {}, "more": {"shift": 0.1}})
    row = next(row for row in run.compare().differences if row.metric == "y")
    assert (row.n, row.df) == (20, 19)
    assert any("mean of a pair" in note for note in run.compare().notes)


def test_precision_is_judged_by_pairs_whatever_the_number_of_workers(write_model: Write, tmp_path: Path) -> None:
    found = [
        pair_run(write_model, tmp_path, 10, precision="y=0.02", maximum=400, workers=workers) for workers in (1, 2)
    ]
    (one,), (two,) = (list(run.precision().values()) for run in found)
    assert one == two
    assert one.state == "met"
    assert one.needed is not None
    assert one.needed % 2 == one.wanted % 2 == 0
    assert found[0].summary().rows[0].half_width <= 0.02  # type: ignore[operator]
    assert found[0].summary().rows[0].n == one.wanted // 2
    assert one.wanted < 100  # independent replications would take (1.96 * .492 / .02)² = 2,300


def test_the_best_is_selected_by_pairs(write_model: Write, tmp_path: Path) -> None:
    scenarios = {"a": {}, "b": {"shift": 1.0}}
    run = pair_run(write_model, tmp_path, 20, scenarios=scenarios, select="y=lower", indifference=0.1)
    selection = run.selection()
    assert selection is not None
    assert (selection.state, selection.kept, dict(selection.wanted)) == ("met", ("a",), {"a": 20, "b": 20})


def test_a_run_is_topped_up_replayed_and_verified_as_pairs(write_model: Write, tmp_path: Path) -> None:
    run = pair_run(write_model, tmp_path, 6)
    before = run.metrics().pl()
    run.resume(10)
    rows = run.metrics().pl()
    assert rows[:6].equals(before)
    assert (rows["u"][0::2] + rows["u"][1::2] == 1.0).all()
    assert run.replay(8).found == []
    assert all(one.found == [] for one in run.verify(10))
    assert json.loads(run.store.read(run.id, "run.json") or b"")["experiment"]["streams"]["antithetic"] is True
    with pytest.raises(RequestError, match="n 13 is odd"):
        run.resume(13)


def test_a_run_says_that_it_is_another_without_pairs(write_model: Write, tmp_path: Path) -> None:
    pair_run(write_model, tmp_path, 4, name="one")
    with pytest.raises(RunChanged, match="streams"):
        pair_run(write_model, tmp_path, 4, name="one", antithetic=False)


def test_what_takes_replications_for_independent_is_refused(write_model: Write, tmp_path: Path) -> None:
    run = pair_run(write_model, tmp_path, 10)
    for ask in (
        lambda: run.quantiles([0.5]), lambda: run.proportions(["late"]), lambda: run.performance("y", true=1.7)
    ):  # fmt: skip
        with pytest.raises(RequestError, match="antithetic pairs"):
            ask()
    assert run.ratio("y/u").to_dicts()[0]["n"] == 5
    needed = next(row for row in run.needed("0.001").objects if row.metric == "y")
    assert (needed.n, needed.needed % 2, needed.needed - needed.n) == (10, 0, needed.more)


def test_a_model_that_does_not_mirror_is_told_so(write_model: Write, tmp_path: Path) -> None:
    ignoring = "def simulate(rng, antithetic=False):\n    return {'y': rng.normal()}\n"
    summary = pair_run(write_model, tmp_path, 20, ignoring).summary()
    assert any("both halves of every pair are equal" in note for note in summary.notes)
    worse = (
        "def simulate(rng, antithetic=False):\n    return {'y': (rng.uniforms() - 0.5) ** 2 + 0.01 * rng.uniforms()}\n"
    )
    summary = pair_run(write_model, tmp_path, 40, worse).summary()
    assert any("wider than as many independent replications would" in note for note in summary.notes)


@pytest.mark.parametrize(
    ("source", "options", "error", "says"),
    [
        (PYTHON, {"n": 7}, RequestError, "n 7 is odd: take 8"),
        (PYTHON, {"streams": "own"}, RequestError, "kind 'own'"),
        (PYTHON, {"maximum": 4, "n": 2, "precision": "y=5%"}, RequestError, "from 6 of them on"),
        ("def simulate(rng):\n    return 1\n", {}, ModelError, "does not take the argument `antithetic`"),
        ("def simulate(rng, **any):\n    return 1\n", {}, ModelError, "does not take the argument `antithetic`"),
        pytest.param("simulate <- function(...) 1\n", {}, ModelError, "replicast_uniform", marks=pytest.mark.r),
    ],
)
def test_what_cannot_be_mirrored_is_refused_before_the_run(
    write_model: Write, tmp_path: Path, source: str, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    model = write_model(source, "model.R" if source.startswith("simulate") else "model.py")
    with pytest.raises(error, match=says):
        replicast.run(str(model), **({"n": 4, "store": str(tmp_path / "runs"), "antithetic": True} | options))
    assert not list((tmp_path / "runs").glob("*/run.json"))


def test_a_command_takes_a_placeholder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("experiment.toml").write_text(
        'command = ["python", "-c", "import random, sys; random.seed(int(sys.argv[1])); u = random.random(); '
        'print(1 - u if sys.argv[2] == \'true\' else u)", "{seed}", "{antithetic}"]\n'
        "replications = 4\nseed = 1\n[streams]\nantithetic = true\n"
    )
    values = replicast.run(experiment="experiment.toml").metrics().pl()["value"]
    assert values[0] + values[1] == values[2] + values[3] == 1.0
    Path("experiment.toml").write_text('command = ["echo", "{seed}"]\n[streams]\nantithetic = true\n')
    with pytest.raises(ModelError, match=r"a command takes \{antithetic\}"):
        replicast.run(experiment="experiment.toml")


def test_the_report_and_its_experiment_file_say_that_they_are_pairs(write_model: Write, tmp_path: Path) -> None:
    run = pair_run(write_model, tmp_path, 20)
    text = run.report(tmp_path / "page.md").read_text()
    assert "Each antithetic pair is one observation." in text
    assert "20 replications in antithetic pairs were planned" in text
    assert "antithetic = true" in text
