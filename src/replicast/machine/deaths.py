"""Why a process ended, in words."""

from __future__ import annotations

import signal

HINTS = {
    "SIGKILL": " (often the system's answer to running out of memory)",
    "SIGSEGV": " (a fault in compiled code)",
    "SIGXCPU": " (it used up the processor time that the system allows)",
}


def name_of(status: int) -> str:
    """The signal's name for an exit status as `Popen.returncode` gives it, which is negative then."""
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def hint_of(status: int) -> str:
    return HINTS.get(name_of(status), "") if status < 0 else ""


def reason_of_death(status: int, who: str = "the worker process") -> tuple[str, str]:
    """(type, message) for an exit status as `Popen.returncode` gives it."""
    if status >= 0:
        return "exit", f"{who} ended with exit status {status} while this replication ran"
    return name_of(status), f"{who} was ended by {name_of(status)}{hint_of(status)} while this replication ran"
