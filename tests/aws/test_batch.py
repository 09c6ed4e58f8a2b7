"""Beyond what a function can: the same state machine submits an array job, whose children perform the same items."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.stub import Stubber

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request
from replicast.aws import commands
from replicast.aws.access import Aws
from replicast.aws.arrays import MOST_CHILDREN, Queues, array_batch_size, attempt_seconds, job_name, task_size
from replicast.aws.batch import BatchStack, WantedBatch, queues_for
from replicast.aws.cloud import Answer, Cloud, Order
from replicast.aws.estimate import keep_hint
from replicast.aws.limits import Capacity
from replicast.aws.package import worker_package
from replicast.aws.rounds import Loss, Round, next_round, of_functions
from replicast.aws.stack import Stack, StackState
from replicast.aws.step_functions import StateMachine, cancel_run, counts_of_array
from replicast.aws.task import INTERRUPTED
from replicast.conducting.conductor import conduct
from replicast.core.errors import RequestError
from replicast.core.progress import Conclusion, Ending
from replicast.core.record import RunRecord
from replicast.core.replication import Batch
from replicast.runs import Run

from .conftest import SMALL, wait_for

MODEL = """
def simulate(rng, mean=2.0):
    return {"x": float(rng.exponential(mean)), "rows": [{"y": float(rng.normal())}]}
"""
STUCK_ONCE = """
import pathlib, time
def simulate(replication, rng):
    mark = pathlib.Path({mark!r})
    if replication == 2 and not mark.exists():
        mark.touch()
        time.sleep(600)
    return float(rng.normal())
"""
LONG = """
import time
def simulate(rng):
    time.sleep(4)
    return float(rng.normal())
