"""Nothing is quadratic: CPU seconds and memory of runs of 10³ to 10⁶ replications, and of 1 to 10⁴ scenarios of two.

Each replication returns one random number. Each figure is of whole processes, with all that they start; `peak MiB` is
that of the process that conducts (its workers are others). `resume` finds nothing to do.

    python benchmarks/scaling.py [--largest 1000000] [--scenarios 10000]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

MODEL = "def simulate(rng, mean=0):\n    return rng.normal(mean)\n"


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def timed(*arguments: str) -> tuple[float, float, str]:
    """CPU seconds with those of all that it started, peak MiB of the process itself, standard output."""
    before = cpu_seconds()
    process = subprocess.Popen([sys.executable, "-m", "replicast", *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, output
    return cpu_seconds() - before, usage.ru_maxrss / 1024, output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=1_000_000)
    parser.add_argument("--scenarios", type=int, default=10_000)
    chosen = parser.parse_args()
    head = f"{'run':>9}{'µs each':>9}{'peak MiB':>10}{'parts':>7}{'resume':>9}{'summary':>9}{'collate':>9}"
    print(f"{'replications':>12}{head}")
    for n in powers(1000, chosen.largest):
        print(f"{n:12,}{line(n, [])}", flush=True)
    print(f"{'scenarios':>12}{head}")
    for count in powers(1, chosen.scenarios):
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            file.write("mean\n" + "".join(f"{mean}\n" for mean in range(count)))
            file.flush()
            print(f"{count:12,}{line(2 * count, ['--design', file.name])}", flush=True)


def powers(number: int, largest: int) -> list[int]:
    return [number, *powers(10 * number, largest)] if number <= largest else []


def line(replications: int, design: list[str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        model, store = Path(folder) / "m" / "model.py", Path(folder) / "runs"
        model.parent.mkdir()
        model.write_text(MODEL)
        common, each = ("--store", str(store)), replications if not design else 2
        made = ("run", str(model), "-n", str(each), "--seed", "1", "--name", "x", "--json", *design, *common)
        seconds, peak, output = timed(*made)
        assert json.loads(output)["done"] == replications
        parts = len(list(store.glob("x/parts/metrics/*/*.parquet")))
        resume, summary, collate = (
            timed(command, "x", "--json", *more, *common)[0]
            for command, more in (("resume", ()), ("summary", ()), ("collate", ("-o", f"{folder}/out")))
        )
    micros = seconds / replications * 1e6
    return f"{seconds:9.2f}{micros:9.1f}{peak:10.0f}{parts:7}{resume:9.2f}{summary:9.2f}{collate:9.2f}"


if __name__ == "__main__":
    main()
