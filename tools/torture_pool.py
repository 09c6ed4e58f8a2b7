"""Deaths between the processes of a pool: of the one that conducts, of a worker, or of both at once, at request k."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from replicast.testing.faults import Faults, struck

VARIABLE = "REPLICAST_TORTURE"
WHO = ("conductor", "worker", "both")
WAYS = tuple(f"{who} killed {when}" for who in WHO for when in ("before", "after"))
STRUCK = {"replicast.executors.pool_worker", "replicast.executors.zygote"}
HELD = ExitStack()
STARTED = "import torture_pool\n\ntorture_pool.strike_here()\n"


class WorkerFaults(Faults):
    """Of a worker: one death in all, so that the process that takes its place goes on. It counts into `folder`."""

    def __init__(self, way: str, at: int, folder: Path) -> None:
        super().__init__(f"killed {way.rpartition(' ')[2]}", at)
        self._both, self._folder = way.startswith("both"), folder
        self._conductor = os.getppid()  # of the process that workers are forked from, or of one that is not forked

    def strikes(self, what: str) -> bool:
        strikes = super().strikes(what)
        (self._folder / f"asked-{os.getpid()}").write_text(str(len(self.asked)), encoding="utf-8")
        return strikes and self._is_first()

    def _is_first(self) -> bool:
        try:
            os.close(os.open(self._folder / "struck", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def around(self, deed: Callable[[], Any], _error: Callable[[], BaseException]) -> Any:
        done = deed() if self.way == "killed after" else None
        if self._both:
            os.kill(self._conductor, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
        return done


def strike_here() -> None:
    """In a process that the interpreter has just started: only in workers, or what they are forked from."""
    if VARIABLE in os.environ and not STRUCK.isdisjoint(sys.orig_argv):
        given = json.loads(os.environ[VARIABLE])
        HELD.enter_context(struck(WorkerFaults(given["way"], given["at"], Path(given["folder"]))))


@contextmanager
def workers_struck(way: str, at: int, folder: Path) -> Iterator[None]:
    """All workers that this process starts, as long as the block lasts."""
    site = folder / "site"
    site.mkdir(parents=True, exist_ok=True)
    (site / "sitecustomize.py").write_text(STARTED, encoding="utf-8")
    for old in (*folder.glob("asked-*"), *folder.glob("struck")):
        old.unlink()
    paths = [str(site), str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    told = {"way": way, "at": at, "folder": str(folder)}
    with patch.dict(os.environ, {"PYTHONPATH": os.pathsep.join(paths), VARIABLE: json.dumps(told)}):
        yield


def was_struck(folder: Path) -> bool:
    return (folder / "struck").exists()


def most_requests(folder: Path) -> int:
    """Of the worker that made most of them."""
    return max(int(file.read_text(encoding="utf-8")) for file in folder.glob("asked-*"))
