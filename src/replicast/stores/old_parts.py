"""Parts as replicast 0.1.0 wrote them: committed by their metrics file, without a manifest and so without digests.

    <store>/<run>/parts/metrics/<scenario>/<first>-<last>.<failed>.<token>.<schema>.parquet

They are read as they are; `replicast copy` makes parts with manifests of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from .coverage import Part
from .inventory import Inventory
from .manifests import KeptFile
from .names import LEDGER, encode_name


def is_old(part: Part) -> bool:
    return part.path.endswith(".parquet")


def unchecked(path: str) -> KeptFile:
    """A file of which nothing says what it held."""
    return KeptFile(path, -1, "")


def ledger_of(scenario: str, part: Part) -> KeptFile:
    return unchecked(f"parts/{LEDGER}/{encode_name(scenario)}/{part.first:09d}-{part.last:09d}.{part.token}.parquet")


def files_by_token(listing: Iterable[tuple[str, int]]) -> dict[str, list[KeptFile]]:
    """The files of one table and scenario."""
    found = Inventory.of(listing, complete=False)
    return {token: [unchecked(file.path) for file in sorted(own)] for (_, token), own in found.files.items()}
