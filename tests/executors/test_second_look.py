"""Every run of 100 replications or more simulates one of them a second time, and says where it comes out otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import replicast
from replicast import Run
from replicast.core.replication import Batch
from replicast.executors.again import Again

Write = Callable[..., Path]

HANG_ON_SOMETHING = {
    "a module's generator that nobody seeded": (
        "import numpy as np\nRNG = np.random.default_rng()\ndef simulate(replication): return RNG.normal()\n"
    ),
    "a module's generator with a seed": (
        "import numpy as np\nRNG = np.random.default_rng(42)\ndef simulate(replication): return RNG.normal()\n"
    ),
    "a class attribute that grows": (
        "class Shop: served = []\n"
        "def simulate(rng):\n"
        "    Shop.served.append(rng.exponential())\n"
        "    return {'wait': sum(Shop.served) / len(Shop.served)}\n"
    ),
    "a table of what was left over": (
        "SEEN = []\n"
        "def simulate(rng):\n"
        "    SEEN.append(1)\n"
        "    return {'x': rng.normal(), 'rows': [{'n': len(SEEN)}, {'n': 0}]}\n"
    ),
    "the number of rows": (
        "SEEN = []\n"
        "def simulate(rng):\n"
        "    SEEN.append({'n': 1})\n"
        "    return {'x': rng.normal(), 'rows': SEEN[:500]}\n"
    ),
    "the system's randomness": "import random\ndef simulate(rng): return random.SystemRandom().random()\n",
    "failures that come of what ran before": (
        "SEEN = []\n"
        "def simulate(rng):\n"
        "    SEEN.append(1)\n"
        "    if len(SEEN) > 1: raise ValueError('full')\n"
        "    return rng.normal()\n"
    ),
}  # fmt: skip

ARE_THE_SAME = {
    "numbers of several types": (
        "def simulate(rng): return {'x': [1, 2.5][int(rng.integers(2))], 'y': rng.random() < .5, 'z': None}\n"
    ),
    "tables": (
        "import datetime, decimal\n"
        "def simulate(rng):\n"
        "    n = int(rng.integers(0, 4))\n"
        "    row = {'a': 'é', 'b': None, 'c': 2.5, 'd': float('nan'), 'e': datetime.date(2024, 1, 2), 'f': [1, 2]}\n"
        "    mixed = [{'k': 1 if n < 2 else 1.5}] * 2\n"
        "    return {'n': n, 'rows': [row | {'c': rng.random()} for _ in range(n)], 'mixed': mixed}\n"
    ),
    "failures of the model's own": (
        "def simulate(replication, rng):\n    if replication == 1: raise ValueError('no')\n    return rng.random()\n"
    ),
    "the global generators": (
        "import random, numpy as np\ndef simulate(replication): return random.random() + np.random.normal()\n"
    ),
}  # fmt: skip


def run(path: Path, n: int = 200, **options: Any) -> Run:
    options = {"store": str(path.parent.parent / "runs"), "tolerate": "100%"} | options
    return replicast.run(str(path), n=n, seed=1, **options)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", HANG_ON_SOMETHING)
def test_a_replication_that_is_not_the_same_again_is_named(write_model: Write, kind: str, workers: int) -> None:
    done = run(write_model(HANG_ON_SOMETHING[kind]), workers=workers)
    (look,) = done.second_looks()
    assert (look.scenario, look.replication) == ("base", 1)
    assert look.differences
    (note,) = [note for note in done.summary().notes if "is not the same again" in note]
    assert note.startswith("replication 1 is not the same again (")
    assert note.endswith("replicast check model.py")


@pytest.mark.parametrize("store", ["runs", "sqlite:///runs.db"])
@pytest.mark.parametrize("kind", ARE_THE_SAME)
def test_one_that_is_the_same_is_noted_and_nothing_said(
    write_model: Write, kind: str, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(write_model(ARE_THE_SAME[kind]), store=store)
    assert [(look.replication, look.differences) for look in done.second_looks()] == [(1, ())]
    assert not [note for note in done.summary().notes if "same again" in note]
    assert done.status().done == 200


def test_a_short_run_is_not_looked_at(write_model: Write) -> None:
    assert run(write_model(HANG_ON_SOMETHING["the system's randomness"]), 99).second_looks() == []


def test_a_replication_that_takes_too_long_to_be_done_twice_gives_way_to_another(write_model: Write) -> None:
    model = write_model(
        "import random, time\n"
        "def simulate(replication, rng):\n"
        "    if replication == 1: time.sleep(0.5)\n"
        "    return random.SystemRandom().random()\n"
    )
    (look,) = run(model).second_looks()
    assert look.replication > 1
    assert look.differences


@pytest.mark.parametrize(
    ("seconds", "taken"),
    [([1.0] * 20, 1), ([1.9] + [1.0] * 19, 1), ([3.0] + [1.0] * 19, 2), ([3.0] * 5 + [1.0] * 15, None),
     ([0.09] + [1e-6] * 19, 1), ([60.0] + [0.01] * 19, 2), ([1.0] * 9, None)],
)  # fmt: skip
def test_a_second_look_costs_less_than_a_hundredth_of_what_the_others_take(seconds: list[float], taken: Any) -> None:
    one: Any = object()
    other: Any = object()
    again = Again([Batch("base", 1, 200)], wanted=True)
    for number, took in enumerate(seconds, 1):
        again.saved(one, Batch("base", number, number), took)
        again.done(one)
    again.done(other)
    assert again.take(one, waits_for_other=False) is None
    found = again.take(other, waits_for_other=False)
    assert (found.first if found else None) == taken


def test_a_process_that_dies_at_the_second_look_costs_no_replication(write_model: Write) -> None:
    model = write_model(
        "import os\n"
        "SEEN = []\n"
        "def simulate(replication, rng):\n"
        "    SEEN.append(replication)\n"
        "    if replication == 1 and len(SEEN) > 1: os._exit(3)\n"
        "    return rng.random()\n"
    )
    done = run(model)
    assert (done.status().done, done.status().failed) == (200, 0)
    (look,) = done.second_looks()
    assert "it succeeded; then" in look.differences[0]


def test_each_scenario_counts_and_the_first_is_looked_at(write_model: Write) -> None:
    model = write_model(
        "SEEN = []\ndef simulate(rng, beds=1):\n    SEEN.append(1)\n    return rng.random() + len(SEEN)\n"
    )
    done = run(model, 50, scenarios={"few": {"beds": 1}, "many": {"beds": 9}})
    assert [(look.scenario, look.replication) for look in done.second_looks()] == [("few", 1)]
    assert [n for n in done.summary().notes if n.startswith("replication 1 of scenario 'few' is not the same again")]


def test_it_is_said_by_run_summary_and_report(
    write_model: Write, replicast: Callable[..., Any], tmp_path: Path
) -> None:
    model = write_model(HANG_ON_SOMETHING["a class attribute that grows"])
    said = "replication 1 is not the same again (wait: "
    assert said in replicast("run", model, "-n", 200).stderr
    assert said in replicast("summary").stderr
    replicast("report", "-o", "r.md")
    assert said in (tmp_path / "r.md").read_text(encoding="utf-8")
    assert "NOT the same again" in (tmp_path / "r.md").read_text(encoding="utf-8")


def test_a_run_that_was_not_looked_at_says_so(write_model: Write, replicast: Callable[..., Any]) -> None:
    model = write_model("def simulate(rng): return rng.random()\n")
    assert f"not checked: replicast check {model}" in replicast("run", model, "-n", 10).stderr
    assert "not checked" not in replicast("run", model, "-n", 10, "--quiet").stderr
    assert "not checked" not in replicast("run", model, "-n", 200).stderr
    command = replicast("run", "-n", 3, "--", "echo", "{replication}")
    assert "not checked: replicast verify " in command.stderr


@pytest.mark.r
def test_an_r_model_that_hangs_on_the_clock_is_named(write_model: Write) -> None:
    timed = write_model(
        "simulate <- function() list(x = rnorm(1), t = data.frame(n = c(as.numeric(Sys.time()), 2)))\n", "model.R"
    )
    (look,) = run(timed).second_looks()
    assert look.differences[0].startswith("table 't', row 1, n: ")
    fine = write_model("simulate <- function() list(x = rnorm(1), t = data.frame(n = rnorm(3), s = 'a'))\n", "fine.R")
    (look,) = run(fine).second_looks()
    assert look.differences == ()
