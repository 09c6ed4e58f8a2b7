"""AWS's quotas, kept by hand and dated, and what in a plan would break one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from replicast.core.errors import RequestError

AS_OF = "2026-11"
LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
STATES = "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"


@dataclass(frozen=True, slots=True)
class Quota:
    """A number that AWS publishes. `fixed` ones cannot be raised by asking."""

    value: int
    unit: str
    what: str
    source: str
    fixed: bool = True


QUOTAS: Mapping[str, Quota] = {
    "function_seconds": Quota(900, "s", "a function's timeout", LAMBDA),
    "function_memory": Quota(10_240, "MB", "a function's memory", LAMBDA),
    "least_memory": Quota(128, "MB", "the least memory of a function", LAMBDA),
    "scratch": Quota(10_240, "MB", "a function's /tmp", LAMBDA),
    "least_scratch": Quota(512, "MB", "the least /tmp of a function", LAMBDA),
    "payload": Quota(6 * 1024 * 1024, "bytes", "a request to or answer of a function", LAMBDA),
    "package": Quota(250 * 1024 * 1024, "bytes", "a zip package with its layers, unzipped", LAMBDA),
    "image": Quota(10 * 1024**3, "bytes", "a function's container image, uncompressed", LAMBDA),
    "concurrency": Quota(1_000, "invocations", "functions at once in a region", LAMBDA, fixed=False),
    "state": Quota(256 * 1024, "bytes", "a state's input or output", STATES),
    "events": Quota(25_000, "events", "the history of one execution", STATES),
    "children": Quota(10_000, "executions", "children of a Distributed Map at once", STATES),
    "express_seconds": Quota(300, "s", "an EXPRESS execution", STATES),
}
"""Read from the pages that `source` names, on AS_OF; `docs/explanation/aws-costs.md` says how to check them again."""

CHILD_OUTPUT = "{}"
"""What a child of the map returns. Without ResultWriter Step Functions puts all of them into one array, which may have
no more than a state may hold, whatever the map's ResultPath says: github.com/aws/aws-cdk/issues/24799."""

ITEMS_A_ROUND = 40_000
"""Batches of one round: an item list of some 2.5 MB, and children's outputs of half of what a state may hold."""

RESERVE = 2
"""Functions that a map leaves free for Plan and Collate. They are not reserved in Lambda: an account with a quota of
10 is refused that ("below its minimum value of [10]", github.com/aws-samples/alarm-context-tool/issues/2)."""

EVENTS_A_ROUND = 40
"""Events that one round adds to the history of the conducting execution, rounded up."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a deployed stack can do: seconds and memory of its function, batches at once."""

    function_seconds: int = 900
    memory: int = 1769
    concurrency: int = 1000

    def within(self, unreserved: int | None) -> Capacity:
        """With no more batches at once than an account's unreserved functions leave room for; None is not known."""
        return self if unreserved is None else replace(self, concurrency=width(self.concurrency, unreserved))


def width(asked: int, unreserved: int) -> int:
    """Functions at once of a map, in an account in which so many may run that no function has reserved."""
    return max(1, min(asked, unreserved - RESERVE))


def violations(capacity: Capacity, *, replication_seconds: float | None, rounds: int = 1) -> Iterator[str]:
    """What a run with such replications would break, and what to do about it; nothing if it fits."""
    limit = {name: quota.value for name, quota in QUOTAS.items()}
    if capacity.function_seconds > limit["function_seconds"]:
        yield f"a function may run {limit['function_seconds']} s at most, and {capacity.function_seconds} s is more"
    if not limit["least_memory"] <= capacity.memory <= limit["function_memory"]:
        low, high = limit["least_memory"], limit["function_memory"]
        yield f"a function has {low} to {high} MB of memory, and {capacity.memory} MB is outside"
    if capacity.concurrency > limit["children"]:
        yield f"a Distributed Map runs {limit['children']:,} children at once at most, not {capacity.concurrency:,}"
    if capacity.concurrency < 1:
        yield f"at least one function must run at once, and {capacity.concurrency} is none"
    usable = usable_seconds(capacity.function_seconds)
    if replication_seconds is not None and replication_seconds > usable:
        yield (
            f"a replication takes about {replication_seconds:.0f} s, and a function has {usable:.0f} s for it "
            f"(its timeout of {capacity.function_seconds} s less start and saving); shorten the replication, split it "
            "into a warm-up and a continuation, give the function more memory (which is more processor), or run it "
            "where it may take longer: on AWS Batch (--aws-compute batch), or --on local"
        )
    if rounds * EVENTS_A_ROUND > limit["events"]:
        yield f"{rounds} rounds would fill the history of an execution, which ends at {limit['events']:,} events"


SETTINGS: Mapping[str, tuple[int, int, str]] = {
    "memory": (QUOTAS["least_memory"].value, QUOTAS["function_memory"].value, "MB"),
    "collate_memory": (QUOTAS["least_memory"].value, QUOTAS["function_memory"].value, "MB"),
    "scratch": (QUOTAS["least_scratch"].value, QUOTAS["scratch"].value, "MB"),
    "seconds": (3, QUOTAS["function_seconds"].value, "s"),
    "concurrency": (1, QUOTAS["children"].value, "functions"),
}
"""Between what a stack's settings may be, as its template says too; less than 3 s would leave no time to simulate."""


def check_settings(given: Mapping[str, int | str | None]) -> None:
    """Raises RequestError for a setting that AWS would refuse; None is a setting that was not given."""
    for name, (low, high, unit) in SETTINGS.items():
        value = given.get(name)
        if value is not None and not low <= int(value) <= high:
            raise RequestError(f"--{name.replace('_', '-')} takes {low:,} to {high:,} {unit}, and {value} is outside")


def check_image(size: int) -> None:
    """Raises RequestError for an image of more bytes than a function may have."""
    limit = QUOTAS["image"].value
    if size > limit:
        raise RequestError(
            f"the image has {size / 2**30:.2f} GiB, and a function's may have {limit / 2**30:.0f}; "
            "leave out what the model does not need"
        )


STARTING_SECONDS = 10.0
SAVING_SECONDS = 15.0


def usable_seconds(function_seconds: float) -> float:
    """Seconds of a function's time that replications may have: the rest is for its start and for saving.

    Of a short timeout, a third is kept back at most.
    """
    return function_seconds - min(STARTING_SECONDS + SAVING_SECONDS, function_seconds / 3)
