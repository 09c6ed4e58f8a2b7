"""A run in the hands of a stack's state machine, which conducts it: an execution, started and then only looked at."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from replicast.conducting.cancelling import CANCEL
from replicast.core.errors import ExecutorError, RequestError
from replicast.core.ports import JobState, Store
from replicast.core.progress import Saved
from replicast.core.record import RunRecord
from replicast.core.replication import Batch
from replicast.models import language_of

from .access import Aws, error_code, explained
from .arrays import HOW_TO_HAVE, Queues, passes_functions, task_size, wanted_compute
from .cloud import JOB, order_document
from .database_runs import DatabaseRuns, OutsideRuns
from .limits import Capacity
from .progress import MapProgress, PartsProgress, Progress, map_runs, parts_of, stored_of
from .rounds import items_of
from .stack import StackState

LOOK_SECONDS = 2.0
LIST_SECONDS = 5.0
MOST_REQUESTS = 10
"""In so many seconds, however many parts there are: each listing of a run of millions would cost dollars."""

OF_THE_RUN = ("TooManyReplicationsFailed", "AllReplicationsFailed")
"""Errors of an execution that are the run's own end and no trouble of the executor's."""


class StateMachine:
    """That of a stack, for one run. It is no executor: it asks for itself what is missing, and not for batches."""

    def __init__(self, aws: Aws, stack: StackState, record: RunRecord, store: Store) -> None:
        self.aws, self.stack, self.record, self.store = aws, stack, record, store
        self.look_seconds, self.list_seconds = LOOK_SECONDS, LIST_SECONDS

    def check(self) -> None:
        """Raises RequestError for what this stack cannot perform, before anything is spent."""
        language, parameters = language_of(self.record.experiment.model), self.stack.parameters
        if not language.travels:
            raise RequestError("a function that no file defines cannot travel to AWS; put it in a file and name it")
        if language.programs and not parameters.get("ImageUri"):
            raise RequestError(
                f"stack '{self.stack.name}' has a zip package, in which {language.programs} does not run; "
                "deploy it as an image: replicast aws deploy --package image"
            )
        if not self._is_the_stacks(self.store):
            raise RequestError(
                f"the functions of stack '{self.stack.name}' write to "
                f"{self.stack.database_label or f's3://{self.stack.bucket}/runs'} alone, "
                f"and the store is '{self.store.label}'; leave --store out"
            )
        self._check_compute()

    def _check_compute(self) -> None:
        """Whether what was asked for is there, and holds what was declared of the replications."""
        capacity, queues = capacity_of(self.stack), queues_of(self.stack)
        if wanted_compute(self.record, capacity, queues, None) == "lambda":
            if beyond := passes_functions(self.record, capacity):
                way = "leave out --aws-compute lambda" if queues.batch else HOW_TO_HAVE
                raise RequestError(f"{beyond}; AWS Batch holds that: {way}; or run it here: --on local")
            return
        task_size(self.record.options.memory_bytes)

    def _is_the_stacks(self, store: Store) -> bool:
        in_database = isinstance(store, (DatabaseRuns, OutsideRuns))
        if in_database != bool(self.stack.parameters.get("DatabaseSecret")):
            return False
        url = store.bucket.url if isinstance(store, (DatabaseRuns, OutsideRuns)) else store.url
        return url.startswith(f"s3://{self.stack.bucket}/runs")

    def start(self, batches: Sequence[Batch]) -> AwsJob:
        """Starts an execution. It asks by itself for what is missing; batches that are stored already are had anew.

        An execution that is at work on the run already is not joined by a second one: its job is returned.
        """
        self.check()
        run, name = self.record.id, execution_name(self.record.id)
        anew, progress = self._stored(batches), self._progress()
        going_on = None if anew else at_work(self.aws, self.store, run)
        if going_on is not None:
            return AwsJob(self, going_on["execution"], progress(going_on["execution"]))
        if anew:
            self.store.write(run, order_document(name), json.dumps({"anew": items_of(anew)}).encode())
        with explained(f"start state machine '{self.stack.name}'"):
            states = self.aws.client("stepfunctions")
            found = states.start_execution(
                stateMachineArn=self.stack.machine, name=name, input=json.dumps({"run": run})
            )
        self.store.write(run, JOB, json.dumps({"execution": found["executionArn"]}).encode())
        return AwsJob(self, found["executionArn"], progress(found["executionArn"]))

    def leave(self) -> AwsJob:
        """Starts an execution that nobody watches, and takes back what asked an earlier one to stop."""
        with suppress(FileNotFoundError):
            self.store.delete(self.record.id, CANCEL)
        return self.start([])

    def find(self, job_id: str) -> AwsJob:
        """A job from its ID, the ARN of its execution, in any process on any day; its progress counts from now."""
        return AwsJob(self, job_id, self._progress()(job_id))

    def _progress(self) -> Callable[[str], Progress]:
        """What will tell how far an execution is, from its ARN; what is stored by now is no news of it."""
        store, record, states = self.store, self.record, self.aws.client("stepfunctions")
        if isinstance(store, (DatabaseRuns, OutsideRuns)):
            return partial(MapProgress, store, record, states, stored_of(store, record))
        there = parts_of(store, record.id)
        return lambda _execution: PartsProgress(store, record.id, there)

    def _stored(self, batches: Sequence[Batch]) -> list[Batch]:
        coverage = self.store.coverage(self.record.id)
        found = []
        for batch in batches:
            for first, last in coverage.done(batch.scenario):
                low, high = max(first, batch.first), min(last, batch.last)
                if low <= high:
                    found.append(Batch(batch.scenario, low, high))
        return found


class AwsJob:
    """Fulfils `core.ports.Job`."""

    def __init__(self, executor: StateMachine, execution: str, progress: Progress) -> None:
        self.id, self._executor, self._progress = execution, executor, progress
        self._states = executor.aws.client("stepfunctions")
        self._looked = self._listed = 0.0
        self._state = JobState.RUNNING

    def poll(self, wait_seconds: float = 0.0) -> JobState:
        """Raises ExecutorError, with the execution's cause, if something else than its replications failed."""
        if self._state is not JobState.RUNNING:
            return self._state
        wait = self._looked + self._executor.look_seconds - time.monotonic()
        if wait > 0:
            time.sleep(min(wait, wait_seconds))
            return JobState.RUNNING
        self._looked = time.monotonic()
        with explained("look at the execution"):
            found = self._states.describe_execution(executionArn=self.id)
        self._state = self._judge(found)
        return self._state

    def _judge(self, found: dict[str, Any]) -> JobState:
        status, error = found["status"], found.get("error", "")
        if status in ("RUNNING", "PENDING_REDRIVE"):
            return JobState.RUNNING
        self._listed = 0.0
        if status == "SUCCEEDED" or error in OF_THE_RUN:
            return JobState.ENDED
        if status == "ABORTED" or error == "RunCancelled":
            return JobState.CANCELLED
        raise ExecutorError(
            f"the execution {status.lower()}: {error}: {readable(found.get('cause', ''))}\nsee {self.id}"
        )

    def progress(self) -> Sequence[Saved]:
        """What has come to the store since the last look, as far as that can be told at little cost."""
        now = time.monotonic()
        wait = self._executor.list_seconds * (1 + self._progress.requests / MOST_REQUESTS)
        if now - self._listed < wait and self._listed:
            return []
        self._listed = now
        return self._progress.news(ended=self._state is not JobState.RUNNING)

    def cancel(self) -> None:
        """Leaves the mark that functions look for before they simulate, and stops the execution with its children."""
        store, run = self._executor.store, self._executor.record.id
        store.write(run, CANCEL, json.dumps({"time": time.time()}).encode())
        with explained("stop the execution"):
            self._states.stop_execution(executionArn=self.id, error="RunCancelled", cause="cancelled by its owner")
        self._state, self._listed = JobState.CANCELLED, 0.0


