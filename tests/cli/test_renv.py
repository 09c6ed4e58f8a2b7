"""A library of renv's beside an R model is honoured, and not copied into the run."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.long
@pytest.mark.r
def test_a_model_finds_packages_in_the_renv_library_of_its_project(
    replicast: Callable[..., subprocess.CompletedProcess[str]], write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = write_model("simulate <- function() as.numeric(only.here::answer() + runif(1))\n", "model.R")
    ask = 'cat(paste0("R-", getRversion()[, 1:2]), R.version$platform, sep = "/")'
    place = subprocess.run(["Rscript", "--vanilla", "-e", ask], capture_output=True, text=True, check=True).stdout
    library = model.parent / "renv" / "library" / place
    package = tmp_path / "only.here"
    (package / "R").mkdir(parents=True)
    library.mkdir(parents=True)
    (package / "DESCRIPTION").write_text("Package: only.here\nVersion: 1.0\nTitle: T\nDescription: D.\nLicense: MIT\n")
    (package / "NAMESPACE").write_text("export(answer)\n")
    (package / "R" / "answer.R").write_text("answer <- function() 42\n")
    subprocess.run(["R", "CMD", "INSTALL", f"--library={library}", str(package)], check=True, capture_output=True)
    done = replicast("run", "model.R", "-n", 2, "--name", "x", cwd=model.parent)
    assert done.returncode == 0, done.stderr
    assert "42." in done.stdout
    assert not (model.parent / "runs" / "x" / "model" / "renv").exists()
    assert replicast("resume", "x", "-n", 3, cwd=model.parent).returncode == 0
    assert replicast("replay", "x", 2, "--snippet", "one.R", cwd=model.parent).returncode == 0
    by_hand = subprocess.run(
        ["Rscript", "--vanilla", model.parent / "one.R"], capture_output=True, text=True, check=True
    )
    assert by_hand.stdout.startswith("[1] 42.")
