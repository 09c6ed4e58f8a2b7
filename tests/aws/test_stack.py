"""The stack: deployed from nothing, deployed again, failing, looked at, removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import loads

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request, new_record
from replicast.aws import commands
from replicast.aws import stack as stack_module
from replicast.aws.access import Aws
from replicast.aws.settings import Settings
from replicast.aws.stack import Stack, StackState, template
from replicast.core.errors import ExecutorError, RequestError

from .conftest import REGION, SMALL

BARE = commands.Contents(dependencies=False)


def deploy(aws: Aws, **more: Any) -> commands.Deployed:
    return commands.deploy(aws, contents=BARE, settings=more.pop("settings", SMALL), poll_seconds=0.1, **more)


def test_deploying_twice_changes_nothing(aws: Aws) -> None:
    told: list[str] = []
    first = deploy(aws, tell=told.append)
    formation = aws.client("cloudformation")
    events = len(formation.describe_stack_events(StackName="replicast")["StackEvents"])
    assert any("uploaded" in line for line in told)
    told.clear()
    again = deploy(aws, tell=told.append)
    assert again.state == first.state
    assert len(formation.describe_stack_events(StackName="replicast")["StackEvents"]) == events
    assert not any("uploaded" in line for line in told)


def test_a_setting_is_changed_and_the_others_stay(aws: Aws) -> None:
    deploy(aws)
    state = deploy(aws, settings=Settings(runtime=SMALL.runtime, memory=3008)).state
    assert (state.parameters["Memory"], state.parameters["Concurrency"]) == ("3008", "2")
    found = aws.client("lambda").get_function_configuration(FunctionName="replicast-simulate")
    assert (found["MemorySize"], found["Timeout"]) == (3008, 60)


@pytest.mark.long
def test_the_bucket_is_private_encrypted_and_over_tls_alone(aws: Aws) -> None:
    bucket, storage = deploy(aws).state.bucket, aws.client("s3")
    assert all(storage.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    rules = storage.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert "aws:SecureTransport" in storage.get_bucket_policy(Bucket=bucket)["Policy"]


def test_destroying_keeps_the_results_and_deploying_again_finds_them(aws: Aws) -> None:
    state = deploy(aws).state
    commands.store_of(aws, state).write("some-run", "note.txt", b"kept")
    commands.destroy(aws)
    assert not Stack(aws).state().exists
    again = deploy(aws).state
    assert again.parameters["NewBucket"] == "false"
    assert commands.store_of(aws, again).read("some-run", "note.txt") == b"kept"


def test_destroying_with_results_leaves_nothing(aws: Aws) -> None:
    deploy(aws)
    commands.destroy(aws, results=True)
    assert aws.client("s3").list_buckets()["Buckets"] == []
    assert aws.client("lambda").list_functions()["Functions"] == []
    assert aws.client("stepfunctions").list_state_machines()["stateMachines"] == []
    commands.destroy(aws, results=True)


def test_a_failed_deployment_names_the_resource_and_the_reason(aws: Aws) -> None:
    stack = Stack(aws)
    stack.poll_seconds = 0.1
    stack.prepare()
    with pytest.raises(ExecutorError, match=r"(Plan|Machine|Simulate|Collate).*: .*no-such"):
        stack.apply({"Definition": "code/no-such.asl.json", "Code": "code/no-such.zip", "Runtime": "python3.11"})


@pytest.mark.long
def test_status_tells_the_model_and_what_there_is(aws: Aws, write_model: Callable[..., Path], tmp_path: Path) -> None:
    assert commands.status(aws)["status"] == "not deployed"
    model = write_model("def simulate(rng):\n    return float(rng.normal())\n")
    with Preparation(Request(model=str(model)), store_url=str(tmp_path)) as p:
        record = new_record(p.request, p.options, p.experiment, p.source, p.signature)
        deploy(aws, model=commands.GivenModel(record, p.source, p.signature))
    found = commands.status(aws)
    assert (found["model"], found["running"], found["region"]) == ("model.py", [], REGION)


def test_logs_of_functions_are_shown_and_unknown_functions_refused(aws: Aws) -> None:
    deploy(aws)
    assert list(commands.logs(aws)) == []
    with pytest.raises(RequestError, match="choose from plan, simulate, collate"):
        list(commands.logs(aws, functions=["simulat"]))


def test_what_needs_a_stack_says_how_to_deploy_one(aws: Aws) -> None:
    with pytest.raises(RequestError, match="replicast aws deploy"):
        list(commands.logs(aws))


@pytest.mark.parametrize("name", ["Replicast", "9lives", "a" * 41, "with_underscore"])
def test_a_name_that_could_not_name_a_bucket_is_refused(aws: Aws, name: str) -> None:
    with pytest.raises(RequestError, match="a stack cannot be called"):
        Stack(aws, name)


IMAGE = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/replicast@sha256:" + 64 * "0"


def names(aws: Aws) -> set[str]:
    return {one["FunctionName"] for one in aws.client("lambda").list_functions()["Functions"]}


def test_a_stack_goes_from_zip_to_image_and_back_without_being_destroyed(aws: Aws) -> None:
    zipped = deploy(aws).state
    as_image = Stack(aws).deploy(image=IMAGE, settings=SMALL)
    assert as_image.status == "UPDATE_COMPLETE"
    assert names(aws) == {f"replicast-{function}-image" for function in commands.FUNCTIONS}
    definition = aws.client("stepfunctions").describe_state_machine(stateMachineArn=as_image.machine)["definition"]
    assert "function:replicast-simulate-image" in definition
    assert deploy(aws).state.outputs == zipped.outputs
    assert names(aws) == {f"replicast-{function}" for function in commands.FUNCTIONS}


def test_functions_of_one_name_for_both_kinds_would_be_refused_as_aws_refuses_them(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(aws)
    real = stack_module.template
    monkeypatch.setattr(stack_module, "template", lambda name="template.yaml": real(name).replace("-image'", "'"))
    with pytest.raises(ExecutorError, match="custom-named resource requires replacing"):
        Stack(aws).deploy(image=IMAGE, settings=SMALL)


@pytest.mark.long
def test_functions_are_not_replaced_by_those_of_another_kind_while_a_run_calls_them(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = deploy(aws).state
    monkeypatch.setattr(commands, "executions_at_work", lambda _aws, machine: ["run-1"] * (machine == state.machine))
    with pytest.raises(RequestError, match=r"is at work \(run-1\)"):
        commands.deploy(aws, contents=commands.Contents(package="image"), settings=SMALL)
    assert names(aws) == {f"replicast-{function}" for function in commands.FUNCTIONS}


def test_a_small_quota_is_said_when_a_stack_is_deployed(aws: Aws) -> None:
    many = Settings(**{**{name: getattr(SMALL, name) for name in Settings.__slots__}, "concurrency": 5000})
    (note,) = deploy(aws, settings=many).notes
    assert note.startswith("this account runs 1,000 functions at once, so that a run here has 998 and not 5,000")


def test_a_bucket_of_somebody_elses_is_refused_by_its_owner(aws: Aws) -> None:
    from botocore.stub import Stubber

    expected = {"Bucket": f"replicast-{aws.account}-{REGION}", "ExpectedBucketOwner": aws.account}
    with Stubber(aws.client("s3")) as stub:
        stub.add_client_error("head_bucket", "403", "Forbidden", expected_params=expected)
        with pytest.raises(ExecutorError, match="is not this account's, or these credentials may not look at it"):
            Stack(aws).prepare()
    assert not Stack(aws).state().exists


def test_a_bucket_that_was_there_before_is_closed_as_a_new_one_is(aws: Aws) -> None:
    bucket, storage = f"replicast-{aws.account}-{REGION}", aws.client("s3")
    storage.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    assert deploy(aws).state.bucket == bucket
    assert all(storage.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert "aws:SecureTransport" in storage.get_bucket_policy(Bucket=bucket)["Policy"]


@pytest.mark.long
@pytest.mark.parametrize("status", ["CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"])
def test_what_is_left_of_a_failed_stack_is_removed_before_the_next_attempt(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    stack, deleted, states = Stack(aws), list[str](), iter([StackState("replicast", status)])
    monkeypatch.setattr(stack, "state", lambda: next(states, StackState("replicast")))
    monkeypatch.setattr(stack, "_delete", lambda: deleted.append(status))
    assert not stack._sound_state().exists
    assert deleted == [status]


def test_a_stack_in_which_something_is_under_way_is_waited_for(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    stack = Stack(aws, tell=told.append)
    stack.poll_seconds = 0.0
    states = iter([StackState("replicast", "UPDATE_IN_PROGRESS")] * 3)
    monkeypatch.setattr(stack, "state", lambda: next(states, StackState("replicast", "UPDATE_COMPLETE")))
    assert stack._sound_state().status == "UPDATE_COMPLETE"
    assert told == ["waiting for what is under way in stack 'replicast' (UPDATE_IN_PROGRESS)"]


def test_memory_of_collating_log_days_and_a_boundary_of_roles_are_settings(aws: Aws) -> None:
    boundary = "arn:aws:iam::123456789012:policy/bound"
    more = {"collate_memory": 5000, "log_days": 7, "boundary": boundary}
    deploy(aws, settings=Settings(**{**{name: getattr(SMALL, name) for name in Settings.__slots__}, **more}))
    found = aws.client("lambda").get_function_configuration(FunctionName="replicast-collate")
    assert found["MemorySize"] == 5000
    (log,) = aws.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/replicast-plan")["logGroups"]
    assert log["retentionInDays"] == 7
    assert Stack(aws).state().parameters["Boundary"] == boundary


def test_every_role_of_the_template_is_bounded_where_a_boundary_is_given() -> None:
    roles = [one for one in loads(template())["Resources"].values() if one["Type"] == "AWS::IAM::Role"]
    assert len(roles) == 6
    for role in roles:
        bound = role["Properties"]["PermissionsBoundary"]["Fn::If"]
        assert bound == ["HasBoundary", {"Ref": "Boundary"}, {"Ref": "AWS::NoValue"}]


def test_a_stack_at_work_is_not_destroyed_and_the_run_is_named(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(aws)
    monkeypatch.setattr(commands, "executions_at_work", lambda _aws, _machine: ["mine-1"])
    with pytest.raises(RequestError, match=r"is at work \(mine-1\); nothing was removed"):
        commands.destroy(aws, results=True, poll_seconds=0.1)
    assert Stack(aws).state().exists
    commands.destroy(aws, results=True, at_work=True, poll_seconds=0.1)
    assert not Stack(aws).state().exists
