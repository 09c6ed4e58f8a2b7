"""What every place must do, as checks to be run against one's own.

    check_place("mine://address", queue="short")

Each check raises AssertionError with a sentence. They need no test framework.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from replicast.core.planning import count
from replicast.core.ports import Place, Store
from replicast.core.progress import Ending, ignore_progress
from replicast.core.record import RunRecord
from replicast.places import AtHand, open_place
from replicast.stores import open_store

from .executors import conformance_record

Check = Callable[[Place, RunRecord, Store], None]


def check_place(text: str, *, workers: int | None = None, store_url: str | None = None, **options: Any) -> None:
    """Runs all checks against the place that a `text` names, with its own `options`, each with a run of its own.

    `workers` are processes at once; the runs lie at `store_url`, in a folder that is thrown away if not given.
    """
    for check in (carries_a_run_to_its_end, has_failures_redone_and_nothing_else, says_that_nobody_is_at_work):
        with tempfile.TemporaryDirectory(prefix="replicast-") as folder:
            place = open_place(text, options, AtHand(workers=workers))
            store = place.store() or open_store(store_url or str(Path(folder) / "store"))
            record = conformance_record(store, check.__name__[:40], replications=15)
            check(place, record, store)


def carries_a_run_to_its_end(place: Place, record: RunRecord, store: Store) -> None:
    place.check(record, store)
    seen: list[int] = []
    conclusion = place.conduct(record, store, lambda progress: seen.append(progress.done))
    assert conclusion.ending is Ending.DONE, f"a run that can be carried out ended as {conclusion.ending.value}"
    assert (conclusion.done, conclusion.failed) == (30, 2), f"30 done and 2 failed are {conclusion}"
    for scenario in record.experiment.scenarios:
        found = list(store.coverage(record.id).done(scenario.name))
        assert found == [(1, 15)], f"of replications 1 to 15 of '{scenario.name}', {found} are stored"
    assert seen, "nobody was told how far the run is"
    assert seen[-1] == 30, "whoever watched was not told of the end"
    again = place.conduct(record, store, ignore_progress)
    assert again.simulated == 0, f"{again.simulated} replications were simulated though nothing was missing"


def has_failures_redone_and_nothing_else(place: Place, record: RunRecord, store: Store) -> None:
    place.conduct(record, store, ignore_progress)
    conclusion = place.conduct(record, store, ignore_progress, {"base": [13]})
    assert conclusion.ending is Ending.DONE, "what should be simulated once more was not"
    assert count(store.coverage(record.id).done("base")) == 15, "what should be simulated once more is gone"


def says_that_nobody_is_at_work(place: Place, record: RunRecord, store: Store) -> None:
    assert place.at_work(record, store) is None, "somebody is said to be at work on a run that nobody began"
    place.conduct(record, store, ignore_progress)
    assert place.at_work(record, store) is None, "somebody is said to be at work on a run that has ended"
    place.cancel(record, store)
