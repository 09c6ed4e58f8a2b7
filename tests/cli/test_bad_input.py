"""Wrong requests: exit status 2, one clear message, and nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., Path]
MODEL = "def simulate(rng, beds=10, rate=1.5, label='x', open=True):\n    return rng.random()\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-n", "0"], "must be 1 or more, and 0 is not"),
        (["-n", "-3"], "must be 1 or more, and -3 is not"),
        (["-n", "many"], "invalid int value: 'many'"),
        (["--param", "bed=3"], "did you mean 'beds'?"),
        (["--param", "beds=many"], "'beds' of model.py takes an integer, and 'many' is not"),
        (["--param", "beds=1.5"], "takes an integer"),
        (["--param", "rate=fast"], "takes a number"),
        (["--param", "open=maybe"], "takes true or false"),
        (["--param", "beds"], "--param takes NAME=VALUE"),
        (["--param", "rng=3"], "'rng' is filled by replicast"),
        (["--sede", "3"], "there is no option '--sede' (did you mean '--seed'?)"),
        (["--seed", "-1"], "no negative seed"),
        (["--grid", "wards=1,2"], "no parameter 'wards'"),
        (["--grid", "beds"], "--grid takes"),
        (["--grid", "beds=1,1"], "two scenarios would be called 'beds=1'"),
        (["--grid", "beds=1,2", "--param", "beds=3"], "in the grid and is also given"),
        (["--scenario", "a:beds=1", "--scenario", "a:beds=2"], "same name"),
        (["--scenario", "a:beds=1,beds=2"], "--scenario gives 'beds' two values"),
        (["--param", "beds=1", "--param", "beds=2"], "--param gives 'beds' two values"),
        (["--grid", "beds=1,2", "--grid", "beds=3"], "--grid gives 'beds' two values"),
        (["--scenario", "a/b:beds=1"], "cannot be called"),
        (["--name", "../x"], "a run cannot be called '../x'"),
        (["--name", "latest"], "cannot be called"),
        (["--name", ""], "a run cannot be called ''"),
        (["--timeout", "0"], "--timeout takes seconds above 0"),
        (["--retries", "-1"], "--retries takes 0 or more"),
        (["--workers", "0"], "--workers takes 1 or more"),
        (["--tolerate", "lots"], "--tolerate takes a share"),
        (["--streams", "paralel"], "did you mean 'parallel'?"),
        (["--streams", "DORNG"], "did you mean 'doRNG'?"),
        (["--streams", "future"], "are R's"),
        (["--keep", "rds"], "this model is not in R"),
        (["--keep", "csv"], "keep takes 'rds'"),
        (["--on", "locl"], "did you mean 'local'?"),
        (["--store", "s4://bucket"], "no store is named by 's4://'"),
        (["-o", "model.py"], "-o takes a folder, and 'model.py' is not one"),
        (["--experiment", "nothing.toml"], "there is no file 'nothing.toml'"),
        (["--collate", "nothing.py"], "there is no file 'nothing.py'"),
        (["--collate", "model.py:simulat"], "model.py has no function 'simulat' (did you mean 'simulate'?)"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_written(
    replicast: Call, write_model: Write, tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = replicast("run", "model.py", *arguments, cwd=write_model(MODEL).parent)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in (tmp_path / "project").iterdir() if path.name != "__pycache__") == ["model.py"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("model.py", "def simulate(:\n", "model.py has a syntax error in line 1"),
        ("model.py", "import no_such_module\n", "pip install no_such_module"),
        ("model.py", "raise RuntimeError('at import')\n", "RuntimeError: at import"),
        ("model.py", "def simulated():\n    return 1\n", "has no function 'simulate' (did you mean 'simulated'?)"),
        ("model.py", "simulate = 3\n", "has no function 'simulate'"),
        ("model.py", "def simulate(a, /):\n    return 1\n", "positional only"),
        ("model.py", "def simulate(beds):\n    return 1\n", "needs a value for 'beds'"),
        ("other.py", "", "there is no file 'model.py'"),
    ],
)
def test_a_model_that_does_not_load_is_refused(
    replicast: Call, write_model: Write, tmp_path: Path, name: str, text: str, said: str
) -> None:
    done = replicast("run", "model.py", cwd=write_model(text, name).parent)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "project" / "runs").exists()


@pytest.mark.parametrize(
    ("body", "came"),
    [
        ("return None", "nothing (None)"),
        ("return 'text'", "a str 'text'"),
        ("return [1, 2]", "a list [1, 2]"),
        ("return {}", "an empty dict"),
        ("return print", "builtin_function"),
    ],
)
def test_a_result_that_cannot_be_used_is_a_failure_that_says_what_came(
    replicast: Call, write_model: Write, body: str, came: str
) -> None:
    done = replicast("run", "model.py", "-n", 2, cwd=write_model(f"def simulate():\n    {body}\n").parent)
    assert done.returncode == 1
    assert came in done.stderr


def test_different_metrics_in_different_replications_are_kept_and_said(replicast: Call, write_model: Write) -> None:
    model = write_model("def simulate(replication, rng):\n    return {'a' if replication % 2 else 'b': rng.random()}\n")
    done = replicast("run", model, "-n", 10)
    assert done.returncode == 0
    assert "5 values are missing, NaN or infinite in 'a': the mean is of the other 5" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model = 3\n", "'model' takes text, and 3 is not"),
        ('modle = "model.py"\n', "there is no key 'modle' (did you mean 'model'?)"),
        ('model = "model.py"\n[stream]\nkind = "own"\n', "did you mean 'streams'?"),
        ('model = "model.py"\n[streams]\nknd = "own"\n', "there is no key 'streams.knd'"),
        ('model = "model.py"\n[grid]\nbeds = 3\n', "grid.beds takes a list"),
        ('model = "model.py"\n[scenarios]\nbase = 3\n', "scenarios.base takes parameters"),
        ('model = "model.py"\ncommand = ["ls"]\n', "not both"),
        ("= 3", "is not valid TOML"),
        ("replications = 5\n", "which model?"),
        ('model = "model.py"\n[collate]\ncommand = []\n', "the command is empty"),
        ('model = "model.py"\n[collate]\ncommand = ["ls", "{artefact}"]\n', "did you mean 'artefacts'?"),
    ],
)
def test_a_wrong_experiment_file_is_refused(replicast: Call, write_model: Write, text: str, said: str) -> None:
    folder = write_model(MODEL).parent
    (folder / "e.toml").write_text(text)
    done = replicast("run", "--experiment", "e.toml", cwd=folder)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert not (folder / "runs").exists()


@pytest.mark.long
def test_a_module_that_is_not_there_is_named_and_a_package_is_no_mere_folder(
    replicast: Call, write_model: Write, tmp_path: Path
) -> None:
    folder = write_model("from wards.stay import simulate\n", "__init__.py").parent.rename(tmp_path / "wards")
    (folder / "stay.py").write_text("def simulate(rng):\n    return rng.random()\n")
    assert replicast("run", "wards", "-n", 2).returncode == 0
    missing = replicast("run", "wards.stays:simulate", "-n", 2)
    assert missing.returncode == 2
    assert missing.stderr == "replicast: there is no module 'wards.stays'\n"


@pytest.mark.parametrize("command", ["status", "summary", "resume", "cancel", "failures", "verify"])
def test_a_run_that_is_not_there_is_named(replicast: Call, command: str) -> None:
    done = replicast(command, "nothing")
    assert done.returncode == 2
    assert "there is no run 'nothing' in 'runs'" in done.stderr


def test_an_unknown_command_names_the_nearest(replicast: Call) -> None:
    done = replicast("sumary", "latest")
    assert done.returncode == 2
    assert "did you mean 'summary'?" in done.stderr


@pytest.mark.parametrize("store", ["file/runs", "file", "/proc/nowhere/runs"])
def test_a_store_that_cannot_be_written_is_refused_before_anything_runs(
    replicast: Call, write_model: Write, store: str
) -> None:
    model = write_model(MODEL)
    (model.parent / "file").write_text("")
    done = replicast("run", "model.py", "--store", store, cwd=model.parent)
    assert done.returncode == 2
    assert done.stderr == f"replicast: the store '{store}' cannot be written; name another folder with --store\n"
    assert sorted(path.name for path in model.parent.iterdir()) == ["file", "model.py"]


def test_r_that_is_not_installed_is_said(replicast: Call, write_model: Write, tmp_path: Path) -> None:
    model = write_model("simulate <- function() 1\n", "model.R")
    (tmp_path / "bin").mkdir()
    done = replicast("run", model, env=os.environ | {"PATH": str(tmp_path / "bin")})
    assert done.returncode == 2
    assert "R was not found" in done.stderr


@pytest.mark.r
def test_an_r_package_that_is_missing_is_named(replicast: Call, write_model: Write) -> None:
    model = write_model("library(nosuchpackage)\nsimulate <- function() 1\n", "model.R")
    done = replicast("run", model)
    assert done.returncode == 2
    assert "nosuchpackage" in done.stderr


def test_a_model_that_starts_a_run_itself_is_refused(replicast: Call, write_model: Write) -> None:
    model = write_model("import replicast\nreplicast.run(__file__, n=2)\ndef simulate():\n    return 1\n")
    done = replicast("run", model)
    assert done.returncode == 2
    assert "__main__" in done.stderr


def test_a_damaged_run_is_left_out_of_the_list_and_named(replicast: Call, write_model: Write, tmp_path: Path) -> None:
    model = write_model(MODEL)
    for name in ("good", "bad"):
        assert replicast("run", model, "-n", 2, "--name", name).returncode == 0
    (tmp_path / "runs" / "bad" / "run.json").write_text("{}")
    done = replicast("list", "--json")
    assert done.returncode == 0
    assert [run["id"] for run in json.loads(done.stdout)] == ["good"]
    assert "run.json of run bad is damaged" in done.stderr


def test_a_store_that_cannot_be_written_is_no_good_store_to_the_doctor(replicast: Call) -> None:
    done = replicast("doctor", "--store", "/proc/x")
    assert done.returncode == 1
    assert "cannot be written" in done.stdout
