"""What a stack's functions are made of, put in place: zip packages, or an image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from replicast.machine.processes import available_cores

from .access import Aws, explained
from .batch import BatchStack, WantedBatch, queues_for
from .building import builder_of
from .contents import Contents
from .image import BASE, build_and_push, is_here, own_architecture
from .package import (
    Kept,
    database_requirements,
    default_runtime,
    made_of,
    reporting_package,
    worker_package,
)
from .settings import Settings
from .stack import Stack, StackState

Put = tuple[StackState, tuple[str, ...]]


def put_image(stack: Stack, state: StackState, contents: Contents, settings: Settings, batch: WantedBatch) -> Put:
    """Builds and pushes the image, and gives it to the functions, and to tasks on AWS Batch where there are some."""
    before = state.parameters
    base, refreshed = contents.base(before), contents.refreshed(before)
    settings = as_before(replace(settings, base=base if base != BASE else "", refreshed=refreshed), before)
    image = build_and_push(
        stack.aws, state, contents.requirements, contents.r_packages, r=contents.r,
        architecture=settings.architecture or "", lock=contents.lock, base=base, refreshed=refreshed,
        elsewhere=builder_of(stack, contents.built, settings), tell=stack.tell,
    )  # fmt: skip
    settings = queues_for(BatchStack.beside(stack), batch, state.bucket, image, settings)
    return stack.deploy(image=image, settings=settings), ()


def as_before(settings: Settings, before: Mapping[str, str]) -> Settings:
    """With what stacks beside this one share with it, and which was not given now: key, boundary, days of logs."""
    days = before.get("LogDays")
    return replace(
        settings,
        key=before.get("KmsKey", "") if settings.key is None else settings.key,
        boundary=before.get("Boundary", "") if settings.boundary is None else settings.boundary,
        log_days=int(days) if settings.log_days is None and days else settings.log_days,
    )


def put_package(stack: Stack, _state: StackState, contents: Contents, settings: Settings, _batch: WantedBatch) -> Put:
    """Gives the zip packages to the functions, once they are made; with what is to be said of them.

    The bucket remembers what packages were made of, so that the same ones are not made again.
    """
    runtime, architecture = settings.runtime or "", settings.architecture or ""
    digest = made_of(contents.requirements, runtime, architecture) if contents.dependencies else ""
    record = f"code/of-{digest}.json"
    if digest and (known := _known(stack, record)):
        code, reporting, notes = known
        return stack.deploy(code=Kept(code), reporting=Kept(reporting), settings=settings), notes
    stack.tell(f"packing for {runtime} on {architecture}")
    made = worker_package(
        contents.requirements, runtime=runtime, architecture=architecture, dependencies=contents.dependencies
    )
    beside = reporting_package(runtime=runtime, architecture=architecture) if contents.dependencies else None
    notes = tuple(dict.fromkeys([*made.notes, *(beside.notes if beside else ())]))
    state = stack.deploy(code=made, reporting=beside, settings=settings)
    if digest and beside:
        content = {"code": made.key, "reporting": beside.key, "notes": notes}
        stack.put(record, json.dumps(content).encode())
    return state, notes


def _known(stack: Stack, record: str) -> tuple[str, str, tuple[str, ...]] | None:
    """Keys of both packages, and what was said of them, where they were made of the same and are still there."""
    if not stack.has(record):
        return None
    with explained(f"read '{record}'"):
        body = stack.aws.client("s3").get_object(Bucket=stack.bucket_name, Key=record)["Body"].read()
    found = json.loads(body)
    code, reporting = str(found["code"]), str(found["reporting"])
    return (code, reporting, tuple(found["notes"])) if stack.has(code) and stack.has(reporting) else None


def with_defaults(aws: Aws, settings: Settings, before: Mapping[str, str]) -> Settings:
    """With runtime and processor as before, or the usual ones: on an emulator, which runs them, this machine's."""
    here = is_here(aws)
    usual = own_architecture() if here else "arm64"
    concurrency = settings.concurrency
    if concurrency is None and here and "Definition" not in {name for name, value in before.items() if value}:
        concurrency = available_cores()
    return replace(
        settings,
        runtime=settings.runtime or default_runtime(),
        architecture=settings.architecture or (before.get("Architecture") if before.get("Definition") else usual),
        concurrency=concurrency,
    )


def with_database_packages(contents: Contents, settings: Settings, before: Mapping[str, str]) -> Contents:
    """With what functions need whose results go to a database, if that is so, or has been and stays so."""
    secret = before.get("DatabaseSecret") if settings.database_secret is None else settings.database_secret
    if not secret or not contents.dependencies:
        return contents
    return replace(contents, requirements=(*database_requirements(contents.package), *contents.requirements))
