"""What replicast adds to a replication of a quick model, beside pools of Python's own that do less.

Runs are interleaved, so that a noisy machine is equally unfair to all. The table shows each contestant's best and
median microseconds of wall time a replication on 2 workers, and its ratio to the first. The peers keep results in
memory, seed nothing and store nothing; replicast gives each replication its own stream and stores each durably.

    python benchmarks/overhead.py [--replications N] [--rounds K]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import replicast

MODEL = '''
def simulate(rng):
    """About 10 microseconds."""
    total = 0.0
    for _ in range(14):
        total += rng.random()
    return total
'''
R_MODEL = "simulate <- function() { x <- 0; for (i in 1:20) x <- x + runif(1); x }\n"


def work(_number: int) -> float:
    import random

    total = 0.0
    for _ in range(160):
        total += random.random()
    return total


def by_replicast(model: Path, n: int) -> float:
    with tempfile.TemporaryDirectory() as store:
        start = time.perf_counter()
        run = replicast.run(str(model), n=n, seed=1, workers=2, store=store)
        seconds = time.perf_counter() - start
        assert run.status().done == n
    return seconds


def by_pool(n: int) -> float:
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert len(pool.map(work, range(n), chunksize=100)) == n
    return time.perf_counter() - start


def by_futures(n: int) -> float:
    start = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        assert len(list(pool.map(work, range(n), chunksize=100))) == n
    return time.perf_counter() - start


def model_alone(n: int) -> float:
    import numpy as np

    space: dict[str, Callable[..., float]] = {}
    exec(MODEL, space)
    rng = np.random.default_rng(1)
    start = time.perf_counter()
    for _ in range(n):
        space["simulate"](rng)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--replications", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--r", action="store_true", help="an R model of about 5 microseconds too")
    chosen = parser.parse_args()
    n = chosen.replications
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.py"
        model.write_text(MODEL)
        r_model = Path(folder) / "r" / "model.R"
        r_model.parent.mkdir()
        r_model.write_text(R_MODEL)
        contestants: dict[str, Callable[[], float]] = {
            "replicast, Python model": lambda: by_replicast(model, n),
            "multiprocessing.Pool.map(chunksize=100)": lambda: by_pool(n),
            "ProcessPoolExecutor.map(chunksize=100)": lambda: by_futures(n),
            "the Python model alone, one process": lambda: model_alone(n),
        }
        if chosen.r:
            contestants["replicast, R model"] = lambda: by_replicast(r_model, n)
        taken: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(chosen.rounds):
            for name, contest in contestants.items():
                taken[name].append(contest() / n * 1e6)
    print(f"{n:,} replications, {chosen.rounds} interleaved rounds, Python {sys.version.split()[0]}")
    print(f"{'':42}{'best µs':>9}{'median':>9}{'ratio':>8}")
    base = statistics.median(taken["replicast, Python model"])
    for name, values in taken.items():
        median = statistics.median(values)
        print(f"{name:42}{min(values):9.2f}{median:9.2f}{median / base:8.2f}")


if __name__ == "__main__":
    main()
