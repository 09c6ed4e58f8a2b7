"""Answers in pages are read to their last page; throttled requests are repeated, and no run is lost by them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.stub import Stubber

from replicast.aws import commands
from replicast.aws.access import Aws
from replicast.aws.image import pushed_digest
from replicast.aws.progress import map_runs
from replicast.aws.stack import Stack, StackState
from replicast.aws.step_functions import AwsJob, StateMachine
from replicast.core.errors import ExecutorError
from replicast.core.progress import Ending
from replicast.stores.objects import ObjectStore

from .conftest import REGION, Deploy, use_account
from .test_executor import MODEL, SLOW, conducted, executions, prepared

ARN = f"arn:aws:states:{REGION}:100000000000"
MACHINE, EXECUTION = f"{ARN}:stateMachine:replicast", f"{ARN}:execution:replicast:x"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
Stubbed = Callable[[str], Stubber]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Aws:
    """An account that nobody answers for."""
    use_account(monkeypatch, "http://127.0.0.1:9", "100000000000")
    return Aws(region=REGION)


@pytest.fixture
def stubbed(offline: Aws) -> Iterator[Stubbed]:
    """A Stubber over one service's client; every answer that it was given has to be asked for."""
    stubbers: list[Stubber] = []

    def stub(service: str) -> Stubber:
        stubber = Stubber(offline.client(service))
        stubber.activate()
        stubbers.append(stubber)
        return stubber

    yield stub
    for stubber in stubbers:
        stubber.assert_no_pending_responses()


def stack_of(outputs: dict[str, str]) -> dict[str, Any]:
    shown = [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()]
    return {"Stacks": [{"StackName": "replicast", "StackStatus": "CREATE_COMPLETE", "CreationTime": NOW,
                        "Outputs": shown}]}  # fmt: skip


def test_map_runs_are_listed_to_the_last_page_and_in_the_order_of_their_rounds(offline: Aws, stubbed: Stubbed) -> None:
    stub, asked = stubbed("stepfunctions"), {"executionArn": EXECUTION}
    names = [f"{ARN}:mapRun:replicast/Simulate:{number}" for number in range(3)]
    runs = [{"executionArn": EXECUTION, "mapRunArn": name, "stateMachineArn": MACHINE,
             "startDate": NOW + timedelta(minutes=number)} for number, name in enumerate(names)]  # fmt: skip
    stub.add_response("list_map_runs", {"mapRuns": [runs[2]], "nextToken": "more"}, asked)
    stub.add_response("list_map_runs", {"mapRuns": runs[:2]}, asked | {"nextToken": "more"})
    assert map_runs(offline.client("stepfunctions"), EXECUTION) == names


def test_logs_are_read_to_the_last_page_even_past_empty_ones(offline: Aws, stubbed: Stubbed) -> None:
    stubbed("cloudformation").add_response("describe_stacks", stack_of({"Machine": MACHINE}))
    stub = stubbed("logs")
    stub.add_response("filter_log_events", {"events": [{"timestamp": 1000, "message": "a"}], "nextToken": "1"})
    stub.add_response("filter_log_events", {"events": [], "nextToken": "2"})
    stub.add_response("filter_log_events", {"events": [{"timestamp": 2000, "message": "b\n"}]})
    assert [(line.time, line.text) for line in commands.logs(offline, functions=["plan"])] == [(1.0, "a"), (2.0, "b")]


def test_the_first_failure_of_a_stack_is_found_on_its_last_page(offline: Aws, stubbed: Stubbed) -> None:
    stub = stubbed("cloudformation")

    def event(minute: int, name: str, status: str, reason: str = "") -> dict[str, Any]:
        return {"StackId": "s", "EventId": f"{minute}", "StackName": "replicast", "LogicalResourceId": name,
                "ResourceType": "AWS::IAM::Role", "Timestamp": NOW + timedelta(minutes=minute),
                "ResourceStatus": status, "ResourceStatusReason": reason}  # fmt: skip

    late = [event(3, "Plan", "CREATE_FAILED", "Resource creation cancelled"), event(2, "Machine", "CREATE_FAILED", "b")]
    early = [event(1, "MachineRole", "CREATE_FAILED", "may not"), event(0, "MachineRole", "CREATE_IN_PROGRESS")]
    stub.add_response("describe_stack_events", {"StackEvents": late, "NextToken": "more"})
    stub.add_response("describe_stack_events", {"StackEvents": early})
    assert Stack(offline).first_failure(NOW) == "MachineRole (AWS::IAM::Role): may not"


