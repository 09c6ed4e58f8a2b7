"""Files written whole or not at all."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from replicast.core.errors import StoreError
from replicast.machine.processes import is_alive


def beside(path: Path) -> Path:
    """Where to write what will take the place of `path`; what processes that are gone left there is removed."""
    for other in path.parent.glob(f".{glob.escape(path.name)}.*"):
        pid = other.name.rpartition(".")[2]
        if pid.isascii() and pid.isdecimal() and not is_alive(int(pid), None):
            with suppress(OSError):
                other.unlink()
    return path.with_name(f".{path.name}.{os.getpid()}")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file beside `path`, which takes its place once all of it is written."""
    temporary = beside(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, content: str) -> None:
    """Writes beside `path` and then takes its place. Raises StoreError where that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write '{path}': {error.strerror or error}") from error
