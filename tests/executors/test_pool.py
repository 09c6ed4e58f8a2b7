"""The pool against models that die, hang, leave children behind or print without end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import replicast
from replicast import Run
from replicast.core.progress import Progress

Write = Callable[..., Path]
Start = Callable[..., subprocess.Popen[bytes]]


def run(path: Path, n: int, **options: object) -> Run:
    return replicast.run(str(path), n=n, seed=1, store=str(path.parent.parent / "runs"), **options)  # type: ignore[arg-type]


def failures_of(finished: Run) -> dict[int, tuple[str, str]]:
    return {row["replication"]: (row["error_kind"], row["error_type"]) for row in finished.failures()}


@pytest.mark.parametrize(
    ("deed", "kind"),
    [
        ("os._exit(3)", ("died", "exit")),
        ("os.kill(os.getpid(), signal.SIGSEGV)", ("died", "SIGSEGV")),
        ("os.kill(os.getpid(), signal.SIGKILL)", ("died", "SIGKILL")),
        ("raise ValueError('no')", ("error", "ValueError")),
        ("sys.exit(2)", ("error", "SystemExit")),
        ("os.abort()", ("died", "SIGABRT")),
    ],
)
def test_a_death_costs_only_the_guilty_replication(write_model: Write, deed: str, kind: tuple[str, str]) -> None:
    model = write_model(
        "import os, signal, sys\n"
        "def simulate(replication, rng):\n"
        f"    if replication == 7: {deed}\n"
        "    return rng.random()\n"
    )
    finished = run(model, 20, tolerate=1)
    assert failures_of(finished) == {7: kind}
    assert finished.metrics().pl()["replication"].to_list() == [i for i in range(1, 21) if i != 7]


def test_the_survivors_of_a_death_have_the_numbers_of_a_run_without_it(write_model: Write) -> None:
    model = write_model(
        "import os\n"
        "def simulate(replication, rng, deadly=False):\n"
        "    if deadly and replication in (3, 4): os._exit(1)\n"
        "    return rng.random()\n"
    )
    healthy = run(model, 12).metrics().pl()
    deadly = run(model, 12, params={"deadly": True}).metrics().pl()
    assert deadly.rows() == [row for row in healthy.rows() if row[1] not in (3, 4)]


def test_a_death_is_retried_as_often_as_asked_and_then_recorded(write_model: Write, tmp_path: Path) -> None:
    trace = tmp_path / "attempts"
    model = write_model(
        "import os\n"
        "def simulate(replication, trace):\n"
        "    if replication == 2:\n"
        "        with open(trace, 'a') as file: file.write('x')\n"
        "        os._exit(1)\n"
        "    return replication\n"
    )
    finished = run(model, 3, retries=2, params={"trace": str(trace)})
    assert trace.read_text() == "xxx"
    assert [(row["replication"], row["attempt"]) for row in finished.failures()] == [(2, 3)]


def test_a_death_that_does_not_happen_again_leaves_no_failure(write_model: Write, tmp_path: Path) -> None:
    model = write_model(
        "import os\n"
        "def simulate(replication, mark):\n"
        "    if replication == 2 and not os.path.exists(mark):\n"
        "        open(mark, 'w').close()\n"
        "        os._exit(1)\n"
        "    return replication\n"
    )
    finished = run(model, 3, params={"mark": str(tmp_path / "mark")})
    assert len(finished.failures()) == 0
    assert finished.metrics().pl()["value"].to_list() == [1, 2, 3]


def test_a_replication_over_its_time_is_ended_and_recorded(write_model: Write) -> None:
    model = write_model(
        "import time\n"
        "def simulate(replication, rng):\n"
        "    while replication == 5: time.sleep(0.01)\n"
        "    return rng.random()\n"
    )
    finished = run(model, 8, timeout=0.5, retries=0)
    assert failures_of(finished) == {5: ("timeout", "Timeout")}
    assert len(finished.metrics()) == 7


def test_a_model_that_always_fails_is_stopped_early(write_model: Write) -> None:
    finished = run(write_model("def simulate():\n    return 1 / 0\n"), 5000)
    assert 10 <= len(finished.failures()) < 5000
    assert finished.status().state == "incomplete"


def test_a_model_whose_process_dies_while_loading_is_refused_and_nothing_is_left(write_model: Write) -> None:
    model = write_model("import os\nos._exit(4)\n")
    with pytest.raises(replicast.ModelError, match="exit status 4"):
        run(model, 3)
    assert not (model.parent.parent / "runs").exists()


def test_what_a_dead_worker_printed_last_is_kept(write_model: Write) -> None:
    model = write_model("import os\ndef simulate(replication):\n    os.write(1, b'last words')\n    os._exit(1)\n")
    finished = run(model, 1)
    assert "last words" in next(iter(finished.failures()))["log"]


def test_the_log_of_a_replication_that_died_is_its_own(write_model: Write) -> None:
    model = write_model(
        "import os, time\ndef simulate(replication):\n    print('replication', replication, flush=True)\n"
        "    time.sleep(0.005)\n    if replication == 5:\n        os._exit(3)\n    return replication\n"
    )
    finished = run(model, 8, workers=1, retries=0)
    assert [row["log"] for row in finished.failures()] == ["replication 5\n"]


def test_standard_input_is_empty_and_output_belongs_to_its_replication(write_model: Write) -> None:
    model = write_model(
        "import sys, subprocess\n"
        "def simulate(replication):\n"
        "    assert sys.stdin.read() == ''\n"
        "    print('own', replication)\n"
        "    subprocess.run(['echo', f'child {replication}'])\n"
        "    raise RuntimeError\n"
    )
    finished = run(model, 3)
    assert [row["log"] for row in finished.failures()] == [f"own {i}\nchild {i}\n" for i in (1, 2, 3)]


def test_a_flood_of_output_is_cut_to_its_last_part(write_model: Write) -> None:
    model = write_model("def simulate():\n    print('x' * 10_000_000)\n    raise RuntimeError\n")
    log = next(iter(run(model, 1).failures()))["log"]
    assert len(log) < 70_000
    assert "bytes left out" in log


def processes_with(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            command = " ".join(process.cmdline())
            if mark in command and "pytest" not in command:
                found.append(process.pid)
    return found


def wait_until(condition: Callable[[], object], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


CHILDREN = """
import subprocess, time
def simulate(replication, rng, mark="0"):
    subprocess.Popen(["sleep", mark])
    subprocess.Popen(["setsid", "sleep", mark])
    time.sleep(0.2)
    return rng.random()
