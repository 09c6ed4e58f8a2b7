"""The database of a stack: one that replicast makes, in a stack that outlives the functions, or one that is there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from replicast.core.errors import ExecutorError, RequestError

from .access import Aws, error_code, explained
from .connections import connections_of, crowding, most_functions
from .settings import Settings
from .stack import Stack, StackState, Tell
from .zones import two_zones

SCHEME = "aws-secret"
ENGINES = ("postgres", "mysql", "none")
OWN_KEY = "alias/aws/secretsmanager"
DATABASE_NAME = "replicast"
DEFAULT_SIZE = "db.t4g.small"
OVER_TLS = {"postgres": {"sslmode": "require"}, "mysql": {"ssl_check_hostname": "false"}}
"""Options of the drivers without which they might try in plain text; neither checks whose certificate it is."""


def secret_url(arn: str, **facts: str) -> str:
    """The URL that names a database to other processes, without its password; secret.py opens it."""
    return f"{SCHEME}:///{arn}" + (f"?{urlencode(facts)}" if facts else "")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for on the command line; all of it may be left out."""

    engine: str | None = None
    size: str | None = None
    proxy: bool = False
    secret: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    authorities: str | None = None

    def check(self) -> None:
        """Raises RequestError for what does not go together."""
        if self.engine is not None and self.engine not in ENGINES:
            raise RequestError(f"--database takes {', '.join(ENGINES)}, not '{self.engine}'")
        if self.engine and self.secret:
            raise RequestError(
                "give either --database, for one to be made, or --database-url-secret of one that is there"
            )
        if (self.size or self.proxy) and self.engine not in ("postgres", "mysql"):
            option = "--database-size" if self.size else "--proxy"
            raise RequestError(f"{option} is of a database that is made: give --database postgres or mysql too")
        if self.size and not self.size.startswith("db."):
            raise RequestError(f"--database-size takes an instance class such as db.t4g.small, not '{self.size}'")
        makes_groups = self.engine in ("postgres", "mysql")
        if self.subnets and not self.security_groups and not makes_groups:
            raise RequestError("--subnet needs --security-group too: what the functions in it may reach")
        if self.security_groups and not self.subnets and not makes_groups:
            raise RequestError("--security-group is of functions in --subnet: give that too")


class DatabaseStack(Stack):
    """`<stack>-database`. Deleting it is refused as long as it is protected, and leaves a snapshot."""

    template_name, wait_seconds = "database.yaml", 3600.0

    def __init__(self, aws: Aws, of: str, tell: Tell = lambda _text: None) -> None:
        Stack(aws, of)
        super().__init__(aws, of, tell)
        self.of, self.name = of, f"{of}-database"

    def make(self, wanted: Wanted) -> StackState:
        """Creates the database, or brings it up to date. Raises RequestError where it is of another engine."""
        state = self._sound_state()
        engine = state.parameters.get("Engine") if state.exists else None
        if engine and wanted.engine != engine:
            raise RequestError(
                f"stack '{self.name}' is a {engine} database with runs in it; for a {wanted.engine} one, take another "
                "--stack"
            )
        parameters = {"Engine": str(wanted.engine), "BucketName": Stack(self.aws, self.of).bucket_name}
        parameters |= {"Size": wanted.size} if wanted.size else {}
        parameters |= {"Proxy": "true"} if wanted.proxy else {}
        if wanted.subnets:
            subnets = ",".join(wanted.subnets)
            if state.exists and state.parameters.get("Subnets") != subnets:
                raise RequestError(f"the database of stack '{self.name}' cannot move to other subnets")
            parameters |= {"Network": network_of(self.aws, wanted.subnets), "Subnets": subnets}
        if not state.exists:
            if not wanted.subnets:
                first, second = two_zones(self.aws, endpoint="secretsmanager")
                parameters |= {"FirstZone": first, "SecondZone": second}
            self.tell(f"creating the {wanted.engine} database, which takes some ten minutes")
            self.apply(parameters | {"Protection": "false"})
            parameters = {}
        # Protected only once it is there: a creation that fails has to be removed by CloudFormation.
        self.apply(parameters | {"Protection": "true"})
        return self.state()

    def remove(self) -> bool:
        """Takes the protection off and deletes the stack; its last snapshot stays. False if there is none."""
        if not self.state().exists:
            return False
        self._delete()
        return True

    def _delete(self) -> None:
        """However far the stack was made: one that is half made or half removed takes no update of its protection."""
        self._settle()
        self._take_protection_off()
        super()._delete()

    def _take_protection_off(self) -> None:
        from botocore.exceptions import ClientError

        events = self._events(datetime.min.replace(tzinfo=UTC))
        names = {e["PhysicalResourceId"] for e in events if e["LogicalResourceId"] == "Database"} - {""}
        with explained("take the protection off the database"):
            for name in names:
                try:
                    self.aws.client("rds").modify_db_instance(
                        DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True
                    )
                except ClientError as error:
                    if error_code(error) not in ("DBInstanceNotFound", "DBInstanceNotFoundFault"):
                        raise


def network_of(aws: Aws, subnets: Sequence[str]) -> str:
    """The VPC of the subnets. Raises RequestError where they are of several, or of a single zone."""
    with explained("look at the subnets"):
        found = aws.client("ec2").describe_subnets(SubnetIds=list(subnets))["Subnets"]
    networks, zones = {one["VpcId"] for one in found}, {one["AvailabilityZone"] for one in found}
    if len(networks) != 1:
        raise RequestError(f"{', '.join(subnets)} are subnets of {len(networks)} networks, and have to be of one")
    if len(zones) < 2:
        raise RequestError("a database needs subnets in two availability zones or more; give another --subnet")
    return str(networks.pop())


