"""What `environment` prints builds an environment that passes `verify`."""

from __future__ import annotations

import json
import subprocess
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from replicast.models.environments import r_lines, requirements

Replicast = Callable[..., "subprocess.CompletedProcess[str]"]
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(replicast: Replicast, write_model: Callable[..., Path]) -> None:
    write_model("import simpy\n\ndef simulate(rng):\n    simpy.Environment().run(1)\n    return rng.random()\n")
    assert replicast("run", "project/model.py", "-n", "3", "--name", "x").returncode == 0


@pytest.mark.usefixtures("run")
def test_it_prints_the_packages_that_the_model_imported_with_their_versions(replicast: Replicast) -> None:
    lines = replicast("environment", "x").stdout.splitlines()
    assert any(line.startswith("simpy==") for line in lines)
    assert any(line.startswith("numpy==") for line in lines)
    assert not any(line.startswith(("polars", "pytest", "replicast==")) for line in lines)
    assert "numpy" in json.loads(replicast("environment", "x", "--json").stdout)["versions"]


@pytest.mark.long
@pytest.mark.usefixtures("run")
def test_an_empty_environment_made_from_it_passes_verify(replicast: Replicast, tmp_path: Path) -> None:
    made = tmp_path / "made.txt"
    made.write_text(replicast("environment", "x").stdout)
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    pip = [str(python), "-P", "-m", "pip", "install", "-q", "-r", str(made), str(REPOSITORY)]
    installed = subprocess.run(pip, capture_output=True, text=True, check=False, timeout=500)
    if "No matching distribution" in installed.stderr or "Could not find" in installed.stderr:
        pytest.skip("no package index can be reached")
    assert installed.returncode == 0, installed.stderr
    command = [str(python), "-P", "-m", "replicast", "verify", "x"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "since the run was made" not in done.stderr


def test_lines_for_each_language() -> None:
    assert requirements({"python": "3.12.1", "numpy": "2.0", "odd": "unknown"}) == [
        "# Python 3.12.1", "numpy==2.0", "# odd: its version is not known",
    ]  # fmt: skip
    assert r_lines({"R": "4.2.2", "simmer": "4.4.7", "python": "3"})[-1] == (
        'remotes::install_version("simmer", "4.4.7", upgrade = "never")'
    )
