"""The image built by AWS CodeBuild: asked for and answered as AWS documents it, which the emulator does not act out.

docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html and API_BatchGetBuilds.html.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.stub import ANY, Stubber

from replicast.aws import building, commands
from replicast.aws.access import Aws
from replicast.aws.building import BuildStack, build_elsewhere, builder_of, follow, start, zipped
from replicast.aws.image import context
from replicast.aws.limits import QUOTAS
from replicast.aws.settings import Settings
from replicast.aws.stack import Stack, template
from replicast.core.errors import ExecutorError, RequestError

from .conftest import REGION, SMALL, use_account

BUILD, PROJECT = "replicast-build:0f7b", "replicast-build"
WHERE = {"groupName": "/aws/codebuild/replicast", "streamName": "0f7b"}
NOW = datetime(2026, 12, 1, tzinfo=UTC)
Stubbed = Callable[[str], Stubber]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Aws:
    use_account(monkeypatch, "http://127.0.0.1:9", "100000000000")
    return Aws(region=REGION)


@pytest.fixture
def stubbed(offline: Aws) -> Iterator[Stubbed]:
    """A Stubber over one service's client; every answer that it was given has to be asked for."""
    stubbers: list[Stubber] = []

    def stub(service: str) -> Stubber:
        stubbers.append(Stubber(offline.client(service)))
        stubbers[-1].activate()
        return stubbers[-1]

    yield stub
    for stubber in stubbers:
        stubber.assert_no_pending_responses()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def beside(offline: Aws, told: list[str]) -> BuildStack:
    stack = Stack(offline, tell=told.append)
    stack.poll_seconds = 0.0
    return BuildStack.beside(stack)


def build(status: str, phase: str = "COMPLETED", **more: Any) -> dict[str, Any]:
    return {"builds": [{"id": BUILD, "buildStatus": status, "currentPhase": phase, **more}]}


def test_a_build_is_started_with_its_source_and_the_image_that_it_is_to_push(
    beside: BuildStack, stubbed: Stubbed
) -> None:
    asked = {
        "projectName": PROJECT, "sourceLocationOverride": "bucket/code/image-t.zip", "idempotencyToken": ANY,
        "environmentVariablesOverride": [{"name": "IMAGE", "value": "registry/replicast:t", "type": "PLAINTEXT"}],
    }  # fmt: skip
    stubbed("codebuild").add_response("start_build", {"build": {"id": BUILD}}, asked)
    assert start(beside, PROJECT, "bucket/code/image-t.zip", "registry/replicast:t") == BUILD


def test_an_account_that_may_run_no_build_is_told_what_to_ask_for(beside: BuildStack, stubbed: Stubbed) -> None:
    message = "Cannot have more than 0 builds in queue for the account"
    stubbed("codebuild").add_client_error("start_build", "AccountLimitExceededException", message, 400)
    with pytest.raises(ExecutorError, match=f"{message}.*Service Quotas, AWS CodeBuild.*--aws-build here"):
        start(beside, PROJECT, "b/k", "i")


def test_a_build_is_followed_through_its_phases_to_its_end(
    beside: BuildStack, stubbed: Stubbed, told: list[str]
) -> None:
    stub = stubbed("codebuild")
    for phase in ("QUEUED", "PROVISIONING", "BUILD", "BUILD", "FINALIZING"):
        stub.add_response("batch_get_builds", build("IN_PROGRESS", phase), {"ids": [BUILD]})
    stub.add_response("batch_get_builds", build("SUCCEEDED"), {"ids": [BUILD]})
    follow(beside, BUILD)
    assert told == [f"CodeBuild: {phase}" for phase in ("queued", "provisioning", "build", "finalizing")]


COMMAND = 'Error while executing command: docker build --tag "$IMAGE" .. Reason: exit status 1'


