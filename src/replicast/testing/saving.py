"""A process that saves one batch after the other until it is killed: `python -m replicast.testing.saving URL RUN`."""

from __future__ import annotations

import sys

from arro3.core import Array, DataType, Table

from replicast.core.replication import Outcome
from replicast.stores import open_store

from .stores import BATCH, ROWS


def save_on(url: str, run: str) -> None:
    """Says the last replication of each batch once the batch is saved."""
    store = open_store(url)
    table = Table.from_pydict({
        "x": Array([i / 7 for i in range(ROWS)], DataType.float64()),
        "name": Array([f"patient {i}" for i in range(ROWS)], DataType.utf8()),
    })  # fmt: skip
    last = max((end for _, end in store.coverage(run).ok("base")), default=0)
    while True:
        numbers = range(last + 1, last + BATCH + 1)
        store.save(run, [Outcome("base", i, 0.1, {"value": i / 3}, {"patients": table}) for i in numbers])
        last += BATCH
        print(last, flush=True)


if __name__ == "__main__":
    save_on(*sys.argv[1:3])
