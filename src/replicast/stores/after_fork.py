"""Threads of obstore and of Polars do not survive a fork: what they would never answer is refused at once."""

from __future__ import annotations

import os

from replicast.core.errors import StoreError

_used_by: list[int] = []


def check_not_forked(label: str) -> None:
    """To be called before each use. Raises StoreError in a child of a process that used a store."""
    if not _used_by:
        _used_by.append(os.getpid())
    elif _used_by[0] != os.getpid():
        raise StoreError(
            f"'{label}' cannot be used in a process that was forked from one that used replicast: start it with "
            "multiprocessing.get_context('spawn')"
        )