def failed(status: str, **more: Any) -> dict[str, Any]:
    contexts = [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": COMMAND}]
    phases = [
        {"phaseType": "QUEUED", "phaseStatus": "SUCCEEDED"},
        {"phaseType": "PROVISIONING", "phaseStatus": "SUCCEEDED", "contexts": [{"statusCode": "", "message": ""}]},
        {"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": contexts},
    ]
    return build(status, phases=phases, **more)


@pytest.mark.parametrize("status", ["FAILED", "FAULT", "TIMED_OUT", "STOPPED"])
def test_a_build_that_failed_is_one_sentence_with_the_end_of_its_log(
    beside: BuildStack, stubbed: Stubbed, status: str
) -> None:
    stubbed("codebuild").add_response("batch_get_builds", failed(status, logs=WHERE))
    asked = {"logGroupName": WHERE["groupName"], "logStreamName": "0f7b", "limit": 40, "startFromHead": False}
    events = [{"timestamp": 1, "message": f"{line}\n"} for line in ("E: no package r-cran-nothing", "exit status 1")]
    stubbed("logs").add_response("get_log_events", {"events": events}, asked)
    with pytest.raises(ExecutorError) as caught:
        follow(beside, BUILD)
    assert str(caught.value) == (
        f"AWS CodeBuild did not build the image: {status}: COMMAND_EXECUTION_ERROR: {COMMAND}\n"
        "the end of its log (/aws/codebuild/replicast, 0f7b):\nE: no package r-cran-nothing\nexit status 1"
    )


def test_what_docker_hub_refuses_is_said_with_what_to_do(beside: BuildStack, stubbed: Stubbed) -> None:
    stubbed("codebuild").add_response("batch_get_builds", failed("FAILED", logs=WHERE))
    refused = "toomanyrequests: You have reached your unauthenticated pull rate limit."
    stubbed("logs").add_response("get_log_events", {"events": [{"timestamp": 1, "message": refused}]})
    with pytest.raises(ExecutorError, match="name a copy of it with --base-image"):
        follow(beside, BUILD)


def test_a_log_that_cannot_be_read_hides_no_reason(beside: BuildStack, stubbed: Stubbed) -> None:
    stubbed("codebuild").add_response("batch_get_builds", failed("FAILED", logs=WHERE))
    stubbed("logs").add_client_error("get_log_events", "AccessDeniedException", "not authorized", 400)
    with pytest.raises(ExecutorError, match=r"exit status 1; its log .* was not read: .* may not GetLogEvents"):
        follow(beside, BUILD)


def test_a_build_without_a_log_or_a_reason_or_that_is_gone_is_said(beside: BuildStack, stubbed: Stubbed) -> None:
    stub = stubbed("codebuild")
    stub.add_response("batch_get_builds", build("FAULT"))
    stub.add_response("batch_get_builds", {"builds": [], "buildsNotFound": [BUILD]})
    with pytest.raises(ExecutorError, match="FAULT: CodeBuild names no reason; it left no log"):
        follow(beside, BUILD)
    with pytest.raises(ExecutorError, match=f"knows no build '{BUILD}'"):
        follow(beside, BUILD)


def test_an_interruption_ends_the_build(
    beside: BuildStack, stubbed: Stubbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    stack = Stack(beside.aws)
    monkeypatch.setattr(BuildStack, "make", lambda *_: PROJECT)
    monkeypatch.setattr(Stack, "put", lambda *_: True)
    monkeypatch.setattr(building, "follow", interrupted)
    stubbed("sts").add_response("get_caller_identity", {"Account": "100000000000"})
    stub = stubbed("codebuild")
    stub.add_response("start_build", {"build": {"id": BUILD}})
    stub.add_response("stop_build", {"build": {"id": BUILD, "buildStatus": "STOPPED"}}, {"id": BUILD})
    with pytest.raises(KeyboardInterrupt):
        build_elsewhere(stack, beside, Settings(), tmp_path, "registry/replicast:t")


def test_the_bundle_is_the_context_readable_by_everybody_and_the_same_each_time(tmp_path: Path) -> None:
    context(tmp_path, r=True, requirements=[], r_packages=["simmer"])
    made = zipped(tmp_path)
    assert made == zipped(tmp_path)
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        entries = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
        assert archive.read("Dockerfile") == (tmp_path / "Dockerfile").read_bytes()
    assert {"Dockerfile", "r_packages.sh", "replicast/performing/worker.py"} <= set(entries)
    assert set(entries.values()) == {0o644}


def commands_of() -> list[str]:
    text = template("codebuild.yaml").partition("BuildSpec: |\n")[2].partition("      Artifacts:")[0]
    phases = yaml.safe_load(text)["phases"]
    assert list(phases) == ["build"], "a later phase would begin although this one failed"
    found: list[str] = phases["build"]["commands"]
    return found


FAKES = {
    "docker": 'echo "docker $*" >> ran; case "$1 $2" in "build --tag") exit ${BUILD_ENDS:-0};; '
              '"image inspect") echo ${HAS:-1};; "login --username") cat > password;; esac',
    "aws": 'echo "aws $*" >> ran; echo secret',
}  # fmt: skip


def carried_out(folder: Path, **more: str) -> tuple[int, list[str]]:
    """Performs the commands as CodeBuild does: in one shell, up to the first that fails."""
    for name, script in FAKES.items():
        fake = folder / "bin" / name
        fake.parent.mkdir(exist_ok=True)
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
    variables = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "IMAGE": "1.dkr.ecr.eu-west-2.amazonaws.com/r:t"}
    script = "\n".join(f"{command} || exit 1" for command in commands_of())
    done = subprocess.run(
        ["sh", "-c", script], cwd=folder, env={**variables, "MOST_BYTES": str(QUOTAS["image"].value), **more},
        check=False, capture_output=True,
    )  # fmt: skip
    return done.returncode, (folder / "ran").read_text().splitlines()


def test_the_project_logs_in_builds_from_amazons_copy_of_debian_and_pushes(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        context(tmp_path, r=True, requirements=[], r_packages=[])
    finally:
        os.umask(old)
    (tmp_path / "Dockerfile").chmod(0o600)
    status, ran = carried_out(tmp_path)
    assert (status, ran[-1]) == (0, "docker push 1.dkr.ecr.eu-west-2.amazonaws.com/r:t")
    assert "docker login --username AWS --password-stdin 1.dkr.ecr.eu-west-2.amazonaws.com" in ran
    assert (tmp_path / "password").read_text() == "secret\n"
    assert (tmp_path / "Dockerfile").read_text().startswith("FROM public.ecr.aws/docker/library/debian:trixie-slim\n")
    assert (tmp_path / "Dockerfile").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("more", [{"BUILD_ENDS": "1"}, {"HAS": str(QUOTAS["image"].value + 1)}])
def test_an_image_that_was_not_built_or_is_too_large_is_not_pushed(tmp_path: Path, more: dict[str, str]) -> None:
    context(tmp_path, r=False, requirements=[], r_packages=[])
    status, ran = carried_out(tmp_path, **more)
    assert status == 1
    assert not [line for line in ran if line.startswith("docker push")]


def test_the_project_says_lambdas_own_limit_of_an_image() -> None:
    assert f'{{Name: MOST_BYTES, Value: "{QUOTAS["image"].value}"}}' in template("codebuild.yaml")


def pushing(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The emulator ends builds at once and builds nothing: the image is put in its repository here."""
    started, real = list[str](), building.start

    def start_and_push(stack: Stack, project: str, source: str, image: str) -> str:
        started.append(source)
        name, _, tag = image.rpartition("/")[2].partition(":")
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}
        aws.client("ecr").put_image(repositoryName=name, imageTag=tag, imageManifest=json.dumps(manifest))
        return real(stack, project, source, image)

    monkeypatch.setattr(building, "start", start_and_push)
    monkeypatch.setenv("PATH", "/nonexistent")
    return started


def deploy(aws: Aws, built: str | None, **settings: Any) -> commands.Deployed:
    contents = commands.Contents(package="image", built=built)
    given = {name: getattr(SMALL, name) for name in Settings.__slots__} | settings
    return commands.deploy(aws, contents=contents, settings=Settings(**given), poll_seconds=0.1)


def test_without_an_engine_codebuild_builds_what_the_functions_are_made_of_and_does_so_again_unasked(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = pushing(aws, monkeypatch)
    with pytest.raises(RequestError, match="AWS can build it: --aws-build codebuild"):
        deploy(aws, None)
    boundary = f"arn:aws:iam::{aws.account}:policy/bound"
    state = deploy(aws, "codebuild", boundary=boundary, log_days=7).state
    assert "/replicast@sha256:" in state.parameters["ImageUri"]
    (source,) = started
    bucket, _, key = source.partition("/")
    made = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert "Dockerfile" in zipfile.ZipFile(io.BytesIO(made)).namelist()
    project = aws.client("codebuild").batch_get_projects(names=[PROJECT])["projects"][0]
    assert project["environment"]["type"] == "LINUX_CONTAINER"
    assert project["environment"]["privilegedMode"]
    again = deploy(aws, None)
    assert (again.state.parameters["ImageUri"], len(started)) == (state.parameters["ImageUri"], 1)
    commands.deploy(aws, contents=commands.Contents(package="image", requirements=("simpy",)), poll_seconds=0.1)
    assert len(started) == 2, "as before, since nothing else was asked for"
    beside = BuildStack.beside(Stack(aws)).state()
    assert (beside.parameters["Boundary"], beside.parameters["LogDays"]) == (boundary, "7")
    commands.destroy(aws, poll_seconds=0.1)
    assert not BuildStack.beside(Stack(aws)).state().exists


def test_asking_for_an_engine_here_takes_the_project_away(aws: Aws) -> None:
    stack = Stack(aws)
    stack.poll_seconds = 0.1
    beside = BuildStack.beside(stack)
    beside.make("bucket", SMALL)
    assert builder_of(stack, None, SMALL) is not None
    assert builder_of(stack, "here", SMALL) is None
    assert not beside.state().exists
    assert builder_of(stack, None, SMALL) is None


@pytest.mark.parametrize(
    ("contents", "said"),
    [(commands.Contents(built="codebuild"), "are of an image"),
     (commands.Contents(package="image", built="codebild"), "takes here or codebuild, not 'codebild'")],
)  # fmt: skip
def test_who_builds_is_of_an_image_and_one_of_two(contents: commands.Contents, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        contents.check()
