"""Are identical scenarios of an R model independent with `common = false`, also where the model takes sub-streams?

    python benchmarks/separate_streams.py [--pairs 40000] [--seed 1]

The model is an M/M/1 queue whose arrivals draw from the replication's stream and whose services draw from
`parallel::nextRNGSubStream` of it. Two scenarios are the same in all but name. It prints the correlation of their mean
waits over the replications, and in what share of groups of 20 Welch's test at 5 % finds a difference that is not there.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import replicast
from replicast.core.differences import welch

GROUP = 20
MODEL = """
simulate <- function(which = 1L, customers = 30L) {
  services_stream <- parallel::nextRNGSubStream(.Random.seed)
  gaps <- rexp(customers, 0.8)
  assign(".Random.seed", services_stream, envir = globalenv())
  services <- rexp(customers, 1)
  wait <- total <- 0
  for (i in seq_len(customers)) {
    wait <- max(0, wait + services[[i]] - gaps[[i]])
    total <- total + wait
  }
  c(wait = total / customers)
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.R"
        model.write_text(MODEL)
        run = replicast.run(
            model, n=chosen.pairs, seed=chosen.seed, scenarios={"one": {"which": 1}, "two": {"which": 2}},
            common=False, store=Path(folder) / "runs",
        )  # fmt: skip
        values = run.values().of_metric("wait")
    one, two = values["one"], values["two"]
    groups = [(one[i : i + GROUP], two[i : i + GROUP]) for i in range(0, chosen.pairs - GROUP + 1, GROUP)]
    found = [welch(a, b).p_value for a, b in groups]
    share = np.mean([p is not None and p <= 0.05 for p in found])
    print(f"correlation over {chosen.pairs:,} pairs: {np.corrcoef(one, two)[0, 1]:+.4f}")
    print(f"Welch's test finds a difference in {share:.2%} of {len(groups):,} groups of {GROUP}")


if __name__ == "__main__":
    main()
