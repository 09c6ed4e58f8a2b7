"""An emulator of AWS on loopback for the whole session, and an account of its own for each test."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import mariadb, postgres

from replicast.aws.access import Aws
from replicast.aws.image import context
from replicast.aws.package import worker_package
from replicast.aws.sandbox import started
from replicast.aws.settings import Settings
from replicast.aws.stack import Stack, StackState

from .image_engines import Docker, Engine, RootFileSystem, docker_answers

__all__ = ["mariadb", "postgres"]

REGION = "eu-west-2"
TAUGHT = (str(Path(__file__).with_name("taught.py")),)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def rds_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file; host and port that are written there are those of the next instance that RDS makes."""
    return tmp_path_factory.mktemp("rds") / "server.json"


@pytest.fixture(scope="session")
def emulator(rds_stand_in: Path) -> Iterator[str]:
    """Its address. Functions run as processes of this machine, with this interpreter's packages."""
    extra = {"MINISTACK_REGION": REGION, "TAUGHT_DATABASE": str(rds_stand_in)}
    with started(free_port(), extra, emulator=TAUGHT) as url:
        yield url


_accounts = iter(range(100_000_000_001, 200_000_000_000))


@pytest.fixture
def aws(emulator: str, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """An account in which nothing is yet."""
    use_account(monkeypatch, emulator, str(next(_accounts)))
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


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One that has built the image with R in it."""
    base = os.environ.get("REPLICAST_IMAGE_BASE")
    if not base and not docker_answers():
        pytest.skip("no Docker engine answers; start one and set DOCKER_HOST, or: make test-image")
    found: Engine = RootFileSystem(Path(base), Path(base).with_name("root")) if base else Docker()
    folder = tmp_path_factory.mktemp("image")
    context(folder, r=True, requirements=[], r_packages=["jsonlite"])
    found.build(folder)
    yield found
    found.close()


@pytest.fixture
def docker_engine(engine: Engine) -> Docker:
    if not isinstance(engine, Docker):
        pytest.skip("this needs a Docker engine; start one and set DOCKER_HOST")
    return engine
