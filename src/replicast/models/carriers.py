"""Finding and ending the descendants of a process, however far they strayed, by a mark in their environment."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

PROCESSES = Path("/proc")
GONE_SECONDS, LOOK_SECONDS = 2.0, 0.005
"""A killed process is there for a moment more; one that waits for a device may stay for long."""


def carriers(variable: str, value: str) -> list[int]:
    """Other processes with `variable=value` in their environment; none where the system has no /proc."""
    wanted, found = f"{variable}={value}".encode(), []
    for entry in PROCESSES.iterdir() if PROCESSES.is_dir() else ():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def kill_carriers(variable: str, value: str) -> None:
    """Returns when they are gone, those too that they started meanwhile."""
    until = time.monotonic() + GONE_SECONDS
    while (left := carriers(variable, value)) and time.monotonic() < until:
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(LOOK_SECONDS)
