"""Sensitivity to parameters: Ishigami's function, whose indices are known, alone and under replications' noise."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from SALib.analyze import morris, sobol
from SALib.test_functions import Ishigami

import replicast as library
from replicast.asking.designs import find_points, plan_of
from replicast.core.errors import RequestError
from replicast.core.experiment import Experiment, ModelReference, Streams
from replicast.core.record import RunRecord
from replicast.core.scenarios import Scenario
from replicast.core.sensitivity import Replicated, indices
from replicast.reporting.comparing import RunValues
from replicast.reporting.sensing import SensitivityRow, sensitivity_rows

RANGES = {name: [-math.pi, math.pi] for name in ("x1", "x2", "x3")}
S1, ST = (0.313905, 0.442411, 0.0), (0.557589, 0.442411, 0.243684)
PROBLEM = {"num_vars": 3, "names": list(RANGES), "bounds": [[0.0, 1.0]] * 3}


def asked(
    design: Mapping[str, Any], n: int = 1, noise: float = 0.0, *, common: bool = False, **options: Any
) -> tuple[list[SensitivityRow], np.ndarray[Any, Any]]:
    """Ishigami's function at each point of a design, with normal noise of so large an sd in each of n replications."""
    points = find_points(design, Path())
    settings = np.array([[own[name] for name in RANGES] for own in points.values()])
    rng = np.random.default_rng(5)
    values = Ishigami.evaluate(settings, A=7.0, B=0.1)[:, None] + noise * rng.normal(size=(len(points), n))
    scenarios = tuple(Scenario(name, own, i) for i, (name, own) in enumerate(points.items()))
    experiment = Experiment(ModelReference("python", "model.py"), scenarios, 42, Streams(common=common))
    record = RunRecord("made", experiment, n, "2026-11-23T10:00:00+00:00", design=plan_of(design))
    found = RunValues({s.name: {"y": row} for s, row in zip(scenarios, values, strict=True)})
    return sensitivity_rows(found, record, **options), values


def by_measure(rows: list[SensitivityRow], measure: str) -> list[SensitivityRow]:
    return [row for row in rows if row.measure == measure]


def test_ishigamis_indices_are_what_theory_says() -> None:
    """a = 7, b = 0.1 (Ishigami and Homma 1990)."""
    rows, _ = asked({"saltelli": 4096, "ranges": RANGES}, draws=50)
    for measure, expected in (("S1", S1), ("ST", ST)):
        own = by_measure(rows, measure)
        assert [row.estimate for row in own] == pytest.approx(expected, abs=0.02)
        assert [row.parameter for row in own] == ["x1", "x2", "x3"]


def test_the_estimates_are_salibs() -> None:
    rows, values = asked({"saltelli": 256, "ranges": RANGES}, draws=20)
    expected = sobol.analyze(PROBLEM, values[:, 0], calc_second_order=False, seed=1)
    for measure in ("S1", "ST"):
        own = by_measure(rows, measure)
        assert [row.estimate for row in own] == pytest.approx(expected[measure].tolist(), rel=1e-12)
        half = [row.half_width for row in own]
        assert half == pytest.approx(expected[f"{measure}_conf"].tolist(), rel=0.6)


def test_elementary_effects_are_salibs() -> None:
    design = {"morris": 30, "ranges": {"x1": [-1.0, 2.0], "x2": {"log": [0.1, 3.0]}, "x3": [-3, 3]}}
    rows, values = asked(design, draws=20)
    settings = np.array([list(own.values()) for own in find_points(design, Path()).values()], dtype=float)
    expected = morris.analyze(PROBLEM, settings, values[:, 0], num_levels=4, seed=1)
    for measure in ("mu", "mu_star", "sigma"):
        own = [row.estimate for row in by_measure(rows, measure)]
        assert own == pytest.approx(np.asarray(expected[measure]).tolist(), rel=1e-9)


