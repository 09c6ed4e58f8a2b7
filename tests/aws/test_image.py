"""The container image, built and run for real: R behind Lambda's runtime interface, against the emulator's S3."""

from __future__ import annotations

import dataclasses
import http.server
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request
from replicast.aws import commands, image
from replicast.aws.access import Aws
from replicast.aws.image import (
    BASE,
    address,
    base_image,
    build,
    context,
    dockerfile,
    find_engine,
    own_architecture,
)
from replicast.aws.sandbox import ACCOUNT, started
from replicast.aws.stack import StackState
from replicast.core.errors import ExecutorError, RequestError
from replicast.runs import Run

from .conftest import REGION, SMALL, TAUGHT, Deploy, free_port, use_account, wait_for
from .image_engines import TAG, Docker, Engine, docker

MODEL = (
    "simulate <- function(mean = 2) { x <- rexp(5, 1 / mean); list(mean = mean(x), waits = data.frame(wait = x)) }\n"
)
ARCHITECTURE = own_architecture()
SECONDS = 60.0


class Runtime(http.server.ThreadingHTTPServer):
    """Lambda's runtime interface for one container: hands out events, takes answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Interface)
        self.waiting: list[dict[str, Any]] = []
        self.answers: dict[str, Any] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def invoke(self, event: dict[str, Any]) -> Any:
        number = str(uuid.uuid4())
        self.waiting.append({"id": number, "event": event})
        until = time.monotonic() + SECONDS
        while number not in self.answers:
            assert time.monotonic() < until, "the function did not answer"
            time.sleep(0.05)
        return self.answers[number]


class Interface(http.server.BaseHTTPRequestHandler):
    server: Runtime
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        while not self.server.waiting:
            time.sleep(0.02)
        order = self.server.waiting.pop()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Lambda-Runtime-Aws-Request-Id", order["id"])
        self.send_header("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + SECONDS) * 1000)))
        self.send_header(
            "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-2:1:function:replicast-simulate"
        )
        content = json.dumps(order["event"]).encode()
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.answers[self.path.split("/")[-2]] = content
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def container(engine: Engine, deploy: Deploy) -> Callable[[str], Runtime]:
    """Starts the image with one of its functions, as Lambda does."""
    bucket = deploy().bucket

    def start(function: str) -> Runtime:
        runtime = Runtime()
        variables = {name: os.environ[name] for name in os.environ if name.startswith("AWS_")} | {
            "AWS_LAMBDA_RUNTIME_API": runtime.address, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
            "AWS_LAMBDA_FUNCTION_NAME": function, "AWS_LAMBDA_LOG_STREAM_NAME": "test", "AWS_REGION": REGION,
            "REPLICAST_BUCKET": bucket, "REPLICAST_SECONDS": "120", "REPLICAST_CONCURRENCY": "2",
        }  # fmt: skip
        engine.start(function, variables)
        return runtime

    return start


@pytest.mark.docker
@pytest.mark.r
def test_an_r_model_runs_in_the_image_and_is_collated_there_to_the_bytes_of_a_run_at_home(
    container: Callable[[str], Runtime], aws: Aws, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    url = f"s3://replicast-{aws.account}-{REGION}/runs"
    request = Request(model=str(write_model(MODEL, "model.R")), replications=4, seed=2)
    with Preparation(request, store_url=url) as there, Preparation(request, store_url=str(tmp_path / "home")) as home:
        record = there.create()
        home.create()
        home.conduct()
        Run(home.store, home.record.id).collate(tmp_path / "tables")
    event = {"run": record.id, "batch": {"scenario": "base", "first": 1, "last": 4}}
    assert container("simulate").invoke(event) == {"stored": 4, "left": 0}
    assert container("collate").invoke({"run": record.id})["ending"] == "succeeded"
    for path in (tmp_path / "tables").iterdir():
        assert aws.store(url).read(record.id, f"collated/{path.name}") == path.read_bytes()


@pytest.fixture
def with_images(docker_engine: Docker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """An emulator that takes pushes and runs functions in containers; of the image, every layer is there already."""
    assert docker_engine
    with started(free_port(), {"MINISTACK_REGION": REGION}, reachable=True, emulator=TAUGHT) as url:
        use_account(monkeypatch, url, ACCOUNT)
        yield Aws(region=REGION)
    left = docker("ps", "--all", "--quiet", "--filter", f"ancestor={TAG}").stdout.split()
    docker("rm", "--force", *left)


@pytest.mark.docker
@pytest.mark.r
def test_an_image_is_built_pushed_and_deployed_and_a_state_machine_runs_an_r_model_in_it(
    with_images: Aws, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    aws, told = with_images, list[str]()
    contents = commands.Contents("image", r_packages=("jsonlite",), r=True)
    settings = dataclasses.replace(SMALL, architecture=ARCHITECTURE)
    state = commands.deploy(aws, contents=contents, settings=settings, poll_seconds=0.1, tell=told.append).state
    assert "pushing the image" in told
    uri = state.parameters["ImageUri"]
    assert uri.startswith(address(aws, state.outputs["RepositoryUri"]) + "@sha256:")
    repository = uri.partition("@")[0]
    for name in docker("images", "--format", "{{.Repository}}:{{.Tag}}", repository).stdout.split():
        assert docker("image", "rm", name).returncode == 0
    request = Request(model=str(write_model(MODEL, "model.R")), replications=4, seed=2)
    with (
        Preparation(request, store_url=f"s3://{state.bucket}/runs") as there,
        Preparation(request, store_url=str(tmp_path / "home")) as home,
    ):
        record = there.create()
        home.create()
        home.conduct()
        Run(home.store, home.record.id).collate(tmp_path / "tables")
    states = aws.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=state.machine, input=json.dumps({"run": record.id}))
    found = wait_for(states, execution["executionArn"], 240)
    assert found["status"] == "SUCCEEDED", found
    for path in (tmp_path / "tables").iterdir():
        assert commands.store_of(aws, state).read(record.id, f"collated/{path.name}") == path.read_bytes()
    told.clear()
    again = commands.deploy(aws, contents=contents, settings=settings, poll_seconds=0.1, tell=told.append).state
    assert (again, told) == (state, [])


def test_an_image_without_r_has_none_of_its_lines() -> None:
    assert "r-base" in dockerfile(r=True)
    assert "r-base" not in dockerfile(r=False)
    assert "Rscript" not in dockerfile(r=False)


def test_the_image_is_of_debian_unless_another_base_or_version_of_r_is_asked_for() -> None:
    assert dockerfile(r=True).startswith("FROM debian:trixie-slim\n")
    assert base_image(None, None) == BASE
    assert dockerfile(r=True, base=base_image(None, "4.4.3")).startswith("FROM rocker/r-ver:4.4.3\n")
    assert dockerfile(r=False, base=base_image("mine.example:5000/r@sha256:ab", None)).startswith("FROM mine.example")
    for name, version, said in (("a", "4.4.3", "leave --r-version out"), (None, "4.4", "such as 4.5.1"),
                                 ("a b\nRUN evil", None, "takes an image")):  # fmt: skip
        with pytest.raises(RequestError, match=said):
            base_image(name, version)


def test_an_image_that_is_refreshed_has_another_tag_and_is_made_of_nothing_that_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(image, "run", lambda command, _deed, _text="": ran.append(list(command)) or "1")
    monkeypatch.setattr(image, "find_engine", lambda: "docker")
    monkeypatch.setattr(image, "address", lambda _aws, _repository: "registry/replicast")
    digests = iter([None, "sha256:1", None, "sha256:2"])
    monkeypatch.setattr(image, "pushed_digest", lambda *_: next(digests))
    monkeypatch.setattr(image, "push", lambda *_: None)
    state = StackState("replicast", outputs={"RepositoryUri": "r"})
    for refreshed in ("", "2026-11-30T06:00:00Z"):
        image.build_and_push(
            None, state, [], [], r=False, architecture=ARCHITECTURE, refreshed=refreshed, tell=lambda _text: None
        )  # type: ignore[arg-type]
    once, anew = (command for command in ran if "build" in command)
    assert not {"--pull", "--no-cache"} & set(once)
    assert {"--pull", "--no-cache"} <= set(anew)
    assert once[once.index("--tag") + 1] != anew[anew.index("--tag") + 1]


def test_what_the_image_is_made_of_stays_with_the_stack() -> None:
    before = {"Base": "rocker/r-ver:4.4.3", "Refreshed": "2026-11-30T06:00:00Z"}
    kept = commands.Contents(package="image")
    assert (kept.base(before), kept.refreshed(before)) == (before["Base"], before["Refreshed"])
    assert (kept.base({}), kept.refreshed({})) == (BASE, "")
    asked = commands.Contents(package="image", r_version="4.5.1", refresh=True)
    assert asked.base(before) == "rocker/r-ver:4.5.1"
    assert asked.refreshed(before) > before["Refreshed"]
    with pytest.raises(RequestError, match="are of an image"):
        commands.Contents(refresh=True).check()


def test_the_same_context_has_the_same_tag_and_another_requirement_another(tmp_path: Path) -> None:
    tags = [
        context(tmp_path / str(i), r=True, requirements=requirements, r_packages=["simmer"])
        for i, requirements in enumerate([[], [], ["simpy"]])
    ]
    assert tags[0] == tags[1] != tags[2]
    assert (tmp_path / "0" / "r-packages.txt").read_text() == "simmer\n"
    assert (tmp_path / "0" / "replicast" / "performing" / "worker.py").is_file()


def test_files_of_an_image_are_readable_by_everybody_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        context(tmp_path / "context", r=False, requirements=[], r_packages=[])
    finally:
        os.umask(before)
    modes = {(p.is_dir(), p.stat().st_mode & 0o777) for p in (tmp_path / "context").rglob("*")}
    assert modes == {(True, 0o755), (False, 0o644)}


def test_without_an_engine_all_that_would_do_are_named() -> None:
    with pytest.raises(RequestError, match="one of no-such-engine, nor-this"):
        find_engine(["no-such-engine", "nor-this"])


def test_a_failed_build_shows_what_the_engine_said() -> None:
    with pytest.raises(ExecutorError, match="cannot build the image: sh ended with status 3\nno such package"):
        image.run(["sh", "-c", "echo no such package; exit 3"], "build the image")


def test_a_build_that_fails_for_another_processor_says_what_that_takes(tmp_path: Path) -> None:
    other = {"arm64": "x86_64", "x86_64": "arm64"}[ARCHITECTURE]
    with pytest.raises(ExecutorError, match=f"or deploy with --architecture {ARCHITECTURE}"):
        build("false", tmp_path, "name", other)
    with pytest.raises(ExecutorError, match=r"cannot build the image: false ended with status 1\n$"):
        build("false", tmp_path, "name", ARCHITECTURE)


def test_docker_is_told_to_build_what_lambda_takes(tmp_path: Path) -> None:
    engine = tmp_path / "engine"
    engine.write_text('#!/bin/sh\necho "without attestations: $BUILDX_NO_DEFAULT_ATTESTATIONS"; exit 1\n')
    engine.chmod(0o755)
    with pytest.raises(ExecutorError, match="without attestations: 1"):
        build(str(engine), tmp_path, "name", ARCHITECTURE)
