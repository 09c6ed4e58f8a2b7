"""How much memory there is, who uses it, and whether the system ended a process for want of it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from .processes import THIS_SYSTEM, System, below

CGROUPS = Path("/sys/fs/cgroup")
UNLIMITED = 1 << 60
"""Version 1 of control groups says 'no limit' by a number above this."""

FILES = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))


def tree_bytes(roots: Iterable[int], system: System = THIS_SYSTEM) -> dict[int, int]:
    """Of each root, the memory that it and all that descends from it occupy."""
    parents = system.parents()
    return {root: sum(map(system.resident_bytes, {root, *below([root], parents)})) for root in roots}


def available_share(folders: Iterable[Path] | None = None) -> float:
    """The share of memory that is still to be had: of the machine's, or of what the control group allows if less."""
    available, total = _of_machine()
    shares = [available / total]
    for folder in control_groups() if folders is None else folders:
        for limit, usage in FILES:
            allowed, used = _number(folder / limit), _number(folder / usage)
            if allowed and used is not None and allowed < min(UNLIMITED, total):
                shares.append((allowed - used + _statistics(folder).get("inactive_file", 0)) / allowed)
    return max(0.0, float(min(shares)))


def out_of_memory_kills(folders: Iterable[Path] | None = None) -> int:
    """How many processes the system has ended for want of memory, here, so far; 0 where it does not say."""
    found = 0
    for folder in control_groups() if folders is None else folders:
        for name in ("memory.events", "memory.oom_control"):
            found += _pairs(folder / name).get("oom_kill", 0)
    kernel = _system_files()
    return found + (_pairs(kernel / "vmstat").get("oom_kill", 0) if kernel and folders is None else 0)


def control_groups() -> Iterator[Path]:
    """Where this process's control group is described, in either version; the root's inside a container."""
    kernel = _system_files()
    lines: list[str] = []
    with contextlib.suppress(OSError):
        lines = (kernel / "self/cgroup").read_text().splitlines() if kernel else []
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0" or "memory" in controllers.split(","):
            root = CGROUPS / "memory" if number != "0" else CGROUPS
            own = root / path.lstrip("/")
            yield own if own.is_dir() else root


def _of_machine() -> tuple[int, int]:
    """Bytes of memory that are to be had, and that there are."""
    if kernel := _system_files():
        known = _pairs(kernel / "meminfo")
        if "MemAvailable:" in known:
            return known["MemAvailable:"], known["MemTotal:"]
    import psutil

    memory = psutil.virtual_memory()
    return int(memory.available), int(memory.total)


def _system_files() -> Path | None:
    return Path("/proc") if sys.platform == "linux" else None


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _statistics(folder: Path) -> Mapping[str, int]:
    return _pairs(folder / "memory.stat")


def _pairs(file: Path) -> dict[str, int]:
    try:
        words = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return {}
    return {
        pair[0]: int(pair[1]) * (1024 if pair[2:] == ["kB"] else 1)
        for pair in words
        if len(pair) in (2, 3) and pair[1].isdigit()
    }
