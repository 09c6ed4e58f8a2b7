"""A pilot: a few replications at home, by which a longer run elsewhere is reckoned."""

from __future__ import annotations

import dataclasses
import resource
import sys
import tempfile
from pathlib import Path

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request, replications_of
from replicast.aws.estimate import Pilot
from replicast.core.errors import RequestError
from replicast.executors.pool import available_cores
from replicast.runs import Run

UNTIL_PRECISE = ("precision", "max", "look_ahead")


def run_pilot(request: Request, size: int) -> tuple[Pilot, int]:
    """`size` replications of each scenario at home, in a store that is thrown away; and how many are asked for.

    A run until precise is reckoned with the most that it may take. Raises RequestError where nothing can be learnt from
    the pilot, or no most is given.
    """
    wanted = _most_wanted(request)
    request = dataclasses.replace(
        request, replications=min(size, wanted) if wanted > 1 else size, name=None, precision=None, maximum=None,
        look_ahead=None,
    )  # fmt: skip
    if request.file is not None:
        values = {name: value for name, value in request.file.values.items() if name not in UNTIL_PRECISE}
        request.file = dataclasses.replace(request.file, values=values)
    with tempfile.TemporaryDirectory(prefix="replicast-") as folder:
        with Preparation(request, store_url=folder) as preparation:
            record = preparation.create()
            preparation.conduct()
            handle = Run(preparation.store, preparation.record.id)
        seconds = [s for sc in record.experiment.scenarios for t in handle.store.ledger(record.id, sc.name)
                   for s in t.column("seconds").to_pylist()]  # fmt: skip
        stored = sum(
            p.stat().st_size for p in (Path(folder) / record.id).rglob("*") if p.is_file() and "parts" in p.parts
        )
        tables = len(handle.tables) - 1
        failed = handle.failures().to_dicts()
    if seconds and len(failed) == len(seconds):
        raise RequestError(f"every replication of the pilot failed: {failed[0]['type']}: {failed[0]['message']}")
    if not seconds:
        raise RequestError("no replication of the pilot came to an end; try: replicast run MODEL -n 2")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    megabytes = peak / (1 << 20) if sys.platform == "darwin" else peak / 1024
    pilot = Pilot(tuple(seconds), megabytes, stored / max(len(seconds), 1), tables, available_cores())
    return pilot, wanted * len(record.experiment.scenarios)


def _most_wanted(request: Request) -> int:
    """Replications of each scenario that a run may come to."""
    precise = request.value(request.precision, "precision")
    most = request.value(request.maximum, "max")
    if precise and not most:
        raise RequestError("what a run until precise costs at most is decided by --max: give it too")
    return int(most) if precise else replications_of(request)
