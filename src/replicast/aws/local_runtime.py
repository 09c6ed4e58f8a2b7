"""Lambda's two doors around a function, so that its image runs on any machine: `docker run -p 9000:8080 IMAGE`.

Outside, as AWS's own emulator in its base images: POST …/invocations with the event, answered with what the function
returns. Inside, the runtime interface, from which the runtime client takes one event after the other.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from typing import Any

OUTSIDE = ("0.0.0.0", 8080)
LOOK_SECONDS = 0.1


@dataclass(slots=True)
class Invocation:
    """An event on its way through the function; `answer` is JSON."""

    event: bytes
    deadline: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    answer: bytes = b""
    failed: bool = False
    ended: threading.Event = field(default_factory=threading.Event)

    def end(self, answer: bytes, *, failed: bool = False) -> None:
        self.answer, self.failed = answer, failed
        self.ended.set()


class Runtime:
    """One function's process, which is given one event at a time, and is started again when it ended or overran."""

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self.command, self.seconds = command, seconds
        self.waiting: Queue[Invocation] = Queue()
        self.under_way: dict[str, Invocation] = {}
        self._one_at_a_time = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._inside = ThreadingHTTPServer(("127.0.0.1", 0), Inside)
        self._inside.runtime = self  # type: ignore[attr-defined]
        threading.Thread(target=self._inside.serve_forever, daemon=True).start()

    def invoke(self, event: bytes) -> Invocation:
        """Returns once there is an answer, the function's process ended, or its time is over."""
        with self._one_at_a_time:
            process = self._started()
            invocation = Invocation(event, time.time() + self.seconds)
            self.under_way[invocation.id] = invocation
            self.waiting.put(invocation)
            while not invocation.ended.wait(LOOK_SECONDS):
                if process.poll() is not None:
                    invocation.end(*_error("Runtime.ExitError", f"RequestId: {invocation.id} Error: Runtime exited "
                                           f"with error: {_ending(process.returncode)}"), failed=True)  # fmt: skip
                elif time.time() > invocation.deadline:
                    process.kill()
                    process.wait()
                    invocation.end(*_error("Sandbox.Timedout", f"RequestId: {invocation.id} Error: Task timed out "
                                           f"after {self.seconds:.2f} seconds"), failed=True)  # fmt: skip
            self.under_way.clear()
            return invocation

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.waiting = Queue()
            host, port = self._inside.server_address[:2]
            environment = os.environ | {"AWS_LAMBDA_RUNTIME_API": f"{host!s}:{port}"}
            self._process = subprocess.Popen(self.command, env=environment)
        return self._process

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._inside.shutdown()
        self._inside.server_close()


def _error(kind: str, message: str) -> tuple[bytes]:
    return (json.dumps({"errorType": kind, "errorMessage": message}).encode(),)


def _ending(status: int) -> str:
    return f"signal: {-status}" if status < 0 else f"exit status {status}"


class Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing: what is printed is the function's log."""

    @property
    def runtime(self) -> Runtime:
        found: Runtime = self.server.runtime  # type: ignore[attr-defined]
        return found

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def reply(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)


class Inside(Door):
    """What the runtime client speaks to."""

    def do_GET(self) -> None:
        waiting = self.runtime.waiting
        while waiting is self.runtime.waiting:
            try:
                invocation = waiting.get(timeout=LOOK_SECONDS)
            except Empty:
                continue
            self.reply(
                200, invocation.event, Lambda_Runtime_Aws_Request_Id=invocation.id,
                Lambda_Runtime_Deadline_Ms=str(int(invocation.deadline * 1000)),
                Lambda_Runtime_Invoked_Function_Arn=os.environ.get("_LAMBDA_FUNCTION_ARN", "arn:aws:lambda:local:0:0"),
            )  # fmt: skip
            return
        self.close_connection = True

    def do_POST(self) -> None:
        content, words = self.body(), self.path.split("/")
        under_way = self.runtime.under_way
        invocation = under_way.get(words[-2])
        if words[-2] == "init":
            invocation = next(iter(under_way.values()), None)
        if invocation is not None:
            invocation.end(content, failed=words[-1] == "error")
        self.reply(202)


class Outside(Door):
    """What invokes the function speaks to."""

    def do_POST(self) -> None:
        invocation = self.runtime.invoke(self.body())
        headers = {"X_Amz_Function_Error": "Unhandled"} if invocation.failed else {}
        self.reply(200, invocation.answer, **headers)


def serve(runtime: Runtime, address: tuple[str, int] = OUTSIDE) -> ThreadingHTTPServer:
    """The outer door, not opened yet."""
    server = ThreadingHTTPServer(address, Outside)
    server.runtime = runtime  # type: ignore[attr-defined]
    return server


if __name__ == "__main__":
    seconds = float(os.environ.get("AWS_LAMBDA_FUNCTION_TIMEOUT", "900"))
    serve(Runtime([sys.executable, "-m", "awslambdaric", *sys.argv[1:]], seconds)).serve_forever()
