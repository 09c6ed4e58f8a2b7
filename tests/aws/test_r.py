"""An R model in a function: the same R worker, behind the same door."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request
from replicast.aws.access import Aws
from replicast.aws.step_functions import StateMachine
from replicast.core.errors import RequestError
from replicast.runs import Run

from .conftest import Deploy, wait_for

MODEL = """
simulate <- function(replication, mean = 2) {
  waits <- rexp(5, 1 / mean)
  list(mean = mean(waits), waits = data.frame(customer = seq_along(waits), wait = waits))
}
collate <- function(tables) list(longest = aggregate(wait ~ replication, tables$waits, max))
"""


@pytest.mark.long
@pytest.mark.r
def test_an_r_model_gives_the_bytes_of_a_run_at_home_its_own_collation_included(
    aws: Aws, deploy: Deploy, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    # The emulator runs zip functions on this machine, which has R; on AWS an R model needs an image.
    stack, model = deploy(), write_model(MODEL, "model.R")
    url = f"s3://{stack.bucket}/runs"
    request = Request(model=str(model), replications=6, seed=11)
    with Preparation(request, store_url=url) as there, Preparation(request, store_url=str(tmp_path / "home")) as home:
        record = there.create()
        home.create()
        home.conduct()
        Run(home.store, home.record.id).collate(tmp_path / "tables")
    states = aws.client("stepfunctions")
    order = json.dumps({"run": record.id})
    ended = wait_for(states, states.start_execution(stateMachineArn=stack.machine, input=order)["executionArn"])
    assert ended["status"] == "SUCCEEDED", ended
    run = Run(aws.store(url), record.id)
    tables = sorted((tmp_path / "tables").iterdir())
    assert [path.name for path in tables] == ["longest.csv", "metrics.csv", "summary.csv", "waits.csv"]
    for path in tables:
        assert run.store.read(run.id, f"collated/{path.name}") == path.read_bytes()


@pytest.mark.long
@pytest.mark.r
def test_an_r_model_on_a_stack_without_an_image_is_refused_with_what_to_do(
    aws: Aws, deploy: Deploy, write_model: Callable[..., Path]
) -> None:
    stack = deploy()
    url = f"s3://{stack.bucket}/runs"
    with Preparation(Request(model=str(write_model(MODEL, "model.R")), replications=2), store_url=url) as there:
        record = there.create()
    with pytest.raises(RequestError, match="--package image"):
        StateMachine(aws, stack, record, aws.store(url)).check()