"""
GIB = 2**30


@pytest.fixture
def stack(aws: Aws) -> StackState:
    """A stack whose functions have five seconds, with AWS Batch beside it."""
    settings = replace(SMALL, seconds=5)
    made = Stack(aws)
    made.poll_seconds = 0.1
    bucket = made.prepare().bucket
    settings = queues_for(
        BatchStack.beside(made), WantedBatch(wanted=True), bucket, "1.dkr.ecr/replicast@sha256:1", settings
    )
    package = worker_package(runtime=settings.runtime or "", architecture="x86_64", dependencies=False)
    return made.deploy(code=package, settings=settings)


def prepared(aws: Aws, stack: StackState, model: Path, n: int, **request: Any) -> tuple[RunRecord, StateMachine]:
    url, options = f"s3://{stack.bucket}/runs", request.pop("options", {})
    asked = Request(model=str(model), replications=n, seed=5, **request)
    with Preparation(asked, on="aws", options=options, store_url=url) as preparation:
        record = preparation.create()
    machine = StateMachine(aws, stack, record, aws.store(url))
    machine.look_seconds = machine.list_seconds = 0.1
    return record, machine


def conducted(record: RunRecord, machine: StateMachine) -> Conclusion:
    return conduct(record, machine.store, machine.start, lambda _progress: None, place="aws")


def at_home(model: Path, n: int, folder: Path) -> Run:
    with Preparation(Request(model=str(model), replications=n, seed=5), store_url=str(folder)) as home:
        home.create()
        home.conduct()
        return Run(home.store, home.record.id)


def states_of(aws: Aws, stack: StackState) -> list[str]:
    """The states that the last execution went through."""
    client = aws.client("stepfunctions")
    (execution,) = client.list_executions(stateMachineArn=stack.machine)["executions"]
    pages = client.get_paginator("get_execution_history").paginate(executionArn=execution["executionArn"])
    events = [event for page in pages for event in page["events"]]
    return [e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e]


BEYOND = [
    ({"options": {"compute": "batch"}}, 3),
    ({"options": {"compute": "fargate-spot"}}, 1),
    ({"timeout_seconds": 2400}, 2),
    ({"memory": "12GB"}, 2),
]


@pytest.mark.long
@pytest.mark.parametrize(("given", "n"), BEYOND)
def test_what_passes_a_function_or_is_asked_for_runs_as_an_array_job_and_ends_in_homes_bytes(
    aws: Aws, stack: StackState, write_model: Callable[..., Path], tmp_path: Path, given: dict[str, Any], n: int
) -> None:
    model = write_model(MODEL)
    record, machine = prepared(aws, stack, model, n, **given)
    conclusion = conducted(record, machine)
    assert (conclusion.ending, conclusion.done, conclusion.failed) == (Ending.DONE, n, 0)
    assert ("SimulateOne" if n == 1 else "SimulateArray") in states_of(aws, stack)
    assert "Simulate" not in states_of(aws, stack)
    there, here = Run(machine.store, record.id), at_home(model, n, tmp_path / "home")
    for name in ("there", "here"):
        {"there": there, "here": here}[name].collate(tmp_path / name)
    for table in ("metrics.csv", "rows.csv", "summary.csv"):
        assert (tmp_path / "there" / table).read_bytes() == (tmp_path / "here" / table).read_bytes()


def test_how_far_an_array_job_is_is_told_by_its_children(aws: Aws) -> None:
    states, batch = aws.client("stepfunctions"), aws.client("batch")
    execution = f"arn:aws:states:{aws.region}:{aws.account}:execution:replicast:r-1"
    event = {
        "timestamp": datetime.now(UTC), "type": "TaskSubmitted", "id": 7,
        "taskSubmittedEventDetails": {
            "resourceType": "batch", "resource": "submitJob.sync", "output": json.dumps({"JobId": "j-1"}),
        },
    }  # fmt: skip
    summary = {"SUCCEEDED": 5, "RUNNING": 2, "RUNNABLE": 3, "STARTING": 1, "FAILED": 1}
    job = {"jobId": "j-1", "jobName": "r", "jobQueue": "q", "jobDefinition": "d", "startedAt": 1, "status": "PENDING",
           "arrayProperties": {"size": 12, "statusSummary": summary}}  # fmt: skip
    with Stubber(states) as history, Stubber(batch) as jobs:
        history.add_response("get_execution_history", {"events": [event]})
        jobs.add_response("describe_jobs", {"jobs": [job]}, {"jobs": ["j-1"]})
        found = counts_of_array(aws, states, execution)
        assert found == {"pending": 4, "running": 2, "succeeded": 5, "failed": 1, "total": 12}
        history.add_response("get_execution_history", {"events": []})
        assert counts_of_array(aws, states, execution) == {}


def test_logs_of_tasks_are_shown_beside_those_of_functions(aws: Aws, stack: StackState) -> None:
    logs, group = aws.client("logs"), f"/aws/batch/{stack.name}"
    logs.create_log_stream(logGroupName=group, logStreamName="task/default/1")
    moment = int(time.time() * 1000)
    logs.put_log_events(
        logGroupName=group,
        logStreamName="task/default/1",
        logEvents=[{"timestamp": moment, "message": "out of memory"}],
    )
    assert [(line.function, line.text) for line in commands.logs(aws)] == [("batch", "out of memory")]
    assert [line.text for line in commands.logs(aws, functions=["batch"])] == ["out of memory"]


def tasks_of(aws: Aws) -> Iterator[tuple[psutil.Process, str]]:
    """The tasks that run in the account, each with its index in the array."""
    for process in psutil.process_iter(["cmdline"]):
        if "replicast.aws.task" not in (process.info["cmdline"] or []):
            continue
        given = process.environ()
        where = given.get("AWS_ACCESS_KEY_ID"), given.get("AWS_ENDPOINT_URL")
        if where == (aws.session.get_credentials().access_key, os.environ["AWS_ENDPOINT_URL"]):
            yield process, given.get("AWS_BATCH_JOB_ARRAY_INDEX", "")


def awaited(found: Callable[[], Any], seconds: float = 90) -> Any:
    until = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < until, "it never came"
        time.sleep(0.05)
    return value


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_ending_a_child_loses_its_replication_alone_which_the_next_round_has_again(
    aws: Aws, stack: StackState, write_model: Callable[..., Path], tmp_path: Path, number: signal.Signals
) -> None:
    mark = tmp_path / "mark"
    model = write_model(STUCK_ONCE.format(mark=str(mark)))
    record, machine = prepared(aws, stack, model, 3, timeout_seconds=2400)
    job = machine.start([])
    awaited(mark.exists)
    next(process for process, index in tasks_of(aws) if index == "1").send_signal(number)
    assert wait_for(aws.client("stepfunctions"), job.id)["status"] == "SUCCEEDED"
    assert [row["replication"] for row in Run(machine.store, record.id).metrics()] == [1, 2, 3]
    assert states_of(aws, stack).count("SimulateOne") == 1
    noted = machine.store.documents(record.id, "cloud")
    lost = [name for name in noted if "/lost/" in name]
    assert [name.rpartition("/")[2] for name in lost] == (["1.json"] if number == signal.SIGTERM else [])


@pytest.mark.long
def test_cancelling_ends_the_tasks(aws: Aws, stack: StackState, write_model: Callable[..., Path]) -> None:
    record, machine = prepared(aws, stack, write_model(LONG), 6, options={"compute": "batch"})
    job = machine.start([])
    task = awaited(lambda: next((process for process, _ in tasks_of(aws) if process.children()), None))
    assert cancel_run(aws, machine.store, record.id)
    assert wait_for(aws.client("stepfunctions"), job.id)["status"] in ("ABORTED", "FAILED")
    task.wait(30)
    assert sum(last - first + 1 for first, last in machine.store.coverage(record.id).done("base")) < 6


def test_without_batch_beside_the_stack_what_no_function_holds_is_refused_with_how_to_have_it(
    aws: Aws, stack: StackState, write_model: Callable[..., Path]
) -> None:
    record, machine = prepared(aws, stack, write_model(MODEL), 2)
    bare = replace(stack, parameters={**stack.parameters, "Queue": "", "SpotQueue": "", "Job": ""})
    for options, place, message in (
        ({"timeout_seconds": 2400.0}, {}, "may take 2400 s.*deploy --package image --batch"),
        ({"memory_bytes": 12 * GIB}, {}, r"12,288 MB of memory, and a function has 1,769 MB.*--batch"),
        ({}, {"compute": "batch"}, "--aws-compute batch: the stack has no AWS Batch.*--batch"),
        ({}, {"compute": "ec2"}, "--aws-compute takes lambda, batch, fargate-spot, and 'ec2'"),
    ):
        asked = replace(record, options=replace(record.options, **options), place_options=place)
        with pytest.raises(RequestError, match=message):
            StateMachine(aws, bare, asked, machine.store).check()
    tiny = replace(record, options=replace(record.options, memory_bytes=200 * GIB))
    with pytest.raises(RequestError, match="largest task on Fargate has 122,880 MB"):
        StateMachine(aws, stack, tiny, machine.store).check()
    kept = replace(record, options=replace(record.options, timeout_seconds=2400.0), place_options={"compute": "lambda"})
    with pytest.raises(RequestError, match="leave out --aws-compute lambda"):
        StateMachine(aws, stack, kept, machine.store).check()


def test_a_task_is_the_smallest_that_fargate_has_for_so_much_memory() -> None:
    sizes = [task_size(None if gib is None else gib * GIB) for gib in (None, 2, 7, 8, 12, 28, 60, 118)]
    assert [(s.processors, s.megabytes, s.processes) for s in sizes] == [
        (1, 2048, 1), (1, 3072, 1), (1, 8192, 1), (2, 9216, 1), (2, 13_312, 1), (4, 29_696, 1), (16, 65_536, 1),
        (16, 122_880, 1),
    ]  # fmt: skip


def test_an_array_has_no_more_children_than_aws_allows_and_long_replications_a_child_each() -> None:
    size = task_size()
    assert array_batch_size(100, seconds=2400, size=size) == 1
    assert array_batch_size(25_000, seconds=2400, size=size) == 3
    assert array_batch_size(1000, seconds=1.0, size=size) == 300
    assert array_batch_size(5, seconds=1.0, size=size) == 5
    assert array_batch_size(500, seconds=None, size=size) == 1
    for missing in (1, 2, 9_999, 10_000, 10_001, 10**6):
        assert -(-missing // array_batch_size(missing, seconds=None, size=size)) <= MOST_CHILDREN
    assert attempt_seconds(1, size, 2400.0, None) == 3 * 2400 + 300
    assert attempt_seconds(4, size, 10.0, 2400.0) == 4 * 2400 + 300
    assert attempt_seconds(1, size, 10.0, None) == 3600
    assert attempt_seconds(10**6, size, 2400.0, None) == 13 * 86_400
    assert job_name("a.b c:d" + "e" * 200, 3).startswith("r-a-b-c-de")
    assert len(job_name("e" * 200, 3)) == 128


def test_plan_hands_an_array_to_the_state_machine_as_the_run_needs_it_and_a_map_otherwise(
    tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    queues, capacity = Queues("on-demand", "spot", "task:7"), Capacity(900, 1769, 1000)
    with Preparation(Request(model=str(write_model(MODEL)), replications=4, seed=5), store_url=str(tmp_path)) as made:
        record = made.create()
    order = Order(record.id, "some.execution", 0)

    def answered(timeout: float | None = None, memory: int | None = None, **place: str) -> Answer:
        options = replace(record.options, timeout_seconds=timeout, memory_bytes=memory)
        asked = replace(record, options=options, place_options=place)
        return Cloud(made.store, asked, capacity, queues).answer(order)

    assert (answered().next, answered(timeout=600).next, answered(memory=GIB).next) == ("simulate",) * 3
    assert answered(compute="lambda", timeout=2400).next == "simulate"
    for found, queue, megabytes in (
        (answered(timeout=2400), "on-demand", "2048"),
        (answered(memory=12 * GIB), "on-demand", "13312"),
        (answered(compute="batch"), "on-demand", "2048"),
        (answered(compute="fargate-spot"), "spot", "2048"),
    ):
        assert found.array is not None
        assert (found.next, found.batches, found.array.queue, found.array.megabytes) == ("array", 4, queue, megabytes)
        assert found.array.name == "r-some-execution-1"
    keep_hint(made.store, record.id, 2400.0)
    assert answered().next == "array"


def test_what_does_not_go_together_with_batch_is_refused() -> None:
    for wanted, package, database, message in (
        (WantedBatch(wanted=True), "zip", False, "--package image"),
        (WantedBatch(wanted=True), "image", True, "do not reach a database"),
        (WantedBatch(wanted=True, private=True), "image", False, "--batch-subnet too"),
        (WantedBatch(wanted=True, processors=0), "image", False, "1 to 100,000"),
        (WantedBatch(processors=5), "image", False, "go with --batch"),
    ):
        with pytest.raises(RequestError, match=message):
            wanted.check(package, database=database)


def test_a_task_that_was_interrupted_is_no_try_of_its_replication() -> None:
    single = Batch("base", 7, 7)
    current, loss = Round(1, [single]), Loss(single, INTERRUPTED, "asked to end")
    for _ in range(5):
        current = next_round(
            [single], current, [loss], begun=[single], cutting=of_functions(Capacity(), 600), retries=0
        )
        assert (current.batches, current.given_up) == ([single], [])


def test_the_template_runs_the_task_and_may_do_what_a_task_does(aws: Aws, stack: StackState) -> None:
    iam = aws.client("iam")
    root = f"arn:aws:s3:::{stack.bucket}/runs/r"
    (role,) = [r for r in iam.list_roles()["Roles"] if "TaskRole" in r["RoleName"]]

    def allowed(action: str, resource: str) -> bool:
        answer = iam.simulate_principal_policy(
            PolicySourceArn=role["Arn"], ActionNames=[action], ResourceArns=[resource]
        )
        return bool(answer["EvaluationResults"][0]["EvalDecision"] == "allowed")

    for key in ("parts/metrics/base/1.parquet", "cloud/e/begun/1/17", "cloud/e/lost/1/17.json"):
        assert allowed("s3:PutObject", f"{root}/{key}"), key
    for key in ("run.json", "cloud/e/rounds/000001.json", "collated/summary.csv"):
        assert not allowed("s3:PutObject", f"{root}/{key}"), key
    assert not allowed("s3:DeleteObject", f"{root}/parts/metrics/base/1.parquet")
