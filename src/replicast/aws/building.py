"""The stack's image built by AWS CodeBuild, for whoever has no engine: `<stack>-build`, see codebuild.yaml.

What it answers and refuses: docs.aws.amazon.com/codebuild/latest/APIReference.
"""

from __future__ import annotations

import io
import time
import uuid
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from replicast.core.errors import ExecutorError, RequestError

from .access import error_code, error_message, explained
from .beside import Beside
from .image import Elsewhere
from .package import LONG_AGO
from .settings import Settings
from .stack import Stack

HERE, CODEBUILD = "here", "codebuild"
BUILDERS = (HERE, CODEBUILD)
SHOWN_LINES = 40
AT_WORK, DONE = "IN_PROGRESS", "SUCCEEDED"
TOO_MANY_PULLS = "toomanyrequests"
"""What Docker Hub answers an address that has fetched too much, as those that many accounts share soon have."""


class BuildStack(Beside):
    template_name, suffix = "codebuild.yaml", "build"

    def make(self, bucket: str, settings: Settings) -> str:
        """Creates the project, or brings it up to date; returns its name."""
        given = {
            "BucketName": bucket, "Of": self.of, "Architecture": settings.architecture,
            "LogDays": settings.log_days, "Boundary": settings.boundary, "KmsKey": settings.key,
        }  # fmt: skip
        if not self._sound_state().exists:
            self.tell("creating a project of AWS CodeBuild")
        self.apply({name: str(value) for name, value in given.items() if value is not None})
        return self.state().outputs["Project"]


def builder_of(stack: Stack, asked: str | None, settings: Settings) -> Elsewhere | None:
    """How the image is to be built: None is by an engine of this machine. As before, where nothing is asked for."""
    beside = BuildStack.beside(stack)
    if asked == HERE:
        beside.remove()
        return None
    if asked is None and not beside.state().exists:
        return None
    return partial(build_elsewhere, stack, beside, settings)


def build_elsewhere(stack: Stack, beside: BuildStack, settings: Settings, folder: Path, name: str) -> None:
    """Has CodeBuild build the context in `folder` and push it as `name`, `REPOSITORY:TAG`, and waits for that.

    An interruption ends the build. Raises ExecutorError with the end of what the build said.
    """
    bucket, key = stack.bucket_name, f"code/image-{name.rpartition(':')[2]}.zip"
    project = beside.make(bucket, settings)
    stack.put(key, zipped(folder))
    stack.tell("building the image on AWS CodeBuild")
    build = start(beside, project, f"{bucket}/{key}", name)
    try:
        follow(beside, build)
    except KeyboardInterrupt:
        with explained("stop the build"):
            beside.aws.client("codebuild").stop_build(id=build)
        raise


def zipped(folder: Path) -> bytes:
    """The files of a folder; the same files give the same bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), LONG_AGO)
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return made.getvalue()


def start(stack: Stack, project: str, source: str, image: str) -> str:
    """The ID of a build of `source`, BUCKET/KEY, that is pushed as `image`."""
    from botocore.exceptions import ClientError

    with explained("start a build"):
        try:
            answer = stack.aws.client("codebuild").start_build(
                projectName=project,
                sourceLocationOverride=source,
                environmentVariablesOverride=[{"name": "IMAGE", "value": image, "type": "PLAINTEXT"}],
                idempotencyToken=uuid.uuid4().hex,
            )
        except ClientError as error:
            if error_code(error) != "AccountLimitExceededException":
                raise
            # Accounts that are new may have none: github.com/awslabs/landing-zone-accelerator-on-aws/issues/1013.
            raise ExecutorError(
                f"AWS CodeBuild takes no build of this account now ({error_message(error)}): try again once others "
                "have ended, ask AWS for more (Service Quotas, AWS CodeBuild), or build with docker, podman or buildah "
                f"on a machine that has one: --aws-build {HERE}"
            ) from None
    return str(answer["build"]["id"])


def follow(stack: Stack, build: str) -> None:
    """Waits for a build, and tells its phases. Raises ExecutorError where it comes to another end than success."""
    told = ""
    while (found := look(stack, build))["buildStatus"] == AT_WORK:
        phase = str(found.get("currentPhase", "")).lower().replace("_", " ")
        if phase != told:
            stack.tell(f"CodeBuild: {phase}")
            told = phase
        time.sleep(stack.poll_seconds)
    if found["buildStatus"] != DONE:
        raise ExecutorError(why(stack, found))


def look(stack: Stack, build: str) -> Mapping[str, Any]:
    with explained("look at the build"):
        found: list[Mapping[str, Any]] = stack.aws.client("codebuild").batch_get_builds(ids=[build])["builds"]
    if not found:
        raise ExecutorError(f"AWS CodeBuild knows no build '{build}' (any more); deploy again")
    return found[0]


def why(stack: Stack, build: Mapping[str, Any]) -> str:
    """One sentence, and the end of the log under it."""
    said = [
        f"{context.get('statusCode', '')}: {context['message']}".removeprefix(": ")
        for phase in build.get("phases", [])
        for context in phase.get("contexts", [])
        if context.get("message")
    ]
    reason = "; ".join(said) or "CodeBuild names no reason"
    sentence = f"AWS CodeBuild did not build the image: {build['buildStatus']}: {reason}"
    where = build.get("logs", {})
    if not where.get("groupName") or not where.get("streamName"):
        return f"{sentence}; it left no log"
    place = f"{where['groupName']}, {where['streamName']}"
    try:
        lines = tail(stack, where["groupName"], where["streamName"])
    except (ExecutorError, RequestError) as error:
        return f"{sentence}; its log ({place}) was not read: {error}"
    hint = "\nDocker Hub gives an address only so many images: name a copy of it with --base-image"
    return f"{sentence}\nthe end of its log ({place}):\n{lines}{hint * (TOO_MANY_PULLS in lines)}"


def tail(stack: Stack, group: str, stream: str) -> str:
    """The last lines of a log."""
    with explained("read the build's log"):
        found = stack.aws.client("logs").get_log_events(
            logGroupName=group, logStreamName=stream, limit=SHOWN_LINES, startFromHead=False
        )
    return "\n".join(str(event["message"]).rstrip() for event in found["events"])
