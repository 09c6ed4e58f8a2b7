"""`make smoke-aws`: works against the emulator as it would against an account, and leaves nothing, whatever fails."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from replicast.aws.access import Aws

REPOSITORY = Path(__file__).resolve().parents[2]


def smoke(*arguments: str, answer: str = "yes") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "tools" / "smoke_aws.py"), *arguments]
    return subprocess.run(
        command, env=os.environ | {"SMOKE_AWS": answer}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def assert_nothing_is_left(aws: Aws) -> None:
    assert aws.client("s3").list_buckets()["Buckets"] == []
    assert aws.client("lambda").list_functions()["Functions"] == []
    assert aws.client("stepfunctions").list_state_machines()["stateMachines"] == []


@pytest.mark.long
def test_every_step_is_taken_and_nothing_is_left(aws: Aws) -> None:
    done = smoke("--bare")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("  ok: ") == 6
    assert "it costs less than $" in done.stdout
    assert "3 tables" in done.stdout
    assert "n = 10" in done.stdout
    assert "30 children" in done.stdout
    assert_nothing_is_left(aws)


@pytest.mark.long
def test_after_a_failure_everything_is_removed_all_the_same(aws: Aws, write_model: Callable[..., Path]) -> None:
    text = "import time\nstarted = time.time()\ndef simulate(rng, mean=2.0, pause=0.0):\n    return started\n"
    done = smoke("--bare", "--model", str(write_model(text)))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED: these tables differ between AWS and this machine: metrics.csv, summary.csv" in done.stdout
    assert "start by hand" not in done.stdout
    assert "and its bucket are gone" in done.stdout
    assert_nothing_is_left(aws)


@pytest.mark.long
def test_without_a_yes_nothing_is_started(aws: Aws) -> None:
    done = smoke("--bare", answer="")
    assert done.returncode == 2
    assert "nothing was started: say SMOKE_AWS=yes" in done.stdout
    assert_nothing_is_left(aws)


@pytest.mark.real_aws
def test_every_step_is_taken_in_a_real_account() -> None:
    if os.environ.get("SMOKE_AWS") != "yes" or "AWS_ENDPOINT_URL" in os.environ:
        pytest.skip("this costs money in a real account; say SMOKE_AWS=yes, with credentials and a region")
    done = smoke()
    assert done.returncode == 0, done.stdout + done.stderr
