"""How often do 95 % intervals for a ratio of means hold the true ratio?

    python benchmarks/coverage_of_ratios.py [--runs 2000] [--seed 1]

A replication is a day of 1 to 39 patients (each as likely), who wait 0.1·n on average, exponentially: the mean wait of
a patient is 79/30. Each line is `--runs` samples of so many days, and the share of intervals that hold it.
"""

from __future__ import annotations

import argparse

import numpy as np

from replicast.core.ratios import ratio_of

TRUTH = 79 / 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    rng = np.random.default_rng(chosen.seed)
    print(f"{'n':>5}{'delta':>10}{'jackknife':>11}{'bootstrap':>11}")
    for n in (20, 50, 200):
        held = np.zeros(3)
        for _ in range(chosen.runs):
            number = rng.integers(1, 40, n).astype(np.float64)
            found = ratio_of(rng.gamma(number, 0.1 * number), number, seed=chosen.seed, draws=1000)
            assert found is not None
            held += [low <= TRUTH <= high for low, high in (found.delta, found.interval, found.bootstrap)]
        delta, jackknife, bootstrap = held / chosen.runs
        print(f"{n:>5}{delta:>10.1%}{jackknife:>11.1%}{bootstrap:>11.1%}")


if __name__ == "__main__":
    main()
