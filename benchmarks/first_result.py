"""How soon the first result of a 20 ms SimPy model is stored after pressing Enter, beside multiprocessing.Pool.

python benchmarks/first_result.py [--rounds K]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODEL = (Path(__file__).parent / "workloads" / "mm1.py").read_text(encoding="utf-8")
POOL = """
import multiprocessing, sys
sys.path.insert(0, {folder!r})
import numpy as np
from model import simulate

def one(seed):
    return simulate(np.random.default_rng(seed))

if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        for result in pool.imap_unordered(one, range(10)):
            print(result, flush=True)
            break
"""


def replicast_seconds(folder: Path) -> float:
    store = tempfile.mkdtemp(dir=folder)
    command = [sys.executable, "-m", "replicast", "run", str(folder / "model.py"), "-n", "500", "--store", store]
    start = time.perf_counter()
    process = subprocess.Popen([*command, "--quiet"], stdout=subprocess.DEVNULL)
    while not any(Path(store).glob("*/parts/metrics/*/*.parquet")):
        time.sleep(0.002)
    seconds = time.perf_counter() - start
    process.terminate()
    process.wait()
    return seconds


def pool_seconds(folder: Path) -> float:
    script = folder / "by_pool.py"
    script.write_text(POOL.format(folder=str(folder)))
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    seconds = time.perf_counter() - start
    process.communicate()
    return seconds


def help_seconds(_folder: Path) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "replicast", "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    contests = {"replicast run, first result": replicast_seconds, "Pool, first result": pool_seconds,
                "replicast --help": help_seconds}  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.py").write_text(MODEL)
        taken: dict[str, list[float]] = {label: [] for label in contests}
        for _ in range(rounds):
            for label, contest in contests.items():
                taken[label].append(contest(folder))
    print(f"{rounds} interleaved rounds{'':17}{'best s':>8}{'median s':>10}")
    for label, values in taken.items():
        print(f"{label:36}{min(values):8.2f}{statistics.median(values):10.2f}")


if __name__ == "__main__":
    main()
