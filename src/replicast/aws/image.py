"""The functions as a container image: for R, for commands, and for packages that do not fit into a zip file."""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from replicast.core.errors import ExecutorError, RequestError

from .access import Aws, explained
from .limits import check_image
from .package import ENTRY, ENTRY_NAME, WORKER_PACKAGES, own_files, pinned
from .renv import Lock
from .stack import StackState, Tell

ENGINES = ("docker", "podman", "buildah")
PLATFORMS = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}
RUNTIME_CLIENT = "awslambdaric==4.2.2"
LOOPBACK = ("127.0.0.1", "localhost")
PLAIN_IMAGES = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
"""Docker's builder adds a list of its doings to an image, which makes an index of it, and Lambda takes no index."""

Elsewhere = Callable[[Path, str], None]
"""Builds a context, somewhere else than here, and pushes it as REPOSITORY:TAG."""

ANEW = ("--pull", "--no-cache")
"""For an image that is refreshed: its base and its packages are those of today."""

INDEX = ("image.index", "manifest.list")
BASE = "debian:trixie-slim"
"""R 4.5.0 and Python 3.13: what Debian 13 has."""

ROCKER = "rocker/r-ver"
"""Images of each version of R: rocker-project.org."""

R_VERSION = re.compile(r"\d+\.\d+\.\d+")
IMAGE_NAME = re.compile(r"[a-z0-9][a-z0-9._:/@-]*", re.IGNORECASE)
R_LINES = re.compile(r"^# begin R\n.*?^# end R\n", re.DOTALL | re.MULTILINE)


def find_engine(known: Sequence[str] = ENGINES) -> str:
    """The first of the known engines that is there. Raises RequestError, naming all."""
    for engine in known:
        if shutil.which(engine):
            return engine
    raise RequestError(
        f"an image needs one of {', '.join(known)} to build it, and none is installed here; AWS "
        "can build it: --aws-build codebuild"
    )


def base_image(image: str | None, r_version: str | None) -> str:
    """What the functions' image is made from. Raises RequestError for what cannot be meant."""
    if image and r_version:
        raise RequestError("--base-image brings its own R: leave --r-version out")
    if r_version is not None and not R_VERSION.fullmatch(r_version):
        raise RequestError(f"--r-version takes a version such as 4.5.1, not '{r_version}'")
    if image is not None and not IMAGE_NAME.fullmatch(image):
        raise RequestError(f"--base-image takes an image such as {ROCKER}:4.5.1, not '{image}'")
    return image or (f"{ROCKER}:{r_version}" if r_version else BASE)


def dockerfile(*, r: bool, base: str = BASE, refreshed: str = "") -> str:
    """Dockerfile of the functions: Debian with its Python, Lambda's runtime client, and with `r` Debian's R.

    `base` is another image of Debian or Ubuntu, whose own R is taken if it has one; `refreshed` the time since when its
    packages are wanted new.
    """
    text = files("replicast.aws").joinpath("Dockerfile").read_text(encoding="utf-8")
    if not r:
        text = R_LINES.sub("", text)
    label = f"LABEL replicast.refreshed={refreshed}\n" if refreshed else ""
    return text.replace(f"FROM {BASE}\n", f"FROM {base}\n{label}")


def context(
    folder: Path,
    *,
    r: bool,
    requirements: Sequence[str],
    r_packages: Sequence[str],
    lock: Lock | None = None,
    base: str = BASE,
    refreshed: str = "",
) -> str:
    """Writes a build context to `folder`; returns its tag, the same for the same content."""
    wanted = [*pinned((*WORKER_PACKAGES, "polars")), RUNTIME_CLIENT, *requirements]
    contents: dict[str, bytes] = {
        "Dockerfile": dockerfile(r=r, base=base, refreshed=refreshed).encode(),
        "requirements.txt": ("\n".join(wanted) + "\n").encode(),
        ENTRY_NAME: ENTRY.encode(),
    }
    if r:
        locked = {} if lock is None else lock.packages
        lines = [name for name in r_packages if name not in locked]
        lines += [f"{name} {version}" for name, version in locked.items()]
        contents["r-packages.txt"] = ("\n".join(lines) + "\n").encode()
        contents["renv.lock"] = b"" if lock is None else lock.content
        contents["r_packages.sh"] = files("replicast.aws").joinpath("r_packages.sh").read_bytes()
    contents |= dict(own_files())
    digest = hashlib.sha256()
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(contents):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[name])
        path.chmod(0o644)
        digest.update(name.encode() + b"\0" + contents[name] + b"\0")
    # Lambda's user is none of ours: what a umask of 077 made could not be read there.
    for inside in (found for found in folder.rglob("*") if found.is_dir()):
        inside.chmod(0o755)
    return digest.hexdigest()[:32]


