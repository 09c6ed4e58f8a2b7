"""What `replicast aws …` does, as functions that return values and print nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from replicast.core.errors import ExecutorError, RequestError, StoreError
from replicast.core.parameters import Signature
from replicast.core.ports import Store
from replicast.core.record import NAME, RunRecord
from replicast.performing.copies import Source
from replicast.stores.objects import ObjectStore

from .access import Aws, explained
from .batch import BatchStack, WantedBatch
from .building import BuildStack
from .certificates import with_authorities
from .connections import connections_of
from .contents import Contents, PackageKind
from .database import DatabaseStack, Wanted, crowding_of, secrets_of, set_up_role, settings_for
from .database_runs import PREPARED, DatabaseRuns, OutsideRuns
from .deployed import keep_model, model_of
from .functions import DEPLOYED, RUNS
from .limits import SETTINGS, check_settings, width
from .operation import Operation
from .putting import put_image, put_package, with_database_packages, with_defaults
from .settings import Settings
from .stack import DEFAULT_STACK, PLACE, Stack, StackState, Tell
from .step_functions import StateMachine

FUNCTIONS, SETUP, TASKS = ("plan", "simulate", "collate"), "setup", "batch"


@dataclass(frozen=True, slots=True)
class GivenModel:
    """The model that a stack is to run when it is started by hand."""

    record: RunRecord
    source: Source
    signature: Signature


@dataclass(frozen=True, slots=True)
class Deployed:
    state: StackState
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Destroyed:
    """The stack, and that of its database, as they were before."""

    state: StackState
    database: StackState


def deploy(
    aws: Aws,
    name: str = DEFAULT_STACK,
    *,
    contents: Contents | None = None,
    settings: Settings | None = None,
    wanted: Wanted | None = None,
    batch: WantedBatch | None = None,
    operation: Operation | None = None,
    model: GivenModel | None = None,
    tell: Tell = lambda _text: None,
    poll_seconds: float | None = None,
) -> Deployed:
    """Creates the stack or brings it up to date; the same again changes nothing."""
    contents, settings, wanted = contents or Contents(), settings or Settings(), wanted or Wanted()
    batch, operation = batch or WantedBatch(), operation or Operation()
    wanted.check()
    operation.check()
    contents.check()
    check_settings({field: getattr(settings, field) for field in SETTINGS})
    stack = Stack(aws, name, tell)
    stack.poll_seconds, stack.tags = poll_seconds or stack.poll_seconds, operation.tags
    found = stack.state()
    before = found.parameters
    check_schedule(aws, found, operation, model)
    settings = replace(settings, **operation.settings(aws))
    has_database = wanted.engine != "none" and bool(wanted.engine or wanted.secret or before.get("DatabaseSecret"))
    batch.check(contents.package, database=has_database)
    refuse_another_kind_at_work(aws, found, contents.package)
    crowded = crowding_of(aws, name, wanted, settings, before)
    state = stack.prepare(repository=contents.package == "image", key=settings.key or "")
    settings = replace(settings, **settings_for(aws, name, wanted, tell, stack.poll_seconds, stack.tags))
    settings, unverified = with_authorities(stack, state, settings, wanted.authorities)
    contents = with_database_packages(contents, settings, before)
    settings = with_defaults(aws, settings, before)
    put = put_image if contents.package == "image" else put_package
    state, notes = put(stack, state, contents, settings, batch)
    set_up_role(aws, state, tell)
    if model is not None:
        keep_model(aws.store(f"s3://{state.bucket}"), model.record, model.source, model.signature)
    said = (unverified,) * bool(unverified)
    return Deployed(state, (*said, *notes, *crowded, *quota_notes(aws, int(state.parameters.get("Concurrency", 1000)))))


def check_schedule(aws: Aws, state: StackState, operation: Operation, model: GivenModel | None) -> None:
    """Raises RequestError where a schedule would start no run, for want of a model or by its input."""
    if operation.schedule in (None, "none"):
        return
    if model is not None:
        operation.check_input(model.record, model.signature)
        return
    kept = model_of(aws.store(f"s3://{state.bucket}")) if state.bucket else None
    if kept is None:
        raise RequestError("--schedule starts runs of the stack's model, and it has none: name one too")
    operation.check_input(*kept)


def refuse_another_kind_at_work(aws: Aws, state: StackState, package: PackageKind) -> None:
    """Raises RequestError where functions would be replaced by those of another kind while an execution calls them."""
    is_image, has_functions = bool(state.parameters.get("ImageUri")), bool(state.machine)
    if not has_functions or is_image == (package == "image"):
        return
    if running := executions_at_work(aws, state.machine):
        raise RequestError(
            f"stack '{state.name}' is at work ({', '.join(running)}), and its functions cannot be replaced by those of "
            f"a {package} meanwhile; wait for it, or cancel it: replicast cancel RUN"
        )


def executions_at_work(aws: Aws, machine: str) -> list[str]:
    with explained("list executions"):
        pages = aws.client("stepfunctions").get_paginator("list_executions")
        found = pages.paginate(stateMachineArn=machine, statusFilter="RUNNING")
        return [str(one["name"]) for page in found for one in page["executions"]]


def unreserved_of(aws: Aws) -> int | None:
    """How many functions may run at once in the account that no function has reserved; None if it is not to be told."""
    try:
        with explained("see how many functions the account may run"):
            limit = aws.client("lambda").get_account_settings()["AccountLimit"]
    except (ExecutorError, RequestError):
        return None
    return int(limit["UnreservedConcurrentExecutions"])


def quota_notes(aws: Aws, concurrency: int) -> tuple[str, ...]:
    """What is to be said of an account that runs fewer functions at once than the stack would."""
    unreserved = unreserved_of(aws)
    if unreserved is None or (at_once := width(concurrency, unreserved)) == concurrency:
        return ()
    return (
        f"this account runs {unreserved:,} functions at once, so that a run here has {at_once:,} and not "
        f"{concurrency:,}; ask AWS for more: Service Quotas, AWS Lambda, Concurrent executions",
    )


def status(aws: Aws, name: str = DEFAULT_STACK) -> dict[str, Any]:
    """How the stack stands, what it was set to, which model it holds, and what runs there now."""
    state = Stack(aws, name).state()
    found: dict[str, Any] = {
        "stack": name, "region": aws.region, "account": aws.account, "status": state.status or "not deployed",
        "bucket": state.bucket or None, "machine": state.machine or None, "settings": dict(state.parameters),
        "model": None, "database": None, "running": [],
    }  # fmt: skip
    made = DatabaseStack(aws, name).state()
    if made.exists or state.database_label:
        found["database"] = database_status(aws, state, made)
    if not state.machine:
        return found
    content = aws.store(f"s3://{state.bucket}").read(DEPLOYED, NAME)
    if content is not None:
        found["model"] = RunRecord.from_json(content, NAME).experiment.model.label
    found["running"] += executions_at_work(aws, state.machine)
    return found


def database_status(aws: Aws, state: StackState, made: StackState) -> dict[str, Any]:
    """Which database the results go to, and whether it can be reached from here; no password."""
    found: dict[str, Any] = {
        "stack": made.name if made.exists else None, "status": made.status or None,
        "engine": made.outputs.get("Engine"), "host": made.outputs.get("Host"), "size": made.outputs.get("Size"),
        "connections": None, "secret": state.parameters.get("DatabaseSecret") or next(iter(secrets_of(made)), None),
        "used": bool(state.database_label), "out_of_reach": None,
    }  # fmt: skip
    if found["engine"] and found["size"]:
        found["connections"] = connections_of(found["size"], found["engine"])
    if state.database_label and state.bucket:
        store = store_of(aws, state)
        found["out_of_reach"] = store.why if isinstance(store, OutsideRuns) else None
    return found


def destroy(
    aws: Aws,
    name: str = DEFAULT_STACK,
    *,
    results: bool = False,
    at_work: bool = False,
    poll_seconds: float | None = None,
) -> Destroyed:
    """Removes the stack; its bucket, its database and the runs in them stay unless `results` says otherwise.

    Raises RequestError where a run is under way in it, unless it may be `at_work`.
    """
    stack, database = Stack(aws, name), DatabaseStack(aws, name)
    stack.poll_seconds = database.poll_seconds = poll_seconds or stack.poll_seconds
    before, made = stack.state(), database.state()
    if before.machine and not at_work and (running := executions_at_work(aws, before.machine)):
        raise RequestError(
            f"stack '{name}' is at work ({', '.join(running)}); nothing was removed: wait for it, or cancel it first: "
            "replicast cancel RUN"
        )
    for kind in (BatchStack, BuildStack):
        kind.beside(stack).remove()
    stack.destroy(results=results)
    if results:
        database.remove()
    return Destroyed(before, made)


@dataclass(frozen=True, slots=True)
class LogLine:
    """`time` is in seconds since 1970."""

    function: str
    time: float
    text: str


def logs(
    aws: Aws, name: str = DEFAULT_STACK, *, functions: Sequence[str] = (), minutes: float = 60.0
) -> Iterator[LogLine]:
    """What the functions, and tasks of AWS Batch, logged lately, one after the other, each in order of time."""
    state = Stack(aws, name).require()
    has_batch, has_setup = bool(state.parameters.get("Queue")), bool(state.outputs.get("Setup"))
    since = int((time.time() - 60 * minutes) * 1000)
    there = (*FUNCTIONS, *(SETUP,) * has_setup, *(TASKS,) * has_batch)
    for function in functions or there:
        if function not in there:
            raise RequestError(f"there is no function '{function}': choose from {', '.join(there)}")
        group = f"/aws/batch/{name}" if function == TASKS else f"/aws/lambda/{name}-{function}"
        with explained(f"read the log of {function}"):
            pages = aws.client("logs").get_paginator("filter_log_events")
            for page in pages.paginate(logGroupName=group, startTime=since):
                for event in page["events"]:
                    yield LogLine(function, event["timestamp"] / 1000, event["message"].rstrip())


def store_of(aws: Aws, state: StackState) -> ObjectStore | DatabaseRuns | OutsideRuns:
    """Where the stack's runs live. A database that cannot be reached from here is seen through the bucket."""
    bucket = aws.store(f"s3://{state.bucket}/{RUNS}")
    if not state.database_label:
        return bucket
    try:
        from .secret import open_reachable

        return DatabaseRuns(bucket, open_reachable(state.parameters["Database"]), state.database_label)
    except (StoreError, RequestError) as error:
        return OutsideRuns(bucket, state.database_label, str(error))


