"""How often does a 95 % interval cover the true mean when the run stopped because that interval had become narrow?

    python benchmarks/coverage_of_sequential_stopping.py [--runs 300] [--seed 1]

Stopping when an interval looks narrow favours samples whose spread happens to be small, so it covers less often than
it says, the more so the fewer the replications. Each line is `--runs` independent runs of the rule on one distribution
of a replication's result. `n` is the average number of replications; `covered` is the share of intervals that hold the
true mean, over the replications that the rule asks for (`wanted`, which include the look-ahead) and over those up to
the first at which the target was met for good (`needed`). `fixed n` is what the same interval covers with that average
number of replications, decided beforehand: what it lacks of 95 % is due to the distribution, and not to the stopping.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replicast.core.precision import parse_precision
from replicast.core.statistics import mean_interval
from replicast.core.stopping import Done, UntilPrecise

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]
MAXIMUM = 20_000
CASES = [("20%", 3, 0), ("20%", 3, 5), ("20%", 10, 5), ("10%", 3, 0), ("10%", 3, 5), ("10%", 10, 5), ("5%", 3, 5)]
"""Target, minimum, look-ahead."""


@dataclass(frozen=True)
class Result:
    """What a replication returns: its distribution and the true mean."""

    name: str
    draw: Draw
    mean: float


def queue_waits(rng: np.random.Generator, n: int, customers: int = 200, load: float = 0.8) -> NDArray[np.float64]:
    """The mean wait of customers 1 to 200 of an M/M/1 queue that starts empty, by Lindley's recursion."""
    wait, total = np.zeros(n), np.zeros(n)
    for _ in range(customers - 1):
        wait = np.maximum(0.0, wait + rng.exponential(load, n) - rng.exponential(1.0, n))
        total += wait
    return total / customers


def queue_mean() -> float:
    """Its true mean, from 400,000 replications of a stream of its own: known to about 0.1 %."""
    rng = np.random.default_rng(987654321)
    return float(np.mean([queue_waits(rng, 20_000).mean() for _ in range(20)]))


def results() -> Iterator[Result]:
    yield Result("normal, cv 0.1", lambda rng, n: rng.normal(1.0, 0.1, n), 1.0)
    yield Result("normal, cv 0.3", lambda rng, n: rng.normal(1.0, 0.3, n), 1.0)
    yield Result("normal, cv 1", lambda rng, n: rng.normal(1.0, 1.0, n), 1.0)
    yield Result("exponential", lambda rng, n: rng.exponential(1.0, n), 1.0)
    yield Result("lognormal, cv 1.3", lambda rng, n: rng.lognormal(-0.5, 1.0, n), 1.0)
    yield Result("wait in M/M/1", queue_waits, queue_mean())


def covers(values: NDArray[np.float64], mean: float) -> bool:
    interval = mean_interval(len(values), float(values.mean()), float(values.std(ddof=1)))
    return interval is not None and interval.lower <= mean <= interval.upper


def stop(result: Result, rng: np.random.Generator, rule: UntilPrecise) -> tuple[int, bool, bool]:
    """One run: replications wanted, whether their interval covers, whether that of those needed does."""
    values = result.draw(rng, 64)
    while (judgement := rule.judge("run", Done(len(values), {"x": values}))).state == "open":
        values = np.concatenate([values, result.draw(rng, max(64, judgement.wanted - len(values)))])
    needed = judgement.needed or judgement.wanted
    return judgement.wanted, covers(values[: judgement.wanted], result.mean), covers(values[:needed], result.mean)


def fixed(result: Result, rng: np.random.Generator, n: int, runs: int) -> float:
    """The share of `runs` intervals over `n` replications, no more and no fewer, that cover."""
    return math.fsum(covers(result.draw(rng, n), result.mean) for _ in range(runs)) / runs


def table(runs: int, seed: int) -> Iterator[str]:
    titles = f"{'result of a replication':<24}{'target':>7}{'minimum':>9}{'look-ahead':>12}"
    yield f"{titles}{'n':>8}{'covered':>9}{'at needed':>11}{'fixed n':>9}"
    for result in results():
        for target, minimum, look_ahead in CASES:
            rng = np.random.default_rng(seed)
            ended = []
            for _ in range(runs):
                rule = UntilPrecise(
                    parse_precision(f"x={target}"), minimum=minimum, look_ahead=look_ahead, maximum=MAXIMUM
                )
                ended.append(stop(result, rng, rule))
            n, wanted, needed = (math.fsum(column) / runs for column in zip(*ended, strict=True))
            line = f"{result.name:<24}{target:>7}{minimum:>9}{look_ahead:>12}{n:>8.1f}{wanted:>9.1%}{needed:>11.1%}"
            yield f"{line}{fixed(result, rng, round(n), runs):>9.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for line in table(options.runs, options.seed):
        print(line, flush=True)


if __name__ == "__main__":
    main()
