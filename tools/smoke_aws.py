"""Tries a stack of its own in the AWS account that the credentials are of, and removes it with all that was in it.

    make smoke-aws                       asks first; SMOKE_AWS=yes in the environment answers
    python tools/smoke_aws.py --region eu-west-2 --profile mine

Deploys; runs 20 replications there and here and compares the collated bytes; starts the state machine by hand with
{"repetitions": 10}; has a map of 3,000 children, each with a replication of its own; cancels a run; destroys stack,
bucket and results, whatever happened. Status: 0 all of it was as it should be, 1 something was not, 2 nothing was
started. `--bare` is for an emulator whose Python has our packages.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from replicast.aws import commands
from replicast.aws.access import Aws
from replicast.aws.estimate import Pilot, estimate
from replicast.aws.functions import RUNS
from replicast.aws.limits import Capacity
from replicast.aws.prices import Usage, bill
from replicast.aws.progress import map_runs
from replicast.aws.settings import Settings
from replicast.aws.stack import Stack
from replicast.aws.step_functions import StateMachine
from replicast.core.errors import ReplicastError

MODEL = """
import time
def simulate(rng, mean=2.0, pause=0.0):
    time.sleep(pause)
    waits = rng.exponential(mean, 5)
    return {"mean": float(waits.mean()), "waits": [{"customer": k, "wait": float(w)} for k, w in enumerate(waits)]}
