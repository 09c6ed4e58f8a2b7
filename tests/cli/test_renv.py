"""A library of renv's beside an R model is honoured, and not copied into the run."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


def write_package(folder: Path) -> None:
    (folder / "R").mkdir(parents=True)
    (folder / "DESCRIPTION").write_text("Package: only.here\nVersion: 1.0\nTitle: T\nDescription: D.\nLicense: MIT\n")
    (folder / "NAMESPACE").write_text("export(answer)\n")
    (folder / "R" / "answer.R").write_text("answer <- function() 42\n")


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
    library.mkdir(parents=True)
    write_package(package)
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


INITIALISED = """
Sys.setenv(RENV_CONFIG_SANDBOX_ENABLED = "FALSE", RENV_CONFIG_AUTO_SNAPSHOT = "FALSE")
options(renv.consent = TRUE, repos = c(CRAN = "file:///nowhere"))
renv::init("project", bare = TRUE, restart = FALSE, load = FALSE, bioconductor = FALSE)
library <- renv::paths$library(project = "project")
dir.create(library, recursive = TRUE, showWarnings = FALSE)
install.packages("only.here", lib = library, repos = NULL, type = "source", quiet = TRUE)
renv::snapshot(project = "project", prompt = FALSE, library = library, packages = "only.here", force = TRUE)
"""


@pytest.mark.long
@pytest.mark.r
@pytest.mark.renv
def test_a_project_that_renv_initialised_runs_as_it_is(
    replicast: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RENV_PATHS_ROOT", str(tmp_path / "renv-root"))
    (tmp_path / "project").mkdir()
    write_package(tmp_path / "only.here")
    (tmp_path / "project" / "sim.R").write_text(
        "library(only.here)\nsimulate <- function() list(y = answer() + runif(1))\n"
    )
    subprocess.run(["Rscript", "-e", INITIALISED], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "project" / "renv" / "activate.R").exists()
    assert (tmp_path / "project" / "renv.lock").exists()
    done = replicast("run", "sim.R", "-n", 2, "--seed", 1, "--name", "x", cwd=tmp_path / "project")
    assert done.returncode == 0, done.stderr
    assert "42." in done.stdout
