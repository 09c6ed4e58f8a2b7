"""Worker processes forked from one that has loaded their modules: a start costs milliseconds, also after deaths.

On Linux, where there is more than one worker; else, and wherever anything about it fails, each is started by itself.
"""

from __future__ import annotations

import _socket  # `socket` itself takes longer to import than all that is done here
import os
import select
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from .surroundings import ISOLATED, environment_of, name_of

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_ANSWER = 64
LOOK_SECONDS = 0.05


class Process(Protocol):
    """What is asked of a worker's process, as `subprocess.Popen` answers it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...


class Zygote:
    """The process that workers are forked from, seen by who asks for them.

    `token` is the pool's, whose variable it carries.
    """

    def __init__(self, token: str = "", extra: Mapping[str, str] | None = None) -> None:
        self.token = token or os.urandom(8).hex()
        self._channel, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        self._asked: dict[int, Forked] = {}
        self._waiting: dict[int, Forked] = {}
        self.is_gone = False
        os.set_inheritable(theirs.fileno(), True)
        nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
        command = [sys.executable, *ISOLATED, "-m", "replicast.executors.zygote", str(theirs.fileno())]
        self.pid = os.posix_spawn(
            sys.executable, command, environment_of(self.token, 0, extra or {}), file_actions=nowhere, setsid=True,
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )  # fmt: skip
        theirs.close()

    def fork(self, number: int, log: Path, handed: Sequence[int], otherwise: Callable[[], Process]) -> Forked:
        """A worker with the descriptors `handed`, which are closed here; started `otherwise` where this fails."""
        forked = Forked(self, handed, otherwise)
        rights = b"".join(descriptor.to_bytes(4, sys.byteorder) for descriptor in handed)
        try:
            message = f"{name_of(self.token, number)}\n{log}".encode()
            self._channel.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
        except OSError:
            self.is_gone = True
        self._asked[number] = self._waiting[number] = forked
        self.hear()
        return forked

    def hear(self, seconds: float | None = 0.0) -> None:
        """Takes in what is said, waiting so long for the first of it; None for as long as it takes."""
        while not self.is_gone and self._is_readable(seconds):
            seconds = 0.0
            try:  # an interruption may come between any two steps: what is said is taken away when it has been followed
                if answer := self._channel.recv(LONGEST_ANSWER, _socket.MSG_PEEK).decode().split():
                    self._follow(answer[0], *map(int, answer[1:]))
                    self._channel.recv(LONGEST_ANSWER)
                    continue
            except OSError:
                pass
            self.is_gone = True
        while self.is_gone and self._waiting:
            number, forked = next(iter(self._waiting.items()))
            forked.start_otherwise()
            self._waiting.pop(number, None)

    def _follow(self, said: str, number: int, value: int) -> None:
        """Said twice, it changes nothing."""
        if said == "forked":
            self._asked[number].is_at_work(value)
            self._waiting.pop(number, None)
        else:
            self._asked[number].has_ended(value)

    def _is_readable(self, seconds: float | None) -> bool:
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))

    @property
    def is_ready(self) -> bool:
        """Whether it has forked what it was asked for: what it is asked now, it does at once."""
        return not self._waiting

    def end(self) -> None:
        """At once; workers that it has not forked yet will not be."""
        self.is_gone = True
        for forked in self._waiting.values():
            forked.give_up()
        self._waiting.clear()
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self._channel.close()


def begin_to_fork(token: str = "", extra: Mapping[str, str] | None = None) -> Zygote | None:
    """None where the system has no room for it: workers are started by themselves then, or say why not."""
    try:
        return Zygote(token, extra)
    except OSError:
        return None


class Forked:
    """Fulfils `Process` for a worker that is, or is going to be, another process's child."""

    def __init__(self, zygote: Zygote, handed: Sequence[int], otherwise: Callable[[], Process]) -> None:
        self._zygote, self._handed, self._otherwise = zygote, [*handed], otherwise
        self._pid = 0
        self._other: Process | None = None
        self._status: int | None = None

    @property
    def pid(self) -> int:
        """Waits until there is the process. 0 where it was given up before."""
        while not self._pid and self._handed:
            self._zygote.hear(None)
        return self._pid

    def is_at_work(self, pid: int) -> None:
        self._pid = pid
        self._close_handed()

    def has_ended(self, status: int) -> None:
        self._status = status

    def start_otherwise(self) -> None:
        self._other = self._other or self._otherwise()
        self.is_at_work(self._other.pid)

    def give_up(self) -> None:
        self._status = -signal.SIGKILL
        self._close_handed()

    def _close_handed(self) -> None:
        while self._handed:
            os.close(self._handed.pop())

    def poll(self) -> int | None:
        self._zygote.hear()
        if self._other is not None:
            return self._other.poll()
        if self._zygote.is_gone and self._status is None and self._has_gone():
            self._status = -signal.SIGKILL
        return self._status

    def _has_gone(self) -> bool:
        """Asked of the system where nobody is left to say how it ended."""
        from replicast.machine.processes import THIS_SYSTEM

        return THIS_SYSTEM.created(self._pid) is None

    def wait(self, timeout: float | None = None) -> int:
        import subprocess
        import time

        until = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired("worker", timeout or 0.0)
            if self._other is not None or self._zygote.is_gone:
                time.sleep(LOOK_SECONDS / 10)
            else:
                self._zygote.hear(LOOK_SECONDS)
        return status
