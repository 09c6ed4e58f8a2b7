"""Accounts in which few functions run at once: 1,000 replications of 600 s, with the state machine's own numbers.

New accounts have a quota of 10 where AWS publishes 1,000: "New AWS accounts have reduced concurrency and memory
quotas" (docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html), as in
github.com/aws-samples/one-observability-demo/issues/278.
"""

from __future__ import annotations

import heapq
import itertools
import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from replicast.aws.limits import Capacity
from replicast.aws.rounds import Loss, Round, next_round, of_functions
from replicast.aws.stack import state_machine
from replicast.core.replication import Batch

SECONDS, REPLICATIONS = 600.0, 1000
THROTTLED = "Lambda.TooManyRequestsException"
Others = Callable[[float], int]


def perform_state() -> dict[str, object]:
    found: dict[str, object] = json.loads(state_machine())["States"]["Simulate"]["ItemProcessor"]["States"]["Perform"]
    return found


@dataclass
class Account:
    """Step Functions and Lambda as far as they matter here: a map, its children's retries, and functions at once."""

    quota: int
    others: Others = lambda _time: 0
    now: float = 0.0
    throttled: int = 0
    transitions: int = 0
    stored: set[int] = field(default_factory=set)
    luck: random.Random = field(default_factory=lambda: random.Random(1))

    def perform(self, batches: list[Batch], width: int) -> set[Batch]:
        """Carries out a map; returns the batches that began."""
        (retry,) = (one for one in perform_state()["Retry"] if one["ErrorEquals"] == [THROTTLED])  # type: ignore[attr-defined]
        waiting, running, begun = list(reversed(batches)), 0, set[Batch]()
        events, number = list[tuple[float, int, str, Batch, int]](), itertools.count()

        def put(delay: float, what: str, batch: Batch, tries: int) -> None:
            heapq.heappush(events, (self.now + delay, next(number), what, batch, tries))

        def start() -> None:
            if waiting:
                put(0.0, "invoke", waiting.pop(), 0)

        for _ in range(width):
            start()
        while events:
            self.now, _, what, batch, tries = heapq.heappop(events)
            if what == "ended":
                running -= 1
                self.stored.update(range(batch.first, batch.last + 1))
                start()
            elif running + self.others(self.now) < self.quota:
                self.transitions += 1
                running += 1
                begun.add(batch)
                put(SECONDS * len(batch), "ended", batch, 0)
            elif tries < retry["MaxAttempts"]:
                self.transitions += 1
                self.throttled += 1
                longest = min(retry["MaxDelaySeconds"], retry["IntervalSeconds"] * retry["BackoffRate"] ** tries)
                put(self.luck.uniform(0.0, longest), "invoke", batch, tries + 1)
            else:
                start()
        return begun


def carried_out(account: Account, capacity: Capacity) -> Round:
    """Rounds until nothing is missing; the last of them."""
    current, begun, losses = None, set[Batch](), list[Loss]()
    while True:
        missing = [Batch("base", n, n) for n in range(1, REPLICATIONS + 1) if n not in account.stored]
        if not missing:
            assert current is not None
            return current
        current = next_round(missing, current, losses, begun=begun, cutting=of_functions(capacity, SECONDS), retries=0)
        assert current.given_up == [], f"{len(current.given_up)} recorded as failed that never ran"
        assert current.number < 1000
        begun = account.perform(current.batches, capacity.concurrency)


@pytest.mark.parametrize("quota", [10, 11, 20, 50, 100, 150, 200, 300])
def test_every_replication_is_had_in_one_round_and_hardly_a_request_is_throttled(quota: int) -> None:
    account, capacity = Account(quota), Capacity(concurrency=1000).within(quota)
    assert carried_out(account, capacity).number == 1
    assert capacity.concurrency <= quota - 2
    assert account.throttled < 0.05 * account.transitions
    assert account.now == math.ceil(REPLICATIONS / capacity.concurrency) * SECONDS


@pytest.mark.long
@pytest.mark.parametrize("quota", [10, 50, 100, 200, 300])
def test_where_the_quota_is_not_known_rounds_go_on_and_nothing_that_never_ran_is_recorded_as_failed(quota: int) -> None:
    account = Account(quota)
    assert carried_out(account, Capacity(concurrency=1000)).number > 1
    assert len(account.stored) == REPLICATIONS


def test_another_application_that_takes_the_account_for_two_hours_costs_time_and_no_replication() -> None:
    account = Account(100, others=lambda time: 100 if 3600 < time < 3 * 3600 else 0)
    carried_out(account, Capacity(concurrency=1000).within(100))
    assert len(account.stored) == REPLICATIONS
    assert account.now > 2 * 3600 + math.ceil(REPLICATIONS / 98) * SECONDS - SECONDS
