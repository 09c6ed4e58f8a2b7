"""A stack whose results go to a database: by hand, from home, through a change of the password, and without a leak."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from servers import Postgres

from replicast.aws.access import Aws
from replicast.aws.database_runs import PREPARED, DatabaseRuns
from replicast.aws.stack import StackState
from replicast.core.record import NAME
from replicast.runs import Run
from replicast.stores import open_named_store, open_store
from replicast.stores.sql_connections import FIRST_WAIT_SECONDS

from .conftest import Deploy, wait_for
from .guarded import Guarded
from .test_by_hand import MODEL, execute, give_model

Command = Callable[..., subprocess.CompletedProcess[str]]
GATED = """
import pathlib, time
def simulate(replication, rng, gate="/tmp"):
    gate = pathlib.Path(gate)
    (gate / f"{replication}.started").touch()
    while not (gate / "open").exists():
        time.sleep(0.02)
    return float(rng.normal())
"""


@pytest.fixture(params=["postgres"])
def guarded(request: pytest.FixtureRequest, aws: Aws) -> Guarded:
    return Guarded.create(request.getfixturevalue(request.param), aws)


@pytest.fixture
def stack(deploy: Deploy, guarded: Guarded) -> StackState:
    return deploy(settings=guarded.settings)


@pytest.mark.long
@pytest.mark.parametrize("guarded", ["postgres", "mariadb"], indirect=True)
def test_ten_repetitions_end_with_the_aggregate_in_the_database_and_the_bytes_of_a_run_at_home(
    aws: Aws, stack: StackState, guarded: Guarded, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    home = give_model(aws, stack, write_model(MODEL), tmp_path / "home", replications=10, seed=42)
    ended = execute(aws, stack, repetitions=10, seed=42)
    assert ended["status"] == "SUCCEEDED", ended
    output = json.loads(ended["output"])
    expected = Run(home.store, home.record.id).summary().to_dicts()
    rows = guarded.server.execute("SELECT metric, n, mean, half_width FROM summary ORDER BY position", guarded.name)
    assert rows == [tuple(row[key] for key in ("metric", "n", "mean", "half_width")) for row in expected]
    stored = guarded.server.execute("SELECT count(*) FROM replications WHERE state = 'ok'", guarded.name)
    assert stored == [(10,)]
    bucket = aws.store(f"s3://{stack.bucket}/runs")
    assert bucket.runs() == []
    assert bucket.documents(output["run"], "parts") == []
    run = Run(open_store(guarded.trusted_url), output["run"])
    assert run.collate(tmp_path / "again").files.keys() == {"metrics", "waits", "summary"}
    for path in sorted((tmp_path / "home" / "tables").iterdir()):
        assert bucket.read(output["run"], f"collated/{path.name}") == path.read_bytes()
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.long
def test_a_run_until_precise_keeps_how_many_replications_that_took_in_both_places(
    aws: Aws, stack: StackState, guarded: Guarded, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    give_model(aws, stack, write_model(MODEL), tmp_path / "home", replications=1, seed=1)
    ended = execute(aws, stack, repetitions=4, seed=3, precision="mean=25%", max=60)
    assert ended["status"] == "SUCCEEDED", ended
    run = Run(guarded.trusted_url, json.loads(ended["output"])["run"])
    assert 4 < run.record.planned["base"] < 60
    assert run.status().state == "done"
    kept = aws.store(f"s3://{stack.bucket}/runs").read(run.id, f"{PREPARED}/{NAME}")
    assert kept == run.record.to_json()


def started(aws: Aws, stack: StackState, gate: Path, wanted: int, **typed: Any) -> str:
    """The execution's ARN, once so many replications are under way, which wait for `gate`/open."""
    states = aws.client("stepfunctions")
    order = json.dumps({"parameters": {"gate": str(gate)}} | typed)
    execution: str = states.start_execution(stateMachineArn=stack.machine, input=order)["executionArn"]
    until = time.monotonic() + 60
    while len(list(gate.glob("*.started"))) < wanted:
        assert time.monotonic() < until, states.describe_execution(executionArn=execution)
        time.sleep(0.05)
    return execution


