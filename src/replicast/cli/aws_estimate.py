"""What a run on AWS would take and cost, from a pilot at home."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from replicast.core.errors import ReplicastError, RequestError

from .screen import duration, print_json, print_table, say_note, say_words

if TYPE_CHECKING:
    from replicast.aws.estimate import Estimate
    from replicast.aws.ways import Way

DONE, REFUSED = 0, 1


def estimate(chosen: argparse.Namespace) -> int:
    from replicast.aws.estimate import check_cost
    from replicast.aws.estimate import estimate as estimate_run
    from replicast.aws.limits import Capacity
    from replicast.aws.piloting import run_pilot
    from replicast.aws.ways import ways

    from .run_commands import request_from

    _check(chosen)
    pilot, replications = run_pilot(request_from(chosen), chosen.pilot)
    capacity = None
    if chosen.memory or chosen.concurrency:
        from replicast.aws.estimate import memory_for

        capacity = Capacity(
            memory=chosen.memory or memory_for(pilot.megabytes),
            concurrency=chosen.concurrency or Capacity().concurrency,
        )
    if chosen.architecture not in ("arm64", "x86_64"):
        raise RequestError(f"--architecture takes arm64 or x86_64, not '{chosen.architecture}'")
    region, unreserved = _account(chosen.region)
    found = estimate_run(
        pilot, replications, capacity=capacity, region=region, architecture=chosen.architecture,
        unreserved=unreserved, database=chosen.database_size or "",
    )  # fmt: skip
    compared = ways(pilot, found)
    if not chosen.json:
        _print_estimate(found)
        _print_ways(compared)
        say_words(found.advice)
    if chosen.max_cost is not None:
        check_cost(found, chosen.max_cost)
    if chosen.json:
        listed = [dataclasses.asdict(way) for way in compared]
        print_json(dataclasses.asdict(found) | {"dollars": found.bill.total, "ways": listed})
    return REFUSED if found.violations else DONE


def _check(chosen: argparse.Namespace) -> None:
    """Raises RequestError for numbers that cannot be meant."""
    from replicast.core.record import check_replications

    if chosen.pilot < 2:
        raise RequestError(f"--pilot takes 2 or more, and {chosen.pilot} is not")
    if chosen.replications is not None:
        check_replications(chosen.replications)
    for name in ("memory", "concurrency"):
        if getattr(chosen, name) is not None and getattr(chosen, name) < 1:
            raise RequestError(f"--{name} takes 1 or more, and {getattr(chosen, name)} is not")


def _account(region: str | None) -> tuple[str, int | None]:
    """The region that is meant, and how many functions the account runs at once there, where credentials tell."""
    try:
        from replicast.aws.access import Aws
        from replicast.aws.commands import unreserved_of

        aws = Aws(region)
        return aws.region, unreserved_of(aws) if aws.session.get_credentials() is not None else None
    except ReplicastError:
        return region or "us-east-1", None


def _print_estimate(found: Estimate) -> None:
    bill, usage = found.bill, found.usage
    rows = [
        ["a replication", duration(found.replication_seconds)],
        ["here", duration(found.local_seconds)],
        ["on AWS", duration(found.wall_seconds)],
        ["batches", f"{found.batches:,} of up to {found.batch:,}, {found.concurrency:,} at once"],
        ["memory", f"{found.memory:,} MB, {found.architecture}, {found.region}"],
        ["invocations", f"{usage.requests:,}"],
        ["transitions", f"{usage.transitions:,}"],
        ["S3 requests", f"{usage.puts:,} writes, {usage.gets:,} reads, {usage.lists:,} listings"],
        ["kept in S3", f"{usage.gigabytes:.3g} GB"],
        ["compute", f"${bill.compute:.4f}"],
        ["all", f"${bill.total:.4f}"],
    ]  # fmt: skip
    print_table(["", ""], rows, words=(1,))
    for line in found.violations:
        say_words(f"violated: {line}")
    for note in found.notes:
        say_note(note)


def _print_ways(compared: tuple[Way, ...]) -> None:
    """This machine, functions, and tasks on Fargate, where a stack has AWS Batch."""
    rows = [
        [
            way.name,
            "-" if way.impossible else duration(way.wall_seconds),
            "-" if way.impossible else f"${way.dollars:.4f}",
        ]
        for way in compared
    ]
    print_table(["way", "takes", "costs"], rows)
