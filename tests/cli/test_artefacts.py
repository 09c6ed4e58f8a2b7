"""`replicast artefacts`: the files that replications left, in a folder."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]
WRITE = "import sys, pathlib; out = pathlib.Path(sys.argv[1]); i = sys.argv[2]"
WRITE += "; (out / 'trace.txt').write_text(i); (out / 'rows.csv').write_text('x\\n1\\n'); sys.exit(i == '2')"


@pytest.fixture
def run_of_files(replicast: Cli) -> str:
    arguments = ("--scenario", "base:", "--scenario", "more beds:", "--tolerate", 2)
    ended = replicast("run", "-n", 3, "--seed", 1, "--name", "files", *arguments, "--",
                      "python3", "-c", WRITE, "{out}", "{replication}")  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return "files"


def test_files_of_successful_replications_are_fetched_in_their_order(
    replicast: Cli, tmp_path: Path, run_of_files: str
) -> None:
    answer = replicast("artefacts", run_of_files, "-o", "got", "--scenario", "base", "--json")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert [(one["replication"], one["name"]) for one in found] == [(1, "trace.txt"), (3, "trace.txt")]
    assert [Path(tmp_path, one["file"]).read_text() for one in found] == ["1", "3"]


def test_each_of_several_scenarios_has_a_folder(replicast: Cli, tmp_path: Path, run_of_files: str) -> None:
    assert replicast("artefacts", run_of_files, "-o", "got").returncode == 0
    assert sorted(path.relative_to(tmp_path / "got").as_posix() for path in (tmp_path / "got").rglob("*.txt")) == [
        "base/000001.trace.txt", "base/000003.trace.txt", "more beds/000001.trace.txt", "more beds/000003.trace.txt",
    ]  # fmt: skip


def test_a_name_that_nothing_has_says_so_and_leaves_no_folder(
    replicast: Cli, tmp_path: Path, run_of_files: str
) -> None:
    answer = replicast("artefacts", run_of_files, "-o", "got", "--name", "result.rds")
    assert answer.returncode == 0
    assert "left a file called 'result.rds'" in answer.stderr
    assert not (tmp_path / "got").exists()


def test_a_folder_that_holds_something_is_refused(replicast: Cli, tmp_path: Path, run_of_files: str) -> None:
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "mine.txt").write_text("mine")
    refused = replicast("artefacts", run_of_files, "-o", "got")
    assert refused.returncode == 2
    assert "not empty" in refused.stderr