@pytest.mark.long
@pytest.mark.parametrize("guarded", ["postgres", "mariadb"], indirect=True)
def test_while_a_model_computes_no_connection_is_held_and_the_password_may_change(
    aws: Aws, stack: StackState, guarded: Guarded, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    give_model_ungated(aws, stack, write_model(GATED), tmp_path)
    gate = tmp_path / "gate"
    gate.mkdir()
    execution = started(aws, stack, gate, 2, repetitions=6)
    assert guarded.connections() == 0
    guarded.change_password()
    (gate / "open").touch()
    ended = wait_for(aws.client("stepfunctions"), execution)
    assert ended["status"] == "SUCCEEDED", ended
    output = json.loads(ended["output"])
    assert (output["n"], output["failed"]) == (6, 0)
    attempts = guarded.server.execute("SELECT count(*), max(attempt) FROM replications", guarded.name)
    assert attempts == [(6, 1)]
    guarded.change_password()
    assert execute(aws, stack, repetitions=2, parameters={"gate": str(gate)})["status"] == "SUCCEEDED"


@pytest.mark.long
def test_a_server_that_crashes_while_models_compute_and_comes_back_costs_nothing(
    aws: Aws, deploy: Deploy, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    server = Postgres()
    try:
        guarded = Guarded.create(server, aws)
        stack = deploy(settings=guarded.settings)
        give_model_ungated(aws, stack, write_model(GATED), tmp_path)
        gate = tmp_path / "gate"
        gate.mkdir()
        execution = started(aws, stack, gate, 2, repetitions=4)
        server.crash()
        (gate / "open").touch()
        wait_until_saving_is_tried(server.port)
        server.start()
        ended = wait_for(aws.client("stepfunctions"), execution)
        assert ended["status"] == "SUCCEEDED", ended
        assert guarded.server.execute("SELECT count(*), max(attempt) FROM replications", guarded.name) == [(4, 1)]
        assert len(aws.client("stepfunctions").list_map_runs(executionArn=execution)["mapRuns"]) == 1
    finally:
        server.close()


def wait_until_saving_is_tried(port: int) -> None:
    """Returns once somebody has knocked at the server's door for longer than strangers are waited for."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        listener.settimeout(60)
        first = time.monotonic()
        while time.monotonic() - first < FIRST_WAIT_SECONDS["away"] + 1:
            listener.accept()[0].close()


def give_model_ungated(aws: Aws, stack: StackState, model: Path, folder: Path) -> None:
    """Deploys a gated model, whose trial at home finds its gate open."""
    (folder / "open").touch()
    give_model(aws, stack, model, folder / "home", replications=1, seed=1, parameters={"gate": str(folder)})


def everything_said(aws: Aws, stack: StackState, execution: str) -> Iterator[tuple[str, str]]:
    """(where, text) of all that AWS keeps and shows of a stack and a run, but the secret itself."""
    formation, functions, states = (aws.client(name) for name in ("cloudformation", "lambda", "stepfunctions"))
    yield "template", str(formation.get_template(StackName=stack.name)["TemplateBody"])
    yield "stack", str(formation.describe_stacks(StackName=stack.name))
    yield "events", str(formation.describe_stack_events(StackName=stack.name))
    for name in ("plan", "simulate", "collate"):
        yield f"configuration of {name}", str(functions.get_function(FunctionName=f"{stack.name}-{name}"))
        for page in (
            aws.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=f"/aws/lambda/{stack.name}-{name}")
        ):
            yield f"log of {name}", str(page["events"])
    yield "machine", str(states.describe_state_machine(stateMachineArn=stack.machine))
    children = [
        child["executionArn"]
        for one in states.list_map_runs(executionArn=execution)["mapRuns"]
        for child in states.list_executions(mapRunArn=one["mapRunArn"])["executions"]
    ]
    for arn in [execution, *children]:
        yield f"execution {arn}", str(states.describe_execution(executionArn=arn))
        yield f"history of {arn}", str(states.get_execution_history(executionArn=arn)["events"])
    for page in aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=stack.bucket):
        for item in page["Contents"]:
            content = aws.client("s3").get_object(Bucket=stack.bucket, Key=item["Key"])["Body"].read()
            yield item["Key"], content.decode(errors="replace")


@pytest.mark.long
def test_the_password_stands_in_nothing_that_aws_keeps_or_shows(
    aws: Aws, stack: StackState, guarded: Guarded, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    text = "def simulate(replication, rng):\n    print('hello')\n    assert replication != 2\n    return rng.normal()\n"
    give_model(aws, stack, write_model(text), tmp_path / "home", replications=3, seed=1, tolerate="1")
    ended = execute(aws, stack, repetitions=3)
    assert ended["status"] == "SUCCEEDED", ended
    said = dict(everything_said(aws, stack, ended["executionArn"]))
    assert len([where for where in said if where.startswith("history of")]) >= 2
    assert "run.json" in " ".join(said)
    assert guarded.arn in said["configuration of plan"]
    rows = guarded.server.execute("SELECT error, traceback, log FROM replications", guarded.name)
    said["ledger"] = str(rows)
    for where, what in said.items():
        for written in (guarded.password, quote(guarded.password, safe=""), json.dumps(guarded.password)[1:-1]):
            assert written not in what, where


@pytest.mark.long
@pytest.mark.usefixtures("stack")
def test_a_run_from_home_is_followed_collated_and_gone_on_with(
    guarded: Guarded, replicast: Command, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = str(write_model(MODEL))
    there = replicast("run", model, "-n", "5", "--seed", "8", "--on", "aws", "-o", str(tmp_path / "there"), "--json")
    assert there.returncode == 0, there.stderr
    home = replicast("run", model, "-n", "5", "--seed", "8", "-o", str(tmp_path / "home"), "--json")
    found = json.loads(there.stdout)
    assert found["summary"] == json.loads(home.stdout)["summary"]
    assert (found["store"], found["simulated"], found["done"]) == ("aws://replicast", 5, 5)
    for path in (tmp_path / "home").iterdir():
        assert (tmp_path / "there" / path.name).read_bytes() == path.read_bytes()
    store = ("--store", "aws://replicast")
    status = json.loads(replicast("status", "latest", *store, "--json").stdout)
    assert (status["state"], status["done"]) == ("done", 5)
    more = replicast("resume", "latest", "-n", "7", *store, "--json")
    assert json.loads(more.stdout)["simulated"] == 2, more.stderr
    by_sql = replicast("resume", "latest", "-n", "8", "--store", guarded.trusted_url, "--json")
    assert json.loads(by_sql.stdout)["simulated"] == 1, by_sql.stderr
    assert guarded.server.execute("SELECT n FROM summary", guarded.name)[0] == (8,)
    looked = replicast("aws", "status")
    assert f"password in {guarded.arn}" in looked.stdout
    assert "not made by replicast" in looked.stdout
    said = [there, more, by_sql, looked]
    assert not [one for one in said if guarded.password in one.stdout + one.stderr]


@pytest.mark.long
def test_runs_at_home_are_kept_in_a_stacks_database_and_runs_of_its_bucket_are_copied_there(
    aws: Aws, stack: StackState, guarded: Guarded, replicast: Command, write_model: Callable[..., Path]
) -> None:
    model = str(write_model(MODEL))
    kept = replicast("run", model, "-n", "3", "--seed", "8", "--store", "aws://replicast", "--name", "local", "--json")
    assert kept.returncode == 0, kept.stderr
    assert Run(guarded.trusted_url, "local").status().done == 3
    bucket = f"s3://{stack.bucket}/runs"
    replicast("run", model, "-n", "3", "--seed", "8", "--store", bucket, "--name", "older")
    aws.store(bucket).write("older", "collated/summary.csv", b"scenario")
    copied = replicast("copy", "older", "--from", bucket, "--to", "aws://replicast")
    assert copied.returncode == 0, copied.stderr
    assert Run(guarded.trusted_url, "older").summary() == Run(guarded.trusted_url, "local").summary()


@pytest.mark.long
def test_a_run_is_cancelled_by_whoever_sees_the_database_alone(
    aws: Aws, stack: StackState, guarded: Guarded, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    give_model_ungated(aws, stack, write_model(GATED), tmp_path)
    gate = tmp_path / "gate"
    gate.mkdir()
    execution = started(aws, stack, gate, 2, repetitions=50)
    handle = Run(guarded.trusted_url)
    assert handle.status().state == "running"
    handle.cancel()
    (gate / "open").touch()
    ended = wait_for(aws.client("stepfunctions"), execution)
    assert ended["status"] in ("ABORTED", "FAILED")
    assert handle.status().state == "cancelled"


def test_another_experiment_of_the_same_name_in_the_database_is_left_alone(
    aws: Aws, stack: StackState, guarded: Guarded, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    give_model(aws, stack, write_model(MODEL), tmp_path / "home", replications=2, seed=1, name="ward")
    store = open_named_store(f"aws://{stack.name}")
    assert isinstance(store, DatabaseRuns)
    record = Run(str(tmp_path / "home"), "ward").record
    store.write("ward", NAME, record.to_json())
    other = record.to_json().replace(b'"seed": 1', b'"seed": 2')
    assert other != record.to_json()
    store.bucket.write("ward", f"{PREPARED}/{NAME}", other)
    ended = execute(aws, stack, run="ward")
    assert ended["status"] == "FAILED"
    assert "has a run 'ward' of another experiment" in ended["cause"]
    assert Run(guarded.trusted_url, "ward").record.experiment.seed == 1
