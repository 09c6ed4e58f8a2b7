"""How long results wait to be saved: known to whoever starts workers, before what they are made of is imported."""

SAVE_SECONDS = 0.5
"""At most, from when a replication has ended until it is durable."""
