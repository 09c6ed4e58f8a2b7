"""`init`: a first model that runs, to be changed into one's own."""

from __future__ import annotations

import argparse
from pathlib import Path

from replicast.core.errors import RequestError, StoreError

from .screen import print_json, say

PYTHON_MODEL = '''\
"""A queue with one server: customers arrive at random, wait their turn, and are served."""


def simulate(rng, arrival_rate=0.8, service_rate=1.0, customers=1000):
    """One replication. All randomness comes from `rng`, so each replication can be had again."""
    wait, waits = 0.0, []
    for _ in range(customers):
        waits.append(wait)
        service, gap = rng.exponential(1 / service_rate), rng.exponential(1 / arrival_rate)
        wait = max(0.0, wait + service - gap)
    return {"mean_wait": sum(waits) / customers, "longest_wait": max(waits)}
'''

R_MODEL = """\
# A queue with one server: customers arrive at random, wait their turn, and are served.
# One replication. replicast sets the random numbers before each call, so each can be had again.
simulate <- function(arrival_rate = 0.8, service_rate = 1.0, customers = 1000L) {
  wait <- 0
  waits <- numeric(customers)
  for (i in seq_len(customers)) {
    waits[i] <- wait
    wait <- max(0, wait + rexp(1, service_rate) - rexp(1, arrival_rate))
  }
  c(mean_wait = mean(waits), longest_wait = max(waits))
}
"""

EXPERIMENT = """\
model = "{model}"
replications = 100
seed = 42

[parameters]
customers = 1000

[scenarios.today]

[scenarios.busier]
arrival_rate = 0.9
"""


def init(chosen: argparse.Namespace) -> int:
    folder = Path(chosen.folder)
    name, content = ("model.R", R_MODEL) if chosen.r else ("model.py", PYTHON_MODEL)
    files = {name: content, "experiment.toml": EXPERIMENT.format(model=name)}
    existing = [file for file in files if (folder / file).exists()]
    if existing:
        raise RequestError(f"'{folder / existing[0]}' is there already; init overwrites nothing")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write to '{folder}': {error.strerror}") from error
    if chosen.json:
        print_json({"files": [str(folder / file) for file in files]})
        return 0
    for file in files:
        print(folder / file)
    where = "" if folder == Path() else f"cd {folder} && "
    say(f"next: {where}replicast run --experiment experiment.toml -o results")
    return 0
