"""Processes as Linux shows them under /proc, read without psutil, whose import takes longer."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from functools import cache

STATE, PARENT, STARTED, RESIDENT = 0, 1, 19, 21
"""Fields of /proc/PID/stat behind the program's name; proc(5) counts them from 3."""


class OfProc:
    """Fulfils `machine.processes.System` on Linux."""

    def parents(self) -> dict[int, int]:
        found = {}
        for name in os.listdir("/proc"):  # noqa: PTH208 - hundreds of them
            if name.isdecimal() and (fields := _fields(int(name))):
                found[int(name)] = int(fields[PARENT])
        return found

    def environment(self, pid: int) -> Mapping[str, str]:
        pairs = (os.fsdecode(one).partition("=") for one in _content(f"/proc/{pid}/environ").split(b"\0"))
        return {name: value for name, equals, value in pairs if equals}

    def kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)

    def created(self, pid: int) -> float | None:
        fields = _fields(pid)
        if not fields or fields[STATE] in ("Z", "X"):
            return None
        return _boot_seconds() + int(fields[STARTED]) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self, pid: int) -> int:
        fields = _fields(pid)
        return int(fields[RESIDENT]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


def _fields(pid: int) -> list[str]:
    """None of a process that there is not; a program's name may hold spaces and parentheses."""
    return _content(f"/proc/{pid}/stat").rpartition(b")")[2].decode().split()


def _content(file: str) -> bytes:
    try:
        with open(file, "rb", buffering=0) as opened:  # noqa: PTH123 - pathlib takes as long as reading
            return opened.read()
    except OSError:
        return b""


@cache
def _boot_seconds() -> float:
    """When the machine was started, in seconds since 1970."""
    lines = _content("/proc/stat").decode().splitlines()
    return next((float(line.split()[1]) for line in lines if line.startswith("btime ")), 0.0)
