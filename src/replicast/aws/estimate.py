"""What a run would take on AWS, from a pilot at home: wall time, memory, requests, dollars, and if it is worth it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from replicast.core.errors import RequestError
from replicast.core.ports import Store

from .cloud import HINT
from .collating import uncollatable
from .limits import ITEMS_A_ROUND, QUOTAS, Capacity, usable_seconds, violations
from .performing import MEGABYTES_A_PROCESSOR, WAVE_SECONDS, processors
from .prices import MONTH_HOURS, PRICES, Bill, Usage, bill, database_price
from .rounds import batch_size
from .step_functions import MOST_REQUESTS

COLD_SECONDS = 2.5
"""From an invocation to the first replication on a machine that was not warm: unzip, Python, numpy, the model."""

PLAN_SECONDS, COLLATE_SECONDS = 3.0, 8.0
STARTS_A_SECOND = 100.0
"""Functions that Lambda adds to a function's concurrency: 1,000 every ten seconds."""

TRANSITIONS_A_BATCH, TRANSITIONS_A_RUN = 1, 8
FILES_A_PART = 3
READS_A_BATCH = 4
LISTINGS = 10
"""Of all of a run's objects, by Plan twice, by Collate and at its end; each gives 1,000 names a request."""

LOOK_SECONDS = 5.0
"""Whoever watches a run lists its parts so often, and less often the more there are."""

LOGGED_BYTES = 2000
"""Of an invocation: Lambda's three lines, and what goes wrong."""

AGAIN = 0.05
"""Share of invocations and transitions that come twice: throttled, interrupted, or in trouble of the service's own."""

MEMORY_SPARE = 1.5
RUNTIME_MEGABYTES = 300
BYTES_A_PART = 8192.0
"""Of what a replication of the pilot left, so much is its files' own, which many share in the cloud."""

WORTH_SECONDS = 60.0
"""A gain of less than this is none: deploying and waiting for the cloud takes longer."""


@dataclass(frozen=True, slots=True)
class Pilot:
    """What a few replications took at home. `megabytes` is the largest resident size, `bytes` what one left behind."""

    seconds: Sequence[float]
    megabytes: float
    bytes_each: float
    tables: int
    cores: int

    @property
    def mean(self) -> float:
        return sum(self.seconds) / len(self.seconds)

    @property
    def slow(self) -> float:
        return max(self.seconds)

    @property
    def usual(self) -> float:
        """What nine of ten replications take at most; batches are cut by it until the cloud has measured its own."""
        return float(np.quantile(self.seconds, 0.9))


def keep_hint(store: Store, run: str, seconds: float) -> None:
    """Leaves word for the first round in the cloud of how long a replication takes."""
    store.write(run, HINT, json.dumps({"seconds": seconds}).encode())


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds are wall time. `violations` are limits that the run would break; `notes` say what was assumed."""

    replications: int
    replication_seconds: float
    local_seconds: float
    wall_seconds: float
    batch: int
    batches: int
    concurrency: int
    memory: int
    architecture: str
    region: str
    usage: Usage
    bill: Bill
    worth_it: bool
    advice: str
    violations: tuple[str, ...]
    notes: tuple[str, ...]


def estimate(
    pilot: Pilot,
    replications: int,
    *,
    capacity: Capacity | None = None,
    region: str,
    architecture: str = "arm64",
    scratch_megabytes: int = 2048,
    collate_megabytes: int = 3008,
    unreserved: int | None = None,
    database: str = "",
) -> Estimate:
    """`replications` are those of all scenarios together. Lambda's processor is taken to be as fast as this one.

    `unreserved` is how many functions may run at once in the account, None if that is not known; `database` the class
    of the instance that results go to, empty where they stay in the bucket.
    """
    capacity = (capacity or Capacity(memory=memory_for(pilot.megabytes))).within(unreserved)
    cores = processors(capacity.memory)
    slowness = max(1.0, MEGABYTES_A_PROCESSOR / capacity.memory)
    seconds, slow = pilot.mean * slowness, pilot.slow * slowness
    size = batch_size(replications, capacity=capacity, seconds=slow)
    batches = math.ceil(replications / size)
    batch_seconds = COLD_SECONDS + math.ceil(size / cores) * seconds
    wall = wall_seconds(batches, batch_seconds, capacity.concurrency)
    usage = usage_of(pilot, replications, batches, batch_seconds, wall, capacity, scratch_megabytes)
    if database:
        usage = replace(usage, database_hours=wall / 3600)
    local = replications * pilot.mean / pilot.cores
    cost = bill(usage, region, architecture, database)
    rounds = math.ceil(batches / ITEMS_A_ROUND)
    broken = (
        *violations(capacity, replication_seconds=slow, rounds=rounds),
        *uncollatable(
            replications * max(0.0, pilot.bytes_each - BYTES_A_PART),
            replications=replications,
            files=parts_of(replications, batches, batch_seconds) * (FILES_A_PART + pilot.tables),
            scratch=scratch_megabytes,
            memory=collate_megabytes,
        ),
    )
    worth = not broken and local - wall > WORTH_SECONDS
    return Estimate(
        replications, pilot.mean, local, wall, size, batches, min(batches, capacity.concurrency), capacity.memory,
        architecture, region, usage, cost, worth, advice_on(local, wall, cost, broken), broken,
        (*notes_on(pilot, slow, capacity, region), *quota_note(unreserved),
         *database_note(database, region)),
    )  # fmt: skip


def memory_for(megabytes: float) -> int:
    """One processor's worth of memory at least, since less is slower and no cheaper; in steps of 64 MB."""
    wanted = MEMORY_SPARE * megabytes + RUNTIME_MEGABYTES
    return max(MEGABYTES_A_PROCESSOR, 64 * math.ceil(wanted / 64))


