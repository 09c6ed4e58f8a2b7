"""`run --on aws --max-cost`: what would cost more is refused before anything is there; the rest goes by its pilot."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from replicast.aws import commands
from replicast.aws.access import Aws
from replicast.aws.cloud import HINT
from replicast.aws.stack import StackState

from .conftest import Deploy

MODEL = "import time\ndef simulate(rng):\n    time.sleep(0.05)\n    return float(10 + rng.normal())\n"
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def stack(deploy: Deploy) -> StackState:
    return deploy()


def executions(aws: Aws, stack: StackState) -> int:
    return len(aws.client("stepfunctions").list_executions(stateMachineArn=stack.machine)["executions"])


def test_a_run_that_would_cost_more_is_refused_and_leaves_nothing(
    aws: Aws, stack: StackState, replicast: Command, write_model: Callable[..., Path]
) -> None:
    refused = replicast("run", write_model(MODEL), "-n", "100000", "--on", "aws", "--max-cost", "0.01")
    assert refused.returncode == 2
    assert "more than --max-cost 0.01; nothing was started" in refused.stderr
    assert "$" in refused.stderr
    assert executions(aws, stack) == 0
    assert "Contents" not in aws.client("s3").list_objects_v2(Bucket=stack.bucket, Prefix="runs/")


@pytest.mark.long
def test_a_run_within_its_cost_is_carried_out_in_batches_of_the_pilots_length(
    aws: Aws, stack: StackState, replicast: Command, write_model: Callable[..., Path]
) -> None:
    done = replicast("run", write_model(MODEL), "-n", "6", "--on", "aws", "--max-cost", "5", "--name", "dear")
    assert done.returncode == 0, done.stderr
    assert "about $0.00 on AWS ($5 allowed)" in done.stderr
    store = commands.store_of(aws, stack)
    hint = json.loads(store.read("dear", HINT) or b"{}")
    assert 0.05 <= hint["seconds"] < 5
    (rounds,) = [name for name in store.documents("dear", "cloud") if "/rounds/" in name]
    assert json.loads(store.read("dear", rounds) or b"") == [{"scenario": "base", "first": 1, "last": 6}]


def test_a_run_until_precise_is_reckoned_with_the_most_that_it_may_take(
    aws: Aws, stack: StackState, replicast: Command, write_model: Callable[..., Path]
) -> None:
    options = ("--on", "aws", "--precision", "value=0.001%", "--max-cost", "0.01")
    model = write_model(MODEL)
    unbounded = replicast("run", model, *options)
    assert unbounded.returncode == 2
    assert "--max: give it too" in unbounded.stderr
    refused = replicast("run", model, *options, "--max", "100000")
    assert refused.returncode == 2
    assert "more than --max-cost" in refused.stderr
    assert executions(aws, stack) == 0


def test_a_run_at_home_has_no_cost_to_allow(replicast: Command, write_model: Callable[..., Path]) -> None:
    refused = replicast("run", write_model(MODEL), "-n", "2", "--max-cost", "1")
    assert refused.returncode == 2
    assert "--on aws" in refused.stderr


def test_a_search_for_the_best_is_reckoned_with_its_budget_or_its_maximum(
    aws: Aws, stack: StackState, replicast: Command, write_model: Callable[..., Path]
) -> None:
    model = write_model(MODEL.replace("(rng)", "(rng, level=0)"))
    asked = ("run", model, "--grid", "level=0,1", "--on", "aws", "--select", "value=lower")
    endless = replicast(*asked, "--indifference", "1", "--max-cost", "5")
    assert (endless.returncode, "selects the best costs at most is decided by --max" in endless.stderr) == (2, True)
    for options in (("--budget", "200000"), ("--indifference", "1", "--max", "100000")):
        dear = replicast(*asked, *options, "--max-cost", "0.01")
        assert dear.returncode == 2
        assert "more than --max-cost 0.01; nothing was started" in dear.stderr
    assert executions(aws, stack) == 0
