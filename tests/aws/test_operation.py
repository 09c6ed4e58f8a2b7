"""What those who answer for a stack ask of it: tags, a key, starts by the clock, an alarm, parts written once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import loads

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request
from replicast.aws import commands, putting
from replicast.aws.access import Aws
from replicast.aws.batch import BatchStack, WantedBatch
from replicast.aws.bucket import close_bucket, encryption_of, policy_of
from replicast.aws.operation import Operation, tags_of
from replicast.aws.stack import Stack, StackState, template
from replicast.core.errors import RequestError, StoreError

from .conftest import REGION, SMALL, wait_for

BARE = commands.Contents(dependencies=False)


def deploy(aws: Aws, operation: Operation | None = None, **more: Any) -> commands.Deployed:
    return commands.deploy(aws, contents=BARE, settings=SMALL, poll_seconds=0.1, operation=operation, **more)


@pytest.fixture
def given_model(write_model: Callable[..., Path], tmp_path: Path) -> commands.GivenModel:
    model = write_model("def simulate(rng, mean=1.0):\n    return float(rng.exponential(mean))\n")
    with Preparation(Request(model=str(model), replications=3), store_url=str(tmp_path / "runs")) as made:
        return commands.GivenModel(made.drawn_up(), made.source, made.signature)


def test_tags_are_on_the_stack_and_stay_until_they_are_given_anew(aws: Aws) -> None:
    deploy(aws, Operation(tags={"team": "health", "cost-centre": "42"}))
    assert Stack(aws).state().tags == {"team": "health", "cost-centre": "42", "replicast": "stack"}
    deploy(aws, Operation(tags={"team": "economics"}))
    assert Stack(aws).state().tags == {"team": "economics", "cost-centre": "42", "replicast": "stack"}


def test_the_stack_beside_has_the_same_tags(aws: Aws) -> None:
    beside = BatchStack.beside(Stack(aws))
    beside.poll_seconds, beside.tags = 0.1, {"team": "health"}
    beside.apply({"BucketName": "b", "Of": "replicast", "ImageUri": "i"})
    assert beside.state().tags == {"team": "health", "replicast": "stack"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("team", "--tag takes KEY=VALUE"), ("=x", "--tag takes KEY=VALUE"), ("aws:x=1", "that name is taken"),
        ("replicast=mine", "that name is taken"), (f"{'k' * 129}=v", "too long"), (f"k={'v' * 257}", "too long"),
        ("a;b=1", "other signs"),
    ],
)  # fmt: skip
def test_a_tag_that_aws_would_refuse_is_refused_before(given: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        Operation(tags=tags_of([given])).check()


def test_a_new_bucket_is_encrypted_with_the_key_from_its_first_object_on(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator's templates know no encryption of buckets."""
    made, arn = loads(template())["Resources"]["Bucket"]["Properties"], aws.client("kms").create_key()
    (rule,) = made["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    condition, with_key, without = rule["ServerSideEncryptionByDefault"]["Fn::If"]
    assert (condition, with_key) == ("HasKey", {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Ref": "KmsKey"}})
    assert without == {"SSEAlgorithm": "AES256"}
    asked: list[Any] = []
    monkeypatch.setattr(Stack, "apply", lambda _self, parameters: asked.append(dict(parameters)))
    Stack(aws).prepare(key=arn["KeyMetadata"]["Arn"])
    assert asked[0]["KmsKey"] == arn["KeyMetadata"]["Arn"]


def test_roles_may_use_the_key_that_was_given_for_objects_alone(aws: Aws) -> None:
    keys = aws.client("kms")
    arn = keys.create_key()["KeyMetadata"]["Arn"]
    keys.create_alias(AliasName="alias/mine", TargetKeyId=arn)
    assert deploy(aws, Operation(key="alias/mine")).state.parameters["KmsKey"] == arn
    iam = aws.client("iam")
    roles = [r["RoleName"] for r in iam.list_roles()["Roles"] if r["RoleName"].startswith("replicast")]
    for role in roles:
        (statement,) = iam.get_role_policy(RoleName=role, PolicyName="key")["PolicyDocument"]["Statement"]
        assert statement["Resource"] == arn
        assert statement["Condition"]["StringEquals"]["kms:ViaService"].startswith(f"s3.{REGION}.")
    assert len(roles) == 4
    with pytest.raises(RequestError, match="there is no key 'alias/other'"):
        deploy(aws, Operation(key="alias/other"))


def test_tasks_on_batch_may_use_the_key_that_the_stack_has_already(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(putting, "build_and_push", lambda *_, **__: "1.dkr.ecr/replicast@sha256:1")
    state = StackState("replicast", "UPDATE_COMPLETE", {"BucketName": "b"}, {"KmsKey": "arn:aws:kms:::key/1"})
    given: list[Any] = []
    monkeypatch.setattr(putting, "queues_for", lambda *asked: given.append(asked[-1].key) or asked[-1])
    monkeypatch.setattr(Stack, "deploy", lambda *_, **__: state)
    for asked in (None, "", "arn:aws:kms:::key/2"):
        settings = replace(SMALL, key=asked)
        putting.put_image(Stack(aws), state, commands.Contents(package="image"), settings, WantedBatch(wanted=True))
    assert given == ["arn:aws:kms:::key/1", "", "arn:aws:kms:::key/2"]


def test_a_bucket_that_was_there_has_the_templates_own_policy_and_the_key(aws: Aws) -> None:
    bucket, storage = f"replicast-{aws.account}-{REGION}", aws.client("s3")
    arn = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    storage.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    deploy(aws, Operation(key=arn))
    assert json.loads(storage.get_bucket_policy(Bucket=bucket)["Policy"]) == policy_of(f"arn:aws:s3:::{bucket}")
    (rule,) = storage.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule == encryption_of(arn)


def test_a_bucket_that_is_closed_already_is_left_alone(aws: Aws) -> None:
    bucket, storage = f"closed-{aws.account}", aws.client("s3")
    storage.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    close_bucket(aws, bucket, "")
    asked: list[str] = []
    storage.meta.events.register("before-call.s3.*", lambda model, **_: asked.append(model.name))
    close_bucket(aws, bucket, "")
    assert asked == ["GetBucketPolicy", "GetBucketEncryption"]


def test_the_policy_is_that_of_the_template() -> None:
    policy = loads(template())["Resources"]["BucketPolicy"]["Properties"]["PolicyDocument"]
    arn = "arn:aws:s3:::mine"
    assert unsubstituted(policy, arn) == policy_of(arn)


def unsubstituted(value: Any, arn: str) -> Any:
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        return value["Fn::Sub"].replace("arn:${AWS::Partition}:s3:::${BucketName}", arn)
    if isinstance(value, dict):
        return {str(key): unsubstituted(one, arn) for key, one in value.items()}
    return [unsubstituted(one, arn) for one in value] if isinstance(value, list) else value


def test_the_bucket_lets_nobody_write_over_a_part(aws: Aws) -> None:
    state = deploy(aws).state
    store = aws.store(f"s3://{state.bucket}/runs")
    assert store.write("r", "parts/metrics/base/1.parquet", b"first", new=True)
    assert not store.write("r", "parts/metrics/base/1.parquet", b"second", new=True)
    with pytest.raises(StoreError, match="WriteOnce"):
        store.write("r", "parts/metrics/base/1.parquet", b"second")
    assert store.read("r", "parts/metrics/base/1.parquet") == b"first"
    store.write("r", "run.json", b"1")
    store.write("r", "run.json", b"2")


def test_a_schedule_starts_a_run_of_the_deployed_model(aws: Aws, given_model: commands.GivenModel) -> None:
    asked = Operation(schedule="cron(0 6 * * ? *)", schedule_input='{"repetitions": 2, "seed": 7}')
    state = deploy(aws, asked, model=given_model).state
    found = aws.client("scheduler").get_schedule(Name="replicast")
    assert found["ScheduleExpression"] == "cron(0 6 * * ? *)"
    target = found["Target"]
    assert target["Arn"] == state.machine
    states = aws.client("stepfunctions")
    ended = wait_for(
        states,
        states.start_execution(stateMachineArn=target["Arn"], input=target["Input"])["executionArn"],
    )
    assert ended["status"] == "SUCCEEDED", ended
    assert json.loads(ended["output"])["done"] == 2
    policy = aws.client("iam").get_role_policy(RoleName=target["RoleArn"].rpartition("/")[2], PolicyName="start")
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("states:StartExecution", state.machine)
    assert deploy(aws).state.parameters["Schedule"] == "cron(0 6 * * ? *)"
    deploy(aws, Operation(schedule="none"))
    assert aws.client("scheduler").list_schedules()["Schedules"] == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Operation(schedule="every day"), "--schedule takes"),
        (Operation(schedule_input="{}"), "give that too"),
        (Operation(schedule="rate(1 day)", schedule_input="{"), "takes JSON"),
        (Operation(schedule="rate(1 day)", schedule_input="[1]"), "start it with an object"),
        (Operation(schedule="rate(1 day)", schedule_input='{"name": "x"}'), "every start would share"),
        (Operation(schedule="rate(1 day)", schedule_input='{"repetitions": "10"}'), "takes a whole number"),
        (Operation(schedule="rate(1 day)", schedule_input='{"parameters": {"men": 1}}'), "mean"),
        (Operation(alarm_email="nobody"), "--alarm-email takes an address"),
        (Operation(alarm=False, alarm_email="a@b.uk"), "leave --no-alarm out"),
    ],
)
def test_what_would_start_nothing_is_refused_before_anything_is_made(
    aws: Aws, given_model: commands.GivenModel, asked: Operation, said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        deploy(aws, asked, model=given_model)
    assert not Stack(aws).state().exists


def test_a_schedule_without_a_model_is_refused(aws: Aws) -> None:
    with pytest.raises(RequestError, match="it has none: name one too"):
        deploy(aws, Operation(schedule="rate(1 day)"))


def test_an_alarm_watches_failed_executions_and_tells_by_mail(aws: Aws) -> None:
    state = deploy(aws, Operation(alarm_email="me@example.org")).state
    (alarm,) = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"]) == ("AWS/States", "ExecutionsFailed", 1)
    assert alarm["Dimensions"] == [{"Name": "StateMachineArn", "Value": state.machine}]
    (topic,) = alarm["AlarmActions"]
    (subscription,) = aws.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "me@example.org")
    deploy(aws, Operation(alarm_email="none"))
    (alarm,) = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert alarm["AlarmActions"] == []
    deploy(aws, Operation(alarm=False))
    assert aws.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
