"""A stack of replicast in an account: created, updated, described and removed through CloudFormation."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from replicast.core.errors import ExecutorError, RequestError

from .access import Aws, error_code, error_message, explained
from .bucket import bucket_exists, close_bucket, remove_bucket
from .package import Kept, Package
from .settings import Settings

PLACE, DEFAULT_STACK = "aws", "replicast"
STACK_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
POLL_SECONDS = 2.0
WAIT_SECONDS = 3600.0
"""Functions in a private network take 25 to 45 minutes to be replaced or removed."""

TAGS = {"replicast": "stack"}
"""Of every stack and, through CloudFormation, of everything in it."""

GONE = "DELETE_COMPLETE"
SOUND = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
ROLLED_HALF_BACK = "UPDATE_ROLLBACK_FAILED"
FAILED_CREATION = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
Tell = Callable[[str], None]


def stack_url(name: str) -> str:
    """Names a stack's store, wherever that is, as `--store` takes it."""
    return f"{PLACE}://{name}"


def template(name: str = "template.yaml") -> str:
    return files("replicast.aws").joinpath(name).read_text(encoding="utf-8")


def state_machine() -> str:
    return files("replicast.aws").joinpath("state_machine.json").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class StackState:
    """A stack as CloudFormation describes it; `status` is empty where there is none."""

    name: str
    status: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        return self.status not in ("", GONE)

    @property
    def bucket(self) -> str:
        return self.outputs.get("BucketName", "")

    @property
    def machine(self) -> str:
        return self.outputs.get("Machine", "")

    @property
    def database_label(self) -> str:
        """The name of the store of a stack whose results go to a database; empty for others."""
        return stack_url(self.name) if self.parameters.get("DatabaseSecret") else ""


