"""What replicast adds to a replication of a quick model, beside pools of Python's own that do less.

Runs are interleaved, so that a noisy machine is equally unfair to all. The table shows each contestant's best and
median microseconds of wall time a replication on 2 workers, and its ratio to the first. The peers keep results in
memory, seed nothing and store nothing; replicast gives each replication its own stream and stores each durably. The
last column is processor time, of all processes, which neighbours on the machine disturb less than wall time.

    python benchmarks/overhead.py [--replications N] [--rounds K] [--r [--no-python]]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import ctypes
import multiprocessing
import os
import resource
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
R_MODELS = {
    "replicast, R model": "simulate <- function() { x <- 0; for (i in 1:20) x <- x + runif(1); x }\n",
    "replicast, R model of two draws, c(x, y)": "simulate <- function() c(x = runif(1), y = rnorm(1))\n",
    "replicast, R model of two draws, list(x, y)": "simulate <- function() list(x = runif(1), y = rnorm(1))\n",
}


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


def r_contestant(folder: Path, name: str, n: int) -> Callable[[], float]:
    model = folder / name / "model.R"
    model.parent.mkdir()
    model.write_text(R_MODELS[name])
    return lambda: by_replicast(model, n)


def adopt_orphans() -> None:
    """Has R, whose worker may be gone first, end as a child of this process, so that its time counts (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def processor_seconds() -> float:
    """Of this process and of all that it started and saw end."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--replications", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--r", action="store_true", help="R models of about 5 microseconds too")
    parser.add_argument("--no-python", dest="python", action="store_false", help="with --r: nothing but R models")
    chosen = parser.parse_args()
    adopt_orphans()
    n = chosen.replications
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.py"
        model.write_text(MODEL)
        contestants: dict[str, Callable[[], float]] = {
            "replicast, Python model": lambda: by_replicast(model, n),
            "multiprocessing.Pool.map(chunksize=100)": lambda: by_pool(n),
            "ProcessPoolExecutor.map(chunksize=100)": lambda: by_futures(n),
            "the Python model alone, one process": lambda: model_alone(n),
        }
        if chosen.r:
            contestants = contestants if chosen.python else {}
            contestants |= {name: r_contestant(Path(folder), name, n) for name in R_MODELS}
        taken: dict[str, list[float]] = {name: [] for name in contestants}
        used: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(chosen.rounds):
            for name, contest in contestants.items():
                before = processor_seconds()
                taken[name].append(contest() / n * 1e6)
                used[name].append((processor_seconds() - before) / n * 1e6)
    print(f"{n:,} replications, {chosen.rounds} interleaved rounds, Python {sys.version.split()[0]}")
    print(f"{'':44}{'best µs':>9}{'median':>9}{'ratio':>8}{'CPU µs':>9}")
    base = statistics.median(next(iter(taken.values())))
    for name, values in taken.items():
        median = statistics.median(values)
        processor = statistics.median(used[name])
        print(f"{name:44}{min(values):9.2f}{median:9.2f}{median / base:8.2f}{processor:9.2f}")


if __name__ == "__main__":
    main()
