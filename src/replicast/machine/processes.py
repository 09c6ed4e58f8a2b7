"""Processes of this machine: which are there, who they are, how to end them with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Protocol

from .proc import OfProc

GONE_SECONDS, LOOK_SECONDS = 2.0, 0.005
"""A killed process is there for a moment more; one that waits for a device may stay for long."""

SAME_START_SECONDS = 2.0
"""A clock that is set moves every process's start a little."""


def available_cores() -> int:
    """Cores that this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class System(Protocol):
    """What is asked of an operating system: `OfProc` answers on Linux, `OfPsutil` elsewhere, a fake in tests."""

    def parents(self) -> Mapping[int, int]:
        """Each process that there is, and who started it."""
        ...

    def environment(self, pid: int) -> Mapping[str, str]:
        """Empty where the system does not show it, as macOS does not that of its own programs."""
        ...

    def kill(self, pid: int) -> None:
        """SIGKILL; nothing where it is gone already."""
        ...

    def created(self, pid: int) -> float | None:
        """When it was started, in seconds since 1970; None where there is no such process."""
        ...

    def resident_bytes(self, pid: int) -> int:
        """Memory that it occupies; 0 where the system does not say."""
        ...


class OfPsutil:
    """The system as psutil sees it, which is imported when it is first asked."""

    def parents(self) -> dict[int, int]:
        import psutil

        found = {}
        for pid in psutil.pids():
            with contextlib.suppress(psutil.Error):
                found[pid] = psutil.Process(pid).ppid()
        return found

    def environment(self, pid: int) -> Mapping[str, str]:
        import psutil

        try:
            return dict(psutil.Process(pid).environ())
        except (psutil.Error, OSError):
            return {}

    def kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)

    def created(self, pid: int) -> float | None:
        import psutil

        try:
            process = psutil.Process(pid)
            return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
        except psutil.NoSuchProcess:
            return None
        except psutil.AccessDenied:
            return 0.0

    def resident_bytes(self, pid: int) -> int:
        import psutil

        try:
            return int(psutil.Process(pid).memory_info().rss)
        except psutil.Error:
            return 0


THIS_SYSTEM: System = OfProc() if sys.platform == "linux" else OfPsutil()


def is_alive(pid: int, created: float | None, system: System = THIS_SYSTEM) -> bool:
    """Whether the process that was started then is there: numbers of processes are given again. 0.0: not known when."""
    now = system.created(pid)
    return now is not None and (not created or not now or abs(now - created) < SAME_START_SECONDS)


def descendants(roots: Iterable[int], system: System = THIS_SYSTEM) -> set[int]:
    """The children of `roots`, their children, and so on, as far as their own parents live."""
    return below(roots, system.parents())


def below(roots: Iterable[int], parents: Mapping[int, int]) -> set[int]:
    """As `descendants`, by who started whom."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found, waiting = set[int](), list(roots)
    while waiting:
        new = [child for child in children.get(waiting.pop(), ()) if child not in found]
        found.update(new)
        waiting += new
    return found


def end_carriers(variable: str, value: str, *, known: Iterable[int] = (), system: System = THIS_SYSTEM) -> None:
    """Kills all processes with `variable=value` in their environment, the `known` ones, and what those have started.

    Returns when they are gone, those too that they started meanwhile, or have ended and wait to be reaped by whoever
    has adopted them, which in a container may take long.
    """
    until, marked, killed = time.monotonic() + GONE_SECONDS, set(known), set[int]()
    while time.monotonic() < until:
        parents = dict(system.parents())
        parents.pop(os.getpid(), None)
        marked = {pid for pid in parents if pid in marked or system.environment(pid).get(variable) == value}
        marked |= below(marked, parents)
        if marked <= killed and all(system.created(pid) is None for pid in marked):
            return
        killed |= marked
        for pid in marked:
            system.kill(pid)
        time.sleep(LOOK_SECONDS)


class Leader(Protocol):
    """A process that leads a group, as `subprocess.Popen` is one."""

    @property
    def pid(self) -> int: ...

    def wait(self) -> int: ...


def end_group(process: Leader) -> int:
    """Kills a process that leads a group, and the group; reaps it, and returns its status."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(process.pid, signal.SIGKILL)
    return process.wait()


def watch_descriptor(pid: int) -> int | None:
    """A descriptor that is readable from the process's end on, whoever holds its pipes; None where there are none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
