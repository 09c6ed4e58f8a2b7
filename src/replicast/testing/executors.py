"""What every executor must do, as checks to be run against one's own.

    def make():                                    # a context manager that yields an executor
        ...
    check_executor(make)

Each check raises AssertionError with a sentence. They need no test framework.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager

from replicast.core.experiment import Experiment, ModelReference
from replicast.core.planning import count
from replicast.core.ports import Executor, JobState, Store, Work
from replicast.core.record import NAME, RunRecord
from replicast.core.replication import Batch
from replicast.core.scenarios import Scenario
from replicast.stores import open_store

MakeExecutor = Callable[[], AbstractContextManager[Executor]]
MODEL = """
def simulate(replication, rng, shift=0.0):
    if replication == 13:
        raise ValueError("thirteen")
    return {"x": shift + float(rng.random()), "rows": [{"k": k} for k in range(replication % 3)]}
"""
SCENARIOS = (Scenario("base", {}, 0), Scenario("shifted", {"shift": 1.0}, 1))
RUN = "conformance"


CHECKS: list[Callable[[Executor, Work], None]] = []


def a_check(check: Callable[[Executor, Work], None]) -> Callable[[Executor, Work], None]:
    CHECKS.append(check)
    return check


def check_executor(make: MakeExecutor, *, store_url: str | None = None) -> None:
    """Runs all checks, each with an executor that `make` gives, in a folder that is thrown away or at `store_url`."""
    for number, check in enumerate(CHECKS):
        with tempfile.TemporaryDirectory(prefix="replicast-") as folder, make() as executor:
            check(executor, conformance_work(open_store(store_url or folder), f"{RUN}-{number}"))


def conformance_work(store: Store, run: str = RUN, model: str = MODEL) -> Work:
    """A small run in a store, ready to be carried out: 100 replications of each scenario, of which 13 fails."""
    return Work.of(conformance_record(store, run, model=model), store)


def conformance_record(store: Store, run: str = RUN, replications: int = 100, model: str = MODEL) -> RunRecord:
    experiment = Experiment(ModelReference("python", "model.py"), SCENARIOS, seed=1)
    files = {"model.py": hashlib.sha256(model.encode()).hexdigest()}
    record = RunRecord(run, experiment, replications, "2026-01-01", files=files)
    store.write(run, "model/model.py", model.encode())
    store.write(run, NAME, record.to_json())
    return record


def _perform(executor: Executor, work: Work, batches: list[Batch]) -> tuple[JobState, list[Batch]]:
    job = executor.start(work, batches)
    seen: list[Batch] = []
    while (state := job.poll(0.1)) is JobState.RUNNING:
        seen += [saved.batch for saved in job.progress()]
    return state, seen + [saved.batch for saved in job.progress()]


@a_check
def performs_every_batch(executor: Executor, work: Work) -> None:
    state, _ = _perform(executor, work, [Batch("base", 1, 20), Batch("shifted", 1, 7)])
    coverage = work.store.coverage(work.run)
    assert state is JobState.ENDED, f"a job whose batches are performed is {state}, not ended"
    assert list(coverage.done("base")) == [(1, 20)], "not every replication of a batch is stored"
    assert list(coverage.done("shifted")) == [(1, 7)], "not every batch is stored"
    assert list(coverage.failed("base")) == [13], "a model's error is not stored as that replication's failure"


@a_check
def performs_no_more_than_it_was_given(executor: Executor, work: Work) -> None:
    _perform(executor, work, [Batch("base", 4, 6), Batch("base", 9, 9)])
    found = list(work.store.coverage(work.run).done("base"))
    assert found == [(4, 6), (9, 9)], f"of replications 4 to 6 and 9, {found} are stored"


@a_check
def ends_at_once_when_there_is_nothing_to_do(executor: Executor, work: Work) -> None:
    state, _ = _perform(executor, work, [])
    assert state is JobState.ENDED, f"a job without batches is {state}, not ended"


@a_check
def reports_what_it_saved_once(executor: Executor, work: Work) -> None:
    _, seen = _perform(executor, work, [Batch("base", 1, 30)])
    stored = count(work.store.coverage(work.run).done("base"))
    told = sum(map(len, seen))
    assert told in (0, stored), f"progress told of {told} replications, and {stored} are stored"


@a_check
def starts_nothing_after_it_was_cancelled(executor: Executor, work: Work) -> None:
    job = executor.start(work, [Batch("base", 1, 1_000_000)])
    job.poll(0.1)
    job.cancel()
    before = count(work.store.coverage(work.run).done("base"))
    assert job.poll(0.5) is JobState.CANCELLED, "a cancelled job does not say so"
    after = count(work.store.coverage(work.run).done("base"))
    assert before == after < 1_000_000, "a cancelled job went on"


@a_check
def finds_a_job_again_by_its_id_or_gives_it_none(executor: Executor, work: Work) -> None:
    job = executor.start(work, [Batch("base", 1, 1)])
    found = executor.find(job.id) if job.id else None
    assert not job.id or (found is not None and found.id == job.id), f"job '{job.id}' is not found by its ID"
    while (found or job).poll(0.1) is JobState.RUNNING:
        pass
    assert list(work.store.coverage(work.run).done("base")) == [(1, 1)], "a job that was found again did not end"


@a_check
def works_for_a_second_run_after_the_first(executor: Executor, work: Work) -> None:
    second = conformance_work(work.store, f"{work.run}-second", MODEL.replace("float(rng", "10 + float(rng"))
    for one in (work, second):
        _perform(executor, one, [Batch("base", 1, 3)])
    for one in (work, second):
        found = list(one.store.coverage(one.run).done("base"))
        assert found == [(1, 3)], f"of replications 1 to 3 of run '{one.run}', {found} are stored"
    values = [x for chunk in work.store.rows(second.run, "metrics", "base") for x in chunk.column("x").to_pylist()]
    assert min(values) >= 10, "the second run was simulated by the model of the first"
