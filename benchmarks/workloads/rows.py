"""A table of 200 rows, or of more: a whole number, two doubles and a word."""

WORDS = ["green", "yellow", "orange", "red"]


def simulate(rng, rows=200):
    codes = rng.integers(0, 4, rows)
    return {"rows": {"number": list(range(rows)), "arrived": rng.random(rows), "left": rng.random(rows),
                     "colour": [WORDS[code] for code in codes]}}  # fmt: skip
