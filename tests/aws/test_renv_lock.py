"""R packages in the versions that an `renv.lock` names: read, refused, and had in the image or said not to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from replicast.aws.image import build, context, own_architecture
from replicast.aws.renv import DEBIAN_R, Lock, find_lock, read_lock
from replicast.core.errors import ExecutorError, RequestError

from .image_engines import TAG, docker


def lock_of(packages: dict[str, str], r: str = DEBIAN_R) -> dict[str, Any]:
    records = {name: {"Package": name, "Version": v, "Source": "Repository"} for name, v in packages.items()}
    return {"R": {"Version": r, "Repositories": []}, "Packages": records}


def written(folder: Path, content: Any) -> Path:
    path = folder / "renv.lock"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_packages_and_versions_are_read_and_renv_itself_is_not_asked_for(tmp_path: Path) -> None:
    given = {"simmer": "4.4.5", "MASS": "7.3-58.2", "data.table": "1.14.8", "renv": "1.0.3"}
    lock = read_lock(written(tmp_path, lock_of(given)))
    assert dict(lock.packages) == {"simmer": "4.4.5", "MASS": "7.3-58.2", "data.table": "1.14.8"}
    assert (lock.r, lock.note) == (DEBIAN_R, "")
    assert "R 4.4.1" in read_lock(written(tmp_path, lock_of({}, r="4.4.1"))).note


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "it is not JSON"),
        ({"R": {"Version": "4.2.2"}}, r"renv::snapshot\(\)"),
        ([], "has no 'Packages'"),
        ({"Packages": {"simmer": {}}}, "no version of package 'simmer'"),
        ({"Packages": {"simmer": {"Version": "4.4; rm -rf /"}}}, "no version of package 'simmer'"),
        ({"Packages": {"a$(b)": {"Version": "1.0"}}}, "of package 'a"),
    ],
)
def test_a_file_that_is_none_of_renvs_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        read_lock(written(tmp_path, content))


def test_a_lock_is_found_beside_the_model_unless_another_or_none_is_named(tmp_path: Path) -> None:
    assert find_lock(None, tmp_path) is None
    written(tmp_path, lock_of({"simmer": "4.4.5"}))
    (tmp_path / "other").mkdir()
    other = written(tmp_path / "other", lock_of({"dplyr": "1.0.10"}))
    found = [find_lock(given, tmp_path) for given in (None, str(other), "none")]
    assert [lock and list(lock.packages) for lock in found] == [["simmer"], ["dplyr"], None]
    with pytest.raises(RequestError, match=r"cannot be read: No such file"):
        find_lock(str(tmp_path / "no-such.lock"), tmp_path)


def test_a_lock_decides_the_images_tag_and_goes_before_packages_named_beside_it(tmp_path: Path) -> None:
    locks = [None, Lock({"simmer": "4.4.5"}, "", b"1"), Lock({"simmer": "4.4.6"}, "", b"2")]
    tags = [
        context(tmp_path / str(i), r=True, requirements=[], r_packages=["simmer", "dplyr"], lock=lock)
        for i, lock in enumerate(locks)
    ]
    assert len(set(tags)) == 3
    assert (tmp_path / "1" / "r-packages.txt").read_text() == "dplyr\nsimmer 4.4.5\n"
    assert (tmp_path / "1" / "renv.lock").read_bytes() == b"1"
    assert "renv.lock" in (tmp_path / "1" / "Dockerfile").read_text()


@pytest.mark.docker
@pytest.mark.r
@pytest.mark.usefixtures("docker_engine")
def test_an_image_has_the_versions_of_the_lock_or_is_not_built(tmp_path: Path) -> None:
    good, bad = Lock({"jsonlite": "1.9.1", "MASS": "7.3-65"}, DEBIAN_R, b"{}"), Lock({"jsonlite": "0.0.1"}, "", b"{}")
    context(tmp_path / "good", r=True, requirements=[], r_packages=[], lock=good)
    build("docker", tmp_path / "good", f"{TAG}-locked", own_architecture())
    asked = [
        "run",
        "--rm",
        "--entrypoint",
        "Rscript",
        f"{TAG}-locked",
        "-e",
        "cat(packageDescription('MASS')$Version)",
    ]
    assert docker(*asked).stdout == "7.3-65"
    context(tmp_path / "bad", r=True, requirements=[], r_packages=[], lock=bad)
    with pytest.raises(ExecutorError, match=r"jsonlite:? (0.0.1 \(Debian: 1\.9\.1|asked for 0.0.1, and the image has)"):
        build("docker", tmp_path / "bad", f"{TAG}-bad", own_architecture())
