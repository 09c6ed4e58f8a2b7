"""A cold start of the worker as a Lambda bill sees it: its package's size and how long its imports take.

    python benchmarks/cold_start.py [--rounds K] [--lithops FOLDER]

Builds the zip that `replicast aws deploy` would upload for this processor, unzips it, and imports its handler in fresh
interpreters that see nothing else. `--lithops` is a folder that holds the runtime of Lithops, made beforehand with
`pip install --target FOLDER lithops`. An image holds the same packages, so that its imports are the same.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from replicast.aws.package import worker_package

HANDLER = "import replicast_functions"
WORKER = "import replicast.executors.batch_door, replicast.models.python, arro3.io, obstore"
LITHOPS = (
    "from lithops.utils import setup_lithops_logger\n"
    "from lithops.worker import function_handler, function_invoker\n"
    "from lithops.worker.utils import get_runtime_metadata"
)
MIB = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lithops", type=Path, help="a folder with Lithops and what it needs")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        ours = Path(name)
        architecture = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
        package = worker_package(
            runtime=f"python{sys.version_info.major}.{sys.version_info.minor}", architecture=architecture
        )
        zipfile.ZipFile(io.BytesIO(package.content)).extractall(ours)
        contestants = [("replicast, zip's handler", ours, HANDLER), ("replicast, a worker alone", ours, WORKER)]
        if chosen.lithops:
            contestants.append(("Lithops, its worker", chosen.lithops, LITHOPS))
        contestants.append(("numpy alone", ours, "import numpy"))
        contestants.append(("nothing", ours, "pass"))
        print(f"{'':<28}{'wall s':>8}{'CPU s':>8}{'modules':>9}{'unzipped MiB':>14}{'zipped MiB':>12}")
        taken = dict(measured(contestants, chosen.rounds))
        for label, folder, _ in contestants:
            whole = label.startswith(("replicast, zip", "Lithops"))
            size = f"{size_of(folder) / MIB:.0f}" if whole else ""
            zipped = f"{len(package.content) / MIB:.0f}" if folder is ours and whole else ""
            walls, cpus, modules = zip(*taken[label], strict=True)
            print(f"{label:<28}{statistics.median(walls):>8.3f}{statistics.median(cpus):>8.3f}{modules[0]:>9}"
                  f"{size:>14}{zipped:>12}")  # fmt: skip


def measured(contestants: list[tuple[str, Path, str]], rounds: int) -> Iterator[tuple[str, list[tuple[float, ...]]]]:
    """(wall, CPU, modules) of each round, interleaved, after one that compiles and does not count."""
    taken: dict[str, list[tuple[float, ...]]] = {label: [] for label, _, _ in contestants}
    for number in range(-1, rounds):
        for label, folder, code in contestants:
            one = imported(folder, code)
            if number >= 0:
                taken[label].append(one)
    yield from taken.items()


def imported(folder: Path, code: str) -> tuple[float, float, int]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)}
    command = [sys.executable, "-S", "-c", f"{code}\nimport sys; print(len(sys.modules))"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, int(done.stdout.split()[-1])


def size_of(folder: Path) -> int:
    """Bytes of all files but compiled ones, which Lambda's file system does not hold."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")


if __name__ == "__main__":
    main()
