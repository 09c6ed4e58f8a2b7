"""The door of anything that can start a process says in one line of its log what keeps it from its work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from replicast.core.replication import Batch
from replicast.executors.batch_door import STORE_VARIABLE, read_trouble, write_round
from replicast.stores import open_store


def through_the_door(store: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "replicast.executors.batch_door", "one", "round.json", "0"]
    return subprocess.run(command, env=os.environ | {STORE_VARIABLE: store}, cwd=folder, capture_output=True, text=True,
                          check=False)  # fmt: skip


@pytest.mark.parametrize("store", ["none-such://me:pl4nt3d@x/y", "sqlite:////none/such/folder.db"])
def test_a_store_that_cannot_be_opened_is_one_line_without_a_password_or_a_traceback(
    store: str, tmp_path: Path
) -> None:
    ended = through_the_door(store, tmp_path)
    assert ended.returncode in (2, 3)
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert "pl4nt3d" not in ended.stderr + ended.stdout


def test_a_run_that_is_not_there_is_one_line_and_a_note_for_the_conductor(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "runs"))
    write_round(store, "one", "round.json", [Batch("base", 1, 2)])
    ended = through_the_door(str(tmp_path / "runs"), tmp_path)
    assert ended.returncode in (2, 3)
    assert "Traceback" not in ended.stderr
    (trouble,) = read_trouble(store, "one", "round.json")
    assert trouble["message"] in ended.stderr
