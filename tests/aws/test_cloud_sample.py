"""How much of a large run is read before each round to learn how long a replication takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest
from obstore.store import MemoryStore

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request
from replicast.aws.cloud import PARTS_READ, Cloud, Order
from replicast.aws.limits import Capacity
from replicast.core.replication import Failure, Outcome
from replicast.stores.objects import ObjectStore


class Endless:
    """A store whose scenarios have parts without end, and which counts those that are read."""

    def __init__(self) -> None:
        self.read: dict[str, int] = {}

    def ledger(self, _run: str, scenario: str) -> Iterator[Any]:
        while True:
            self.read[scenario] = self.read.get(scenario, 0) + 1
            yield pa.table({"seconds": [3.0]})


@pytest.mark.parametrize(
    ("scenarios", "looked_at"), [(1, 1), (40, 40), (199, 199), (200, 200), (201, 101), (5000, 200)]
)
def test_a_bounded_sample_of_all_scenarios_is_read_however_many_parts_there_are(scenarios: int, looked_at: int) -> None:
    store = Endless()
    names = [SimpleNamespace(name=str(number)) for number in range(scenarios)]
    record = SimpleNamespace(id="run", experiment=SimpleNamespace(scenarios=names))
    assert Cloud(cast(Any, store), cast(Any, record), Capacity())._seconds() == 3.0
    assert len(store.read) == looked_at
    assert sum(store.read.values()) <= PARTS_READ


class Bucket(ObjectStore):
    """In memory; it counts listings of parts, and how many requests were under way at once."""

    def __init__(self) -> None:
        super().__init__("s3://bucket/runs")
        self._objects = MemoryStore()
        self.listings, self.under_way, self.peak = 0, 0, 0
        self._lock = threading.Lock()

    def _call(self, operation: Any, *arguments: Any, **options: Any) -> Any:
        with self._lock:
            self.under_way += 1
            self.peak = max(self.peak, self.under_way)
        time.sleep(0.002)
        try:
            return super()._call(operation, *arguments, **options)
        finally:
            with self._lock:
                self.under_way -= 1

    def _list(self, prefix: str) -> Iterator[tuple[str, int]]:
        self.listings += prefix.endswith("/parts")
        return super()._list(prefix)


def test_a_plan_lists_the_parts_once_and_reads_what_it_must_of_them_several_at_a_time(
    write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = write_model("def simulate():\n    return 1.0\n")
    with Preparation(Request(model=str(model), replications=41), store_url=str(tmp_path)) as made:
        record = made.drawn_up()
    store, failure = Bucket(), Failure("error", "ValueError", "it failed")
    for first in range(1, 41, 2):
        failed = Outcome("base", first + 1, 1.0, failure=failure)
        store.save(record.id, [Outcome("base", first, 1.0, {"value": 1.0}), failed])
    store.listings, store.peak = 0, 0
    answer = Cloud(store, record, Capacity()).answer(Order(record.id, "execution", 0))
    assert (answer.next, answer.missing) == ("simulate", 1)
    assert store.listings == 1
    assert store.peak > 4
