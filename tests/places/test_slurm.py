"""`--on slurm`, on a real Slurm of one node."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import replicast
from replicast import Run
from replicast import run as run_at_home
from replicast.core.planning import count
from replicast.executors.slurm import Settings, SlurmExecutor, array_size
from replicast.testing import check_executor, check_place

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(600), pytest.mark.usefixtures("cluster")]
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


def test_a_planted_password_is_in_no_process_list_job_script_or_log(
    replicast: Command, write_model: Write, postgres: Any, cluster: Path, tmp_path: Path
) -> None:
    store = str(postgres.new_database()).replace("@", ":pl4nt3d@", 1)
    options = ("-n", "2", "--param", "pause=4", "--on", "slurm", "--store", store, "--name", "secret", "--detach")
    left = replicast("run", write_model(MODEL), *options)
    assert left.returncode == 0, left.stderr
    wait_until(lambda: "batch_door secret" in command_lines())
    assert "pl4nt3d" not in command_lines()
    job = subprocess.run(["scontrol", "show", "job", "--details"], capture_output=True, text=True, check=True).stdout
    numbers = {line.split("ArrayJobId=")[1].split()[0] for line in job.splitlines() if "replicast-secret" in line}
    scripts = [subprocess.run(["scontrol", "write", "batch_script", number, "-"], capture_output=True, text=True,
                              check=True).stdout for number in numbers]  # fmt: skip
    assert scripts
    assert "pl4nt3d" not in job + "".join(scripts)
    done = replicast("resume", "secret", "--store", store, "--quiet", "--json")
    assert done.returncode == 0, done.stderr
    kept = [path for folder in (tmp_path, cluster / "log") for path in folder.rglob("*") if path.is_file()]
    assert any(path.parent.name == "secret" and path.suffix == ".log" for path in kept), kept
    assert [path for path in kept if b"pl4nt3d" in path.read_bytes()] == []


def command_lines() -> str:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return "\n".join(found)


def test_memory_is_asked_of_slurm_too(replicast: Command, write_model: Write) -> None:
    options = ("-n", "1", "--on", "slurm", "--slurm-cpus", "2", "--name", "sized", "--detach", "--memory", "300MB")
    left = replicast("run", write_model(MODEL), *options)
    assert left.returncode == 0, left.stderr
    job = subprocess.run(["scontrol", "show", "job"], capture_output=True, text=True, check=True).stdout
    (asked,) = {found[1] for found in re.finditer(r"JobName=replicast-sized.*?MinMemoryNode=(\S+)", job, re.DOTALL)}
    assert asked == f"{(2 * 300 * 10**6 + (512 << 20)) // 2**20 + 1}M"


def test_rounds_of_more_tasks_than_an_array_takes_are_several_arrays(
    write_model: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replicast.executors.slurm.array_size", lambda: 3)
    model = str(write_model(MODEL.replace("replication == 7", "False")))
    there = replicast.run(model, n=8, seed=3, store=str(tmp_path / "there"), on="slurm", workers=8)
    here = replicast.run(model, n=8, seed=3, store=str(tmp_path / "here"))
    assert collated(here, tmp_path / "a") == collated(there, tmp_path / "b")
    (logs,) = (tmp_path / "there").glob("*/slurm-logs")
    assert len({path.name.split("_")[0] for path in logs.iterdir()}) == 3


def test_a_requeued_task_does_what_is_left_of_its_batch(replicast: Command, write_model: Write, tmp_path: Path) -> None:
    model = write_model(MODEL.replace("replication == 7", "False"))
    options = ("-n", "4", "--param", "pause=2", "--on", "slurm", "--workers", "1", "--name", "again", "--json")
    left = replicast("run", model, *options, "--detach")
    number = json.loads(left.stdout)["left_with"].split()[-1]
    wait_until(lambda: stored(tmp_path / "runs", "again") >= 1)
    subprocess.run(["scontrol", "requeue", f"{number}_0"], check=True)
    subprocess.run(["scontrol", "release", f"{number}_0"], check=False, capture_output=True)
    done = replicast("resume", "again", "--quiet", timeout=400)  # Slurm lets a requeued job wait for two minutes
    assert done.returncode == 0, done.stderr
    assert stored(tmp_path / "runs", "again") == 4
    seconds = replicast("sql", "again", "SELECT COUNT(*) AS n FROM metrics", "--json")
    assert json.loads(seconds.stdout) == [{"n": 4}]


def test_tasks_that_urgent_work_preempts_are_asked_again(
    replicast: Command, write_model: Write, tmp_path: Path
) -> None:
    model = write_model(MODEL.replace("replication == 7", "False"))
    ended: list[subprocess.CompletedProcess[str]] = []
    options = ("-n", "8", "--seed", "3", "--param", "pause=2", "--on", "slurm", "--workers", "2", "--name", "humble")
    running = threading.Thread(target=lambda: ended.append(replicast("run", model, *options, "--quiet", timeout=400)))
    running.start()
    wait_until(
        lambda: (tmp_path / "runs" / "humble" / "run.json").exists() and stored(tmp_path / "runs", "humble") >= 1
    )
    urgent = ["sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap", "sleep 2"]
    subprocess.run(urgent, check=True, capture_output=True)
    running.join(400)
    assert ended, "the run did not end"
    assert ended[0].returncode == 0, ended[0].stderr
    logs = [path.read_text() for path in (tmp_path / "runs" / "humble" / "slurm-logs").iterdir()]
    assert any("DUE TO PREEMPTION" in log for log in logs)
    here = run_at_home(str(model), n=8, seed=3, params={"pause": 0}, store=str(tmp_path / "here"))
    there = Run(tmp_path / "runs", "humble")
    assert there.metrics().pl().equals(here.metrics().pl())


def test_a_time_limit_that_no_replication_fits_ends_the_run_with_slurms_word(
    replicast: Command, write_model: Write
) -> None:
    options = ("-n", "2", "--param", "pause=3600", "--on", "slurm", "--slurm-time", "0:01", "--name", "late")
    late = replicast("run", write_model(MODEL), *options, timeout=280)
    assert late.returncode == 3, late.stderr
    assert "ended at the time limit" in late.stderr, late.stderr


def test_a_node_that_dies_costs_nothing(replicast: Command, write_model: Write, tmp_path: Path, cluster: Path) -> None:
    model = write_model(MODEL.replace("replication == 7", "False"))
    options = ("-n", "6", "--param", "pause=2", "--on", "slurm", "--workers", "1", "--name", "node", "--detach")
    assert replicast("run", model, *options).returncode == 0
    wait_until(lambda: stored(tmp_path / "runs", "node") >= 1)
    daemon = int((cluster / "run" / "slurmd.pid").read_text())
    for pid in [daemon, *pids("batch_door node"), *pids("slurmstepd")]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "down" in nodes(), seconds=120)
    subprocess.run(["slurmd", "-f", str(cluster / "slurm.conf")], check=True)
    wait_until(lambda: "idle" in nodes() or "mix" in nodes() or "alloc" in nodes(), seconds=120)
    done = replicast("resume", "node", "--quiet", timeout=280)
    assert done.returncode == 0, done.stderr
    assert stored(tmp_path / "runs", "node") == 6


def nodes() -> str:
    return subprocess.run(["sinfo", "-h", "-o", "%t"], capture_output=True, text=True, check=True).stdout


def pids(pattern: str) -> list[int]:
    found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True, check=False).stdout
    return [int(pid) for pid in found.split()]


def test_the_stores_url_is_in_no_script_of_a_task(cluster: Path, tmp_path: Path) -> None:
    script = SlurmExecutor(Settings(logs=tmp_path)).script("run", "slurm/1.json", 0)
    assert "REPLICAST_STORE_URL" not in script
    assert array_size() == 10_000
    assert cluster.is_dir()