def wall_seconds(batches: int, batch_seconds: float, concurrency: int) -> float:
    """Plan, then waves of batches, of which Lambda lets a thousand start every ten seconds, then plan and collate."""
    width = min(batches, concurrency)
    starting = width / STARTS_A_SECOND if width > 1000 else 0.0
    return 2 * PLAN_SECONDS + starting + math.ceil(batches / width) * batch_seconds + COLLATE_SECONDS


def parts_of(replications: int, batches: int, batch_seconds: float) -> int:
    """Parts that are stored: a batch saves about once in WAVE_SECONDS."""
    return batches * max(1, min(math.ceil(replications / batches), math.ceil(batch_seconds / WAVE_SECONDS)))


def usage_of(
    pilot: Pilot,
    replications: int,
    batches: int,
    batch_seconds: float,
    wall: float,
    capacity: Capacity,
    scratch_megabytes: int,
) -> Usage:
    parts = parts_of(replications, batches, batch_seconds)
    helpers = 2 * PLAN_SECONDS * 1.769 + COLLATE_SECONDS * 3.008
    invocations, objects = math.ceil(batches * (1 + AGAIN)) + 3, parts * (FILES_A_PART + pilot.tables)
    pages, rounds = math.ceil(objects / 1000), math.ceil(batches / ITEMS_A_ROUND)
    watched = math.ceil(parts / 1000) / 2
    return Usage(
        gb_seconds=batches * batch_seconds * capacity.memory / 1024 + helpers,
        requests=invocations,
        transitions=math.ceil(batches * TRANSITIONS_A_BATCH * (1 + AGAIN)) + TRANSITIONS_A_RUN,
        puts=objects + 10,
        gets=batches * READS_A_BATCH + objects,
        lists=math.ceil(pages * (LISTINGS + 1.5 * (rounds - 1)) + wall / looks_apart(watched) * max(watched, 1)),
        logged=invocations * LOGGED_BYTES / 1e9,
        gigabytes=replications * pilot.bytes_each / 1e9,
        scratch_gb_seconds=batches * batch_seconds * max(scratch_megabytes - 512, 0) / 1024,
    )


def looks_apart(requests: float) -> float:
    """Seconds between two looks of whoever watches, where each takes so many requests."""
    return LOOK_SECONDS * (1 + requests / MOST_REQUESTS)


def advice_on(local: float, wall: float, cost: Bill, broken: Sequence[str]) -> str:
    if broken:
        return "not possible as it is; see what is violated"
    gain = local - wall
    if gain <= 0:
        return "not worth it: this machine is done before AWS has started and collected its functions"
    if gain <= WORTH_SECONDS:
        return f"hardly worth it: {gain:.0f} s saved"
    return f"worth it if {_hours(gain)} of waiting are worth ${cost.total:.2f}: {local / wall:.0f} times as fast"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 5400 else f"{seconds / 60:.0f} minutes"


def notes_on(pilot: Pilot, slow: float, capacity: Capacity, region: str) -> tuple[str, ...]:
    notes = [
        f"from {len(pilot.seconds)} replications on this machine; Lambda's processor is taken to be as fast",
        f"a cold start is taken to be {COLD_SECONDS} s; the free tier is not taken off; prices before tax",
    ]
    if region not in PRICES:
        notes.append(f"no prices of {region} are known here; those of us-east-1 were taken")
    at_once = QUOTAS["concurrency"].value
    if capacity.concurrency > at_once:
        notes.append(f"an account has {at_once:,} functions at once unless AWS was asked for more; check your quota")
    if max(pilot.seconds) > 2 * pilot.mean:
        notes.append("replications differ a lot in length; the slowest decides when the run ends")
    if 1.5 * slow > usable_seconds(capacity.function_seconds) >= slow:
        notes.append(f"one that takes half as long again as {slow:.0f} s would not end in its function's time")
    return tuple(notes)


def quota_note(unreserved: int | None) -> tuple[str, ...]:
    if unreserved is None:
        return ("how many functions the account may run at once is not known here; new accounts may run 10",)
    usual = QUOTAS["concurrency"].value
    return (f"this account runs {unreserved:,} functions at once, not the usual {usual:,}",) * (unreserved < usual)


def database_note(database: str, region: str) -> tuple[str, ...]:
    if not database:
        return ()
    price = database_price(database, region)
    if price is None:
        return (f"what a {database} costs is not known here, and is left out: https://aws.amazon.com/rds/pricing/",)
    month = price * MONTH_HOURS
    return (
        f"the database costs about ${month:.0f} a month, whether anything runs or not; the hours of the run are in",
    )


def check_cost(found: Estimate, limit: float) -> None:
    """Raises RequestError if the run would cost more than `limit` dollars, or break a limit of AWS's."""
    if found.violations:
        raise RequestError("; ".join(found.violations))
    if found.bill.total > limit:
        raise RequestError(
            f"the run would cost about ${found.bill.total:.2f}, more than --max-cost {limit:g}; "
            "nothing was started: ask for fewer replications, or allow more"
        )
