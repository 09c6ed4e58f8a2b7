"""The zip packages: wheels for another system, the same bytes each time, and no more than Lambda takes."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from replicast.aws import package as module
from replicast.aws.limits import QUOTAS
from replicast.aws.package import Package, database_requirements, platforms, reporting_package, worker_package, zipped
from replicast.core.errors import ExecutorError, RequestError

HERE = f"python3.{sys.version_info.minor}"


def unpack(package: Package, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(package.content)) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both packages of this machine's own kind, side by side as the collating function has them."""
    if sys.platform != "linux":
        pytest.skip("packages for Lambda run on Linux alone")
    folder = tmp_path_factory.mktemp("package")
    worker = worker_package(["simpy>=4"], runtime=HERE, architecture="x86_64")
    reporting = reporting_package(runtime=HERE, architecture="x86_64")
    limit = QUOTAS["package"].value
    assert worker.unzipped < limit < worker.unzipped + reporting.unzipped
    return unpack(reporting, unpack(worker, folder))


def test_the_functions_load_from_the_packages_alone(unpacked: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import replicast_functions as f;"
        "late = {'boto3', 'replicast.runs'} & {*sys.modules};"
        "import simpy, polars, numpy, obstore;"
        "assert all(m.__file__.startswith(sys.argv[1]) for m in (f, simpy, polars, numpy, obstore));"
        "print(late or 'none', f.plan.__name__, f.simulate.__name__, callable(f.collate))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(unpacked)], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("none plan simulate True", "")


@pytest.mark.long
def test_wheels_are_those_of_the_functions_processor(tmp_path: Path) -> None:
    found = unpack(worker_package(runtime="python3.13", architecture="arm64"), tmp_path)
    libraries = [path.name for path in (found / "numpy").rglob("*.so")]
    assert libraries
    assert all("cpython-313-aarch64" in name for name in libraries)


@pytest.mark.long
def test_where_results_go_to_a_database_its_drivers_are_in_the_package_and_are_enough(tmp_path: Path) -> None:
    package = worker_package(database_requirements("zip"), runtime=HERE, architecture="x86_64")
    assert package.unzipped < QUOTAS["package"].value - 80 * 2**20
    folder = unpack(package, tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import replicast.aws.secret, sqlalchemy, psycopg, psycopg_binary, pymysql;"
        "assert all(m.__file__.startswith(sys.argv[1]) for m in (sqlalchemy, psycopg, psycopg_binary, pymysql));"
        "print('boto3' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(folder)], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("False", "")
    assert not any(name.startswith("boto3") for name in database_requirements("zip"))
    assert any(name.startswith("boto3==") for name in database_requirements("image"))


def test_a_package_without_a_wheel_is_refused_with_pips_words() -> None:
    with pytest.raises(ExecutorError, match="--package image"):
        module.install(["no-such-package-of-replicasts"], Path("unused"), runtime="python3.13", architecture="arm64")


def test_the_same_contents_give_the_same_key_and_another_content_another() -> None:
    first, again = (worker_package(runtime=HERE, architecture="arm64", dependencies=False) for _ in range(2))
    assert first == again
    assert zipped([("a", b"1")]).key != zipped([("a", b"2")]).key
    assert first.key.startswith("code/")


@pytest.mark.parametrize(("spare", "fits"), [(0, True), (1, False)])
def test_a_package_one_byte_above_the_limit_is_refused(spare: int, fits: bool) -> None:
    size = QUOTAS["package"].value + spare
    if fits:
        assert module.checked(Package(b"", size), ()).unzipped == size
    else:
        with pytest.raises(RequestError, match="250 MB; deploy it as an image"):
            module.checked(Package(b"", size), ())


def test_versions_that_differ_from_those_here_are_said_loudly(tmp_path: Path) -> None:
    here = version("numpy")
    for name, number in (("numpy", "1.0.1"), ("obstore", version("obstore")), ("of-nobody", "3")):
        folder = tmp_path / f"{name.replace('-', '_')}-{number}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")
    (said,) = module.differences(tmp_path, "python3.13")
    assert said.startswith(f"PACKAGES DIFFER: numpy 1.0.1 there, {here} here. The same seed may give other numbers")
    assert module.differences(tmp_path / "none", "python3.13") == []


def test_a_system_that_lambda_does_not_have_is_refused() -> None:
    with pytest.raises(RequestError, match=r"python3\.9"):
        platforms("python3.9", "arm64")


def test_wheels_for_an_older_system_are_asked_for_too() -> None:
    tags = platforms("python3.13", "x86_64")
    assert tags[0] == "manylinux_2_34_x86_64"
    assert {"manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"} <= set(tags)
    assert "manylinux_2_28_x86_64" not in platforms("python3.11", "x86_64")
