"""What every executor must do, as checks to be run against one's own.

    def make(folder, assignment, store):                  # a context manager that yields a ready executor
        ...
    check_executor(make)

Each check raises AssertionError with a sentence. They need no test framework.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from replicast.core.experiment import Experiment, ModelReference
from replicast.core.planning import count
from replicast.core.ports import Executor, JobState, Store
from replicast.core.replication import Batch
from replicast.core.scenarios import Scenario
from replicast.performing.worker import Assignment
from replicast.stores.objects import ObjectStore

MakeExecutor = Callable[[Path, Assignment, Store], AbstractContextManager[Executor]]
MODEL = """
def simulate(replication, rng, shift=0.0):
    if replication == 13:
        raise ValueError("thirteen")
    return {"x": shift + float(rng.random()), "rows": [{"k": k} for k in range(replication % 3)]}
"""
SCENARIOS = (Scenario("base", {}, 0), Scenario("shifted", {"shift": 1.0}, 1))
RUN = "conformance"


def check_executor(make: MakeExecutor) -> None:
    """Runs all checks. `make` is given the folder of a model, an assignment and a store."""
    for check in (
        performs_every_batch,
        performs_no_more_than_it_was_given,
        ends_at_once_when_there_is_nothing_to_do,
        reports_what_it_saved_once,
        starts_nothing_after_it_was_cancelled,
    ):
        with tempfile.TemporaryDirectory(prefix="replicast-") as folder:
            model = Path(folder) / "model"
            model.mkdir()
            (model / "model.py").write_text(MODEL, encoding="utf-8")
            assignment = Assignment(RUN, Experiment(ModelReference("python", "model.py"), SCENARIOS, seed=1))
            store = ObjectStore(str(Path(folder) / "store"))
            with make(model, assignment, store) as executor:
                check(executor, store)


def _work(executor: Executor, batches: list[Batch]) -> tuple[JobState, list[Batch]]:
    job = executor.start(batches)
    seen: list[Batch] = []
    while (state := job.poll(0.1)) is JobState.RUNNING:
        seen += [saved.batch for saved in job.progress()]
    return state, seen + [saved.batch for saved in job.progress()]


def performs_every_batch(executor: Executor, store: Store) -> None:
    state, _ = _work(executor, [Batch("base", 1, 20), Batch("shifted", 1, 7)])
    coverage = store.coverage(RUN)
    assert state is JobState.ENDED, f"a job whose batches are performed is {state}, not ended"
    assert list(coverage.done("base")) == [(1, 20)], "not every replication of a batch is stored"
    assert list(coverage.done("shifted")) == [(1, 7)], "not every batch is stored"
    assert list(coverage.failed("base")) == [13], "a model's error is not stored as that replication's failure"


def performs_no_more_than_it_was_given(executor: Executor, store: Store) -> None:
    _work(executor, [Batch("base", 4, 6), Batch("base", 9, 9)])
    found = list(store.coverage(RUN).done("base"))
    assert found == [(4, 6), (9, 9)], f"of replications 4 to 6 and 9, {found} are stored"


def ends_at_once_when_there_is_nothing_to_do(executor: Executor, _store: Store) -> None:
    state, _ = _work(executor, [])
    assert state is JobState.ENDED, f"a job without batches is {state}, not ended"


def reports_what_it_saved_once(executor: Executor, store: Store) -> None:
    _, seen = _work(executor, [Batch("base", 1, 30)])
    stored = count(store.coverage(RUN).done("base"))
    told = sum(map(len, seen))
    assert told in (0, stored), f"progress told of {told} replications, and {stored} are stored"


def starts_nothing_after_it_was_cancelled(executor: Executor, store: Store) -> None:
    job = executor.start([Batch("base", 1, 1_000_000)])
    job.poll(0.1)
    job.cancel()
    before = count(store.coverage(RUN).done("base"))
    assert job.poll(0.5) is JobState.CANCELLED, "a cancelled job does not say so"
    after = count(store.coverage(RUN).done("base"))
    assert before == after < 1_000_000, "a cancelled job went on"
