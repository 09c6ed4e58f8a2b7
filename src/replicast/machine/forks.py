"""What Linux lets a process do that others are forked from: count its threads, and rename what it becomes."""

from __future__ import annotations

import os
import sys
from collections.abc import Set
from contextlib import suppress
from pathlib import Path

from .processes import watch_descriptor

FIELDS_BEFORE_ENVIRONMENT = 47
"""Of /proc/PID/stat, behind the name of the program; proc(5) counts them from 3, and `env_start` is the 50th."""


def can_fork() -> bool:
    """Whether this system has what is needed: macOS has libraries that do not survive a fork."""
    if sys.platform != "linux":
        return False
    descriptor = watch_descriptor(os.getpid())
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None


def threads() -> int:
    """Of this process, those of libraries as well, which Python does not know."""
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - counted alone


def close_all_but(kept: Set[int]) -> None:
    """Closes descriptors that whoever started this process had left open to its children."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, not paths
        if int(name) not in kept:
            with suppress(OSError):  # that of the listing itself
                os.close(int(name))


class Label:
    """A variable in the environment that this process was started with, as other processes read it.

    A forked process has its parent's, so it is written over in place, by a text of the same length. Raises OSError.
    """

    def __init__(self, variable: str) -> None:
        self._variable, text = variable, os.environ[variable]
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        before, found, _ = Path("/proc/self/environ").read_bytes().partition(f"\0{variable}={text}\0".encode())
        if not found:
            raise OSError(f"the environment does not show {variable}")
        self._at = int(fields[FIELDS_BEFORE_ENVIRONMENT]) + len(before) + len(variable) + 2
        self._length = len(text)
        self.write(text)

    def write(self, text: str) -> None:
        if len(text) != self._length:
            raise OSError(f"'{text}' is not of {self._length} letters")
        with open("/proc/self/mem", "r+b", buffering=0) as memory:  # noqa: PTH123 - pathlib would buffer
            memory.seek(self._at)
            memory.write(text.encode())
        os.environ[self._variable] = text
