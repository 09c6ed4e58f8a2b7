"""A child that was forked from a process that has used replicast."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import replicast

Write = Callable[..., Path]


def run_in_child(answers: Any, model: str, store: str) -> None:
    try:
        replicast.run(model, n=3, seed=1, store=store)
        answers.put("it ran")
    except replicast.StoreError as error:
        answers.put(str(error))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("where", ["runs", "sqlite:///{}/runs.db"])
def test_a_forked_child_is_refused_and_does_not_hang(write_model: Write, tmp_path: Path, where: str) -> None:
    model, store = str(write_model("def simulate(rng): return rng.random()\n")), where.format(tmp_path)
    store = store if "://" in store else str(tmp_path / store)
    replicast.run(model, n=3, seed=1, store=store)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=run_in_child, args=(answers, model, store))
    child.start()
    answer = answers.get(timeout=60)
    child.join(30)
    assert child.exitcode == 0
    assert "get_context('spawn')" in answer
