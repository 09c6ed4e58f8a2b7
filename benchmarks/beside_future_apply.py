"""One model by future.apply and by replicast, interleaved: the same numbers, and the seconds as ratios.

python benchmarks/beside_future_apply.py [--replications 100] [--customers 20000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODEL = """
simulate <- function(arrival_rate = 0.9, customers = CUSTOMERSL) {
  wait <- 0; total <- 0
  for (i in seq_len(customers)) {
    total <- total + wait
    wait <- max(0, wait + rexp(1) - rexp(1, arrival_rate))
  }
  list(wait = total / customers)
}
"""
FUTURE = """
library(future.apply)
source("queue.R")
plan(multisession, workers = WORKERS)
results <- future_lapply(1:REPLICATIONS, function(i) simulate(), future.seed = 42L)
cat(format(vapply(results, function(one) one$wait, 0), digits = 17), sep = "\\n", file = "future.txt")
"""


def seconds(command: list[str], folder: Path) -> float:
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=100)
    parser.add_argument("--customers", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    taken: dict[str, list[float]] = {"future.apply": [], "replicast": []}
    with tempfile.TemporaryDirectory() as name:
        folder, workers = Path(name), os.cpu_count() or 1
        (folder / "queue.R").write_text(MODEL.replace("CUSTOMERS", str(chosen.customers)))
        lines = FUTURE.replace("WORKERS", str(workers)).replace("REPLICATIONS", str(chosen.replications))
        (folder / "future.R").write_text(lines)
        for k in range(chosen.rounds):
            taken["future.apply"].append(seconds(["Rscript", "--vanilla", "future.R"], folder))
            run = [sys.executable, "-m", "replicast", "run", "queue.R", "-n", str(chosen.replications)]
            options = ["--seed", "42", "--streams", "future", "--name", f"r{k}", "-o", "results"]
            taken["replicast"].append(seconds([*run, *options], folder))
        theirs = [float(text) for text in (folder / "future.txt").read_text().split()]
        table = (folder / "results" / "metrics.csv").read_text().splitlines()
        ours = [float(row.split(",")[-1]) for row in table[1:]]
        if theirs != ours:
            raise SystemExit("the numbers differ")
    print(f"{chosen.replications} replications of {chosen.customers:,} customers, {workers} workers; equal numbers")
    base = statistics.median(taken["future.apply"])
    for name, own in taken.items():
        print(f"{name:14} median {statistics.median(own):6.2f} s, best {min(own):6.2f} s, ratio "
              f"{statistics.median(own) / base:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
