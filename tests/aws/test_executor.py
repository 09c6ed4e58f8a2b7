"""`--on aws`: the plan goes to the bucket, an execution conducts it, and any machine that sees the bucket looks on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request
from replicast.aws.access import Aws
from replicast.aws.functions import RUNS
from replicast.aws.progress import PartsProgress
from replicast.aws.stack import StackState
from replicast.aws.step_functions import StateMachine, at_work, cancel_run
from replicast.conducting.conductor import conduct
from replicast.core.errors import ExecutorError, RequestError
from replicast.core.ports import JobState
from replicast.core.progress import Conclusion, Ending, Progress
from replicast.core.record import NAME, RunRecord
from replicast.runs import Run
from replicast.testing import check_place

from .conftest import Deploy, wait_for

MODEL = """
def simulate(rng, mean=2.0):
    return float(rng.exponential(mean))
"""
SLOW = """
import time
def simulate(replication, rng):
    time.sleep(0.5)
    return float(rng.normal())
"""


@pytest.fixture
def stack(deploy: Deploy) -> StackState:
    return deploy()


def prepared(aws: Aws, stack: StackState, model: Path, n: int, **request: Any) -> tuple[RunRecord, StateMachine]:
    url = f"s3://{stack.bucket}/{RUNS}"
    with Preparation(Request(model=str(model), replications=n, seed=5, **request), store_url=url) as preparation:
        record = preparation.create()
    executor = StateMachine(aws, stack, record, aws.store(url))
    executor.look_seconds = executor.list_seconds = 0.1
    return record, executor


def conducted(record: RunRecord, executor: StateMachine, seen: list[int] | None = None, **more: Any) -> Conclusion:

    def watch(progress: Progress) -> None:
        if seen is not None:
            seen.append(progress.done)

    return conduct(record, executor.store, executor.start, watch, place="aws", **more)


def executions(aws: Aws, stack: StackState) -> list[Any]:
    return list(aws.client("stepfunctions").list_executions(stateMachineArn=stack.machine)["executions"])


class Lister:
    """A store that has so many parts, and counts how often they are listed."""

    def __init__(self, parts: int) -> None:
        self.parts, self.listed = parts, 0

    def documents(self, _run: str, _prefix: str) -> list[str]:
        self.listed += 1
        return [f"parts/manifests/base/{n}-{n}.0.1.1.{n}.{'0' * 32}.json" for n in range(1, self.parts + 1)]


@pytest.mark.parametrize(("parts", "requests"), [(0, 1), (999, 1), (1000, 2), (25_000, 26)])
def test_the_more_parts_a_run_has_the_more_requests_a_look_takes(parts: int, requests: int) -> None:
    lister = Lister(parts)
    progress = PartsProgress(lister, "r", lister.documents("r", ""))  # type: ignore[arg-type]
    assert progress.requests == requests
    assert progress.news(ended=False) == []


def test_a_run_on_aws_has_the_metrics_of_a_run_at_home_and_a_second_start_invokes_nothing(
    aws: Aws, stack: StackState, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = write_model(MODEL)
    record, executor = prepared(aws, stack, model, 12)
    seen: list[int] = []
    conclusion = conducted(record, executor, seen)
    assert (conclusion.ending, conclusion.done, conclusion.failed) == (Ending.DONE, 12, 0)
    assert seen[0] == 0
    assert seen[-1] == 12
    with Preparation(Request(model=str(model), replications=12, seed=5), store_url=str(tmp_path / "home")) as home:
        home.create()
        home.conduct()
        expected = Run(home.store, home.record.id).metrics().pl()
    assert Run(executor.store, record.id).metrics().pl().equals(expected)
    assert conducted(record, executor).simulated == 0
    assert len(executions(aws, stack)) == 1


@pytest.mark.long
@pytest.mark.usefixtures("stack")
def test_the_place_does_what_every_place_must() -> None:
    check_place("aws")


@pytest.mark.long
def test_a_run_with_more_replications_computes_only_those(
    aws: Aws, stack: StackState, write_model: Callable[..., Path]
) -> None:
    record, executor = prepared(aws, stack, write_model(MODEL), 4)
    conducted(record, executor)
    more = record.with_replications(10)
    executor.store.write(record.id, NAME, more.to_json())
    assert conducted(more, executor).simulated == 6
    numbers = [row["replication"] for row in Run(executor.store, record.id).metrics()]
    assert numbers == list(range(1, 11))


def test_failed_replications_are_simulated_anew_when_asked_for(
    aws: Aws, stack: StackState, write_model: Callable[..., Path]
) -> None:
    text = "def simulate(replication, rng):\n    assert replication != 2\n    return float(rng.normal())\n"
    record, executor = prepared(aws, stack, write_model(text), 3)
    assert conducted(record, executor).failed == 1
    before = len(executor.store.documents(record.id, "parts/manifests"))
    conducted(record, executor, redo={"base": [2]})
    assert len(executor.store.documents(record.id, "parts/manifests")) == before + 1


@pytest.mark.long
def test_a_job_is_found_again_from_its_id(aws: Aws, stack: StackState, write_model: Callable[..., Path]) -> None:
    record, executor = prepared(aws, stack, write_model(MODEL), 2)
    job = executor.start([])
    wait_for(aws.client("stepfunctions"), job.id)
    found = executor.find(job.id)
    assert (found.poll(), list(found.progress())) == (JobState.ENDED, [])
    assert sum(len(saved.batch) for saved in job.progress()) == 2
    assert at_work(aws, executor.store, record.id) is None


@pytest.mark.long
def test_after_cancelling_no_further_replication_starts(
    aws: Aws, stack: StackState, write_model: Callable[..., Path]
) -> None:
    record, executor = prepared(aws, stack, write_model(SLOW), 200)
    job = executor.start([])
    until = time.monotonic() + 60
    while not executor.store.documents(record.id, "parts/manifests"):
        assert time.monotonic() < until, "nothing was simulated"
        time.sleep(0.1)
    found = at_work(aws, executor.store, record.id)
    assert found is not None
    assert found["batches"]["total"] == 2
    assert cancel_run(aws, executor.store, record.id)
    ended = wait_for(aws.client("stepfunctions"), job.id)
    assert ended["status"] in ("ABORTED", "FAILED")
    assert executor.find(job.id).poll() is JobState.CANCELLED
    stored = settled(executor, record)
    assert 0 < stored < 200
    assert conducted(record.with_replications(stored), executor).ending is Ending.DONE


def settled(executor: StateMachine, record: RunRecord) -> int:
    """How many replications are stored once the functions have noticed the mark: no more come for two looks at it."""
    counts: list[int] = []
    while len(counts) < 2 or counts[-1] != counts[-2]:
        counts.append(sum(last - first + 1 for first, last in executor.store.coverage(record.id).done("base")))
        time.sleep(6)
    return counts[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"timeout_seconds": 3600.0}, "a function has 40 s for it"), ({"store": "runs"}, "leave --store out")],
)
def test_what_the_stack_cannot_perform_is_refused_before_anything_starts(
    aws: Aws, stack: StackState, write_model: Callable[..., Path], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    options = {name: value for name, value in change.items() if name != "store"}
    _record, executor = prepared(aws, stack, write_model(MODEL), 2, **options)
    if "store" in change:
        executor.store = aws.store(str(tmp_path))
    with pytest.raises(RequestError, match=message):
        executor.start([])
    assert executions(aws, stack) == []


def test_a_model_that_does_not_load_there_ends_with_its_own_message(
    aws: Aws, stack: StackState, write_model: Callable[..., Path]
) -> None:
    only_there = "import os\nif 'AWS_LAMBDA_FUNCTION_NAME' in os.environ:\n    import no_such_module\n"
    record, executor = prepared(aws, stack, write_model(only_there + MODEL), 2)
    with pytest.raises(ExecutorError, match="no_such_module"):
        conducted(record, executor)
    (execution,) = executions(aws, stack)
    assert execution["status"] == "FAILED"
    found = aws.client("stepfunctions").describe_execution(executionArn=execution["executionArn"])
    assert "no_such_module" in found["cause"]
    assert json.loads(found["input"]) == {"run": record.id}
