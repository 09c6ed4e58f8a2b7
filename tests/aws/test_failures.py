"""What goes wrong in the cloud: a run ends with all that could be computed, and names what could not be had and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request
from replicast.aws.access import Aws
from replicast.aws.functions import RUNS
from replicast.aws.settings import Settings
from replicast.aws.stack import StackState
from replicast.core.record import RunRecord
from replicast.runs import Run

from .conftest import SMALL, Deploy, wait_for

SHORT = Settings(**{**{name: getattr(SMALL, name) for name in Settings.__slots__}, "seconds": 16})


@pytest.fixture
def stack(deploy: Deploy) -> StackState:
    return deploy()


def created(stack: StackState, model: Path, n: int, **request: Any) -> RunRecord:
    url = f"s3://{stack.bucket}/{RUNS}"
    with Preparation(Request(model=str(model), replications=n, seed=3, **request), store_url=url) as preparation:
        return preparation.create()


def executed(aws: Aws, stack: StackState, run: str) -> dict[str, Any]:
    states = aws.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=stack.machine, input=json.dumps({"run": run}))["executionArn"]
    return wait_for(states, execution, 240)


def ended(aws: Aws, stack: StackState, record: RunRecord) -> tuple[dict[str, Any], Run]:
    found = executed(aws, stack, record.id)
    return found, Run(aws.store(f"s3://{stack.bucket}/{RUNS}"), record.id)


def numbers(run: Run) -> list[int]:
    return [row["replication"] for row in run.metrics()]


def test_a_models_error_is_stored_and_tolerated_as_asked_for(
    aws: Aws, stack: StackState, write_model: Callable[..., Path]
) -> None:
    text = "def simulate(replication, rng):\n    assert replication != 4, 'four'\n    return float(rng.normal())\n"
    found, run = ended(aws, stack, created(stack, write_model(text), 8, tolerate="1"))
    assert found["status"] == "SUCCEEDED"
    assert json.loads(found["output"])["failed"] == 1
    (failure,) = run.failures()
    assert (failure["replication"], failure["error_type"], failure["error"]) == (4, "AssertionError", "four")
    assert numbers(run) == [1, 2, 3, 5, 6, 7, 8]


def test_more_failures_than_tolerated_end_in_a_failure_with_a_readable_cause_and_are_collated_all_the_same(
    aws: Aws, stack: StackState, write_model: Callable[..., Path]
) -> None:
    text = "def simulate(replication, rng):\n    assert replication > 2\n    return float(rng.normal())\n"
    found, run = ended(aws, stack, created(stack, write_model(text), 6, tolerate="1"))
    assert (found["status"], found["error"]) == ("FAILED", "TooManyReplicationsFailed")
    assert found["cause"].startswith("2 of 6 replications failed, more than is tolerated")
    assert run.store.read(run.id, "collated/summary.csv") is not None


def test_a_model_that_ends_its_process_costs_its_own_replication(
    aws: Aws, stack: StackState, write_model: Callable[..., Path]
) -> None:
    text = """
import os, signal
def simulate(replication, rng):
    if replication == 2:
        os._exit(9)
    if replication == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return float(rng.normal())
"""
    _, run = ended(aws, stack, created(stack, write_model(text), 6, retries=0))
    assert [(f["replication"], f["error_kind"], f["error_type"]) for f in run.failures()] == [
        (2, "died", "exit"),
        (5, "died", "SIGKILL"),
    ]
    assert numbers(run) == [1, 3, 4, 6]


def test_a_replication_that_kills_the_functions_runtime_is_found_in_ever_smaller_batches_and_named(
    aws: Aws, stack: StackState, write_model: Callable[..., Path]
) -> None:
    text = """
import os, signal, time
def simulate(replication, rng):
    if replication == 3:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
    return float(rng.normal())
"""
    _, run = ended(aws, stack, created(stack, write_model(text), 6, retries=0))
    (failure,) = run.failures()
    assert (failure["replication"], failure["error_kind"], failure["worker"]) == (3, "died", "aws/plan")
    assert numbers(run) == [1, 2, 4, 5, 6]


@pytest.mark.long
def test_a_replication_longer_than_a_function_is_named_and_the_others_are_had(
    aws: Aws, deploy: Deploy, write_model: Callable[..., Path]
) -> None:
    stack = deploy(settings=SHORT)
    text = """
import time
def simulate(replication, rng):
    if replication == 2:
        time.sleep(600)
    return float(rng.normal())
"""
    _, run = ended(aws, stack, created(stack, write_model(text), 4))
    (failure,) = run.failures()
    assert (failure["replication"], failure["error_kind"], failure["error_type"]) == (2, "timeout", "FunctionTimeout")
    assert "all that there was for it" in failure["error"]
    assert numbers(run) == [1, 3, 4]


def test_a_batch_that_is_delivered_twice_counts_once(
    aws: Aws, stack: StackState, write_model: Callable[..., Path]
) -> None:
    record = created(stack, write_model("def simulate(rng):\n    return float(rng.normal())\n"), 5)
    event = {"run": record.id, "batch": {"scenario": "base", "first": 1, "last": 5}}

    def deliver(_time: int) -> Any:
        answer = aws.client("lambda").invoke(FunctionName="replicast-simulate", Payload=json.dumps(event))
        return json.loads(answer["Payload"].read())

    aws.client("lambda")
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(deliver, range(2))) == [{"stored": 5, "left": 0}] * 2
    found, run = ended(aws, stack, record)
    assert json.loads(found["output"])["n"] == 5
    assert numbers(run) == [1, 2, 3, 4, 5]


def change_items(aws: Aws, stack: StackState, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes what the state machine does with each item, to have Step Functions do what it may do in bad moments."""
    states = aws.client("stepfunctions")
    machine = json.loads(states.describe_state_machine(stateMachineArn=stack.machine)["definition"])
    change(machine["States"]["Simulate"]["ItemProcessor"])
    states.update_state_machine(stateMachineArn=stack.machine, definition=json.dumps(machine))


