"""A model's own collation, as the command line performs it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]


def test_a_collate_command_sees_one_scenario_at_a_time_with_its_parameters(replicast: Call, tmp_path: Path) -> None:
    (tmp_path / "one.sh").write_text('echo "$1 $2" > "$3/$2.txt"\n')
    (tmp_path / "all.sh").write_text('cat "$1"/*.txt > "$2/all.csv"; grep -o "beds[^,}]*" "$3" >> "$2/all.csv"\n')
    (tmp_path / "e.toml").write_text(
        'command = ["sh", "one.sh", "{params.beds}", "{replication}", "{out}"]\nreplications = 11\nseed = 1\n'
        '[collate]\ncommand = ["sh", "all.sh", "{artefacts}", "{out}", "{params_file}"]\n'
        "[scenarios.few]\nbeds = 3\n[scenarios.many]\nbeds = 30\n"
    )
    done = replicast("run", "--experiment", "e.toml", "-o", "out")
    assert done.returncode == 0, done.stderr
    for scenario, beds in (("few", 3), ("many", 30)):
        lines = (tmp_path / "out" / scenario / "all.csv").read_text().splitlines()
        assert lines[:11] == [f"{beds} {i}" for i in range(1, 12)]
        assert str(beds) in lines[11]


def test_a_python_collate_gets_the_run_and_its_tables_are_written(
    replicast: Call, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = write_model(
        "def simulate(replication):\n    return {'x': replication}\n"
        "def collate(run):\n    frame = run.metrics().pl()\n    return {'largest': frame.tail(1)}\n"
    )
    done = replicast("run", model, "-n", 5, "-o", "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "largest.csv").read_text() == "scenario,replication,x\nbase,5,5\n"


def test_what_a_collate_prints_is_no_result(replicast: Call, write_model: Callable[..., Path]) -> None:
    model = write_model(
        "print('loaded')\ndef simulate(rng):\n    return rng.random()\ndef collate(run):\n    print('collating')\n"
    )
    done = replicast("run", model, "-n", 2, "-o", "out", "--json")
    assert json.loads(done.stdout)["state"] == "done"
    assert "collating" in done.stderr


def test_the_summary_is_shown_also_where_the_model_s_collate_fails(
    replicast: Call, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = write_model(
        "def simulate(replication):\n    return replication\ndef collate(run):\n    raise KeyError(1)\n"
    )
    done = replicast("run", model, "-n", 3, "-o", "out")
    assert done.returncode == 1
    assert done.stdout.splitlines()[1].split()[:4] == ["base", "value", "3", "2.0"]
    assert "model.py:collate failed: KeyError: 1" in done.stderr
    assert "resume" not in done.stderr and (tmp_path / "out" / "metrics.csv").exists()


def test_a_collate_that_fails_for_want_of_results_does_not_hide_why_there_are_none(
    replicast: Call, write_model: Callable[..., Path]
) -> None:
    model = write_model(
        "def simulate():\n    raise ValueError('no beds')\ndef collate(run):\n    raise KeyError('x')\n"
    )
    done = replicast("run", model, "-n", 3, "-o", "out")
    assert done.returncode == 1
    assert "ValueError: no beds" in done.stderr and "replicast replay" in done.stderr
    assert "model.py:collate failed: KeyError: 'x'" in done.stderr


def test_a_table_that_collate_returns_can_be_asked_for_by_name(
    replicast: Call, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = write_model(
        "def simulate(replication):\n    return replication\n"
        "def collate(run):\n    return {'first': [{'a': 1}], 'second': [{'a': 2}]}\n"
    )
    assert replicast("run", model, "-n", 2, "--name", "x").returncode == 0
    done = replicast("collate", "x", "-o", "out", "--table", "second", "--table", "metrics")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["metrics.csv", "second.csv"]
    wrong = replicast("collate", "x", "-o", "other", "--table", "secnd")
    assert wrong.returncode == 2 and "did you mean 'second'?" in wrong.stderr


@pytest.mark.r
def test_an_r_collate_of_objects_is_performed_for_each_scenario(
    replicast: Call, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = write_model(
        "simulate <- function(replication, beds = 1) list(x = replication * beds)\n"
        "collate <- function(objects) data.frame(total = sum(vapply(objects, function(o) o$x, 0)))\n",
        "model.R",
    )
    done = replicast(
        "run", model, "-n", 4, "--keep", "rds", "--scenario", "a:beds=1", "--scenario", "b:beds=10", "-o", "out"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "a" / "collated.csv").read_text() == "total\n10.0\n"
    assert (tmp_path / "out" / "b" / "collated.csv").read_text() == "total\n100.0\n"
