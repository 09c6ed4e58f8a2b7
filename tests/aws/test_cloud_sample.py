"""How much of a large run is read before each round to learn how long a replication takes."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest

from replicast.aws.cloud import PARTS_READ, Cloud
from replicast.aws.limits import Capacity


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
