"""Tables of 50,000 rows, of up to 1,000 replications, collated: is the time linear in the rows, and how much memory?

    python benchmarks/large_collation.py [--replications 100 300 1000] [--rows 50000] [--rounds 1]

The largest run holds 50 million rows: some 1.3 GB of Parquet, 3 GB of CSV, in a temporary folder. CPU seconds are of
the whole process, and the peak of its memory.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

from measuring import Taken, adopt_orphans, take
from rows import REPLICAST, WORKLOADS

FORMATS = ("csv", "parquet")


def run(folder: Path, replications: int, rows: int) -> None:
    command = [*REPLICAST, "run", str(WORKLOADS / "rows.py"), "-n", str(replications), "--param", f"rows={rows}"]
    command += ["--seed", "42", "--name", "x", "--quiet", "--store", str(folder / "runs")]
    subprocess.run(command, check=True, capture_output=True)


def collate(folder: Path, file_format: str) -> tuple[Taken, int]:
    """What it took, and the bytes of the file."""
    out = folder / "out"
    command = [*REPLICAST, "collate", "x", "--store", str(folder / "runs"), "-o", str(out), "--table", "rows"]
    taken = take([*command, "--format", file_format], folder / "log")
    size = (out / f"rows.{file_format}").stat().st_size
    shutil.rmtree(out)
    return taken, size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=1)
    chosen = parser.parse_args()
    adopt_orphans()
    print("| replications × rows | format | wall s | CPU s | CPU µs a row | peak MiB | file MB |\n"
          "|---|---|---|---|---|---|---|")  # fmt: skip
    for replications in chosen.replications:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            run(Path(name), replications, chosen.rows)
            for file_format in FORMATS:
                found = [collate(Path(name), file_format) for _ in range(chosen.rounds)]
                wall, cpu = statistics.median(t.wall for t, _ in found), statistics.median(t.cpu for t, _ in found)
                peak, size = max(t.peak for t, _ in found), found[0][1]
                print(f"| {replications:,} × {chosen.rows:,} | {file_format} | {wall:.1f} | {cpu:.1f} | "
                      f"{1e6 * cpu / (replications * chosen.rows):.2f} | {peak:.0f} | {size / 1e6:,.0f} |",
                      flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
