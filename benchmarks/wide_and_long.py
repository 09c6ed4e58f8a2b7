"""R models that return much: 3 tables of 3,000 columns beside 3,000 metrics, and a table of a million rows.

python benchmarks/wide_and_long.py [--replications 10] [--rows 1000000] [--rounds 3]

Prints seconds and, as other work on the machine does not count in them, CPU seconds. The long table is the same that
a plain Rscript makes and data.table's fwrite writes; replicast stores it, and collates it to CSV too.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

WIDE = """
simulate <- function() {
  table <- function() as.data.frame(matrix(runif(30000), 10))
  c(setNames(as.list(runif(3000)), paste0("m", 1:3000)), list(t1 = table(), t2 = table(), t3 = table()))
}
"""
LONG = """
simulate <- function(rows = 1000000) {
  id <- seq_len(rows)
  list(rows = data.frame(id, arrival = cumsum(rexp(rows)), wait = rexp(rows), ward = sample(c("a", "b"), rows, TRUE),
                         beds = id %% 40L, urgent = id %% 7L == 0L))
}
"""
FWRITE = 'source("long.R"); data.table::fwrite(simulate(ROWS)$rows, "rows.csv")'


def spent(command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds, and CPU seconds of the command with all that it started."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begun, cpu


def measure(folder: Path, rounds: int, replications: int, rows: int) -> None:
    replicast = [sys.executable, "-m", "replicast"]
    (folder / "wide.R").write_text(WIDE)
    (folder / "long.R").write_text(LONG)
    steps: dict[str, Callable[[int], list[str]]] = {
        f"wide, {replications} replications: run": lambda k: [
            *replicast, "run", "wide.R", "-n", str(replications), "--seed", "1", "--name", f"w{k}", "--quiet"],
        "wide: collate to CSV": lambda k: [*replicast, "collate", f"w{k}", "-o", f"wide{k}"],
        f"long, {rows:,} rows: Rscript and fwrite": lambda _: [
            "Rscript", "--vanilla", "-e", FWRITE.replace("ROWS", str(rows))],
        "long: run": lambda k: [*replicast, "run", "long.R", "-n", "1", "--seed", "1", "--name", f"l{k}", "--quiet",
                                "--param", f"rows={rows}"],
        "long: collate to CSV": lambda k: [*replicast, "collate", f"l{k}", "-o", f"long{k}", "--table", "rows"],
    }  # fmt: skip
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for k in range(rounds):
        for name, command in steps.items():
            found[name].append(spent(command(k), folder))
    print(f"{'':45} seconds     CPU")
    for name, own in found.items():
        wall, cpu = (statistics.median(column) for column in zip(*own, strict=True))
        print(f"{name:45} {wall:7.2f} {cpu:7.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=10)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), chosen.rounds, chosen.replications, chosen.rows)


if __name__ == "__main__":
    main()
