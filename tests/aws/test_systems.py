"""On which system AWS performed a run, and what of it is otherwise here."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import replicast
from replicast.aws.access import Aws
from replicast.aws.stack import StackState
from replicast.conducting.systems import other_systems, this_system
from replicast.runs import Run

from .conftest import Deploy
from .test_by_hand import MODEL, execute, give_model


@pytest.fixture
def stack(deploy: Deploy) -> StackState:
    return deploy()


@pytest.mark.long
def test_verifying_says_which_versions_and_processor_performed_the_run_where_they_are_others(
    aws: Aws,
    stack: StackState,
    write_model: Callable[..., Path],
    tmp_path: Path,
    replicast: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    give_model(aws, stack, write_model(MODEL), tmp_path / "home", replications=3, seed=1)
    run = json.loads(execute(aws, stack, repetitions=3)["output"])["run"]
    store = aws.store(f"s3://{stack.bucket}/runs")
    (name,) = store.documents(run, "systems")
    there = json.loads(store.read(run, name) or b"")
    assert there["numpy"] == np.__version__
    assert other_systems(store, Run(store, run).record) == []
    verify = ("verify", run, "--store", f"s3://{stack.bucket}/runs", "--trust", "--json")
    assert json.loads(replicast(*verify).stdout)["performed_on"] == []
    assert replicast("verify", run, "--on", "aws", "--trust", "--json").stdout == replicast(*verify).stdout
    another = there | {"numpy": "1.26.4", "processor": "aarch64", "simpy": "4.1.1"}
    store.write(run, "systems/another.json", json.dumps(another).encode())
    done = replicast(*verify)
    assert done.returncode == 0, done.stderr
    wanted = [f"numpy 1.26.4 there, {np.__version__} here", f"processor aarch64 there, {there['processor']} here"]
    assert set(wanted) < set(json.loads(done.stdout)["performed_on"])
    assert "PERFORMED ON ANOTHER SYSTEM" in replicast(*verify[:-1]).stderr
    assert "numpy 1.26.4 there" in replicast("replay", run, "1", *verify[2:-1]).stderr


def test_a_system_is_its_processor_its_c_library_and_what_the_model_is_made_of(
    write_model: Callable[..., Path], tmp_path: Path
) -> None:
    record = replicast.run(str(write_model(MODEL)), n=2, seed=1, store=str(tmp_path / "home")).record
    found = this_system(record)
    assert found.keys() == {"processor", "C library", "replicast", "python", "numpy"}
    assert found["numpy"] == np.__version__
