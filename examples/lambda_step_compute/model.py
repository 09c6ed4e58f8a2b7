"""The proof of concept's stand-in for a model: ten minutes of work, then a random integer from 0 to 1000."""

import time


def simulate(rng, pause_seconds=600.0):
    time.sleep(pause_seconds)
    return int(rng.integers(0, 1001))
