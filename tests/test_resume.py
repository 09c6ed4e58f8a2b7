"""Whatever happens to a run, resuming it ends in the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import replicast
from replicast import Run

Write = Callable[..., Path]
MODEL = """
import time
def simulate(replication, rng, beds=10, pause=0.0):
    time.sleep(pause)
    if replication % 17 == 0:
        raise RuntimeError(f"bad luck {replication}")
    table = [{"k": k, "x": float(rng.random()), "s": "a" if k else None} for k in range(replication % 4)]
    return {"x": float(rng.normal()), "n": int(rng.integers(beds)), "rows": table}
"""
SCENARIOS = {"base": {}, "more": {"beds": 20}}


def collated(run: Run, folder: Path, file_format: str = "csv") -> dict[str, bytes]:
    run.collate(folder, file_format=file_format)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def expected(write_model: Write, tmp_path: Path) -> dict[str, bytes]:
    run = replicast.run(str(write_model(MODEL)), n=40, seed=7, scenarios=SCENARIOS, store=str(tmp_path / "expected"))
    return collated(run, tmp_path / "expected-tables")


@pytest.mark.parametrize("workers", [1, 3])
def test_bytes_do_not_depend_on_the_number_of_workers(
    expected: dict[str, bytes], write_model: Write, tmp_path: Path, workers: int
) -> None:
    run = replicast.run(
        str(write_model(MODEL)), n=40, seed=7, scenarios=SCENARIOS, store=str(tmp_path / "runs"), workers=workers
    )
    assert collated(run, tmp_path / "tables") == expected
    assert set(expected) == {"metrics.csv", "rows.csv", "scenarios.csv", "summary.csv"}


@pytest.mark.long
def test_a_run_killed_again_and_again_ends_in_the_same_bytes(
    expected: dict[str, bytes], write_model: Write, tmp_path: Path
) -> None:
    model, store = write_model(MODEL), tmp_path / "runs"
    arguments = [sys.executable, "-m", "replicast", "run", str(model), "-n", "40", "--seed", "7", "--name", "x"]
    arguments += ["--scenario", "base:", "--scenario", "more:beds=20", "--store", str(store), "--quiet"]
    kills = 0
    for wait in (0.5, 0.7, 0.9, 1.1):
        process = subprocess.Popen(
            arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(wait)  # any moment will do: the kill may fall before, within or after the work
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
    final = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert final.returncode == 1, final.stderr
    assert collated(Run(str(store), "x"), tmp_path / "tables") == expected


def test_topping_up_computes_only_what_is_missing(write_model: Write, tmp_path: Path) -> None:
    model, store = write_model(MODEL), str(tmp_path / "runs")
    first = replicast.run(str(model), n=10, seed=7, store=store, name="x")
    conclusion = first.resume(n=40)
    assert (conclusion.simulated, conclusion.done) == (30, 40)
    whole = replicast.run(str(model), n=40, seed=7, store=store, name="y")
    assert collated(first, tmp_path / "one") == collated(whole, tmp_path / "two")


@pytest.mark.long
def test_running_the_same_name_again_with_more_replications_tops_up(
    write_model: Write, replicast: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    model = write_model("def simulate(rng):\n    return rng.random()\n")
    assert replicast("run", model, "-n", 10, "--seed", 1, "--name", "x").returncode == 0
    again = replicast("run", model, "-n", 25, "--name", "x", "--json")
    assert again.returncode == 0, again.stderr
    import json

    assert json.loads(again.stdout)["simulated"] == 15


def test_resuming_a_finished_run_computes_nothing(write_model: Write, tmp_path: Path) -> None:
    run = replicast.run(str(write_model(MODEL)), n=5, seed=7, store=str(tmp_path / "runs"))
    assert run.resume().simulated == 0


def test_of_two_conductors_at_once_one_is_refused_or_finds_all_done(
    expected: dict[str, bytes], write_model: Write, tmp_path: Path
) -> None:
    model, store = write_model(MODEL), tmp_path / "runs"
    arguments = [sys.executable, "-m", "replicast", "run", str(model), "-n", "40", "--seed", "7", "--name", "x"]
    arguments += ["--scenario", "base:", "--scenario", "more:beds=20", "--store", str(store), "--quiet"]
    both = [subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    errors = [process.communicate(timeout=60)[1].decode() for process in both]
    assert sorted(process.returncode for process in both) in ([1, 1], [1, 2]), errors
    assert all(
        process.returncode == 1 or "is at work on run x" in error for process, error in zip(both, errors, strict=True)
    )
    assert collated(Run(str(store), "x"), tmp_path / "tables") == expected


def test_failed_replications_are_tried_again_only_when_asked(write_model: Write, tmp_path: Path) -> None:
    switch = tmp_path / "switch"
    model = write_model(
        "import os\n"
        "def simulate(replication, switch):\n"
        "    if replication in (2, 5) and not os.path.exists(switch): raise RuntimeError\n"
        "    return replication\n"
    )
    run = replicast.run(str(model), n=6, seed=1, store=str(tmp_path / "runs"), params={"switch": str(switch)})
    assert [row["replication"] for row in run.failures()] == [2, 5]
    switch.touch()
    assert run.resume().simulated == 0
    assert run.resume(retry_failed=True).simulated == 2
    assert len(run.failures()) == 0
    assert run.metrics().pl()["value"].to_list() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 8}, "seed: was 7, is 8"),
        ({"params": {"beds": 11}}, "parameter 'beds'"),
        ({"streams": "own"}, "streams"),
        ({"scenarios": {"other": {}}}, "scenario 'base': was there, is gone"),
    ],
)
def test_another_experiment_under_the_same_name_is_refused_with_what_changed(
    write_model: Write, tmp_path: Path, change: dict[str, object], named: str
) -> None:
    model, store = str(write_model(MODEL)), str(tmp_path / "runs")
    replicast.run(model, n=3, seed=7, store=store, name="x")
    before = collated(Run(store, "x"), tmp_path / "before")
    with pytest.raises(replicast.RequestError, match="is another experiment") as refusal:
        replicast.run(model, n=3, store=store, name="x", **({"seed": 7} | change))  # type: ignore[arg-type]
    assert named in str(refusal.value)
    assert collated(Run(store, "x"), tmp_path / "after") == before


def test_a_changed_model_under_the_same_name_is_refused(write_model: Write, tmp_path: Path) -> None:
    store = str(tmp_path / "runs")
    model = str(write_model(MODEL))
    replicast.run(model, n=3, seed=7, store=store, name="x")
    write_model(MODEL.replace("rng.normal()", "rng.random()"))
    with pytest.raises(replicast.RequestError, match=r"model\.py: was changed"):
        replicast.run(model, n=5, seed=7, store=store, name="x")


def test_a_run_goes_on_from_its_own_copy_of_the_model(write_model: Write, tmp_path: Path) -> None:
    store = str(tmp_path / "runs")
    model = write_model("def simulate(replication):\n    return replication\n")
    run = replicast.run(str(model), n=3, seed=7, store=store)
    write_model("def simulate(replication):\n    return -1\n")
    run.resume(n=6)
    assert run.metrics().pl()["value"].to_list() == [1, 2, 3, 4, 5, 6]


@pytest.mark.long
def test_results_beside_the_model_do_not_make_it_another_model(
    write_model: Write, replicast: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    model = write_model("def simulate(rng):\n    return rng.random()\n")
    folder = model.parent
    for number, output in ((5, "out1"), (8, "out2"), (9, "out1")):
        done = replicast("run", "model.py", "-n", number, "--seed", 1, "--name", "x", "-o", output, cwd=folder)
        assert done.returncode == 0, done.stderr