"""
REPLICATIONS, BY_HAND, TO_CANCEL = 20, 10, 400
MANY, MANY_BARE = 3000, 30
"""Children of one map: Step Functions puts the outputs of some 1,640 into a state of 256 KiB, were they not empty."""

WAIT_SECONDS = 900.0
RUNS_OF_IT = 4
"""The two runs, the one that is cancelled, and something for deploying and looking."""


class Wrong(Exception):
    """What was seen is not what should be."""


class Smoke:
    """One try, in a stack and a folder of its own."""

    def __init__(self, aws: Aws, folder: Path, *, bare: bool, architecture: str | None, model: str = MODEL) -> None:
        self.aws, self.folder, self.bare, self.architecture = aws, folder, bare, architecture
        self.name = f"replicast-smoke-{secrets.token_hex(4)}"
        self.model = folder / "project" / "model.py"
        self.model.parent.mkdir()
        self.model.write_text(model, encoding="utf-8")

    def replicast(self, *arguments: str) -> str:
        """What a command prints. Raises Wrong, with what it said, unless it ends with 0."""
        command = [sys.executable, "-m", "replicast", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Wrong(f"replicast {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def on_aws(self) -> tuple[str, ...]:
        return "--on", "aws", "--stack", self.name

    def deploy(self) -> str:
        settings = Settings(architecture=self.architecture, seconds=120, concurrency=4)
        if self.bare:
            settings = Settings(f"python3.{sys.version_info.minor}", "x86_64", seconds=120, concurrency=2)
        contents = commands.Contents(dependencies=not self.bare)
        state = commands.deploy(self.aws, self.name, contents=contents, settings=settings, tell=say).state
        arguments = ("aws", "status", "--stack", self.name, "--region", self.aws.region, "--json")
        found = json.loads(self.replicast(*arguments))
        if found["machine"] != state.machine:
            raise Wrong(f"status tells of {found['machine']}, and {state.machine} was deployed")
        return str(state.status)

    def compare(self) -> str:
        options = ("run", str(self.model), "-n", str(REPLICATIONS), "--seed", "42", "--quiet")
        self.replicast(*options, *self.on_aws(), "-o", "there")
        self.replicast(*options, "-o", "here")
        here, there = ({p.name: p.read_bytes() for p in (self.folder / name).iterdir()} for name in ("here", "there"))
        if here != there:
            different = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
            raise Wrong(f"these tables differ between AWS and this machine: {', '.join(different)}")
        return f"{len(here)} tables, {sum(map(len, here.values())):,} bytes, equal"

    def start_by_hand(self) -> str:
        self.give_model()
        states, machine = self.aws.client("stepfunctions"), Stack(self.aws, self.name).require().machine
        order = json.dumps({"repetitions": BY_HAND})
        execution = states.start_execution(stateMachineArn=machine, input=order)["executionArn"]
        found = self.ended(execution)
        output: dict[str, Any] = json.loads(found.get("output", "{}"))
        if found["status"] != "SUCCEEDED" or (output["n"], output["failed"]) != (BY_HAND, 0):
            raise Wrong(f"{execution} {found['status']}: {found.get('cause', output)}")
        return f"n = {output['n']}, mean = {output['mean']:.4g}"

    def give_model(self) -> None:
        """Makes the model the stack's own, as `replicast aws update MODEL` does, without packing anew."""
        from replicast.asking.preparation import Preparation
        from replicast.asking.request import Request, new_record
        from replicast.aws.deployed import keep_model

        with Preparation(Request(model=str(self.model)), store_url=str(self.folder / "none")) as p:
            record = new_record(p.request, p.options, p.experiment, p.source, p.signature)
            bucket = self.aws.store(f"s3://{Stack(self.aws, self.name).require().bucket}")
            keep_model(bucket, record, p.source, p.signature)

    def have_many_children(self) -> str:
        """Of a run whose replications are taken for long ones: each is a batch, and a child of the map, of its own."""
        from replicast.asking.preparation import Preparation
        from replicast.asking.request import Request
        from replicast.aws.estimate import keep_hint

        wanted, state = MANY_BARE if self.bare else MANY, Stack(self.aws, self.name).require()
        url = f"s3://{state.bucket}/{RUNS}"
        with Preparation(Request(model=str(self.model), replications=wanted, seed=1), store_url=url) as made:
            record = made.create()
        machine = StateMachine(self.aws, state, record, self.aws.store(url))
        keep_hint(machine.store, record.id, 600.0)
        states, execution = self.aws.client("stepfunctions"), machine.leave().id
        found = self.ended(execution)
        output: dict[str, Any] = json.loads(found.get("output", "{}"))
        if found["status"] != "SUCCEEDED" or (output["done"], output["failed"]) != (wanted, 0):
            raise Wrong(f"{execution} {found['status']}: {found.get('cause', output)}")
        counts = [states.describe_map_run(mapRunArn=one)["itemCounts"]["total"] for one in map_runs(states, execution)]
        if counts[0] != wanted:
            raise Wrong(f"the first map of {execution} had {counts[0]:,} children and not {wanted:,}")
        return f"{counts[0]:,} children"

    def ended(self, execution: str) -> dict[str, Any]:
        """What Step Functions says of an execution once it has ended."""
        states, until = self.aws.client("stepfunctions"), time.monotonic() + WAIT_SECONDS
        while (found := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
            if time.monotonic() > until:
                raise Wrong(f"{execution} still runs after {WAIT_SECONDS:.0f} s")
            time.sleep(1)
        return dict(found)

    def cancel(self) -> str:
        options = ("-n", str(TO_CANCEL), "--param", "pause=5", "--detach")
        run = self.replicast("run", str(self.model), *options, *self.on_aws()).split()[0]
        store = ("--store", f"aws://{self.name}")
        self.replicast("cancel", run, *store)
        until = time.monotonic() + WAIT_SECONDS
        while (found := json.loads(self.replicast("status", run, *store, "--json")))["state"] != "cancelled":
            if time.monotonic() > until:
                raise Wrong(f"run {run} is {found['state']} {WAIT_SECONDS:.0f} s after it was cancelled")
            time.sleep(1)
        if found["done"] >= TO_CANCEL:
            raise Wrong(f"run {run} was cancelled, and all of it is there")
        return f"{found['done']} of {TO_CANCEL} were simulated"

    def destroy(self) -> str:
        commands.destroy(self.aws, self.name, results=True, at_work=True)
        bucket = Stack(self.aws, self.name).bucket_name
        buckets = [one["Name"] for one in self.aws.client("s3").list_buckets()["Buckets"]]
        if Stack(self.aws, self.name).state().exists or bucket in buckets:
            raise Wrong(f"stack '{self.name}' or bucket '{bucket}' is still there; look in the console")
        return f"stack '{self.name}' and its bucket are gone"


def say(text: str) -> None:
    print(text, flush=True)


def attempt(name: str, step: Callable[[], str]) -> bool:
    say(f"{name} …")
    try:
        say(f"  ok: {step()}")
    except (Wrong, ReplicastError) as error:
        say(f"  FAILED: {error}")
        return False
    return True


def carried_out(smoke: Smoke) -> bool:
    """Whether every step was as it should be; after one that was not, only the last, removing everything, is taken."""
    steps = {"deploy": smoke.deploy, "compare 20 replications": smoke.compare,
             "start by hand": smoke.start_by_hand, "a map of many": smoke.have_many_children,
             "cancel a run": smoke.cancel}  # fmt: skip
    good = False
    try:
        good = all(attempt(name, step) for name, step in steps.items())
    finally:
        gone = attempt("destroy", smoke.destroy)
    return good and gone


def cost(region: str) -> float:
    """Dollars, at most: every replication that is planned, were none cancelled."""
    pilot = Pilot((5.0, 5.0), 300, 10_000, 1, 2)
    children = bill(Usage(MANY * 4 * 1.73, MANY, MANY, 4 * MANY, 8 * MANY, 0.0), region, "x86_64").total
    return (
        children
        + RUNS_OF_IT * estimate(pilot, TO_CANCEL, capacity=Capacity(120, concurrency=4), region=region).bill.total
    )


def agreed(aws: Aws, name: str) -> bool:
    where = os.environ.get("AWS_ENDPOINT_URL") or f"account {aws.account}"
    say(f"this makes stack '{name}' in {where}, region {aws.region}, uses it for some minutes, and removes it again;")
    say(f"it costs less than ${cost(aws.region):.2f}")
    if os.environ.get("SMOKE_AWS") == "yes":
        return True
    if not sys.stdin.isatty():
        say("nothing was started: say SMOKE_AWS=yes")
        return False
    return input("go on? Type yes: ").strip() == "yes"


def main() -> int:
    parser = argparse.ArgumentParser(description="Tries a stack of its own on AWS, and removes it.")
    parser.add_argument("--region")
    parser.add_argument("--profile")
    parser.add_argument("--architecture")
    parser.add_argument("--bare", action="store_true", help="functions without their packages, for an emulator")
    parser.add_argument("--model", type=Path, help="another model of the same parameters")
    chosen = parser.parse_args()
    try:
        if chosen.profile:
            os.environ["AWS_PROFILE"] = chosen.profile
        aws = Aws(chosen.region)
        os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = aws.region
        with tempfile.TemporaryDirectory(prefix="replicast-smoke-") as folder:
            model = chosen.model.read_text(encoding="utf-8") if chosen.model else MODEL
            smoke = Smoke(aws, Path(folder), bare=chosen.bare, architecture=chosen.architecture, model=model)
            if not agreed(aws, smoke.name):
                return 2
            return 0 if carried_out(smoke) else 1
    except ReplicastError as error:
        say(f"nothing was started: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
