"""What CloudFormation leaves half made, half changed or half removed comes to an end by replicast's own commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from replicast.aws.access import Aws
from replicast.aws.database import DatabaseStack
from replicast.aws.stack import Stack
from replicast.core.errors import ExecutorError

BUSY = "resource sg-1 has a dependent object"


class Formation:
    """CloudFormation as it answers for one stack: each deed takes the next status of those given for it."""

    def __init__(self, status: str, **after: list[str]) -> None:
        self.status, self.after, self.done, self.events = status, after, list[tuple[str, Any]](), list[dict[str, Any]]()

    def describe_stacks(self, **_: Any) -> Mapping[str, Any]:
        if self.status == "gone":
            error = {"Error": {"Code": "ValidationError", "Message": "Stack with id x does not exist"}}
            raise ClientError(error, "DescribeStacks")  # type: ignore[arg-type]
        return {"Stacks": [{"StackStatus": self.status}]}

    def _next(self, deed: str, detail: Any, failed: str) -> None:
        self.done.append((deed, detail))
        self.status = self.after[deed].pop(0)
        if self.status.endswith("FAILED"):
            self.tell("FunctionsGroup", "sg-1", "AWS::EC2::SecurityGroup", failed)

    def tell(self, name: str, physical: str, kind: str, status: str) -> None:
        self.events.append({
            "LogicalResourceId": name, "PhysicalResourceId": physical, "ResourceType": kind, "ResourceStatus": status,
            "ResourceStatusReason": BUSY, "Timestamp": datetime.now(UTC),
        })  # fmt: skip

    def delete_stack(self, StackName: str, RetainResources: list[str] | None = None) -> None:  # noqa: ARG002
        self._next("delete", RetainResources, "DELETE_FAILED")

    def continue_update_rollback(self, StackName: str, ResourcesToSkip: list[str] | None = None) -> None:  # noqa: ARG002
        self._next("back", ResourcesToSkip, "UPDATE_FAILED")

    def get_paginator(self, _name: str) -> Formation:
        return self

    def paginate(self, **_: Any) -> Iterator[Mapping[str, Any]]:
        yield {"StackEvents": self.events}


Make = Callable[..., tuple[Stack, Formation, list[str]]]


@pytest.fixture
def make(aws: Aws) -> Make:
    def made(kind: type[Stack], status: str, **after: list[str]) -> tuple[Stack, Formation, list[str]]:
        told: list[str] = []
        stack, formation = kind(aws, "replicast", told.append), Formation(status, **after)
        stack._formation, stack.poll_seconds = formation, 0.0
        return stack, formation, told

    return made


KINDS = pytest.mark.parametrize("kind", [Stack, DatabaseStack])


@KINDS
@pytest.mark.parametrize("status", ["ROLLBACK_FAILED", "ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_FAILED"])
def test_what_a_failed_creation_or_removal_left_is_removed_before_it_is_made_again(
    make: Make, kind: type[Stack], status: str
) -> None:
    stack, formation, told = make(kind, status, delete=["gone"])
    assert not stack._sound_state().exists
    assert formation.done == [("delete", None)]
    assert told == [f"removing what is left of a failed attempt ({status})"]


@KINDS
def test_a_removal_that_fails_says_why_and_the_second_one_leaves_what_does_not_go_and_names_it(
    make: Make, kind: type[Stack]
) -> None:
    stack, formation, told = make(kind, "CREATE_COMPLETE", delete=["DELETE_FAILED", "DELETE_FAILED", "gone"])
    with pytest.raises(ExecutorError, match=rf"FunctionsGroup.*{BUSY}; the same command again tries once more"):
        stack._delete()
    stack._delete()
    assert formation.done == [("delete", None), ("delete", None), ("delete", ["FunctionsGroup"])]
    assert told[-1].startswith("these would not go, stay, and may cost what they cost: FunctionsGroup (sg-1)")
    assert not stack.state().exists


@KINDS
def test_a_way_back_that_fails_twice_leaves_out_what_would_not_go_back(make: Make, kind: type[Stack]) -> None:
    states = ["UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_COMPLETE"]
    stack, formation, told = make(kind, "UPDATE_ROLLBACK_FAILED", back=states)
    assert stack._sound_state().status == "UPDATE_ROLLBACK_COMPLETE"
    assert formation.done == [("back", None), ("back", ["FunctionsGroup"])]
    assert "leaving FunctionsGroup" in told[-1]


@KINDS
def test_what_takes_longer_than_is_waited_for_is_waited_for_again_by_the_same_command(
    make: Make, kind: type[Stack], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, formation, _ = make(kind, "DELETE_IN_PROGRESS", delete=["gone"])
    monkeypatch.setattr(stack, "wait_seconds", -1.0)
    with pytest.raises(ExecutorError, match="the same command again waits for it"):
        stack._sound_state()
    formation.status = "gone"
    assert not stack._sound_state().exists


@pytest.mark.parametrize("status", ["ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_COMPLETE", "CREATE_COMPLETE"])
def test_a_database_that_is_protected_goes_with_its_stack_whatever_became_of_that(
    make: Make, aws: Aws, status: str
) -> None:
    """No update is taken by a stack that is half made, and none is asked for: the protection is the instance's."""
    databases = aws.client("rds")
    databases.create_db_instance(
        DBInstanceIdentifier="mine", DBInstanceClass="db.t4g.micro", Engine="postgres", DeletionProtection=True,
        MasterUsername="a", MasterUserPassword="b" * 10, AllocatedStorage=20,
    )  # fmt: skip
    stack, formation, _ = make(DatabaseStack, status, delete=["gone"])
    formation.tell("Database", "mine", "AWS::RDS::DBInstance", "CREATE_COMPLETE")
    formation.tell("Database", "gone-already", "AWS::RDS::DBInstance", "DELETE_COMPLETE")
    assert isinstance(stack, DatabaseStack)
    assert stack.remove()
    assert databases.describe_db_instances(DBInstanceIdentifier="mine")["DBInstances"][0]["DeletionProtection"] is False
    assert not stack.remove()
