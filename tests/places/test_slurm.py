"""`--on slurm`, on a real Slurm of one node."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import replicast
from replicast import Run
from replicast.core.planning import count
from replicast.executors.slurm import Settings, SlurmExecutor, array_size
from replicast.testing import check_executor, check_place

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("cluster")]
Command = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., Path]
MODEL = """
import time
def simulate(rng, replication, pause=0.0):
    time.sleep(pause)
    if replication == 7:
        raise ValueError("seven")
    return {"x": float(rng.normal()), "rows": [{"k": k} for k in range(replication % 3)]}
"""


def collated(run: Run, folder: Path) -> dict[str, bytes]:
    run.collate(folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def wait_until(true: Callable[[], Any], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.2)


def stored(store: Path, run: str) -> int:
    return count(Run(store, run).store.coverage(run).done("base"))


def test_slurm_does_what_every_executor_must(tmp_path: Path) -> None:
    check_executor(lambda: SlurmExecutor(Settings(logs=tmp_path, at_once=4), look_seconds=0.2))


def test_slurm_does_what_every_place_must() -> None:
    check_place("slurm", workers=2)


def test_a_run_on_slurm_has_the_bytes_of_a_run_at_home(write_model: Write, tmp_path: Path) -> None:
    model = str(write_model(MODEL))
    here = replicast.run(model, n=20, seed=3, store=str(tmp_path / "here"))
    there = replicast.run(model, n=20, seed=3, store=str(tmp_path / "there"), on="slurm", workers=3)
    assert collated(here, tmp_path / "a") == collated(there, tmp_path / "b")
    (logs,) = (tmp_path / "there").glob("*/slurm-logs")
    assert "seven" not in "".join(path.read_text() for path in logs.iterdir())
    assert len(list(logs.iterdir())) == 3


def test_a_detached_run_is_watched_cancelled_and_resumed(
    replicast: Command, write_model: Write, tmp_path: Path
) -> None:
    options = ("-n", "8", "--param", "pause=3", "--on", "slurm", "--workers", "1", "--name", "long")
    left = replicast("run", write_model(MODEL), *options, "--detach", "--json")
    assert left.returncode == 0, left.stderr
    assert json.loads(left.stdout)["left_with"].startswith("Slurm job ")
    status = json.loads(replicast("status", "long", "--json").stdout)
    assert status["state"] == "running", status
    assert "Slurm job" in status["at_work"]["who"]
    wait_until(lambda: stored(tmp_path / "runs", "long") >= 1)
    assert replicast("cancel", "long").returncode == 0
    wait_until(lambda: json.loads(replicast("status", "long", "--json").stdout)["state"] == "cancelled")
    assert 1 <= stored(tmp_path / "runs", "long") < 8
    done = replicast("resume", "long", "--quiet")
    assert done.returncode == 1, done.stderr
    assert stored(tmp_path / "runs", "long") == 8


def test_a_task_that_is_killed_and_a_login_process_that_dies_cost_nothing(
    replicast: Command, write_model: Write, tmp_path: Path
) -> None:
    model = write_model(MODEL.replace("replication == 7", "False"))
    options = ["run", model, "-n", "6", "--param", "pause=1.5", "--on", "slurm", "--workers", "2", "--name", "hurt"]
    with subprocess.Popen(
        ["python", "-m", "replicast", *map(str, options), "--quiet"], cwd=tmp_path,
        env=os.environ | {"PATH": f"{Path(__import__('sys').executable).parent}:{os.environ['PATH']}"},
    ) as login:  # fmt: skip
        wait_until((tmp_path / "runs" / "hurt" / "run.json").exists)
        wait_until(lambda: stored(tmp_path / "runs", "hurt") >= 1)
        login.kill()
    found = subprocess.run(["pgrep", "-f", "batch_door hurt"], capture_output=True, text=True, check=False).stdout
    for pid in found.split()[:1]:
        os.kill(int(pid), signal.SIGKILL)
    done = replicast("resume", "hurt", "--quiet")
    assert done.returncode == 0, done.stderr
    assert stored(tmp_path / "runs", "hurt") == 6


def test_an_environment_that_differs_on_the_node_fails_with_one_sentence(
    replicast: Command, write_model: Write
) -> None:
    lacking = replicast("run", write_model(MODEL), "-n", "4", "--on", "slurm",
                        "--slurm-setup", "echo 'module: R/9 is not there' >&2; exit 1")  # fmt: skip
    assert lacking.returncode == 3
    assert lacking.stderr.count("R/9 is not there") == 1, lacking.stderr
    refused = replicast("run", write_model(MODEL), "-n", "4", "--on", "slurm", "--slurm-partition", "none-such")
    assert refused.returncode == 3
    assert "partition" in refused.stderr.lower()


def test_the_stores_url_is_in_no_script_command_line_or_log(cluster: Path, tmp_path: Path) -> None:
    script = SlurmExecutor(Settings(logs=tmp_path)).script("run", "slurm/1.json", 0)
    assert "REPLICAST_STORE_URL" not in script
    assert array_size() == 10_000
    assert cluster.is_dir()
