"""AWS Batch on Fargate, which the emulator only keeps books of: jobs that really run, as processes of this machine.

What SubmitJob refuses, and what a child finds in its environment, is from docs.aws.amazon.com/batch/latest:
APIReference/API_SubmitJob.html, userguide/array_jobs.html, userguide/job_env_vars.html,
userguide/fargate-job-definitions.html and userguide/job_retries.html (EvaluateOnExit).
"""

from __future__ import annotations

import contextlib
import fnmatch
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil

from replicast.aws.emulator import Lesson, service, taught

AT_ONCE = 2
SIZES = {1: (2048, 8192, 1024), 2: (4096, 16384, 1024), 4: (8192, 30720, 1024), 8: (16384, 61440, 4096),
         16: (32768, 122880, 8192)}  # fmt: skip
under_way: dict[str, list[subprocess.Popen[bytes]]] = {}
terminated: set[str] = set()


def teach_batch() -> None:
    states, batch = service("stepfunctions"), service("batch")
    _teach_resources(importlib.import_module("ministack.services.cloudformation.provisioners"), batch)
    states._SERVICE_DISPATCH["arn:aws:states:::batch:submitJob"] = lambda _resource, given: _submit(
        states, batch, service("stepfunctions").get_account_id(), given
    )

    @taught(states, "_stop_execution")
    def _an_execution_that_is_stopped_terminates_its_job(before: Lesson, data: Any) -> Any:
        """ "Step Functions makes a best-effort attempt to cancel the task":
        docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html; TerminateJob sends SIGTERM."""
        name = data["executionArn"].rpartition(":")[2]
        terminated.add(f"r-{name}-")
        for job, processes in list(under_way.items()):
            if job.startswith(f"r-{name}-"):
                for process in processes:
                    process.send_signal(signal.SIGTERM)
        return before(data)


def _teach_resources(made: Any, batch: Any) -> None:
    """Names and Refs as in the template reference of each kind: the Ref of each of the three is an ARN."""

    def environment(logical_id: str, props: Any, stack: str) -> Any:
        kind = props["ComputeResources"]["Type"]
        found = batch._create_compute_environment(
            {"computeEnvironmentName": f"{stack}-{logical_id}-{uuid.uuid4().hex[:8]}", "type": props["Type"]}
        )
        assert kind in ("FARGATE", "FARGATE_SPOT"), kind
        return json.loads(found[2])["computeEnvironmentArn"], {}

    def queue(_logical_id: str, props: Any, _stack: str) -> Any:
        order = [{"order": o["Order"], "computeEnvironment": o["ComputeEnvironment"]}
                 for o in props["ComputeEnvironmentOrder"]]  # fmt: skip
        found = batch._create_job_queue({"jobQueueName": props["JobQueueName"], "computeEnvironmentOrder": order})
        return json.loads(found[2])["jobQueueArn"], {}

    def definition(_logical_id: str, props: Any, _stack: str) -> Any:
        found = batch._register_job_definition(
            {"jobDefinitionName": props["JobDefinitionName"], "containerProperties": props}
        )
        return json.loads(found[2])["jobDefinitionArn"], {}

    for kind, create in (("ComputeEnvironment", environment), ("JobQueue", queue), ("JobDefinition", definition)):
        deeds = {"create": create, "delete": lambda *_given, **_named: None}
        if kind == "JobDefinition":
            deeds["update"] = lambda _physical, _old, new, stack, create=create: create("", new, stack)
        else:
            deeds["update"] = lambda physical, *_given: (physical, {})
        made._RESOURCE_HANDLERS[f"AWS::Batch::{kind}"] = deeds


