"""The conductor in the cloud: what `conductor.py` keeps in memory at home lies here in the run's store, between rounds.

<run>/cloud/<execution>/rounds/000001.json     the items of a round, as the Distributed Map reads them
<run>/cloud/<execution>/state/000001.json      what that round has to remember of earlier ones
<run>/cloud/<execution>/begun/1/17             a function began with item 17 of round 1: only then is its absence a try
<run>/cloud/<execution>/lost/1/17.json         why item 17 of round 1 has no answer, as Step Functions wrote it down
<run>/cloud/<execution>/order.json             batches to be performed although stored, for `--retry-failed`
<run>/cloud/job.json                           the execution that conducts the run, or did last
<run>/cloud/hint.json                          seconds that a replication took at home, if it was tried
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, Literal

import numpy as np

from replicast.conducting.cancelling import CANCEL
from replicast.conducting.questions import Standing, ask, hopeless, rule_of
from replicast.core.planning import cut
from replicast.core.ports import Store
from replicast.core.record import NAME, RunRecord
from replicast.core.replication import Batch, Failure, Outcome

from .arrays import (
    ARRAY_SECONDS,
    MOST_CHILDREN,
    ArrayJob,
    Queues,
    array_batch_size,
    attempt_seconds,
    job_name,
    task_size,
    wanted_compute,
)
from .limits import Capacity
from .rounds import (
    MOST_ROUNDS_WITHOUT_PROGRESS,
    Cutting,
    GivenUp,
    Loss,
    Round,
    items_of,
    next_round,
    of_functions,
    without_result,
)

FOLDER = "cloud"
HINT, JOB = f"{FOLDER}/hint.json", f"{FOLDER}/job.json"
READERS = 32
"""Requests to the store at once, where each is of one small object."""

PARTS_READ = 200
"""Of so many parts, spread over the scenarios, is read how long replications take: each is a request or two."""


OURS = ("ModelError", "RequestError", "ParameterError", "SourceDamaged")
"""Errors of a function that say the run cannot go on, whatever is tried."""

Next = Literal["simulate", "array", "collate", "stop"]


@dataclass(frozen=True, slots=True)
class Order:
    """What the state machine asks to be planned: a run, for which execution, after which round (0: none).

    `ended` is why the array job of that round failed, if it did.
    """

    run: str
    execution: str
    round: int
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes next. `error` and `cause` are for the console where the run has to stop."""

    run: str
    execution: str
    round: int
    next: Next
    items: str = ""
    batches: int = 0
    missing: int = 0
    concurrency: int = 1
    task_seconds: int = 960
    error: str = ""
    cause: str = ""
    array: ArrayJob | None = None

    def to_json(self, *, bucket: str, prefix: str) -> dict[str, Any]:
        content = {name: getattr(self, name) for name in self.__slots__}
        content["array"] = {} if self.array is None else self.array.to_json()
        return content | {"bucket": bucket, "prefix": prefix, "items": f"{prefix}/{self.run}/{self.items}"}


