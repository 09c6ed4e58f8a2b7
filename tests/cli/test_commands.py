"""The command line as users type it: every command, every exit status, and what goes where."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replicast.core import digits

Call = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., Path]
MODEL = """
def simulate(rng, mean=2.0, size: int = 5, label="x", flag=False):
    if flag:
        raise ValueError("flagged")
    values = rng.exponential(mean, size)
    return {"mean": float(values.mean()), "rows": [{"v": float(v)} for v in values]}
"""


@pytest.fixture
def model(write_model: Write) -> Path:
    return write_model(MODEL)


@pytest.fixture
def finished(replicast: Call, model: Path) -> str:
    done = replicast(
        "run", model, "-n", 12, "--seed", 1, "--name", "first", "--scenario", "a:", "--scenario", "b:mean=3"
    )
    assert done.returncode == 0, done.stderr
    return "first"


def test_run_ends_with_the_summary_on_standard_output_and_says_the_rest_on_standard_error(
    replicast: Call, model: Path
) -> None:
    done = replicast("run", model, "-n", 5, "--seed", 1)
    assert done.returncode == 0
    assert done.stdout.split()[:4] == ["scenario", "metric", "n", "mean"]
    assert "5 replications" in done.stderr


def test_quiet_says_nothing_but_the_summary(replicast: Call, model: Path) -> None:
    done = replicast("run", model, "-n", 5, "--seed", 1, "--quiet")
    assert done.stderr == ""
    assert "mean" in done.stdout


@pytest.mark.long
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_number_is_broken_in_two_on_a_narrow_terminal(
    replicast: Call, on_a_terminal: Callable[..., str], write_model: Write, columns: int
) -> None:
    model = write_model("def simulate(rng):\n    return {'waiting_time': 1000 * rng.random()}\n")
    assert replicast("run", model, "-n", 20, "--seed", 1, "--name", "x").returncode == 0
    row = json.loads(replicast("summary", "x", "--json").stdout)["summary"][0]
    shown = on_a_terminal(columns, "summary", "x")
    for wanted in ("mean", "ci_lower", "ci_upper"):
        assert digits.shown(row[wanted], row["half_width"]) in shown
    assert ("median" in shown) == (columns != 80)  # left out where that is enough; at 60, rows are records
    assert max(map(len, shown.splitlines())) <= columns


def test_run_with_an_output_folder_leaves_every_table_there(replicast: Call, model: Path, tmp_path: Path) -> None:
    assert replicast("run", model, "-n", 5, "--seed", 1, "-o", "out").returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["metrics.csv", "rows.csv", "summary.csv"]
    rows = list(csv.reader((tmp_path / "out" / "rows.csv").read_text().splitlines()))
    assert rows[0] == ["scenario", "replication", "v"]
    assert len(rows) == 26


def test_json_is_one_document_on_standard_output(replicast: Call, model: Path) -> None:
    done = replicast("run", model, "-n", 5, "--seed", 1, "--json")
    said = json.loads(done.stdout)
    assert (said["planned"], said["done"], said["failed"], said["seed"], said["state"]) == (5, 5, 0, 1, "done")
    assert said["summary"][0]["metric"] == "mean"
    assert done.stderr == ""


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize(
    "command",
    [["status", "first"], ["list"], ["summary", "first"], ["collate", "first", "-o", "x"], ["failures", "first"],
     ["replay", "first", "3"], ["verify", "first", "--sample", "2"], ["resume", "first"], ["cancel", "first"]],
)  # fmt: skip
def test_every_command_has_json(replicast: Call, command: list[str]) -> None:
    done = replicast(*command, "--json")
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)


@pytest.mark.usefixtures("finished")
def test_runs_go_by_id_unique_beginning_and_latest(replicast: Call, model: Path) -> None:
    assert replicast("run", model, "-n", 2, "--name", "fire").returncode == 0
    assert "run       first" in replicast("status", "firs").stdout
    assert "run       fire" in replicast("status", "latest").stdout
    ambiguous = replicast("status", "fi")
    assert ambiguous.returncode == 2
    assert "first" in ambiguous.stderr
    assert "fire" in ambiguous.stderr


@pytest.mark.usefixtures("finished")
def test_list_shows_every_run(replicast: Call, model: Path) -> None:
    replicast("run", model, "-n", 2, "--name", "second")
    shown = replicast("list").stdout
    assert "first" in shown
    assert "second" in shown
    assert "24/24" in shown


def test_summary_as_csv_has_the_columns_of_the_contract(replicast: Call, finished: str) -> None:
    lines = replicast("summary", finished, "--csv", "--confidence", "0.9").stdout.splitlines()
    assert lines[0] == (
        "scenario,metric,planned,n,failed,non_finite,mean,sd,se,confidence,ci_lower,ci_upper,half_width,"
        "relative_half_width,min,q25,median,q75,max"
    )
    assert [line.split(",")[:2] for line in lines[1:]] == [["a", "mean"], ["b", "mean"]]
    assert lines[1].split(",")[9] == "0.9"


def test_collate_writes_only_the_table_asked_for(replicast: Call, finished: str, tmp_path: Path) -> None:
    assert replicast("collate", finished, "-o", "x", "--table", "rows", "--format", "parquet").returncode == 0
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["rows.parquet"]


def test_replay_says_that_a_replication_is_equal_to_the_stored_one(replicast: Call, finished: str) -> None:
    done = replicast("replay", finished, 3, "--scenario", "b")
    assert done.returncode == 0
    assert "equal to the stored result" in done.stderr


def test_replay_and_verify_find_a_model_that_is_not_the_same_again(replicast: Call, write_model: Write) -> None:
    model = write_model("import os\ndef simulate():\n    return int.from_bytes(os.urandom(6))\n")
    replicast("run", model, "-n", 4, "--name", "x")
    replay, verify = replicast("replay", "x", 2), replicast("verify", "x", "--sample", 3)
    assert (replay.returncode, verify.returncode) == (1, 1)
    assert "NOT equal" in replay.stderr
    assert "3 of them different" in verify.stdout


def test_replay_of_a_failure_shows_the_model_s_traceback(replicast: Call, model: Path) -> None:
    done = replicast("run", model, "-n", 2, "--param", "flag=true", "--name", "x")
    assert done.returncode == 1
    assert "replicast replay x 1" in done.stderr
    again = replicast("replay", "x", 1)
    assert again.returncode == 0
    assert 'File "model.py", line 4, in simulate' in again.stderr
    assert "equal to the stored result" in again.stderr


def test_replay_opens_the_debugger_where_the_model_fails(replicast: Call, model: Path) -> None:
    replicast("run", model, "-n", 2, "--param", "flag=true", "--name", "x")
    done = replicast("replay", "x", 1, "--pdb", input="p mean + 40\nq\n")
    assert "42.0" in done.stdout
    assert "ValueError: flagged" in done.stderr


def test_check_passes_a_good_model_and_says_what_it_returns(replicast: Call, model: Path) -> None:
    done = replicast("check", model)
    assert done.returncode == 0, done.stderr
    assert "parameter mean (double, default 2.0)" in done.stdout
    assert "table rows: 5 rows of v float64" in done.stdout


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import os\ndef simulate():\n    return int.from_bytes(os.urandom(6))\n", "is not the same again"),
        ("import random\ndef simulate():\n    random.seed(1)\n    return random.random()\n", "are equal"),
        ("import os\ndef simulate(rng):\n    return rng.random() + len(os.getcwd())\n", "is not the same again"),
        ("import time\ndef simulate(rng):\n    return rng.random() + time.localtime(0).tm_hour\n", "is not the same"),
        ("n = 0\ndef simulate(rng):\n    global n\n    n += 1\n    return rng.random() + n\n", "is not the same again"),
        ("def simulate():\n    return 1 / 0\n", "failed: ZeroDivisionError"),
    ],
)
def test_check_finds_what_makes_a_model_irreproducible(
    replicast: Call, write_model: Write, text: str, problem: str
) -> None:
    done = replicast("check", write_model(text))
    assert done.returncode == 1
    assert problem in done.stdout


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("np.random.default_rng(replication).random()", True),
        ("np.random.default_rng([seed, replication]).random()", False),
        ("np.random.random()", False),
    ],
)
def test_check_says_of_a_model_that_another_seed_changes_nothing(
    replicast: Call, write_model: Write, returned: str, said: bool
) -> None:
    text = f"import numpy as np\ndef simulate(replication, seed):\n    return {returned}\n"
    done = replicast("check", write_model(text))
    assert done.returncode == 0, done.stdout
    assert ("another seed gives the same result" in done.stderr) is said


@pytest.mark.parametrize("language", ["--python", pytest.param("--r", marks=pytest.mark.r)])
def test_init_writes_an_experiment_that_runs(replicast: Call, tmp_path: Path, language: str) -> None:
    assert replicast("init", "new", language).returncode == 0
    done = replicast("run", "--experiment", "experiment.toml", "-n", 5, "-o", "out", cwd=tmp_path / "new")
    assert done.returncode == 0, done.stderr
    assert "busier" in done.stdout
    again = replicast("init", "new", language)
    assert again.returncode == 2
    assert "overwrites nothing" in again.stderr


def test_doctor_finds_nothing_broken_here(replicast: Call) -> None:
    done = replicast("doctor")
    assert done.returncode == 0, done.stdout
    assert "replicast" in done.stdout


def test_doctor_finds_a_store_that_cannot_be_written(replicast: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = replicast("doctor", "--store", "file/runs")
    assert done.returncode == 1
    assert "✗ store" in done.stdout


def test_failures_shows_each_with_its_traceback_and_log(replicast: Call, write_model: Write) -> None:
    model = write_model("def simulate(replication):\n    print('seen')\n    return 1 // (replication - 2)\n")
    assert replicast("run", model, "-n", 3, "--name", "x").returncode == 1
    shown = replicast("failures", "x").stdout
    assert "replication 2: ZeroDivisionError" in shown
    assert "seen" in shown
    assert len(json.loads(replicast("failures", "x", "--json").stdout)) == 1


@pytest.mark.parametrize(("tolerance", "status"), [("0", 1), ("1", 0), ("9%", 1), ("10%", 0)])
def test_failures_within_tolerate_are_no_failure_of_the_run(
    replicast: Call, write_model: Write, tolerance: str, status: int
) -> None:
    model = write_model("def simulate(replication):\n    return 1 / (replication - 2)\n")
    assert replicast("run", model, "-n", 10, "--tolerate", tolerance).returncode == status


def test_detached_runs_go_on_without_the_shell(replicast: Call, write_model: Write) -> None:
    model = write_model("import time\ndef simulate(rng):\n    time.sleep(0.02)\n    return rng.random()\n")
    started = replicast("run", model, "-n", 30, "--name", "x", "--detach")
    assert started.returncode == 0, started.stderr
    assert started.stdout.strip() == "x"
    for _ in range(100):
        if json.loads(replicast("status", "x", "--json").stdout)["state"] == "done":
            break
    watched = replicast("status", "x", "--watch", "--json")
    assert json.loads(watched.stdout)["done"] == 30


def test_an_experiment_file_says_the_same_as_options(replicast: Call, model: Path, tmp_path: Path) -> None:
    (model.parent / "experiment.toml").write_text(
        'model = "model.py"\nreplications = 6\nseed = 5\n[parameters]\nsize = 3\n'
        "[scenarios.base]\n[scenarios.long]\nmean = 4.0\n[grid]\nlabel = ['u', 'v']\n"
    )
    by_file = replicast("run", "--experiment", model.parent / "experiment.toml", "-o", "one")
    assert by_file.returncode == 0, by_file.stderr
    by_options = replicast(
        "run", model, "-n", 6, "--seed", 5, "--param", "size=3", "--scenario", "base:", "--scenario", "long:mean=4",
        "--grid", "label=u,v", "-o", "two",
    )  # fmt: skip
    assert by_options.returncode == 0, by_options.stderr
    for name in ("metrics.csv", "rows.csv", "summary.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    names = [row["scenario"] for row in csv.DictReader((tmp_path / "one" / "summary.csv").read_text().splitlines())]
    assert names == ["base,label=u", "base,label=v", "long,label=u", "long,label=v"]


def test_common_random_numbers_are_the_default_and_can_be_parted(replicast: Call, model: Path, tmp_path: Path) -> None:
    for name, text in (("common", ""), ("parted", "[streams]\ncommon = false\n")):
        (model.parent / "e.toml").write_text(f'model = "model.py"\nseed = 5\n{text}[scenarios.a]\n[scenarios.b]\n')
        replicast("run", "--experiment", model.parent / "e.toml", "-n", 4, "-o", name)
    values: dict[str, dict[str, list[Any]]] = {}
    for name in ("common", "parted"):
        values[name] = {"a": [], "b": []}
        for row in csv.DictReader((tmp_path / name / "metrics.csv").read_text().splitlines()):
            values[name][row["scenario"]].append(row["mean"])
    assert values["common"]["a"] == values["common"]["b"]
    assert not set(values["parted"]["a"]) & set(values["parted"]["b"])


def test_the_help_of_every_command_can_be_read(replicast: Call) -> None:
    shown = replicast("--help")
    assert shown.returncode == 0
    for command in ("run", "resume", "status", "list", "cancel", "summary", "collate", "failures", "replay", "verify",
                    "check", "init", "doctor"):  # fmt: skip
        assert command in shown.stdout
        assert replicast(command, "--help").returncode == 0


def test_the_workers_of_an_experiment_file_are_not_exceeded(
    replicast: Call, write_model: Write, tmp_path: Path
) -> None:
    model = write_model("import os\ndef simulate(rng):\n    return {'pid': os.getpid(), 'x': rng.random()}\n")
    (model.parent / "e.toml").write_text('model = "model.py"\nworkers = 1\nreplications = 40\n')
    assert replicast("run", "--experiment", model.parent / "e.toml", "-o", "out").returncode == 0
    rows = list(csv.DictReader((tmp_path / "out" / "metrics.csv").read_text().splitlines()))
    assert len({row["pid"] for row in rows}) == 1
