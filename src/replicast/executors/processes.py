"""Process trees that leave nothing behind: every process of a pool carries its token in the environment."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from replicast.models.carriers import kill_carriers

POOL_VARIABLE, WORKER_VARIABLE = "REPLICAST_POOL", "REPLICAST_WORKER"
GUARDIAN = Path(__file__).with_name("guardian.sh")


class Guardian:
    """A small process that outlives this one by a moment, to end the pool's processes if this one is killed."""

    def __init__(self, token: str, scratch: Path) -> None:
        self._process = subprocess.Popen(
            ["/bin/sh", str(GUARDIAN), token, str(scratch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        self._say(f"{group}\n")

    def dismiss(self) -> None:
        self._say("done\n")
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


def kill_tree(process: subprocess.Popen[bytes], variable: str, token: str) -> None:
    """Kills a process, its process group, and whatever else carries `variable=token`; returns when all are gone."""
    for target in (-process.pid, process.pid):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            (os.killpg if target < 0 else os.kill)(abs(target), signal.SIGKILL)
    process.wait()
    kill_carriers(variable, token)


def reason_of_death(status: int) -> tuple[str, str]:
    """(type, message) for a worker's exit status as `Popen.returncode` gives it."""
    if status >= 0:
        return "exit", f"the worker process ended with exit status {status} while this replication ran"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    hint = " (often the system's answer to running out of memory)" if name == "SIGKILL" else ""
    return name, f"the worker process was ended by {name}{hint} while this replication ran"
