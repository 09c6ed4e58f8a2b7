"""Beyond what a function can: the batches of a round as the children of an array job of AWS Batch, on Fargate.

Sizes: https://docs.aws.amazon.com/batch/latest/userguide/fargate-job-definitions.html; an array's size, 2 to 10,000:
https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from replicast.core.errors import RequestError
from replicast.core.record import RunRecord

from .limits import Capacity, usable_seconds

COMPUTES = ("lambda", "batch", "fargate-spot")
SIZES = ((1, 2048, 8192, 1024), (2, 4096, 16_384, 1024), (4, 8192, 30_720, 1024), (8, 16_384, 61_440, 4096),
         (16, 32_768, 122_880, 8192))  # fmt: skip
"""Of a task on Fargate: processors, and the least, the most and the step of its megabytes."""

MOST_CHILDREN = 10_000
TASKS_AT_ONCE = 1000
TASK_SECONDS = 300.0
"""Quick replications share a task for about so long: its start takes one to two minutes."""

LEAST_SECONDS, MOST_SECONDS, DAY = 3600, 13 * 86_400, 86_400
"""Of one attempt at a task; AWS ends a task on Fargate after 14 days."""

ARRAY_SECONDS = 30 * DAY
"""Of a whole array, with the time that it waits for places."""

OVERHEAD_MEGABYTES = 512


@dataclass(frozen=True, slots=True)
class Queues:
    """ARNs of a stack's queues, on demand and Spot, and of its job definition; empty where it has none."""

    batch: str = ""
    spot: str = ""
    definition: str = ""

    @classmethod
    def from_names(cls, given: Mapping[str, str], *names: str) -> Queues:
        return cls(*(given.get(name, "") for name in names))

    def of(self, compute: str) -> str:
        return self.spot if compute == "fargate-spot" else self.batch


@dataclass(frozen=True, slots=True)
class TaskSize:
    """Processors and megabytes of a task, and how many replications it performs at once."""

    processors: int
    megabytes: int
    processes: int


@dataclass(frozen=True, slots=True)
class ArrayJob:
    """What the state machine hands to SubmitJob. `seconds` are those of one attempt at a task."""

    name: str
    queue: str
    definition: str
    vcpus: str
    megabytes: str
    processes: str
    seconds: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def task_size(memory_bytes: int | None = None) -> TaskSize:
    """The smallest task in which a replication of so much memory fits. Raises RequestError where none does."""
    wanted = 0 if memory_bytes is None else math.ceil(memory_bytes / 2**20) + OVERHEAD_MEGABYTES
    for processors, least, most, step in SIZES:
        if wanted <= most:
            megabytes = max(least, step * math.ceil(wanted / step))
            each = megabytes if memory_bytes is None else max(1, memory_bytes >> 20)
            fitting = (megabytes - OVERHEAD_MEGABYTES) // each if memory_bytes else processors
            return TaskSize(processors, megabytes, max(1, min(processors, fitting)))
    raise RequestError(
        f"a replication may take {(memory_bytes or 0) >> 20:,} MB of memory, and the largest task on Fargate has "
        f"{SIZES[-1][2]:,} MB; run it where there is more: --on local, --on slurm"
    )


def compute_of(record: RunRecord) -> str | None:
    """What the run asks to be performed on, None if that is left to its length. Raises RequestError."""
    asked = record.place_options.get("compute")
    if asked is not None and asked not in COMPUTES:
        raise RequestError(f"--aws-compute takes {', '.join(COMPUTES)}, and '{asked}' is none of them")
    return None if asked is None else str(asked)


def passes_functions(record: RunRecord, capacity: Capacity, seconds: float | None = None) -> str:
    """Why a function cannot hold the run's replications; empty if it can, as far as is known.

    `seconds` is what a replication was seen to take, if one was; what was declared counts in any case.
    """
    usable, options = usable_seconds(capacity.function_seconds), record.options
    longest = max(seconds or 0.0, options.timeout_seconds or 0.0)
    if longest > usable:
        return f"a replication may take {longest:.0f} s, and a function has {usable:.0f} s for it"
    if options.memory_bytes is not None and options.memory_bytes > capacity.memory << 20:
        asked = math.ceil(options.memory_bytes / 2**20)
        return f"a replication may take {asked:,} MB of memory, and a function has {capacity.memory:,} MB"
    return ""


def wanted_compute(record: RunRecord, capacity: Capacity, queues: Queues, seconds: float | None) -> str:
    """Where the next round is performed. Raises RequestError where what was asked for is not there."""
    asked = compute_of(record)
    if asked in (None, "lambda"):
        beyond = "" if asked else passes_functions(record, capacity, seconds)
        return "batch" if beyond and queues.batch else "lambda"
    if not queues.of(str(asked)):
        raise RequestError(f"--aws-compute {asked}: the stack has no AWS Batch; {HOW_TO_HAVE}")
    return str(asked)


HOW_TO_HAVE = "give it that with: replicast aws deploy --package image --batch"


def array_batch_size(missing: int, *, seconds: float | None, size: TaskSize) -> int:
    """Replications of one task: about TASK_SECONDS of work, and no more tasks than an array has children.

    While nothing is known of their length there are TASKS_AT_ONCE tasks: who asks for them has long replications.
    """
    share = math.ceil(missing / TASKS_AT_ONCE) if seconds is None else math.floor(TASK_SECONDS / max(seconds, 1e-6))
    return max(1, math.ceil(missing / MOST_CHILDREN), min(max(share, 1) * size.processes, missing))


def attempt_seconds(batch: int, size: TaskSize, seconds: float | None, timeout: float | None) -> int:
    """After how long a task is ended: thrice what it should take, so that one that hangs does not run for ever."""
    known = timeout if timeout is not None else (None if seconds is None else 3 * seconds)
    if known is None:
        return DAY
    return int(min(MOST_SECONDS, max(LEAST_SECONDS, math.ceil(batch / size.processes) * known + 300)))


def job_name(execution: str, number: int) -> str:
    """Up to 128 letters, digits, '-' and '_', one of the first two first."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", f"r-{execution}-{number}")[:128]
