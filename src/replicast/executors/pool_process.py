"""One worker process of the local pool, seen from the parent."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicast.machine.processes import descendants, end_carriers, end_group

from .forking import Process, Zygote
from .processes import Guardian
from .surroundings import ISOLATED, WORKER_VARIABLE, environment_of, name_of

if TYPE_CHECKING:
    from replicast.core.planning import Range
    from replicast.core.replication import Batch

LOG_TAIL = 4096
DYING_SECONDS = 1.0
READ_AT_ONCE = 1 << 16
READS_AT_ONCE = 64
LONGEST_LINE = 1 << 20
SPOILT_STATUS = 75
"""With this a worker ends that cannot even say what happened to it."""
KINDS = frozenset({"signature", "ready", "saved", "done", "again", "model_error", "store_error", "spoilt"})
CLOSED = "it closed descriptors that are not its own"
GARBLED = "it wrote into a descriptor that is not its own"


class PoolProcess:
    """A worker process with its pipes, beacon and log, and the batch that it has in hand.

    It is forked from `zygote`, where there is one, and else started by itself.
    """

    process: Process

    def __init__(
        self,
        number: int,
        token: str,
        scratch: Path,
        guardian: Guardian,
        environment: Mapping[str, str],
        zygote: Zygote | None = None,
    ) -> None:
        self.number, self.token = number, name_of(token, number)
        self.batch: Batch | None = None
        self.saved: list[Range] = []
        self.ready = False
        self.spoilt = ""
        self.log = scratch / f"worker-{number}.log"
        self.log.touch()
        self._beacon_file = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - lives as long as the process
        self._beacon_file.truncate(mmap.PAGESIZE)
        self._beacon = memoryview(mmap.mmap(self._beacon_file.fileno(), mmap.PAGESIZE)).cast("q")
        self._seen: tuple[int, float] = (0, 0.0)
        self._since = 0.0
        self._unread = b""
        orders, self._orders = os.pipe()
        self.news, news = os.pipe()
        os.set_blocking(self.news, False)
        own = os.dup(self._beacon_file.fileno())
        handed = [orders, news, own, os.open(self.log, os.O_WRONLY | os.O_APPEND)]

        def spawn() -> Process:
            process = spawned(handed, self.log, environment_of(token, number, environment))
            guardian.watch(process.pid)
            return process

        if zygote is not None:
            self.process = zygote.fork(number, self.log, handed, spawn)
        else:
            self.process = spawn()
            for descriptor in handed:
                os.close(descriptor)

    def order(self, **order: Any) -> None:
        """Sends an order; a process that is gone is found out by its silence."""
        line = memoryview(json.dumps(order).encode() + b"\n")
        try:
            while line:
                line = line[os.write(self._orders, line) :]
        except BrokenPipeError:
            return

    def do(self, batch: Batch) -> None:
        self.batch, self.saved, self._since = batch, [], time.monotonic()
        self._beacon[0] = 0
        self.order(do=[batch.scenario, batch.first, batch.last])

    def look_again(self, single: Batch) -> None:
        """Has a replication that is stored simulated once more, and compared."""
        self.batch, self.saved, self._since = single, [], time.monotonic()
        self._beacon[0] = 0
        self.order(again=[single.scenario, single.first])

    def hear(self) -> list[dict[str, Any]] | None:
        """The news that has come in; None at its end, when nobody holds the other end of the pipe any more."""
        heard: list[dict[str, Any]] = []
        for _ in range(READS_AT_ONCE):
            try:
                data = os.read(self.news, READ_AT_ONCE)
            except BlockingIOError:
                return heard
            if not data:
                return heard or None
            *lines, self._unread = (self._unread + data).split(b"\n")
            heard += [news for line in lines if (news := self._decoded(line))]
            if self.spoilt or len(self._unread) > LONGEST_LINE:
                self.spoilt = self.spoilt or GARBLED
                break
        return heard

    def _decoded(self, line: bytes) -> dict[str, Any] | None:
        """A line of news; what else a model may have written into the pipe spoils the process."""
        try:
            news = json.loads(line)
        except ValueError:
            news = None
        if isinstance(news, dict) and len(news) == 1 and not KINDS.isdisjoint(news):
            return news
        self.spoilt = GARBLED
        return None

    def has_ended(self) -> bool:
        """Known from the process itself: whatever it started may hold its pipes open."""
        return self.process.poll() is not None

    def find_out_why(self) -> None:
        """To be asked at the end of its news: a process that lives on has lost its pipe."""
        try:
            self.process.wait(DYING_SECONDS)
        except subprocess.TimeoutExpired:
            self.spoilt = self.spoilt or CLOSED

    def current(self) -> int:
        """The replication being simulated, 0 for none."""
        return int(self._beacon[0])

    def busy_seconds(self) -> float:
        """Since its batch was handed to it."""
        return time.monotonic() - self._since

    def silent_seconds(self) -> float:
        """How long the same replication has been simulated, as far as this process has looked."""
        now, current = time.monotonic(), self.current()
        if current != self._seen[0] or current == 0:
            self._seen = (current, now)
        return now - self._seen[1]

    def forget_time(self) -> None:
        self._seen = (0, time.monotonic())

    def log_tail(self) -> str:
        """The end of what was printed since the log was last taken, for the replication before this one."""
        with self.log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - LOG_TAIL, min(int(self._beacon[1]), end)))
            return file.read().decode(errors="replace")

    def kill(self) -> int:
        """Ends the process and all that it started; returns its exit status as `Popen.returncode`."""
        died_with = self.process.poll()
        started = descendants([self.process.pid])
        ended_with = end_group(self.process)
        end_carriers(WORKER_VARIABLE, self.token, known=started)
        self.release()
        status = ended_with if died_with is None else died_with
        if status == SPOILT_STATUS:
            self.spoilt = self.spoilt or CLOSED
        return status

    def release(self) -> None:
        """Closes what the two processes shared."""
        if self._beacon_file.closed:
            return
        os.close(self._orders)
        os.close(self.news)
        self._beacon_file.close()


def spawned(handed: Sequence[int], log: Path, environment: Mapping[str, str]) -> Process:
    """A process of a new interpreter; the last of the descriptors is what it prints to."""
    *own, printed = handed
    command = [sys.executable, *ISOLATED, "-m", "replicast.executors.pool_worker", *map(str, own), str(log)]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed, pass_fds=own, env=environment,
        start_new_session=True,
    )  # fmt: skip
