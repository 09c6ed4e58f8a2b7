"""Runs the proof of concept's three phases end to end on an emulator of AWS: `make demo-aws`.

Phase 1: a zip package, Python, results in a bucket. Phase 2: a container image with R, where a Docker engine answers.
Phase 3: R, results and their aggregate in a relational database whose password a secret holds. Each is started with
{"repetitions": 10}. Status: 0 all phases that can be had here ended as they should, 1 one did not.

The functions' packages hold replicast alone: the emulator runs them on this machine, with what is installed here.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request, new_record
from replicast.aws import commands
from replicast.aws.access import Aws
from replicast.aws.database import Wanted
from replicast.aws.sandbox import environment, started
from replicast.aws.settings import Settings
from replicast.aws.stack import StackState
from replicast.runs import Run

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "lambda_step_compute"
REPETITIONS = 10
ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


def say(text: str = "") -> None:
    print(text, flush=True)


def given(model: Path) -> commands.GivenModel:
    """The model as `replicast aws deploy MODEL` takes it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Preparation(Request(model=str(model), replications=REPETITIONS), store_url=folder) as prepared,
    ):
        told = (prepared.request, prepared.options, prepared.experiment, prepared.source, prepared.signature)
        return commands.GivenModel(new_record(*told), prepared.source, prepared.signature)


def deployed(aws: Aws, stack: str, model: Path, contents: commands.Contents, wanted: Wanted) -> StackState:
    machine = "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"
    settings = Settings(
        runtime=f"python3.{sys.version_info.minor}", architecture=machine, seconds=120, concurrency=REPETITIONS
    )
    return commands.deploy(
        aws, stack, contents=contents, settings=settings, wanted=wanted, model=given(model), poll_seconds=0.2
    ).state


def execute(aws: Aws, state: StackState, typed: Mapping[str, Any]) -> dict[str, Any]:
    """Starts the state machine as from the console, and prints its history once it has ended."""
    states = aws.client("stepfunctions")
    say(f"start {state.machine}\n  with {json.dumps(typed)}")
    arn = states.start_execution(stateMachineArn=state.machine, input=json.dumps(typed))["executionArn"]
    while (found := states.describe_execution(executionArn=arn))["status"] not in ENDED:
        time.sleep(0.2)
    seconds = (found["stopDate"] - found["startDate"]).total_seconds()
    pages = states.get_paginator("get_execution_history").paginate(executionArn=arn)
    entered = (event.get("stateEnteredEventDetails") for page in pages for event in page["events"])
    say("  history: " + " > ".join(detail["name"] for detail in entered if detail))
    say(f"  {found['status']} after {seconds:.1f} s {found.get('cause', '')}".rstrip())
    if found["status"] != "SUCCEEDED":
        raise SystemExit(1)
    output: dict[str, Any] = json.loads(found["output"])
    return output


def show(aws: Aws, state: StackState, output: Mapping[str, Any]) -> None:
    """Each replication's number, their mean with its interval, and where both lie."""
    run = Run(commands.store_of(aws, state), str(output["run"]))
    say("  replication  value")
    for row in run.metrics():
        say(f"  {row['replication']:>11}  {row['value']:>5}")
    summary = run.summary().rows[0]
    say(f"  mean {summary.mean:.1f} ± {summary.half_width:.1f} of n = {summary.n}, {summary.failed} failed")
    say(f"  tables in {output['folder']}; run {run.id} in {output['store']}")


def phase(aws: Aws, stack: str, model: Path, typed: Mapping[str, Any], **more: Any) -> None:
    contents = more.get("contents") or commands.Contents(dependencies=False)
    state = deployed(aws, stack, model, contents, more.get("wanted") or Wanted())
    show(aws, state, execute(aws, state, typed))


def docker_answers() -> bool:
    command = ["docker", "info"]
    if shutil.which("docker") is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def database() -> Iterator[tuple[str, str]]:
    """Name and URL of a relational database: DEMO_DATABASE, or one of a MariaDB or PostgreSQL server of its own."""
    if url := os.environ.get("DEMO_DATABASE"):
        yield url.partition(":")[0], url
        return
    sys.path.insert(0, str(ROOT / "tests" / "stores"))
    import servers

    kind = servers.Mariadb if shutil.which("mariadbd") or shutil.which("mysqld") else servers.Postgres
    server = kind()
    try:
        yield kind.__name__, server.new_database()
    finally:
        server.close()


def phase_two(aws: Aws, typed: Mapping[str, Any]) -> None:
    say("\nPhase 2: the same in a container image with R, through ECR")
    if not docker_answers():
        say("  left out: no Docker engine answers here (make test-image starts one on Debian, as root)")
        return
    phase(aws, "phase-two", EXAMPLE / "model.R", typed, contents=commands.Contents(package="image", r=True))


def phase_three(aws: Aws, typed: Mapping[str, Any]) -> None:
    say("\nPhase 3: results, run and replication numbers and the aggregate in a relational database")
    has_r = shutil.which("Rscript") is not None
    say("  the functions run R of this machine" if has_r else "  R is not installed here: the model is the Python one")
    with database() as (kind, url):
        secret = aws.client("secretsmanager").create_secret(Name="results", SecretString=url)["ARN"]
        say(f"  a {kind} database; its address and password are in {secret}")
        model = EXAMPLE / ("model.R" if has_r else "model.py")
        phase(aws, "phase-three", model, typed, wanted=Wanted(secret=secret))


def main() -> int:
    parser = argparse.ArgumentParser(description="The proof of concept's three phases, on an emulator of AWS.")
    parser.add_argument(
        "--pause", type=float, default=2.0, metavar="S", help="in place of the ten minutes (default: 2)"
    )
    chosen = parser.parse_args()
    typed = {"repetitions": REPETITIONS, "parameters": {"pause_seconds": chosen.pause}}
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    with started(port, reachable=docker_answers()) as url:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            os.environ.pop(name, None)
        os.environ.update(environment(url))
        aws = Aws()
        say("Phase 1: a zip package, and results in a bucket")
        phase(aws, "phase-one", EXAMPLE / "model.py", typed)
        phase_two(aws, typed)
        phase_three(aws, typed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
