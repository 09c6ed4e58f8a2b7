"""Means adjusted by control variates, of a stored run: on the command line, from Python and in the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import replicast
from replicast.core.controls import controlled
from replicast.core.errors import RequestError
from replicast.runs import Run

MakeRun = Callable[..., Run]
MODEL = (
    "import math\ndef simulate(rng, antithetic=False):\n    u = rng.uniforms()\n    return {'y': math.exp(u), 'u': u}\n"
)


def rows_of(n: int, seed: int = 1) -> list[dict[str, Any]]:
    u = np.random.default_rng(seed).random(n)
    return [{"y": float(np.exp(own)), "u": float(own), "v": 1.0} for own in u]


def test_each_other_metric_is_adjusted_in_each_scenario(make_run: MakeRun) -> None:
    run = make_run({"a": rows_of(50), "b": rows_of(40, 2)})
    found = run.controlled({"u": 0.5}).objects
    assert [(row.scenario, row.metric) for row in found] == [("a", "y"), ("a", "v"), ("b", "y"), ("b", "v")]
    y, u = (np.array([row[name] for row in rows_of(50)]) for name in ("y", "u"))
    expected = controlled(y, u[:, None], np.array([0.5]))
    assert found[0].estimate == expected.estimate
    assert found[0].ci_upper == pytest.approx(expected.estimate + expected.half_width())
    assert (found[0].df, found[0].coefficients) == (48, f"u {expected.coefficients[0]:.6g}")
    assert found[0].plain_half_width == pytest.approx(run.summary().rows[0].half_width)
    assert found[0].half_width < 0.2 * found[0].plain_half_width


def test_a_replication_without_its_control_is_left_out_and_said(make_run: MakeRun) -> None:
    rows = rows_of(20)
    rows[3]["u"], rows[5]["y"] = float("nan"), float("inf")
    row = make_run({"a": [*rows, None]}).controlled({"u": 0.5}).objects[0]
    assert (row.n, row.note) == (18, "left out, as a control is missing: 1")


def test_what_cannot_be_adjusted_says_why(make_run: MakeRun) -> None:
    run = make_run({"a": rows_of(20)})
    assert run.controlled({"v": 1.0}).objects[0].note == "a control does not vary"
    assert run.controlled({"v": 1.0}).objects[0].estimate is None
    assert "standard errors from what is said of it" in run.controlled({"u": 0.9}).objects[0].note
    with pytest.raises(RequestError, match="no metric is called 'w'"):
        run.controlled({"w": 1.0})
    with pytest.raises(RequestError, match="every metric is a control"):
        run.controlled({"u": 0.5, "v": 1.0, "y": 1.7})
    with pytest.raises(RequestError, match="give one"):
        run.controlled()


def test_a_metric_that_does_not_vary_has_no_interval_of_its_mean_s_rounding(make_run: MakeRun) -> None:
    row = make_run({"a": [{"v": 0.1, "u": own["u"]} for own in rows_of(30)]}).controlled({"u": 0.5}).objects[0]
    assert (row.mean, row.plain_half_width, row.note) == (0.1, None, "the metric does not vary")


def test_copies_have_no_interval(make_run: MakeRun) -> None:
    row = make_run({"a": rows_of(1) * 9}, copies=True).controlled({"u": 0.5}).objects[0]
    assert (row.estimate, row.plain_half_width, row.note) == (None, None, "replications are copies")


def test_a_run_keeps_its_controls_and_shows_them_everywhere(
    replicast: Callable[..., Any], write_model: Callable[..., Path], tmp_path: Path
) -> None:
    ran = replicast("run", write_model(MODEL), "-n", 100, "--seed", 1, "--name", "one", "--control", "u=0.5")
    assert "adjusted" in ran.stdout
    said = json.loads(replicast("summary", "one", "--json").stdout)["controlled"]
    assert said == json.loads(replicast("summary", "one", "--control", "u=0.5", "--json").stdout)["controlled"]
    assert said[0]["half_width"] < 0.02
    assert replicast("summary", "one", "--control", "u=0.5", "--csv").stdout.count("\n") == 2
    replicast("report", "one", "-o", "one.md")
    page = (tmp_path / "one.md").read_text()
    assert "Means adjusted by control variates" in page
    assert '[control]\n"u" = 0.5' in page
    for wrong in ("u", "u=half"):
        refused = replicast("run", write_model(MODEL), "--control", wrong)
        assert (refused.returncode, "METRIC=MEAN" in refused.stderr) == (2, True)


def test_a_control_that_no_replication_returned_is_said_and_the_rest_goes_on(
    replicast: Callable[..., Any], write_model: Callable[..., Path], tmp_path: Path
) -> None:
    ran = replicast("run", write_model(MODEL), "-n", 5, "--name", "one", "--control", "v=0.5")
    assert (ran.returncode, "not adjusted by control variates: no metric is called 'v'" in ran.stderr) == (0, True)
    found = replicast("summary", "one", "--json")
    assert (found.returncode, len(json.loads(found.stdout)["summary"])) == (0, 2)
    assert "not adjusted by control variates" in found.stdout
    assert replicast("report", "one", "-o", "one.md").returncode == 0
    assert "Means are not adjusted by control variates: no metric is called 'v'" in (tmp_path / "one.md").read_text()
    failing = write_model("def simulate(rng):\n    raise ValueError('no')\n", "failing.py")
    assert replicast("run", failing, "-n", 2, "--name", "none", "--control", "v=0.5").returncode == 1
    assert replicast("summary", "none").returncode == 0


def test_pairs_are_adjusted_as_pairs(write_model: Callable[..., Path], tmp_path: Path) -> None:
    run = replicast.run(
        str(write_model(MODEL.replace("'u': u", "'u': u * u"))), n=40, seed=1, antithetic=True,
        store=str(tmp_path / "runs"), control={"u": 1 / 3},
    )  # fmt: skip
    row = run.controlled().objects[0]
    assert (row.n, row.df) == (20, 18)


def test_the_report_has_what_it_is_asked_for(make_run: MakeRun, tmp_path: Path) -> None:
    def walk(_scenario: str, replication: int) -> dict[str, Any]:
        return {"x": np.random.default_rng(replication).normal(size=400)}

    rows = [{"y": own["y"], "u": own["u"], "se": 0.5} for own in rows_of(20)]
    run = make_run({"a": rows}, series=walk)
    asked = {"control": {"u": 0.5}, "ratios": ["y/u"], "pooled": ["series.x:p95"], "steady": "series.x",
             "performance": {"estimate": "y", "true": 1.718, "se": "se"}}  # fmt: skip
    page = run.report(tmp_path / "page.md", **asked).read_text()  # type: ignore[arg-type]
    for caption in ("Means adjusted by control variates", "Ratio of means y/u", "series.x:p95 of all rows",
                    "Performance of y, whose true value is 1.718", "Steady-state mean of series.x"):  # fmt: skip
        assert f"**{caption}" in page, caption
    for again in ("--control u=0.5", "--ratio y/u", "--pooled series.x:p95"):
        assert f"replicast summary made {again}" in page
    assert "Further estimates" not in run.report(tmp_path / "plain.md").read_text()


def test_the_report_holds_together_the_comparisons_that_it_is_told_to(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run({name: rows_of(20, seed) for seed, name in enumerate("abc")})
    page = run.report(tmp_path / "page.md", family="scenarios").read_text()
    assert "so that all 2 scenarios of each metric hold together" in page
    assert "--family scenarios" in page
    with pytest.raises(RequestError, match="no family is called 'metric'"):
        run.report(tmp_path / "other.md", family="metric")  # type: ignore[arg-type]
