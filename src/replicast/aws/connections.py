"""How many connections a database of a size takes, and how many functions may share them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .performing import processors

BYTES_A_CONNECTION = {"postgres": 9_531_392, "mysql": 12_582_880}
"""RDS's default max_connections is an instance's memory over this (docs.aws.amazon.com/AmazonRDS, CHAP_Limits)."""

MOST_CONNECTIONS = {"postgres": 5000, "mysql": 16_000}
MEMORY_OF_LARGE = {"t": 8, "m": 8, "c": 4, "r": 16, "x": 32}
"""GiB of the size `large`, by the family's first letter; each size doubles the one before."""

SIZES = {"micro": 1 / 8, "small": 1 / 4, "medium": 1 / 2, "large": 1, "xlarge": 2}
SIZE_NAME = re.compile(r"db\.([tmcrx])[a-z0-9]*\.(micro|small|medium|large|xlarge|(\d+)xlarge)")

PROCESSES_A_CONNECTION = 20
"""A worker process saves once in ten seconds at most, and takes half a second for it at worst."""


def connections_of(size: str, engine: str) -> int | None:
    """About how many connections an instance class takes; None for one whose memory is not known here."""
    match = SIZE_NAME.fullmatch(size)
    if match is None:
        return None
    family, name, times = match.groups()
    gigabytes = MEMORY_OF_LARGE[family] * (2 * int(times) if times else SIZES[name])
    return min(int(gigabytes * 2**30 / BYTES_A_CONNECTION[engine]), MOST_CONNECTIONS[engine])


def most_functions(connections: int, memory: int) -> int:
    """Functions at once that this many connections can keep up with; `memory` is a function's, in MB."""
    return connections * PROCESSES_A_CONNECTION // processors(memory)


def crowding(size: str, engine: str, *, concurrency: int, memory: int) -> Iterator[str]:
    """What is to be said where more worker processes may want to save at once than there are connections."""
    connections = connections_of(size, engine)
    savers = concurrency * processors(memory)
    if connections is not None and savers > connections:
        yield (
            f"{savers:,} worker processes may want to save at once, and {size} takes about {connections:,} "
            "connections: each is held for the moment of a save, and who finds none waits for up to five minutes"
        )
