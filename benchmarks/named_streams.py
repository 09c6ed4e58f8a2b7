"""How much narrower is a difference between scenarios if each source of randomness has a stream of its own?

    python benchmarks/named_streams.py [--replications 400] [--seed 1]

A nurse works as she does, or a twentieth faster. A patient who waits for long rings, which takes a draw: with one
stream for all, the first ring that one scenario has alone shifts every later draw; with a stream by name, none.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import replicast

MODEL = """
def simulate(rng, pace=1.0, patients=60, named=True):
    arrivals = rng.stream("arrivals") if named else rng
    care = rng.stream("care") if named else rng
    rings = rng.stream("rings") if named else rng
    free = now = waited = 0.0
    for _ in range(patients):
        now += arrivals.exponential(1.0)
        start = max(now, free)
        waited += start - now
        if start - now > 2.0:
            rings.random()
        free = start + care.exponential(0.8) / pace
    return waited / patients
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.py"
        model.write_text(MODEL)
        for named in (False, True):
            run = replicast.run(
                model, n=chosen.replications, seed=chosen.seed, params={"named": named},
                scenarios={"usual": {"pace": 1.0}, "faster": {"pace": 1.05}}, store=Path(folder) / "runs",
            )  # fmt: skip
            row = run.compare().differences[0]
            shown = "a stream by name" if named else "one stream for all"
            print(f"{shown}: variance of the difference {row.se**2 * row.n:.3f}, correlation {row.correlation:.3f}")


if __name__ == "__main__":
    main()
