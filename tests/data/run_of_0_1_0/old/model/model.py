def simulate(rng, beds=3):
    if rng.random() < 0.15:
        raise ValueError("no beds")
    stays = rng.exponential(beds, size=3)
    return {"wait": float(rng.random() * beds), "patients": {"stay": stays.tolist(), "ward": ["a", "b", "a"]}}
