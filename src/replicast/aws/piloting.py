"""A pilot: a few replications at home, by which a longer run elsewhere is reckoned."""

from __future__ import annotations

import resource
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request
from replicast.core.errors import RequestError
from replicast.core.ports import JobState, Work
from replicast.core.record import RunRecord
from replicast.core.replication import Batch
from replicast.executors.pool import Pool
from replicast.machine.processes import available_cores
from replicast.reporting.rows import Rows
from replicast.reporting.tables import RunTables
from replicast.stores.objects import ObjectStore

from .estimate import Pilot


def pilot_of(pool: Pool, record: RunRecord, size: int) -> Pilot:
    """`size` replications of each scenario by a pool that has the model, in a store that is thrown away.

    Raises RequestError where nothing can be learnt from them.
    """
    wanted = most_wanted(record)
    number = min(size, wanted) if wanted > 1 else size
    with tempfile.TemporaryDirectory(prefix="replicast-") as folder:
        store = ObjectStore(folder)
        batches = [Batch(scenario.name, 1, number) for scenario in record.experiment.scenarios]
        job = pool.start(Work.of(record, store), batches)
        while job.poll(0.1) is JobState.RUNNING:
            pass
        seconds = [s for sc in record.experiment.scenarios for t in store.ledger(record.id, sc.name)
                   for s in t.column("seconds").to_pylist()]  # fmt: skip
        stored = sum(
            p.stat().st_size for p in (Path(folder) / record.id).rglob("*") if p.is_file() and "parts" in p.parts
        )
        tables = len(RunTables(store, record).names) - 1
        failed = Rows.of_failures(store, record).to_dicts()
    if seconds and len(failed) == len(seconds):
        raise RequestError(f"every replication of the pilot failed: {failed[0]['error_type']}: {failed[0]['error']}")
    if not seconds:
        raise RequestError("no replication of the pilot came to an end; try: replicast run MODEL -n 2")
    pool.dismiss()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    megabytes = peak / (1 << 20) if sys.platform == "darwin" else peak / 1024
    return Pilot(tuple(seconds), megabytes, stored / max(len(seconds), 1), tables, available_cores())


def run_pilot(request: Request, size: int) -> tuple[Pilot, int]:
    """The pilot of what was asked for, and how many replications that is over all scenarios.

    A run until precise is reckoned with the most that it may take. Raises RequestError where none is given.
    """
    with tempfile.TemporaryDirectory(prefix="replicast-") as folder:
        with Preparation(replace(request, name=None), store_url=folder) as preparation:
            record = preparation.drawn_up()
            wanted = most_in_all(record)
            pilot = pilot_of(preparation.pool, record, size)
        return pilot, wanted


def most_in_all(record: RunRecord) -> int:
    """Replications over all scenarios that a run may come to; a search with a budget never spends more than that."""
    scenarios = len(record.experiment.scenarios)
    return max(record.options.budget or 0, scenarios) if record.options.budget else most_wanted(record) * scenarios


def most_wanted(record: RunRecord) -> int:
    """Replications of each scenario that a run may come to. Raises RequestError where no end is given."""
    options = record.options
    if options.adaptive and not options.maximum and not options.budget:
        which = "that selects the best costs" if options.select else "until precise costs"
        raise RequestError(f"what a run {which} at most is decided by --max: give it too")
    return options.maximum or options.budget or record.replications
