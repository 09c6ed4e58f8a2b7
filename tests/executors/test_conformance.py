"""The public conformance suites, run against the executors and a model of this repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replicast.executors.pool import Pool
from replicast.executors.serial import Serial
from replicast.testing.executors import check_executor
from replicast.testing.models import check_model


def spawning() -> Pool:
    pool = Pool(workers=2)
    pool.forks = False
    return pool


@pytest.mark.parametrize("make", [lambda: Pool(workers=2), spawning, Serial], ids=["forked", "spawned", "serial"])
def test_an_executor_does_what_every_executor_must(make: Callable[[], Any]) -> None:
    check_executor(make)


def test_a_good_model_passes_the_check_and_shows_its_metrics(write_model: Callable[..., Path]) -> None:
    model = write_model("def simulate(rng, mean=1.0):\n    return {'x': rng.exponential(mean)}\n")
    assert list(check_model(str(model), mean=3)) == ["x"]


def test_a_model_that_seeds_itself_with_a_constant_does_not(write_model: Callable[..., Path]) -> None:
    model = write_model("import random\ndef simulate():\n    random.seed(3)\n    return random.random()\n")
    with pytest.raises(AssertionError, match="are equal"):
        check_model(str(model))