class Stack:
    template_name, wait_seconds = "template.yaml", WAIT_SECONDS

    def __init__(self, aws: Aws, name: str = DEFAULT_STACK, tell: Tell = lambda _text: None) -> None:
        if not STACK_NAME.fullmatch(name):
            raise RequestError(
                f"a stack cannot be called '{name}': use up to 40 lower-case letters, digits and '-', a letter first"
            )
        self.aws, self.name, self.tell = aws, name, tell
        self._formation = aws.client("cloudformation")
        self.poll_seconds = POLL_SECONDS
        self.tags: Mapping[str, str] = {}

    @property
    def bucket_name(self) -> str:
        return f"{self.name}-{self.aws.account}-{self.aws.region}"

    def state(self) -> StackState:
        from botocore.exceptions import ClientError

        with explained(f"look at stack '{self.name}'"):
            try:
                found = self._formation.describe_stacks(StackName=self.name)["Stacks"][0]
            except ClientError as error:
                if error_code(error) == "ValidationError" and "does not exist" in error_message(error):
                    return StackState(self.name)
                raise
        outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
        parameters = {p["ParameterKey"]: p.get("ParameterValue", "") for p in found.get("Parameters", [])}
        tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
        return StackState(self.name, found["StackStatus"], outputs, parameters, tags)

    def require(self) -> StackState:
        """The stack, with its state machine. Raises RequestError if it is not there."""
        state = self.state()
        if not state.exists or not state.machine:
            raise RequestError(
                f"there is no stack '{self.name}' in {self.aws.region}; deploy one with: replicast aws deploy"
            )
        return state

    def prepare(self, *, repository: bool = False, key: str = "") -> StackState:
        """Creates the stack with its bucket alone, so that code can be put there; leaves a stack that exists.

        The bucket encrypts with `key`, an ARN, from the first object on.
        """
        state = self._sound_state()
        has_repository = state.parameters.get("Repository") == "true"
        if state.exists and (has_repository or not repository):
            return state
        parameters = {"Repository": "true" if repository else "false"}
        if not state.exists:
            known = bucket_exists(self.aws, self.bucket_name)
            parameters |= {"BucketName": self.bucket_name, "NewBucket": "false" if known else "true"}
            parameters |= {"KmsKey": key} if key else {}
        self.tell(f"{'updating' if state.exists else 'creating'} stack '{self.name}' in {self.aws.region}")
        self.apply(parameters)
        return self.state()

    def _sound_state(self) -> StackState:
        """As `state`, once CloudFormation is done with it and what is left of a failed attempt is removed."""
        state = self.state()
        if state.status.endswith("_IN_PROGRESS"):
            self.tell(f"waiting for what is under way in stack '{self.name}' ({state.status})")
            self._settle()
            state = self.state()
        if state.status == ROLLED_HALF_BACK:
            state = self._go_on_back()
        if state.exists and state.status in FAILED_CREATION:
            self.tell(f"removing what is left of a failed attempt ({state.status})")
            self._delete()
            state = self.state()
        return state

    def _go_on_back(self) -> StackState:
        """From a failed update to what was there before; what would not go back a second time is left as it is."""
        self.tell("going on with the way back from a failed update")
        since = datetime.now(UTC)
        with explained(f"bring stack '{self.name}' back"):
            self._formation.continue_update_rollback(StackName=self.name)
        state = self._settle()
        if state.status == ROLLED_HALF_BACK and (stuck := self._failed("UPDATE_FAILED", since)):
            self.tell(f"leaving {', '.join(stuck)} as CloudFormation could not bring them back")
            with explained(f"bring stack '{self.name}' back"):
                self._formation.continue_update_rollback(StackName=self.name, ResourcesToSkip=list(stuck))
            state = self._settle()
        return state

    def put(self, key: str, content: bytes) -> bool:
        """Uploads to the stack's bucket what is not there yet: keys of code are named after their content."""
        if self.has(key):
            return False
        with explained(f"upload '{key}'"):
            self.aws.client("s3").put_object(Bucket=self.bucket_name, Key=key, Body=content)
        return True

    def has(self, key: str) -> bool:
        """Whether that is in the stack's bucket."""
        from botocore.exceptions import ClientError

        with explained(f"look for '{key}'"):
            try:
                self.aws.client("s3").head_object(Bucket=self.bucket_name, Key=key)
            except ClientError as error:
                if error_code(error) not in ("404", "NoSuchKey", "NotFound"):
                    raise
                return False
        return True

    def deploy(
        self,
        *,
        code: Package | Kept | None = None,
        reporting: Package | Kept | None = None,
        image: str = "",
        settings: Settings,
    ) -> StackState:
        """Puts functions and state machine in place; what is the same already stays untouched."""
        definition = state_machine().encode()
        parameters = {"Definition": f"code/{hashlib.sha256(definition).hexdigest()[:32]}.asl.json"}
        self.put(parameters["Definition"], definition)
        parameters |= {"ImageUri": image, "Reporting": "", "Code": "code/none.zip"}
        for name, package in (("Code", code), ("Reporting", reporting)):
            if package is not None:
                parameters[name] = package.key
                if isinstance(package, Package) and self.put(package.key, package.content):
                    self.tell(f"uploaded {len(package.content) / 2**20:.1f} MB of code")
        self.apply(parameters | settings.to_parameters())
        state = self.state()
        if state.parameters.get("NewBucket") == "false":
            close_bucket(self.aws, state.bucket, state.parameters.get("KmsKey", ""))
        return state

    def apply(self, parameters: Mapping[str, str]) -> bool:
        """Creates or updates the stack; parameters not given stay as they are. False if nothing had to change."""
        from botocore.exceptions import ClientError

        state, body = self.state(), template(self.template_name)
        if state.status in SOUND and self._is_same(state, parameters, body):
            return False
        kept = [{"ParameterKey": k, "UsePreviousValue": True} for k in state.parameters if k not in parameters]
        given = [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()]
        request: dict[str, Any] = {
            "StackName": self.name, "TemplateBody": body, "Capabilities": ["CAPABILITY_IAM"],
            "Parameters": [*given, *(kept if state.exists else [])],
            "Tags": [{"Key": key, "Value": value} for key, value in {**state.tags, **self.tags, **TAGS}.items()],
        }  # fmt: skip
        since = datetime.now(UTC)
        with explained(f"deploy stack '{self.name}'"):
            try:
                if state.exists:
                    self._formation.update_stack(**request)
                else:
                    self._formation.create_stack(**request, OnFailure="ROLLBACK")
            except ClientError as error:
                if "No updates are to be performed" in error_message(error):
                    return False
                raise
        self._wait(since)
        return True

    def _is_same(self, state: StackState, parameters: Mapping[str, str], body: str) -> bool:
        """Whether the stack has all this already, so that CloudFormation need not be asked to compare."""
        if any(state.parameters.get(name) != value for name, value in parameters.items()):
            return False
        if any(state.tags.get(key) != value for key, value in {**self.tags, **TAGS}.items()):
            return False
        with explained(f"read the template of stack '{self.name}'"):
            known = self._formation.get_template(StackName=self.name, TemplateStage="Original")["TemplateBody"]
        return bool(known == body)

    def _wait(self, since: datetime) -> None:
        """Until CloudFormation is done. Raises ExecutorError that names the resource that failed, and why."""
        state = self._settle()
        if state.status in (*SOUND, GONE, ""):
            return
        raise ExecutorError(f"stack '{self.name}' is {state.status}: {self.first_failure(since)}")

    def _settle(self) -> StackState:
        """The stack once nothing is under way in it."""
        until = time.monotonic() + self.wait_seconds
        while (state := self.state()).status.endswith("_IN_PROGRESS"):
            if time.monotonic() > until:
                raise ExecutorError(
                    f"stack '{self.name}' is still {state.status} after {self.wait_seconds / 60:.0f} minutes; "
                    "CloudFormation goes on, and the same command again waits for it"
                )
            time.sleep(self.poll_seconds)
        return state

    def _events(self, since: datetime) -> list[dict[str, Any]]:
        with explained("read the stack's events"):
            pages = self._formation.get_paginator("describe_stack_events").paginate(StackName=self.name)
            return [event for page in pages for event in page["StackEvents"] if event["Timestamp"] >= since]

    def _failed(self, status: str, since: datetime) -> dict[str, str]:
        """Resources of the stack that came to that status since: their names, and what they are called in AWS."""
        found = (event for event in self._events(since) if event["ResourceStatus"] == status)
        return {
            event["LogicalResourceId"]: event.get("PhysicalResourceId", "")
            for event in found
            if event["ResourceType"] != "AWS::CloudFormation::Stack"
        }

    def first_failure(self, since: datetime) -> str:
        """`RESOURCE (TYPE): reason` of the first that failed: the others were only cancelled because of it."""
        failed = [event for event in self._events(since) if event["ResourceStatus"].endswith("_FAILED")]
        told = [event for event in failed if "cancelled" not in event.get("ResourceStatusReason", "")]
        if not told:
            return "CloudFormation names no reason; look at the stack's events in the console"
        first = min(told, key=lambda event: event["Timestamp"])
        reason = first.get("ResourceStatusReason", "no reason given")
        return f"{first['LogicalResourceId']} ({first['ResourceType']}): {reason}"

    def destroy(self, *, results: bool = False) -> None:
        """Removes the stack. The bucket stays, with code and runs, unless `results` are to go too."""
        state = self.state()
        bucket = state.bucket or self.bucket_name
        if state.exists:
            self._delete()
        if results and bucket_exists(self.aws, bucket):
            remove_bucket(self.aws, bucket)

    def _delete(self) -> None:
        """Raises ExecutorError where something would not go; what would not go a second time is left, and named."""
        before, since = self._settle().status, datetime.now(UTC)
        with explained(f"delete stack '{self.name}'"):
            self._formation.delete_stack(StackName=self.name)
        state = self._settle()
        if "DELETE_FAILED" == before == state.status and (stuck := self._failed("DELETE_FAILED", since)):
            named = ", ".join(f"{name} ({physical})" for name, physical in stuck.items())
            self.tell(f"these would not go, stay, and may cost what they cost: {named}; {self.first_failure(since)}")
            with explained(f"delete stack '{self.name}'"):
                self._formation.delete_stack(StackName=self.name, RetainResources=list(stuck))
        elif state.status == "DELETE_FAILED":
            why = self.first_failure(since)
            raise ExecutorError(
                f"stack '{self.name}' is not removed: {why}; the same command again tries once more, and then leaves "
                "what does not go"
            )
        self._wait(since)
