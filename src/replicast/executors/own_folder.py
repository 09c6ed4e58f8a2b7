"""A worker's own copy of the source, so that a model that spoils its folder spoils no other worker's."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

LINKED_FROM_BYTES = 1 << 20
"""Larger files are linked: they cost no time and no space, and are safe from being removed, not from being changed."""


def own_folder(shared: Path, own: Path) -> Path:
    """`own`, filled with the files of `shared` the first time."""
    if not own.exists():
        shutil.copytree(shared, own, symlinks=True, copy_function=_take)
    return own


def _take(source: str, target: str) -> str:
    if Path(source).stat(follow_symlinks=False).st_size >= LINKED_FROM_BYTES:
        try:
            os.link(source, target)
        except OSError:
            pass  # another file system, or one without links
        else:
            return target
    return str(shutil.copy2(source, target))