def build_and_push(
    aws: Aws,
    state: StackState,
    requirements: Sequence[str],
    r_packages: Sequence[str],
    *,
    r: bool,
    architecture: str,
    lock: Lock | None = None,
    base: str = BASE,
    refreshed: str = "",
    elsewhere: Elsewhere | None = None,
    tell: Tell,
) -> str:
    """Builds the image and pushes it to the stack's repository; returns its URI with digest, as Lambda wants it."""
    repository = address(aws, state.outputs["RepositoryUri"])
    with tempfile.TemporaryDirectory(prefix="replicast-") as folder:
        tag = context(
            Path(folder), r=r, requirements=requirements, r_packages=r_packages, lock=lock, base=base,
            refreshed=refreshed,
        )  # fmt: skip
        name = f"{repository}:{tag}"
        known = pushed_digest(aws, repository, tag)
        if known is not None:
            return f"{repository}@{known}"
        if lock is not None and lock.note and base == BASE:
            tell(f"note: {lock.note}")
        if elsewhere is not None:
            elsewhere(Path(folder), name)
        else:
            build_here(aws, Path(folder), name, architecture, anew=bool(refreshed), tell=tell)
    digest = pushed_digest(aws, repository, tag)
    if digest is None:
        raise ExecutorError(f"'{name}' was pushed and is not in the repository; try again")
    return f"{repository}@{digest}"


def build_here(aws: Aws, folder: Path, name: str, architecture: str, *, anew: bool, tell: Tell) -> None:
    """Builds the context and pushes it as `name`, with an engine of this machine."""
    engine = find_engine()
    tell(f"building the image with {engine}")
    build(engine, folder, name, architecture, *(ANEW if anew else ()))
    check_image(size_of(engine, name))
    tell("pushing the image")
    push(engine, aws, name.rpartition(":")[0], name)


def is_here(aws: Aws) -> bool:
    """Whether AWS is an emulator on this machine."""
    return urlsplit(aws.client("cloudformation").meta.endpoint_url).hostname in LOOPBACK


def address(aws: Aws, repository: str) -> str:
    """Where the engine finds a repository: an emulator on this machine takes pushes at its own address."""
    endpoint = urlsplit(aws.client("ecr").meta.endpoint_url)
    return f"{endpoint.netloc}/{repository.partition('/')[2]}" if endpoint.hostname in LOOPBACK else repository


def build(engine: str, folder: Path, name: str, architecture: str, *extra: str) -> None:
    verb = ["bud"] if engine == "buildah" else ["build"]
    command = [engine, *verb, "--platform", PLATFORMS[architecture], *extra, "--tag", name, str(folder)]
    try:
        run(command, "build the image")
    except ExecutorError as error:
        if architecture == own_architecture():
            raise
        raise ExecutorError(
            f"{error}\nif that is because this machine is {own_architecture()}: install an emulation of {architecture} "
            f"(Debian: qemu-user-static), or deploy with --architecture {own_architecture()}"
        ) from None


def own_architecture() -> str:
    """Lambda's name of this machine's processor."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"


def size_of(engine: str, name: str) -> int:
    """Bytes of an image's layers, uncompressed, as Lambda counts them."""
    verb = ["inspect", "--type", "image"] if engine == "buildah" else ["image", "inspect"]
    shown = "{{.Docker.Size}}" if engine == "buildah" else "{{.Size}}"
    said = run([engine, *verb, "--format", shown, name], "see how large the image is").strip()
    return int(said) if said.isdigit() else 0


def push(engine: str, aws: Aws, repository: str, name: str) -> None:
    """Logs in with a token that lasts twelve hours and is handed over on standard input, never as an argument."""
    with explained("log in to the repository"):
        data = aws.client("ecr").get_authorization_token()["authorizationData"][0]
    user, _, token = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    registry = repository.partition("/")[0]
    run([engine, "login", "--username", user, "--password-stdin", registry], "log in to the repository", token)
    run([engine, "push", name], "push the image")


def pushed_digest(aws: Aws, repository: str, tag: str) -> str | None:
    """The digest of an image in the repository, None if there is none. Raises ExecutorError if Lambda cannot run it."""
    with explained("look at the repository"):
        found = aws.client("ecr").batch_get_image(
            repositoryName=repository.partition("/")[2], imageIds=[{"imageTag": tag}]
        )
    images: list[Mapping[str, Any]] = found.get("images", [])
    if not images:
        return None
    kind = str(images[0].get("imageManifestMediaType", ""))
    if any(word in kind for word in INDEX):
        raise ExecutorError(
            f"image '{tag}' in the repository is an index of several, which Lambda does not take ({kind}); "
            "delete it there, and build it with another of docker, podman, buildah, or another version"
        )
    return str(images[0]["imageId"]["imageDigest"])


def run(command: Sequence[str], deed: str, given: str | None = None) -> str:
    """What the engine printed. Raises ExecutorError with the end of what the engine said."""
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, check=False, env=os.environ | PLAIN_IMAGES
    )
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()[-3000:]
        raise ExecutorError(f"cannot {deed}: {command[0]} ended with status {done.returncode}\n{said}")
    return done.stdout
