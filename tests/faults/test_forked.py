"""A child that was forked from a process that has used replicast."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import replicast

Write = Callable[..., Path]
MODEL = "def simulate(rng):\n    return {'x': rng.random(), 'rows': [{'y': rng.random()}] * 2}\n"
PARENT = """
import json, multiprocessing, sys, warnings
import replicast
model, there, here, uses_frames = sys.argv[1:]

def run_in_child(answers):
    try:
        run = replicast.run(model, n=30, seed=1, store=here, name="child", workers=2)
        run.resume(n=40, workers=2)
        run.collate("collated")
        assert run.metrics().pl().height == 40  # by frames of its own, after which it goes on
        answers.put([run.status().state, run.summary().rows[0].n])
    except BaseException as error:
        answers.put(repr(error))

run = replicast.run(model, n=3, seed=1, store=there)
if uses_frames == "yes":
    run.metrics().pl()
context = multiprocessing.get_context("fork")
answers = context.Queue()
child = context.Process(target=run_in_child, args=(answers,))
child.start()
print(json.dumps(answers.get(timeout=60)))
child.join(30)
assert child.exitcode == 0
assert len(replicast.run(model, n=4, seed=2, store=there).store.runs()) >= 2
"""


def in_a_forked_child(folder: Path, model: Path, store: str, *, frames: bool = False) -> Any:
    command = [sys.executable, "-c", PARENT, str(model), str(folder / "parents"), store, "yes" if frames else "no"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("where", ["{}/runs", "sqlite:///{}/runs.db"], ids=["folder", "sqlite"])
def test_a_forked_child_runs_resumes_and_collates(write_model: Write, tmp_path: Path, where: str) -> None:
    model, store = write_model(MODEL), where.format(tmp_path)
    assert in_a_forked_child(tmp_path, model, store) == ["done", 40]
    assert replicast.Run(store, "child").damage() == []
    replicast.run(str(model), n=40, seed=1, store=str(tmp_path / "else")).collate(tmp_path / "expected")
    for path in sorted((tmp_path / "expected").iterdir()):
        assert path.read_bytes() == (tmp_path / "collated" / path.name).read_bytes()


def test_a_child_with_its_parents_frames_or_of_a_bucket_is_refused_and_does_not_hang(
    write_model: Write, tmp_path: Path
) -> None:
    model = write_model(MODEL)
    assert "get_context('spawn')" in in_a_forked_child(tmp_path, model, str(tmp_path / "runs"), frames=True)
    assert "get_context('spawn')" in in_a_forked_child(tmp_path, model, "gs://bucket/runs")
