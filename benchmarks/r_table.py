"""A table of 2,000 rows × 6 columns from R into Python, bit for bit: replicast's pipe beside pyreadr and a file.

    python benchmarks/r_table.py [--replications 200] [--rounds 5]

Ours is a model in R that returns a table it has already, so that what is measured is handing it over: from R's memory
to an Arrow table, with all that a replication takes beside. pyreadr reads what `saveRDS` wrote, as `.rds` of R's
default (gzip) or not compressed: with the writing, which our figure has too, and without it. One process each; the
values are compared bit by bit.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pyreadr

from replicast.core.experiment import Experiment, ModelReference
from replicast.core.scenarios import Scenario
from replicast.models import open_model
from replicast.models.capture import Log

MODEL = """
set.seed(1)
rows <- 2000L
table <- data.frame(patient = seq_len(rows), urgency = sample.int(5L, rows, TRUE), arrived = cumsum(rexp(rows)),
                    triaged = rexp(rows), seen = rexp(rows), left = rexp(rows))
simulate <- function() list(patients = table)
"""
WRITE = """
source(commandArgs(TRUE)[1]); folder <- commandArgs(TRUE)[2]; n <- as.integer(commandArgs(TRUE)[3])
for (compress in c(TRUE, FALSE)) {
  file <- file.path(folder, paste0(compress, ".rds"))
  cat(system.time(for (i in seq_len(n)) saveRDS(table, file, compress = compress))[["elapsed"]] / n, "\\n")
}
"""


def ours(folder: Path, replications: int) -> tuple[float, dict[str, np.ndarray]]:
    """Seconds a table, and the columns of the last one."""
    reference = ModelReference(language="r", file="model.R", function="simulate")
    experiment = Experiment(model=reference, scenarios=(Scenario("base", {}),), seed=42)
    scratch = folder / "scratch"
    model = open_model(folder, experiment, scratch=scratch, log=Log(folder / "log"))
    model.describe()
    with model.start() as simulate:
        for _ in simulate(experiment.scenarios[0], 1, 50, lambda _: None):  # sizes its chunks by what it has seen
            pass
        start = time.perf_counter()
        for outcome in simulate(experiment.scenarios[0], 51, 50 + replications, lambda _: None):
            table = outcome.tables["patients"]
        taken = (time.perf_counter() - start) / replications
    return taken, {name: table.column(name).combine_chunks().to_numpy() for name in table.column_names}


def theirs(file: Path, replications: int) -> tuple[float, dict[str, np.ndarray]]:
    start = time.perf_counter()
    for _ in range(replications):
        (frame,) = pyreadr.read_r(str(file)).values()
    taken = (time.perf_counter() - start) / replications
    return taken, {name: frame[name].to_numpy() for name in frame.columns}


def same_bits(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    """Whole numbers by value (R's are of 32 bits, ours and theirs may be wider), doubles bit by bit."""
    return one.keys() == other.keys() and all(
        np.array_equal(a.view(np.uint64), b.view(np.uint64)) if a.dtype == np.float64 else np.array_equal(a, b)
        for a, b in ((one[name], other[name]) for name in one)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.R").write_text(MODEL)
        (folder / "write.R").write_text(WRITE)
        command = ["Rscript", "--vanilla", str(folder / "write.R"), str(folder / "model.R"), str(folder)]
        for _ in range(chosen.rounds):
            taken, columns = ours(folder, chosen.replications)
            found.setdefault("replicast, R's memory to Arrow", []).append(taken)
            done = subprocess.run([*command, str(chosen.replications)], capture_output=True, text=True, check=True)
            for compress, written in zip(("TRUE", "FALSE"), map(float, done.stdout.split()), strict=True):
                read, others = theirs(folder / f"{compress}.rds", chosen.replications)
                assert same_bits(columns, others)
                label = "gzip" if compress == "TRUE" else "not compressed"
                found.setdefault(f"saveRDS and pyreadr, {label}", []).append(written + read)
                found.setdefault(f"pyreadr alone, {label}", []).append(read)
    first = next(iter(found.values()))
    print(f"{chosen.rounds} interleaved rounds of {chosen.replications} tables; equal bit for bit")
    print(f"{'':<34}{'median ms':>10}{'least ms':>10}{'ours / theirs':>15}")
    for label, seconds in found.items():
        ratios = [a / b for a, b in zip(first, seconds, strict=True)]
        shown = "" if seconds is first else f"{statistics.median(ratios):.2f}"
        print(f"{label:<34}{1e3 * statistics.median(seconds):>10.2f}{1e3 * min(seconds):>10.2f}{shown:>15}")


if __name__ == "__main__":
    main()