def lose_the_first_item_of_the_first_round(items: dict[str, Any]) -> None:
    first = [{"Variable": "$.batch.first", "NumericEquals": 1}, {"Variable": "$.item.round", "NumericEquals": 1}]
    items["StartAt"] = "Lose"
    items["States"]["Lose"] = {"Type": "Choice", "Default": "Perform", "Choices": [{"And": first, "Next": "Lost"}]}
    items["States"]["Lost"] = {"Type": "Succeed"}


def deliver_every_item_twice(items: dict[str, Any]) -> None:
    perform = items["States"]["Perform"]
    items["States"]["Again"] = dict(perform)
    del perform["End"]
    perform["Next"] = "Again"


@pytest.mark.long
@pytest.mark.parametrize("change", [lose_the_first_item_of_the_first_round, deliver_every_item_twice])
def test_items_that_are_lost_without_a_word_or_delivered_twice_change_no_byte_of_the_tables(
    aws: Aws, stack: StackState, write_model: Callable[..., Path], tmp_path: Path, change: Any
) -> None:
    change_items(aws, stack, change)
    model = write_model("def simulate(rng):\n    return {'x': float(rng.normal()), 'rows': [{'y': rng.normal()}]}\n")
    found, run = ended(aws, stack, created(stack, model, 10))
    assert found["status"] == "SUCCEEDED", found
    names = [name for name in run.store.documents(run.id, "cloud") if "/rounds/" in name]
    assert len(names) == (2 if change is lose_the_first_item_of_the_first_round else 1)
    with Preparation(Request(model=str(model), replications=10, seed=3), store_url=str(tmp_path / "home")) as home:
        home.create()
        home.conduct()
        Run(home.store, home.record.id).collate(tmp_path / "tables")
    for path in (tmp_path / "tables").iterdir():
        assert run.store.read(run.id, f"collated/{path.name}") == path.read_bytes()
    assert numbers(run) == list(range(1, 11))


@pytest.mark.long
def test_throttled_functions_are_asked_again_until_all_is_there(
    aws: Aws, stack: StackState, write_model: Callable[..., Path]
) -> None:
    aws.client("lambda").put_function_concurrency(FunctionName="replicast-simulate", ReservedConcurrentExecutions=1)
    text = "import time\ndef simulate(rng):\n    time.sleep(0.3)\n    return float(rng.normal())\n"
    found, run = ended(aws, stack, created(stack, write_model(text), 6))
    assert found["status"] == "SUCCEEDED", found
    assert not [name for name in run.store.documents(run.id, "cloud") if "/lost/" in name], "throttling is no loss"
    assert numbers(run) == [1, 2, 3, 4, 5, 6]
    assert len(run.failures()) == 0


@pytest.mark.long
def test_a_run_in_which_everything_fails_stops_early_and_says_so(
    aws: Aws, stack: StackState, write_model: Callable[..., Path]
) -> None:
    text = "def simulate(replication):\n    raise ValueError('never works')\n"
    found, _ = ended(aws, stack, created(stack, write_model(text), 12))
    assert found["status"] == "FAILED"
    assert "12 of 12 replications failed" in found["cause"]


@pytest.mark.long
def test_a_search_for_the_best_asks_the_same_rule_as_at_home(
    aws: Aws, stack: StackState, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = write_model("def simulate(rng, level=0):\n    return {'cost': level + rng.normal()}\n")
    options = {"select": "cost=lower", "indifference": 0.5, "grid": {"level": [0, 1, 5]}}
    found, run = ended(aws, stack, created(stack, model, 10, **options))
    assert found["status"] == "SUCCEEDED", found
    with Preparation(Request(model=str(model), replications=10, seed=3, **options), store_url=str(tmp_path)) as home:
        home.create()
        home.conduct()
        local = Run(home.store, home.record.id)
        assert run.selection() == local.selection()
        assert run.summary().rows == local.summary().rows
    selection = run.selection()
    assert selection is not None
    assert (selection.state, selection.kept) == ("met", ("level=0",))
    assert run.record.planned == dict(selection.wanted)
    assert run.record.planned["level=5"] == 10


@pytest.mark.long
def test_a_run_until_precise_asks_for_more_in_each_round_until_it_is(
    aws: Aws, stack: StackState, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = write_model("def simulate(rng):\n    return float(10 + rng.normal())\n")
    options = {"precision": "value=2%", "maximum": 500}
    record = created(stack, model, 10, **options)
    found, run = ended(aws, stack, record)
    assert found["status"] == "SUCCEEDED", found
    with Preparation(Request(model=str(model), replications=10, seed=3, **options), store_url=str(tmp_path)) as home:
        home.create()
        home.conduct()
        assert run.summary().rows == Run(home.store, home.record.id).summary().rows
    assert run.summary().rows[0].n > 10
