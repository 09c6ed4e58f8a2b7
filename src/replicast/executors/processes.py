"""Process trees that leave nothing behind: every process of a pool carries its token in the environment."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

from replicast import machine

GUARDIAN = Path(machine.__file__).with_name("guardian.py")


class Guardian:
    """A small process that outlives this one by a moment, to end the pool's processes if this one is killed."""

    def __init__(self, token: str, scratch: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARDIAN), token, str(scratch), json.dumps(sys.path)],
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