def refusal(given: Any, queues: Any) -> str:
    """Why AWS Batch would not take the job; empty if it would."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", given["JobName"]):
        return "Job name should match valid pattern"
    size = given.get("ArrayProperties", {}).get("Size")
    if size is not None and not (isinstance(size, int) and 2 <= size <= 10_000):
        return "Array size must be between 2 and 10000"
    if given["JobQueue"] not in queues:
        return f"JobQueue {given['JobQueue']} not found"
    wanted = {one["Type"]: one["Value"] for one in given["ContainerOverrides"]["ResourceRequirements"]}
    if not all(isinstance(value, str) for value in wanted.values()):
        return "resourceRequirements takes text"
    least, most, step = SIZES[int(wanted["VCPU"])]
    if not (least <= int(wanted["MEMORY"]) <= most and int(wanted["MEMORY"]) % step == 0):
        return f"Fargate resource requirements ({wanted}) not valid"
    variables = given["ContainerOverrides"].get("Environment", [])
    if any(one["Name"].startswith("AWS_BATCH") or not isinstance(one["Value"], str) for one in variables):
        return "Environment variables are text and do not start with AWS_BATCH"
    if given.get("Timeout", {}).get("AttemptDurationSeconds", 60) < 60:
        return "Timeout must be at least 60 seconds"
    return ""


def _submit(states: Any, batch: Any, account: str, given: Any) -> Any:
    """Runs the job to its end, as `.sync` waits for it."""
    name, arn = given["JobName"], given["JobDefinition"]
    queues = {one["jobQueueArn"] for one in batch._job_queues.values()}
    if why := refusal(given, queues):
        raise states._ExecutionError("Batch.ClientException", why)
    known = [one for revisions in batch._job_definitions.values() for one in revisions]
    (found,) = [one["containerProperties"] for one in known if one["jobDefinitionArn"] == arn]
    job, size = str(uuid.uuid4()), given.get("ArrayProperties", {}).get("Size")
    indices = [None] if size is None else list(range(size))
    with ThreadPoolExecutor(AT_ONCE) as places:
        statuses = list(places.map(lambda index: _child(found, given, account, job, index), indices))
    failed = sum(status != 0 for status in statuses)
    told = {"JobId": job, "JobName": name, "JobQueue": given["JobQueue"], "JobDefinition": arn,
            "Status": "FAILED" if failed else "SUCCEEDED"}  # fmt: skip
    if size is not None:
        told["ArrayProperties"] = {"Size": size, "StatusSummary": {"FAILED": failed, "SUCCEEDED": size - failed}}
    if failed:
        told["StatusReason"] = "Array Child Job failed" if size else "Essential container in task exited"
        raise states._ExecutionError("States.TaskFailed", json.dumps(told))
    return told


def _child(definition: Any, given: Any, account: str, job: str, index: int | None) -> int:
    """The last exit status of a job or of a child of an array."""
    if any(given["JobName"].startswith(name) for name in terminated):
        return 1
    strategy, status = definition["RetryStrategy"], 1
    for attempt in range(1, int(strategy["Attempts"]) + 1):
        status, reason = _attempt(definition, given, account, job, index, attempt)
        if status == 0 or not _again(strategy["EvaluateOnExit"], status, reason):
            break
    return status


def _again(rules: Any, status: int, reason: str) -> bool:
    """EvaluateOnExit: the first that fits decides; where none does, the job is tried again."""
    for rule in rules:
        fits = [fnmatch.fnmatch(value, rule[key]) for key, value in
                (("OnStatusReason", reason), ("OnReason", ""), ("OnExitCode", str(status))) if key in rule]  # fmt: skip
        if all(fits):
            return bool(rule["Action"] == "RETRY")
    return True


def _attempt(definition: Any, given: Any, account: str, job: str, index: int | None, attempt: int) -> tuple[int, str]:
    container = definition["ContainerProperties"]
    variables = [*container["Environment"], *given["ContainerOverrides"].get("Environment", [])]
    environment = {one["Name"]: one["Value"] for one in variables} | {
        "AWS_BATCH_JOB_ID": job if index is None else f"{job}:{index}", "AWS_BATCH_JOB_ATTEMPT": str(attempt),
        "AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "test", "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"], "AWS_ALLOW_HTTP": "true",
    }  # fmt: skip
    if index is not None:
        environment["AWS_BATCH_JOB_ARRAY_INDEX"] = str(index)
    command = [sys.executable if word == "python" else word for word in container["Command"]]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    seconds = float(given.get("Timeout", definition["Timeout"])["AttemptDurationSeconds"])
    timer = threading.Timer(seconds, process.send_signal, (signal.SIGTERM,))
    under_way.setdefault(given["JobName"], []).append(process)
    timer.start()
    try:
        status = process.wait()
    finally:
        timer.cancel()
        _end_container(environment["AWS_BATCH_JOB_ID"])
    interrupted = os.path.exists(os.path.join(os.environ.get("TAUGHT_SPOT", "/none"), str(process.pid)))  # noqa: PTH110, PTH118
    return abs(status), "Your Spot Task was interrupted." if interrupted else "Essential container in task exited"


def _end_container(job: str) -> None:
    """A container's processes end with its first: those that the task left are killed."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            given = process.environ()
            if given.get("AWS_BATCH_JOB_ID") == job:
                process.kill()
