"""An emulator of AWS on loopback, in which to try everything at no cost: `ministack`, from PyPI."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from replicast.core.errors import ExecutorError, RequestError

STARTING_SECONDS = 60.0
ENDING_SECONDS = 15.0
REGION, ACCOUNT = "us-east-1", "000000000001"
EMULATOR = ("-P", "-m", "replicast.aws.emulator")
IN_CONTAINERS = {
    "BIND_HOST": "0.0.0.0",
    "LAMBDA_DOCKER_FLAGS": "--env AWS_ALLOW_HTTP=true --read-only --tmpfs /tmp:exec",
    "MINISTACK_ACCOUNT_ID": ACCOUNT,
}
"""Containers cannot reach loopback; as in Lambda, nothing but /tmp can be written to; pushes go to this account."""


def environment(url: str) -> dict[str, str]:
    """What boto3 and the store need to find the emulator; its credentials are no secrets."""
    return {
        "AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "sandbox",
    }  # fmt: skip


def next_command(*, images: bool) -> str:
    """What to type next, whole, and what there is to be had for what."""
    if images:
        return "replicast aws deploy model.R --package image && replicast run model.R -n 20 --on aws"
    return "replicast aws deploy model.py && replicast run model.py -n 20 --on aws"


NEEDS = (
    "Python models need nothing more; R models and commands need an image: --images, Docker, and pip's docker; "
    "results in a database need one that this machine reaches: --database-url-secret"
)


@contextlib.contextmanager
def started(
    port: int,
    extra: Mapping[str, str] | None = None,
    *,
    reachable: bool = False,
    emulator: Sequence[str] = EMULATOR,
) -> Iterator[str]:
    """Its address, for as long as the block lasts; nothing is left of it. Raises RequestError, ExecutorError.

    `emulator` is what Python is to run.
    A `reachable` one listens on every interface, so that it can run image functions, in containers.
    """
    if importlib.util.find_spec("ministack") is None:
        raise RequestError("the sandbox needs ministack: python -m pip install ministack==1.5.33")
    url = f"http://127.0.0.1:{port}"
    if reachable and importlib.util.find_spec("docker") is None:
        raise RequestError("image functions in the sandbox need Python's docker: python -m pip install docker")
    if healthy(url):
        raise RequestError(f"something answers at {url} already; choose another --port")
    with tempfile.TemporaryDirectory(prefix="replicast-", ignore_cleanup_errors=True) as folder:
        process, log = _start(
            url, port, Path(folder), (IN_CONTAINERS if reachable else {}) | dict(extra or {}), emulator
        )
        try:
            _wait(process, url, log)
            yield url
        finally:
            _end(process)


def _start(
    url: str, port: int, folder: Path, extra: Mapping[str, str], emulator: Sequence[str]
) -> tuple[subprocess.Popen[bytes], Path]:
    scratch, log = folder / "scratch", folder / "emulator.log"
    scratch.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    settings = kept | {
        "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": "000000000000", "TMPDIR": str(scratch), "AWS_ENDPOINT_URL": url,
        "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "AWS_ALLOW_HTTP": "true", "MINISTACK_REGION": REGION,
        "S3_DATA_DIR": str(scratch / "s3"), "LOG_LEVEL": "WARNING",
        "PATH": str(Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", ""),
    } | dict(extra)  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *emulator], env=settings, cwd=scratch,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    return process, log


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + STARTING_SECONDS
    while not healthy(url):
        if process.poll() is not None or time.monotonic() > until:
            raise ExecutorError(f"the emulator does not start:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.1)


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_ministack/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks it to end, so that it takes its functions along; then what is left of its process group."""
    process.terminate()
    try:
        process.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
