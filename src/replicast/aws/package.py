"""The functions' zip packages: replicast and what the model imports, chosen for the function's Python and processor."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import replicast
from replicast.core.errors import ExecutorError, RequestError

from .limits import QUOTAS

ENTRY_NAME = "replicast_functions.py"
ENTRY = '''"""What Lambda calls."""

from replicast.aws.functions import collate as collate_with
from replicast.aws.functions import plan, simulate


def collate(event, context):
    from replicast.runs import Run  # not at each cold start of a function that simulates

    return collate_with(Run, event, context)


def setup(event, context):
    from replicast.aws.database_role import setup as make_role  # drivers of databases

    return make_role(event, context)


__all__ = ["collate", "plan", "setup", "simulate"]
'''
WORKER_PACKAGES = ("numpy", "obstore", "arro3-core", "arro3-io", "msgspec", "psutil")
REPORTING_PACKAGES = ("polars",)
DATABASE_PACKAGES = ("SQLAlchemy", "psycopg", "psycopg-binary", "PyMySQL")
RUNTIMES = {"python3.11": (2, 26), "python3.12": (2, 34), "python3.13": (2, 34), "python3.14": (2, 34)}
"""Lambda's Pythons with the version of glibc in their system (Amazon Linux 2 and 2023), which decides on wheels."""

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
LEFT_OUT = ("__pycache__", "tests", "test", "docs", "include", "_pyinstaller")
LONG_AGO = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Package:
    """A zip file's bytes; the same contents give the same bytes, and so the same `key`."""

    content: bytes
    unzipped: int
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"code/{hashlib.sha256(self.content).hexdigest()[:32]}.zip"


@dataclass(frozen=True, slots=True)
class Kept:
    """A package that is in the bucket already, under this key."""

    key: str


def default_runtime() -> str:
    """The Python of this process where Lambda has it, so that a model runs there under what it was tried with."""
    own = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return own if own in RUNTIMES else "python3.13"


def worker_package(
    requirements: Sequence[str] = (), *, runtime: str, architecture: str, dependencies: bool = True
) -> Package:
    """replicast, what its worker imports, and `requirements`. Raises RequestError if Lambda could not unzip it.

    Without `dependencies` it holds replicast alone, for an emulator whose interpreter has the rest.
    """
    with tempfile.TemporaryDirectory(prefix="replicast-") as folder:
        target, notes = Path(folder), []
        if dependencies:
            wanted = [*pinned(WORKER_PACKAGES), *requirements]
            notes += install(wanted, target, runtime=runtime, architecture=architecture)
        return checked(zipped([*own_files(), (ENTRY_NAME, ENTRY.encode()), *_files_of(target)]), tuple(notes))


def reporting_package(*, runtime: str, architecture: str) -> Package:
    """polars, which the collating function fetches from the bucket: beside numpy it is more than a function may be."""
    with tempfile.TemporaryDirectory(prefix="replicast-") as folder:
        notes = install(pinned(REPORTING_PACKAGES), Path(folder), runtime=runtime, architecture=architecture)
        return zipped(_files_of(Path(folder)), tuple(notes))


def pinned(names: Iterable[str]) -> list[str]:
    """The versions that are installed here, so that the cloud computes with the same."""
    return [f"{name}=={importlib.metadata.version(name)}" for name in names]


def database_requirements(package: str) -> list[str]:
    """What functions need beside a worker where results go to a database; Lambda's own Pythons bring boto3 along."""
    try:
        return pinned((*DATABASE_PACKAGES, *(("boto3",) if package == "image" else ())))
    except importlib.metadata.PackageNotFoundError:
        raise RequestError("results in a database need: python -m pip install 'replicast[sql]'") from None


def made_of(requirements: Sequence[str], runtime: str, architecture: str) -> str:
    """A digest of all that decides what the packages are and what is to be said of them; empty where that is not known.

    A requirement without its version may be another one tomorrow.
    """
    if any("==" not in requirement or "*" in requirement for requirement in requirements):
        return ""
    here = sorted((one.name, one.version) for one in importlib.metadata.distributions())
    digest = hashlib.sha256(repr((sorted(requirements), runtime, architecture, here, ENTRY)).encode())
    for name, content in own_files():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:32]


