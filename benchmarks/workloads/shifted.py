"""One normal variate around the scenario's mean."""


def simulate(rng, mean=0):
    return rng.normal(mean)
