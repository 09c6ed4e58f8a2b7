"""What runs on AWS take: measured on the emulator beside the proof of concept's design, and computed from prices.

    python benchmarks/aws_scale.py computed                  the table of docs/explanation/aws-costs.md
    python benchmarks/aws_scale.py measured [100 1000 …]     invocations, transitions, S3 requests and bytes

The proof of concept is rebuilt as it was: an INLINE Map, an invocation and an object a replication, a listing at the
end. The emulator tells nothing of AWS's speed, so no seconds are printed; counts do not depend on it.
"""

from __future__ import annotations

import collections
import io
import json
import os
import socket
import sys
import tempfile
import textwrap
import time
import zipfile
from pathlib import Path
from typing import Any

from replicast.aws import commands
from replicast.aws.access import Aws
from replicast.aws.estimate import Pilot, estimate
from replicast.aws.limits import Capacity
from replicast.aws.sandbox import environment, started
from replicast.aws.stack import Settings
from replicast.preparation import Preparation
from replicast.request import Request

MODEL = "def simulate(rng):\n    return float(rng.exponential(2.0))\n"
CONCURRENCY = 2
INLINE_HISTORY = 25_000
EVENTS_A_REPLICATION = 7
"""Of an INLINE Map's iteration with one Lambda task: the task's five, and the iteration's two."""

POC_FUNCTION = """
import json, os, random, boto3
def simulate(event, context):
    key, body = "poc/%d.json" % event["i"], json.dumps(random.random())
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=key, Body=body)
    return {"i": event["i"]}
def listed(event, context):
    return {"items": [{"i": i} for i in range(event["repetitions"])]}
def collate(event, context):
    s3, bucket = boto3.client("s3"), os.environ["BUCKET"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="poc/")
    keys = [o["Key"] for p in pages for o in p["Contents"]]
    values = [json.load(s3.get_object(Bucket=bucket, Key=key)["Body"]) for key in keys]
    return {"n": len(values)}
"""


def computed() -> None:
    print("| replications | of | batches | wall time | at home, 2 cores | dollars |\n|---|---|---|---|---|---|")
    for exponent in (4, 6, 8):
        for seconds, name in ((1.0, "1 s"), (60.0, "1 min"), (600.0, "10 min")):
            found = estimate(
                Pilot((seconds,) * 2, 300, 20_000, 1, 2), 10**exponent, region="eu-west-2", capacity=Capacity()
            )
            print(f"| 10^{exponent} | {name} | {found.batches:,} | {span(found.wall_seconds)} "
                  f"| {span(found.local_seconds)} | {found.bill.total:,.2f} |")  # fmt: skip


def span(seconds: float) -> str:
    for unit, size in (("years", 31_557_600), ("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s"


def measured(sizes: list[int]) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with started(port) as url, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment(url))
        aws = Aws()
        settings = Settings(runtime=f"python3.{sys.version_info.minor}", architecture="x86_64", concurrency=CONCURRENCY)
        state = commands.deploy(
            aws, contents=commands.Contents(dependencies=False), settings=settings, poll_seconds=0.1
        ).state
        deploy_proof_of_concept(aws, state.bucket)
        model = Path(folder) / "model.py"
        model.write_text(MODEL)
        print("| replications | design | invocations | transitions | objects | bytes a replication |")
        print("|---|---|---|---|---|---|")
        for n in sizes:
            row(n, "replicast", *ours(aws, state, model, n))
            row(n, "proof of concept", *theirs(aws, state.bucket, n))
            if n * EVENTS_A_REPLICATION > INLINE_HISTORY:
                print(f"| {n:,} | | on AWS the proof of concept ends here: {INLINE_HISTORY:,} events | | | |")


def row(n: int, design: str, invocations: int, transitions: int, objects: int, size: int) -> None:
    print(f"| {n:,} | {design} | {invocations:,} | {transitions:,} | {objects:,} | {size / n:,.0f} |", flush=True)


def ours(aws: Aws, state: Any, model: Path, n: int) -> tuple[int, int, int, int]:
    store = commands.store_of(aws, state)
    with Preparation(Request(model=str(model), replications=n, seed=1), store_url=store.url) as preparation:
        record = preparation.create()
    before = {name for name, _ in objects_of(aws, state.bucket)}
    execution = commands.start_detached(commands.executor_of(aws, record, store)).id
    events = history(aws, execution)
    states = aws.client("stepfunctions")
    children = sum(
        int(states.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]["total"])
        for run in states.list_map_runs(executionArn=execution)["mapRuns"]
    )
    new = [(name, size) for name, size in objects_of(aws, state.bucket) if name not in before]
    own = events["TaskStateEntered"]
    return own + children, transitions(events) + children, len(new), sum(size for _, size in new)


def theirs(aws: Aws, bucket: str, n: int) -> tuple[int, int, int, int]:
    states, before = aws.client("stepfunctions"), {name for name, _ in objects_of(aws, bucket)}
    (machine,) = [m for m in states.list_state_machines()["stateMachines"] if m["name"] == "poc"]
    started_at = states.start_execution(
        stateMachineArn=machine["stateMachineArn"], input=json.dumps({"repetitions": n})
    )
    events = history(aws, started_at["executionArn"])
    new = [(name, size) for name, size in objects_of(aws, bucket) if name not in before]
    # The emulator leaves an INLINE Map's iterations out of the history: one task and so one transition each.
    return n + 2, transitions(events) + n, len(new), sum(size for _, size in new)


def history(aws: Aws, execution: str) -> collections.Counter[str]:
    states = aws.client("stepfunctions")
    while (found := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(0.2)
    assert found["status"] == "SUCCEEDED", found
    pages = states.get_paginator("get_execution_history").paginate(executionArn=execution)
    return collections.Counter(event["type"] for page in pages for event in page["events"])


def transitions(events: collections.Counter[str]) -> int:
    return sum(count for kind, count in events.items() if kind.endswith("StateEntered"))


def objects_of(aws: Aws, bucket: str) -> list[tuple[str, int]]:
    pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [(item["Key"], item["Size"]) for page in pages for item in page.get("Contents", [])]


def deploy_proof_of_concept(aws: Aws, bucket: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("poc.py", textwrap.dedent(POC_FUNCTION))
    role = f"arn:aws:iam::{aws.account}:role/poc"
    arns = {}
    for name in ("listed", "simulate", "collate"):
        arns[name] = aws.client("lambda").create_function(
            FunctionName=f"poc-{name}", Runtime=f"python3.{sys.version_info.minor}", Role=role, Handler=f"poc.{name}",
            Code={"ZipFile": buffer.getvalue()}, Timeout=60, Environment={"Variables": {"BUCKET": bucket}},
        )["FunctionArn"]  # fmt: skip
    task = {"Type": "Task", "End": True}
    definition = {"StartAt": "List", "States": {
        "List": {"Type": "Task", "Resource": arns["listed"], "Next": "Map"},
        "Map": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": CONCURRENCY, "Next": "Collate",
                "Iterator": {"StartAt": "Simulate", "States": {"Simulate": task | {"Resource": arns["simulate"]}}}},
        "Collate": task | {"Resource": arns["collate"]},
    }}  # fmt: skip
    aws.client("stepfunctions").create_state_machine(name="poc", definition=json.dumps(definition), roleArn=role)


if __name__ == "__main__":
    if sys.argv[1:2] == ["measured"]:
        measured([int(text) for text in sys.argv[2:]] or [100, 1000, 10_000])
    else:
        computed()
