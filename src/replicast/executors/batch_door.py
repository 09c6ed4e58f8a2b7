"""The door of anything that can start a process: performs one batch of a run, and ends.

    python -P -m replicast.executors.batch_door RUN ROUND TASK [--workers W]

`ROUND` is a document of the run that lists batches, of which this process performs number `TASK`, from 0. The store's
URL, which may hold a password, comes in the environment as REPLICAST_STORE_URL. What keeps it from performing anything
is left beside the round for the conductor, as one sentence.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType

from replicast.core.errors import ExecutorError, ReplicastError
from replicast.core.ports import JobState, Store, Work
from replicast.core.record import RunRecord
from replicast.core.replication import Batch
from replicast.core.version import __version__
from replicast.stores import open_store
from replicast.stores.records import read_record

from .pool import Pool

STORE_VARIABLE = "REPLICAST_STORE_URL"
POLL_SECONDS = 0.2
log = logging.getLogger("replicast.batch_door")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="batch_door")
    parser.add_argument("run")
    parser.add_argument("round")
    parser.add_argument("task", type=int)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--worker", default="")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        store = open_store(os.environ.pop(STORE_VARIABLE), reached=True)
    except ReplicastError as error:  # of which no word can be left in the store
        log.error("%s: %s", type(error).__name__, error)  # noqa: TRY400 - a sentence for a person, and no traceback
        return error.exit_code
    try:
        return _perform(store, given)
    except KeyboardInterrupt:
        log.info("asked to stop: what was simulated is stored")
        return 130
    except ReplicastError as error:
        log.error("%s: %s", type(error).__name__, error)  # noqa: TRY400 - a sentence for a person, and no traceback
        note_trouble(store, given.run, given.round, given.task, error)
        return error.exit_code


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _perform(store: Store, given: argparse.Namespace) -> int:
    record, batch = read_record(store, given.run), read_round(store, given.run, given.round)[given.task]
    worker = given.worker or f"{platform.node()}/"
    log.info("run %s, batch %d: scenario '%s', replications %d to %d, %d at once, on %s", given.run, given.task,
             batch.scenario, batch.first, batch.last, given.workers, platform.node())  # fmt: skip
    with Pool(None, record.experiment, workers=given.workers, worker=worker) as pool:
        work = Work.of(record, store)
        pool.check_out(work)
        refuse_another_environment(record, pool.describe().versions)
        job = pool.start(work, [batch])
        try:
            while job.poll(POLL_SECONDS) is JobState.RUNNING:
                for saved in job.progress():
                    log.info("stored %d to %d, %d failed", saved.batch.first, saved.batch.last, saved.failed)
        except KeyboardInterrupt:
            job.cancel()
            raise
    log.info("the batch is stored")
    return 0


def refuse_another_environment(record: RunRecord, loaded: Mapping[str, str]) -> None:
    """Raises ExecutorError where this machine would simulate with other versions than the run began with."""
    here = {"replicast": __version__, "python": platform.python_version(), **loaded}
    other = [f"{name} {here[name]} and not {version}" for name, version in record.versions.items()
             if here.get(name, version) != version]  # fmt: skip
    if other:
        raise ExecutorError(
            f"{platform.node()} has {', '.join(other)}, with which run {record.id} began: "
            "numbers of both are not one run's; have the same there as here"
        )


def write_round(store: Store, run: str, name: str, batches: Sequence[Batch]) -> None:
    store.write(run, name, json.dumps([[b.scenario, b.first, b.last] for b in batches]).encode())


def read_round(store: Store, run: str, name: str) -> list[Batch]:
    content = store.read(run, name)
    if content is None:
        raise ExecutorError(f"'{name}' of run {run} is gone from the store: this batch cannot be performed")
    return [Batch(*one) for one in json.loads(content)]


def note_trouble(store: Store, run: str, name: str, task: int, error: ReplicastError) -> None:
    """Leaves word for the conductor of what kept a batch from being performed."""
    note = {"error": type(error).__name__, "message": str(error), "host": platform.node()}
    store.write(run, f"{trouble_of(name)}/{task}.json", json.dumps(note).encode())


def trouble_of(name: str) -> str:
    """Where the notes of a round's troubles are."""
    return name.removesuffix(".json") + "-trouble"


def read_trouble(store: Store, run: str, name: str) -> list[dict[str, str]]:
    found = [store.read(run, one) for one in store.documents(run, trouble_of(name))]
    return [json.loads(content) for content in found if content is not None]


if __name__ == "__main__":
    raise SystemExit(main())