def test_noise_of_replications_is_told_from_the_effects_of_points() -> None:
    """Of 512 points the interval hardly changes with noise that 20 replications average to nothing; and with one that
    they do not, most of it is said to be noise."""
    design = {"saltelli": 512, "ranges": RANGES}
    still, little, much = (asked(design, 20, noise, draws=60)[0] for noise in (0.0, 0.5, 30.0))
    assert [row.noise_half_width for row in still] == pytest.approx([0.0] * 6, abs=1e-12)
    for calm, quiet, loud in zip(still, little, much, strict=True):
        assert quiet.half_width == pytest.approx(calm.half_width, rel=0.5)  # type: ignore[arg-type]
        assert 0.0 < quiet.noise_half_width < 0.35 * quiet.half_width  # type: ignore[operator]
        assert loud.noise_half_width > 0.4 * loud.half_width  # type: ignore[operator]
        assert loud.noise_half_width > 5 * quiet.noise_half_width  # type: ignore[operator]
    assert little[0].noise_share == pytest.approx(0.25 / 20 / 13.84, rel=0.1)  # Var y = a²/8 + bπ⁴/5 + b²π⁸/18 + 1/2
    assert "more of them would sharpen this" in much[0].note
    assert "more of them" not in little[0].note


def test_the_half_width_of_noise_is_how_much_a_second_run_would_differ() -> None:
    """100 runs with other noise: the spread of their S1 is 1/√2 of what two differ by, and 1/1.96 of the half-width."""
    points = np.random.default_rng(1).random((128, 3))
    truth = np.column_stack([points[:, 0] + points[:, 1], points[:, 2] + points[:, 1], points[:, 2]])

    def slopes(means: Any) -> float:
        return float(np.polyfit(points[:, 0], means[:, 0], 1)[0])

    rng = np.random.default_rng(2)
    runs = [slopes((truth[:, :, None] + rng.normal(size=(128, 3, 4))).mean(axis=2)) for _ in range(300)]
    own = Replicated(truth[:, :, None] + rng.normal(size=(128, 3, 4)), common=False)
    drawn = [slopes(own.drawn_means(rng)) for _ in range(300)]
    assert np.std(drawn) == pytest.approx(np.std(runs), rel=0.25)


def test_noise_that_all_points_share_is_no_noise_of_their_differences() -> None:
    shared = np.random.default_rng(1).normal(size=(1, 1, 8)) + np.arange(12.0).reshape(4, 3, 1)
    own = Replicated(np.broadcast_to(shared, (4, 3, 8)).copy(), common=True)
    assert own.noise_share() == pytest.approx(0.0, abs=1e-25)
    drawn = own.drawn_means(np.random.default_rng(2)) - own.means
    assert np.ptp(drawn) == pytest.approx(0.0, abs=1e-12)
    assert Replicated(own.values, common=False).noise_share() > 0.001  # type: ignore[operator]


def test_one_replication_a_point_says_nothing_of_noise() -> None:
    rows, _ = asked({"saltelli": 64, "ranges": RANGES}, draws=10)
    assert {row.noise_half_width for row in rows} == {None}
    assert "cannot be told" in rows[0].note


def test_a_longer_design_begins_with_the_shorter() -> None:
    shorter, longer = (find_points({"saltelli": n, "ranges": RANGES}, Path()) for n in (32, 64))
    assert list(longer.items())[: len(shorter)] == list(shorter.items())
    assert len(shorter) == 32 * 5
    assert len(find_points({"morris": 20, "ranges": RANGES}, Path())) == 20 * 4


@pytest.mark.parametrize(
    ("design", "says"),
    [
        ({"saltelli": 100, "ranges": RANGES}, "64 or 128"),
        ({"saltelli": 32768, "ranges": RANGES}, "163,840 scenarios"),
        ({"morris": 20, "ranges": {"x": {"normal": [0, 1]}}}, "that of 'x' has none"),
        ({"morris": 20, "sobol": 8, "ranges": RANGES}, "takes one of"),
        ({"morris": 20}, "needs"),
    ],
)
def test_a_design_that_cannot_be_had_is_refused(design: Any, says: str) -> None:
    with pytest.raises(RequestError, match=says):
        find_points(design, Path())