def queues_of(stack: StackState) -> Queues:
    return Queues.from_names(stack.parameters, "Queue", "SpotQueue", "Job")


def capacity_of(stack: StackState) -> Capacity:
    given = stack.parameters
    return Capacity(int(given["Seconds"]), int(given["Memory"]), int(given["Concurrency"]))


def execution_name(run: str) -> str:
    """Unique and at most 80 characters of letters, digits, '-' and '_', which is what Step Functions takes."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", run)[:60] + "-" + secrets.token_hex(4)


def readable(cause: str) -> str:
    """Of a function's JSON cause, the message alone."""
    try:
        found = json.loads(cause)
    except ValueError:
        return cause
    return str(found.get("errorMessage", cause)) if isinstance(found, dict) else cause


def execution_of(store: Store, run: str) -> str | None:
    """The ARN of the execution that conducts a run, or did last; None for a run that never was on AWS."""
    content = store.read(run, JOB)
    return None if content is None else str(json.loads(content)["execution"])


def at_work(aws: Aws, store: Store, run: str) -> dict[str, Any] | None:
    """Who conducts the run in the cloud at this moment: its execution, since when, and its map run's counts."""
    from botocore.exceptions import ClientError

    execution = execution_of(store, run)
    if execution is None:
        return None
    states = aws.client("stepfunctions")
    with explained("look at the execution"):
        try:
            found = states.describe_execution(executionArn=execution)
        except ClientError as error:
            if error_code(error) == "ExecutionDoesNotExist":
                return None
            raise
        if found["status"] != "RUNNING":
            return None
        runs = map_runs(states, execution)
        counts = states.describe_map_run(mapRunArn=runs[-1])["itemCounts"] if runs else {}
        counts = counts or counts_of_array(aws, states, execution)
    batches = {name: int(counts.get(name, 0)) for name in ("pending", "running", "succeeded", "failed", "total")}
    return {"place": "aws", "execution": execution, "since": found["startDate"].isoformat(), "batches": batches}


