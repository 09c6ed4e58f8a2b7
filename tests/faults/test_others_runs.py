"""Runs that someone else made, or made elsewhere: their code runs when it is trusted, and their names are text."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import replicast as rc
from replicast.cli import main
from replicast.cli.harmless import harmless
from replicast.core.record import NAME
from replicast.reporting.formats import SAFE_CSV
from replicast.reporting.writers import WRITERS, write_frames

MODEL = """
def simulate(rng): return float(rng.random())
def collate(run): return {"made": [{"a": 1}]}
"""
RUN = "theirs"


@pytest.fixture
def theirs(write_model: Callable[..., Path], tmp_path: Path) -> str:
    run = rc.run(str(write_model(MODEL)), n=2, seed=1, store=str(tmp_path / "runs"), name=RUN, workers=1)
    run.store.write(RUN, NAME, dataclasses.replace(run.record, user="mallory", host="far").to_json())
    return str(tmp_path / "runs")


def test_code_of_a_run_that_someone_else_made_is_run_when_it_is_trusted(
    theirs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["resume", RUN], ["verify", RUN], ["replay", RUN, "1"]):
        assert main([*command, "--store", theirs]) == 2
        said = capsys.readouterr().err
        assert "made by 'mallory' on 'far'" in said
        assert "--trust" in said
    assert main(["verify", RUN, "--stored", "--store", theirs]) == 0
    assert main(["verify", RUN, "--trust", "--store", theirs]) == 0


def test_the_standard_tables_of_a_run_need_none_of_its_code(
    theirs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["collate", RUN, "--store", theirs, "-o", str(tmp_path / "out")]) == 0
    assert "own collation was not run" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["metrics.csv", "summary.csv"]
    assert main(["collate", RUN, "--store", theirs, "-o", str(tmp_path / "all"), "--trust"]) == 0
    assert (tmp_path / "all" / "made.csv").exists()


def test_one_is_not_asked_about_ones_own_runs(write_model: Callable[..., Path], tmp_path: Path) -> None:
    rc.run(str(write_model(MODEL)), n=1, seed=1, store=str(tmp_path / "runs"), name="mine", workers=1)
    assert main(["resume", "mine", "-n", "2", "--quiet", "--store", str(tmp_path / "runs")]) == 0


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\u202eb", "a\\u202eb"),
        ("\x9b31m", "\\x9b31m"),
        ("over\rwritten", "over\\x0dwritten"),
        ("two\nlines\tand é", "two\nlines\tand é"),
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("a\r\nb", "a\nb"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_its_code(given: str, shown: str) -> None:
    assert harmless(given) == shown


def test_a_models_message_and_log_command_nothing_on_a_terminal(
    write_model: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model("def simulate():\n    print('\\x1b[2Jlog')\n    raise ValueError('\\x1b]0;evil\\x07\\u202e')\n")
    rc.run(str(model), n=1, seed=1, store=str(tmp_path / "runs"), name="x", workers=1)
    main(["failures", "x", "--store", str(tmp_path / "runs")])
    main(["replay", "x", "1", "--store", str(tmp_path / "runs")])
    printed = "".join(capsys.readouterr())
    assert "evil" in printed
    assert not set(printed) & {"\x1b", "\x07", "\u202e"}


def test_a_spreadsheet_runs_no_text_of_a_safe_csv(tmp_path: Path) -> None:
    texts = ["=1+1", "+1", "-1", "@x", "\t=1", "safe", "a=1", None, ""]
    frame = pl.DataFrame({"=name": texts, "x": [-1.5] * 9})
    write_frames(iter([frame]), dict(frame.schema), tmp_path / "t.csv", WRITERS[SAFE_CSV])
    read = pl.read_csv(tmp_path / "t.csv")
    assert read["'=name"].to_list() == ["'=1+1", "'+1", "'-1", "'@x", "'\t=1", "safe", "a=1", None, ""]
    assert read["x"].to_list() == [-1.5] * 9


LEAVE = """#!/bin/sh
echo '{"x": 1}' > "$2/metrics.json"
if [ "$1" = 2 ]; then %s; fi
"""


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("touch $2/$(printf 'caf\\351').txt", "xe9.txt' is not UTF-8"),
        ("ln -s /etc/passwd $2/link.txt", "'link.txt' is a link to a file outside"),
        ("ln -s /etc/passwd $2/metrics.csv", "'metrics.csv' is a link to a file outside"),
        ("ln -s /etc $2/folder", "'folder' is a link to a file outside"),
    ],
)
@pytest.mark.parametrize("store", ["runs", "sqlite:///runs.db"])
def test_a_strange_file_costs_its_own_replication(
    deed: str, said: str, store: str, tmp_path: Path, replicast: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "project").mkdir()
    program = tmp_path / "project" / "leave.sh"
    program.write_text(LEAVE % deed)
    program.chmod(0o755)
    (tmp_path / "project" / "e.toml").write_text(
        'command = ["./leave.sh", "{replication}", "{out}"]\nreplications = 3\nseed = 1\n'
    )
    ended = replicast("run", "--experiment", "project/e.toml", "--store", store, "--name", "s")
    assert ended.returncode == 1, ended.stderr
    shown = replicast("failures", "s", "--store", store).stdout
    assert shown.count("UnusableResult") == 1
    assert "replication 2" in shown
    assert said in shown
