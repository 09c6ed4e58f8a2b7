"""A package that `pip install -e` installed: served from the copy where it stands inside, else hashed and named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import replicast

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "wards"
version = "1.0"

[tool.hatch.build.targets.wheel]
packages = ["src/wards"]
"""
MODEL = "import wards\n\ndef simulate(rng):\n    return {'x': wards.RATE + 0 * rng.random()}\n"


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An interpreter of its own that also has this one's packages, and `wards`, which pip installed for editing."""
    package = tmp_path / "project" / "src" / "wards"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from .deep import RATE\n")
    (package / "deep.py").write_text("RATE = 2.0\n")
    (tmp_path / "project" / "pyproject.toml").write_text(PROJECT)
    venv.create(tmp_path / "own", symlinks=True)
    own = tmp_path / "own" / "bin" / "python"
    (site,) = (tmp_path / "own" / "lib").glob("python*/site-packages")
    places = [path for path in sys.path if path.endswith("site-packages")] + [str(Path(replicast.__file__).parents[1])]
    (site / "those_of_the_tests.pth").write_text("\n".join(places))
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        own,
        "install",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
    ]
    subprocess.run([*install, "--quiet", "--editable", tmp_path / "project"], check=True)
    return own


def called(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-m", "replicast", *arguments, "--store", "../runs"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def mean_of(done: subprocess.CompletedProcess[str]) -> float:
    assert done.returncode == 0, done.stderr
    return float(json.loads(done.stdout)["summary"][0]["mean"])


@pytest.mark.long
def test_from_inside_the_project_the_copy_is_served(python: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "model.py").write_text(MODEL)
    assert mean_of(called(python, project, "run", "model.py", "-n", "3", "--name", "x", "--json")) == 2.0
    (project / "src" / "wards" / "deep.py").write_text("RATE = 1000.0\n")
    assert mean_of(called(python, project, "resume", "x", "-n", "6", "--json")) == 2.0


@pytest.mark.long
def test_from_outside_a_change_is_refused_and_named(python: Path, tmp_path: Path) -> None:
    other, deep = tmp_path / "other", tmp_path / "project" / "src" / "wards" / "deep.py"
    other.mkdir()
    (other / "model.py").write_text(MODEL)
    assert mean_of(called(python, other, "run", "model.py", "-n", "3", "--name", "x", "--json")) == 2.0
    deep.write_text("RATE = 1000.0\n")
    refused = called(python, other, "resume", "x", "-n", "6")
    assert refused.returncode == 2
    assert f"wards/deep.py, imported from outside the project ({deep}): was changed" in refused.stderr
    verified = called(python, other, "verify", "x")
    assert verified.returncode == 1
    assert "3 replications simulated again, 3 of them different" in verified.stdout
    accepted = called(python, other, "resume", "x", "-n", "6", "--accept-changes", "--json")
    assert mean_of(accepted) == 501.0
    assert "from two versions of the model" in accepted.stderr + accepted.stdout
    assert str(deep) in called(python, other, "environment", "x").stderr
