"""Eight normal variates around the scenario's mean."""


def simulate(rng, mean=0):
    return {f"metric_{i}": rng.normal(mean + i) for i in range(8)}
