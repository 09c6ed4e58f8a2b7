"""A task on Fargate: `python -P -m replicast.aws.task`, a child of an array job of AWS Batch.

It performs the item of its index in the round's file, which the children of the map read too. What comes between, a
SIGTERM as Fargate Spot sends it two minutes ahead or an error of ours, is noted where the map's children note it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import FrameType
from typing import Any, NoReturn

from replicast.core.errors import ReplicastError, StoreError
from replicast.core.planning import gaps, merge
from replicast.core.ports import Store
from replicast.core.replication import Batch
from replicast.stores.objects import ObjectStore
from replicast.stores.records import read_record

from .cloud import begun_folder, lost_folder, rounds_document
from .functions import RUNS, bucket_url, named
from .performing import Performer

DONE, FAILED, ENDED = 0, 1, 128 + signal.SIGTERM
INTERRUPTED = "Batch.TaskInterrupted"
OVERLONG = "give it longer with --timeout, or run it where nothing ends it: --on local"


class Interrupted(BaseException):
    """The task was asked to end."""


@dataclass(frozen=True, slots=True)
class Item:
    """Which batch of which round is to be performed. A plain job has no index: its round has one item."""

    run: str
    execution: str
    round: int
    index: int

    @classmethod
    def from_environment(cls, given: Mapping[str, str]) -> Item:
        return cls(
            given["REPLICAST_RUN"], given["REPLICAST_EXECUTION"], int(given["REPLICAST_ROUND"]),
            int(given.get("AWS_BATCH_JOB_ARRAY_INDEX", "0")),
        )  # fmt: skip

    def batch(self, store: Store) -> Batch:
        content = store.read(self.run, rounds_document(self.execution, self.round))
        if content is None:
            raise StoreError(f"the items of round {self.round} are gone from '{store.label}'")
        return Batch(**json.loads(content)[self.index])

    def note_loss(self, store: Store, batch: Batch, error: str, cause: str) -> None:
        """Why there is no answer, as the state machine writes it of a function."""
        note = {"batch": asdict(batch), "error": {"Error": error, "Cause": cause}}
        store.write(self.run, f"{lost_folder(self.execution, self.round)}/{self.index}.json", json.dumps(note).encode())


def perform(item: Item, store: Store, *, processes: int, seconds: float) -> int:
    """Performs what of the item is not stored; returns an exit status."""
    started, batch = time.monotonic(), item.batch(store)
    store.write(item.run, f"{begun_folder(item.execution, item.round)}/{item.index}", b"")
    performer = Performer(
        store, read_record(store, item.run), processors=processes, worker=f"aws/{name_of_task()}/", advice=OVERLONG
    )
    try:
        for part in missing_of(store, item.run, batch):
            performer.perform(part, lambda: started + seconds - time.monotonic())
        return DONE
    except ReplicastError as error:
        item.note_loss(store, batch, type(error).__name__, str(named(error)))
        print(named(error), file=sys.stderr)
        return FAILED
    except Interrupted:
        item.note_loss(store, batch, INTERRUPTED, "the task was asked to end before it was done, as Fargate Spot does")
        return ENDED
    finally:
        performer.close()


def missing_of(store: Store, run: str, batch: Batch) -> list[Batch]:
    """All of it, but for what an attempt before has stored; all of it again if all is stored: it was asked for anew."""
    done = merge(store.coverage(run).done(batch.scenario))
    before = [(1, batch.first - 1)] if batch.first > 1 else []
    return [Batch(batch.scenario, *r) for r in gaps(batch.last, [*before, *done])] or [batch]


def name_of_task() -> str:
    return os.environ.get("AWS_BATCH_JOB_ID", "task")


def end(_number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Interrupted


def main(given: Mapping[str, Any] = os.environ) -> int:
    signal.signal(signal.SIGTERM, end)
    store = ObjectStore(f"{bucket_url()}/{RUNS}")
    processes, seconds = int(given["REPLICAST_PROCESSES"]), float(given["REPLICAST_TASK_SECONDS"])
    try:
        return perform(Item.from_environment(given), store, processes=processes, seconds=seconds)
    except Interrupted:
        return ENDED
    except ReplicastError as error:
        print(error, file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
