"""Two and three processes at work on one run, or one that seems to be."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import replicast
from replicast import RequestError, Run
from replicast.conducting.presence import CONDUCTOR, someone_at_work
from replicast.core.planning import BatchQueue
from replicast.core.replication import Batch

Write = Callable[..., Path]
Call = Callable[..., subprocess.CompletedProcess[str]]
SLOW = (
    "import os, time\n"
    "def simulate(replication, rng, trace):\n"
    "    with open(trace, 'a') as file: file.write(f'{replication} ')\n"
    "    time.sleep(0.1)\n"
    "    return rng.random()\n"
)


def wait_until(condition: Callable[[], object], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def conducted(write_model: Write, tmp_path: Path) -> Iterator[Callable[[int], subprocess.Popen[bytes]]]:
    """Starts `replicast run` of n slow replications as run `x` with one worker, and waits until it is at work."""
    started: list[subprocess.Popen[bytes]] = []

    def start(n: int) -> subprocess.Popen[bytes]:
        model = write_model(SLOW)
        command = [sys.executable, "-P", "-m", "replicast", "run", str(model), "-n", str(n), "--seed", "1"]
        command += ["--name", "x", "--workers", "1", "--param", f"trace={tmp_path / 'trace'}", "--quiet"]
        started.append(subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
        assert wait_until((tmp_path / "trace").exists)
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_resume_beside_another_conductor_is_refused_and_moves_nothing(
    conducted: Callable[[int], subprocess.Popen[bytes]], replicast: Call, tmp_path: Path
) -> None:
    process = conducted(2000)
    record = (tmp_path / "runs/x/run.json").read_bytes()
    again = ["run", "project/model.py", "-n", "3000", "--name", "x", "--param", f"trace={tmp_path / 'trace'}"]
    for arguments in (["resume", "x"], ["resume", "x", "-n", "3000"], again):
        refused = replicast(*arguments)
        assert refused.returncode == 2, refused.stderr
        assert f"process {process.pid} on {platform.node()} is at work" in refused.stderr
        assert "--join" in refused.stderr
    assert (tmp_path / "runs/x/run.json").read_bytes() == record
    process.send_signal(signal.SIGINT)
    process.wait(30)
    assert someone_at_work(Run(tmp_path / "runs", "x").store, "x") is None


@pytest.mark.long
def test_those_who_join_share_the_work(
    conducted: Callable[[int], subprocess.Popen[bytes]], replicast: Call, tmp_path: Path
) -> None:
    process = conducted(300)
    joined = replicast("resume", "x", "--join", "--workers", 1, "--json")
    assert joined.returncode == 0, joined.stderr
    assert process.wait(60) == 0
    run = Run(tmp_path / "runs", "x")
    assert (run.status().done, len(run.metrics())) == (300, 300)
    times = Counter((tmp_path / "trace").read_text().split())
    assert len(times) == 300
    assert sum(times.values()) < 400
    assert 10 < json.loads(joined.stdout)["simulated"] < 290
    assert not list((tmp_path / "runs/x").glob("at-work/*"))


def test_the_place_of_a_conductor_that_was_killed_is_free_at_once(
    conducted: Callable[[int], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    process = conducted(30)
    process.kill()
    process.wait()
    assert (tmp_path / "runs/x" / CONDUCTOR).exists()
    run = Run(tmp_path / "runs", "x")
    assert run.resume(workers=2).done == 30


@pytest.mark.parametrize(
    ("change", "there"),
    [({}, True), ({"created": 12345.0}, False), ({"created": None}, True), ({"pid": 2**22 + 11}, False),
     ({"host": "elsewhere"}, True), ({"host": "elsewhere", "time": 0.0}, False)],
)  # fmt: skip
def test_a_number_that_was_given_again_is_no_conductor(
    write_model: Write, tmp_path: Path, change: dict[str, object], there: bool
) -> None:
    run = replicast.run(str(write_model("def simulate(): return 1\n")), n=1, store=str(tmp_path / "runs"), name="x")
    presence = {"pid": os.getppid(), "host": platform.node(), "time": time.time(), "executor": "local"} | change
    run.store.write("x", CONDUCTOR, json.dumps(presence).encode())
    assert (someone_at_work(run.store, "x") is not None) is there
    if there:
        with pytest.raises(RequestError, match="is at work on run x"):
            run.resume(n=2)
    else:
        assert run.resume(n=2).done == 2


def test_a_plan_only_grows_and_resume_says_so_before_anything_starts(write_model: Write, replicast: Call) -> None:
    model = write_model("def simulate(rng): return rng.random()\n")
    assert replicast("run", model, "-n", 10, "--name", "x").returncode == 0
    refused = replicast("resume", "x", "-n", 4)
    assert refused.returncode == 2
    assert "10 replications of each scenario are planned in run x, and -n only raises that" in refused.stderr
    assert replicast("resume", "x", "-n", 10).returncode == 0


def test_what_is_done_elsewhere_is_left_out_of_what_waits() -> None:
    queue = BatchQueue([Batch("a", 1, 10), Batch("a", 21, 30), Batch("b", 5, 6)])
    queue.forget({"a": [(4, 5), (9, 25)], "b": [(1, 100)]})
    assert queue.left == 11
    taken = []
    while (piece := queue.take(100)) is not None:
        taken.append((piece.scenario, piece.first, piece.last))
    assert taken == [("a", 1, 3), ("a", 6, 8), ("a", 26, 30)]
    assert queue.left == 0
