"""The ways in which a run could be carried out, side by side: this machine, functions, Fargate and Fargate Spot."""

from __future__ import annotations

import math
from dataclasses import dataclass

from replicast.core.errors import RequestError

from .arrays import MOST_CHILDREN, array_batch_size, task_size
from .estimate import COLLATE_SECONDS, PLAN_SECONDS, Estimate, Pilot
from .prices import ADDRESS, FARGATE

SPOT_SHARE = 0.3
"""Of the price on demand: AWS says up to 70 % less, and lets it go up and down."""

START_SECONDS = 90.0
"""From a task's place to its first replication: fetching the image is paid too."""

LEAST_PAID_SECONDS = 60.0
PROCESSORS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Way:
    """Seconds are wall time. `impossible` says why it cannot be, and is empty where it can."""

    name: str
    wall_seconds: float
    dollars: float
    impossible: str = ""


def ways(pilot: Pilot, found: Estimate) -> tuple[Way, ...]:
    """As `found` has it of functions; a task has half as much memory again as a replication of the pilot took."""
    here = Way("here", found.local_seconds, 0.0)
    functions = Way("lambda", found.wall_seconds, found.bill.total, "; ".join(found.violations))
    return (here, functions, *(on_fargate(name, pilot, found) for name in ("batch", "fargate-spot")))


def on_fargate(name: str, pilot: Pilot, found: Estimate) -> Way:
    try:
        size = task_size(math.ceil(1.5 * pilot.megabytes) << 20)
    except RequestError as error:
        return Way(name, 0.0, 0.0, str(error))
    each = array_batch_size(found.replications, seconds=pilot.usual, size=size)
    tasks = math.ceil(found.replications / each)
    seconds = START_SECONDS + math.ceil(each / size.processes) * pilot.mean
    processor, gigabyte = FARGATE.get(found.region, FARGATE["us-east-1"])[found.architecture]
    share = SPOT_SHARE if name == "fargate-spot" else 1.0
    hourly = (size.processors * processor + size.megabytes / 1024 * gigabyte) * share + ADDRESS
    compute = tasks * max(seconds, LEAST_PAID_SECONDS) / 3600 * hourly
    waves = math.ceil(tasks / max(1, min(MOST_CHILDREN, PROCESSORS_AT_ONCE // size.processors)))
    rest = found.bill.store_requests + found.bill.storage + found.bill.logs
    return Way(name, 2 * PLAN_SECONDS + waves * seconds + COLLATE_SECONDS, compute + rest)


def check_way(found: tuple[Way, ...], name: str, limit: float) -> Way:
    """The way of that name. Raises RequestError where it cannot be, or would cost more than `limit` dollars."""
    (way,) = (one for one in found if one.name == name)
    if way.impossible:
        raise RequestError(way.impossible)
    if way.dollars > limit:
        raise RequestError(
            f"the run would cost about ${way.dollars:.2f}, more than --max-cost {limit:g}; "
            "nothing was started: ask for fewer replications, or allow more"
        )
    return way