def platforms(runtime: str, architecture: str) -> list[str]:
    """Tags of the wheels that run there, newest first."""
    if runtime not in RUNTIMES or architecture not in MACHINES:
        raise RequestError(f"no function runs {runtime} on {architecture}: Lambda has {', '.join(RUNTIMES)}")
    machine, (_, minor) = MACHINES[architecture], RUNTIMES[runtime]
    return [f"manylinux_2_{m}_{machine}" for m in range(minor, 16, -1)] + [f"manylinux2014_{machine}"]


def install(requirements: Sequence[str], target: Path, *, runtime: str, architecture: str) -> list[str]:
    """Unpacks wheels for the function's system, whatever system this is; returns what had to be different from here.

    Raises ExecutorError with pip's own words if there is no such wheel.
    """
    failed = _pip(requirements, target, runtime, architecture)
    if failed is None:
        return differences(target, runtime)
    loose = [name.partition("==")[0] if name in pinned_names(requirements) else name for name in requirements]
    failed = _pip(loose, target, runtime, architecture) if loose != list(requirements) else failed
    if failed is not None:
        hint = "; packages without a wheel, and R, need: replicast aws deploy --package image"
        raise ExecutorError(f"pip finds no packages for {runtime} on {architecture}{hint}\n{failed}")
    return differences(target, runtime)


def differences(target: Path, runtime: str) -> list[str]:
    """What of the packages there has another version here: the same seed may then give other bytes."""
    found = []
    for there in sorted(importlib.metadata.distributions(path=[str(target)]), key=lambda one: one.name.lower()):
        try:
            here = importlib.metadata.version(there.name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if here != there.version:
            found.append(f"{there.name} {there.version} there, {here} here")
    if not found:
        return []
    return [
        f"PACKAGES DIFFER: {'; '.join(found)}. The same seed may give other numbers than here: install the same "
        f"versions here, or take another --runtime than {runtime} ({', '.join(RUNTIMES)}), or --package image"
    ]


def pinned_names(requirements: Sequence[str]) -> list[str]:
    ours = (*WORKER_PACKAGES, *REPORTING_PACKAGES, *DATABASE_PACKAGES)
    return [name for name in requirements if name.partition("==")[0] in ours and "==" in name]


def _pip(requirements: Sequence[str], target: Path, runtime: str, architecture: str) -> str | None:
    """None if pip succeeded, else the end of what it said. Raises RequestError where there is no pip."""
    if importlib.util.find_spec("pip") is None:
        raise RequestError(
            f"the functions' packages are fetched by pip, which {sys.prefix} has not: python -m ensurepip "
            "(or with uv: uv pip install pip)"
        )
    version = runtime.removeprefix("python")
    command = [sys.executable, "-P", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--target", str(target), "--upgrade", "--only-binary", ":all:", "--implementation", "cp"]
    command += ["--python-version", version]
    for platform in platforms(runtime, architecture):
        command += ["--platform", platform]
    done = subprocess.run([*command, *requirements], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else done.stderr.strip()[-2000:]


def own_files() -> Iterator[tuple[str, bytes]]:
    root = Path(replicast.__file__).resolve().parent
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield f"replicast/{path.relative_to(root).as_posix()}", path.read_bytes()


def _files_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        kept = not any(part in LEFT_OUT for part in name.parts) and path.suffix not in (".pyi", ".pyc")
        if path.is_file() and kept and name.parts[0] != "bin":
            yield name.as_posix(), path.read_bytes()


def zipped(files: Iterable[tuple[str, bytes]], notes: tuple[str, ...] = ()) -> Package:
    buffer, unzipped = io.BytesIO(), 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if name.endswith((".sh", ".so", "bootstrap")) else 0o644) << 16
            archive.writestr(entry, content)
            unzipped += len(content)
    return Package(buffer.getvalue(), unzipped, notes)


def checked(package: Package, notes: tuple[str, ...]) -> Package:
    limit = QUOTAS["package"].value
    if package.unzipped > limit:
        raise RequestError(
            f"the package is {package.unzipped / 2**20:.0f} MB unzipped, and Lambda takes {limit / 2**20:.0f} MB; "
            "deploy it as an image: replicast aws deploy --package image"
        )
    return Package(package.content, package.unzipped, notes)
