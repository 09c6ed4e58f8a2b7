"""R projects as they are: packages loaded from their source, here::here(), scripts, apps and documents."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]
pytestmark = pytest.mark.r


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """An R package project with data, and a model in a folder of scripts."""
    for folder in ("R", "scripts", "data"):
        (tmp_path / folder).mkdir()
    (tmp_path / "DESCRIPTION").write_text("Package: mymodel\nTitle: T\nVersion: 0.1\nLicense: MIT\n")
    (tmp_path / "NAMESPACE").write_text("export(draw)\n")
    (tmp_path / "R" / "draw.R").write_text("draw <- function(rate) rexp(1, rate)\n")
    (tmp_path / "data" / "rates.csv").write_text("rate\n2\n")
    return tmp_path


@pytest.mark.parametrize("load", ["pkgload::load_all(here::here())", 'pkgload::load_all(".")'])
def test_a_package_is_loaded_from_its_source(replicast: Cli, package: Path, load: str) -> None:
    (package / "scripts" / "sim.R").write_text(
        f'{load}\nrates <- read.csv(here::here("data", "rates.csv"))\n'
        "simulate <- function(k = 1) list(y = draw(rates$rate * k))\n"
    )
    ended = replicast("run", "scripts/sim.R", "-n", 2, "--seed", 1)
    assert ended.returncode == 0, ended.stderr
    assert "incompatible" not in ended.stderr


def test_inputs_are_read_by_relative_paths_from_rds_csv_and_xlsx(replicast: Cli, tmp_path: Path) -> None:
    """From the copy: what becomes of the files on disk changes nothing."""
    if subprocess.run(["Rscript", "-e", "quit(status = !requireNamespace('readxl'))"], check=False).returncode:
        pytest.skip("R's package readxl is not installed (Debian: apt install r-cran-readxl)")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rates.csv").write_text("rate\n2\n")
    subprocess.run(["Rscript", "-e", 'saveRDS(list(beds = 3L), "data/beds.rds")'], cwd=tmp_path, check=True)
    book = openpyxl.Workbook()
    for row in (["los", "ward"], [4.5, "icu"]):
        book.active.append(row)
    book.save(tmp_path / "data" / "stays.xlsx")
    (tmp_path / "model.R").write_text(
        'rates <- read.csv("data/rates.csv")\n'
        "simulate <- function() {\n"
        '  stays <- readxl::read_excel("data/stays.xlsx")\n'
        '  c(rate = rates$rate, beds = readRDS("data/beds.rds")$beds, los = stays$los, x = runif(1))\n}\n'
    )
    ended = replicast("run", "model.R", "-n", 2, "--seed", 1, "--name", "x", "--json")
    assert ended.returncode == 0, ended.stderr
    (tmp_path / "data" / "stays.xlsx").unlink()
    ended = replicast("resume", "x", "-n", 4, "--json")
    assert ended.returncode == 0, ended.stderr
    means = {row["metric"]: row["mean"] for row in json.loads(ended.stdout)["summary"]}
    assert (means["rate"], means["beds"], means["los"]) == (2.0, 3.0, 4.5)


def test_a_package_of_the_project_is_never_proposed_for_installation(replicast: Cli, package: Path) -> None:
    (package / "scripts" / "sim.R").write_text("library(mymodel)\nsimulate <- function() draw(1)\n")
    refused = replicast("run", "scripts/sim.R", "-n", 1)
    assert refused.returncode == 2
    assert "load_all" in refused.stderr
    assert "install.packages" not in refused.stderr


def test_a_package_from_elsewhere_is(replicast: Cli, package: Path) -> None:
    (package / "scripts" / "sim.R").write_text("library(nosuchpackage)\nsimulate <- function() draw(1)\n")
    assert 'install.packages("nosuchpackage")' in replicast("run", "scripts/sim.R", "-n", 1).stderr


def test_a_script_is_shown_the_way_to_a_function(replicast: Cli, tmp_path: Path) -> None:
    (tmp_path / "script.R").write_text("x <- rnorm(10)\nprint(mean(x))\n")
    refused = replicast("run", "script.R", "-n", 1)
    assert refused.returncode == 2
    assert "simulate <- function(...)" in refused.stderr
    assert "split-a-monolith" in refused.stderr


def test_an_app_is_told_to_keep_its_model_in_a_file(replicast: Cli, tmp_path: Path) -> None:
    (tmp_path / "app.R").write_text("library(shiny)\nserver <- function(input, output) {}\nshinyApp(ui, server)\n")
    refused = replicast("run", "app.R", "-n", 1)
    assert refused.returncode == 2
    assert "shiny app" in refused.stderr


@pytest.mark.parametrize("name", ["model.Rmd", "model.qmd"])
def test_a_document_is_told_how_its_code_is_taken_out(replicast: Cli, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("# Title\n\n```{r}\nsimulate <- function() runif(1)\n```\n")
    refused = replicast("run", name, "-n", 1)
    assert refused.returncode == 2
    assert f'knitr::purl("{name}")' in refused.stderr
    subprocess.run(["Rscript", "-e", f'knitr::purl("{name}", quiet = TRUE)'], cwd=tmp_path, check=True)
    assert replicast("run", "model.R", "-n", 1, "--seed", 1).returncode == 0


@pytest.mark.simmer
def test_an_error_inside_a_callback_of_simmer_shows_the_callback(replicast: Cli, tmp_path: Path) -> None:
    (tmp_path / "model.R").write_text(
        "library(simmer)\n"
        'service <- function() stop("no time left")\n'
        "simulate <- function() {\n"
        '  path <- trajectory() |> seize("doctor") |> timeout(function() service()) |> release("doctor")\n'
        '  simmer() |> add_resource("doctor") |> add_generator("p", path, function() 1) |> run(10)\n'
        "}\n"
    )
    failed = replicast("run", "model.R", "-n", 1, "--seed", 1)
    assert failed.returncode == 1
    assert 'stop("no time left") at model.R#2' in failed.stderr
    assert "service() at model.R#4" in failed.stderr