@dataclass(frozen=True, slots=True)
class Secret:
    """ARN of a secret, and of its key where that is not Secrets Manager's own."""

    arn: str
    key: str = ""


def find_secret(aws: Aws, name: str) -> Secret:
    """A secret by its ARN or name; its content is not read. Raises RequestError where there is none."""
    from botocore.exceptions import ClientError

    with explained(f"look at secret '{name}'"):
        try:
            found = aws.client("secretsmanager").describe_secret(SecretId=name)
        except ClientError as error:
            if error_code(error) in ("ResourceNotFoundException", "ValidationException", "InvalidParameterException"):
                raise RequestError(f"there is no secret '{name}' in {aws.region}") from None
            raise
    if found.get("DeletedDate"):
        raise RequestError(f"secret '{name}' is about to be deleted")
    return Secret(found["ARN"], _key(aws, found.get("KmsKeyId", "")))


def _key(aws: Aws, key: str) -> str:
    if not key or key.endswith(OWN_KEY):
        return ""
    with explained(f"look at key '{key}'"):
        metadata = aws.client("kms").describe_key(KeyId=key)["KeyMetadata"]
    return "" if metadata.get("KeyManager") == "AWS" else str(metadata["Arn"])


def settings_for(
    aws: Aws, name: str, wanted: Wanted, tell: Tell, poll_seconds: float, tags: Mapping[str, str]
) -> dict[str, Any]:
    """What of the functions' Settings follows from what is wanted; a database that is to be made is made."""
    wanted.check()
    network = {"subnets": wanted.subnets, "security_groups": wanted.security_groups} if wanted.subnets else {}
    if wanted.secret:
        secret = find_secret(aws, wanted.secret)
        return network | {
            "database": secret_url(secret.arn), "database_secret": secret.arn, "database_secret_key": secret.key,
            "database_master": "",
        }  # fmt: skip
    if wanted.engine == "none":
        return {"subnets": (), "security_groups": ()} | network | {
            "database": "", "database_secret": "", "database_secret_key": "", "database_master": ""
        }  # fmt: skip
    if wanted.engine is None:
        return network
    stack = DatabaseStack(aws, name, tell)
    stack.poll_seconds, stack.tags = poll_seconds, tags
    return settings_from(stack.make(wanted), wanted)


def secrets_of(state: StackState) -> tuple[str, ...]:
    """Those of a made database: of the functions' role and, as stacks of 0.1.0 used it, of the master user."""
    return tuple(state.outputs[name] for name in ("RunsSecret", "Secret") if state.outputs.get(name))


def set_up_role(aws: Aws, state: StackState, tell: Tell) -> None:
    """Has Setup, where there is one, make the role that the other functions are. Raises ExecutorError with its words.

    It also shows that functions reach the database, before a run depends on it.
    """
    function = state.outputs.get("Setup")
    if not function:
        return
    tell("making the role that functions have in the database")
    with explained("make the database's role"):
        answer = aws.client("lambda").invoke(FunctionName=function, Payload=b"{}")
        said = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError"):
        why = said.get("errorMessage", said) if isinstance(said, dict) else said
        raise ExecutorError(f"the role of the functions could not be made in the database: {why}")


def settings_from(state: StackState, wanted: Wanted) -> dict[str, Any]:
    """How functions reach the database of a stack."""
    made = state.outputs
    lacking = [
        name
        for name in ("Host", "Port", "MasterSecret", "RunsSecret", "Subnets", "FunctionsGroup")
        if not made.get(name)
    ]
    if lacking:
        raise ExecutorError(f"stack '{state.name}' is {state.status} and says no {', '.join(lacking)}")
    engine = made["Engine"]
    url = secret_url(
        made["RunsSecret"],
        engine=engine,
        host=made["Host"],
        port=made["Port"],
        database=DATABASE_NAME,
        **OVER_TLS[engine],
    )
    return {
        "subnets": tuple(made["Subnets"].split(",")),
        "security_groups": (made["FunctionsGroup"], *wanted.security_groups),
        "database": url, "database_secret": made["RunsSecret"], "database_secret_key": "",
        "database_master": made["MasterSecret"],
    }  # fmt: skip


def crowding_of(
    aws: Aws, name: str, wanted: Wanted, settings: Settings, parameters: Mapping[str, str]
) -> tuple[str, ...]:
    """What is to be said of a made database and so many functions; `parameters` are those that the stack has now.

    Raises RequestError if it could not keep up with them. Nothing is known of a database that replicast did not make.
    """
    engine, size = wanted.engine, wanted.size
    if wanted.secret or engine == "none":
        return ()
    state = DatabaseStack(aws, name).state()
    if engine is None and parameters.get("DatabaseSecret") not in secrets_of(state):
        return ()
    engine = engine or state.outputs.get("Engine")
    size = size or state.outputs.get("Size") or DEFAULT_SIZE
    if engine is None:
        return ()
    memory = settings.memory or int(parameters.get("Memory", 1769))
    concurrency = settings.concurrency or int(parameters.get("Concurrency", 1000))
    connections = connections_of(size, engine)
    if connections is not None and concurrency > (most := most_functions(connections, memory)):
        raise RequestError(
            f"{concurrency:,} functions at once are more than a database of {size} can keep up with, which takes about "
            f"{connections:,} connections: give --concurrency {most} or less, or a larger --database-size"
        )
    return tuple(crowding(size, engine, concurrency=concurrency, memory=memory))