"""


@pytest.fixture
def mark() -> Iterator[str]:
    text = f"9{os.getpid()}{time.monotonic_ns() % 100000}"
    yield text
    for pid in processes_with(f"sleep {text}"):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def start_command() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(model: Path, *arguments: str) -> subprocess.Popen[bytes]:
        folder = model.parent.parent
        command = [sys.executable, "-m", "replicast", "run", str(model), "--store", str(folder / "runs"), *arguments]
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def parts(model: Path) -> list[Path]:
    return list((model.parent.parent / "runs").glob("*/parts/metrics/*/*.parquet"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_no_process_and_no_scratch_survives_however_replicast_ends(
    write_model: Write, start_command: Start, mark: str, number: signal.Signals
) -> None:
    model = write_model(CHILDREN)
    process = start_command(model, "-n", "500", "--param", f"mark={mark}", "--name", "x")
    assert wait_until(lambda: len(parts(model)) >= 2)
    assert processes_with(f"sleep {mark}")
    process.send_signal(number)
    process.wait(20)
    assert wait_until(lambda: not processes_with(f"sleep {mark}"))
    assert wait_until(lambda: not processes_with(str(model.parent.parent)))
    expected = -9 if number is signal.SIGKILL else 130
    assert process.returncode == expected


def test_children_of_a_finished_run_are_ended_too(write_model: Write, mark: str) -> None:
    run(write_model(CHILDREN), 4, params={"mark": mark})
    assert wait_until(lambda: not processes_with(f"sleep {mark}"), 5)


def test_an_interrupted_run_says_how_to_go_on_and_keeps_what_was_simulated(
    write_model: Write, start_command: Start
) -> None:
    model = write_model("import time\ndef simulate(rng):\n    time.sleep(0.05)\n    return rng.random()\n")
    process = start_command(model, "-n", "2000", "--name", "long")
    assert wait_until(lambda: len(parts(model)) >= 3)
    os.killpg(process.pid, signal.SIGINT)
    output = process.communicate(timeout=20)[0].decode()
    assert process.returncode == 130
    assert "replicast resume long" in output
    assert Run(str(model.parent.parent / "runs"), "long").status().done >= 3


def test_an_interrupted_run_says_so_as_json(write_model: Write, start_command: Start) -> None:
    model = write_model("import time\ndef simulate(rng):\n    time.sleep(0.05)\n    return rng.random()\n")
    process = start_command(model, "-n", "2000", "--name", "long", "--json")
    assert wait_until(lambda: len(parts(model)) >= 3)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=20)[0].decode()
    assert process.returncode == 130
    said = json.loads(output[output.index("{") :])
    assert (said["run"], said["state"], said["planned"]) == ("long", "interrupted", 2000)
    assert 3 <= said["done"] < 2000


def test_a_run_is_cancelled_from_another_process(write_model: Write, start_command: Start) -> None:
    model = write_model("import time\ndef simulate(rng):\n    time.sleep(0.05)\n    return rng.random()\n")
    process = start_command(model, "-n", "2000", "--name", "long", "--json")
    assert wait_until(lambda: len(parts(model)) >= 2)
    store = str(model.parent.parent / "runs")
    assert Run(store, "long").status().state == "running"
    Run(store, "long").cancel()
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 1
    assert json.loads(output)["state"] == "cancelled"
    assert Run(store, "long").status().state == "cancelled"


def test_progress_counts_every_replication_once(write_model: Write) -> None:
    seen: list[tuple[int, int]] = []

    def watch(progress: Progress) -> None:
        seen.append((progress.done, progress.planned))

    run(write_model("def simulate(rng):\n    return rng.random()\n"), 5000, watch=watch)
    assert seen[0] == (0, 5000)
    assert seen[-1] == (5000, 5000)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_replication_is_safe_while_the_next_one_takes_long(write_model: Write, start_command: Start) -> None:
    model = write_model(
        "import time\n"
        "def simulate(replication, rng):\n"
        "    time.sleep(0.002)\n"
        "    while replication == 30: time.sleep(0.05)\n"
        "    return rng.random()\n"
    )
    process = start_command(model, "-n", "30", "--workers", "1", "--name", "x")
    store = str(model.parent.parent / "runs")
    try:
        assert wait_until(lambda: parts(model) and Run(store, "x").status().done == 29, 20)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


@pytest.mark.long
@pytest.mark.r
def test_each_death_of_r_is_put_down_to_its_own_replication(write_model: Write, tmp_path: Path) -> None:
    model = write_model(
        "simulate <- function(replication, mark) {\n"
        "  if (replication == 3) quit()\n"
        "  if (replication == 5) tools::pskill(Sys.getpid(), 9)\n"
        "  if (replication == 7 && !file.exists(mark)) { file.create(mark); tools::pskill(Sys.getpid(), 9) }\n"
        "  if (replication == 8) stop('eight')\n"
        "  runif(1)\n"
        "}\n",
        "model.R",
    )
    finished = run(model, 30, workers=1, params={"mark": str(tmp_path / "mark")})
    assert failures_of(finished) == {3: ("died", "quit"), 5: ("died", "SIGKILL"), 8: ("error", "simpleError")}
    healthy = run(write_model("simulate <- function() runif(1)\n", "healthy.R"), 30)
    expected = [row for row in healthy.metrics().pl().rows() if row[1] not in (3, 5, 8)]
    assert finished.metrics().pl().rows() == expected
