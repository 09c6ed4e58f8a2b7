"""One model by future.apply, furrr (where it is installed) and replicast, interleaved: equal numbers, and seconds.

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
cat(format(vapply(results, function(one) one$wait, 0), digits = 17), sep = "\\n", file = "future.apply.txt")
"""

FURRR = """
library(furrr)
source("queue.R")
plan(multisession, workers = WORKERS)
results <- future_map(1:REPLICATIONS, function(i) simulate(), .options = furrr_options(seed = 42L))
cat(format(vapply(results, function(one) one$wait, 0), digits = 17), sep = "\\n", file = "furrr.txt")
"""
PEERS = {"future.apply": FUTURE, "furrr": FURRR}


def installed(package: str) -> bool:
    asked = f"quit(status = !requireNamespace('{package}', quietly = TRUE))"
    return subprocess.run(["Rscript", "-e", asked], capture_output=True, check=False).returncode == 0


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
    peers = [name for name in PEERS if installed(name)]
    taken: dict[str, list[float]] = {name: [] for name in (*peers, "replicast")}
    if not peers:
        raise SystemExit("neither future.apply nor furrr is installed")
    with tempfile.TemporaryDirectory() as made:
        folder, workers = Path(made), os.cpu_count() or 1
        (folder / "queue.R").write_text(MODEL.replace("CUSTOMERS", str(chosen.customers)))
        for name in peers:
            lines = PEERS[name].replace("WORKERS", str(workers)).replace("REPLICATIONS", str(chosen.replications))
            (folder / f"{name}.R").write_text(lines)
        for k in range(chosen.rounds):
            for name in peers:
                taken[name].append(seconds(["Rscript", "--vanilla", f"{name}.R"], folder))
            run = [sys.executable, "-m", "replicast", "run", "queue.R", "-n", str(chosen.replications)]
            options = ["--seed", "42", "--streams", "future", "--name", f"r{k}", "-o", "results"]
            taken["replicast"].append(seconds([*run, *options], folder))
        table = (folder / "results" / "metrics.csv").read_text().splitlines()
        ours = [float(row.split(",")[-1]) for row in table[1:]]
        for name in peers:
            if [float(text) for text in (folder / f"{name}.txt").read_text().split()] != ours:
                raise SystemExit(f"the numbers of {name} differ")
    print(f"{chosen.replications} replications of {chosen.customers:,} customers, {workers} workers; equal numbers")
    base = statistics.median(taken[peers[0]])
    for name, own in taken.items():
        print(f"{name:14} median {statistics.median(own):6.2f} s, best {min(own):6.2f} s, ratio "
              f"{statistics.median(own) / base:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
