"""One normal variate."""


def simulate(rng):
    return rng.normal()
