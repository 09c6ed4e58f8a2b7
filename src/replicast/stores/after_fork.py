"""A child of a process that used a store: threads of obstore and of Polars do not survive a fork.

What they would never answer is refused at once. A folder and a database need neither of them.
"""

from __future__ import annotations

import os
import sys

from replicast.core.errors import StoreError

_used_by: list[int] = []


def is_forked() -> bool:
    """To be asked before each use: whether this process was forked from one that used a store."""
    if not _used_by:
        _used_by.append(os.getpid())
    return _used_by[0] != os.getpid()


def check_frames(label: str) -> None:
    """Raises StoreError in a child that has Polars from its parent: its next frame would never be made."""
    if is_forked() and "polars" in sys.modules:
        refuse(label)


def refuse(label: str) -> None:
    raise StoreError(
        f"'{label}' cannot be used in a process that was forked from one that used replicast: start it with "
        "multiprocessing.get_context('spawn')"
    )