class Cloud:
    def __init__(self, store: Store, record: RunRecord, capacity: Capacity, queues: Queues | None = None) -> None:
        self.store, self.record, self.capacity, self.queues = store, record, capacity, queues or Queues()
        self._planned: dict[str, int] = {}
        self._standing = Standing({}, (), 0)

    def answer(self, order: Order) -> Answer:
        """Raises StoreError. Asked twice for the same round, it gives the same answer if the same is stored."""
        if self.store.read(order.run, CANCEL) is not None:
            return self._stop(order, "RunCancelled", f"run {order.run} was cancelled; what was simulated is stored")
        before = self._round(order)
        anew = self._anew(order) if before is None else []
        batches = self._missing()
        if not batches and not anew:
            return self._collate(order)
        begun, losses = self._fate(order, before, batches)
        if why := self._cannot_go_on(order, before, losses):
            return why
        seconds = self._seconds()
        compute = wanted_compute(self.record, self.capacity, self.queues, seconds)
        cutting = self._cutting(compute, seconds)
        following = next_round(batches, before, losses, begun=begun, cutting=cutting, retries=self._retries)
        following.batches += cut(anew, cutting.size(sum(map(len, anew))))
        self._give_up(following.given_up)
        if not following.batches:
            return self._collate(order) if not self._missing() else self.answer(order)
        return self._write(order, following, compute, seconds)

    @property
    def _retries(self) -> int:
        return self.record.options.retries

    def _cutting(self, compute: str, seconds: float | None) -> Cutting:
        """How large batches are, and how many a round has, where they are performed."""
        if compute == "lambda":
            return of_functions(self.capacity, seconds)
        size = task_size(self.record.options.memory_bytes)
        return Cutting(partial(array_batch_size, seconds=seconds, size=size), MOST_CHILDREN)

    def _write(self, order: Order, following: Round, compute: str, seconds: float | None) -> Answer:
        items = rounds_document(order.execution, following.number)
        self._put(f"{FOLDER}/{order.execution}/state/{following.number:06d}.json", following.to_json())
        self._put(items, items_of(following.batches))
        answer = Answer(
            order.run, order.execution, following.number, "simulate", items, len(following.batches),
            sum(map(len, following.batches)), self.capacity.concurrency, self.capacity.function_seconds + 60,
        )  # fmt: skip
        return answer if compute == "lambda" else self._as_array(answer, following, compute, seconds)

    def _as_array(self, answer: Answer, following: Round, compute: str, seconds: float | None) -> Answer:
        """The same round for an array job: its children read the same items."""
        size, options = task_size(self.record.options.memory_bytes), self.record.options
        longest = attempt_seconds(max(map(len, following.batches)), size, seconds, options.timeout_seconds)
        job = ArrayJob(
            job_name(answer.execution, answer.round), self.queues.of(compute), self.queues.definition,
            str(size.processors), str(size.megabytes), str(size.processes), longest,
        )  # fmt: skip
        return replace(answer, next="array", array=job, task_seconds=ARRAY_SECONDS)

    def _collate(self, order: Order) -> Answer:
        """Nothing is missing. A run until precise learns now how many replications that was."""
        if self.record.options.adaptive:
            self.store.write(order.run, NAME, replace(self.record, planned=self._planned).to_json())
        return Answer(order.run, order.execution, order.round, "collate")

    def _stop(self, order: Order, error: str, cause: str) -> Answer:
        return Answer(order.run, order.execution, order.round, "stop", error=error, cause=cause)

    def _missing(self) -> list[Batch]:
        self._standing = standing = ask(self.record, self.store, rule_of(self.record))
        self._planned = dict(standing.planned)
        return list(standing.missing)

    def _cannot_go_on(self, order: Order, before: Round | None, losses: list[Loss]) -> Answer | None:
        failed, done = self._standing.failed, self._standing.done
        if before is not None and hopeless(failed, done):
            return self._stop(order, "AllReplicationsFailed", f"all {failed} replications that were tried failed; see: "
                              f"replicast failures {order.run} --store {self.store.label}")  # fmt: skip
        fatal = next((loss for loss in losses if ours(loss)), None)
        if fatal is not None:
            return self._stop(order, ours(fatal), fatal.cause[:10_000])
        if before is not None and before.idle >= MOST_ROUNDS_WITHOUT_PROGRESS + self.record.options.retries:
            why = f"{losses[0].error}: {losses[0].cause}" if losses else order.ended or "no word was left of why"
            return self._stop(order, "NothingWasStored", f"{before.idle + 1} rounds stored nothing; {why}"[:10_000])
        return None

    def _seconds(self) -> float | None:
        """What a slow replication takes: the 90 % quantile of those stored, else what was measured at home."""
        names = [scenario.name for scenario in self.record.experiment.scenarios]
        sampled = names[:: math.ceil(len(names) / PARTS_READ)]
        each = PARTS_READ // len(sampled)
        with ThreadPoolExecutor(READERS) as readers:
            seconds = [value for found in readers.map(partial(self._seconds_of, each), sampled) for value in found]
        if seconds:
            return float(np.quantile(seconds, 0.9))
        hint = self._get(HINT)
        return None if hint is None else hint["seconds"]

    def _seconds_of(self, parts: int, scenario: str) -> list[float]:
        chunks = islice(self.store.ledger(self.record.id, scenario), parts)
        return [value for chunk in chunks for value in chunk.column("seconds").to_pylist()]

    def _anew(self, order: Order) -> list[Batch]:
        given = self._get(order_document(order.execution))
        return [] if given is None else [Batch(**item) for item in given["anew"]]

    def _round(self, order: Order) -> Round | None:
        if not order.round:
            return None
        where = f"{FOLDER}/{order.execution}"
        state = self._get(f"{where}/state/{order.round:06d}.json")
        items = self._get(rounds_document(order.execution, order.round))
        return None if state is None or items is None else Round.from_json(state, items)

    def _fate(self, order: Order, before: Round | None, missing: list[Batch]) -> tuple[set[Batch], list[Loss]]:
        """Of the batches of the round before that stored nothing: those that began, and why they have no answer."""
        if before is None:
            return set(), []
        stuck = dict.fromkeys(without_result(missing, before))
        began, noted = (
            {int(name.rpartition("/")[2].partition(".")[0]): name for name in self.store.documents(order.run, prefix)}
            for prefix in (begun_folder(order.execution, order.round), lost_folder(order.execution, order.round))
        )
        names = [(at, noted[at]) for at in stuck if at in noted]
        with ThreadPoolExecutor(READERS) as readers:
            notes = readers.map(self._get, [name for _, name in names])
            losses = [_loss(before.batches[at], note) for (at, _), note in zip(names, notes, strict=True)]
        return {before.batches[at] for at in stuck if at in began}, losses

    def _give_up(self, given_up: list[GivenUp]) -> None:
        """Records as failed what no function could have. These are the only outcomes that no worker wrote."""
        for one in given_up:
            failure = Failure(one.kind, one.type, one.message)
            tries = self.record.options.retries + 1
            outcome = Outcome(one.scenario, one.replication, 0.0, failure=failure, worker="aws/plan", attempt=tries)
            self.store.save(self.record.id, [outcome])

    def _get(self, name: str) -> Any:
        content = self.store.read(self.record.id, name)
        return None if content is None else json.loads(content)

    def _put(self, name: str, content: Any) -> None:
        self.store.write(self.record.id, name, json.dumps(content).encode())


def ours(loss: Loss) -> str:
    """The name of our error that a function ended with, if it did; Lambda's own name for it depends on the runtime."""
    return next((name for name in OURS if loss.error == name or loss.cause.startswith(f"{name}: ")), "")


def begun_folder(execution: str, number: int) -> str:
    return f"{FOLDER}/{execution}/begun/{number}"


def lost_folder(execution: str, number: int) -> str:
    """As the state machine spells it too."""
    return f"{FOLDER}/{execution}/lost/{number}"


def rounds_document(execution: str, number: int) -> str:
    """The items of a round, for the map as for the children of an array job."""
    return f"{FOLDER}/{execution}/rounds/{number:06d}.json"


def order_document(execution: str) -> str:
    return f"{FOLDER}/{execution}/order.json"


def _loss(batch: Batch, note: Mapping[str, Any] | None) -> Loss:
    error = {} if note is None else note["error"]
    return Loss(batch, error.get("Error", ""), _readable(error.get("Cause", "")))


def _readable(cause: str) -> str:
    """Lambda gives its cause as JSON: of that, the message."""
    try:
        found = json.loads(cause)
    except ValueError:
        return cause
    if isinstance(found, Mapping) and "errorMessage" in found:
        return f"{found['errorMessage']}"
    return cause
