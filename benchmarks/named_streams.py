"""How much narrower is a difference between scenarios if each source of randomness has a stream of its own?

    python benchmarks/named_streams.py [--replications 400] [--seed 1]

The model is `examples/named_streams`: a nurse works as she does, or a twentieth faster.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import replicast

MODEL = Path(__file__).parent.parent / "examples" / "named_streams" / "model.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for named in (False, True):
            run = replicast.run(
                MODEL, n=chosen.replications, seed=chosen.seed, params={"named": named},
                scenarios={"usual": {"pace": 1.0}, "faster": {"pace": 1.05}}, store=Path(folder) / "runs",
            )  # fmt: skip
            row = run.compare().differences[0]
            shown = "a stream by name" if named else "one stream for all"
            print(f"{shown}: variance of the difference {row.se**2 * row.n:.3f}, correlation {row.correlation:.3f}")


if __name__ == "__main__":
    main()
