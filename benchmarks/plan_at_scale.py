"""How long Plan takes for a run of many parts in a bucket: `python benchmarks/plan_at_scale.py`.

The bucket is in memory; every request to it, and every thousand names of a listing, waits as a request to S3 does.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import obstore
from obstore.store import MemoryStore

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request
from replicast.aws.cloud import Cloud, Order
from replicast.aws.limits import Capacity
from replicast.core.record import RunRecord
from replicast.core.replication import Failure, Outcome
from replicast.core.scenarios import Scenario
from replicast.stores.objects import ObjectStore


class SlowBucket(ObjectStore):
    """Counts its requests, each of which takes `seconds` once `slow`."""

    def __init__(self, seconds: float) -> None:
        super().__init__("s3://bucket/runs")
        self._objects = MemoryStore()
        self.seconds, self.slow, self.requests = seconds, False, 0
        self._lock = threading.Lock()

    def wait(self) -> None:
        with self._lock:
            self.requests += 1
        if self.slow:
            time.sleep(self.seconds)

    def _call(self, operation: Any, *arguments: Any, **options: Any) -> Any:
        self.wait()
        return super()._call(operation, *arguments, **options)

    def _list(self, prefix: str) -> Iterator[tuple[str, int]]:
        for page in obstore.list(self.objects, prefix, chunk_size=1000):
            self.wait()
            yield from ((item["path"], item["size"]) for item in page)


def outcomes(scenario: str, first: int, size: int, *, failing: bool) -> list[Outcome]:
    failure = Failure("error", "ValueError", "it failed")
    return [
        Outcome(scenario, number, 1.0, failure=failure) if failing and number == first
        else Outcome(scenario, number, 1.0, {"value": float(number)})
        for number in range(first, first + size)
    ]  # fmt: skip


def filled(store: SlowBucket, run: str, scenarios: Sequence[str], parts: int, size: int, failing: float) -> None:
    """Every part is saved as a worker saves it; in a share of them, `failing`, one replication failed."""
    for number, scenario in enumerate(scenarios):
        every = round(1 / failing) if failing else 0
        for part in range(parts):
            fails = bool(every) and (number * parts + part) % every == 0
            store.save(run, outcomes(scenario, part * size + 1, size, failing=fails))


def record_of(model: str, scenarios: int, replications: int) -> RunRecord:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.py"
        path.write_text(model, encoding="utf-8")
        with Preparation(Request(model=str(path), replications=replications), store_url=folder) as made:
            record = made.drawn_up()
    named = tuple(Scenario(f"scenario {index}", {}, index) for index in range(scenarios))
    return replace(record, experiment=replace(record.experiment, scenarios=named))


def measured(scenarios: int, parts: int, milliseconds: float, failing: float) -> tuple[float, int]:
    """Seconds and requests of the plan of a round, where all but the last part of each scenario is stored."""
    size = 2
    record = record_of("def simulate():\n    return 1.0\n", scenarios, (parts + 1) * size)
    store = SlowBucket(milliseconds / 1000)
    filled(store, record.id, [s.name for s in record.experiment.scenarios], parts, size, failing)
    store.slow, store.requests = True, 0
    started = time.perf_counter()
    answer = Cloud(store, record, Capacity()).answer(Order(record.id, "execution", 0))
    seconds = time.perf_counter() - started
    assert answer.next == "simulate"
    assert answer.missing == scenarios * size
    return seconds, store.requests


def read_through(scenarios: int, parts: int, milliseconds: float) -> tuple[float, int]:
    """Seconds and requests of reading the metrics of such a run as Collate does, once."""
    record = record_of("def simulate():\n    return 1.0\n", scenarios, 2 * parts)
    store = SlowBucket(milliseconds / 1000)
    filled(store, record.id, [s.name for s in record.experiment.scenarios], parts, 2, 0.0)
    store.slow, store.requests = True, 0
    started = time.perf_counter()
    rows = sum(
        chunk.num_rows for s in record.experiment.scenarios for chunk in store.rows(record.id, "metrics", s.name)
    )
    assert rows == 2 * parts * scenarios
    return time.perf_counter() - started, store.requests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenarios", type=int, default=200)
    parser.add_argument("--parts", type=int, default=500, help="of each scenario")
    parser.add_argument("--milliseconds", type=float, default=25.0, help="of a request")
    parser.add_argument("--failing", type=float, default=0.0, help="share of parts in which a replication failed")
    parser.add_argument("--read", action="store_true", help="read the metrics instead, as Collate does")
    given = parser.parse_args()
    if given.read:
        seconds, requests = read_through(given.scenarios, given.parts, given.milliseconds)
        print(f"{given.scenarios} scenarios x {given.parts} parts:")
        print(f"metrics read in {seconds:.1f} s with {requests:,} requests of {given.milliseconds:g} ms")
        return
    seconds, requests = measured(given.scenarios, given.parts, given.milliseconds, given.failing)
    print(f"{given.scenarios} scenarios x {given.parts} parts, {given.failing:.0%} with a failure:")
    print(f"planned in {seconds:.1f} s with {requests:,} requests of {given.milliseconds:g} ms")


if __name__ == "__main__":
    main()
