"""What a model prints: file descriptors 1 and 2 go to a file, from which each replication takes its share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from replicast.core.replication import LOG_LIMIT

EMPTY_AFTER = 16 << 20


class Log:
    """The text that was written to a file since it was last taken; `taken` is where that ended, in bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.taken = os.fstat(self._file).st_size

    @property
    def descriptor(self) -> int:
        return self._file

    def grown(self) -> bool:
        """Whether anything was printed since the last call of `take`."""
        return os.fstat(self._file).st_size != self.taken

    def take(self) -> str:
        """What was printed since the last call: all of it up to LOG_LIMIT bytes, else its last part."""
        size = os.fstat(self._file).st_size
        if size == self.taken:
            return ""
        start = max(self.taken, size - LOG_LIMIT)
        text = os.pread(self._file, size - start, start).decode(errors="replace")
        if start > self.taken:
            text = f"[{start - self.taken} bytes left out]\n" + text
        self.taken = size
        if size > EMPTY_AFTER:
            os.ftruncate(self._file, 0)
            self.taken = 0
        return text

    def close(self) -> None:
        os.close(self._file)


class NoLog:
    """Lets everything through to the terminal, for debugging."""

    def grown(self) -> bool:
        return False

    def take(self) -> str:
        return ""


@contextmanager
def captured(path: Path) -> Iterator[Log]:
    """Sends what this process and its children print to `path` for as long as the block lasts."""
    log = Log(path)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    try:
        os.dup2(log._file, 1)
        os.dup2(log._file, 2)
        yield log
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for target, original in zip((1, 2), saved, strict=True):
            os.dup2(original, target)
            os.close(original)
        log.close()
