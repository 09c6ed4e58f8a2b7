"""Ctrl-C while `replicast.run` is at work: it ends a loop over runs, and no replication is the worse for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import replicast

SCRIPT = """
import sys, time, pathlib, replicast

def simulate(replication, rng):
    while replication > 3:
        pathlib.Path({begun!r}).touch()
        time.sleep(0.01)
    return rng.random()

if __name__ == "__main__":
    for _ in range(2):
        try:
            replicast.run({model}, n=9, seed=1, store={store!r}, on={place!r}, workers=1)
        except Exception as error:
            print("went on after", repr(error))
"""
MODELS = {"of a file": "'model.py'", "of no file": "simulate"}


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.01)


@pytest.mark.parametrize("place", ["local", "serial"])
@pytest.mark.parametrize("kind", MODELS)
def test_an_interruption_ends_a_loop_over_runs_and_fails_no_replication(tmp_path: Path, place: str, kind: str) -> None:
    begun, store = tmp_path / "begun", tmp_path / "runs"
    text = SCRIPT.format(begun=str(begun), store=str(store), place=place, model=MODELS[kind])
    for name in ("script.py", "model.py"):
        (tmp_path / name).write_text(text, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "script.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(begun, process)
    os.kill(process.pid, signal.SIGINT)
    out, errors = process.communicate(timeout=100)
    assert out == ""
    (run,) = replicast.list_runs(store)
    assert f"replicast.core.progress.Interrupted: run {run.id} was interrupted" in errors
    assert ("resume(function=" in errors) == (kind == "of no file")
    assert run.status().done <= 3  # quick ones are stored some at a time, so not all of them are
    assert run.status().failed == 0
