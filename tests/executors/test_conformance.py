"""The public conformance suites, run against the executors and a model of this repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from replicast.core.ports import Store
from replicast.executors.pool import Pool
from replicast.executors.serial import Serial
from replicast.performing.worker import Assignment
from replicast.testing.executors import check_executor
from replicast.testing.models import check_model


@contextmanager
def pool(folder: Path, assignment: Assignment, store: Store) -> Iterator[Pool]:
    with Pool(folder, assignment.experiment, workers=2) as made:
        made.join(assignment, store, None)
        yield made


@contextmanager
def serial(folder: Path, assignment: Assignment, store: Store) -> Iterator[Serial]:
    with Serial(folder, assignment.experiment) as made:
        made.join(assignment, store, None)
        yield made


@pytest.mark.parametrize("make", [pool, serial])
def test_an_executor_does_what_every_executor_must(make: Callable[..., object]) -> None:
    check_executor(make)  # type: ignore[arg-type]


def test_a_good_model_passes_the_check_and_shows_its_metrics(write_model: Callable[..., Path]) -> None:
    model = write_model("def simulate(rng, mean=1.0):\n    return {'x': rng.exponential(mean)}\n")
    assert list(check_model(str(model), mean=3)) == ["x"]


def test_a_model_that_seeds_itself_with_a_constant_does_not(write_model: Callable[..., Path]) -> None:
    model = write_model("import random\ndef simulate():\n    random.seed(3)\n    return random.random()\n")
    with pytest.raises(AssertionError, match="are equal"):
        check_model(str(model))
