"""What builds the image and runs functions in it: Docker, or without it the image's root file system in a namespace."""

from __future__ import annotations

import json
import shlex
import shutil
import string
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from replicast.aws.image import build, own_architecture

TAG = "replicast-test:r"


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)


def docker_answers() -> bool:
    return shutil.which("docker") is not None and docker("info").returncode == 0


class Engine(Protocol):
    def build(self, context: Path) -> None: ...
    def start(self, function: str, variables: Mapping[str, str]) -> None:
        """Starts a function as Lambda does, with nothing to write to but /tmp; it ends with the engine."""
        ...

    def close(self) -> None: ...


class Docker:
    def __init__(self) -> None:
        self._names: list[str] = []

    def build(self, context: Path) -> None:
        build("docker", context, TAG, own_architecture())

    def start(self, function: str, variables: Mapping[str, str]) -> None:
        options = [part for name, value in variables.items() for part in ("--env", f"{name}={value}")]
        self._names.append(f"replicast-{uuid.uuid4().hex[:12]}")
        options += ["--network=host", "--read-only", "--tmpfs", "/tmp:exec", "--name", self._names[-1]]
        ran = docker("run", "--detach", *options, TAG, f"replicast_functions.{function}")
        assert ran.returncode == 0, ran.stderr

    def close(self) -> None:
        for name in self._names:
            docker("rm", "--force", name)


INSIDE = """
set -e
root=$1; shift
mount --bind "$root" "$root"
[ "$1" = build ] || { mount --options remount,bind,ro "$root"; mount -t tmpfs -o exec tmpfs "$root/tmp"; }
shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" env -i "$@"
"""


class RootFileSystem:
    """The steps of the Dockerfile, done in a copy of Debian that is root to nobody but their processes. Root only."""

    def __init__(self, base: Path, root: Path) -> None:
        self._root, self._started = root, list[subprocess.Popen[bytes]]()
        self._environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        self._folder, self._entry = "/", list[str]()
        subprocess.run(["cp", "--archive", base, root], check=True)
        for name in ("resolv.conf", "hosts"):
            shutil.copy(f"/etc/{name}", root / "etc" / name)

    def build(self, context: Path) -> None:
        for word, rest in steps((context / "Dockerfile").read_text()):
            if word == "RUN":
                done = subprocess.run(self._inside("build", {}, ["sh", "-c", rest]), capture_output=True, check=False)
                assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")[-3000:]
            elif word == "COPY":
                self._copy(context, rest.split())
            elif word == "ENV":
                pairs = dict(part.split("=", 1) for part in shlex.split(rest))
                known = dict(self._environment)
                self._environment |= {k: string.Template(v).safe_substitute(known) for k, v in pairs.items()}
            elif word == "WORKDIR":
                self._folder = rest
                (self._root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            elif word == "ENTRYPOINT":
                self._entry = json.loads(rest)

    def _copy(self, context: Path, names: Sequence[str]) -> None:
        *sources, last = names
        target = self._root / (Path(self._folder) / last).as_posix().lstrip("/")
        for name in sources:
            if (context / name).is_dir():
                shutil.copytree(context / name, target, dirs_exist_ok=True)
            else:
                shutil.copy(context / name, target / name)

    def _inside(self, how: str, variables: Mapping[str, str], command: Sequence[str]) -> list[str]:
        given = [f"{name}={value}" for name, value in (self._environment | dict(variables)).items()]
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        inside = ["sh", "-c", INSIDE, "sh", str(self._root), how, "-C", self._folder, *given, *command]
        return [*namespaces, *inside]

    def start(self, function: str, variables: Mapping[str, str]) -> None:
        command = self._inside("run", variables, [*self._entry, f"replicast_functions.{function}"])
        with (self._root.parent / f"{function}.log").open("wb") as log:
            self._started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def close(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()


def steps(dockerfile: str) -> Iterator[tuple[str, str]]:
    """(instruction, the rest of it) for each step, with lines that go on put together and comments left out."""
    lines = "\n".join(line for line in dockerfile.splitlines() if not line.startswith("#"))
    for line in lines.replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, rest.strip()
