"""`replicast … --on aws` as it is typed: deployed, run, left alone, cancelled, gone on with, replayed at home."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from replicast.aws import commands
from replicast.aws.access import Aws
from replicast.aws.sandbox import environment
from replicast.aws.stack import StackState

from .conftest import Deploy, wait_for

MODEL = "def simulate(replication, rng):\n    assert replication != 3, 'three'\n    return float(rng.normal())\n"
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def stack(deploy: Deploy) -> StackState:
    return deploy()


@pytest.mark.long
def test_a_run_on_aws_is_collated_summarised_and_replayed_at_home(
    aws: Aws, stack: StackState, replicast: Command, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = str(write_model(MODEL))
    store = ("--store", commands.store_of(aws, stack).url)
    options = ("-n", "5", "--seed", "8", "--tolerate", "1")
    there = replicast("run", model, *options, "--on", "aws", "-o", str(tmp_path / "there"), "--json")
    assert there.returncode == 0, there.stderr
    home = replicast("run", model, *options, "-o", str(tmp_path / "home"), "--json")
    assert json.loads(there.stdout)["summary"] == json.loads(home.stdout)["summary"]
    for path in (tmp_path / "home").iterdir():
        assert (tmp_path / "there" / path.name).read_bytes() == path.read_bytes()
    status = json.loads(replicast("status", "latest", *store, "--json").stdout)
    assert (status["state"], status["done"], status["failed"]) == ("done", 5, 1)
    replay = replicast("replay", "latest", "3", *store)
    assert "three" in replay.stdout + replay.stderr
    more = replicast("resume", "latest", "-n", "7", *store, "--json")
    assert json.loads(more.stdout)["simulated"] == 2


@pytest.mark.long
def test_a_detached_run_goes_on_without_anybody(
    aws: Aws, stack: StackState, replicast: Command, write_model: Callable[..., Path]
) -> None:
    model = str(write_model("def simulate(rng):\n    return float(rng.normal())\n"))
    left = replicast("run", model, "-n", "4", "--on", "aws", "--detach")
    assert left.returncode == 0, left.stderr
    (execution,) = aws.client("stepfunctions").list_executions(stateMachineArn=stack.machine)["executions"]
    assert wait_for(aws.client("stepfunctions"), execution["executionArn"])["status"] == "SUCCEEDED"
    store = commands.store_of(aws, stack)
    assert store.read(left.stdout.strip(), "collated/summary.csv") is not None


@pytest.mark.long
def test_an_estimate_says_that_quick_models_are_not_worth_it_and_refuses_what_costs_too_much(
    replicast: Command, write_model: Callable[..., Path]
) -> None:
    model = str(write_model("def simulate(rng):\n    return float(rng.normal())\n"))
    found = replicast("estimate", model, "-n", "1000", "--region", "eu-west-2")
    assert found.returncode == 0, found.stderr
    assert "not worth it" in found.stderr
    refused = replicast("estimate", model, "-n", "1000", "--region", "eu-west-2", "--max-cost", "0.000001")
    assert refused.returncode == 2
    assert "nothing was started" in refused.stderr


@pytest.mark.long
def test_an_estimate_reads_an_experiment_file(replicast: Command, write_model: Callable[..., Path]) -> None:
    model = write_model("def simulate(rng):\n    return float(rng.normal())\n")
    file = model.with_name("e.toml")
    file.write_text(
        'model = "model.py"\nreplications = 8\nprecision = "value=5%"\nmax = 40\n[scenarios.a]\n[scenarios.b]\n'
    )
    found = replicast("estimate", "--experiment", str(file), "--region", "eu-west-2", "--json")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["replications"] == 80


def test_a_model_that_always_fails_is_not_estimated(replicast: Command, write_model: Callable[..., Path]) -> None:
    model = write_model("def simulate():\n    raise ValueError('no beds')\n")
    refused = replicast("estimate", str(model), "-n", "10", "--region", "eu-west-2")
    assert refused.returncode == 2
    assert "every replication of the pilot failed: ValueError: no beds" in refused.stderr


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("aws",), "what is to be done?"),
        (("aws", "deploy", "--package", "jar"), "--package takes zip or image"),
        (("aws", "destroy", "--results"), "--yes"),
        (("aws", "logs"), "replicast aws deploy"),
        (("run", "model.py", "-n", "2", "--on", "aws"), "replicast aws deploy"),
        (("estimate", "model.py", "--on", "moon"), "invalid choice: 'moon' (choose from"),
        (("estimate", "model.py", "-n", "0"), "must be 1 or more, and 0 is not"),
        (("estimate", "model.py", "-n", "-3"), "must be 1 or more, and -3 is not"),
        (("estimate", "model.py", "--memory", "-1"), "--memory takes 1 or more"),
        (("estimate", "model.py", "--concurrency", "0"), "--concurrency takes 1 or more"),
    ],
)
@pytest.mark.usefixtures("aws")
def test_a_wrong_request_is_refused_with_what_to_do(
    replicast: Command, write_model: Callable[..., Path], typed: tuple[str, ...], message: str
) -> None:
    model = write_model("def simulate(rng):\n    return float(rng.normal())\n")
    done = replicast(*(str(model) if word == "model.py" else word for word in typed))
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_sandbox_names_everything_that_points_at_it() -> None:
    found = environment("http://127.0.0.1:4566")
    assert found["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert found["AWS_ALLOW_HTTP"] == "true"
    assert found["AWS_ACCESS_KEY_ID"].isdigit()