MODEL = """
def simulate(rng, beds=5, rate=1.0, ward="a"):
    if beds == 7 and rate > 1.9:
        raise ValueError("too busy")
    return {"wait": rate / beds + 0.01 * rng.normal(), "same": 1.0}
"""
DESIGN = {"morris": 6, "ranges": {"beds": [2, 9], "rate": [0.5, 2.0]}}


def test_a_run_of_a_design_is_asked_from_python_and_says_what_is_missing(
    write_model: Callable[..., Path], tmp_path: Path
) -> None:
    run = library.run(
        str(write_model(MODEL)), n=3, seed=1, design=DESIGN, scenarios={"a": {"ward": "a"}, "b": {"ward": "b"}},
        store=str(tmp_path / "runs"), tolerate="50%",
    )  # fmt: skip
    rows = run.sensitivity(["wait"], draws=20).objects
    assert {row.scenario for row in rows} == {"a", "b"}
    assert [row.measure for row in rows[:6]] == ["mu", "mu", "mu_star", "mu_star", "sigma", "sigma"]
    mean = {row.parameter: row.estimate for row in rows[:2]}
    assert mean["beds"] < 0 < mean["rate"]
    assert rows[0].replications == 3
    assert [row.note for row in run.sensitivity(["same"], draws=20).objects[:1]] == ["the metric does not vary"]
    assert rows == run.sensitivity(["wait"], draws=20).objects
    page = run.report(tmp_path / "page.md").read_text()
    assert "Sensitivity of wait" in page
    with pytest.raises(RequestError, match=r"no metric is called 'wiat'.*wait"):
        run.sensitivity(["wiat"])
    with pytest.raises(RequestError, match="--draws takes 2"):
        run.sensitivity(draws=1)


def test_a_row_of_points_without_a_value_is_left_out_and_said() -> None:
    design = {"saltelli": 32, "ranges": RANGES}
    points = find_points(design, Path())
    scenarios = tuple(Scenario(name, own, i) for i, (name, own) in enumerate(points.items()))
    experiment = Experiment(ModelReference("python", "model.py"), scenarios, 1)
    record = RunRecord("made", experiment, 1, "2026-11-23T10:00:00+00:00", design=plan_of(design))
    values = {s.name: {"y": np.array([float(i)])} for i, s in enumerate(scenarios)}
    values["point-0007"] = {}
    (row, *_) = sensitivity_rows(RunValues(values), record, draws=5)
    assert (row.points, row.note.split(";")[0]) == (31, "1 of 32 rows of points left out: one of theirs has no value")
    with pytest.raises(RequestError, match="does not have the 160 points"):
        sensitivity_rows(RunValues(values), replace(record, experiment=replace(experiment, scenarios=scenarios[:7])))


@pytest.mark.parametrize("module", ["SALib.sample", "SALib.analyze.sobol"])
def test_without_salib_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RequestError, match=r"replicast\[design\]"):
        asked({"saltelli": 8, "ranges": RANGES})


def test_another_run_is_told_what_to_design(replicast: Callable[..., Any], write_model: Callable[..., Path]) -> None:
    replicast("run", write_model(MODEL), "-n", 2, "--name", "plain")
    refused = replicast("sensitivity", "plain")
    assert (refused.returncode, "[design] saltelli = 1024" in refused.stderr) == (2, True)


def test_replications_that_are_all_the_same_have_no_noise_but_rounding() -> None:
    values = np.repeat(np.random.default_rng(1).normal(size=(8, 3, 1)) * 0.1, 3, axis=2)
    found = indices(
        Replicated(values, common=True), ["a", "b"], lambda means, _: {"mean": means.mean(axis=0)[:2]}, seed=1
    )
    assert [one.noise for one in found] == [0.0, 0.0]


def test_a_metric_that_differs_by_the_rounding_of_its_means_does_not_vary() -> None:
    values = np.full((8, 3, 3), 0.1)
    values[0, 0, 0] = np.nan
    values[1:, :, :] *= 1.0 + 2e-16
    assert not Replicated(values, common=False).varies
    assert Replicated(values * np.linspace(1.0, 2.0, 3)[None, :, None], common=False).varies
