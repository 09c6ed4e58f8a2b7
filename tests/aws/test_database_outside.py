"""Somebody who may use a stack and not read its database's secret: runs are started, followed and read all the same."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import Postgres

from replicast.aws import commands
from replicast.aws.access import Aws
from replicast.aws.database_runs import OutsideRuns
from replicast.aws.sandbox import started
from replicast.aws.stack import StackState
from replicast.core.errors import RequestError, StoreError
from replicast.runs import Run

from .conftest import REGION, TAUGHT, free_port, use_account
from .guarded import Guarded
from .test_by_hand import execute, give_model
from .test_permissions import role_of

Command = Callable[..., subprocess.CompletedProcess[str]]
MODEL = """
def simulate(replication, rng):
    assert replication != 3, "three"
    return {"wait": float(rng.normal()), "waits": [{"x": replication}]}
"""
USER_MAY = [
    ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"),
    ("states:StartExecution", "states:DescribeExecution", "states:StopExecution", "states:ListMapRuns",
     "states:DescribeMapRun"),
    ("cloudformation:DescribeStacks", "sts:GetCallerIdentity"),
]  # fmt: skip


@pytest.fixture(scope="module")
def strict() -> Iterator[str]:
    """An emulator that enforces the roles of functions and the rights of users."""
    with started(free_port(), {"MINISTACK_REGION": REGION, "AUTH": "true"}, emulator=TAUGHT) as url:
        yield url


@pytest.fixture
def owner(strict: str, monkeypatch: pytest.MonkeyPatch) -> Aws:
    use_account(monkeypatch, strict, "000000000000")
    return Aws(region=REGION)


@pytest.fixture
def guarded(owner: Aws, postgres: Postgres) -> Guarded:
    return Guarded.create(postgres, owner)


@pytest.fixture
def stack(owner: Aws, guarded: Guarded) -> StackState:
    bare = commands.Contents(dependencies=False)
    state = commands.deploy(owner, contents=bare, settings=guarded.settings, poll_seconds=0.1).state
    # The emulator speaks no TLS, without which the bucket's policy lets nobody in.
    owner.client("s3").delete_bucket_policy(Bucket=state.bucket)
    return state


@pytest.fixture
def user(strict: str, owner: Aws, stack: StackState, monkeypatch: pytest.MonkeyPatch) -> StackState:
    """From here on the credentials are those of a user who may run, and may not read the secret; the stack."""
    iam = owner.client("iam")
    iam.create_user(UserName="modeller")
    statements = [{"Effect": "Allow", "Action": list(actions), "Resource": "*"} for actions in USER_MAY]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="modeller", PolicyName="run", PolicyDocument=policy)
    key = iam.create_access_key(UserName="modeller")["AccessKey"]
    use_account(monkeypatch, strict, key["AccessKeyId"], key["SecretAccessKey"])
    return stack


@pytest.mark.long
def test_whoever_may_not_read_the_secret_runs_and_reads_through_the_bucket(
    user: StackState, guarded: Guarded, replicast: Command, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = str(write_model(MODEL))
    options = ("-n", "5", "--seed", "8", "--tolerate", "1", "--json")
    there = replicast("run", model, *options, "--on", "aws", "-o", str(tmp_path / "there"), "--name", "ward")
    assert there.returncode == 0, there.stderr
    home = replicast("run", model, *options, "-o", str(tmp_path / "home"))
    found = json.loads(there.stdout)
    assert found["summary"] == json.loads(home.stdout)["summary"]
    assert (found["done"], found["failed"], found["simulated"]) == (5, 1, 5)
    for path in (tmp_path / "home").iterdir():
        assert (tmp_path / "there" / path.name).read_bytes() == path.read_bytes()
    assert guarded.server.execute("SELECT count(*) FROM replications", guarded.name) == [(5,)]
    assert guarded.server.execute("SELECT n FROM summary WHERE metric = 'wait'", guarded.name) == [(4,)]
    more = replicast("resume", "ward", "-n", "6", "--store", f"aws://{user.name}", "--json")
    assert json.loads(more.stdout)["simulated"] == 1, more.stderr
    failures = replicast("failures", "ward", "--store", f"aws://{user.name}")
    assert "three" in failures.stdout
    replay = replicast("replay", "ward", "2", "--store", f"aws://{user.name}")
    assert replay.returncode == 0, replay.stderr
    verify = replicast("verify", "ward", "--store", f"aws://{user.name}")
    assert verify.returncode == 0, verify.stderr
    detached = replicast("run", model, "-n", "2", "--on", "aws", "--detach")
    assert "cannot be reached from here" in detached.stderr
    handle = Run(f"aws://{user.name}", "ward")
    assert isinstance(handle.store, OutsideRuns)
    assert "AccessDenied" in handle.store.why
    assert handle.status().state == "done"
    with pytest.raises(RequestError, match=r"no table 'waits' here: .*replicast collate ward -o DIR --store aws://"):
        handle.table("waits").pl()
    with pytest.raises(RequestError, match="leave --format out"):
        handle.collate(tmp_path / "parquet", file_format="parquet")
    copied = replicast("copy", "ward", "--from", f"aws://{user.name}", "--to", str(tmp_path / "copy"))
    assert copied.returncode == 3
    assert "cannot be copied from here" in copied.stderr
    local = replicast("run", model, "-n", "2", "--store", f"aws://{user.name}")
    assert local.returncode == 2
    assert "can be kept: see --on" in local.stderr
    with pytest.raises(StoreError, match="cannot be reached from here"):
        handle.store.save("ward", [])
    redone = replicast("resume", "ward", "--retry-failed", "--store", f"aws://{user.name}", "--json")
    assert json.loads(redone.stdout)["failed"] == 1, redone.stderr


@pytest.mark.long
@pytest.mark.parametrize("function", ["collate", "plan"])
def test_a_function_without_the_right_to_its_secret_says_so(
    owner: Aws, stack: StackState, function: str, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    give_model(owner, stack, write_model("def simulate(rng):\n    return rng.normal()\n"), tmp_path / "home", seed=1)
    owner.client("iam").delete_role_policy(RoleName=role_of(owner, f"replicast-{function}"), PolicyName="database")
    ended = execute(owner, stack, repetitions=2)
    assert ended["status"] == "FAILED"
    assert "secretsmanager" in ended["cause"]
