"""An emulator of AWS on loopback for the whole session, and an account of its own for each test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from replicast.aws.access import Aws
from replicast.aws.package import worker_package
from replicast.aws.stack import Settings, Stack, StackState

REGION = "eu-west-2"
STARTING_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True)
class Emulator:
    """`ministack`, whose functions run as processes of this machine with this interpreter's packages."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


def start_emulator(folder: Path, **extra: str) -> Emulator:
    port, log = free_port(), folder / "emulator.log"
    url = f"http://127.0.0.1:{port}"
    scratch = folder / "scratch"
    scratch.mkdir()
    keep = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = keep | {
        "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": "000000000000", "TMPDIR": str(scratch), "AWS_ENDPOINT_URL": url,
        "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "AWS_ALLOW_HTTP": "true", "MINISTACK_REGION": REGION,
        "S3_DATA_DIR": str(scratch / "s3"), "LOG_LEVEL": "WARNING",
        "PATH": str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"],
    } | extra  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=environment, cwd=scratch,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    until = time.monotonic() + STARTING_SECONDS
    while not healthy(url):
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the emulator does not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)
    return Emulator(url, process, log)


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_ministack/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def stop_emulator(emulator: Emulator) -> None:
    """Ends the emulator, then what is left of its process group: functions that it started."""
    emulator.process.terminate()
    try:
        emulator.process.wait(15)
    except subprocess.TimeoutExpired:
        emulator.process.kill()
        emulator.process.wait()
    try:
        os.killpg(emulator.process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    started = start_emulator(tmp_path_factory.mktemp("emulator"))
    yield started
    stop_emulator(started)


_accounts = iter(range(100_000_000_001, 200_000_000_000))


@pytest.fixture
def aws(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """An account in which nothing is yet."""
    use_account(monkeypatch, emulator.url, str(next(_accounts)))
    return Aws(region=REGION)


def use_account(monkeypatch: pytest.MonkeyPatch, url: str, key: str, secret: str = "test") -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)


SMALL = Settings(
    runtime=f"python3.{sys.version_info.minor}", architecture="x86_64", memory=1769, seconds=60, concurrency=2
)
Deploy = Callable[..., StackState]


@pytest.fixture
def deploy(aws: Aws) -> Deploy:
    """Deploys the product's own template with a package that holds replicast alone."""

    def deployed(name: str = "replicast", settings: Settings = SMALL) -> StackState:
        stack = Stack(aws, name)
        stack.poll_seconds = 0.1
        stack.prepare()
        package = worker_package(runtime=settings.runtime or "", architecture="x86_64", dependencies=False)
        return stack.deploy(code=package, settings=settings)

    return deployed


ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


def wait_for(states: Any, execution: str, seconds: float = 120.0) -> dict[str, Any]:
    """What Step Functions says of an execution once it has ended."""
    until = time.monotonic() + seconds
    while True:
        found: dict[str, Any] = states.describe_execution(executionArn=execution)
        if found["status"] in ENDED:
            return found
        if time.monotonic() > until:
            raise TimeoutError(f"execution is still {found['status']} after {seconds} s")
        time.sleep(0.05)
