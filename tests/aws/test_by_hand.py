"""The state machine started as the proof of concept was: from the console, with `{"repetitions": 10}`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request
from replicast.aws.access import Aws
from replicast.aws.deployed import keep_model
from replicast.aws.stack import StackState
from replicast.runs import Run

from .conftest import Deploy, wait_for

MODEL = """
def simulate(rng, mean=2.0, n=5):
    waits = rng.exponential(mean, n)
    return {"mean": float(waits.mean()), "long": int((waits > 3).sum()),
            "waits": [{"customer": k, "wait": float(w)} for k, w in enumerate(waits)]}
"""


@pytest.fixture
def stack(deploy: Deploy) -> StackState:
    return deploy()


def give_model(aws: Aws, stack: StackState, model: Path, store: Path, **request: Any) -> Preparation:
    """Deploys a model, and runs and collates the same at home to `store`/tables."""
    with Preparation(Request(model=str(model), **request), store_url=str(store)) as preparation:
        record = preparation.create()
        keep_model(aws.store(f"s3://{stack.bucket}"), record, preparation.source, preparation.signature)
        preparation.conduct()
        Run(preparation.store, preparation.record.id).collate(store / "tables")
        return preparation


def execute(aws: Aws, stack: StackState, **typed: Any) -> dict[str, Any]:
    return execute_with(aws, stack, typed)


def execute_with(aws: Aws, stack: StackState, typed: Any) -> dict[str, Any]:
    states = aws.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=stack.machine, input=json.dumps(typed))["executionArn"]
    return wait_for(states, execution)


def test_ten_repetitions_are_planned_simulated_and_collated_to_the_bytes_of_a_run_at_home(
    aws: Aws, stack: StackState, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    home = give_model(aws, stack, write_model(MODEL), tmp_path / "home", replications=10, seed=42)
    ended = execute(aws, stack, repetitions=10, seed=42)
    assert ended["status"] == "SUCCEEDED", ended
    output = json.loads(ended["output"])
    row = Run(home.store, home.record.id).summary().rows[0]
    assert (output["metric"], output["mean"], output["half_width"]) == ("mean", row.mean, row.half_width)
    assert (output["n"], output["failed"]) == (10, 0)
    store = aws.store(f"s3://{stack.bucket}/runs")
    assert output["summary"] == f"s3://{stack.bucket}/runs/{output['run']}/collated/summary.csv"
    tables = sorted((tmp_path / "home" / "tables").iterdir())
    assert [path.name for path in tables] == ["metrics.csv", "summary.csv", "waits.csv"]
    for path in tables:
        assert store.read(output["run"], f"collated/{path.name}") == path.read_bytes()


@pytest.mark.long
def test_scenarios_and_parameters_typed_by_hand_take_the_types_of_the_models_defaults(
    aws: Aws, stack: StackState, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    scenarios = {"few": {"n": 2}, "slow": {"mean": 4.0}}
    give_model(aws, stack, write_model(MODEL), tmp_path / "other", replications=3, seed=1)
    ended = execute(aws, stack, repetitions=4, seed=7, scenarios={"few": {"n": 2.0}, "slow": {"mean": 4}})
    assert ended["status"] == "SUCCEEDED", ended
    request = Request(model=str(tmp_path / "project" / "model.py"), replications=4, seed=7, scenarios=scenarios)
    with Preparation(request, store_url=str(tmp_path / "home")) as home:
        home.create()
        home.conduct()
        Run(home.store, home.record.id).collate(tmp_path / "tables")
    store = aws.store(f"s3://{stack.bucket}/runs")
    run = json.loads(ended["output"])["run"]
    for name in ("metrics.csv", "waits.csv", "summary.csv"):
        assert store.read(run, f"collated/{name}") == (tmp_path / "tables" / name).read_bytes()


@pytest.mark.parametrize(
    ("typed", "cause"),
    [
        ({"repetition": 10}, "did you mean 'repetitions'?"),
        ({"repetitions": 0}, "must be 1 or more"),
        ({"repetitions": "10"}, "'repetitions' takes a whole number, such as 10, without quotes, and \"10\" is none"),
        ({"precision": {"value": "5%"}}, "'precision' takes text in quotes, such as \"value=5%\""),
        ({"timeout": -3}, "'timeout' takes seconds above 0, and -3 is not"),
        ({"retries": -1}, "'retries' takes 0 or more, and -1 is not"),
        ({"name": ""}, "a run cannot be called ''"),
        ({"precision": "mean=5%", "max": 1}, "'max' takes 3 or more, and 1 is not"),
        ({"max": 50}, "'max' is the most that 'precision' or 'select' may take; without them, give 'repetitions'"),
        ({"scenarios": {"few": 5}}, "scenario 'few' takes an object, such as {\"beds\": 12}, and 5 is none"),
        (
            {"select": "mean=lower", "budget": 90},
            "'select' chooses among scenarios, and there is one: give 'scenarios' or a 'grid'",
        ),
        ({"grid": {"n": [1, 2]}, "select": "mean=lower"}, "'select' goes with 'indifference'"),
        ({"grid": {"n": [1, 2]}, "select": {"mean": "lower"}}, "'select' takes text in quotes, such as"),
        ({"budget": 100}, "'indifference' and 'budget' are of 'select' METRIC=lower; without it, they say nothing"),
        ({"run": 5}, "'run' takes the name of a run in quotes, and 5 is none"),
        ({"run": "../x"}, "a run cannot be called '../x'"),
        ({"run": "mine", "repetitions": 20}, "so 'repetitions' has no place beside it"),
        ([1], 'start it with an object, such as {"repetitions": 10}, and not with [1]'),
        ({"repetitions": 3, "parameters": {"men": 1.0}}, "did you mean 'mean'?"),
    ],
)
def test_a_wrong_field_ends_in_a_failure_that_names_it(
    aws: Aws, stack: StackState, write_model: Callable[..., Path], tmp_path: Path, typed: Any, cause: str
) -> None:
    give_model(aws, stack, write_model(MODEL), tmp_path / "home", replications=1, seed=1)
    ended = execute_with(aws, stack, typed)
    assert ended["status"] == "FAILED"
    assert cause in json.loads(ended["cause"])["errorMessage"] if ended["cause"].startswith("{") else ended["cause"]


@pytest.mark.long
def test_a_selection_started_by_hand_spends_its_budget_as_one_at_home_does(
    aws: Aws, stack: StackState, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    give_model(aws, stack, write_model(MODEL), tmp_path / "other", replications=10, seed=1)
    means = {"short": {"mean": 1.0}, "usual": {"mean": 2.0}, "long": {"mean": 6.0}}
    ended = execute(aws, stack, repetitions=10, seed=7, scenarios=means, select="mean=lower", budget=90)
    assert ended["status"] == "SUCCEEDED", ended
    run = Run(aws.store(f"s3://{stack.bucket}/runs"), json.loads(ended["output"])["run"])
    planned = run.record.planned
    assert sum(planned.values()) == 90
    assert min(planned.values()) >= 10
    assert planned["long"] < max(planned["short"], planned["usual"])
    model = str(tmp_path / "project" / "model.py")
    request = Request(model=model, replications=10, seed=7, scenarios=means, select="mean=lower", budget=90)
    with Preparation(request, store_url=str(tmp_path / "home")) as home:
        home.create()
        home.conduct()
        there = Run(home.store, home.record.id)
    assert there.record.planned == planned
    assert there.selection() == run.selection()
    ours, theirs = (
        {(row["scenario"], row["replication"]): row["mean"] for row in one.metrics().to_dicts()} for one in (run, there)
    )
    assert len(ours.keys() & theirs.keys()) >= 30
    assert all(ours[key] == theirs[key] for key in ours.keys() & theirs.keys())


def test_a_stack_without_a_model_says_how_to_give_it_one(aws: Aws, stack: StackState) -> None:
    ended = execute(aws, stack, repetitions=1)
    assert ended["status"] == "FAILED"
    assert "replicast aws update MODEL" in ended["cause"]


@pytest.mark.long
def test_the_same_name_with_more_repetitions_tops_the_run_up_and_with_fewer_is_refused(
    aws: Aws, stack: StackState, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    give_model(aws, stack, write_model(MODEL), tmp_path / "home", replications=1, seed=1)
    first, more = (json.loads(execute(aws, stack, repetitions=n, name="mine")["output"]) for n in (3, 5))
    assert (first["n"], more["n"], more["run"]) == (3, 5, "mine")
    fewer = execute(aws, stack, repetitions=4, name="mine")
    assert fewer["status"] == "FAILED"
    assert "has 5 repetitions planned already, and 4 are fewer" in fewer["cause"]
    other = execute(aws, stack, repetitions=9, name="mine", seed=77)
    assert "of another experiment or with other options; give another 'name'" in other["cause"]
