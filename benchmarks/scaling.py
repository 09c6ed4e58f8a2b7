"""Nothing is quadratic: seconds and memory of runs of 10³ to 10⁶ replications that return one random number.

Each run is a process of its own; `peak MiB` is that of the process that conducts (its workers are others). `resume` is
the time of a `resume` that finds nothing to do, `collate` that of writing the tables.

    python benchmarks/scaling.py [--largest 1000000]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def timed(*arguments: str) -> tuple[float, float, str]:
    """Seconds, peak MiB of the process itself, standard output."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "replicast", *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, output
    return time.perf_counter() - start, usage.ru_maxrss / 1024, output


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--largest", type=int, default=1_000_000)
    largest = parser.parse_args().largest
    print(
        f"{'replications':>12}{'run s':>9}{'µs each':>9}{'peak MiB':>10}{'parts':>7}{'resume s':>10}{'collate s':>11}"
    )
    n = 1000
    while n <= largest:
        with tempfile.TemporaryDirectory() as folder:
            model, store = Path(folder) / "m" / "model.py", str(Path(folder) / "runs")
            model.parent.mkdir()
            model.write_text("def simulate(rng):\n    return rng.random()\n")
            common = ("--store", store)
            seconds, peak, output = timed(
                "run", str(model), "-n", str(n), "--seed", "1", "--name", "x", "--json", *common
            )
            assert json.loads(output)["done"] == n
            parts = len(list(Path(store).glob("x/parts/metrics/*/*.parquet")))
            resume, _, _ = timed("resume", "x", "--json", *common)
            collate, _, _ = timed("collate", "x", "-o", str(Path(folder) / "out"), *common)
        print(
            f"{n:12,}{seconds:9.2f}{seconds / n * 1e6:9.1f}{peak:10.0f}{parts:7}{resume:10.2f}{collate:11.2f}",
            flush=True,
        )
        n *= 10


if __name__ == "__main__":
    main()
