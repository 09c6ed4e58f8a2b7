"""Least privilege: the roles allow what the functions and the state machine do, and nothing beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document
from obstore.exceptions import PermissionDeniedError

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request
from replicast.aws import commands
from replicast.aws.access import Aws
from replicast.aws.performing import Performer
from replicast.aws.sandbox import started
from replicast.aws.stack import StackState
from replicast.core.errors import StoreError
from replicast.stores.objects import ObjectStore

from .conftest import REGION, SMALL, TAUGHT, Deploy, free_port, use_account, wait_for


@pytest.fixture(scope="module")
def strict() -> Iterator[str]:
    """An emulator that enforces the roles of functions."""
    with started(free_port(), {"MINISTACK_REGION": REGION, "AUTH": "true"}, emulator=TAUGHT) as url:
        yield url


@pytest.mark.long
def test_each_function_does_its_work_with_its_own_role_and_fails_without_it(
    strict: str, monkeypatch: pytest.MonkeyPatch, write_model: Callable[..., Path]
) -> None:
    use_account(monkeypatch, strict, "000000000000")
    aws = Aws(region=REGION)
    state = commands.deploy(aws, contents=commands.Contents(dependencies=False), settings=SMALL, poll_seconds=0.1).state
    # The emulator speaks no TLS, without which the bucket's policy lets nobody in.
    aws.client("s3").delete_bucket_policy(Bucket=state.bucket)
    model = write_model("def simulate(rng):\n    return {'value': 1.0, 'rows': [{'x': float(rng.normal())}]}\n")
    url = f"s3://{state.bucket}/runs"

    def run() -> dict[str, Any]:
        with Preparation(Request(model=str(model), replications=3), store_url=url) as preparation:
            record = preparation.create()
        states = aws.client("stepfunctions")
        order = json.dumps({"run": record.id})
        return wait_for(states, states.start_execution(stateMachineArn=state.machine, input=order)["executionArn"])

    assert run()["status"] == "SUCCEEDED"
    for function in ("collate", "plan"):
        role = role_of(aws, f"replicast-{function}")
        aws.client("iam").delete_role_policy(RoleName=role, PolicyName=function)
        found = run()
        assert found["status"] == "FAILED"
        assert "Access Denied" in found["cause"] or "AccessDenied" in found["cause"], found["cause"]


def role_of(aws: Aws, function: str) -> str:
    role: str = aws.client("lambda").get_function_configuration(FunctionName=function)["Role"]
    return role.rpartition("/")[2]


@pytest.fixture
def stack(deploy: Deploy) -> StackState:
    return deploy()


def allowed(aws: Aws, role: str, action: str, resource: str) -> bool:
    iam = aws.client("iam")
    arn = iam.get_role(RoleName=role)["Role"]["Arn"]
    answer = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=[action], ResourceArns=[resource])
    return bool(answer["EvaluationResults"][0]["EvalDecision"] == "allowed")


def test_the_state_machine_may_do_what_a_distributed_map_needs_and_touch_nothing_else(
    aws: Aws, stack: StackState
) -> None:
    machine = aws.client("stepfunctions").describe_state_machine(stateMachineArn=stack.machine)
    role = machine["roleArn"].rpartition("/")[2]
    place = f"{aws.region}:{aws.account}"
    needed = [
        *(("lambda:InvokeFunction", f"arn:aws:lambda:{place}:function:replicast-{f}") for f in commands.FUNCTIONS),
        ("states:StartExecution", stack.machine),
        ("states:DescribeExecution", f"arn:aws:states:{place}:execution:replicast/Simulate:child"),
        ("states:StopExecution", f"arn:aws:states:{place}:execution:replicast/Simulate:child"),
        ("states:RedriveExecution", f"arn:aws:states:{place}:execution:replicast/Simulate:child"),
        ("s3:GetObject", f"arn:aws:s3:::{stack.bucket}/runs/some-run/cloud/some-execution/rounds/000001.json"),
        ("s3:PutObject", f"arn:aws:s3:::{stack.bucket}/runs/some-run/cloud/some-execution/lost/1/17.json"),
        ("lambda:GetAccountSettings", "*"),
    ]
    assert [one for one in needed if not allowed(aws, role, *one)] == []
    forbidden = [
        ("lambda:InvokeFunction", f"arn:aws:lambda:{place}:function:another"),
        ("states:StartExecution", f"arn:aws:states:{place}:stateMachine:another"),
        ("s3:GetObject", f"arn:aws:s3:::{stack.bucket}/runs/some-run/parts/metrics/base/1.parquet"),
        ("s3:PutObject", f"arn:aws:s3:::{stack.bucket}/runs/some-run/run.json"),
        ("s3:GetObject", "arn:aws:s3:::another/runs/some-run/cloud/some-execution/rounds/000001.json"),
        ("iam:PassRole", f"arn:aws:iam::{aws.account}:role/{role}"),
    ]
    assert [one for one in forbidden if allowed(aws, role, *one)] == []


@pytest.mark.parametrize(
    ("function", "may", "may_not"),
    [
        ("plan", ["runs/r/run.json", "runs/r/parts/metrics/base/1.parquet"], ["deployed/run.json", "code/x.zip"]),
        ("simulate",
         ["runs/r/parts/metrics/base/1.parquet", "runs/r/artefacts/scenario=base/x.rds", "runs/r/cloud/e/begun/1/17"],
         ["runs/r/run.json", "runs/r/model/m.py", "runs/r/collated/summary.csv", "deployed/run.json", "code/x.zip"]),
        ("collate", ["runs/r/collated/summary.csv"],
         ["runs/r/run.json", "runs/r/parts/metrics/base/1.parquet", "deployed/run.json", "code/x.zip"]),
    ],
)  # fmt: skip
def test_a_function_writes_its_own_part_of_a_run_and_removes_nothing(
    aws: Aws, stack: StackState, function: str, may: list[str], may_not: list[str]
) -> None:
    role, root = role_of(aws, f"replicast-{function}"), f"arn:aws:s3:::{stack.bucket}"
    assert [key for key in may if not allowed(aws, role, "s3:PutObject", f"{root}/{key}")] == []
    assert [key for key in may_not if allowed(aws, role, "s3:PutObject", f"{root}/{key}")] == []
    assert not any(allowed(aws, role, "s3:DeleteObject", f"{root}/{key}") for key in [*may, *may_not])
    assert not allowed(aws, role, "s3:GetObject", "arn:aws:s3:::another/runs/r/run.json")
    assert not allowed(aws, role, "lambda:InvokeFunction", "*")


def decided(aws: Aws, bucket: str, role: str, action: str, key: str = "", **context: str) -> bool:
    """Whether a role's policies, and none of the bucket's, allow a request, with what it says of itself.

    By the emulator's evaluator: an allow where there is one, unless anything denies
    (docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html).
    """
    iam, account = aws.client("iam"), aws.account
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    own = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    theirs = aws.client("s3").get_bucket_policy(Bucket=bucket)["Policy"]
    place = f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")
    said = {"s3:" + name.replace("_", "-"): value for name, value in context.items()}
    said["s3:objectcreationoperation"] = "true" if action == "s3:PutObject" else "false"
    asked = EvalContext(
        f"arn:aws:sts::{account}:assumed-role/{role}/it", "AssumedRole", account, action, place, aws.region,
        secure_transport=True, service_context=said,
    )  # fmt: skip
    return evaluate(asked, [parse_policy_document(document) for document in [*own, theirs]]).decision == "Allow"


@pytest.mark.parametrize("function", ["simulate", "plan", "collate"])
def test_no_function_writes_over_a_part(aws: Aws, stack: StackState, function: str) -> None:
    role = role_of(aws, f"replicast-{function}")
    ask = partial(decided, aws, stack.bucket, role, "s3:PutObject", "runs/r/parts/metrics/base/1.parquet")
    assert not ask()
    assert ask(if_none_match="*") is (function != "collate")


def test_simulate_lists_runs_alone_and_nothing_without_a_prefix(aws: Aws, stack: StackState) -> None:
    ask = partial(decided, aws, stack.bucket, role_of(aws, "replicast-simulate"), "s3:ListBucket")
    assert ask(prefix="runs/r/parts")
    assert not any([ask(), ask(prefix=""), ask(prefix="code/"), ask(prefix="deployed/")])


def test_a_cancellation_that_simulate_may_not_ask_for_is_none(tmp_path: Path) -> None:
    """What S3 says of an object that is not there to whom may not list (GetObject's page in the API reference)."""

    class Forbidding(ObjectStore):
        why: Exception = PermissionDeniedError("403")

        def read(self, run: str, name: str) -> bytes | None:
            raise StoreError(f"{run}/{name}") from self.why

    performer = object.__new__(Performer)
    performer.store, performer.record = Forbidding(str(tmp_path)), SimpleNamespace(id="r")
    assert not performer._is_cancelled()
    Forbidding.why = OSError("gone")
    with pytest.raises(StoreError):
        performer._is_cancelled()


@pytest.mark.usefixtures("stack")
def test_no_policy_of_the_stack_names_every_resource_or_every_action(aws: Aws) -> None:
    iam = aws.client("iam")
    roles = [r["RoleName"] for r in iam.list_roles()["Roles"] if r["RoleName"].startswith("replicast")]
    assert len(roles) == 4
    for role in roles:
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            for statement in iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]:
                resources, actions = as_list(statement["Resource"]), as_list(statement["Action"])
                assert "*" not in resources or actions == ["lambda:GetAccountSettings"]
                assert not any("*" in action for action in actions)


@pytest.mark.usefixtures("stack")
def test_every_right_to_objects_is_for_buckets_of_the_own_account_alone(aws: Aws) -> None:
    iam = aws.client("iam")
    seen = 0
    for role in (r["RoleName"] for r in iam.list_roles()["Roles"] if r["RoleName"].startswith("replicast")):
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            for statement in iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]:
                if statement["Effect"] == "Allow" and as_list(statement["Action"])[0].startswith("s3:"):
                    condition = statement["Condition"]["StringEqualsIfExists"]
                    assert condition == {"aws:ResourceAccount": aws.account}, statement
                    seen += 1
    assert seen > 8


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
