"""A process that has loaded what every worker needs, and forks workers when it is asked: `python -m` this.

Linux alone. It speaks through one socket: a message asks for a worker, with its descriptors; "forked NUMBER PID"
and "ended NUMBER STATUS" answer. It has no thread, loads no model, and
opens no store: what it hands on is modules alone.
Whatever is wrong with it, it ends, and workers are started in the usual way.
"""

from __future__ import annotations

import gc
import os
import select
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import arro3.core
import arro3.io
import numpy as np
import obstore

import replicast.models.python
import replicast.models.python_simulate
import replicast.stores.objects
import replicast.stores.parts
from replicast.machine.forks import Label, close_all_but, threads
from replicast.machine.processes import watch_descriptor

from . import pool_worker
from .surroundings import WORKER_VARIABLE

LOADED = (arro3.core, arro3.io, obstore, replicast.models, replicast.stores)
MESSAGE_BYTES = 1 << 12
HANDED = 4
Worker = Callable[[], None]


class Zygote:
    def __init__(self, channel: socket.socket) -> None:
        self._channel, self._label = channel, Label(WORKER_VARIABLE)
        self._pids: dict[int, tuple[int, int]] = {}
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)

    def serve(self) -> Worker | None:
        """Returns None when nobody asks any more, and in each forked process what it is to do."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor in self._pids:
                    self._bury(descriptor)
                    continue
                message, handed, _, _ = socket.recv_fds(self._channel, MESSAGE_BYTES, HANDED)
                if not message:
                    return None
                if worker := self._fork(message.decode(), handed):
                    return worker

    def _fork(self, message: str, handed: list[int]) -> Worker | None:
        if threads() > 1:
            raise SystemExit("a fork would have one of the threads, and the locks of all")
        name, log = message.split("\n")
        pid = os.fork()
        if pid == 0:
            return self._become(name, Path(log), *handed)
        for descriptor in handed:
            os.close(descriptor)
        watched = watch_descriptor(pid)
        assert watched is not None
        number = int(name.rpartition(".")[2])
        self._pids[watched] = number, pid
        self._poll.register(watched, select.POLLIN)
        self._channel.send(f"forked {number} {pid}".encode())
        return None

    def _become(self, name: str, log: Path, orders: int, news: int, beacon: int, printed: int) -> Worker:
        """In the forked process: what is another's is let go, and what must not be equal in two is made anew."""
        os.setsid()
        for descriptor in self._pids:
            os.close(descriptor)
        self._channel.close()
        for target in (1, 2):
            os.dup2(printed, target)
        os.close(printed)
        self._label.write(name)
        np.random.seed()
        return lambda: pool_worker.work(orders, news, beacon, log)

    def _bury(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        os.close(descriptor)
        number, pid = self._pids.pop(descriptor)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self._channel.send(f"ended {number} {status}".encode())


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    close_all_but({0, 1, 2, channel.fileno()})
    gc.freeze()
    if worker := Zygote(channel).serve():
        worker()


if __name__ == "__main__":
    main()
