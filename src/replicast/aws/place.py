"""AWS as a place: the stack's state machine conducts the run, and this process starts it and looks on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from replicast.conducting.cancelling import mark_cancelled
from replicast.conducting.conductor import Redo, conduct
from replicast.conducting.presence import someone_at_work
from replicast.core.ports import Store
from replicast.core.progress import AtWork, Conclusion, Watch
from replicast.core.record import RunRecord
from replicast.places.kinds import AtHand

from .access import Aws
from .arrays import wanted_compute
from .commands import conducting_store, machine_of, store_of, unreserved_of
from .database import DatabaseStack
from .database_runs import DatabaseRuns
from .estimate import Estimate, estimate, keep_hint
from .piloting import most_in_all, pilot_of
from .stack import DEFAULT_STACK, Stack, StackState, stack_url
from .step_functions import StateMachine, at_work, cancel_run, capacity_of, queues_of
from .ways import check_way, ways

PILOT = 5


class AwsPlace:
    """Fulfils `core.ports.Place`."""

    goes_on = True

    def __init__(self, stack: str, max_cost: float | None, at_hand: AtHand) -> None:
        self.name, self._stack, self._max_cost, self._at_hand = stack_url(stack), stack, max_cost, at_hand
        self._usual_seconds: float | None = None

    @cached_property
    def aws(self) -> Aws:
        return Aws()

    @cached_property
    def state(self) -> StackState:
        """Raises RequestError where there is no such stack."""
        return Stack(self.aws, self._stack).require()

    def store(self) -> Store:
        return store_of(self.aws, self.state)

    def check(self, record: RunRecord, store: Store) -> None:
        machine_of(self.aws, record, store)
        if self._max_cost is not None and self._at_hand.pool is not None:
            self._check_cost(record, self._max_cost)

    def _check_cost(self, record: RunRecord, limit: float) -> None:
        """Simulates a few replications here, and throws them away: nothing of them comes to the run's store."""
        assert self._at_hand.pool is not None
        wanted = most_in_all(record)
        pilot = pilot_of(self._at_hand.pool, record, PILOT)
        found: Estimate = estimate(
            pilot, wanted, capacity=capacity_of(self.state), region=self.aws.region,
            architecture=self.state.parameters.get("Architecture", "arm64"),
            scratch_megabytes=int(self.state.parameters.get("Scratch", 2048)),
            collate_megabytes=int(self.state.parameters.get("CollateMemory", 3008)),
            unreserved=unreserved_of(self.aws), database=self._database_size(),
        )  # fmt: skip
        compute = wanted_compute(record, capacity_of(self.state), queues_of(self.state), pilot.slow)
        way = check_way(ways(pilot, found), compute, limit)
        self._usual_seconds = pilot.usual
        self._at_hand.tell(
            f"about ${way.dollars:.2f} on AWS (${limit:g} allowed) and {math.ceil(way.wall_seconds)} s, "
            f"by a pilot of {len(pilot.seconds)} replications here"
        )

    def _database_size(self) -> str:
        """The class of the instance that results go to, as far as replicast made it."""
        return DatabaseStack(self.aws, self._stack).state().outputs.get("Size", "") if self.state.database_label else ""

    def conduct(self, record: RunRecord, store: Store, watch: Watch, redo: Redo | None = None) -> Conclusion:
        machine = self._machine(record, store)
        return conduct(record, machine.store, machine.start, watch, place=self.name, redo=redo)

    def leave(self, record: RunRecord, store: Store) -> str:
        """Starts the execution, which conducts the run to its end; returns its ARN."""
        return self._machine(record, store).leave().id

    def _machine(self, record: RunRecord, store: Store) -> StateMachine:
        """The state machine, with all that it has to know of the run where it looks for it."""
        machine = machine_of(self.aws, record, store)
        if isinstance(machine.store, DatabaseRuns) and machine.store is not store:
            machine.store.publish(record.id)
        if self._usual_seconds is not None:
            keep_hint(machine.store, record.id, self._usual_seconds)
        return machine

    def at_work(self, record: RunRecord, store: Store) -> AtWork | None:
        here = someone_at_work(store, record.id)
        if here is not None:
            return here
        facts = at_work(self.aws, conducting_store(self.aws, record, store), record.id)
        return None if facts is None else AtWork(str(facts["execution"]), facts)

    def cancel(self, record: RunRecord, store: Store) -> None:
        mark_cancelled(store, record.id)
        cancel_run(self.aws, conducting_store(self.aws, record, store), record.id)


def open_place(address: str, options: Mapping[str, Any], at_hand: AtHand) -> AwsPlace:
    return AwsPlace(address or options.get("stack") or DEFAULT_STACK, options.get("max_cost"), at_hand)
