"""Whether a process is still fit to work in: a model that shares it may lower its limits or close its descriptors."""

from __future__ import annotations

import os
from collections.abc import Iterable

try:
    import resource
except ImportError:  # Windows, which is refused elsewhere, in words
    resource = None  # type: ignore[assignment]

WATCHED = {
    "RLIMIT_NOFILE": "open files", "RLIMIT_FSIZE": "size of a file", "RLIMIT_AS": "memory", "RLIMIT_DATA": "memory",
    "RLIMIT_NPROC": "processes", "RLIMIT_CPU": "processor time",
}  # fmt: skip


class Spoilt(Exception):
    """A replication made its process unusable: what is left to do is done in another; the message says what it did."""


class Condition:
    """How this process was when it began, and what of that a model has changed since."""

    def __init__(self, descriptors: Iterable[int] = ()) -> None:
        self._limits = _limits()
        self._descriptors = {descriptor: _identity(descriptor) for descriptor in descriptors}

    def changed(self) -> str:
        """In words, empty where nothing is worse."""
        if any(_identity(descriptor) != before for descriptor, before in self._descriptors.items()):
            return "it closed or replaced descriptors that are not its own"
        lowered = [name for name, now in _limits().items() if _is_lower(now, self._limits[name])]
        if lowered:
            return f"it lowered the limit {lowered[0]} ({WATCHED[lowered[0]]}) of its process"
        return ""


def _limits() -> dict[str, int]:
    if resource is None:
        return {}
    return {name: resource.getrlimit(getattr(resource, name))[0] for name in WATCHED if hasattr(resource, name)}


def _is_lower(now: int, before: int) -> bool:
    return now != resource.RLIM_INFINITY and (before == resource.RLIM_INFINITY or now < before)


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino
