"""One long-lived R process, and the pipes on which requests go to it and answers come back, in binary."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from replicast.core.errors import ModelError
from replicast.core.replication import LOG_LIMIT
from replicast.machine.deaths import reason_of_death
from replicast.machine.processes import THIS_SYSTEM, descendants, end_carriers, watch_descriptor

HERE = Path(__file__).parent
MARK = "REPLICAST_R"
"""Environment variable that R's children inherit, so that none of them is left behind."""

LOAD, SCENARIO, SIMULATE, COLLATE = range(1, 5)
OUTCOME, FAILED, LAYOUT, LOADED, REFUSED, COLLATED, BLOCK, NOTED = range(1, 9)
READ_AT_ONCE = 1 << 20
PIPE_SIZE = 1 << 20
LONGEST_ANSWER = 1 << 36
LOOK_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 3600.0
FIXED = {"LANG": "C.UTF-8", "LC_COLLATE": "C", "TZ": "UTC", "MC_CORES": "1"}
SINGLE_THREADS = (
    "OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "R_DATATABLE_NUM_THREADS", "RCPP_PARALLEL_NUM_THREADS",
)  # fmt: skip
NO_R = (
    "this is an R model, and R was not found: install it (Debian and Ubuntu: apt-get install r-base; macOS: "
    "brew install r; else from https://cran.r-project.org) so that the command R is on the PATH"
)


class Ended(Exception):
    """R's process is gone; all that it had sent was read before."""


class Late(Exception):
    """No answer came in time."""


class Garbled(Exception):
    """What came is no answer of R's: something else wrote into its pipe."""


@contextlib.contextmanager
def understood() -> Iterator[None]:
    """Around what reads an answer. Raises Garbled for whatever cannot be one."""
    try:
        yield
    except (AssertionError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError, struct.error) as error:
        raise Garbled from error


def environment_for(scratch: Path, outer: Mapping[str, str]) -> dict[str, str]:
    """What R sees: one language, one time zone and one thread whatever the machine's, and its files under `scratch`."""
    dropped = ("LC_", "LANG", "R_HOME", "R_PROFILE", "R_ENVIRON", "R_DEFAULT_PACKAGES", "R_TESTS", "R_SESSION_TMPDIR")
    kept = {name: value for name, value in outer.items() if not name.startswith(dropped)}
    return kept | FIXED | dict.fromkeys(SINGLE_THREADS, "1") | {"TMPDIR": str(scratch)}


class RProcess:
    """R, started; `take`, `doubles` and `texts` read its answers in order. Each raises Ended, Late or Garbled."""

    def __init__(self, scratch: Path) -> None:
        program = shutil.which("R")
        if program is None:
            raise ModelError(NO_R)
        scratch.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="r-", dir=scratch))
        self.deadline: float | None = None
        self.log_taken = 0
        self._buffer, self._place = bytearray(), 0
        self._log = self.folder / "log"
        self._spawn(program)
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        self._watch = watch_descriptor(self.process.pid)
        if self._watch is not None:
            self._poll.register(self._watch, select.POLLIN)

    def _spawn(self, program: str) -> None:
        for_r, self._requests = os.pipe()
        self._answers, from_r = os.pipe()
        told = "\n".join([str(for_r), str(from_r), str(HERE), str(self._log)])
        environment = environment_for(self.folder, os.environ) | {MARK: self.folder.name, "REPLICAST_R_PIPES": told}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [program, "--no-echo", "--vanilla", "-f", str(HERE / "r_worker.R")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(for_r, from_r), env=environment,
            )  # fmt: skip
        os.close(for_r)
        os.close(from_r)
        os.set_blocking(self._answers, False)
        os.set_blocking(self._requests, False)
        widen(self._answers)

    def ask(self, request: int, *arguments: int, content: bytes = b"") -> None:
        """Sends a request: what is asked, up to four integers, then text or raw integers. Raises Ended."""
        numbers = (request, *arguments, 0, 0, 0, 0)[:5]
        self.write(struct.pack("5i", *numbers) + content)

    def write(self, content: bytes) -> None:
        waiting = memoryview(content)
        while waiting:
            try:
                waiting = waiting[os.write(self._requests, waiting) :]
            except BlockingIOError:
                self._wait_to_write()
            except BrokenPipeError:
                raise Ended from None

    def ask_source(self, request: int, source: str) -> None:
        content = source.encode("ascii")
        self.ask(request, len(content), content=content)

    def _wait_to_write(self) -> None:
        select.select([], [self._requests], [], LOOK_SECONDS)
        if self.process.poll() is not None:
            raise Ended

    def take(self, size: int) -> bytes:
        if not 0 <= size < LONGEST_ANSWER:
            raise Garbled
        self._need(size)
        start = self._place
        self._place += size
        return bytes(memoryview(self._buffer)[start : start + size])

    def doubles(self, count: int) -> tuple[float, ...]:
        if not 0 <= 8 * count < LONGEST_ANSWER:
            raise Garbled
        self._need(8 * count)
        start = self._place
        self._place += 8 * count
        return struct.unpack_from(f"{count}d", self._buffer, start)

    def unread(self, count: int) -> None:
        """Has the doubles that were read last be read again."""
        self._place -= 8 * count

    def texts(self) -> list[str]:
        size, count = self.doubles(2)
        texts = self.take(int(size)).decode(errors="replace").split("\0")[:-1]
        assert len(texts) == count
        return texts

    def _need(self, size: int) -> None:
        if len(self._buffer) - self._place >= size:
            return
        del self._buffer[: self._place]
        self._place = 0
        while len(self._buffer) < size:
            self._fill(size - len(self._buffer))

    def _fill(self, missing: int) -> None:
        gone = False
        while True:
            try:
                data = os.read(self._answers, max(READ_AT_ONCE, missing))
            except BlockingIOError:
                if gone:
                    raise Ended from None
                gone = self._wait_to_read()
                continue
            if not data:
                raise Ended
            self._buffer += data
            return

    def _wait_to_read(self) -> bool:
        """Waits for an answer or for R's end; True when R has ended and only what it left in the pipe may follow."""
        left = LONGEST_WAIT_SECONDS if self._watch is not None else LOOK_SECONDS
        if self.deadline is not None:
            left = min(max(0.0, self.deadline - time.monotonic()), left)
        ready = self._poll.poll(left * 1000)
        if ready:
            return all(descriptor == self._watch for descriptor, _ in ready)
        if self.process.poll() is not None:
            return True
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise Late
        return False

    def log_to(self, size: float | None = None) -> str:
        """What was printed since the last call, up to `size` bytes of the log or its end; the last LOG_LIMIT of it."""
        end = int(size) if size is not None else self._log.stat().st_size
        if end <= self.log_taken:
            return ""
        start = max(self.log_taken, end - LOG_LIMIT)
        left_out = f"[{start - self.log_taken} bytes left out]\n" if start > self.log_taken else ""
        with self._log.open("rb") as file:
            file.seek(start)
            text = file.read(end - start).decode(errors="replace")
        self.log_taken = end
        return left_out + text

    def empty_log(self) -> None:
        """To be called while R waits for a request."""
        os.truncate(self._log, 0)
        self.log_taken = 0

    def resident_bytes(self) -> int:
        """Memory that R occupies; 0 where the system does not say."""
        return THIS_SYSTEM.resident_bytes(self.process.pid)

    def end(self) -> tuple[str, str]:
        """Waits for a process that has ended: type and message of its death."""
        status = self.process.wait()
        if status < 0:
            return reason_of_death(status, "R")
        return "quit", reason_of_death(status, "R")[1] + ", as after quit() or a C library's exit()"

    def close(self) -> None:
        """Kills R and all that it started, and removes its files."""
        started = descendants([self.process.pid])
        self.process.kill()
        self.process.wait()
        end_carriers(MARK, self.folder.name, known=started)
        for descriptor in (self._requests, self._answers, self._watch):
            if descriptor is not None:
                os.close(descriptor)
        shutil.rmtree(self.folder, ignore_errors=True)


def widen(pipe: int) -> None:
    """Lets R write ahead of its reader where the system allows it."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
