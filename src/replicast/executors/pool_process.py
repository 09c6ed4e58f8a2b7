"""One worker process of the local pool, seen from the parent."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from replicast.core.planning import Range
from replicast.core.replication import Batch

from .processes import POOL_VARIABLE, WORKER_VARIABLE, Guardian, kill_tree

FIXED_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMEXPR_NUM_THREADS": "1",
    "R_DATATABLE_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "PYTHONHASHSEED": "0", "PYTHONUTF8": "1",
}  # fmt: skip
"""One thread a worker, since there is a worker a core; one order of sets, on which a model's numbers may hang;
and one encoding."""

ISOLATED = ("-P",)
"""Python's option that keeps the folder where a user happens to be off `sys.path`: nothing there is the worker's."""

LOG_TAIL = 4096


class PoolProcess:
    """A worker process with its pipes, beacon and log, and the batch that it has in hand."""

    def __init__(
        self, number: int, token: str, scratch: Path, guardian: Guardian, environment: Mapping[str, str]
    ) -> None:
        self.number, self.token = number, f"{token}.{number}"
        self.batch: Batch | None = None
        self.saved: list[Range] = []
        self.ready = False
        self.log = scratch / f"worker-{number}.log"
        self.log.touch()
        self._beacon_file = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - lives as long as the process
        self._beacon_file.truncate(mmap.PAGESIZE)
        self._beacon = memoryview(mmap.mmap(self._beacon_file.fileno(), mmap.PAGESIZE)).cast("q")
        self._seen: tuple[int, float] = (0, 0.0)
        self._since = 0.0
        self._unread = b""
        self._spawn(token, environment)
        guardian.watch(self.process.pid)

    def _spawn(self, token: str, extra: Mapping[str, str]) -> None:
        orders, self._orders = os.pipe()
        self.news, news = os.pipe()
        environment = FIXED_ENVIRONMENT | os.environ | dict(extra)
        environment |= {POOL_VARIABLE: token, WORKER_VARIABLE: self.token}
        handed = [orders, news, self._beacon_file.fileno()]
        command = [sys.executable, *ISOLATED, "-m", "replicast.executors.pool_worker", *map(str, handed), str(self.log)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=handed,
                env=environment, start_new_session=True,
            )  # fmt: skip
        os.close(orders)
        os.close(news)
        os.set_blocking(self.news, False)

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

    def hear(self) -> list[dict[str, Any]] | None:
        """The news that has come in; None at its end, when the process is gone."""
        heard: list[dict[str, Any]] = []
        while True:
            try:
                data = os.read(self.news, 1 << 16)
            except BlockingIOError:
                return heard
            if not data:
                return heard or None
            *lines, self._unread = (self._unread + data).split(b"\n")
            heard += [json.loads(line) for line in lines]

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
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - LOG_TAIL, int(self._beacon[1])))
            return file.read().decode(errors="replace")

    def kill(self) -> int:
        """Ends the process and all that it started; returns its exit status as `Popen.returncode`."""
        self.process.poll()
        died_with = self.process.returncode
        kill_tree(self.process, WORKER_VARIABLE, self.token)
        os.close(self._orders)
        os.close(self.news)
        self._beacon_file.close()
        return self.process.returncode if died_with is None else died_with
