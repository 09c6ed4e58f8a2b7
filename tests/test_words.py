"""What is named by what it is, and with what to do: programs, Parquet, stores below the home folder, own collations."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import replicast
import replicast as api
from replicast.core.errors import RequestError
from replicast.core.spoken import counted
from replicast.models.columns import UnusableResult
from replicast.models.command_results import read_parquet
from replicast.models.results import read_result
from replicast.reporting.own_collation import as_tables
from replicast.stores import at_home

Write = Callable[..., Path]
Call = Callable[..., "subprocess.CompletedProcess[str]"]
FINE = "def simulate(rng, beds=3, speed=1.0):\n    return {'x': beds * speed * rng.random(), 't': [{'a': 1.0}]}\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def script(folder: Path, content: bytes, mode: int = 0o755) -> Path:
    path = folder / "program"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"#!/bin/sh\r\necho 3\r\n", "'program' has the line breaks of Windows (CRLF)"),
        (b"#!/usr/bin/env sh\r\necho 3\r\n", "'program' has the line breaks of Windows (CRLF)"),
        (b"#!/opt/nothing/here -x\necho 3\n", "interpreter '/opt/nothing/here', which is not there"),
        (b"echo 3\n", "'program' is no program, and has no first line that says what runs it"),
    ],
)
def test_a_program_that_cannot_start_is_named_with_what_to_do(here: Path, content: bytes, said: str) -> None:
    script(here, content)
    done = replicast.run(command=["./program"], n=1, seed=1, on_failure="ignore")
    assert said in done.failures().to_dicts()[0]["error"]


def test_a_missing_execute_bit_is_named_and_one_that_a_copy_lost_is_given_back(here: Path, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    path = script(outside, b"#!/bin/sh\necho 3\n", 0o644)
    (here / "work").mkdir()
    os.chdir(here / "work")
    done = replicast.run(command=[str(path)], n=1, seed=1, on_failure="ignore")
    assert f"'{path}' may not be executed; allow it with: chmod +x" in done.failures().to_dicts()[0]["error"]


def test_a_command_that_is_one_text_is_refused_with_the_list_that_was_meant() -> None:
    with pytest.raises(RequestError, match=re.escape("command takes a list of words, as ['echo', '3'], and 'echo 3'")):
        replicast.run(command="echo 3", n=1)


def test_parquet_is_refused_in_words_of_parquet() -> None:
    whole = pl.DataFrame({"a": [1, 2, 3]})
    whole.write_parquet("t.parquet")
    content = Path("t.parquet").read_bytes()
    assert read_parquet(content, "t.parquet").num_rows == 3
    for wrong, said in [(b"a,b\n1\n", "does not begin"), (b"", "does not begin"), (content[:-6], "end is missing"),
                        (content[:4] + b"\xff" * 60 + content[-4:], "content is damaged")]:  # fmt: skip
        with pytest.raises(UnusableResult, match=said) as caught:
            read_parquet(wrong, "t.parquet")
        assert not re.search(r"External|Parquet error|panick|thrift|overflow", str(caught.value))


def test_binary_columns_are_called_binary() -> None:
    with pytest.raises(UnusableResult, match="column 'b' of table 't' holds binary values"):
        read_result({"t": pl.DataFrame({"b": [b"\xff\xfe"]})})


def test_files_named_in_capitals_are_tables_too(here: Path) -> None:
    script(here, b"#!/bin/sh\nprintf 'a\\n1\\n2\\n' > $1/T.CSV\n")
    done = replicast.run(command=["./program", "{out}"], n=2, seed=1)
    assert done.table("T").pl()["a"].to_list() == [1, 2, 1, 2]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_a_design_may_be_a_data_frame(write_model: Write, frame: Any) -> None:
    design = frame({"scenario": ["few", "many"], "beds": [2, 9], "speed": [1.5, 2.0]})
    done = replicast.run(write_model(FINE), n=2, seed=1, design=design)
    assert {s.name: dict(s.parameters) for s in done.record.experiment.scenarios} == {
        "few": {"beds": 2, "speed": 1.5}, "many": {"beds": 9, "speed": 2.0},
    }  # fmt: skip


def test_none_for_a_number_is_refused_before_the_run(write_model: Write) -> None:
    with pytest.raises(RequestError, match="beds"):
        replicast.run(write_model(FINE), n=2, params={"beds": None})
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_failures_have_the_columns_that_are_stored(write_model: Write) -> None:
    path = write_model("def simulate(replication):\n    raise ValueError('no')\n")
    done = replicast.run(path, n=2, seed=1, on_failure="ignore")
    columns = ["scenario", "replication", "error_kind", "error_type", "error", "traceback", "log", "attempt"]
    assert done.failures().pl().columns[:8] == columns
    (row, _) = done.failures()
    assert (row["error_kind"], row["error_type"], row["error"]) == ("error", "ValueError", "no")
    assert (row["kind"], row["type"], row["message"], row["attempts"]) == ("error", "ValueError", "no", 1)
    with pytest.raises(KeyError):
        row["nothing"]


@pytest.mark.parametrize("source", ["import re\nre.compile('\\d')\n", "X = 1\nif X is 1: pass\n"])
def test_syntax_warnings_of_the_model_are_shown(write_model: Write, replicast: Call, source: str) -> None:
    path = write_model(f"{source}def simulate(rng): return rng.random()\n")
    assert "note: model.py, line 2: " in replicast("run", path, "-n", 2, "--seed", 1).stderr
    assert "model.py, line 2: " in replicast("summary").stderr
    assert "model.py, line 2: " in replicast("check", path).stderr


def test_a_removed_working_folder_is_named(here: Path, write_model: Write) -> None:
    path, gone = write_model(FINE), here / "gone"
    for deed in ("run", "open"):
        gone.mkdir()
        os.chdir(gone)
        gone.rmdir()
        with pytest.raises(RequestError, match="the folder that this process works in was removed"):
            api.run(str(path), n=2) if deed == "run" else api.Run("runs")
        os.chdir(here)
    gone.mkdir()
    shell = f"cd {gone} && rmdir {gone} && {os.sys.executable} -P -m replicast run {path} -n 2"  # type: ignore[attr-defined]
    ended = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "was removed" in ended.stderr
    assert "Traceback" not in ended.stderr


def home_stores(home: Path) -> dict[str, Path]:
    return {"~/s": home / "s", "file://~/s": home / "s", "sqlite:///~/s.db": home / "s.db"}


@pytest.mark.parametrize("named", ["~/s", "file://~/s", "sqlite:///~/s.db"])
@pytest.mark.parametrize("way", ["argument", "api", "toml", "variable", "path"])
def test_a_store_below_the_home_folder_is_there_however_it_is_named(
    here: Path, write_model: Write, replicast: Call, monkeypatch: pytest.MonkeyPatch, named: str, way: str
) -> None:
    home = here / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    model = write_model(FINE)
    if way == "argument":
        assert replicast("run", model, "-n", 2, "--store", named).returncode == 0
        assert replicast("summary", "--store", named).returncode == 0
    elif way == "toml":
        (here / "project" / "e.toml").write_text(f'model = "model.py"\nreplications = 2\nstore = "{named}"\n')
        assert replicast("run", "--experiment", here / "project" / "e.toml").returncode == 0
    elif way == "variable":
        monkeypatch.setenv("REPLICAST_STORE", named)
        assert replicast("run", model, "-n", 2).returncode == 0
    elif way == "path" and "://" in named:
        assert at_home(named).endswith(str(home_stores(home)[named]))
        return
    else:
        store = Path(named) if way == "path" else named
        done = api.run(str(model), n=2, store=store)
        assert api.Run(store).id == done.id
    assert home_stores(home)[named].exists()
    assert not list(here.rglob("~"))


@pytest.mark.parametrize("url", ["s3://~/x", "postgresql://~/x", "runs/~", "sqlite:///a~b.db", "sqlite:////x/~"])
def test_a_tilde_elsewhere_is_a_tilde(url: str) -> None:
    assert at_home(url) == url


def test_what_is_written_goes_below_the_home_folder_too(
    here: Path, write_model: Write, replicast: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = here / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    done = api.run("~/../project/model.py" if write_model(FINE) else "", n=2, seed=1)
    done.collate("~/out")
    done.report("~/r.md")
    assert replicast("run", "project/model.py", "-n", 2, "--output=~/two").returncode == 0
    assert {path.name for path in home.iterdir()} >= {"out", "r.md", "two"}
    assert not list(here.rglob("~"))


@pytest.mark.parametrize(
    ("returned", "names"),
    [
        ({"mine": []}, ["mine"]),
        ({"mine": [], "yours": ()}, ["mine", "yours"]),
        ({"mine": [{"a": 1}], "yours": []}, ["mine", "yours"]),
        ([], ["collated"]),
        ({}, []),
        (None, []),
        ({"a": [1, 2]}, ["collated"]),
    ],
)
def test_what_a_collate_returns_keeps_its_name(returned: Any, names: list[str]) -> None:
    assert list(as_tables(returned, "model.py:collate")) == names


def test_a_collates_own_tables_do_not_replace_ours(write_model: Write, replicast: Call, here: Path) -> None:
    path = write_model(
        f"{FINE}def collate(run): return {{'metrics': [{{'mine': 1}}], 't': [{{'mine': 2}}], 'new': [{{'mine': 3}}]}}\n"
    )
    ended = replicast("run", path, "-n", 2, "--seed", 1, "-o", "out")
    assert (here / "out" / "metrics.csv").read_text().startswith("scenario,replication,x\n")
    assert (here / "out" / "t.csv").read_text().startswith("scenario,replication,a\n")
    assert (here / "out" / "metrics_1.csv").read_text() == "mine\n1\n"
    assert (here / "out" / "t_1.csv").read_text() == "mine\n2\n"
    assert (here / "out" / "new.csv").read_text() == "mine\n3\n"
    assert "made 'metrics', which is written as metrics_1.csv" in ended.stderr


def test_a_collate_command_s_own_files_do_not_replace_ours(here: Path, replicast: Call, write_model: Write) -> None:
    write_model("", "unused.py")
    (here / "project" / "e.toml").write_text(
        'command = ["echo", "{replication}"]\nreplications = 2\n'
        '[collate]\ncommand = ["sh", "-c", "echo own > $1/metrics.csv; echo own > $1/x.csv", "sh", "{out}"]\n'
    )
    replicast("run", "--experiment", "project/e.toml", "-o", "out")
    assert (here / "out" / "metrics.csv").read_text().startswith("scenario,replication,value\n")
    assert (here / "out" / "metrics_1.csv").read_text() == (here / "out" / "x.csv").read_text() == "own\n"


@pytest.mark.r
def test_an_r_collate_may_return_nothing(write_model: Write, replicast: Call, here: Path) -> None:
    path = write_model("simulate <- function() rnorm(1)\ncollate <- function(tables) NULL\n", "model.R")
    ended = replicast("run", path, "-n", 2, "--seed", 1, "-o", "out")
    assert ended.returncode == 0, ended.stderr
    assert {file.name for file in (here / "out").iterdir()} == {"metrics.csv", "summary.csv"}


def test_check_needs_no_store_and_says_that_it_goes_on(write_model: Write, replicast: Call, here: Path) -> None:
    path = write_model("import time\ndef simulate(rng):\n    time.sleep(1.5)\n    return rng.random()\n")
    (here / "runs").write_text("no folder")
    ended = replicast("check", path)
    assert ended.returncode == 0, ended.stderr
    assert "checking for " in ended.stderr
    assert json.loads(replicast("check", path, "--json").stdout)["ok"]


@pytest.mark.parametrize(("number", "said"), [(0, "0 runs"), (1, "1 run"), (2000, "2,000 runs")])
def test_one_of_a_thing_is_one(number: int, said: str) -> None:
    assert counted(number, "run") == said
