"""Removing a run from a folder or object store, so that a death halfway leaves it whole or gone; and what writers left.

A folder's run is moved aside in one step and emptied there. An object store moves nothing: there a marker is written,
then `run.json` goes, without which there is no run, then the rest, then the marker. A run of the same name that begins
while a marker is there first finishes the removal, so that no old part is counted as its own.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from replicast.core.errors import StoreError
from replicast.core.record import NAME

ASIDE = ".removed"
MARKER = "removing"
HALF_WRITTEN = re.compile(r"#\d+$")
"""A file of a folder's that its writer has not renamed to its name yet."""
GIVEN_UP_SECONDS = 3600.0
"""After which no writer is at work on it any more."""


class Documents(Protocol):
    """What of a store a removal needs."""

    def write(self, run: str, name: str, content: bytes, *, new: bool = False) -> bool: ...
    def documents(self, run: str, prefix: str) -> list[str]: ...
    def delete(self, run: str, name: str) -> None: ...


def remove_folder(store: Path, run: str) -> None:
    """Raises StoreError where the folder may not be changed; the run is whole then."""
    aside = store / ASIDE
    try:
        if (store / run).exists():
            aside.mkdir(exist_ok=True)
            (store / run).rename(aside / f"{run}.{os.urandom(4).hex()}")
        shutil.rmtree(aside, ignore_errors=True)  # with what an earlier removal left behind
    except OSError as error:
        raise StoreError(f"run {run} cannot be removed from '{store}': {error.strerror}") from error


def clear_half_written(folder: Path) -> None:
    """Removes what writers that died left of files; one that somebody may be writing stays."""
    given_up = time.time() - GIVEN_UP_SECONDS
    for path in folder.rglob("*#*"):
        with suppress(OSError):
            if HALF_WRITTEN.search(path.name) and path.is_file() and path.stat().st_mtime < given_up:
                path.unlink()


def remove_objects(store: Documents, run: str) -> None:
    store.write(run, MARKER, b"")
    store.delete(run, NAME)
    finish_removal(store, run)


def finish_removal(store: Documents, run: str) -> None:
    for name in store.documents(run, ""):
        if name != MARKER:
            store.delete(run, name)
    store.delete(run, MARKER)
