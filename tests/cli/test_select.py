"""A run that selects the best scenario, from the command line to its end."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]
MODEL = "def simulate(rng, level=0.0):\n    return {'cost': level + rng.normal()}\n"


def test_the_best_is_selected_and_the_others_get_no_more(replicast: Call, write_model: Callable[..., Path]) -> None:
    model, grid = write_model(MODEL), ("--grid", "level=0,1,5")
    asked = ("run", model, "--seed", 1, *grid, "--select", "cost=lower", "--indifference", 0.5)
    said = [json.loads(replicast(*asked, "--workers", w, "--json").stdout)["selection"] for w in (1, 2)]
    assert said[0] == said[1]
    assert (said[0]["state"], said[0]["kept"]) == ("met", ["level=0"])
    assert said[0]["wanted"]["level=5"] == 10
    spoken = replicast(*asked, "--name", "best")
    assert "cost=lower: 'level=0' is the best with 95 % confidence, or within 0.5 of it" in spoken.stderr
    assert spoken.returncode == 0
    counted = json.loads(replicast("summary", "best", "--json").stdout)["summary"]
    assert {row["scenario"]: row["n"] for row in counted} == said[0]["wanted"]


def test_what_cannot_be_told_apart_ends_with_4(replicast: Call, write_model: Callable[..., Path]) -> None:
    model = write_model("def simulate(rng, twin=1):\n    return {'cost': rng.normal()}\n")
    done = replicast("run", model, "--seed", 1, "--grid", "twin=1,2", "--select", "cost=lower", "--indifference", 0.5,
                     "--max", 30)  # fmt: skip
    assert done.returncode == 4
    assert "cost=lower: NOT told apart within --max: twin=1, twin=2" in done.stderr


def test_a_budget_is_spent_in_rounds_of_equal_size(replicast: Call, write_model: Callable[..., Path]) -> None:
    """Rounds that ask for as many replications as the last one did are progress nevertheless."""
    done = replicast("run", write_model(MODEL), "--seed", 1, "--grid", "level=0,0.1,5,9", "--select", "cost=lower",
                     "--budget", 200, "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (sum(said["selection"]["wanted"].values()), said["done"]) == (200, 200)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--select", "cost=lower"], "--indifference"),
        (["--select", "cost=low", "--budget", "9"], "METRIC=lower"),
        (["--budget", "9"], "--select"),
        (["--select", "cost=lower", "--budget", "9", "--precision", "cost=5%"], "give one"),
    ],
)
def test_a_search_without_a_goal_is_refused(
    replicast: Call, write_model: Callable[..., Path], options: list[str], says: str
) -> None:
    done = replicast("run", write_model(MODEL), "--grid", "level=0,1", *options)
    assert (done.returncode, says in done.stderr) == (2, True)


def test_one_scenario_is_nothing_to_choose_from(replicast: Call, write_model: Callable[..., Path]) -> None:
    done = replicast("run", write_model(MODEL), "--select", "cost=lower", "--budget", 9)
    assert (done.returncode, "there is one" in done.stderr) == (2, True)


def test_a_scenario_that_only_fails_ends_the_search_and_is_named(
    replicast: Call, write_model: Callable[..., Path]
) -> None:
    model = write_model("def simulate(rng, broken=False):\n    return {'cost': 1 / (not broken) + rng.random()}\n")
    done = [
        replicast("run", model, "--seed", 1, "--grid", "broken=true,false", "--select", "cost=lower", *how,
                  "--tolerate", "90%", "--workers", workers, "--control", "cost=1")
        for how in (("--indifference", 0.5), ("--budget", 60)) for workers in (1, 2)
    ]  # fmt: skip
    assert [one.returncode for one in done] == [4, 4, 0, 0]
    for one in done:
        assert "cost=lower: no value to judge by from broken=true" in one.stderr
        assert "--select judges plain means" in one.stderr
    assert "NOT told apart: broken=true, broken=false" in done[0].stderr


def test_a_budget_too_small_to_judge_by_is_refused(replicast: Call, write_model: Callable[..., Path]) -> None:
    done = replicast("run", write_model(MODEL), "--grid", "level=0,1", "--select", "cost=lower", "--budget", 3)
    assert (done.returncode, "4 at least" in done.stderr) == (2, True)
