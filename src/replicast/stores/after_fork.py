"""A child of a process that used a store: threads of obstore and of Polars do not survive a fork.

What they would never answer is refused at once. A folder and a database need neither of them.
"""

from __future__ import annotations

import os
import sys

from replicast.core.errors import StoreError

_used = _forked = _has_frames_of_parent = False


def _after_fork() -> None:
    global _forked, _has_frames_of_parent
    _forked = _forked or _used
    _has_frames_of_parent = _has_frames_of_parent or "polars" in sys.modules


os.register_at_fork(after_in_child=_after_fork)


def is_forked() -> bool:
    """To be asked before each use: whether this process was forked from one that used a store."""
    global _used
    _used = True
    return _forked


def check_frames(label: str) -> None:
    """Raises StoreError in a child that has Polars from its parent: its next frame would never be made."""
    if is_forked() and _has_frames_of_parent:
        refuse(label)


def refuse(label: str) -> None:
    raise StoreError(
        f"'{label}' cannot be used in a process that was forked from one that used replicast: start it with "
        "multiprocessing.get_context('spawn')"
    )
