"""A nurse and her patients: with a stream for each source of randomness, scenarios differ by what differs in them.

A patient who has waited for more than two minutes rings, which takes a draw. With one stream for all, the first ring
that one scenario has alone shifts every later arrival; with a stream by name, it shifts none.
"""

import numpy as np


def simulate(rng: np.random.Generator, pace: float = 1.0, patients: int = 60, named: bool = True) -> dict[str, float]:
    """The mean wait of the patients of a morning; the nurse works at `pace`."""
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
    return {"wait": waited / patients}