def test_an_image_that_is_not_in_the_repository_is_told_from_one_that_is(offline: Aws, stubbed: Stubbed) -> None:
    stub, digest = stubbed("ecr"), "sha256:" + "0" * 64
    absent = {"imageId": {"imageTag": "t"}, "failureCode": "ImageNotFound", "failureReason": "no"}
    stub.add_response("batch_get_image", {"images": [], "failures": [absent]})
    stub.add_response("batch_get_image", {"images": [{"imageId": {"imageTag": "t", "imageDigest": digest}}]})
    index = {"imageId": {"imageTag": "t", "imageDigest": digest},
             "imageManifestMediaType": "application/vnd.oci.image.index.v1+json"}  # fmt: skip
    stub.add_response("batch_get_image", {"images": [index]})
    found = [pushed_digest(offline, "host/replicast", "t") for _ in range(2)]
    assert found == [None, digest]
    with pytest.raises(ExecutorError, match="an index of several, which Lambda does not take"):
        pushed_digest(offline, "host/replicast", "t")


@pytest.mark.long
def test_more_objects_than_a_page_holds_are_all_seen_and_all_removed(aws: Aws, deploy: Deploy) -> None:
    store: ObjectStore = commands.store_of(aws, deploy())
    for number in range(1001):
        store.write("r", f"parts/metrics/base/{number}", b"", new=True)
    assert len(store.documents("r", "parts/metrics")) == 1001
    commands.destroy(aws, results=True)
    assert aws.client("s3").list_buckets()["Buckets"] == []


def throttle(aws: Aws, operation: str, times: int) -> Counter[str]:
    """Answers the first requests as AWS does that had too many; returns what was asked, which it goes on counting."""
    asked: Counter[str] = Counter()

    def answer(request: Any, **_: Any) -> AWSResponse | None:
        asked[operation] += 1
        if asked[operation] > times:
            return None
        content = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode()
        raw = BytesIO(content)
        raw.stream = lambda *_, **__: iter([content])  # type: ignore[attr-defined]
        return AWSResponse(request.url, 400, {"x-amzn-errortype": "ThrottlingException"}, raw)

    aws.client("stepfunctions").meta.events.register(f"before-send.sfn.{operation}", answer)
    return asked


@pytest.mark.long
def test_throttled_requests_are_repeated_until_the_run_is_there(
    aws: Aws, deploy: Deploy, write_model: Callable[..., Path]
) -> None:
    record, executor = prepared(aws, deploy(), write_model(MODEL), 3)
    started, looked = throttle(aws, "StartExecution", 1), throttle(aws, "DescribeExecution", 1)
    conclusion = conducted(record, executor)
    assert (conclusion.ending, conclusion.done) == (Ending.DONE, 3)
    assert started["StartExecution"] >= 2
    assert looked["DescribeExecution"] >= 2
    assert len(executions(aws, executor.stack)) == 1


@pytest.mark.long
def test_a_run_that_cannot_be_looked_at_any_more_goes_on_and_is_taken_up_again_by_resuming(
    aws: Aws, deploy: Deploy, write_model: Callable[..., Path]
) -> None:
    stack: StackState = deploy()
    record, executor = prepared(aws, stack, write_model(SLOW), 12)
    job = executor.start([])
    with Stubber(aws.client("stepfunctions")) as stub:
        stub.add_client_error("describe_execution", "ThrottlingException", "Rate exceeded")
        with pytest.raises(
            ExecutorError, match=r"no more DescribeExecution requests.*Rate exceeded, 8 times\); wait a minute"
        ):
            AwsJob(executor, job.id, executor._progress()(job.id)).poll()
    again = StateMachine(aws, stack, record, executor.store)
    again.look_seconds = again.list_seconds = 0.1
    assert again.start([]).id == job.id
    assert conducted(record, again).done == 12
    assert len(executions(aws, stack)) == 1


@pytest.mark.parametrize(("operation", "deed"), [("start_execution", "start state machine"), ("list_map_runs", "look")])
def test_what_is_throttled_for_good_is_said_in_one_line(
    aws: Aws, deploy: Deploy, write_model: Callable[..., Path], operation: str, deed: str
) -> None:
    record, executor = prepared(aws, deploy(), write_model(MODEL), 2)
    with Stubber(aws.client("stepfunctions")) as stub:
        if operation == "list_map_runs":
            running = {"executionArn": EXECUTION, "stateMachineArn": MACHINE, "status": "RUNNING", "startDate": NOW}
            executor.store.write(record.id, "cloud/job.json", json.dumps({"execution": EXECUTION}).encode())
            stub.add_response("describe_execution", running)
        stub.add_client_error(operation, "ThrottlingException", "Rate exceeded")
        with pytest.raises(ExecutorError) as caught:
            executor.start([])
    assert str(caught.value).startswith(f"cannot {deed}")
    assert "\n" not in str(caught.value)