WAITING = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING")
"""Of a child of an array job, before it runs."""


def counts_of_array(aws: Aws, states: Any, execution: str) -> dict[str, int]:
    """As a map run counts its items, the children of the array job that an execution submitted last; empty for none."""
    history = states.get_execution_history(executionArn=execution, reverseOrder=True, maxResults=100)["events"]
    submitted = [e["taskSubmittedEventDetails"] for e in history if "taskSubmittedEventDetails" in e]
    outputs = [json.loads(one.get("output", "{}")) for one in submitted if one.get("resourceType") == "batch"]
    if not outputs or "JobId" not in outputs[0]:
        return {}
    found = aws.client("batch").describe_jobs(jobs=[outputs[0]["JobId"]])["jobs"]
    if not found:
        return {}
    array = found[0].get("arrayProperties", {})
    summary = array.get("statusSummary") or {found[0]["status"]: 1}
    return {
        "pending": sum(summary.get(name, 0) for name in WAITING), "running": summary.get("RUNNING", 0),
        "succeeded": summary.get("SUCCEEDED", 0), "failed": summary.get("FAILED", 0), "total": array.get("size", 1),
    }  # fmt: skip


def cancel_run(aws: Aws, store: Store, run: str) -> bool:
    """Stops a run that another process, or nobody, watches; False if no execution was at work on it."""
    store.write(run, CANCEL, json.dumps({"time": time.time()}).encode())
    execution = execution_of(store, run)
    if execution is None or at_work(aws, store, run) is None:
        return False
    with explained("stop the execution"):
        aws.client("stepfunctions").stop_execution(executionArn=execution, error="RunCancelled", cause="cancelled")
    return True
