"""One command as a whole: wall seconds, processor seconds with those of all that it started, peak memory, foreign load.

Adopts orphans on Linux, so that processes that outlive their parent count as well.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

POLL_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Taken:
    """`wall` and `cpu` in seconds, `peak` of the largest process in MiB, `foreign` cores busy with others."""

    wall: float
    cpu: float
    peak: float
    foreign: float


def adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def take(command: Sequence[str], log: Path, until: Callable[[], bool] | None = None) -> Taken:
    """Runs a command to its end; with `until`, only wall time up to where that is true counts, and it is ended then."""
    busy, own, start = _busy_seconds(), _children_seconds(), time.perf_counter()
    with log.open("wb") as printed:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT)
    wall = 0.0
    if until is not None:
        while not until() and process.poll() is None:
            time.sleep(POLL_SECONDS)
        wall = time.perf_counter() - start
        process.terminate()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    passed = time.perf_counter() - start
    if process.returncode and until is None:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{log.read_text()[-2000:]}")
    _reap()
    cpu = _children_seconds() - own
    foreign = max(0.0, _busy_seconds() - busy - cpu) / passed
    return Taken(wall or passed, cpu, usage.ru_maxrss / 1024, foreign)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _busy_seconds() -> float:
    """Of all processors since the machine started."""
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0))
