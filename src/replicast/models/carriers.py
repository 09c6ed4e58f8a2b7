"""Finding and ending the descendants of a process, however far they strayed, by a mark in their environment."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

PROCESSES = Path("/proc")


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
    for pid in carriers(variable, value):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
