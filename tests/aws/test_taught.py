"""The emulator refuses what AWS refuses: without these lessons a test could pass where an account would fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from replicast.aws.access import Aws
from replicast.aws.sandbox import started

from .conftest import REGION, TAUGHT, free_port, use_account, wait_for

ITEM = {"text": "x" * 150}
FUNCTION = {
    "Runtime": "python3.13", "Role": "arn:aws:iam::1:role/r", "Handler": "index.handler",
    "Code": {"ZipFile": "def handler(event, context):\n    return {}\n"},
}  # fmt: skip


def mapped(aws: Aws, items: int, **child: Any) -> dict[str, Any]:
    """A Distributed Map with a child for each item, which does nothing."""
    states, storage, bucket = aws.client("stepfunctions"), aws.client("s3"), f"items-{aws.account}"
    storage.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    storage.put_object(Bucket=bucket, Key="items.json", Body=json.dumps([ITEM] * items))
    reader = {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"},
              "Parameters": {"Bucket": bucket, "Key": "items.json"}}  # fmt: skip
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Pass",
        "States": {"Pass": {"Type": "Pass", "End": True, **child}},
    }  # fmt: skip
    each = {
        "Type": "Map", "ResultPath": None, "End": True, "ItemReader": reader, "ItemProcessor": processor,
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}],
    }  # fmt: skip
    machine = json.dumps({"StartAt": "Each", "States": {"Each": each, "Caught": {"Type": "Succeed"}}})
    role = f"arn:aws:iam::{aws.account}:role/any"
    made = states.create_state_machine(name="each", definition=machine, roleArn=role)["stateMachineArn"]
    return wait_for(states, states.start_execution(stateMachineArn=made, input="{}")["executionArn"])


@pytest.mark.long
def test_a_map_fails_where_its_childrens_outputs_pass_256_kib_whatever_its_result_path_says(aws: Aws) -> None:
    found = mapped(aws, 1700)
    assert (found["status"], found["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_children_that_return_nothing_pass_in_any_number(aws: Aws) -> None:
    assert mapped(aws, 1700, OutputPath=None)["status"] == "SUCCEEDED"


def refused(call: Callable[..., Any], **given: Any) -> str:
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as refusal:
        call(**given)
    return str(refusal.value)


@pytest.fixture(scope="module")
def small_account() -> Iterator[str]:
    """An account with the quota that new ones have."""
    extra = {"MINISTACK_REGION": REGION, "LAMBDA_ACCOUNT_CONCURRENCY": "10"}
    with started(free_port(), extra, emulator=TAUGHT) as url:
        yield url


def created(aws: Aws, **more: Any) -> tuple[str, str]:
    """Status and reason of a stack with one function."""
    template = {"Resources": {"Function": {"Type": "AWS::Lambda::Function", "Properties": {**FUNCTION, **more}}}}
    formation = aws.client("cloudformation")
    formation.create_stack(StackName="one", TemplateBody=json.dumps(template), OnFailure="DO_NOTHING")
    while (found := formation.describe_stacks(StackName="one")["Stacks"][0])["StackStatus"].endswith("PROGRESS"):
        pass
    events = formation.describe_stack_events(StackName="one")["StackEvents"]
    return found["StackStatus"], " ".join(event.get("ResourceStatusReason", "") for event in events)


def test_an_account_with_a_quota_of_10_has_nothing_to_reserve(
    small_account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_account(monkeypatch, small_account, "000000000010")
    aws = Aws(region=REGION)
    status, why = created(aws, ReservedConcurrentExecutions=1)
    assert status.endswith("FAILED")
    assert "below its minimum value of [10]" in why


def test_a_function_does_not_change_its_kind(aws: Aws) -> None:
    created(aws, FunctionName="zipped")
    client = aws.client("lambda")
    said = refused(client.update_function_code, FunctionName="zipped", ImageUri="1.dkr.ecr.eu-west-2.amazonaws.com/x:1")
    assert "Please don't provide ImageUri when updating a function with packageType Zip" in said