def store_named(aws: Aws, url: str) -> ObjectStore | DatabaseRuns | OutsideRuns:
    """The store of the stack that `aws://STACK` names."""
    return store_of(aws, Stack(aws, url.partition("://")[2].rstrip("/") or DEFAULT_STACK).require())


def stack_of(record: RunRecord) -> str:
    """The stack that a run's place names; the usual one for a run of another place."""
    name, _, address = record.place.partition("://")
    return address if name == PLACE and address else DEFAULT_STACK


def conducting_store(aws: Aws, record: RunRecord, store: Store) -> Store:
    """The run's store with the bucket beside it in which the cloud conducts: a database alone does not know it.

    A database is taken for the stack's own if the stack knows the run.
    """
    if isinstance(store, (ObjectStore, DatabaseRuns, OutsideRuns)):
        return store
    from replicast.stores.sql import SqlStore

    state = Stack(aws, stack_of(record)).state()
    if not isinstance(store, SqlStore) or not state.database_label:
        return store
    bucket = aws.store(f"s3://{state.bucket}/{RUNS}")
    known = bucket.read(record.id, f"{PREPARED}/{NAME}") is not None
    return DatabaseRuns(bucket, store, state.database_label) if known else store


def machine_of(aws: Aws, record: RunRecord, store: Store) -> StateMachine:
    """The state machine for a run. Raises RequestError where there is none, or it cannot carry this out.

    Its `store` is the run's as the cloud conducts it.
    """
    conducting = conducting_store(aws, record, store)
    machine = StateMachine(aws, Stack(aws, stack_of(record)).require(), record, conducting)
    machine.check()
    return machine
