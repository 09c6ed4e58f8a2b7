"""A workload on one of Python's pools, as its users write it: nothing is stored, seeded by number alone.

    python pools.py pool|futures|joblib WORKLOAD N [CHUNK]

Prints "first" when the first result is there, and how many there were.
"""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workloads"))
sys.dont_write_bytecode = True

import numpy as np  # noqa: E402

WAY, WORKLOAD, N = sys.argv[1], sys.argv[2], int(sys.argv[3])
CHUNK = int(sys.argv[4]) if len(sys.argv) > 4 else 1
model = __import__(WORKLOAD)


def replication(number):
    return model.simulate(np.random.default_rng([42, number]))


def by_pool():
    with multiprocessing.Pool(2) as pool:
        yield from pool.imap(replication, range(N), CHUNK)


def by_futures():
    with ProcessPoolExecutor(2) as pool:
        yield from pool.map(replication, range(N), chunksize=CHUNK)


def by_joblib():
    import joblib

    work = (joblib.delayed(model.simulate)(np.random.default_rng([42, number])) for number in range(N))
    yield from joblib.Parallel(n_jobs=2, return_as="generator")(work)


def main():
    results = []
    for result in {"pool": by_pool, "futures": by_futures, "joblib": by_joblib}[WAY]():
        if not results:
            print("first", flush=True)
        results.append(result)
    print(len(results))


if __name__ == "__main__":
    main()
