"""What runs on AWS take: measured on the emulator beside the proof of concept's design, and computed from prices.

    python benchmarks/aws_scale.py computed                  the table of docs/explanation/aws-costs.md
    python benchmarks/aws_scale.py measured [100 1000 …]     invocations, transitions, S3 requests of functions, bytes

The proof of concept is rebuilt as it was: an INLINE Map, an invocation and an object a replication, a listing at the
end. The emulator tells nothing of AWS's speed, so no seconds are printed; counts do not depend on it.
"""

from __future__ import annotations

import collections
import http.client
import http.server
import io
import json
import os
import socket
import sys
import tempfile
import textwrap
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request
from replicast.aws import commands
from replicast.aws.access import Aws
from replicast.aws.estimate import Pilot, estimate
from replicast.aws.limits import Capacity
from replicast.aws.prices import Bill, Usage, bill
from replicast.aws.sandbox import environment, started
from replicast.aws.settings import Settings

MODEL = "def simulate(rng):\n    return float(rng.exponential(2.0))\n"
CONCURRENCY = 2
REGION = "eu-west-2"
INLINE_HISTORY, INLINE_AT_ONCE = 25_000, 40
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
    print("| replications | of | batches | wall time | dollars | proof of concept: wall time | dollars | at home |")
    print("|---|---|---|---|---|---|---|---|")
    for exponent in (4, 6, 8):
        for seconds, name in ((1.0, "1 s"), (60.0, "1 min"), (600.0, "10 min")):
            n, pilot = 10**exponent, Pilot((seconds,) * 2, 300, 20_000, 1, 2)
            found = estimate(pilot, n, region=REGION, capacity=Capacity())
            ours = f"{found.batches:,} | {span(found.wall_seconds)} | {found.bill.total:,.2f}"
            theirs = f"{span(n * seconds / INLINE_AT_ONCE)} | {proof_of_concept(n, seconds).total:,.2f}"
            print(f"| 10^{exponent} | {name} | {ours} | {theirs} | {span(found.local_seconds)} |")


def proof_of_concept(n: int, seconds: float) -> Bill:
    """What an invocation, a transition and an object a replication cost, were the history long enough for them."""
    usage = Usage(n * seconds * Capacity().memory / 1024, n + 2, n + 3, n, n + n // 1000 + 1, n * 20_000 / 1e9)
    return bill(usage, REGION, "arm64")


def span(seconds: float) -> str:
    for unit, size in (("years", 31_557_600), ("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s"


def measured(sizes: list[int]) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    requests = Requests(f"127.0.0.1:{port}")
    extra = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{requests.server_address[1]}"}
    with started(port, extra) as url, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment(url))
        aws = Aws()
        settings = Settings(runtime=f"python3.{sys.version_info.minor}", architecture="x86_64", concurrency=CONCURRENCY)
        state = commands.deploy(
            aws, contents=commands.Contents(dependencies=False), settings=settings, poll_seconds=0.1
        ).state
        deploy_proof_of_concept(aws, state.bucket)
        model = Path(folder) / "model.py"
        model.write_text(MODEL)
        print("| replications | design | invocations | transitions | S3 writes | S3 reads | bytes a replication |")
        print("|---|---|---|---|---|---|---|")
        for n in sizes:
            row(n, "replicast", requests, *ours(aws, state, model, n))
            row(n, "proof of concept", requests, *theirs(aws, state.bucket, n))
            events = n * EVENTS_A_REPLICATION
            if events > INLINE_HISTORY:
                print(f"| {n:,} | proof of concept, on AWS | ends at some {INLINE_HISTORY // EVENTS_A_REPLICATION:,}: "
                      f"{events:,} events, of {INLINE_HISTORY:,} allowed | | | | |")  # fmt: skip


def row(n: int, design: str, requests: Requests, invocations: int, transitions: int, size: int) -> None:
    writes, reads = requests.taken()
    print(f"| {n:,} | {design} | {invocations:,} | {transitions:,} | {writes:,} | {reads:,} | {size / n:,.0f} |",
          flush=True)  # fmt: skip


class Requests(http.server.ThreadingHTTPServer):
    """Stands between the functions and the emulator, and counts what they ask of S3."""

    def __init__(self, emulator: str) -> None:
        super().__init__(("127.0.0.1", 0), Forwarding)
        self.emulator, self.counts = emulator, collections.Counter[str]()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def taken(self) -> tuple[int, int]:
        """Writes and reads (with listings) since the last time, as S3 charges them apart."""
        writes = self.counts["PUT"] + self.counts["POST"]
        reads = self.counts["GET"] + self.counts["HEAD"]
        self.counts.clear()
        return writes, reads


class Forwarding(http.server.BaseHTTPRequestHandler):
    server: Requests
    protocol_version = "HTTP/1.1"

    def forward(self) -> None:
        if "x-amz-target" not in self.headers:
            self.server.counts[self.command] += 1
        connection = http.client.HTTPConnection(self.server.emulator)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = forward


def ours(aws: Aws, state: Any, model: Path, n: int) -> tuple[int, int, int]:
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
    return own + children, transitions(events) + children, sum(size for _, size in new)


def theirs(aws: Aws, bucket: str, n: int) -> tuple[int, int, int]:
    states, before = aws.client("stepfunctions"), {name for name, _ in objects_of(aws, bucket)}
    (machine,) = [m for m in states.list_state_machines()["stateMachines"] if m["name"] == "poc"]
    started_at = states.start_execution(
        stateMachineArn=machine["stateMachineArn"], input=json.dumps({"repetitions": n})
    )
    events = history(aws, started_at["executionArn"])
    new = [(name, size) for name, size in objects_of(aws, bucket) if name not in before]
    # The emulator leaves an INLINE Map's iterations out of the history: one task and so one transition each.
    return n + 2, transitions(events) + n, sum(size for _, size in new)


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
            Code={"ZipFile": buffer.getvalue()}, Timeout=900, Environment={"Variables": {"BUCKET": bucket}},
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
