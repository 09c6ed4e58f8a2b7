"""What the collating function can hold: its /tmp, memory and time. What is more is refused before a run is paid for."""

from __future__ import annotations

from collections.abc import Iterator

from replicast.stores.several import MOST_BYTES

from .cloud import READERS
from .limits import QUOTAS

AS_CSV = 3.0
"""How much larger tables are as CSV than as they are stored."""

BASE_MEGABYTES = 170.0
"""Of a process that collated 10⁶ replications of one metric (benchmarks/RESULTS.md), most of it what is imported."""

BYTES_A_REPLICATION = 16.0
"""Of one metric at a time and of fingerprints, while the summary is made; docs/known-risks.md says so too."""

REQUEST_SECONDS = 0.025
BYTES_A_SECOND = 50e6
"""Of CSV that one processor writes and sends to the bucket, at the least."""

AT_HOME = "what is simulated is stored all the same, and replicast collate makes the tables here"


def uncollatable(stored: float, *, replications: int, files: int, scratch: int, memory: int) -> Iterator[str]:
    """Why the collating function could not make the tables; nothing if it can.

    `stored` are bytes of tables as they are stored, which is compressed, in so many `files`; `scratch` and `memory` are
    its megabytes.
    """
    tables = AS_CSV * stored / 2**20
    if tables > scratch:
        yield (
            f"the collated tables would take some {tables:,.0f} MB, and the collating function has {scratch:,} MB: "
            f"give it more (replicast aws update --scratch, up to 10,240), or return fewer rows; {AT_HOME}"
        )
    wanted = BASE_MEGABYTES + (MOST_BYTES + BYTES_A_REPLICATION * replications) / 2**20
    if wanted > memory:
        yield (
            f"collating so many replications takes some {wanted:,.0f} MB of memory, and the collating function has "
            f"{memory:,} MB: give it more (replicast aws update --collate-memory, up to 10,240); {AT_HOME}"
        )
    seconds, most = (
        files * REQUEST_SECONDS / READERS + AS_CSV * stored / BYTES_A_SECOND,
        QUOTAS["function_seconds"].value,
    )
    if seconds > most:
        yield (
            f"collating {files:,} files takes some {seconds:,.0f} s, and a function has {most} s: fewer and longer "
            f"replications, or fewer rows; {AT_HOME}"
        )
