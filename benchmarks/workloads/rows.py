"""A table of 200 rows: a whole number, two doubles and a word."""

WORDS = ["green", "yellow", "orange", "red"]


def simulate(rng):
    codes = rng.integers(0, 4, 200)
    return {"rows": {"number": list(range(200)), "arrived": rng.random(200), "left": rng.random(200),
                     "colour": [WORDS[code] for code in codes]}}  # fmt: skip
