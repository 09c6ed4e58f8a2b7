"""The M/M/1 queue: one server, Poisson arrivals, exponential service, first come, first served.

A customer waits for what the one before still had to wait and be served, less the time between their arrivals
(Lindley, 1952): W[i+1] = max(0, W[i] + S[i] - A[i+1]). The waits are the height of a random walk over its lowest point
so far.
"""

from statistics import fmean

import numpy as np


def simulate(
    rng: np.random.Generator,
    arrival_rate: float = 0.8,
    service_rate: float = 1.0,
    customers: int = 20_000,
    warm_up: int = 2_000,
) -> dict[str, float]:
    """The mean wait in the queue and the share of customers who wait, of the customers after the first `warm_up`."""
    arrivals, services = rng.spawn(2)
    gaps = arrivals.exponential(1 / arrival_rate, warm_up + customers)
    times = services.exponential(1 / service_rate, warm_up + customers)
    walk = np.concatenate(([0.0], np.cumsum(times[:-1] - gaps[1:])))
    waits = (walk - np.minimum.accumulate(walk))[warm_up:]
    return {"wait": fmean(waits), "share_waiting": float(np.count_nonzero(waits) / customers)}
