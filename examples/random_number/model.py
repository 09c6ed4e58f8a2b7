"""A stand-in for a slow model: a random whole number from 0 to 1000 after a short pause."""

import time

import numpy as np


def simulate(rng: np.random.Generator, pause_seconds: float = 0.05) -> dict[str, int]:
    time.sleep(pause_seconds)
    return {"number": int(rng.integers(0, 1001))}
