"""How often do 95 % intervals of batch means hold the steady-state mean of one long run?

    python benchmarks/coverage_of_batch_means.py [--runs 400] [--seed 1]

AR(1) with φ = 0.9 and σ = 1, begun in its steady state, and the waits of an M/M/1 queue at load 0.8, begun empty, whose
mean is 4. Each line is `--runs` runs of so many values, the share of intervals that hold the mean, and
how many runs were refused, as MSER-5 leaves too little of them.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.signal import lfilter

from replicast.core.errors import RequestError
from replicast.core.steady import steady

LENGTHS = (10_000, 100_000)


def autoregression(rng: np.random.Generator, n: int) -> np.ndarray:
    first = rng.normal() / np.sqrt(1 - 0.9**2)
    return lfilter([1.0], [1.0, -0.9], rng.normal(size=n), zi=[0.9 * first])[0]


def waits(rng: np.random.Generator, n: int) -> np.ndarray:
    """Lindley's recursion, as a walk above its lowest point so far."""
    walk = np.concatenate([[0.0], np.cumsum(rng.exponential(1.0, n - 1) - rng.exponential(1.25, n - 1))])
    return walk - np.minimum.accumulate(walk)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    print(f"{'':<8}{'n':>9}{'batch means':>14}{'overlapping':>14}{'refused':>10}")
    for name, draw, truth in (("AR(1)", autoregression, 0.0), ("M/M/1", waits, 4.0)):
        for n in LENGTHS:
            rng, held, refused = np.random.default_rng(chosen.seed), np.zeros(2), 0
            for _ in range(chosen.runs):
                try:
                    found = steady(draw(rng, n))
                except RequestError:
                    refused += 1
                    continue
                off = abs(found.mean - truth)
                held += [off <= found.half_width, off <= found.overlapping_half_width]
            batch, overlapping = held / (chosen.runs - refused)
            print(f"{name:<8}{n:>9,}{batch:>14.1%}{overlapping:>14.1%}{refused:>10,}", flush=True)


if __name__ == "__main__":
    main()
